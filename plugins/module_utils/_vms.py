# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: finding the VMs that a task names, and nothing but them.

A name is matched whole, ordinally and without case, on the host and again here; what looks like an id is also looked up
as one. From then on a VM is its id. Wildcards do not exist.
"""

from __future__ import annotations

import re
import typing as t
import uuid
from collections import Counter
from dataclasses import dataclass

from ._errors import HypervError, Refused, raise_all
from ._options import ordinal
from ._render import is_pattern, vm_shown
from ._steps import BY_ID, Answers, From, Plain, Row, Step

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHUNK = 100
"""So many VMs at the most in one payload."""
FEW = 20
"""Up to so many plain names Get-VM gets -Name, so that it does not list the whole host."""

VM_FIELDS = ("Id", "Name", "State", "Version", "Generation", "IsClustered")
# facts 2.5: the Hyper-V module's "not found" of Get-VM is InvalidParameter.
NO_VM = frozenset({"InvalidParameter"})
NO_OBJECT = frozenset({"Hyperlab.NoObject"})
HOST = Step("Hyper-V\\Get-VMHost", save="host", select=("Name",))
"""The first query of every VM resource: a user without rights may see no VM instead of an error."""

STOP_ACTIONS = {"save": "Save", "shutdown": "ShutDown", "turn_off": "TurnOff"}
"""What happens to a VM when its host shuts down: as the option has it, and in Hyper-V's words (facts 9.1)."""
SHUTDOWN_SERVICE = "9F8233AC-BE49-4C79-8EE3-E7E1985B2077"
"""The end of the shutdown service's Id; its name is localised. Read in several public projects; no Microsoft page found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vm:
    """A VM as it was read. `label` names it in results."""

    row: Row
    id: str
    name: str
    label: str
    state: str
    version: str
    generation: int
    clustered: bool
    shutdown: bool
    """Whether a graceful shutdown can work; meaningful when the task asked for it (power_queries)."""

    @property
    def shown(self) -> Mapping[str, Plain]:
        """How commands name it: by id when it was found by its id alone, for others may have its name."""
        return vm_shown(self.name, self.id, unique=not self.row.by_id)

    @property
    def ref(self) -> From:
        """The VM in the power state in which it was read."""
        return self.row.ref("Id", "State", shown=self.shown)

    @property
    def again(self) -> From:
        """The VM in whatever state it is by then: for a later step on what an earlier one has changed."""
        return self.row.ref("Id", shown=self.shown)

    def is_called(self, name: str) -> bool:
        """Whether a text of the `vms` option means this VM."""
        return as_id(name) == self.id or ordinal(name) == ordinal(self.name)


def shown_stop_action(row: Row) -> str | None:
    """What happens to the VM when its host shuts down, as a result shows it."""
    return next((name for name, word in STOP_ACTIONS.items() if word == row.get("AutomaticStopAction")), None)


def vm_queries(names: Sequence[str], fields: tuple[str, ...] = VM_FIELDS, *, absent: frozenset[str] = frozenset()) -> tuple[Step, ...]:
    """Get-VM by name, and by id when a name could be one."""
    if not names:
        return ()
    parameters: dict[str, t.Any] = {"Name": list(names)} if len(names) <= FEW and not any(map(is_pattern, names)) else {}
    steps = [Step("Hyper-V\\Get-VM", parameters, save="vms", where={"Name": tuple(names)}, select=fields, absent=NO_VM | absent)]
    ids = tuple(filter(None, map(as_id, names)))
    if ids:
        steps.append(Step("Hyper-V\\Get-VM", save=f"vms{BY_ID}", where={"Id": ids}, select=fields, absent=absent))
    return tuple(steps)


def component_queries(
    names: Sequence[str], cmdlet: str, save: str, select: tuple[str, ...], absent: frozenset[str] = frozenset(), **parameters: t.Any
) -> tuple[Step, ...]:
    """A Get- cmdlet with -VM for each lookup of vm_queries; VMs that do not exist have no components."""
    return tuple(
        Step(
            cmdlet,
            {"VM": From(save=f"vms{kind}", count=None), **parameters},
            save=f"{save}{kind}",
            select=select,
            absent=NO_OBJECT | absent,
        )
        for kind in _kinds(names)
    )


def power_queries(options: t.Any) -> tuple[Step, ...]:
    """What with_power_cycle has to know besides: whether guests can be asked to shut down."""
    if options.when_running != "shutdown":
        return ()
    fields = ("Id", "VMId", "Enabled", "PrimaryOperationalStatus")
    return component_queries(options.vms, "Hyper-V\\Get-VMIntegrationService", "services", fields)


def find_vms(names: Sequence[str], answers: Answers) -> list[Vm]:
    """The named VMs, each once, in the order of their names; none or two of a name are errors, all of them at once."""
    vms, errors = look_up(names, answers)
    raise_all(errors)
    return vms


def look_up(names: Sequence[str], answers: Answers) -> tuple[list[Vm], list[HypervError]]:
    """The named VMs that exist once, and an error (vm_not_found, vm_ambiguous; its subject is the name) for each other name."""
    rows = _by_id(answers)
    by_name: dict[str, list[Row]] = {}
    for row in rows.values():
        by_name.setdefault(ordinal(row["Name"]), []).append(row)
    found: dict[str, Row] = {}
    errors: list[HypervError] = []
    for name in names:
        matches = {str(row["Id"]): row for row in by_name.get(ordinal(name), ())}
        vm_id = as_id(name)
        if vm_id and vm_id in rows:
            matches[vm_id] = rows[vm_id]
        if len(matches) == 1:
            found |= matches
        else:
            errors.append(_not_one(name, list(matches)))
    return _vms(found, answers), errors


def every_vm(answers: Answers) -> list[Vm]:
    """All VMs that were read, for a query that names none."""
    return _vms(_by_id(answers), answers)


def _by_id(answers: Answers) -> dict[str, Row]:
    """VMs by id; one that was read by name and by id counts as read by name."""
    found: dict[str, Row] = {}
    for row in answers.rows("vms"):
        found.setdefault(str(row["Id"]), row)
    return found


def as_id(name: str) -> str | None:
    """The id that a name could be, or None."""
    if not re.fullmatch(r"\{?[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?", name.strip()):
        return None
    return str(uuid.UUID(name.strip()))


def by_vm(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Component rows by the id of their VM; a VM that was looked up by name and by id has its components once."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        of_vm = grouped.setdefault(str(row["VMId"]), [])
        if not of_vm or of_vm[0].save == row.save:
            of_vm.append(row)
    return grouped


def _kinds(names: Sequence[str]) -> tuple[str, ...]:
    return () if not names else ("", BY_ID) if any(map(as_id, names)) else ("",)


def _vms(found: Mapping[str, Row], answers: Answers) -> list[Vm]:
    names = Counter(ordinal(row["Name"]) for row in found.values())
    services = by_vm(answers.rows("services"))
    return [
        Vm(
            row=row,
            id=vm_id,
            name=row["Name"],
            label=row["Name"] if names[ordinal(row["Name"])] == 1 and not row.by_id else f"{row['Name']} ({vm_id})",
            state=row["State"],
            version=str(row.get("Version") or ""),
            generation=int(row.get("Generation") or 0),
            clustered=bool(row.get("IsClustered")),
            shutdown=_can_shut_down(row["State"], services.get(vm_id, ())),
        )
        for vm_id, row in found.items()
    ]


def _can_shut_down(state: str, services: Sequence[Row]) -> bool:
    service = next((row for row in services if str(row["Id"]).upper().endswith(SHUTDOWN_SERVICE)), None)
    if service is None or not service["Enabled"]:
        return False
    # A paused guest answers nothing; whether it can shut down shows only when it runs again.
    return state != "Running" or service.get("PrimaryOperationalStatus") == "Ok"


def _not_one(name: str, ids: Sequence[str]) -> HypervError:
    if not ids:
        return Refused(
            f"VM '{name}' does not exist on this host",
            code="vm_not_found",
            subject=name,
            fix="check the name with Get-VM; names are compared whole, wildcards do not exist",
        )
    return Refused(
        f"{len(ids)} VMs are called '{name}': {', '.join(ids)}",
        code="vm_ambiguous",
        subject=name,
        fix="give the id of the VM that is meant instead of its name",
    )
