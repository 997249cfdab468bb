# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: a VM with all its parts, and the changes that bring each part to what a task wants."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from ._disk_options import filled
from ._disks import DisksOfVm, Files, Users, disk_change, disk_refusals, disks_by_vm, drive_queries, place_of, shown_drives, wanted_disks
from ._errors import HypervError, Refused
from ._memory import memory_change, memory_queries, memory_refusals, shown_memory
from ._nesting import as_version
from ._options import ordinal, same_lines
from ._plan import Change, unchanged
from ._steps import Answers, From, Row, Step
from ._vms import STOP_ACTIONS, VM_FIELDS, Vm, as_id, by_vm, component_queries, shown_stop_action, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._options import Options

FIELDS = (*VM_FIELDS, "Heartbeat", "Notes", "AutomaticCheckpointsEnabled", "AutomaticStopAction", "ParentSnapshotId")
PROCESSOR_FIELDS = ("VMId", "Count", "ExposeVirtualizationExtensions")
ADAPTER_FIELDS = ("VMId", "Id", "Name", "SwitchId", "SwitchName", "IPAddresses")
FIRMWARE_FIELDS = ("VMId", "SecureBoot", "SecureBootTemplate")
# Get-VMFirmware of a VM of generation 1 (gh:AutomatedLab/AutomatedLab#18).
_NO_FIRMWARE = frozenset({"InvalidParameter"})
HEARTBEATS = ("OkApplicationsUnknown", "OkApplicationsHealthy", "OkApplicationsCritical")
"""Hyper-V's words for a guest that is alive (facts 10.4): one that is booted and whose applications say nothing is Unknown."""


def machine_queries(names: Sequence[str]) -> tuple[Step, ...]:
    """The VMs of these names with all their parts."""
    return (
        *vm_queries(names, FIELDS),
        *component_queries(names, "Hyper-V\\Get-VMProcessor", "processors", PROCESSOR_FIELDS),
        *memory_queries(names),
        *drive_queries(names),
        *component_queries(names, "Hyper-V\\Get-VMNetworkAdapter", "adapters", ADAPTER_FIELDS),
        *component_queries(names, "Hyper-V\\Get-VMFirmware", "firmware", FIRMWARE_FIELDS, _NO_FIRMWARE),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A VM as it was read, with its parts."""

    vm: Vm
    processor: Row
    memory: Row
    disks: DisksOfVm
    dvds: tuple[Row, ...]
    adapters: tuple[Row, ...]
    firmware: Row | None
    """None: generation 1, which has none; or the VM is to be removed, whatever it has."""

    @property
    def exposed(self) -> bool:
        """Whether Hyper-V may run inside."""
        return bool(self.processor.get("ExposeVirtualizationExtensions"))

    @property
    def heartbeat(self) -> str | None:
        """Hyper-V's own word; None: it is off."""
        return self.vm.row.get("Heartbeat") or None

    @property
    def alive(self) -> bool:
        """Whether the guest gives signs of life."""
        return self.heartbeat in HEARTBEATS

    @property
    def addresses(self) -> list[str]:
        """What the guest reports of all adapters."""
        return [str(address) for row in self.adapters for address in row["IPAddresses"] or ()]

    @property
    def reachable(self) -> bool:
        """Whether one of the addresses is more than link-local."""
        return any(map(_routable, self.addresses))

    @property
    def medium(self) -> str | None:
        """The first ISO in a DVD drive."""
        return next((str(row["Path"]) for row in self.dvds if row["Path"]), None)

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
        vm, firmware = self.vm, self.firmware
        return {
            "name": vm.name,
            "id": vm.id,
            "power_state": vm.state.lower(),
            "generation": vm.generation,
            "version": vm.version,
            "processors": int(self.processor["Count"]),
            "memory": shown_memory(self.memory),
            "disks": shown_drives(self.disks.drives, self.disks.files),
            "dvd": self.medium,
            "switch": (self.adapters[0]["SwitchName"] or None) if self.adapters else None,
            "secure_boot": firmware["SecureBoot"] == "On" if firmware else None,
            "secure_boot_template": firmware["SecureBootTemplate"] if firmware else None,
            "automatic_checkpoints": vm.row.get("AutomaticCheckpointsEnabled"),
            "automatic_stop_action": shown_stop_action(vm.row),
            "notes": vm.row["Notes"] or "",
            "heartbeat": self.heartbeat,
            "addresses": self.addresses,
        }


def machines(options: Options, vms: Sequence[Vm], answers: Answers) -> Iterator[Machine]:
    """The VMs with their parts, from the answers to machine_queries; raises HypervError when a part could not be read."""
    files = Files.from_answers(options, answers)
    users = Users.from_answers(answers, files)
    drives, dvds = disks_by_vm(answers)
    processors, memory = by_vm(answers.rows("processors")), by_vm(answers.rows("memory"))
    adapters, firmware = by_vm(answers.rows("adapters")), by_vm(answers.rows("firmware"))
    for vm in vms:
        own_dvds = tuple(sorted(dvds.get(vm.id, ()), key=place_of))
        dvd_places = tuple(map(place_of, own_dvds))
        own_firmware = next(iter(firmware.get(vm.id, ())), None)
        if own_firmware is None and vm.generation != 1 and options.state != "absent":
            raise HypervError(
                f"VM '{vm.label}' is of generation {vm.generation}, and its firmware could not be read",
                code="firmware_unreadable",
                subject=vm.label,
                fix="see what Get-VMFirmware says of it on the host, and run the task again when it works",
            )
        yield Machine(
            vm=vm,
            processor=processors[vm.id][0],
            memory=memory[vm.id][0],
            disks=DisksOfVm(
                label=vm.label,
                id=vm.id,
                generation=vm.generation,
                wanted=() if options.state == "absent" else wanted_disks(options, vm.name, vm.generation, dvd_places),
                files=files,
                users=users,
                drives=tuple(drives.get(vm.id, ())),
                dvds=dvd_places,
                checkpoints=bool(vm.row.get("ParentSnapshotId")),
            ),
            dvds=own_dvds,
            adapters=tuple(adapters.get(vm.id, ())),
            firmware=own_firmware,
        )


def _routable(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_link_local or address.is_loopback or address.is_unspecified)


# --- switches ---


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedSwitch:
    """The switch that a task names. Its id is None where it wants none: disconnected."""

    rows: tuple[Row, ...]
    id: str | None
    name: str

    def switch(self, switch_id: str) -> From | None:
        """A switch of the host by its id."""
        row = next((row for row in self.rows if str(row["Id"]) == switch_id), None)
        return row.ref("Id", shown={"SwitchName": row["Name"]}) if row else None


def switch_queries(options: Options) -> tuple[Step, ...]:
    """All switches, because there may be several of a name."""
    return (Step("Hyper-V\\Get-VMSwitch", save="switches", select=("Id", "Name")),) if options.switch else ()


def wanted_switch(options: Options, answers: Answers) -> WantedSwitch | None:
    """The wanted switch; None: not managed. Raises HypervError when the name means none or several."""
    if options.switch is None:
        return None
    rows = tuple(answers.rows("switches"))
    if not options.switch:
        return WantedSwitch(rows=rows, id=None, name="")
    wanted_id = as_id(options.switch)
    found = [row for row in rows if str(row["Id"]) == wanted_id or ordinal(row["Name"]) == ordinal(options.switch)]
    if not found:
        fix = "check the name with Get-VMSwitch, or make it with hyperv_switch or hyperv_nat_switch"
        raise Refused(f"switch '{options.switch}' does not exist on this host", code="switch_not_found", fix=fix)
    if len(found) > 1:
        ids = ", ".join(str(row["Id"]) for row in found)
        fix = "give the id of the switch that is meant instead of its name"
        raise Refused(f"{len(found)} switches are called '{options.switch}': {ids}", code="switch_ambiguous", fix=fix)
    return WantedSwitch(rows=rows, id=str(found[0]["Id"]), name=str(found[0]["Name"]))


def connect_step(adapter: From, network: WantedSwitch, switch_id: str | None) -> Step:
    """Plug an adapter into a switch, or unplug it."""
    switch = network.switch(switch_id) if switch_id else None
    if switch is None:
        return Step("Hyper-V\\Disconnect-VMNetworkAdapter", {"VMNetworkAdapter": adapter})
    return Step("Hyper-V\\Connect-VMNetworkAdapter", {"VMNetworkAdapter": adapter, "VMSwitch": switch})


# --- changes ---


def machine_changes(options: Options, each: Machine, network: WantedSwitch | None) -> Iterator[Change]:
    """What differs, part by part."""
    vm = each.vm
    if options.processors:
        yield _processors(each, options.processors)
    if options.memory:
        change = memory_change(vm, each.memory, options.memory, exposed=each.exposed)
        yield replace(change, attributes={f"memory.{name}": pair for name, pair in change.attributes.items()})
    if each.firmware:
        yield _firmware(options, each, each.firmware)
    yield disk_change(each.disks, vm)
    if options.dvd is not None:
        yield _medium(each, filled(options.dvd, vm.name))
    if network and each.adapters:
        yield _network(each, network)
    if options.automatic_stop_action:
        yield _stop_action(each, options.automatic_stop_action)
    yield _settings(options, each)


def machine_refusals(options: Options, each: Machine, network: WantedSwitch | None) -> Iterator[HypervError]:
    """Why this VM cannot become what is wanted."""
    vm = each.vm

    def refused(msg: str, code: str, fix: str) -> Refused:
        return Refused(f"VM '{vm.label}' {msg}", code=code, subject=vm.label, fix=fix)

    if options.generation not in (None, vm.generation):
        fix = "ask for the generation that it has, or remove the VM and make it anew on its disks"
        yield refused(f"is of generation {vm.generation}, which nothing can change to {options.generation}", "generation_differs", fix)
    if options.version and as_version(options.version) != as_version(vm.version):
        fix = "leave version out for a VM that exists; upgrade it with hyperv_nested (upgrade_version=true); there is no way back"
        yield refused(f"has configuration version {vm.version}, not {options.version}", "version_differs", fix)
    if options.memory:
        yield from memory_refusals(vm, each.memory, options.memory)
    if vm.generation == 1 and (options.secure_boot or options.secure_boot_template):
        yield refused("is of generation 1, which has no Secure Boot", "no_secure_boot", "leave secure_boot and its template out")
    if network and network.id and not each.adapters:
        yield refused("has no network adapter", "no_network_adapter", "give it one with Add-VMNetworkAdapter, or leave switch out")
    if options.automatic_checkpoints and vm.row.get("AutomaticCheckpointsEnabled") is None:
        fix = "leave automatic_checkpoints out, or set it to false"
        yield refused("is on a Windows that knows no automatic checkpoints", "automatic_checkpoints_unavailable", fix)
    yield from disk_refusals(each.disks)


def _processors(each: Machine, count: int) -> Change:
    vm, row = each.vm, each.processor
    undo = Step("Hyper-V\\Set-VMProcessor", {"VM": vm.again, "Count": row["Count"]})
    step = Step("Hyper-V\\Set-VMProcessor", {"VM": vm.ref, "Count": count}, undo=undo)
    return Change(
        subject=vm, attributes={"processors": (int(row["Count"]), count)}, steps=(unchanged(row.ref("VMId", "Count")), step), needs_off=True
    )


def _firmware(options: Options, each: Machine, row: Row) -> Change:
    vm = each.vm
    boot = (row["SecureBoot"] == "On", row["SecureBoot"] == "On" if options.secure_boot is None else options.secure_boot)
    template = (row["SecureBootTemplate"], options.secure_boot_template or row["SecureBootTemplate"])
    before, after = (firmware_parameters(boot[side], template[side]) for side in (0, 1))
    differing = [name for name in after if before[name] != after[name]]
    step = Step(
        "Hyper-V\\Set-VMFirmware",
        {"VM": vm.ref, **{name: after[name] for name in differing}},
        undo=Step("Hyper-V\\Set-VMFirmware", {"VM": vm.again, **{name: before[name] for name in differing}}),
    )
    guard = unchanged(row.ref("VMId", "SecureBoot", "SecureBootTemplate"))
    return Change(subject=vm, attributes={"secure_boot": boot, "secure_boot_template": template}, steps=(guard, step), needs_off=True)


def firmware_parameters(secure_boot: bool | None, template: str | None) -> dict[str, t.Any]:
    """Set-VMFirmware's parameters for what is given."""
    parameters = {"EnableSecureBoot": None if secure_boot is None else "On" if secure_boot else "Off", "SecureBootTemplate": template}
    return {name: value for name, value in parameters.items() if value is not None}


def _medium(each: Machine, wanted: str) -> Change:
    """The ISO in the DVD drive: any drive that holds it will do, and none is what the empty text means."""
    vm, held = each.vm, [row for row in each.dvds if row["Path"]]
    if any(ordinal(row["Path"]) == ordinal(wanted) for row in held):
        return Change(subject=vm, attributes={}, steps=())
    if not wanted:
        steps = [_put(vm, row, None) for row in held]
        return Change(subject=vm, attributes={"dvd": (each.medium, None)}, steps=(unchanged(vm.ref), *steps), needs_off=vm.state == "Saved")
    if each.dvds:
        row = each.dvds[0]
        attributes = {"dvd": (row["Path"] or None, wanted)}
        return Change(subject=vm, attributes=attributes, steps=(unchanged(vm.ref), _put(vm, row, wanted)), needs_off=vm.state == "Saved")
    return Change(
        subject=vm,
        attributes={"dvd": (None, wanted)},
        steps=(Step("Hyper-V\\Add-VMDvdDrive", {"VM": vm.ref, "Path": wanted}),),
        needs_off=True,
    )


def _put(vm: Vm, row: Row, path: str | None) -> Step:
    place = place_of(row)
    shown = {**vm.shown, "ControllerNumber": place.number, "ControllerLocation": place.location}
    place_names = ("ControllerType", "ControllerNumber", "ControllerLocation")
    drive = row.ref("VMId", *place_names, "Path", shown=shown)
    undo = Step("Hyper-V\\Set-VMDvdDrive", {"VMDvdDrive": row.ref("VMId", *place_names, shown=shown), "Path": row["Path"] or None})
    return Step("Hyper-V\\Set-VMDvdDrive", {"VMDvdDrive": drive, "Path": path}, undo=undo)


def _network(each: Machine, network: WantedSwitch) -> Change:
    vm, row = each.vm, each.adapters[0]
    now = str(row["SwitchId"]) if row["SwitchId"] else None
    # Names, as a person knows them; two switches of a name are told apart by id.
    before, after = row["SwitchName"] or None, network.name or None
    if now != network.id and before == after:
        before, after = now, network.id
    named = {**vm.shown, **({"Name": row["Name"]} if len(each.adapters) > 1 else {})}
    step = connect_step(row.ref("VMId", "Id", "SwitchId", shown=named), network, network.id)
    undo = connect_step(row.ref("VMId", "Id", shown=named), network, now)
    return Change(
        subject=vm,
        attributes={"switch": (before, after)} if now != network.id else {},
        steps=(replace(step, undo=undo if now is None or network.switch(now) else None),),
    )


def _stop_action(each: Machine, wanted: str) -> Change:
    vm, row = each.vm, each.vm.row
    undo = Step("Hyper-V\\Set-VM", {"VM": vm.again, "AutomaticStopAction": row["AutomaticStopAction"]})
    guard = row.ref("Id", "State", "AutomaticStopAction", shown=vm.shown)
    return Change(
        subject=vm,
        attributes={"automatic_stop_action": (shown_stop_action(row), wanted)},
        steps=(Step("Hyper-V\\Set-VM", {"VM": guard, "AutomaticStopAction": STOP_ACTIONS[wanted]}, undo=undo),),
        needs_off=True,  # gh:dsccommunity/HyperVDsc#216
    )


def _settings(options: Options, each: Machine) -> Change:
    """What Set-VM sets in any power state."""
    vm, row = each.vm, each.vm.row
    pairs = {
        "notes": ("Notes", row["Notes"] or "", options.notes),
        "automatic_checkpoints": (
            "AutomaticCheckpointsEnabled",
            # a Windows without the setting makes none
            bool(row.get("AutomaticCheckpointsEnabled")),
            options.automatic_checkpoints,
        ),
    }
    differing = {name: pair for name, pair in pairs.items() if pair[2] is not None and pair[1] != pair[2]}
    if options.notes is not None and same_lines(options.notes, row["Notes"] or ""):
        differing.pop("notes", None)
    undo = Step("Hyper-V\\Set-VM", {"VM": vm.again, **{parameter: before for parameter, before, _after in differing.values()}})
    guard = row.ref("Id", *(parameter for parameter, _before, _after in differing.values()), shown=vm.shown)
    step = Step("Hyper-V\\Set-VM", {"VM": guard, **{parameter: after for parameter, _before, after in differing.values()}}, undo=undo)
    return Change(subject=vm, attributes={name: (before, after) for name, (_p, before, after) in differing.items()}, steps=(step,))
