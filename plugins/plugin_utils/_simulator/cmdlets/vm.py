# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: Get-VM and the cmdlets that make, change and remove whole VMs; Get-VMHost."""

from __future__ import annotations

import typing as t

from ..lookup import as_list, unique, vms_called
from ..simulates import simulate
from ..vm_objects import VirtualMachine, VMHost
from ..wildcards import has_wildcards

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..calls import Call


@simulate("Hyper-V\\Get-VM", "Name Id")
def get_vm(call: Call) -> Iterable[t.Any]:
    """All VMs, or those of -Name or -Id; a plain name without a VM is an error of its own kind (facts 2.5), a wildcard is not."""
    host = call.host
    if "Id" in call.values:
        found = [vm for vm in host.vms if vm.id == call.values["Id"]]
        if not found:
            _not_found(call, f'Hyper-V was unable to find a virtual machine with id "{call.values["Id"]}".')
    elif "Name" in call.values:
        found = []
        for name, vms in vms_called(host, as_list(call.values["Name"])):
            if not vms and not has_wildcards(name):
                _not_found(call, f'Hyper-V was unable to find a virtual machine with name "{name}".')
            found += vms
        found = unique(found)
    else:
        found = host.vms
    return [VirtualMachine(host, vm) for vm in found]


def _not_found(call: Call, message: str) -> None:
    call.write_error("InvalidParameter", "InvalidArgument", message)


@simulate("Hyper-V\\Get-VMHost", "")
def get_vm_host(call: Call) -> Iterable[t.Any]:
    """The host itself."""
    return [VMHost(call.host)]
