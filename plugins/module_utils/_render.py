# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: a step as the PowerShell line that a person would type. It is only ever shown, never run."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence

from ._steps import Credential, From, Step

# PowerShell ends a single-quoted string at any of these, so each is doubled.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_NOT_TYPED = frozenset({"AsJob", "Force", "Confirm", "Passthru", "PassThru"})
"""Parameters that only a program needs: a person at a prompt is asked, and answers."""


def command(step: Step) -> str:
    """The line, with objects named by the parameters that a person would use."""
    words = [step.verb_noun]
    for name, value in step.parameters.items():
        if name not in _NOT_TYPED:
            words += _parameter(name, value)
    return " ".join(words)


def arguments(parameters: Mapping[str, t.Any]) -> str:
    """The parameters as they stand behind a cmdlet."""
    return " ".join(word for name, value in parameters.items() for word in _parameter(name, value))


def _parameter(name: str, value: t.Any) -> list[str]:
    if isinstance(value, From):
        return [word for shown, plain in value.shown.items() for word in _parameter(shown, plain)]
    if isinstance(value, Verbatim):
        return [f"-{name} {value}"]
    if name in _SWITCHES and value is True:
        return [f"-{name}"]
    return [f"-{name} {literal(value, quoted=name.endswith(_NAMING))}"]


_NAMING = ("Name", "Names", "Path", "Notes", "Prefix", "Address", "Alias", "Description", "Version")
"""Ends of parameters whose values are names or texts, and so are quoted; other words are the cmdlet's own: On, Internal."""
_SWITCHES = frozenset(
    (
        *("TurnOff", "Save", "NoVHD", "Dynamic", "Fixed", "Differencing", "ManagementOS", "IncludeHidden"),
        *("IncludeManagementTools", "Online", "All", "NoRestart", "ResetServerAddresses"),
    )
)


class Verbatim(str):
    """A `shown` value that is PowerShell already."""

    __slots__ = ()


def literal(value: t.Any, *, quoted: bool = True) -> str:
    """A value as PowerShell source; `quoted` also where a bare word would do."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, Credential):
        return f"(Get-Credential {literal(value.user)})"
    if isinstance(value, (int, float)):
        return size_literal(value) if isinstance(value, int) else str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(literal(item, quoted=quoted) for item in value)
    plain = str(value)
    if not quoted and re.fullmatch(r"[A-Z][A-Za-z]+", plain):
        return plain
    return "'" + _QUOTES.sub(lambda found: found[0] * 2, plain) + "'"


def size_literal(value: int) -> str:
    """A number; large ones as PowerShell writes sizes: 4GB."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2)):
        if value >= factor and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def is_pattern(name: str) -> bool:
    """Whether a cmdlet would read the name as a wildcard."""
    return re.search(r"[*?\[\]`]", name) is not None


def vm_shown(name: str, vm_id: str, *, unique: bool = True) -> Mapping[str, t.Any]:
    """How a person names a VM: by name, or by id where a name would mean other VMs too or be read as a wildcard."""
    if not unique or is_pattern(name):
        return {"VM": Verbatim(f"(Get-VM -Id {vm_id})")}
    return {"VMName": name}
