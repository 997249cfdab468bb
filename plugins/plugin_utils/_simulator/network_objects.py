# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the objects of the network: VM and management adapters, switches, and the CIM instances of host and IP cmdlets."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from datetime import timedelta

from . import power, tree, wiring
from .calls import Live
from .model import Address
from .wiring import has_ip, physical_adapter, switch_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .model import Adapter, Host, HostAdapter, Lease, Nat, Route, StaticMapping, Switch, Vm

Properties: t.TypeAlias = "Mapping[str, Callable[[t.Any], t.Any]]"

_NO_GUID = "00000000-0000-0000-0000-000000000000"
_FOREVER = timedelta(days=10675199, hours=2, minutes=48, seconds=5, microseconds=477580)
"""An infinite lifetime: TimeSpan.MaxValue (facts 9.3)."""

ON_LINK = {"IPv4": "0.0.0.0", "IPv6": "::"}  # noqa: S104 - no socket is bound
"""The next hop of a route to the adapter's own network."""

LOOPBACK = 1
"""Interface index of the loopback, which has no adapter that Get-NetAdapter shows."""


def bare_mac(mac: str) -> str:
    """A MAC address as VMNetworkAdapter.MacAddress writes it: 00155D006A01 (facts 4)."""
    return re.sub(r"[^0-9A-Fa-f]", "", mac).upper()


def link_local(mac: str) -> tuple[str, str]:
    """The IPv4 and the IPv6 address that an adapter gives itself."""
    octets = bytes.fromhex(bare_mac(mac).rjust(12, "0")[:12])
    interface_id = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    ipv6 = ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + interface_id)
    return f"169.254.{octets[4]}.{max(1, min(octets[5], 254))}", str(ipv6)


def guest_addresses(host: Host, vm: Vm, adapter: Adapter) -> list[str]:
    """What the guest reports through its integration services: nothing, then what it gave itself, then its addresses (facts 4)."""
    if switch_of(host, adapter.switch) is None or "kvp" in vm.disabled_services or not power.services_up(host, vm):
        return []
    if power.addresses_known(host, vm):
        if vm.guest.windows is not None:
            return _addresses_inside(vm.guest.windows, adapter)
        if adapter.addresses:
            return list(adapter.addresses)
        if given := wiring.offer(wiring.way_out_of_vm(host, adapter), adapter.id):
            return [given.address, link_local(adapter.mac)[1]]
    return list(link_local(adapter.mac))


def _addresses_inside(inside: Host, adapter: Adapter) -> list[str]:
    """The addresses of the Windows inside on a VM's adapter, IPv4 first and without zones (facts 9.4)."""
    tree.refresh(inside)
    indices = {own.index for own in inside.adapters if wiring.port_below(inside, own) is adapter}
    found = [item.address.address.partition("%")[0] for item in visible_addresses(inside) if item.address.adapter in indices]
    return sorted(found, key=lambda address: ":" in address)


def dhcp_on(host: Host, adapter: HostAdapter) -> bool:
    """Whether an adapter asks for an IPv4 address: until somebody gives it one by hand, unless somebody has said otherwise (facts 6.1)."""
    by_hand = any(a.adapter == adapter.index and a.origin == "Manual" and _family(a.address) == "IPv4" for a in host.addresses)
    return not by_hand if adapter.dhcp is None else adapter.dhcp


def lease(host: Host, adapter: HostAdapter) -> Lease | None:
    """What an adapter has from DHCP, if it asks for it, has no other address, has had the time, and there is a server."""
    has_one = any(address.adapter == adapter.index and _family(address.address) == "IPv4" for address in host.addresses)
    if has_one or adapter.status != "Up" or not dhcp_on(host, adapter) or host.clock < adapter.leased_from:
        return None
    outer, vm, physical = host.outer, host.machine, wiring.physical_below(host, adapter)
    if outer is None or vm is None:
        return physical.lease if physical else None
    port = wiring.port_below(host, adapter)
    if port is None or power.uptime(outer, vm) < vm.guest.address_seconds:
        return None
    return wiring.offer(wiring.way_out(host, adapter), port.id)


def _leases(host: Host, adapters: Iterable[HostAdapter]) -> list[Address]:
    return [
        Address(address=found.address, prefix_length=found.prefix_length, adapter=adapter.index, origin="Dhcp")
        for adapter in adapters
        if (found := lease(host, adapter))
    ]


class VirtualizationObject(Live):
    """Any object of the Hyper-V module; `gone` says that what it stood for exists no longer."""

    def gone(self) -> bool:
        """Whether the host has lost it since it was read."""
        raise NotImplementedError


_BASE = ("Microsoft.HyperV.PowerShell.VirtualizationObject", "System.Object")
_DEVICE = (
    "Microsoft.HyperV.PowerShell.VMNetworkAdapterBase",
    "Microsoft.HyperV.PowerShell.VMDevice",
    "Microsoft.HyperV.PowerShell.VMComponentObject",
    *_BASE,
)


class NetworkAdapterBase(VirtualizationObject):
    """A VM's network adapter or one of the management operating system."""

    def switch(self) -> Switch | None:
        """The switch that it is connected to."""
        raise NotImplementedError

    def switch_name(self) -> str:
        """Empty without a switch (facts 4)."""
        switch = self.switch()
        return switch.name if switch else ""

    def switch_id(self) -> str | None:
        """None without a switch."""
        switch = self.switch()
        return switch.id if switch else None


_PORT: Properties = {
    "SwitchName": lambda self: self.switch_name(),
    "SwitchId": lambda self: self.switch_id(),
    "Connected": lambda self: self.switch() is not None,
    # features of the port that the model does not hold; Set-VMNetworkAdapter refuses them
    "DhcpGuard": lambda self: "Off",
    "RouterGuard": lambda self: "Off",
    "AllowTeaming": lambda self: "Off",
    "IeeePriorityTag": lambda self: "Off",
    "PortMirroringMode": lambda self: "None",
    "ComputerName": lambda self: self.host.name,
    "IsDeleted": lambda self: self.gone(),
}


class VMNetworkAdapter(NetworkAdapterBase):
    """A VM's network adapter."""

    type_names = ("Microsoft.HyperV.PowerShell.VMNetworkAdapter", *_DEVICE)
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.adapter.name,
        "Id": lambda self: f"Microsoft:{self.vm.id.upper()}\\{self.adapter.id.upper()}",
        "AdapterId": lambda self: self.adapter.id.upper(),
        "VMId": lambda self: self.vm.id,
        "VMName": lambda self: self.vm.name,
        "VMSnapshotId": lambda self: _NO_GUID,
        "VMSnapshotName": lambda self: "",
        "MacAddress": lambda self: bare_mac(self.adapter.mac),
        "DynamicMacAddressEnabled": lambda self: self.adapter.dynamic_mac,
        "MacAddressSpoofing": lambda self: "On" if self.adapter.mac_address_spoofing else "Off",
        "IsManagementOs": lambda self: False,
        "IsExternalAdapter": lambda self: False,
        "IsLegacy": lambda self: self.adapter.legacy,
        "IsSynthetic": lambda self: not self.adapter.legacy,
        "IPAddresses": lambda self: guest_addresses(self.host, self.vm, self.adapter),
        "Status": lambda self: ["Ok"] if self.vm.state == "Running" else [],
        "StatusDescription": lambda self: ["OK"] if self.vm.state == "Running" else [],
        "DeviceNaming": lambda self: "Off",
        "PoolName": lambda self: "Primordial",
        **_PORT,
    }

    def __init__(self, host: Host, vm: Vm, adapter: Adapter) -> None:
        super().__init__(host)
        self.vm = vm
        self.adapter = adapter

    def switch(self) -> Switch | None:
        return switch_of(self.host, self.adapter.switch)

    def gone(self) -> bool:
        return not any(a is self.adapter for a in self.vm.adapters) or not any(vm is self.vm for vm in self.host.vms)


class VMInternalNetworkAdapter(NetworkAdapterBase):
    """An adapter of the management operating system; it belongs to no VM, and has no DeviceNaming (gh:rchaganti/HyperVDsc#30)."""

    type_names = ("Microsoft.HyperV.PowerShell.VMInternalNetworkAdapter", *_DEVICE)
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.name(),
        "Id": lambda self: f"Microsoft:{self.adapter.switch.upper()}\\{self.adapter.id.upper()}",
        "AdapterId": lambda self: self.adapter.id.upper(),
        "DeviceId": lambda self: device_id(self.adapter),
        "MacAddress": lambda self: bare_mac(self.adapter.mac),
        "MacAddressSpoofing": lambda self: "Off",
        "IsManagementOs": lambda self: True,
        "IsExternalAdapter": lambda self: False,
        "Status": lambda self: ["Ok"],
        "StatusDescription": lambda self: ["OK"],
        **_PORT,
    }

    def __init__(self, host: Host, adapter: HostAdapter) -> None:
        super().__init__(host)
        self.adapter = adapter

    def switch(self) -> Switch | None:
        return switch_of(self.host, self.adapter.switch)

    def name(self) -> str:
        """Hyper-V's own name: that of the switch, for the adapter that came with it."""
        inner = re.fullmatch(r"vEthernet \((.*)\)(?: \d+)?", self.adapter.name, re.IGNORECASE)
        return inner[1] if inner else self.switch_name()

    def gone(self) -> bool:
        return not any(adapter is self.adapter for adapter in self.host.adapters)


def _interface(self: VMSwitch, value: Callable[[HostAdapter], str]) -> str | None:
    adapter = physical_adapter(self.host, self.switch.adapter)
    return value(adapter) if adapter else None


class VMSwitch(VirtualizationObject):
    """A virtual switch."""

    type_names = ("Microsoft.HyperV.PowerShell.VMSwitch", *_BASE)
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.switch.name,
        "Id": lambda self: self.switch.id,
        "SwitchType": lambda self: self.switch.type,
        "Notes": lambda self: self.switch.notes,
        "AllowManagementOS": lambda self: self.switch.type != "Private" and self.switch.allow_management_os,
        "NetAdapterInterfaceDescription": lambda self: _interface(self, lambda adapter: adapter.description),
        "NetAdapterInterfaceDescriptions": lambda self: [d] if (d := _interface(self, lambda adapter: adapter.description)) else None,
        "NetAdapterInterfaceGuid": lambda self: [g] if (g := _interface(self, lambda adapter: adapter.id)) else None,
        "EmbeddedTeamingEnabled": lambda self: False,
        "IovEnabled": lambda self: False,
        "PacketDirectEnabled": lambda self: False,
        "BandwidthReservationMode": lambda self: "Absolute",
        "ComputerName": lambda self: self.host.name,
        "IsDeleted": lambda self: self.gone(),
    }

    def __init__(self, host: Host, switch: Switch) -> None:
        super().__init__(host)
        self.switch = switch

    def gone(self) -> bool:
        return not any(switch is self.switch for switch in self.host.switches)


def cim_names(class_name: str, namespace: str = "ROOT/StandardCimv2") -> tuple[str, ...]:
    """PSTypeNames of a CIM instance: with the namespace, without it, and the .NET type."""
    plain = "Microsoft.Management.Infrastructure.CimInstance"
    return (f"{plain}#{namespace}/{class_name}", f"{plain}#{class_name}", plain, "System.Object")


class CimInstance(Live):
    """An instance of a CIM class; `Host.without_properties` names it by that class."""

    def names(self) -> list[str]:
        short = self.type_names[0].rpartition("/")[2]
        return [name for name in self.properties if f"{short}.{name}" not in self.host.without_properties]

    def gone(self) -> bool:
        """Whether the host has lost what it describes."""
        return False


def device_id(adapter: HostAdapter) -> str:
    """The adapter's id as VMInternalNetworkAdapter.DeviceId and MSFT_NetAdapter.DeviceID write it."""
    return f"{{{adapter.id.upper()}}}"


class NetAdapter(CimInstance):
    """A network adapter of the host."""

    type_names = cim_names("MSFT_NetAdapter")
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.adapter.name,
        "InterfaceAlias": lambda self: self.adapter.name,
        "ifAlias": lambda self: self.adapter.name,
        "InterfaceIndex": lambda self: self.adapter.index,
        "ifIndex": lambda self: self.adapter.index,
        "InterfaceDescription": lambda self: self.adapter.description,
        "ifDesc": lambda self: self.adapter.description,
        "InterfaceGuid": lambda self: device_id(self.adapter),
        "DeviceID": lambda self: device_id(self.adapter),
        "Status": lambda self: self.adapter.status,
        "AdminStatus": lambda self: "Down" if self.adapter.status == "Disabled" else "Up",
        "MediaConnectionState": lambda self: "Connected" if self.adapter.status == "Up" else "Disconnected",
        "MacAddress": lambda self: "-".join(re.findall("..", bare_mac(self.adapter.mac))),
        "PermanentAddress": lambda self: bare_mac(self.adapter.mac),
        "LinkSpeed": lambda self: "10 Gbps" if self.adapter.status == "Up" else "0 bps",
        "Hidden": lambda self: self.adapter.hidden,
        "Virtual": lambda self: self.adapter.switch is not None,
        "HardwareInterface": lambda self: self.adapter.switch is None,
        "ConnectorPresent": lambda self: self.adapter.switch is None,
    }

    def __init__(self, host: Host, adapter: HostAdapter) -> None:
        super().__init__(host)
        self.adapter = adapter

    def gone(self) -> bool:
        return not any(adapter is self.adapter for adapter in self.host.adapters)


def _alias(host: Host, index: int) -> str:
    if index == LOOPBACK:
        return "Loopback Pseudo-Interface 1"
    return next((adapter.name for adapter in host.adapters if adapter.index == index), "")


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def address_state(host: Host, address: Address) -> str:
    """Tentative until duplicate address detection has ended (facts 5.6)."""
    return "Tentative" if host.clock < address.preferred_from else address.state


_SUFFIXES = {"Manual": "Manual", "Dhcp": "Dhcp", "WellKnown": "Link"}


class NetIPAddress(CimInstance):
    """An IP address in one of the two stores; `stored` tells one that the model holds from one that Windows makes by itself."""

    type_names = cim_names("MSFT_NetIPAddress")
    properties: t.ClassVar[Properties] = {
        "IPAddress": lambda self: self.address.address,
        "IPv4Address": lambda self: self.address.address if ":" not in self.address.address else None,
        "IPv6Address": lambda self: self.address.address if ":" in self.address.address else None,
        "PrefixLength": lambda self: self.address.prefix_length,
        "AddressFamily": lambda self: _family(self.address.address),
        "InterfaceIndex": lambda self: self.address.adapter,
        "ifIndex": lambda self: self.address.adapter,
        "InterfaceAlias": lambda self: _alias(self.host, self.address.adapter),
        "Type": lambda self: "Unicast",
        "PrefixOrigin": lambda self: self.address.origin,
        "SuffixOrigin": lambda self: "WellKnown" if self.address.adapter == LOOPBACK else _SUFFIXES[self.address.origin],
        "AddressState": lambda self: address_state(self.host, self.address) if self.store == "ActiveStore" else "Invalid",
        "ValidLifetime": lambda self: _FOREVER,
        "PreferredLifetime": lambda self: _FOREVER,
        "SkipAsSource": lambda self: False,
        "PolicyStore": lambda self: self.store,
        "Store": lambda self: self.store,
    }

    def __init__(self, host: Host, address: Address, store: str = "ActiveStore", stored: bool = True) -> None:
        super().__init__(host)
        self.address = address
        self.store = store
        self.stored = stored

    def gone(self) -> bool:
        return self.stored and not any(address is self.address for address in self.host.addresses)


class NetIPInterface(CimInstance):
    """One address family of an interface."""

    type_names = cim_names("MSFT_NetIPInterface")
    properties: t.ClassVar[Properties] = {
        "InterfaceIndex": lambda self: self.index,
        "ifIndex": lambda self: self.index,
        "InterfaceAlias": lambda self: _alias(self.host, self.index),
        "ifAlias": lambda self: _alias(self.host, self.index),
        "AddressFamily": lambda self: self.family,
        "Dhcp": lambda self: self.dhcp(),
        "ConnectionState": lambda self: "Connected" if self.adapter is None or self.adapter.status == "Up" else "Disconnected",
        "PolicyStore": lambda self: "ActiveStore",
        "Store": lambda self: "ActiveStore",
    }

    def __init__(self, host: Host, adapter: HostAdapter | None, family: str) -> None:
        super().__init__(host)
        self.adapter = adapter
        self.index = adapter.index if adapter else LOOPBACK
        self.family = family

    def dhcp(self) -> str:
        """IPv4 only: DHCP for IPv6 is not modelled."""
        return "Enabled" if self.adapter and self.family == "IPv4" and dhcp_on(self.host, self.adapter) else "Disabled"

    def gone(self) -> bool:
        return self.adapter is not None and not any(adapter is self.adapter for adapter in self.host.adapters)


class NetRoute(CimInstance):
    """A route: `route` is one that was set by hand; others come with an address or from DHCP."""

    type_names = cim_names("MSFT_NetRoute")
    properties: t.ClassVar[Properties] = {
        "DestinationPrefix": lambda self: self.prefix,
        "NextHop": lambda self: self.next_hop,
        "RouteMetric": lambda self: self.metric,
        "InterfaceIndex": lambda self: self.index,
        "ifIndex": lambda self: self.index,
        "InterfaceAlias": lambda self: _alias(self.host, self.index),
        "AddressFamily": lambda self: _family(self.prefix),
        "PolicyStore": lambda self: self.store,
        "Store": lambda self: self.store,
    }

    def __init__(
        self, host: Host, prefix: str, index: int, next_hop: str = "", store: str = "ActiveStore", route: Route | None = None
    ) -> None:
        super().__init__(host)
        self.prefix = prefix
        self.index = index
        self.next_hop = next_hop or ON_LINK[_family(prefix)]
        self.store = store
        self.route = route

    @property
    def metric(self) -> int:
        """256, also of a route that comes with an address; 0 of DHCP's default route (idx:4576577833)."""
        if self.route is not None:
            return self.route.metric
        return 256 if self.next_hop == ON_LINK[_family(self.prefix)] else 0

    def gone(self) -> bool:
        return self.route is not None and not any(route is self.route for route in self.host.routes)


NAT_SETTINGS: Mapping[str, t.Any] = {
    "IcmpQueryTimeout": 30,
    "TcpEstablishedConnectionTimeout": 1800,
    "TcpTransientConnectionTimeout": 120,
    "TcpFilteringBehavior": "AddressDependentFiltering",
    "UdpFilteringBehavior": "AddressDependentFiltering",
    "UdpIdleSessionTimeout": 120,
    "UdpInboundRefresh": False,
}
"""What Set-NetNat may change, with a fresh object's values (facts 5.5)."""


def _setting(name: str) -> Callable[[t.Any], t.Any]:
    return lambda self: self.nat.settings.get(name, NAT_SETTINGS[name])


class NetNat(CimInstance):
    """A NAT object."""

    type_names = cim_names("MSFT_NetNat")
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.nat.name,
        "InstanceID": lambda self: f"{self.nat.name};0",
        "ExternalIPInterfaceAddressPrefix": lambda self: self.nat.external_prefix,
        "InternalIPInterfaceAddressPrefix": lambda self: self.nat.prefix,
        "InternalRoutingDomainId": lambda self: f"{{{_NO_GUID}}}",
        **{name: _setting(name) for name in NAT_SETTINGS},
        "Store": lambda self: "Local",
        "Active": lambda self: "True" if self.nat.active and self.host.winnat_running else "False",
    }

    def __init__(self, host: Host, nat: Nat) -> None:
        super().__init__(host)
        self.nat = nat

    def gone(self) -> bool:
        return not any(nat is self.nat for nat in self.host.nats)


class NetNatStaticMapping(CimInstance):
    """A port that a NAT forwards."""

    type_names = cim_names("MSFT_NetNatStaticMapping")
    properties: t.ClassVar[Properties] = {
        "StaticMappingID": lambda self: self.mapping.id,
        "NatName": lambda self: self.nat.name,
        "Protocol": lambda self: self.mapping.protocol,
        "RemoteExternalIPAddressPrefix": lambda self: self.mapping.remote_prefix,
        "ExternalIPAddress": lambda self: self.mapping.external_address,
        "ExternalPort": lambda self: self.mapping.external_port,
        "InternalIPAddress": lambda self: self.mapping.internal_address,
        "InternalPort": lambda self: self.mapping.internal_port,
        "InternalRoutingDomainId": lambda self: f"{{{_NO_GUID}}}",
        "Active": lambda self: "True" if self.nat.active and self.host.winnat_running else "False",
    }

    def __init__(self, host: Host, nat: Nat, mapping: StaticMapping) -> None:
        super().__init__(host)
        self.nat = nat
        self.mapping = mapping

    def gone(self) -> bool:
        return not any(mapping is self.mapping for mapping in self.nat.mappings) or not any(nat is self.nat for nat in self.host.nats)


class Win32Instance(CimInstance):
    """An instance that Get-CimInstance read; `only` are the properties that were asked for, the others are null."""

    def __init__(self, host: Host, only: frozenset[str] | None = None) -> None:
        super().__init__(host)
        self.only = only

    def get(self, name: str) -> t.Any:
        value = super().get(name)
        return value if self.only is None or name.lower() in self.only else None


def visible_addresses(host: Host) -> Iterator[NetIPAddress]:
    """The active store: what the model holds, the loopback's, and those that an interface gives itself (facts 6.1)."""
    bound = [adapter for adapter in host.adapters if has_ip(host, adapter)]
    present = {adapter.index for adapter in bound}
    leases = _leases(host, (adapter for adapter in bound if adapter.status == "Up"))
    with_ipv4 = {address.adapter for address in (*host.addresses, *leases) if ":" not in address.address}
    with_ipv6 = {address.adapter for address in host.addresses if address.address.lower().startswith("fe80:")}
    yield from (NetIPAddress(host, address) for address in host.addresses if address.adapter in present)
    yield from (NetIPAddress(host, address, stored=False) for address in leases)
    for adapter in bound:
        if adapter.status != "Up" or not adapter.mac:
            continue
        ipv4, ipv6 = link_local(adapter.mac)
        if adapter.index not in with_ipv6:
            own = Address(address=f"{ipv6}%{adapter.index}", prefix_length=64, adapter=adapter.index, origin="WellKnown")
            yield NetIPAddress(host, own, stored=False)
        if adapter.index not in with_ipv4 and dhcp_on(host, adapter):
            own = Address(address=ipv4, prefix_length=16, adapter=adapter.index, origin="WellKnown")
            yield NetIPAddress(host, own, stored=False)
    for text, length in (("::1", 128), ("127.0.0.1", 8)):
        loop = Address(address=text, prefix_length=length, adapter=LOOPBACK, origin="WellKnown")
        yield NetIPAddress(host, loop, stored=False)


def active_routes(host: Host) -> list[NetRoute]:
    """The active store: the routes to the networks of the addresses, those that were set by hand, and the default routes of DHCP."""
    bound = [adapter for adapter in host.adapters if has_ip(host, adapter)]
    seen: dict[tuple[str, int], NetRoute] = {}
    for item in visible_addresses(host):
        plain = item.address.address.partition("%")[0]
        prefix = str(ipaddress.ip_network(f"{plain}/{item.address.prefix_length}", strict=False))
        seen[prefix, item.address.adapter] = NetRoute(host, prefix, item.address.adapter)
    present = {adapter.index for adapter in bound}
    by_hand = [NetRoute(host, r.destination, r.adapter, r.next_hop, route=r) for r in host.routes if r.adapter in present]
    given = [(adapter, lease(host, adapter)) for adapter in bound]
    by_dhcp = [NetRoute(host, "0.0.0.0/0", adapter.index, found.gateway) for adapter, found in given if found and found.gateway]
    there = {(route.prefix, route.next_hop, route.index) for route in by_hand}
    return [*seen.values(), *by_hand, *(route for route in by_dhcp if (route.prefix, route.next_hop, route.index) not in there)]


def dns_servers(host: Host, adapter: HostAdapter) -> list[str]:
    """The IPv4 addresses of DNS servers that hold for an adapter: those set by hand go before those of DHCP (cmdlets.md 9)."""
    given = None if adapter.dns else lease(host, adapter)
    return list(given.dns) if given else list(adapter.dns)


class DnsClientServerAddress(CimInstance):
    """The DNS servers of one address family of an interface (facts 6.2)."""

    type_names = cim_names("MSFT_DNSClientServerAddress")
    properties: t.ClassVar[Properties] = {
        "InterfaceIndex": lambda self: self.index,
        "InterfaceAlias": lambda self: _alias(self.host, self.index),
        "AddressFamily": lambda self: {"IPv4": 2, "IPv6": 23}[self.family],
        "ServerAddresses": lambda self: dns_servers(self.host, self.adapter) if self.adapter and self.family == "IPv4" else [],
    }

    def __init__(self, host: Host, adapter: HostAdapter | None, family: str) -> None:
        super().__init__(host)
        self.adapter = adapter
        self.index = adapter.index if adapter else LOOPBACK
        self.family = family

    def gone(self) -> bool:
        return self.adapter is not None and not any(adapter is self.adapter for adapter in self.host.adapters)
