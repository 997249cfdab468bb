# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: making a VM: every step in one group, so that a failed creation leaves nothing behind."""

from __future__ import annotations

import typing as t
import uuid

from ._disk_options import filled
from ._disks import DisksOfVm, Place, add_step, disk_refusals, new_file_steps
from ._errors import HypervError, Refused
from ._machine import connect_step, firmware_parameters
from ._memory import ONLY_DYNAMIC, SETTINGS, memory_parameters
from ._nesting import as_version
from ._options import ordinal
from ._plan import Change, Thing, power_steps
from ._render import Verbatim, arguments, is_pattern, literal
from ._steps import From, Plain, Step
from ._vms import STOP_ACTIONS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ._machine import WantedSwitch
    from ._options import Options

GENERATION = 2
"""Of a VM that is made without saying."""
_BOOT_PLACE = {1: Place("IDE", 0, 0), 2: Place("SCSI", 0, 0)}
"""Where New-VM -VHDPath puts a disk, which is then first in the boot order."""
DVD_PLACES = {1: (Place("IDE", 1, 0),), 2: ()}
"""The places that New-VM gives to DVD drives."""


def version_queries(options: Options) -> tuple[Step, ...]:
    """The configuration versions that a new VM may have."""
    return (Step("Hyper-V\\Get-VMHostSupportedVersion", save="versions", select=("Version",)),) if options.version else ()


def creation_refusals(options: Options, disks: DisksOfVm, versions: Sequence[str]) -> Iterator[HypervError]:
    """Why this VM cannot be made."""
    name, memory = disks.label, options.memory or {}
    if memory.get("startup") is None:
        yield Refused(
            f"VM '{name}' does not exist, and too little is said to make it",
            code="vm_not_found",
            subject=name,
            fix="check the name with Get-VM; or say what to make: memory.startup at least, and disks, switch and so on",
        )
        return
    useless = [setting for setting in ONLY_DYNAMIC if memory.get(setting) is not None]
    if useless and memory.get("dynamic") is None:
        yield Refused(
            f"VM '{name}' would be made with static memory, and {', '.join(useless)} can be set for dynamic memory only",
            code="memory_is_static",
            subject=name,
            fix="set memory.dynamic=true as well, or leave them out",
        )
    if options.version and versions and as_version(options.version) not in map(as_version, versions):
        yield Refused(
            f"VM '{name}' cannot be made with configuration version {options.version}, which this host does not know",
            code="version_unsupported",
            subject=name,
            fix=f"choose one of {', '.join(versions)}, or leave version out",
        )
    yield from disk_refusals(disks)


def creation(options: Options, disks: DisksOfVm, network: WantedSwitch | None, end: str | None) -> Change:
    """The one change that makes a VM and brings it to its end."""
    # The runner compares saved names and groups by culture, where some names are one that are two VMs.
    subject = Thing(id=f"new {uuid.uuid5(uuid.NAMESPACE_OID, ordinal(disks.label))}", label=disks.label)
    steps = (
        *new_file_steps(disks),
        *_new_vm(options, subject, disks),
        *_parts(options, subject, disks, network),
        *(power_steps("Off", end, _made(subject), _made(subject)) if end else ()),
    )
    return Change(subject=subject, attributes=_attributes(options, disks, network, end), steps=steps)


def _new_vm(options: Options, subject: Thing, disks: DisksOfVm) -> Iterator[Step]:
    name = subject.label
    parameters: dict[str, t.Any] = {
        "Name": name,
        "Generation": disks.generation,
        "MemoryStartupBytes": options.memory.startup,
        "Version": options.version,
        "Path": options.path and filled(options.path, name),
    }
    first = next((disk for disk in disks.wanted if disk.place == _BOOT_PLACE[disks.generation]), None)
    parameters |= {"VHDPath": first.path} if first else {"NoVHD": True}
    yield Step(
        "Hyper-V\\New-VM",
        {key: value for key, value in parameters.items() if value is not None},
        save=subject.id,
        undo=Step("Hyper-V\\Remove-VM", {"VM": From(save=subject.id, shown=_shown(name)), "Force": True}),
    )
    # New-VM makes a second VM of a name without a word (facts 11), and a step can ask for what is there, not for what is not:
    # so it is asked afterwards, and one too many takes the new one back.
    called = f"{subject.id} called"
    yield Step("Hyper-V\\Get-VM", {} if is_pattern(name) else {"Name": name}, save=called, where={"Name": name}, poll=True)
    only = From(save=called, where={"Name": name}, property="Id", shown={"Name": name})
    yield Step("Hyper-V\\Get-VM", {"Id": only}, save=f"{subject.id} made", poll=True)


def _made(subject: Thing) -> From:
    """The VM that New-VM returned, by its id."""
    own = From(save=subject.id, property="Id")
    return From(save=f"{subject.id} made", where={"Id": own}, shown=_shown(subject.label))


def _shown(name: str) -> Mapping[str, Plain]:
    if is_pattern(name):
        return {"VM": Verbatim(f"(Get-VM | Where-Object Name -eq {literal(name)})")}
    return {"VMName": name}


def _parts(options: Options, subject: Thing, disks: DisksOfVm, network: WantedSwitch | None) -> Iterator[Step]:
    vm = _made(subject)
    # A client's New-VM gives dynamic memory (gh:dsccommunity/HyperVDsc#89), a server's does not.
    memory = {**options.memory, "startup": None, "dynamic": bool(options.memory.dynamic)}
    yield Step("Hyper-V\\Set-VMMemory", {"VM": vm, **memory_parameters(memory)})
    if options.processors:
        yield Step("Hyper-V\\Set-VMProcessor", {"VM": vm, "Count": options.processors})
    firmware = firmware_parameters(options.secure_boot, options.secure_boot_template)
    if firmware and disks.generation == 2:
        yield Step("Hyper-V\\Set-VMFirmware", {"VM": vm, **firmware})
    yield from _drives(options, subject, disks)
    if network and network.id:
        saved = f"{subject.id} adapter"
        yield Step("Hyper-V\\Get-VMNetworkAdapter", {"VM": vm}, save=saved, poll=True)
        yield connect_step(From(save=saved, shown=vm.shown), network, network.id)
    settings = {
        "Notes": options.notes or None,
        "AutomaticCheckpointsEnabled": options.automatic_checkpoints,
        "AutomaticStopAction": STOP_ACTIONS.get(options.automatic_stop_action),
    }
    given = {name: value for name, value in settings.items() if value is not None}
    if given:
        yield Step("Hyper-V\\Set-VM", {"VM": vm, **given})


def _drives(options: Options, subject: Thing, disks: DisksOfVm) -> Iterator[Step]:
    vm = _made(subject)
    boot = _BOOT_PLACE[disks.generation]
    added = [add_step(disk, vm, subject.id) for disk in disks.wanted if disk.place != boot]
    yield from added
    if added and len(added) == len(disks.wanted) and disks.generation == 2:
        drive = arguments({**vm.shown, **disks.wanted[0].place.parameters})
        first = From(save=t.cast("str", added[0].save), shown={"FirstBootDevice": Verbatim(f"(Get-VMHardDiskDrive {drive})")})
        yield Step("Hyper-V\\Set-VMFirmware", {"VM": vm, "FirstBootDevice": first})
    if options.dvd and disks.generation == 2:
        yield Step("Hyper-V\\Add-VMDvdDrive", {"VM": vm, "Path": filled(options.dvd, subject.label)})
    elif options.dvd:
        # New-VM gives generation 1 a DVD drive.
        saved = f"{subject.id} dvd"
        yield Step("Hyper-V\\Get-VMDvdDrive", {"VM": vm}, save=saved, poll=True)
        yield Step("Hyper-V\\Set-VMDvdDrive", {"VMDvdDrive": From(save=saved, shown=vm.shown), "Path": filled(options.dvd, subject.label)})


def _attributes(options: Options, disks: DisksOfVm, network: WantedSwitch | None, end: str | None) -> dict[str, tuple[str | None, t.Any]]:
    memory = {**options.memory, "dynamic": bool(options.memory.dynamic)}
    given = {
        "generation": disks.generation,
        "version": options.version,
        "processors": options.processors,
        **{f"memory.{name}": SETTINGS[name].show(value) for name, value in memory.items() if value is not None},
        **{f"disk {disk.place}": disk.path for disk in disks.wanted},
        "dvd": options.dvd and filled(options.dvd, disks.label),
        "switch": network.name if network else None,
        "secure_boot": options.secure_boot,
        "secure_boot_template": options.secure_boot_template,
        "automatic_checkpoints": options.automatic_checkpoints,
        "automatic_stop_action": options.automatic_stop_action,
        "notes": options.notes,
        "power_state": end.lower() if end else None,
    }
    return {"state": ("absent", "present"), **{name: (None, value) for name, value in given.items() if value not in (None, "")}}
