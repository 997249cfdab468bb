# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what a remote process printed, and what that means; anything that is not a whole answer of ours is an error."""

from __future__ import annotations

import base64
import contextlib
import json
import typing as t
from dataclasses import dataclass

from ..module_utils._errors import BadReply, RunnerRefused, Unsupported
from ..module_utils._steps import Answer, Fault, Row
from ._request import PROTOCOL

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..module_utils._steps import Step
    from ._request import Request

T = t.TypeVar("T")

MARKER = '{"hyperlab":'
_REFUSED = {
    "truncated": ("the host got only a part of what was sent, and did nothing", "run the task again"),
    "language_mode": (
        "PowerShell runs in constrained language mode there (App Control), which cannot run the runner; nothing was done",
        "let the connection's user run PowerShell in full language mode: the host's App Control or AppLocker policy forbids it",
    ),
    "secret_too_long": ("a secret is longer than 65,536 characters; nothing was done", "give a shorter secret"),
}


@dataclass(frozen=True, slots=True)
class Printed:
    """What a remote process printed, and who `who` it was."""

    stdout: str
    stderr: str = ""
    code: int = 0
    windows: bool = True
    who: str = "the host"


def decode(steps: Sequence[Step], printed: Printed) -> list[Answer]:
    """The answers in what the host printed; anything that is not a whole answer of ours is an error."""
    reply = checked_reply(printed)
    with _agreed_form(printed.who):
        return [_answer(step, answer) for step, answer in zip(steps, _all_steps(reply, len(steps), printed.who), strict=True)]


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a step that takes a request into a guest: the guest's answer line, or faults; nothing when it was skipped."""

    lines: tuple[str, ...]
    faults: tuple[Fault, ...]


def decode_inside(before: Sequence[Step], printed: Printed) -> tuple[list[Answer], Visit]:
    """What the host itself answered to a request that `inside` made, and what came out of the guest."""
    reply = checked_reply(printed)
    with _agreed_form(printed.who):
        *own, last = _all_steps(reply, len(before) + 1, printed.who)
        answers = [_answer(step, answer) for step, answer in zip(before, own, strict=True)]
        return answers, _visit(last, skipped=any(answer.faults for answer in answers))


def _visit(plain: Mapping[str, t.Any], *, skipped: bool) -> Visit:
    if plain.get("skipped", False) is not skipped:
        raise ValueError("a guest is visited if and only if no step before has failed")
    if skipped:
        return Visit((), ())
    lines = tuple(_typed(str, line) for line in _list(plain["output"]))
    faults = tuple(_fault(fault) for fault in _list(plain["errors"]))
    if lines and faults:
        raise ValueError("a visit has both failed and come back")
    return Visit(lines, faults)


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
