# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: processors, memory, security, firmware, integration services and checkpoints of VMs."""

from __future__ import annotations

import typing as t

from ..calls import NotSimulated
from ..lookup import WRONG_STATE, as_list, device_failure, for_each, get_each, vm_not_found, vm_of, vms_of
from ..simulates import simulate
from ..vm_objects import VMProcessor

if t.TYPE_CHECKING:
    from collections.abc import Iterable

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
    if call.get("Count", 1) < 1:
        device_failure(call, vm, "Processor", "InvalidParameter", f"Invalid processor count assigned for '{vm.name}'.")
    vm.processor.count = call.get("Count", vm.processor.count)
    vm.processor.expose_virtualization_extensions = call.get(_FLAG, vm.processor.expose_virtualization_extensions)
