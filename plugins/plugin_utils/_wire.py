# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the only code that knows the runner's wire format, and the only one that talks to a connection."""

from __future__ import annotations

import base64
import functools
import json
import pathlib
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ..module_utils._errors import BadReply, RunnerRefused, Unsupported
from ..module_utils._steps import Answer, Credential, Fault, From, Row, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


class ConnectionTransport:
    """Runs steps on the inventory host, each call in one remote PowerShell process."""

    def __init__(self, connection: Connection, log: t.Callable[[str], None] = lambda text: None) -> None:
        self._connection = connection
        self._log = log
        self._processes = 0

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """The answers to the steps; HostLost when the transport broke, BadReply when the runner did."""
        request = encode(steps)
        self._processes += 1
        self._log(f"remote process {self._processes}: {len(steps)} steps, {len(request)} bytes")
        try:
            code, stdout, stderr = self._connection.exec_command(command_line(), in_data=request, sudoable=False)
        # Whatever a connection plugin lets through (its AnsibleConnectionFailure; requests', pywinrm's and pypsrp's own errors;
        # winrm's plain AnsibleError after standard input was lost): it raised, so nobody knows whether the command ran.
        # A task's timeout is no Exception, and passes.
        except Exception as error:
            raise HostLost(_lost(error, steps)) from error
        return decode(steps, _text(stdout), _text(stderr), code, windows=_is_windows(self._connection))


def _lost(error: Exception, steps: Sequence[Step]) -> str:
    """What the connection said, what is known of that, and how the host may be now."""
    known = isinstance(error, AnsibleConnectionFailure)
    said = str(error).strip().rstrip(".:") if known else f"lost the host during the task ({type(error).__name__}: {error})"
    return ". ".join(part for part in (said or "the connection failed", _REASONS.get(_number(error)), _outcome(steps)) if part)


def _outcome(steps: Sequence[Step]) -> str:
    if all(step.verb_noun.startswith("Get-") for step in steps):
        return "The host was only being read, so nothing was changed; it is safe to run the task again"
    return "Whether the task's changes were made on the host is unknown; it is safe to run the task again: it plans on what is there then"


def _number(error: Exception) -> int:
    """The WSMan fault or HTTP status in an error of pywinrm or pypsrp, neither of which has to be installed; 0 for none."""
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


def encode(steps: Sequence[Step]) -> bytes:
    """What goes to standard input: a count, the runner and the payload as ASCII JSON, and a line for each secret."""
    payload, secrets = to_payload(steps)
    lines = [json.dumps({"runner": _script("_runner.ps1"), "payload": payload})]
    lines += [base64.b64encode(secret.encode()).decode() for secret in secrets]
    body = "\n".join(lines)
    return f"{len(body)} {body}\n".encode("ascii")


def to_payload(steps: Sequence[Step]) -> tuple[str, list[str]]:
    """The payload's JSON text, and the secrets that it refers to by number."""
    secrets: list[str] = []
    plain = {"protocol": PROTOCOL, "steps": [_step(step, secrets) for step in steps]}
    return json.dumps(plain), secrets


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


def decode(steps: Sequence[Step], stdout: str, stderr: str, code: int, *, windows: bool = True) -> list[Answer]:
    """The answers in what the host printed; anything that is not a whole answer of ours is an error."""
    reply = _reply(stdout, stderr, code, windows)
    if reply.get("refused") is not None:
        raise _refusal(str(reply["refused"]))
    if reply.get("protocol") != PROTOCOL:
        raise BadReply(
            f"the host answered with protocol {reply.get('protocol')!r}, not {PROTOCOL}",
            code="protocol_mismatch",
            fix="use the same version of hyperlab.nested everywhere",
        )
    try:
        return _answers(steps, reply)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadReply(f"the host's answer has another form than agreed: {error!r}", code="reply_malformed", fix=_REPORT) from error


def _refusal(why: str) -> RunnerRefused:
    msg, fix = _REFUSED.get(why, (why, _REPORT))
    return RunnerRefused(f"the runner refused: {msg}", code=f"runner_refused_{why}", fix=fix)


def _answers(steps: Sequence[Step], reply: Mapping[str, t.Any]) -> list[Answer]:
    answers = _list(reply.get("steps"))
    if reply.get("error") is not None:
        fault = _fault(reply["error"])
        raise BadReply(
            f"the runner gave up after {len(answers)} of {len(steps)} steps: {fault.message} [{fault.id}]",
            code="payload_refused",
            fix=_REPORT,
        )
    if len(answers) != len(steps):
        raise BadReply(f"the host answered to {len(answers)} steps of {len(steps)}", code="reply_incomplete", fix=_AGAIN)
    return [_answer(step, answer) for step, answer in zip(steps, answers, strict=True)]


_AGAIN = "run the task again: it plans on what is there then"
_REPORT = "please report this with the output of ansible-playbook -vvv"


def _reply(stdout: str, stderr: str, code: int, windows: bool) -> dict[str, t.Any]:
    cut = False
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
        raise BadReply("the host's answer was cut; whether the changes were made is unknown", code="reply_cut", fix=_AGAIN)
    said = " ".join((stderr or stdout).split())[:300] or "nothing"
    if not windows:
        raise Unsupported(
            f"the inventory host did not start Windows PowerShell (exit code {code}); it said: {said}",
            code="not_windows",
            fix="run this module against a Windows host, over winrm, psrp or ssh with ansible_shell_type=powershell",
        )
    raise BadReply(
        f"the host did not answer (exit code {code}); it said: {said}",
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
