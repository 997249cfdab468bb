# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the only code that knows the runner's wire format, and the only one that talks to a connection."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import pathlib
import time
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleConnectionFailure

from ..module_utils._errors import BadReply, RunnerRefused, Unsupported
from ..module_utils._steps import Answer, Credential, Fault, From, Row, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..module_utils._steps import Value

T = t.TypeVar("T")

PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
PROTOCOL = 1
MARKER = '{"hyperlab":'
_REFUSED = {
    "truncated": ("the host got only a part of what was sent, and did nothing", "run the task again"),
    "language_mode": (
        "PowerShell runs in constrained language mode there (App Control), which cannot run the runner; nothing was done",
        "let the connection's user run PowerShell in full language mode: the host's App Control or AppLocker policy forbids it",
    ),
    "secret_too_long": ("a secret is longer than 65,536 characters; nothing was done", "give a shorter secret"),
}


class Connection(t.Protocol):
    """The part of an Ansible connection plugin that is used."""

    @property
    def transport(self) -> str:
        """The plugin's name."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]: ...


class HostLost(AnsibleConnectionFailure):
    """The transport broke: the task is unreachable. The message ends with what that means for the host."""

    _include_cause_message = False  # it is in the message; ansible-core before 2.19 does not know this

    @property
    def in_vain(self) -> bool:
        """Whether it is no use to wait and try again."""
        cause = self.__cause__
        while isinstance(cause, GuestLost) and not cause.in_vain:
            cause = cause.__cause__
        return isinstance(cause, GuestLost)


class GuestLost(AnsibleConnectionFailure):
    """The way into a guest broke, on its host or in the guest itself (plugins/connection/psdirect.py)."""

    _include_cause_message = False  # as above
    in_vain = False
    """Whether it is no use to wait and try again."""

    def __init__(self, message: str, *, nothing_ran: bool = False) -> None:
        super().__init__(message)
        self.nothing_ran = nothing_ran
        """Whether it is certain that nothing of what was sent ran in the guest."""


class ConnectionTransport:
    """Runs steps on the inventory host, each call in one remote PowerShell process."""

    lost = HostLost

    def __init__(
        self,
        connection: Connection,
        log: t.Callable[[str], None] = lambda text: None,
        say: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self._connection = connection
        self._log = log
        self.say = say
        self._processes = 0
        self._pretended = 0.0

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """The answers to the steps; HostLost when the transport broke, BadReply when the runner did."""
        request = encode(steps)
        self._processes += 1
        self._log(f"remote process {self._processes}: {len(steps)} steps, {len(request)} bytes")
        try:
            result = self._connection.exec_command(command_line(), in_data=request, sudoable=False)
        # Whatever a connection plugin lets through (its AnsibleConnectionFailure; requests', pywinrm's and pypsrp's own errors;
        # winrm's plain AnsibleError after standard input was lost): it raised, so nobody knows whether the command ran.
        # A task's timeout is no Exception, and passes.
        except Exception as error:
            raise HostLost(_lost(error, steps)) from error
        return decode(steps, Printed.over(self._connection, result))

    def reset(self) -> None:
        """Forget the connection: the next process opens a new one, and says what is wrong with that."""
        # close() for the shells of winrm and psrp, whose reset() would connect again at once; reset() for ssh's master
        for forget in ("close", "reset"):
            with contextlib.suppress(Exception):
                getattr(self._connection, forget)()

    def sleep(self, seconds: float) -> None:
        """Let time pass on the host; a pretended one has a clock of its own."""
        let_time_pass = getattr(self._connection, "let_time_pass", None)
        if let_time_pass is None:
            time.sleep(seconds)
        else:
            let_time_pass(seconds)
            self._pretended += seconds

    def clock(self) -> float:
        """Seconds on a clock that also knows the time that was only pretended to pass."""
        return time.monotonic() + self._pretended


def _lost(error: Exception, steps: Sequence[Step]) -> str:
    """What the connection said, what is known of that, and how the host may be now."""
    known = isinstance(error, AnsibleConnectionFailure)
    said = str(error).strip().rstrip(".:") if known else f"lost the host during the task ({type(error).__name__}: {error})"
    return ". ".join(part for part in (said or "the connection failed", _REASONS.get(_number(error)), _outcome(error, steps)) if part)


def _outcome(error: Exception, steps: Sequence[Step]) -> str:
    if isinstance(error, GuestLost) and error.nothing_ran:
        return "Nothing was run there; it is safe to run the task again"
    if all(step.verb_noun.startswith("Get-") for step in steps):
        return "The host was only being read, so nothing was changed; it is safe to run the task again"
    return "Whether the task's changes were made on the host is unknown; it is safe to run the task again: it plans on what is there then"


def _number(error: BaseException | None) -> int:
    """The WSMan fault or HTTP status in an error of pywinrm or pypsrp, neither of which has to be installed; 0 for none.

    An error of a guest's connection has that of its host's connection as its cause.
    """
    while isinstance(error, GuestLost):
        error = error.__cause__
    number = getattr(error, "wsman_fault_code", None) or getattr(error, "code", None)
    return number if isinstance(number, int) else 0


_REASONS = {
    995: "The remote shell was aborted: the host is restarting, or something ended the shell",
    2150858843: "The remote shell is gone: the host or its WinRM service was restarted",
    2150859174: "WinRM gives the user no more operations on that host now (MaxConcurrentOperationsPerUser): wait for other runs to end",
    400: "The session is no longer valid: WinRM with NTLM over HTTP loses it together with its TCP connection",
    413: "The request is larger than the host allows (WinRM's MaxEnvelopeSizekb)",
}


@functools.cache
def command_line() -> str:
    """The constant command: PowerShell with the bootstrap. psrp recognises it by these very letters."""
    return PREFIX + base64.b64encode(_script("_bootstrap.ps1").encode("utf-16-le")).decode()


@functools.cache
def _script(name: str) -> str:
    return pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    """What one remote process is sent: the payload's JSON text, and the secrets that it refers to by number."""

    payload: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, steps: Sequence[Mapping[str, t.Any]], secrets: Sequence[str]) -> Request:
        """The request that has these steps, already as the runner reads them."""
        return cls(json.dumps({"protocol": PROTOCOL, "steps": steps}), tuple(secrets))

    @classmethod
    def read(cls, data: bytes) -> Request:
        """The request that `to_bytes` made these bytes of."""
        first, *lines = data.decode("ascii").partition(" ")[2].removesuffix("\n").split("\n")
        return cls(json.loads(first)["payload"], tuple(base64.b64decode(line).decode() for line in lines))

    def to_bytes(self) -> bytes:
        """What goes to standard input: a count, the runner and the payload as ASCII JSON, and a line for each secret."""
        lines = [json.dumps({"runner": _script("_runner.ps1"), "payload": self.payload})]
        lines += [base64.b64encode(secret.encode()).decode() for secret in self.secrets]
        body = "\n".join(lines)
        return f"{len(body)} {body}\n".encode("ascii")


def encode(steps: Sequence[Step]) -> bytes:
    """What goes to standard input for these steps."""
    return to_request(steps).to_bytes()


def to_request(steps: Sequence[Step]) -> Request:
    """The request that these steps are."""
    secrets: list[str] = []
    return Request.of([_step(step, secrets) for step in steps], secrets)


def inside(request: Request, before: Sequence[Step], parameters: Mapping[str, Value]) -> Request:
    """The request to a host that takes another one into a guest, behind some steps of the host itself.

    A secret has the same number at every level, so those of the inner request come first; the guest gets these and no other.
    """
    secrets = list(request.secrets)
    steps = [_step(step, secrets) for step in before]
    steps.append({"inside": request.payload, "parameters": _values(parameters, secrets), "secrets": [*range(len(request.secrets))]})
    return Request.of(steps, secrets)


LONGEST_SECRET = 65_536
"""Characters; the bootstrap refuses a longer one."""
_CHUNK_BYTES = LONGEST_SECRET // 4 * 3
_OUTPUT = ("exit_code", "stdout", "stderr")


def command(line: str, data: bytes) -> Request:
    """The request that runs a command line in the system's shell with these bytes as its standard input.

    The bytes are secrets in pieces, for a module's options are among them. A piece that did not come as long as it was sent
    breaks the group before the command begins: the runner itself would take a missing one for an empty one.
    """
    chunks = [base64.b64encode(data[at : at + _CHUNK_BYTES]).decode() for at in range(0, len(data), _CHUNK_BYTES)]
    stdin = [{"$secret": number} for number in range(len(chunks))]
    arrived: list[Mapping[str, t.Any]] = [
        {
            "cmdlet": "Microsoft.PowerShell.Utility\\Write-Output",
            "parameters": {"InputObject": stdin},
            "where": {"Length": [f"'{length}" for length in sorted({len(chunk) for chunk in chunks})]},
            "as": "arrived",
            "group": "command",
        },
        {
            "cmdlet": "Microsoft.PowerShell.Utility\\Write-Output",
            "parameters": {"InputObject": {"$from": "arrived", "count": len(chunks)}},
            "group": "command",
        },
    ]
    run = {"command": f"'{line}", "stdin": stdin, "parameters": {}, "select": _OUTPUT, "group": "command"}
    return Request.of([*(arrived if chunks else ()), run], chunks)


def _step(step: Step, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"cmdlet": step.cmdlet, "parameters": _values(step.parameters, secrets)}
    if step.save:
        plain["as"] = step.save
    if step.where:
        plain["where"] = _where(step.where, secrets)
    if step.select is not None:
        plain["select"] = list(step.select)
    if step.group:
        plain["group"] = step.group
    if step.undo:
        plain["undo"] = _step(step.undo, secrets)
    if step.until:
        plain["until"] = _until(step.until, secrets)
    return plain


def _until(until: Until, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"seconds": until.seconds, "every": until.every}
    if until.where:
        plain["where"] = _where(until.where, secrets)
    if until.stop:
        plain["stop"] = [_value(word, secrets) for word in until.stop]
    return plain


def _where(where: Mapping[str, t.Any], secrets: list[str]) -> dict[str, t.Any]:
    return {name: _values_of(wanted, secrets) for name, wanted in where.items()}


def _values_of(wanted: t.Any, secrets: list[str]) -> list[t.Any]:
    many = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
    return [_value(one, secrets) for one in many]


def _values(parameters: Mapping[str, t.Any], secrets: list[str]) -> dict[str, t.Any]:
    return {name: _value(value, secrets) for name, value in parameters.items()}


def _value(value: t.Any, secrets: list[str]) -> t.Any:
    # PowerShell 7 reads a bare string that looks like a date as a date, so each string carries a mark.
    if isinstance(value, str):
        return f"'{value}"
    if isinstance(value, From):
        return _from(value, secrets)
    if isinstance(value, Credential):
        secrets.append(value.password)
        return {"$credential": f"'{value.user}", "secret": len(secrets) - 1}
    if isinstance(value, (list, tuple)):
        return [_value(item, secrets) for item in value]
    return value


def _from(value: From, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"$from": value.save}
    if value.where:
        plain["where"] = _where(value.where, secrets)
    if value.count is not None:
        plain["count"] = value.count
    if value.property:
        plain["property"] = value.property
    return plain


@dataclass(frozen=True, slots=True)
class Printed:
    """What a remote process printed, and who `who` it was."""

    stdout: str
    stderr: str = ""
    code: int = 0
    windows: bool = True
    who: str = "the host"

    @classmethod
    def over(cls, connection: Connection, result: tuple[int, bytes, bytes], who: str = "the host") -> Printed:
        """What a connection returned."""
        code, stdout, stderr = result
        return cls(_text(stdout), _text(stderr), code, _is_windows(connection), who)


def decode(steps: Sequence[Step], printed: Printed) -> list[Answer]:
    """The answers in what the host printed; anything that is not a whole answer of ours is an error."""
    reply = checked_reply(printed)
    with _agreed_form(printed.who):
        return [_answer(step, answer) for step, answer in zip(steps, _all_steps(reply, len(steps), printed.who), strict=True)]


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a step that takes a request into a guest: the guest's answer line, or faults."""

    lines: tuple[str, ...]
    faults: tuple[Fault, ...]


def decode_inside(before: Sequence[Step], printed: Printed) -> tuple[list[Answer], Visit]:
    """What the host itself answered to a request that `inside` made, and what came out of the guest."""
    reply = checked_reply(printed)
    with _agreed_form(printed.who):
        *own, last = _all_steps(reply, len(before) + 1, printed.who)
        answers = [_answer(step, answer) for step, answer in zip(before, own, strict=True)]
        lines = tuple(_typed(str, line) for line in _list(last["output"]))
        return answers, Visit(lines, tuple(_fault(fault) for fault in _list(last["errors"])))


def decode_command(request: Request, printed: Printed) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of the command line of a request that `command` made."""
    reply = checked_reply(printed)
    with _agreed_form(printed.who):
        last = _all_steps(reply, len(json.loads(request.payload)["steps"]), printed.who)[-1]
        if "skipped" in last:
            raise BadReply(
                "only a part of the command's input arrived there, and it was not run", code="input_lost", fix="run the task again"
            )
        faults = [_fault(fault) for fault in _list(last["errors"])]
        if faults:
            raise BadReply(
                f"{printed.who} could not run the command: {faults[0].message.strip()} [{faults[0].id}]", code="command_failed", fix=_REPORT
            )
        [row] = _rows(last["output"])
        return _typed(int, row["exit_code"]), _bytes(row["stdout"]), _bytes(row["stderr"])


def _bytes(plain: t.Any) -> bytes:
    return base64.b64decode(_typed(str, plain), validate=True)


def checked_reply(printed: Printed) -> Mapping[str, t.Any]:
    """The runner's own answer in what was printed."""
    reply = _reply(printed)
    if reply.get("refused") is not None:
        raise _refusal(str(reply["refused"]))
    if reply.get("protocol") != PROTOCOL:
        raise BadReply(
            f"{printed.who} answered with protocol {reply.get('protocol')!r}, not {PROTOCOL}",
            code="protocol_mismatch",
            fix="use the same version of hyperlab.nested everywhere",
        )
    return reply


@contextlib.contextmanager
def _agreed_form(who: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BadReply(f"{who} answered in another form than agreed: {error!r}", code="reply_malformed", fix=_REPORT) from error


def _refusal(why: str) -> RunnerRefused:
    msg, fix = _REFUSED.get(why, (why, _REPORT))
    return RunnerRefused(f"the runner refused: {msg}", code=f"runner_refused_{why}", fix=fix)


def _all_steps(reply: Mapping[str, t.Any], count: int, who: str) -> list[t.Any]:
    """What was answered to each step, when it was to all of them."""
    answers = _list(reply.get("steps"))
    if reply.get("error") is not None:
        fault = _fault(reply["error"])
        raise BadReply(
            f"the runner gave up after {len(answers)} of {count} steps: {fault.message} [{fault.id}]", code="payload_refused", fix=_REPORT
        )
    if len(answers) != count:
        raise BadReply(f"{who} answered to {len(answers)} steps of {count}", code="reply_incomplete", fix=_AGAIN)
    return answers


_AGAIN = "run the task again: it plans on what is there then"
_REPORT = "please report this with the output of ansible-playbook -vvv"


def _reply(printed: Printed) -> dict[str, t.Any]:
    cut = False
    stdout, who = printed.stdout, printed.who
    position = stdout.find(MARKER)
    while position >= 0:
        try:
            found, _end = json.JSONDecoder().raw_decode(stdout, position)
        except (ValueError, RecursionError):
            cut = True
        else:
            if isinstance(found["hyperlab"], dict):
                return t.cast("dict[str, t.Any]", found["hyperlab"])
        position = stdout.find(MARKER, position + 1)
    if cut:
        raise BadReply(f"{who} answered only in part", code="reply_cut", fix=f"whether the changes were made is unknown; {_AGAIN}")
    said = " ".join((printed.stderr or stdout).split())[:300] or "nothing"
    if not printed.windows:
        raise Unsupported(
            f"{who} did not start Windows PowerShell (exit code {printed.code}); it said: {said}",
            code="not_windows",
            fix="run this module against a Windows host, over winrm, psrp or ssh with ansible_shell_type=powershell",
        )
    raise BadReply(
        f"{who} did not answer (exit code {printed.code}); it said: {said}",
        code="no_reply",
        fix="see that PowerShell starts on the host: ansible HOST -m ansible.builtin.raw -a 'PowerShell -NoProfile -Command 1'",
    )


def _answer(step: Step, plain: Mapping[str, t.Any]) -> Answer:
    if "skipped" in plain:
        if plain["skipped"] is not True or not step.group:
            raise ValueError("a step was skipped that cannot be")
        return Answer(skipped=True)
    undo = plain.get("undo")
    return Answer(
        rows=tuple(Row(step.save or "", row) for row in _rows(plain["output"])),
        faults=tuple(_fault(fault) for fault in _list(plain["errors"])),
        warnings=tuple(_typed(str, text) for text in _list(plain["warnings"])),
        seconds=float(plain.get("seconds") or 0),
        undo=_answer(step.undo, undo) if undo is not None and step.undo else None,
    )


def _rows(plain: t.Any) -> list[dict[str, t.Any]]:
    rows = _list(plain)
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("a row is not an object")
    return rows


def _list(plain: t.Any) -> list[t.Any]:
    return _typed(list, plain)


def _typed(kind: type[T], plain: t.Any) -> T:
    # a bool is an int, and no number of the wire is one
    if not isinstance(plain, kind) or (isinstance(plain, bool) and kind is not bool):
        raise TypeError(f"expected {kind.__name__}, found {type(plain).__name__}")
    return plain


def _fault(plain: Mapping[str, t.Any]) -> Fault:
    return Fault(
        id=_typed(str, plain["id"]),
        category=_typed(str, plain["category"]),
        reason=_typed(str, plain["reason"]),
        message=_typed(str, plain["message"]),
        hresult=_typed(int, plain["hresult"]),
    )


def _text(output: bytes | str) -> str:
    return output if isinstance(output, str) else output.decode("utf-8", "replace")


def _is_windows(connection: Connection) -> bool:
    shell = getattr(connection, "_shell", None)
    return bool(getattr(shell, "_IS_WINDOWS", False)) or connection.transport in ("winrm", "psrp")
