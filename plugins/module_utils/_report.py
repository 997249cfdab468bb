# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the result of a task, from what became of its parts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import HypervError, SeveralErrors
from ._outcome import Failure, failure

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._plan import Change


@dataclass(frozen=True, kw_only=True, slots=True)
class PartResult:
    """What one chunk of the task brings to the result."""

    changes: tuple[Change, ...]
    commands: tuple[str, ...]
    power_cycled: tuple[str, ...]
    warnings: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    state: t.Any = None
    """The resource's State that was read last; None: it could not be read."""
    touched: bool = False
    """Whether something that is no attribute of a change was left behind: what could not be taken back."""
    unknown: bool = False
    """Whether something may have been changed of which nobody knows, because the host's answer was lost."""
    rebooted: bool = False
    """Whether the host was restarted, or would be."""
    restart_needed: bool = False
    """Whether an answer of the host said that Windows waits for a restart, and it has had none since."""


def result(parts: Sequence[PartResult], *, diff: bool) -> dict[str, t.Any]:
    """The task's result."""
    changes = [change for part in parts for change in part.changes]
    failures = [each for part in parts for each in part.failures]
    shown: dict[str, t.Any] = {
        **_merged([part.state.result() for part in parts if part.state is not None]),
        "changed": bool(changes) or any(part.unknown or part.touched or part.rebooted for part in parts),
        "changes": [
            {"subject": change.subject.label, "attribute": name, "before": before, "after": after}
            for change in changes
            for name, (before, after) in change.attributes.items()
        ],
        "commands": [line for part in parts for line in part.commands],
        "power_cycled": [label for part in parts for label in part.power_cycled],
    }
    if any(part.rebooted for part in parts):
        shown["rebooted"] = True
    if any(part.restart_needed for part in parts):
        shown["reboot_required"] = True
    warnings = [text for part in parts for text in part.warnings]
    if warnings:
        shown["warnings"] = warnings
    if diff:
        shown["diff"] = _diff(shown["changes"])
    return shown | _failed(failures) if failures else shown


def failed(error: HypervError) -> dict[str, t.Any]:
    """The result of a task that an error ended before anything was written."""
    errors = error.errors if isinstance(error, SeveralErrors) else (error,)
    failures = [failure(each) for each in errors if each.subject]
    shown = {"failed": True, "changed": False, **error.as_dict(), "msg": _message([(each.msg, each.fix) for each in errors])}
    return {**shown, "failures": failures} if failures else shown


def _merged(states: Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The states of all chunks as one: lists are joined, and what several say stands once."""
    merged: dict[str, t.Any] = {}
    for state in states:
        for name, value in state.items():
            before = merged.get(name)
            merged[name] = before + [one for one in value if one not in before] if isinstance(before, list) else value
    return merged


def _diff(changes: Sequence[Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    by_subject: dict[str, list[Mapping[str, t.Any]]] = {}
    for change in changes:
        by_subject.setdefault(change["subject"], []).append(change)
    return [
        {
            "before_header": subject,
            "after_header": subject,
            "before": {change["attribute"]: change["before"] for change in of_subject},
            "after": {change["attribute"]: change["after"] for change in of_subject},
        }
        for subject, of_subject in by_subject.items()
    ]


def _failed(failures: Sequence[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    first = failures[0]
    return {
        "failed": True,
        "failures": list(failures),
        "error_code": first["error_code"],
        "msg": _message([(failure["msg"], failure["fix"]) for failure in failures]),
        "fix": first["fix"],
    }


def _message(pairs: Sequence[tuple[str, str]]) -> str:
    """What is wrong and the way out, in whole sentences; a way out that is the same for several is said once."""
    by_fix: dict[str, list[str]] = {}
    for msg, fix in pairs:
        by_fix.setdefault(fix, []).append(msg)
    return " ".join(f"{'; '.join(msg.rstrip('.') for msg in msgs)}. {_sentence(fix)}" for fix, msgs in by_fix.items())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(("?", ".")) else ".")
