# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what a cmdlet of the simulator gets and gives: the call, its errors, and live objects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .model import Host


class NotSimulated(Exception):
    """The simulator cannot do this; it says so instead of pretending."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One PowerShell error record as the runner reports it."""

    id: str
    category: str
    reason: str
    message: str
    hresult: int = -2146233088


class CmdletError(Exception):
    """A terminating error of a cmdlet; the record is complete."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.message)
        self.record = record


class Live:
    """An object that a cmdlet returned.

    `properties` maps each .NET property to a function of the object. Values are plain Python: enums, Guids, versions and
    addresses are their text, a time span is a timedelta, a point in time a datetime, a nested object a Live.
    """

    type_names: t.ClassVar[tuple[str, ...]]
    """Full .NET type names, most specific first; the binder asks for them."""
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]]

    def __init__(self, host: Host) -> None:
        self.host = host
        self._frozen: dict[str, t.Any] | None = None

    def names(self) -> list[str]:
        """The properties that this Windows has."""
        short = self.type_names[0].rpartition(".")[2]
        return [name for name in self.properties if f"{short}.{name}" not in self.host.without_properties]

    def get(self, name: str) -> t.Any:
        """The value of a property, whose name may be in any case; KeyError: this Windows has no such property."""
        known = next((known for known in self.names() if known.lower() == name.lower()), None)
        if known is None:
            raise KeyError(name)
        return self._frozen[known] if self._frozen is not None else self.properties[known](self)

    def freeze(self) -> None:
        """From now on show the values of this moment (Host.objects)."""
        self._frozen = {name: self.properties[name](self) for name in self.names()}


@dataclass(kw_only=True)
class Call:
    """One bound cmdlet call."""

    host: Host
    cmdlet: str
    """Verb-Noun."""
    error_source: str
    """What stands after the comma of an error's id: a binary cmdlet's class, or a function's name."""
    set: str
    """The parameter set that the binder chose."""
    values: dict[str, t.Any]
    """Canonical parameter names to converted values; only what was given."""
    errors: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """A parameter's value, or the default when it was not given."""
        return self.values.get(name, default)

    def record(self, kind: str, category: str, message: str, reason: str = "VirtualizationException") -> Record:
        """An error record of this cmdlet; `kind` is what stands before the comma of the id."""
        return Record(id=f"{kind},{self.error_source}", category=category, reason=reason, message=message)

    def write_error(self, kind: str, category: str, message: str, reason: str = "VirtualizationException") -> None:
        """A non-terminating error: the cmdlet goes on with its next object."""
        self.errors.append(self.record(kind, category, message, reason))

    def fail(self, kind: str, category: str, message: str, reason: str = "VirtualizationException") -> t.NoReturn:
        """A terminating error."""
        raise CmdletError(self.record(kind, category, message, reason))

    def warn(self, text: str) -> None:
        """A line on the warning stream."""
        self.warnings.append(text)


Cmdlet = t.Callable[[Call], "Iterable[t.Any]"]
CMDLETS: dict[str, Cmdlet] = {}
"""Every simulated cmdlet by its full name, Module\\Verb-Noun."""


def cmdlet(name: str) -> Callable[[Cmdlet], Cmdlet]:
    """Register a function as the cmdlet of that full name."""

    def register(function: Cmdlet) -> Cmdlet:
        CMDLETS[name] = function
        return function

    return register
