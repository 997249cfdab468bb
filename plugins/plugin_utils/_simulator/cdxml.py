# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what all cmdlets made from CDXML have in common (NetAdapter, NetTCPIP, NetNat): their queries and their errors.

The rules of a query are those of PowerShell's own source, Cmdletization/Cim/clientSideQuery.cs: with one filter each value that
nothing matches is an error that names the property; with several, nothing at all is one error that names none.
"""

from __future__ import annotations

import typing as t

from .calls import CmdletError, Record
from .lookup import as_list
from .wildcards import has_wildcards, matcher

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .calls import Call
    from .network_objects import CimInstance

T = t.TypeVar("T", bound="CimInstance")

_SYSTEM_ERRORS = {
    5: ("PermissionDenied", "Access is denied."),
    32: ("NotSpecified", "The process cannot access the file because it is being used by another process."),
    52: (
        "NotSpecified",
        (
            "You were not connected because a duplicate name exists on the network. If joining a domain, go to System in Control "
            "Panel to change the computer name and try again. If joining a workgroup, choose another workgroup name."
        ),
    ),
    87: ("InvalidArgument", "The parameter is incorrect."),
    1168: ("ObjectNotFound", "Element not found."),
    5010: ("NotSpecified", "The object already exists."),
}


def fail(call: Call, code: int, message: str = "") -> t.NoReturn:
    """A terminating error with the id `Windows System Error N` (facts 5.4, 5.6)."""
    category, usual = _SYSTEM_ERRORS[code]
    raise CmdletError(call.record(f"Windows System Error {code}", category, message or usual, "CimException"))


def writers_only(call: Call) -> None:
    """Changing the host's network takes an administrator."""
    if call.host.rights != "administrator":
        fail(call, 5)


def query(call: Call, objects: Iterable[T], filters: Mapping[str, str]) -> list[T]:
    """The objects that the call's filters select; `filters` maps its parameters to CIM properties."""
    given = [(filters[name], as_list(value)) for name, value in call.values.items() if name in filters]
    found = list(objects)
    class_name = call.cmdlet.partition("-")[2]
    if len(given) == 1:
        [(name, values)] = given
        matches = [[item for item in found if _fits(item, name, value)] for value in values]
        for value, hits in zip(values, matches, strict=True):
            if not hits and not _is_pattern(value):
                call.errors.append(_not_found(call, f"MSFT_{class_name}", name, value))
        chosen = {id(item) for hits in matches for item in hits}
        return [item for item in found if id(item) in chosen]
    for name, values in given:
        found = [item for item in found if any(_fits(item, name, value) for value in values)]
    if not found and any(not _is_pattern(value) for _name, values in given for value in values):
        call.errors.append(_not_found(call, f"MSFT_{class_name}"))
    return found


def picked(call: Call, objects: Iterable[T], filters: Mapping[str, str], kind: type[T]) -> list[T]:
    """What a changing cmdlet works on: its -InputObject, or else what its filters select."""
    if "InputObject" not in call.values:
        return query(call, objects, filters)
    chosen = []
    for item in as_list(call.values["InputObject"]):
        if not isinstance(item, kind) or item.gone():
            # what the provider says about an instance that is no longer there is not known; 1168 is its family's (facts 5.6)
            fail(call, 1168)
        chosen.append(item)
    return chosen


def _is_pattern(value: t.Any) -> bool:
    return isinstance(value, str) and has_wildcards(value)


def _fits(item: CimInstance, name: str, value: t.Any) -> bool:
    actual = item.get(name)
    if isinstance(value, str):
        return matcher(value)(str(actual))
    return bool(actual == value)


def _not_found(call: Call, class_name: str, name: str | None = None, value: t.Any = None) -> Record:
    if name is None:
        text = f"No matching {class_name} objects found by CIM query. Verify query parameters and retry."
        return call.record("CmdletizationQuery_NotFound", "ObjectNotFound", text, "CimJobException")
    text = f"No {class_name} objects found with property '{name}' equal to '{value}'.  Verify the value of the property and retry."
    return call.record(f"CmdletizationQuery_NotFound_{name}", "ObjectNotFound", text, "CimJobException")
