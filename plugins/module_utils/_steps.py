# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what the runner is asked (Step) and what it answered (Answer), as plain values.

plugin_utils/_request.py turns them into bytes, and _reply.py what came back into answers; nothing here knows how.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

Plain: t.TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, kw_only=True, slots=True)
class From:
    """The live objects that an earlier step of the same process saved."""

    save: str
    where: Mapping[str, Plain | From | Sequence[Plain]] = field(default_factory=dict)
    """Property to the value or values that its text must equal: ordinal, without case, without wildcards."""
    count: int | None = 1
    """Exactly so many must match; None: any number but none."""
    property: str | None = None
    """Pass this property of the objects instead of the objects."""
    shown: Mapping[str, Plain] = field(default_factory=dict)
    """The parameters with which a person would name the object; for commands only, never sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A user and a password; the password travels beside the payload and is never shown."""

    user: str
    password: str = field(repr=False)


Value: t.TypeAlias = "Plain | From | Credential | Sequence[Plain]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Until:
    """Repeat a step until it has no fault and every object, at least one, matches."""

    seconds: float
    every: float = 2.0
    where: Mapping[str, Plain | From | Sequence[Plain]] = field(default_factory=dict)
    stop: Sequence[str] = ()
    """Fault ids or reasons that asking again cannot mend."""


@dataclass(frozen=True, slots=True)
class Step:
    """One cmdlet call, as data."""

    cmdlet: str
    """Module\\Verb-Noun."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    save: str | None = field(default=None, kw_only=True)
    """Keep the live objects under this name, and the answer too."""
    where: Mapping[str, Plain | From | Sequence[Plain]] = field(default_factory=dict, kw_only=True)
    """Keep only the objects whose properties have these texts."""
    select: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Properties to return; None: no rows."""
    group: str | None = field(default=None, kw_only=True)
    """After a failed step the rest of its group is skipped, and what it had done is undone."""
    undo: Step | None = field(default=None, kw_only=True)
    """Takes this step back."""
    until: Until | None = field(default=None, kw_only=True)
    absent: frozenset[str] = field(default=frozenset(), kw_only=True)
    """For queries: fault kinds that mean "not there"; any other fault of a query is an error."""
    absent_categories: frozenset[str] = field(default=frozenset(), kw_only=True)
    """The same by category, where the kinds are too many to be named."""
    poll: bool = field(default=False, kw_only=True)
    """A part of the plan that only looks or waits: it is not a command that a person would type."""
    hint: str = field(default="", kw_only=True)
    """The way out when the host refuses this step without a reason of which the error knows a better one."""
    lacking: tuple[str, str] | None = field(default=None, kw_only=True)
    """Error code and message when the object of this step is not as it must be, or does not become so in time, where that says more
    than that it was changed; its way out is the hint."""
    optional: str | None = field(default=None, kw_only=True)
    """Not None: the step removes what Windows may have removed by itself. It stands in a group of this name, so that its faults
    break nothing, and it is a command only where it ran."""

    @property
    def verb_noun(self) -> str:
        """The cmdlet's name without its module."""
        return self.cmdlet.rpartition("\\")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One PowerShell error; recognised by kind and category, never by its text (Windows is localised)."""

    id: str
    category: str
    reason: str
    message: str
    hresult: int = 0

    @property
    def kind(self) -> str:
        """What stands before the comma of PowerShell's FullyQualifiedErrorId; behind it stands the cmdlet."""
        return self.id.partition(",")[0]


BY_ID = "#id"
"""Ends the name of what is read by id besides being read by name: Answers has both under the one name."""


class Row(Mapping[str, t.Any]):
    """The properties that were read of one live object, and the way back to that object."""

    __slots__ = ("_values", "save")

    def __init__(self, save: str, values: Mapping[str, t.Any]) -> None:
        self.save = save
        self._values = values

    def __getitem__(self, name: str) -> t.Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def by_id(self) -> bool:
        """Whether its VM was found by id alone, so that others may have its name."""
        return self.save.endswith(BY_ID)

    def ref(self, *names: str, shown: Mapping[str, Plain] | None = None, **where: Plain | From) -> From:
        """The one object as it was read: the named properties must still have the values that were read."""
        return From(save=self.save, where={**{name: as_text(self[name]) for name in names}, **where}, shown=shown or {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of one step."""

    rows: tuple[Row, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: bool = False
    seconds: float = 0.0
    """How long it took on the host."""
    undo: Answer | None = None
    """What came of the step's undo; None: it was not undone."""


class Answers:
    """The answers to a list of queries, by the names under which their objects were saved."""

    def __init__(self, steps: Sequence[Step], answers: Sequence[Answer]) -> None:
        self._answers: dict[str, list[Answer]] = {}
        for step, answer in zip(steps, answers, strict=True):
            self._answers.setdefault((step.save or step.cmdlet).removesuffix(BY_ID), []).append(answer)

    def rows(self, name: str) -> list[Row]:
        """All rows saved under the name; a query that was asked twice (`vms`, `vms#id`) counts as one."""
        return [row for answer in self._answers.get(name, ()) for row in answer.rows]

    def one(self, name: str) -> Row | None:
        """The only row, or None when the query found nothing."""
        return next(iter(self.rows(name)), None)

    def missing(self, name: str) -> bool:
        """Whether the host answered the query with a fault that means "not there"."""
        return bool(self.faults(name))

    def faults(self, name: str) -> set[str]:
        """The kinds of the faults with which the host answered the query."""
        return {fault.kind for answer in self._answers.get(name, ()) for fault in answer.faults}

    def words(self, name: str) -> str:
        """What the host said when it answered the query with a fault, in its own language; empty: there was none."""
        said = (fault for answer in self._answers.get(name, ()) for fault in answer.faults)
        return next((f"{fault.message.strip()} [{fault.kind}]" for fault in said), "")


Run = t.Callable[[Sequence[Step]], Sequence[Answer]]
"""One remote process: executes the steps in order."""


def as_text(value: t.Any) -> str:
    """A value as PowerShell's [string] writes it, which is what `where` compares."""
    return "" if value is None else str(value)


def renamed(value: t.Any, change: t.Callable[[From], From]) -> t.Any:
    """The same value with `change` applied to each From in it, the inner ones first."""
    if not isinstance(value, From):
        return value
    return change(replace(value, where={name: renamed(wanted, change) for name, wanted in value.where.items()}))
