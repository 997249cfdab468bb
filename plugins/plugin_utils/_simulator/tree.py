# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hosts within hosts: who is inside of whom, and what a VM gives to the Windows in it.

A guest's Windows is a Host with two links, to its VM and to the host of that. What the VM has is kept at the VM only:
`refresh` copies it to where the cmdlets look for it, and is called whenever somebody is about to look.
"""

from __future__ import annotations

import typing as t

from . import ids
from .model import Cpu, HostAdapter
from .text import first_free

if t.TYPE_CHECKING:
    from .model import Adapter, Host, Vm


def lineage(host: Host) -> list[Host]:
    """The hosts that this one runs in, outermost first, and itself."""
    hosts = [host]
    while hosts[0].outer is not None:
        hosts.insert(0, hosts[0].outer)
    return hosts


def vm_names(host: Host) -> list[str]:
    """The VMs on the way from the outermost host to this one."""
    return [one.machine.name for one in lineage(host) if one.machine is not None]


def place(host: Host) -> str:
    """How a profile writes the way to this host: "vms[0].guest.windows."; nothing for the outermost one."""
    if host.outer is None:
        return ""
    above = place(host.outer)
    index = next((index for index, vm in enumerate(host.outer.vms) if vm is host.machine), None)
    return above if index is None else f"{above}vms[{index}].guest.windows."


def link(outer: Host) -> None:
    """Tell every Windows inside where it is, at any depth."""
    for vm in outer.vms:
        inside = vm.guest.windows
        if inside is not None:
            inside.outer, inside.machine = outer, vm
            link(inside)


def unlink(inside: Host) -> None:
    """It leaves its VM, on a disk."""
    inside.outer = inside.machine = None


def refresh(inside: Host) -> None:
    """Give a Windows inside what its VM has today."""
    outer, vm = inside.outer, inside.machine
    if outer is None or vm is None:
        return
    inside.clock = outer.clock
    inside.nested = True
    inside.memory = vm.memory.startup  # with dynamic memory, too, the amount stays at startup (facts 3.1)
    inside.cpu = Cpu(vendor=outer.cpu.vendor, name=outer.cpu.name, logical_processors=vm.processor.count)
    _refresh_adapters(inside, vm)


def _refresh_adapters(inside: Host, vm: Vm) -> None:
    """The VM's adapters are the physical ones inside; one that was pulled out keeps its name, so that the next has another (facts 6.3)."""
    known = {adapter.device: adapter for adapter in inside.adapters if adapter.device}
    for port in vm.adapters:
        adapter = known.pop(port.id, None) or _plug_in(inside, port)
        adapter.mac = port.mac
        adapter.description = adapter.description or _description(inside, port)
        if adapter.status != "Disabled":
            adapter.status = "Up" if port.switch else "Disconnected"
    for adapter in known.values():
        adapter.status = "Not Present"


def _plug_in(inside: Host, port: Adapter) -> HostAdapter:
    adapter = HostAdapter(
        name=first_free("Ethernet", " ", (known.name for known in inside.adapters)),
        index=ids.new_interface_index(inside),
        id=ids.guid(inside, "device", port.id),
        device=port.id,
    )
    inside.adapters.append(adapter)
    return adapter


def _description(inside: Host, port: Adapter) -> str:
    legacy = "Intel 21140-Based PCI Fast Ethernet Adapter (Emulated)"
    stem = legacy if port.legacy else "Microsoft Hyper-V Network Adapter"
    return first_free(stem, " #", (known.description for known in inside.adapters))


def extensions_visible(host: Host) -> bool:
    """Whether virtualization extensions are there for a hypervisor; those of a VM change only while it is off (facts 2.1)."""
    return host.machine is None or host.machine.processor.expose_virtualization_extensions


def hyperv_works(host: Host) -> bool:
    """Whether Windows has started with the role Hyper-V; one that is being removed works until the restart."""
    return host.hyperv in ("installed", "uninstall_pending")


def vmms_runs(host: Host) -> bool:
    """Whether the Virtual Machine Management service is there and runs."""
    return hyperv_works(host) and host.vmms_running


def has_module(host: Host) -> bool:
    """Whether the Hyper-V PowerShell module is installed."""
    return host.hyperv != "absent" if host.hyperv_module is None else host.hyperv_module


def hypervisor_runs(host: Host) -> bool:
    """Whether this Windows runs on a hypervisor of its own: Hyper-V is installed and was started, and the processor lets it."""
    return hyperv_works(host) and host.hypervisor_running and extensions_visible(host)


def hyperv_inside(vm: Vm) -> bool:
    """Whether Hyper-V runs in a VM: what is inside tells, where it is modelled."""
    inside = vm.guest.windows
    return vm.guest.hyperv_running if inside is None else hypervisor_runs(inside)
