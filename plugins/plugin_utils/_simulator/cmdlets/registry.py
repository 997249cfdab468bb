# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the two places in the registry that are modelled: what TCP/IP keeps of each interface, and what a VM is told of its host."""

from __future__ import annotations

import typing as t

from ..calls import Live, NotSimulated
from ..lookup import as_list
from ..network_objects import device_id, dhcp_on, lease
from ..simulates import simulate
from ..text import same_text
from ..wiring import has_ip

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..calls import Call
    from ..model import Host, HostAdapter, Vm

_GUEST = "HKLM:\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest\\Parameters"
_INTERFACES = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces"


class InterfaceKey(Live):
    """The values of an interface's key, IPv4 only; the key has the name of the interface's Guid (dsccommunity/NetworkingDsc reads it)."""

    type_names = ("System.Management.Automation.PSCustomObject", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "PSChildName": lambda self: device_id(self.adapter).lower(),
        "NameServer": lambda self: ",".join(self.adapter.dns),
        "DhcpNameServer": lambda self: " ".join(given.dns) if (given := lease(self.host, self.adapter)) else "",
        "DhcpDefaultGateway": lambda self: [given.gateway] if (given := lease(self.host, self.adapter)) and given.gateway else [],
        "EnableDHCP": lambda self: int(dhcp_on(self.host, self.adapter)),
    }

    def __init__(self, host: Host, adapter: HostAdapter) -> None:
        super().__init__(host)
        self.adapter = adapter
        self.freeze()


class GuestKey(Live):
    """What the data exchange service tells the Windows in a VM about itself (see the ledger)."""

    type_names = ("System.Management.Automation.PSCustomObject", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "HostName": lambda self: self.outer.name,
        "PhysicalHostName": lambda self: self.outer.name,
        "VirtualMachineName": lambda self: self.vm.name,
        "VirtualMachineId": lambda self: self.vm.id.upper(),
    }

    def __init__(self, host: Host, outer: Host, vm: Vm) -> None:
        super().__init__(host)
        self.outer, self.vm = outer, vm
        self.freeze()


@simulate("Microsoft.PowerShell.Management\\Get-ItemProperty", "Path")
def get_item_property(call: Call) -> Iterator[Live]:
    """The keys of all interfaces, and that of a guest; what is read is a copy."""
    for path in as_list(call.values["Path"]):
        if same_text(path, f"{_INTERFACES}\\*"):
            yield from (InterfaceKey(call.host, adapter) for adapter in call.host.adapters if has_ip(call.host, adapter))
        elif same_text(path, _GUEST):
            yield from _guest_key(call, path)
        else:
            raise NotSimulated(f"{call.cmdlet} -Path {path}: only {_INTERFACES}\\* and {_GUEST}")


def _guest_key(call: Call, path: str) -> Iterator[GuestKey]:
    outer, vm = call.host.outer, call.host.machine
    if outer is None or vm is None or "kvp" in vm.disabled_services or not vm.guest.integration_services:
        call.write_error("PathNotFound", "ObjectNotFound", f"Cannot find path '{path}' because it does not exist.", "ItemNotFoundException")
        return
    yield GuestKey(call.host, outer, vm)
