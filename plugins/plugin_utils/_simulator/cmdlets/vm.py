# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: Get-VM and the cmdlets that make, change and remove whole VMs; Get-VMHost."""

from __future__ import annotations

import typing as t

from .. import ids, power, systems
from ..calls import NotSimulated
from ..lookup import as_list, fail, for_each, full_id, unique, vms_called, vms_of, wrong_state
from ..model import MB, Adapter, Disk, Drive, Guest, Memory, Vm
from ..schema import Size
from ..simulates import refuse_unless, simulate
from ..text import same_text
from ..vm_objects import VirtualMachine, VMHost, VMHostSupportedVersion
from ..wildcards import has_wildcards
from .storage import file_exists, find_disk
from .vm_devices import OFF, change_memory, check_memory, set_count

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..calls import Call
    from ..model import Host, Switch


@simulate("Hyper-V\\Get-VM", "Name Id")
def get_vm(call: Call) -> Iterable[t.Any]:
    """All VMs, or those of -Name or -Id; a plain name without a VM is an error of its own kind (facts 2.5), a wildcard is not."""
    host = call.host
    if "Id" in call.values:
        found = [vm for vm in host.vms if vm.id == call.values["Id"]]
        if not found:
            message = f'Hyper-V was unable to find a virtual machine with id "{call.values["Id"]}".'
            call.write_error("ObjectNotFound", "ObjectNotFound", message)
    elif "Name" in call.values:
        found = []
        for name, vms in vms_called(host, as_list(call.values["Name"])):
            if not vms and not has_wildcards(name):
                message = f'Hyper-V was unable to find a virtual machine with name "{name}".'
                call.write_error("InvalidParameter", "InvalidArgument", message)
            found += vms
        found = unique(found)
    else:
        found = host.vms
    return [VirtualMachine(host, vm) for vm in found]


@simulate("Hyper-V\\Get-VMHost", "")
def get_vm_host(call: Call) -> Iterable[t.Any]:
    """The host itself."""
    return [VMHost(call.host)]


@simulate("Hyper-V\\Get-VMHostSupportedVersion", "Default")
def get_supported_versions(call: Call) -> Iterable[t.Any]:
    """The configuration versions that VMs may have here (facts 1.2)."""
    host = call.host
    versions = [host.default_version] if call.get("Default") else host.supported_versions
    return [VMHostSupportedVersion(host, version) for version in versions]


@simulate(
    "Hyper-V\\New-VM",
    "Name MemoryStartupBytes BootDevice NoVHD SwitchName NewVHDPath NewVHDSizeBytes VHDPath Path Version Generation Force",
)
def new_vm(call: Call) -> Iterable[t.Any]:
    """A VM with one adapter (facts 4), even if another has its name (facts 11); an error leaves no VM and no new disk (facts 3.2)."""
    host, name = call.host, call.get("Name", "New Virtual Machine")
    generation = int(call.get("Generation", 1))
    vm = Vm(name=name, id=ids.new_guid(host), generation=generation, version=_version(call))
    startup = Size(call.get("MemoryStartupBytes", 512 * MB))
    # a client gives new VMs dynamic memory (gh:dsccommunity/HyperVDsc#89)
    vm.memory = Memory(dynamic=host.client, minimum=min(startup, Size(512 * MB)))
    vm.memory.startup = check_memory(call, vm, {"startup": startup})["startup"]
    folder = call.get("Path", "").rstrip("\\")
    vm.path = f"{folder}\\{name}" if folder else host.virtual_machine_path
    vm.secure_boot = generation == 2
    vm.disabled_services = ["files"]
    switch = _switch(call, call.values["SwitchName"]) if call.get("SwitchName") else None
    vm.adapters = [Adapter(id=ids.new_guid(host), switch=switch.id if switch else None)]
    disk = _first_disk(call)
    # one without a disk starts something all the same, from the network, say
    vm.guest = Guest(installed=disk is None, from_disk=True)
    if generation == 1:
        vm.drives.append(Drive(kind="dvd", controller="IDE", number=1, location=0))
    if disk is not None:
        vm.drives.insert(0, Drive(controller="IDE" if generation == 1 else "SCSI", path=disk.path))
    _boot_device(call, vm)
    if disk is not None and find_disk(host, disk.path) is None:
        host.disks.append(disk)
    host.vms.append(vm)
    return [VirtualMachine(host, vm)]


def _version(call: Call) -> str:
    version = str(call.get("Version", call.host.default_version))
    if version not in call.host.supported_versions:
        fail(call, "InvalidParameter", f"Failed to create a new virtual machine.\n\nThe version '{version}' is not supported.")
    return version


def _switch(call: Call, name: str) -> Switch:
    found = [switch for switch in call.host.switches if same_text(switch.name, name)]
    if not found:
        # gh:VirtualEngine/Lability#40
        fail(call, "InvalidParameter", f'Hyper-V was unable to find a virtual switch with name "{name}".')
    if len(found) > 1:
        # cmdlets.md 8 says it of Add-VMNetworkAdapter
        fail(call, "InvalidParameter", f'More than one virtual switch has the name "{name}".')
    return found[0]


def _first_disk(call: Call) -> Disk | None:
    host, failed = call.host, "Failed to create a new virtual machine."
    if call.get("VHDPath"):
        disk = find_disk(host, call.values["VHDPath"])
        if disk is None or disk.type == "ISO":
            path = call.values["VHDPath"]
            fail(call, "ObjectNotFound", f"{failed}\n\nAttachment '{path}' not found. Error: 'The system cannot find the file specified.'")
        return disk
    if not call.get("NewVHDPath"):
        return None
    path = call.values["NewVHDPath"]
    if path[1:3] != ":\\" and not path.startswith("\\\\"):
        path = f"{host.virtual_hard_disk_path}\\{path}"
    if find_disk(host, path) is not None:
        file_exists(call, path)
    return Disk(path=path, size=Size(call.values["NewVHDSizeBytes"]), empty=True)


def _boot_device(call: Call, vm: Vm) -> None:
    device = call.get("BootDevice")
    if vm.generation == 2 and device in ("Floppy", "IDE", "LegacyNetworkAdapter"):
        # cmdlets.md 8
        fail(call, "InvalidParameter", f"Generation 2 virtual machines do not support the boot device {device}.")
    if vm.generation == 1 and device in ("LegacyNetworkAdapter", "NetworkAdapter", "Floppy"):
        raise NotSimulated(f"New-VM -Generation 1 -BootDevice {device}")
    if vm.generation == 2 and device == "CD":
        vm.drives.append(Drive(kind="dvd", location=len(vm.drives)))
        vm.first_boot = f"SCSI 0:{len(vm.drives) - 1}"
    elif vm.generation == 2 and device == "NetworkAdapter":
        vm.first_boot = vm.adapters[0].id
    elif vm.generation == 2 and vm.drives:
        vm.first_boot = "SCSI 0:0"


_MEMORY: t.Final = {"MemoryStartupBytes": "startup", "MemoryMinimumBytes": "minimum", "MemoryMaximumBytes": "maximum"}
_FIELDS: t.Final = {
    "AutomaticStartAction": "automatic_start_action",
    "AutomaticStopAction": "automatic_stop_action",
    "AutomaticCheckpointsEnabled": "automatic_checkpoints",
    "CheckpointType": "checkpoint_type",
    "NewVMName": "name",
    "Notes": "notes",
}
_DEFAULTS: t.Final[dict[str, tuple[t.Any, ...]]] = {
    "AutomaticStartDelay": (0,),
    "AutomaticCriticalErrorAction": ("Pause",),
    "AutomaticCriticalErrorActionTimeout": (30,),
    "LockOnDisconnect": ("Off",),
    "GuestControlledCacheTypes": (False,),
    "LowMemoryMappedIoSpace": (128 * MB,),
    "HighMemoryMappedIoSpace": (512 * MB,),
}
"""Settings that the model does not hold, with the value that they have anyway."""
_SETTINGS: t.Final = " ".join((*_MEMORY, *_FIELDS, *_DEFAULTS, "DynamicMemory", "StaticMemory", "ProcessorCount"))


@simulate("Hyper-V\\Set-VM", f"Name VM Passthru {_SETTINGS}")
def set_vm(call: Call) -> Iterable[t.Any]:
    """Memory first, then processors, then the rest, so that an error leaves what came before it."""
    for parameter, harmless in _DEFAULTS.items():
        refuse_unless(call, parameter, *harmless)
    return for_each(call, vms_of(call, "Name"), lambda vm: _set_vm(call, vm), lambda vm: VirtualMachine(call.host, vm))


def _set_vm(call: Call, vm: Vm) -> None:
    wish = {field: call.values[name] for name, field in _MEMORY.items() if name in call.values}
    if call.get("DynamicMemory") and call.get("StaticMemory"):
        # facts 3.2: exclusive
        fail(call, "InvalidParameter", "DynamicMemory and StaticMemory cannot be used together.")
    if call.get("DynamicMemory") or call.get("StaticMemory"):
        wish["dynamic"] = bool(call.get("DynamicMemory"))
    if wish:
        change_memory(call, vm, wish)
    if "ProcessorCount" in call.values:
        if vm.state not in OFF:
            wrong_state(call, f"Modifying the properties of '{vm.name}' failed.")
        set_count(call, vm, call.values["ProcessorCount"])
    given = [name for name in _FIELDS if name in call.values]
    transitional = vm.state not in (*OFF, "Running", "Saved", "Paused")
    if given and (transitional or ("AutomaticStopAction" in given and vm.state not in OFF)):
        # facts 2.3, 10.2
        wrong_state(call, f"Modifying the properties of '{vm.name}' failed.")
    for name in given:
        setattr(vm, _FIELDS[name], call.values[name])


@simulate("Hyper-V\\Rename-VM", "Name VM NewName Passthru")
def rename_vm(call: Call) -> Iterable[t.Any]:
    """In any state; a name that another VM has is no obstacle (facts 11)."""

    def rename(vm: Vm) -> None:
        vm.name = call.values["NewName"]

    return for_each(call, vms_of(call, "Name"), rename, lambda vm: VirtualMachine(call.host, vm))


@simulate("Hyper-V\\Remove-VM", "Name VM Force Passthru")
def remove_vm(call: Call) -> Iterable[t.Any]:
    """Off and saved VMs only; the disks stay, and checkpoints are merged (cmdlets.md 9)."""
    return for_each(call, vms_of(call, "Name"), lambda vm: _remove(call, vm), lambda vm: VirtualMachine(call.host, vm))


def _remove(call: Call, vm: Vm) -> None:
    if vm.state not in (*OFF, "Saved"):
        # gh:microsoft/devhome#2868: deleting is for stopped and saved VMs
        wrong_state(call, f"'{vm.name}' failed to be removed. {full_id(vm)}")
    while vm.checkpoints:
        power.merge_checkpoint(call.host, vm, len(vm.checkpoints) - 1)
    power.stop_inside(vm, graceful=False)
    systems.leave(call.host, vm)
    _drop(call.host, vm)


def _drop(host: Host, vm: Vm) -> None:
    host.vms[:] = [one for one in host.vms if one is not vm]


@simulate("Hyper-V\\Update-VMVersion", "Name VM Force Passthru")
def update_version(call: Call) -> Iterable[t.Any]:
    """To the host's default version; the VM has to be off, and a saved state is given up (facts 1.2)."""
    return for_each(call, vms_of(call, "Name"), lambda vm: _update(call, vm), lambda vm: VirtualMachine(call.host, vm))


def _update(call: Call, vm: Vm) -> None:
    if vm.state not in ("Off", "Saved"):
        wrong_state(call)
    if vm.state == "Saved":
        power.arrive(call.host, vm, "Off")
    if power.version_key(vm.version) >= power.version_key(call.host.default_version):
        call.warn(f"The configuration version of virtual machine '{vm.name}' is already the newest one that this host supports.")
        return
    vm.version = call.host.default_version


@simulate("Hyper-V\\Remove-VMSavedState", "VMName VM")
def remove_saved_state(call: Call) -> Iterable[t.Any]:
    """Saved to Off: what was in memory is lost (cmdlets.md 4)."""

    def discard(vm: Vm) -> None:
        if vm.state == "Off":
            call.warn("The virtual machine is already in the specified state.")
        elif vm.state != "Saved":
            wrong_state(call, f"'{vm.name}' failed to delete its saved state.")
        else:
            power.arrive(call.host, vm, "Off")

    return for_each(call, vms_of(call), discard)
