# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_mac_spoof: whether the network adapters of VMs may send from MAC addresses that are not their own."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from .._errors import HypervError, Refused
from .._options import VMS, Option, Options, Spec, choice, ordinal, strings
from .._plan import Change, Plan
from .._render import Verbatim, arguments, is_pattern, literal
from .._steps import Answers, Plain, Row, Step
from .._vms import HOST, Vm, by_vm, component_queries, find_vms, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPEC = Spec(
    VMS,
    state=choice("enabled", "disabled", default="enabled"),
    adapters=Option(type="raw", aliases=("adapter",), convert=strings),
)

ADAPTER_FIELDS = ("Id", "VMId", "Name", "MacAddress", "MacAddressSpoofing", "SwitchName")


def queries(options: Options) -> tuple[Step, ...]:
    """The VMs and their adapters; asked by VM, so that an adapter of the management operating system is never among them."""
    return (
        HOST,
        *vm_queries(options.vms),
        *component_queries(options.vms, "Hyper-V\\Get-VMNetworkAdapter", "adapters", ADAPTER_FIELDS),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """A network adapter of a VM. `label` is its name, with a part of its id where another one of the VM has the same name."""

    row: Row
    label: str
    shown: Mapping[str, Plain]
    """How commands name it."""

    @property
    def name(self) -> str:
        """Its name, which need not be the only one of its kind."""
        return str(self.row["Name"])

    @property
    def spoofing(self) -> bool:
        """Whether it may spoof MAC addresses."""
        return bool(self.row["MacAddressSpoofing"] == "On")

    def result(self) -> dict[str, t.Any]:
        """The adapter as the task's result shows it."""
        return {
            "name": self.name,
            "id": self.row["Id"],
            "mac_address": self.row["MacAddress"],
            "mac_address_spoofing": self.spoofing,
            "switch": self.row["SwitchName"] or None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptersOfVm:
    """A VM with its network adapters."""

    vm: Vm
    adapters: tuple[Adapter, ...]

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
        adapters = [adapter.result() for adapter in self.adapters]
        return {"name": self.vm.name, "id": self.vm.id, "power_state": self.vm.state.lower(), "adapters": adapters}

    def chosen(self, names: Sequence[str] | None) -> list[Adapter]:
        """The adapters of these names; all of a name where several have it, and every adapter without names."""
        wanted = None if names is None else set(map(ordinal, names))
        return [adapter for adapter in self.adapters if wanted is None or ordinal(adapter.name) in wanted]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The named VMs."""

    vms: tuple[AdaptersOfVm, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when a name means no VM or several."""
        rows = by_vm(answers.rows("adapters"))
        return cls(
            vms=tuple(AdaptersOfVm(vm=vm, adapters=tuple(_adapters(vm, rows.get(vm.id, ())))) for vm in find_vms(options.vms, answers))
        )

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {"vms": [each.result() for each in self.vms]}


def _adapters(vm: Vm, rows: Sequence[Row]) -> Iterator[Adapter]:
    names = Counter(ordinal(row["Name"]) for row in rows)
    for row in rows:
        name, only = row["Name"], names[ordinal(row["Name"])] == 1
        label = name if only else f"{name}, {str(row['Id']).rpartition(chr(92))[2]}"
        yield Adapter(row=row, label=label, shown=_shown(vm, row, only))


def _shown(vm: Vm, row: Row, only: bool) -> Mapping[str, Plain]:
    """By the adapter's name where that means this adapter alone (-Name of Set-VMNetworkAdapter is a filter with wildcards)."""
    name = row["Name"]
    if only and not is_pattern(name):
        return {**vm.shown, "Name": name}
    adapters = f"Get-VMNetworkAdapter {arguments(vm.shown)}"
    return {"VMNetworkAdapter": Verbatim(f"({adapters} | Where-Object Id -eq {literal(row['Id'])})")}


def plan(options: Options, state: State) -> Plan:
    """One Set-VMNetworkAdapter for each adapter that differs; none of it needs the VM off (facts 4)."""
    errors = [error for each in state.vms for error in _unknown(options, each)]
    wanted = options.state == "enabled"
    changes = [_change(each.vm, adapter, wanted) for each in state.vms for adapter in each.chosen(options.adapters)]
    return Plan.of(changes, warnings=_warnings(options, state), errors=errors)


def _change(vm: Vm, adapter: Adapter, wanted: bool) -> Change:
    as_planned = adapter.row.ref("Id", "VMId", "Name", "MacAddressSpoofing", shown=adapter.shown)
    again = adapter.row.ref("Id", shown=adapter.shown)
    step = Step(
        "Hyper-V\\Set-VMNetworkAdapter",
        {"VMNetworkAdapter": as_planned, "MacAddressSpoofing": _on_off(wanted)},
        undo=Step("Hyper-V\\Set-VMNetworkAdapter", {"VMNetworkAdapter": again, "MacAddressSpoofing": _on_off(adapter.spoofing)}),
    )
    return Change(subject=vm, attributes={f"mac_address_spoofing [{adapter.label}]": (adapter.spoofing, wanted)}, steps=(step,))


def _on_off(value: bool) -> str:
    # A boolean would be refused; the enum's On is 0 (facts 4).
    return "On" if value else "Off"


def _unknown(options: Options, each: AdaptersOfVm) -> Iterator[HypervError]:
    known = {ordinal(adapter.name) for adapter in each.adapters}
    has = ", ".join(dict.fromkeys(f"'{adapter.name}'" for adapter in each.adapters)) or "no network adapter at all"
    for name in options.adapters or ():
        if ordinal(name) not in known:
            yield Refused(
                f"VM '{each.vm.label}' has no network adapter '{name}'; it has {has}",
                code="adapter_not_found",
                subject=each.vm.label,
                fix="give the adapter's whole name (wildcards do not exist), or leave adapters out for all of them",
            )


def _warnings(options: Options, state: State) -> Iterator[str]:
    if options.state == "disabled" or options.adapters is not None:
        return
    for each in state.vms:
        if not each.adapters:
            yield f"VM '{each.vm.label}' has no network adapter, so there is nothing on which to enable MAC address spoofing"
