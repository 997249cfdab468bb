# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: network adapters of VMs and of the management operating system, and virtual switches."""

from __future__ import annotations

import re
import typing as t

from .. import ids
from ..calls import NotSimulated
from ..lookup import as_list, vms_of
from ..model import Adapter, HostAdapter, Switch
from ..network_objects import (
    NetworkAdapterBase,
    VMInternalNetworkAdapter,
    VMNetworkAdapter,
    VMSwitch,
)
from ..simulates import refuse_unless, simulate
from ..text import first_free, same_text
from ..wildcards import has_wildcards, matcher
from ..wiring import external_switch_on, management_adapters, physical_adapter, switch_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..calls import Call
    from ..model import Host, Vm

_TRANSITIONAL = ("Starting", "Stopping", "Saving", "Pausing", "Resuming")
_WRONG_STATE = "The operation cannot be performed while the object is in its current state."
_NO_ADAPTER = "No network adapter was found with the given criteria."
_ICS = "The automatic Internet Connection Sharing switch cannot be modified."


# VMs and their adapters


def _adapters(call: Call, vms: Iterable[Vm], literal: bool = False) -> list[VMNetworkAdapter]:
    """Their adapters that -Name selects: it is a filter (facts 4), and several adapters of one name are normal."""
    names = None if call.get("Name") is None else [str(name) for name in as_list(call.get("Name"))]
    tests = None if names is None else [(lambda text, name=name: same_text(text, name)) if literal else matcher(name) for name in names]
    return [
        VMNetworkAdapter(call.host, vm, adapter)
        for vm in vms
        for adapter in vm.adapters
        if tests is None or any(test(adapter.name) for test in tests)
    ]


def _given_adapters(call: Call) -> list[NetworkAdapterBase]:
    """The adapters of -VMNetworkAdapter that are still there."""
    there = []
    for item in as_list(call.get("VMNetworkAdapter")):
        if not isinstance(item, NetworkAdapterBase) or item.gone():
            call.write_error("ObjectNotFound", "ObjectNotFound", _NO_ADAPTER)
        else:
            there.append(item)
    return there


def _management(call: Call) -> list[VMInternalNetworkAdapter]:
    found = [VMInternalNetworkAdapter(call.host, a) for a in call.host.adapters if switch_of(call.host, a.switch)]
    if call.get("SwitchName") is not None:
        fits = matcher(call.get("SwitchName"))
        found = [item for item in found if fits(item.switch_name())]
    if call.get("Name") is not None:
        fits = matcher(call.get("Name"))
        found = [item for item in found if fits(item.name())]
    return found


def _selected(call: Call, literal: bool = False) -> list[NetworkAdapterBase]:
    """What a changing cmdlet works on; a filter that selects nothing is an error (gh:Qonfused/OSX-Hyper-V#35)."""
    if "VMNetworkAdapter" in call.values:
        return _given_adapters(call)
    if "ManagementOS" in call.values:
        found: list[NetworkAdapterBase] = [*_management(call)]
    else:
        vms = vms_of(call)
        if not vms:
            return []
        found = [*_adapters(call, vms, literal)]
    if not found:
        call.write_error("ObjectNotFound", "ObjectNotFound", _NO_ADAPTER)
    return found


@simulate("Hyper-V\\Get-VMNetworkAdapter", "VM VMName Name IsLegacy ManagementOS SwitchName All")
def get_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """Adapters of VMs, of the host, or of both; a -Name that nothing has gives nothing (facts 4 leaves it open)."""
    if "ManagementOS" in call.values:
        yield from _management(call)
        return
    vms = call.host.vms if "All" in call.values else vms_of(call)
    legacy = call.get("IsLegacy")
    yield from (item for item in _adapters(call, vms) if legacy is None or item.adapter.legacy == legacy)
    if "All" in call.values:
        yield from _management(call)


@simulate(
    "Hyper-V\\Set-VMNetworkAdapter",
    "VM VMName Name VMNetworkAdapter ManagementOS MacAddressSpoofing DynamicMacAddress StaticMacAddress Passthru "
    "DhcpGuard RouterGuard AllowTeaming IeeePriorityTag DeviceNaming PortMirroring",
)
def set_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """MAC address spoofing in any settled state, the MAC address itself only while the VM is off (facts 4)."""
    for parameter in ("DhcpGuard", "RouterGuard", "AllowTeaming", "IeeePriorityTag", "DeviceNaming"):
        refuse_unless(call, parameter, "Off")
    refuse_unless(call, "PortMirroring", "None")
    static = _static_mac(call)
    for item in _selected(call):
        if isinstance(item, VMNetworkAdapter):
            if not _set_vm_adapter(call, item, static):
                continue
        else:
            refuse_unless(call, "MacAddressSpoofing", "Off")
        if call.get("Passthru"):
            yield item


def _set_vm_adapter(call: Call, item: VMNetworkAdapter, static: str | None) -> bool:
    new_mac = static is not None or bool(call.get("DynamicMacAddress"))
    if item.vm.state in _TRANSITIONAL or item.vm.move is not None or (new_mac and item.vm.state != "Off"):
        _device_error(call, item.vm, "modify", "InvalidState", "InvalidOperation", _WRONG_STATE)
        return False
    if call.get("MacAddressSpoofing") is not None:
        item.adapter.mac_address_spoofing = call.get("MacAddressSpoofing") == "On"
    if static is not None:
        item.adapter.mac, item.adapter.dynamic_mac = static, False
    elif call.get("DynamicMacAddress"):
        item.adapter.dynamic_mac = True
    return True


def _static_mac(call: Call) -> str | None:
    """-StaticMacAddress without separators."""
    given = call.get("StaticMacAddress")
    if given is None:
        return None
    bare = re.sub(r"[-:.]", "", given).upper()
    if not re.fullmatch(r"[0-9A-F]{12}", bare):
        call.fail("InvalidParameter", "InvalidArgument", f"The MAC address '{given}' is not valid.")
    return bare


def _device_error(call: Call, vm: Vm, verb: str, kind: str, category: str, reason: str) -> None:
    """A refused device in Hyper-V's four parts (facts 2.2)."""
    head, where = f"Failed to {verb} device 'Ethernet Adapter'.", f"(Virtual machine ID {vm.id.upper()})"
    long = f"'{vm.name}' failed to {verb} device 'Ethernet Adapter'. {where}"
    call.write_error(kind, category, f"{head}\n{reason}\n{long}\n{reason} {where}")


def _may_plug(call: Call, vm: Vm, verb: str, legacy: bool) -> bool:
    """Adapters come and go while the VM runs in generation 2 only, and legacy ones never do."""
    if vm.state == "Off" and vm.move is None:
        return True
    if vm.state == "Running" and vm.move is None and vm.generation == 2 and not legacy:
        return True
    _device_error(call, vm, verb, "InvalidState", "InvalidOperation", _WRONG_STATE)
    return False


@simulate(
    "Hyper-V\\Add-VMNetworkAdapter",
    "VM VMName Name ManagementOS SwitchName IsLegacy DynamicMacAddress StaticMacAddress DeviceNaming Passthru",
)
def add_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """The new adapter is called "Network Adapter" unless told otherwise, so that names repeat (cmdlets.md 8)."""
    refuse_unless(call, "DeviceNaming", "Off")
    switch = _connectable(call)
    static = _static_mac(call)
    added: list[NetworkAdapterBase] = []
    if "ManagementOS" in call.values:
        if switch is None:
            raise NotSimulated("Add-VMNetworkAdapter -ManagementOS without -SwitchName")
        _refuse_automatic(call, switch)
        _refuse_private(call, switch)
        host_adapter = _add_management_adapter(call.host, switch, call.get("Name") or switch.name)
        host_adapter.mac = static or host_adapter.mac
        added = [VMInternalNetworkAdapter(call.host, host_adapter)]
    else:
        added = [*_add_to_vms(call, switch, static)]
    if call.get("Passthru"):
        yield from added


def _add_to_vms(call: Call, switch: Switch | None, static: str | None) -> Iterator[VMNetworkAdapter]:
    legacy = bool(call.get("IsLegacy"))
    for vm in vms_of(call):
        if legacy and vm.generation == 2:
            _device_error(call, vm, "add", "InvalidParameter", "InvalidArgument", "A legacy network adapter needs a generation 1 VM.")
        elif _may_plug(call, vm, "add", legacy):
            adapter = Adapter(name=call.get("Name") or "Network Adapter", id=ids.new_guid(call.host), legacy=legacy)
            adapter.switch = switch.id if switch else None
            if static:
                adapter.mac, adapter.dynamic_mac = static, False
            elif vm.state == "Running":
                # a dynamic MAC address comes with the first start, and this VM has started already
                adapter.mac = ids.new_mac(call.host)
            vm.adapters.append(adapter)
            yield VMNetworkAdapter(call.host, vm, adapter)


@simulate("Hyper-V\\Remove-VMNetworkAdapter", "VM VMName Name VMNetworkAdapter ManagementOS SwitchName Passthru")
def remove_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """Its -Name does not expand wildcards (measured, facts 4)."""
    for item in _selected(call, literal=True):
        if isinstance(item, VMNetworkAdapter):
            if not _may_plug(call, item.vm, "remove", item.adapter.legacy):
                continue
            item.vm.adapters[:] = [adapter for adapter in item.vm.adapters if adapter is not item.adapter]
            if item.vm.first_boot == item.adapter.id:
                item.vm.first_boot = ""
        elif isinstance(item, VMInternalNetworkAdapter):
            switch = item.switch()
            if switch:
                _refuse_automatic(call, switch)
            _drop_host_adapter(call.host, item.adapter)
        if call.get("Passthru"):
            yield item


@simulate("Hyper-V\\Connect-VMNetworkAdapter", "VMName Name VMNetworkAdapter SwitchName VMSwitch Passthru")
def connect_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """Works in every state: a cable is plugged in."""
    switch = _connectable(call)
    yield from _wire(call, switch)


@simulate("Hyper-V\\Disconnect-VMNetworkAdapter", "VMName Name VMNetworkAdapter Passthru")
def disconnect_vm_network_adapter(call: Call) -> Iterator[NetworkAdapterBase]:
    """The cable is pulled out."""
    yield from _wire(call, None)


def _wire(call: Call, switch: Switch | None) -> Iterator[NetworkAdapterBase]:
    for item in _selected(call):
        if isinstance(item, VMNetworkAdapter):
            item.adapter.switch = switch.id if switch else None
            if call.get("Passthru"):
                yield item


def _connectable(call: Call) -> Switch | None:
    """The switch of -VMSwitch or -SwitchName; a name that is missing or not unique is an error (facts 5.1, cmdlets.md 8)."""
    given = call.get("VMSwitch")
    if given is not None:
        if not isinstance(given, VMSwitch) or given.gone():
            call.fail("ObjectNotFound", "ObjectNotFound", "The virtual switch was not found.")
        return given.switch
    name = call.get("SwitchName")
    return None if name is None else switch_called(call, name)


def switch_called(call: Call, name: str) -> Switch:
    """The one switch of that name; ends the call when there is none, or more than one."""
    found = [switch for switch in call.host.switches if same_text(switch.name, name)]
    if not found:
        call.fail("InvalidParameter", "InvalidArgument", f'Hyper-V was unable to find a virtual switch with name "{name}".')
    if len(found) > 1:
        call.fail("InvalidParameter", "InvalidArgument", f'Hyper-V has found more than one virtual switch with name "{name}".')
    return found[0]


# Switches


def _named_switches(call: Call, name: str) -> list[Switch]:
    """Wildcards that match nothing are no error, a plain name is: InvalidParameter, measured for Get-VMSwitch (facts 2.5)."""
    fits = matcher(name)
    found = [switch for switch in call.host.switches if fits(switch.name)]
    if not found and not has_wildcards(name):
        text = f'Hyper-V was unable to find a virtual switch with name "{name}".'
        call.write_error("InvalidParameter", "InvalidArgument", text)
    return found


def _given_switches(call: Call) -> list[Switch]:
    there = []
    for item in as_list(call.get("VMSwitch")):
        if not isinstance(item, VMSwitch) or item.gone():
            name = item.switch.name if isinstance(item, VMSwitch) else ""
            text = f'Hyper-V was unable to find a virtual switch with name "{name}".'
            call.write_error("ObjectNotFound", "ObjectNotFound", text)
        else:
            there.append(item.switch)
    return there


def _selected_switches(call: Call) -> list[Switch]:
    if "VMSwitch" in call.values:
        return _given_switches(call)
    return [switch for name in as_list(call.get("Name")) for switch in _named_switches(call, name)]


@simulate("Hyper-V\\Get-VMSwitch", "Name Id SwitchType")
def get_vm_switch(call: Call) -> Iterator[VMSwitch]:
    """All switches, or those of a name or of ids."""
    found: list[Switch] = call.host.switches
    if call.get("Name") is not None:
        found = _named_switches(call, call.get("Name"))
    elif call.get("Id") is not None:
        found = []
        for wanted in as_list(call.get("Id")):
            switch = switch_of(call.host, wanted)
            if switch:
                found.append(switch)
            else:
                text = f'Hyper-V was unable to find a virtual switch with id "{wanted}".'
                call.write_error("InvalidParameter", "InvalidArgument", text)
    types = call.get("SwitchType")
    yield from (VMSwitch(call.host, switch) for switch in found if not types or switch.type in types)


@simulate(
    "Hyper-V\\New-VMSwitch",
    "Name SwitchType NetAdapterName NetAdapterInterfaceDescription AllowManagementOS Notes "
    "MinimumBandwidthMode EnableIov EnablePacketDirect EnableEmbeddedTeaming",
)
def new_vm_switch(call: Call) -> Iterator[VMSwitch]:
    """A name that another switch has is no error (facts 5.1); a physical adapter makes it external."""
    host = call.host
    refuse_unless(call, "MinimumBandwidthMode", "Default", "Absolute")
    for parameter in ("EnableIov", "EnablePacketDirect", "EnableEmbeddedTeaming"):
        refuse_unless(call, parameter, False)
    physical = _bindable(call)
    switch = Switch(
        name=call.get("Name"),
        id=ids.new_guid(host),
        type="External" if physical else call.get("SwitchType"),
        notes=call.get("Notes") or "",
        allow_management_os=call.get("AllowManagementOS", True),
        adapter=physical.name if physical else None,
    )
    host.switches.append(switch)
    _join_host(host, switch)
    yield VMSwitch(host, switch)


def _bindable(call: Call, own: Switch | None = None) -> HostAdapter | None:
    """The physical adapter that the call names, which no other external switch has."""
    by = next((parameter for parameter in ("NetAdapterName", "NetAdapterInterfaceDescription") if parameter in call.values), None)
    if by is None:
        return None
    names = as_list(call.get(by))
    if len(names) != 1:
        raise NotSimulated(f"{call.cmdlet} with {len(names)} network adapters")
    found = next((a for a in call.host.adapters if same_text(a.name if by == "NetAdapterName" else a.description, names[0])), None)
    if found is None or found.switch is not None or found.status == "Not Present":
        call.fail("ObjectNotFound", "ObjectNotFound", f"Cannot find a physical network adapter named {names[0]}.")
    taken = external_switch_on(call.host, found)
    if taken is not None and taken is not own:
        text = f"External Ethernet adapter '{found.description}' is already bound to the Microsoft Virtual Switch protocol."
        call.fail("OperationFailed", "NotSpecified", f"Failed while adding virtual Ethernet switch connections.\n{text}")
    return found


def _join_host(host: Host, switch: Switch) -> None:
    """Give the host its adapter on a switch; that of an external one takes over the physical adapter's addresses."""
    if switch.type == "Private" or not switch.allow_management_os or management_adapters(host, switch):
        return
    new = _add_management_adapter(host, switch, switch.name)
    physical = physical_adapter(host, switch.adapter) if switch.type == "External" else None
    if physical is not None:
        _move_addresses(host, physical, new)


def _move_addresses(host: Host, old: HostAdapter, new: HostAdapter) -> None:
    """All that TCP/IP was told about one adapter goes to another."""
    for address in host.addresses:
        address.adapter = new.index if address.adapter == old.index else address.adapter
    for route in host.routes:
        route.adapter = new.index if route.adapter == old.index else route.adapter
    new.dhcp = new.dhcp if old.dhcp is None else old.dhcp
    new.dns = old.dns or new.dns
    old.dhcp, old.dns = None, []


def _add_management_adapter(host: Host, switch: Switch, name: str) -> HostAdapter:
    """`vEthernet (NAME)`, with a number when the name is taken, by a stale adapter for one (facts 5.2)."""
    adapter = HostAdapter(
        name=first_free(f"vEthernet ({name})", " ", (a.name for a in host.adapters)),
        description=first_free("Hyper-V Virtual Ethernet Adapter", " #", (a.description for a in host.adapters)),
        index=ids.new_interface_index(host),
        id=ids.new_guid(host),
        mac=ids.new_mac(host),
        switch=switch.id,
    )
    host.adapters.append(adapter)
    return adapter


def _drop_host_adapter(host: Host, gone: HostAdapter) -> None:
    host.adapters[:] = [adapter for adapter in host.adapters if adapter is not gone]
    host.addresses[:] = [address for address in host.addresses if address.adapter != gone.index]
    host.routes[:] = [route for route in host.routes if route.adapter != gone.index]


def _leave_host(host: Host, switch: Switch) -> None:
    """Take the host off a switch; the physical adapter of an external one gets the addresses back."""
    physical = physical_adapter(host, switch.adapter) if switch.type == "External" else None
    for adapter in management_adapters(host, switch):
        if physical is not None:
            _move_addresses(host, adapter, physical)
        _drop_host_adapter(host, adapter)


def _refuse_automatic(call: Call, switch: Switch) -> None:
    """The client's Default Switch cannot be changed (facts 5.1)."""
    if switch.automatic:
        call.fail("OperationFailed", "NotSpecified", _ICS)


def _refuse_private(call: Call, switch: Switch) -> None:
    if switch.type == "Private":
        text = f"The private virtual switch '{switch.name}' cannot have an adapter of the management operating system."
        call.fail("InvalidParameter", "InvalidArgument", text)


@simulate(
    "Hyper-V\\Set-VMSwitch",
    "Name VMSwitch SwitchType NetAdapterName NetAdapterInterfaceDescription AllowManagementOS Notes Passthru",
)
def set_vm_switch(call: Call) -> Iterator[VMSwitch]:
    """The kind of switch, its physical adapter, the host's part in it, and its notes."""
    host = call.host
    for switch in _selected_switches(call):
        _refuse_automatic(call, switch)
        physical = _bindable(call, switch)
        kind = "External" if physical else call.get("SwitchType") or switch.type
        if kind == "External" and physical is None and switch.adapter is None:
            text = f"The virtual switch '{switch.name}' needs a network adapter to be external."
            call.fail("InvalidParameter", "InvalidArgument", text)
        allow = call.get("AllowManagementOS", switch.allow_management_os if switch.type != "Private" else True)
        new_adapter = physical.name if physical else (switch.adapter if kind == "External" else None)
        if (kind, new_adapter, allow) != (switch.type, switch.adapter, switch.allow_management_os):
            _rebuild(host, switch, kind, new_adapter, allow)
        if call.get("Notes") is not None:
            switch.notes = call.get("Notes")
        if call.get("Passthru"):
            yield VMSwitch(host, switch)


def _rebuild(host: Host, switch: Switch, kind: t.Any, adapter: str | None, allow: bool) -> None:
    """Change what a switch is; its management adapter stays when it has one before and after."""
    old = physical_adapter(host, switch.adapter)
    keeps = kind != "Private" and allow
    if not keeps:
        _leave_host(host, switch)
    switch.type, switch.adapter, switch.allow_management_os = kind, adapter, allow
    if keeps:
        own = management_adapters(host, switch)
        new = physical_adapter(host, adapter)
        if own and old is not None and old is not new:
            _move_addresses(host, own[0], old)
        if own and new is not None and new is not old:
            _move_addresses(host, new, own[0])
    _join_host(host, switch)


@simulate("Hyper-V\\Remove-VMSwitch", "Name VMSwitch Force")
def remove_vm_switch(call: Call) -> Iterator[VMSwitch]:
    """Takes the host's adapters on it along, leaves NAT objects alone (facts 5.4), and disconnects VMs."""
    for switch in _selected_switches(call):
        _refuse_automatic(call, switch)
        _leave_host(call.host, switch)
        call.host.switches[:] = [other for other in call.host.switches if other is not switch]
        for vm in call.host.vms:
            for adapter in vm.adapters:
                if adapter.switch == switch.id:
                    adapter.switch = None
    yield from ()
