# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: processors, memory, security, firmware, integration services and checkpoints of VMs."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import ids, power, tree
from ..calls import NotSimulated
from ..lookup import WRONG_STATE, as_list, device_failure, fail, for_each, full_id, get_each, vm_not_found, vm_of, vms_of, wrong_state
from ..model import GB, MB, Checkpoint, Disk, Memory
from ..schema import Size
from ..simulates import refuse_unless, simulate
from ..text import file_key, same_text
from ..vm_objects import (
    LARGEST_MEMORY,
    SERVICES,
    TEMPLATES,
    DriveLive,
    VirtualMachine,
    VMBootSource,
    VMFirmware,
    VMIntegrationComponent,
    VMMemory,
    VMProcessor,
    VMSecurity,
    VMSnapshot,
    drive_place,
    integration_services,
    service_name,
)
from ..wildcards import matcher

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..calls import Call
    from ..model import Vm

OFF: t.Final = ("Off", "OffCritical")
_NEED_OFF: t.Final = (
    *("Count", "ExposeVirtualizationExtensions", "CompatibilityForMigrationEnabled", "CompatibilityForOlderOperatingSystemsEnabled"),
    *("HwThreadCountPerCore", "MaximumCountPerNumaNode", "MaximumCountPerNumaSocket", "ResourcePoolName"),
)
"""facts 2.1: parameters of Set-VMProcessor that a VM must be off for."""
_UNMODELLED: t.Final = (
    *("CompatibilityForMigrationEnabled", "CompatibilityForOlderOperatingSystemsEnabled", "HwThreadCountPerCore"),
    *("MaximumCountPerNumaNode", "MaximumCountPerNumaSocket", "ResourcePoolName", "Maximum", "Reserve", "RelativeWeight"),
    *("EnableHostResourceProtection", "Perfmon"),
)
_FLAG: t.Final = "ExposeVirtualizationExtensions"


def targets(call: Call, objects: str) -> list[Vm]:
    """The VMs of -VMName, -VM or of the device objects in that parameter; a VM that is gone is an error."""
    if objects not in call.values:
        return vms_of(call)
    present = {id(vm) for vm in call.host.vms}
    found = []
    for live in as_list(call.values[objects]):
        vm = vm_of(live)
        if id(vm) in present:
            found.append(vm)
        else:
            vm_not_found(call, vm.name)
    return found


@simulate("Hyper-V\\Get-VMProcessor", "VMName VM")
def get_processor(call: Call) -> Iterable[t.Any]:
    """One object for each VM."""
    return get_each(call, vms_of(call), lambda vm: [VMProcessor(call.host, vm)])


@simulate("Hyper-V\\Set-VMProcessor", f"VMName VM VMProcessor Passthru {' '.join(dict.fromkeys((*_NEED_OFF, *_UNMODELLED)))}")
def set_processor(call: Call) -> Iterable[t.Any]:
    """Judges the state by the parameters that are given, not by their values; checks of CPU and version come at Start-VM only."""
    if _FLAG in call.values and f"VMProcessor.{_FLAG}" in call.host.without_properties:
        # facts 1.1: an old Windows; its own binder answers
        message = f"A parameter cannot be found that matches parameter name '{_FLAG}'."
        call.fail("NamedParameterNotFound", "InvalidArgument", message, "ParameterBindingException")
    return for_each(call, targets(call, "VMProcessor"), lambda vm: _set_processor(call, vm), lambda vm: VMProcessor(call.host, vm))


def _set_processor(call: Call, vm: Vm) -> None:
    if vm.state not in OFF and (vm.state != "Running" or any(name in call.values for name in _NEED_OFF)):
        device_failure(call, vm, "Processor", "InvalidState", WRONG_STATE)
    for name in _UNMODELLED:
        if name in call.values:
            raise NotSimulated(f"Set-VMProcessor -{name}")
    if "Count" in call.values:
        set_count(call, vm, call.values["Count"])
    vm.processor.expose_virtualization_extensions = call.get(_FLAG, vm.processor.expose_virtualization_extensions)


def set_count(call: Call, vm: Vm, count: int) -> None:
    """Change the number of processors; more than the host has is an error of Start-VM only (gh:canonical/multipass#3352)."""
    if count < 1:
        device_failure(call, vm, "Processor", "InvalidParameter", f"Invalid processor count assigned for '{vm.name}'.")
    vm.processor.count = count


@simulate("Hyper-V\\Get-VMMemory", "VMName VM")
def get_memory(call: Call) -> Iterable[t.Any]:
    """One object for each VM; minimum and maximum are there with static memory too (facts 3.1)."""
    return get_each(call, vms_of(call), lambda vm: [VMMemory(call.host, vm)])


_MEMORY: t.Final = {
    "DynamicMemoryEnabled": "dynamic",
    "StartupBytes": "startup",
    "MinimumBytes": "minimum",
    "MaximumBytes": "maximum",
    "Buffer": "buffer",
    "Priority": "priority",
}
_SIZES: t.Final = ("startup", "minimum", "maximum")
_LIMITS: t.Final = {"buffer": (5, 2000), "priority": (0, 100)}
_WHILE_RUNNING: t.Final[dict[bool, dict[str, Callable[[int, int], bool]]]] = {
    True: {
        "minimum": lambda wanted, now: wanted < now,
        "maximum": lambda wanted, now: wanted > now,
        "buffer": lambda wanted, now: wanted != now,
        "priority": lambda wanted, now: wanted != now,
    },
    False: {"startup": lambda wanted, now: wanted != now},
}
"""facts 3.1: what a running VM takes with dynamic and with static memory; what is given must change something."""


@simulate("Hyper-V\\Set-VMMemory", f"VMName VM VMMemory Passthru {' '.join(_MEMORY)}")
def set_memory(call: Call) -> Iterable[t.Any]:
    """One write of all that is given; facts 3.1 and 3.2."""
    wish = {field: call.values[name] for name, field in _MEMORY.items() if name in call.values}
    return for_each(call, targets(call, "VMMemory"), lambda vm: change_memory(call, vm, wish), lambda vm: VMMemory(call.host, vm))


def change_memory(call: Call, vm: Vm, wish: dict[str, t.Any]) -> None:
    """Write fields of model.Memory, if the VM's state and the values allow it."""
    dynamic = wish.get("dynamic", vm.memory.dynamic)
    if not dynamic and any(name in wish for name in ("minimum", "maximum", "buffer")):
        fail(call, "InvalidParameter", "Minimum, maximum and buffer can be set with dynamic memory only.")
    if vm.state not in OFF and wish:
        _check_running(call, vm, wish)
    wish = check_memory(call, vm, wish)
    if vm.state == "Running" and "startup" in wish:
        _resize_running(call, vm, wish["startup"])
    else:
        vm.memory = dataclasses.replace(vm.memory, **wish)


def _check_running(call: Call, vm: Vm, wish: dict[str, t.Any]) -> None:
    takes = _WHILE_RUNNING[vm.memory.dynamic] if vm.state == "Running" else {}
    for name, value in wish.items():
        if name not in takes or not takes[name](value, getattr(vm.memory, name)):
            device_failure(call, vm, "Memory", "InvalidState", "")
    hot = power.version_key(vm.version) >= (6, 2) and power.services_up(call.host, vm) and not tree.hyperv_inside(vm)
    if "startup" in wish and not hot:
        # facts 3.1: the guest has to play along, and does not while Hyper-V runs in it
        device_failure(call, vm, "Memory", "InvalidState", "")


def _resize_running(call: Call, vm: Vm, wanted: int) -> None:
    # facts 3.1: too much is applied as far as possible, and is an error all the same
    room = power.free_memory(call.host) // power.ALIGNMENT * power.ALIGNMENT
    now = vm.memory.startup
    vm.memory.startup = Size(min(wanted, now + max(0, room)))
    if vm.memory.startup < wanted:
        device_failure(call, vm, "Memory", "OutOfMemory", "Not enough memory in the system to add memory to the virtual machine.")


def check_memory(call: Call, vm: Vm, wish: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values as the host keeps them, whole MB; facts 3.2 says which are refused."""
    wish = {name: Size(value // MB * MB) if name in _SIZES else value for name, value in wish.items()}
    for name in _SIZES:
        if name in wish:
            _check_size(call, vm, wish[name])
    for name, (least, most) in _LIMITS.items():
        if name in wish and not least <= wish[name] <= most:
            device_failure(call, vm, "Memory", "InvalidParameter", f"The value {wish[name]} is not between {least} and {most}.")
    after: Memory = dataclasses.replace(vm.memory, **wish)
    if after.dynamic and wish.keys() & {"dynamic", *_SIZES} and not after.minimum <= after.startup <= after.maximum:
        device_failure(call, vm, "Memory", "InvalidParameter", f"Invalid startup memory value assigned for '{vm.name}'.")
    return wish


def _check_size(call: Call, vm: Vm, size: int) -> None:
    if size % power.ALIGNMENT:
        reason = f"Invalid memory value assigned for '{vm.name}'."
        long_reason = (
            f"{reason} The memory value assigned ('{size // MB}' MB) is not properly aligned. "
            "Try again with a memory value that is properly aligned."
        )
        short = f"{reason} Memory values must be properly aligned."
        device_failure(call, vm, "Memory", "InvalidParameter", short, long_reason)
    largest = LARGEST_MEMORY[vm.generation] if vm.generation == 1 or call.host.windows == "2016" else 240 * 1024 * GB
    if not 32 * MB <= size <= largest:
        device_failure(call, vm, "Memory", "InvalidParameter", f"Invalid memory value assigned for '{vm.name}'. It is out of range.")


@simulate("Hyper-V\\Get-VMSecurity", "VMName VM")
def get_security(call: Call) -> Iterable[t.Any]:
    """One object for each VM, of either generation (facts 8)."""
    return get_each(call, vms_of(call), lambda vm: [VMSecurity(call.host, vm)])


@simulate("Hyper-V\\Set-VMSecurity", "VMName VM Passthru EncryptStateAndVmMigrationTraffic VirtualizationBasedSecurityOptOut")
def set_security(call: Call) -> Iterable[t.Any]:
    """The VM has to be off (cmdlets.md 4)."""

    def change(vm: Vm) -> None:
        if vm.state not in OFF:
            wrong_state(call, f"Modifying the properties of '{vm.name}' failed.")
        refuse_unless(call, "EncryptStateAndVmMigrationTraffic", vm.shielded)
        vm.vbs_opt_out = call.get("VirtualizationBasedSecurityOptOut", vm.vbs_opt_out)

    return for_each(call, vms_of(call), change, lambda vm: VMSecurity(call.host, vm))


@simulate("Hyper-V\\Get-VMFirmware", "VMName VM")
def get_firmware(call: Call) -> Iterable[t.Any]:
    """Generation 2 only."""

    def firmware(vm: Vm) -> list[t.Any]:
        _check_generation(call, vm)
        return [VMFirmware(call.host, vm)]

    return get_each(call, vms_of(call), firmware)


@simulate("Hyper-V\\Set-VMFirmware", "VMName VM VMFirmware Passthru FirstBootDevice EnableSecureBoot SecureBootTemplate")
def set_firmware(call: Call) -> Iterable[t.Any]:
    """Generation 2 only, and off (facts 2.3)."""
    return for_each(call, targets(call, "VMFirmware"), lambda vm: _set_firmware(call, vm), lambda vm: VMFirmware(call.host, vm))


def _check_generation(call: Call, vm: Vm) -> None:
    if vm.generation != 2:
        # gh:AutomatedLab/AutomatedLab#18, gh:hashicorp/vagrant#5509
        text = f'The Generation 1 virtual machine or snapshot "{vm.name}" does not support the VMFirmware cmdlets.'
        fail(call, "InvalidParameter", f"{text} Use Get-VMBios and Set-VMBios instead.")


def _set_firmware(call: Call, vm: Vm) -> None:
    _check_generation(call, vm)
    failed = f"'{vm.name}' failed to modify settings."
    if vm.state not in OFF:
        wrong_state(call, failed)
    template = call.get("SecureBootTemplate", vm.secure_boot_template)
    known = next((name for name in TEMPLATES if same_text(name, template)), None)
    if known is None:
        fail(call, "InvalidParameter", f"{failed} The Secure Boot template '{template}' is not known.")
    if known != vm.secure_boot_template and vm.tpm:
        # facts 8; gh:hashicorp/packer#11399
        fail(call, "OperationFailed", f"{failed}\n\nCannot modify the secure boot template ID property.\n\n{failed} {full_id(vm)}")
    if call.get("FirstBootDevice") is not None:
        vm.first_boot = _boot_place(call, vm)
    vm.secure_boot_template = known
    if "EnableSecureBoot" in call.values:
        vm.secure_boot = call.values["EnableSecureBoot"] == "On"


def _boot_place(call: Call, vm: Vm) -> str:
    device = call.values["FirstBootDevice"]
    device = device.device if isinstance(device, VMBootSource) else device
    if isinstance(device, DriveLive):
        places = [drive_place(drive) for drive in vm.drives if drive is device.drive]
    else:
        places = [adapter.id for adapter in vm.adapters if adapter is getattr(device, "adapter", None)]
    if not places:
        fail(call, "InvalidParameter", f"'{vm.name}' has no such boot device.")
    return places[0]


@simulate("Hyper-V\\Get-VMIntegrationService", "VMName VM Name")
def get_integration_services(call: Call) -> Iterable[t.Any]:
    """Their names are localised, their ids are not."""
    return get_each(call, vms_of(call), lambda vm: [s for s in integration_services(call.host, vm) if s.service in _services(call)])


@simulate("Hyper-V\\Enable-VMIntegrationService", "VMName VM Name VMIntegrationService Passthru")
def enable_integration_services(call: Call) -> Iterable[t.Any]:
    """Switches services on, on the host's side, in any state."""
    if "VMIntegrationService" in call.values:
        pairs = [(live.vm, live.service) for live in as_list(call.values["VMIntegrationService"])]
    else:
        pairs = [(vm, service) for vm in vms_of(call) for service in _services(call)]

    def enable(pair: tuple[Vm, str]) -> None:
        vm, service = pair
        vm.disabled_services = [one for one in vm.disabled_services if one != service]

    return for_each(call, pairs, enable, lambda pair: VMIntegrationComponent(call.host, *pair))


def _services(call: Call) -> list[str]:
    if "Name" not in call.values:
        return list(SERVICES)
    tests = [matcher(name) for name in as_list(call.values["Name"])]
    found = [service for service in SERVICES if any(test(service_name(call.host, service)) for test in tests)]
    if not found:
        fail(call, "InvalidParameter", "Hyper-V was unable to find an integration service of that name.")
    return found


@simulate("Hyper-V\\Get-VMSnapshot", "VMName VM Name Id SnapshotType")
def get_snapshots(call: Call) -> Iterable[t.Any]:
    """The checkpoints of VMs, oldest first; none is an error only if they were asked for by name, type or id."""
    vms = call.host.vms if "Id" in call.values else vms_of(call)
    found = [VMSnapshot(call.host, vm, checkpoint) for vm in vms for checkpoint in vm.checkpoints]
    if "Id" in call.values:
        found = [live for live in found if live.checkpoint.id == call.values["Id"]]
    if "Name" in call.values:
        fits = matcher(call.values["Name"])
        found = [live for live in found if fits(live.checkpoint.name)]
    if "SnapshotType" in call.values:
        found = [live for live in found if live.get("SnapshotType") == call.values["SnapshotType"]]
    if not found and any(name in call.values for name in ("Id", "Name", "SnapshotType")):
        fail(call, "ObjectNotFound", "Hyper-V was unable to find a checkpoint.")
    return found


@simulate("Hyper-V\\Checkpoint-VM", "Name VM SnapshotName Passthru")
def checkpoint_vm(call: Call) -> Iterable[t.Any]:
    """Every hard disk gets a differencing file over what it was."""
    return for_each(call, vms_of(call, "Name"), lambda vm: _checkpoint(call, vm), lambda vm: VMSnapshot(call.host, vm, vm.checkpoints[-1]))


def _checkpoint(call: Call, vm: Vm) -> None:
    if vm.checkpoint_type == "Disabled" or vm.state not in (*OFF, "Running", "Saved", "Paused"):
        wrong_state(call, f"Checkpoint operation for '{vm.name}' failed.")
    name = call.get("SnapshotName") or f"{vm.name} - ({len(vm.checkpoints) + 1})"
    kind: t.Literal["Standard", "Production"] = "Standard" if vm.checkpoint_type == "Standard" else "Production"
    vm.checkpoints.append(Checkpoint(name=name, id=ids.new_guid(call.host), type=kind))
    known = {file_key(disk.path): disk for disk in call.host.disks}
    for drive in vm.drives:
        below = known.get(file_key(drive.path)) if drive.kind == "hard" and drive.path else None
        if below is not None:
            stem, _dot, extension = below.path.rpartition(".")
            extension = "avhd" if extension.lower() in ("vhd", "avhd") else "avhdx"
            path = f"{stem}_{ids.new_guid(call.host).upper()}.{extension}"
            call.host.disks.append(Disk(path=path, size=below.size, type="Differencing", parent=below.path))
            drive.path = path


@simulate("Hyper-V\\Remove-VMSnapshot", "VMName VM Name VMSnapshot IncludeAllChildSnapshots Passthru")
def remove_snapshots(call: Call) -> Iterable[t.Any]:
    """Merges at once; an unknown name is silent (facts 11)."""
    if "VMSnapshot" in call.values:
        wanted = [(live.vm, [live.checkpoint]) for live in as_list(call.values["VMSnapshot"])]
    else:
        tests = [matcher(name) for name in as_list(call.get("Name", "*"))]
        wanted = [(vm, [one for one in vm.checkpoints if any(test(one.name) for test in tests)]) for vm in vms_of(call)]
    return for_each(call, wanted, lambda pair: _remove_checkpoints(call, *pair), lambda pair: VirtualMachine(call.host, pair[0]))


def _remove_checkpoints(call: Call, vm: Vm, checkpoints: list[Checkpoint]) -> None:
    places = {place for place, one in enumerate(vm.checkpoints) if any(one is other for other in checkpoints)}
    if call.get("IncludeAllChildSnapshots") and places:
        places = set(range(min(places), len(vm.checkpoints)))
    for place in sorted(places, reverse=True):
        power.merge_checkpoint(call.host, vm, place)
