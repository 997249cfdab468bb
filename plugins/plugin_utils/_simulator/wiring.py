# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what frames pass: adapters, switches, the adapters of VMs that lead to the switch outside, and the physical network.

A VM's adapter lets frames pass that have its own MAC address, and others only with MAC address spoofing (facts 4). The frames of a
VM on an external switch inside have others.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass

from .model import Lan, Lease
from .text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Adapter, Host, HostAdapter, Switch


def switch_of(host: Host, switch_id: str | None) -> Switch | None:
    """The switch of that id."""
    return next((switch for switch in host.switches if switch.id == switch_id), None) if switch_id else None


def management_adapters(host: Host, switch: Switch) -> list[HostAdapter]:
    """The host's own adapters on a switch."""
    return [adapter for adapter in host.adapters if adapter.switch == switch.id]


def physical_adapter(host: Host, name: str | None) -> HostAdapter | None:
    """The host's physical adapter of that name."""
    return next((a for a in host.adapters if a.switch is None and name is not None and same_text(a.name, name)), None)


def external_switch_on(host: Host, adapter: HostAdapter) -> Switch | None:
    """The external switch that has taken a physical adapter."""
    return next((s for s in host.switches if s.type == "External" and physical_adapter(host, s.adapter) is adapter), None)


def physical_below(host: Host, adapter: HostAdapter) -> HostAdapter | None:
    """The physical adapter that carries one: itself, or below a management adapter that of its external switch."""
    if adapter.switch is None:
        return adapter
    switch = switch_of(host, adapter.switch)
    return physical_adapter(host, switch.adapter) if switch is not None and switch.type == "External" else None


def port_below(host: Host, adapter: HostAdapter) -> Adapter | None:
    """The adapter of the VM that carries one of the Windows inside; None on a host that is no VM."""
    physical = physical_below(host, adapter)
    if host.machine is None or physical is None or not physical.device:
        return None
    return next((port for port in host.machine.adapters if port.id == physical.device), None)


def has_ip(host: Host, adapter: HostAdapter) -> bool:
    """Whether TCP/IP is bound: not to a physical adapter that a switch has taken, nor to one that is gone."""
    return adapter.status not in ("Not Present", "Disabled") and external_switch_on(host, adapter) is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A switch, or the physical network behind an adapter of an outermost host, on the way of frames."""

    host: Host
    """Whose switch or adapter it is."""
    switch: Switch | None
    """None: the physical network."""
    adapter: HostAdapter | None
    """The adapter that leads to the physical network."""
    stopped_at: tuple[str, ...]
    """The VMs whose adapters do not let the frames come so far: they have a foreign MAC address, and spoofing is off."""

    @property
    def key(self) -> tuple[int, int]:
        """The same for the same switch or network."""
        return id(self.host), id(self.switch or self.adapter)


def way_out(host: Host, adapter: HostAdapter) -> list[Node]:
    """What the frames of an adapter pass, nearest first: one more node for each external switch."""
    switch = switch_of(host, adapter.switch)
    if switch is None:
        return list(_beyond(host, adapter, own=True, stopped_at=()))
    # the management adapter of an external switch has the MAC address of the adapter below
    return list(_from_switch(host, switch, own=True, stopped_at=()))


def way_out_of_vm(host: Host, port: Adapter) -> list[Node]:
    """The same for the adapter of a VM."""
    switch = switch_of(host, port.switch)
    return list(_from_switch(host, switch, own=False, stopped_at=())) if switch else []


def _from_switch(host: Host, switch: Switch, *, own: bool, stopped_at: tuple[str, ...]) -> Iterator[Node]:
    yield Node(host=host, switch=switch, adapter=None, stopped_at=stopped_at)
    uplink = physical_adapter(host, switch.adapter) if switch.type == "External" else None
    if uplink is not None:
        yield from _beyond(host, uplink, own=own, stopped_at=stopped_at)


def _beyond(host: Host, uplink: HostAdapter, *, own: bool, stopped_at: tuple[str, ...]) -> Iterator[Node]:
    """Out of a physical adapter; `own`: frames with the MAC address of this very adapter."""
    if uplink.status != "Up":
        return
    if host.outer is None or host.machine is None:
        yield Node(host=host, switch=None, adapter=uplink, stopped_at=stopped_at)
        return
    port = port_below(host, uplink)
    switch = switch_of(host.outer, port.switch) if port else None
    if port is not None and switch is not None:
        passes = own or port.mac_address_spoofing
        yield from _from_switch(host.outer, switch, own=False, stopped_at=stopped_at if passes else (*stopped_at, host.machine.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A network: that behind a physical adapter, or that of the Default Switch."""

    network: ipaddress.IPv4Network
    routers: tuple[str, ...]
    dns: tuple[str, ...]

    @property
    def machines(self) -> tuple[str, ...]:
        """The addresses that answer there."""
        return (*self.routers, *(server for server in self.dns if ipaddress.IPv4Address(server) in self.network))


def segment_behind(uplink: HostAdapter) -> Segment | None:
    """The network behind a physical adapter of an outermost host."""
    lan = uplink.lan
    if lan is None:
        return None
    return Segment(network=ipaddress.IPv4Network(lan.prefix), routers=tuple(lan.routers), dns=tuple(lan.dns))


def known_lan(host: Host, uplink: HostAdapter) -> Lan | None:
    """What a host knows of the network behind a physical adapter: by its first address there, or else by its lease."""
    switch = external_switch_on(host, uplink)
    own = [uplink, *(management_adapters(host, switch) if switch else ())]
    indices = {adapter.index for adapter in own}
    routers = [route.next_hop for route in host.routes if route.adapter in indices and route.destination == "0.0.0.0/0"]
    dns = [server for adapter in own for server in adapter.dns]
    address = next((a for a in host.addresses if a.adapter in indices and ":" not in a.address), None)
    if address is not None:
        return _lan(f"{address.address}/{address.prefix_length}", routers, dns)
    lease = uplink.lease
    return _lan(f"{lease.address}/{lease.prefix_length}", [lease.gateway] if lease.gateway else [], lease.dns) if lease else None


def _lan(address: str, routers: list[str], dns: list[str]) -> Lan:
    network = ipaddress.IPv4Network(address, strict=False)
    there = [router for router in routers if ipaddress.IPv4Address(router) in network]
    return Lan(prefix=str(network), routers=there, dns=list(dns))


def offer(nodes: list[Node], client: str) -> Lease | None:
    """What DHCP gives to a VM whose frames go that way: the physical network has a server, ICS is one, and WinNAT is none (facts 5.3)."""
    for node in nodes:
        if node.stopped_at:
            return None
        if node.switch is None and node.adapter is not None:
            segment = segment_behind(node.adapter)
            return _lease(segment, client) if segment else None
        if node.switch is not None and node.switch.automatic:
            return _shared(node.host, node.switch, client)
    return None


def _shared(host: Host, switch: Switch, client: str) -> Lease | None:
    """What Internet Connection Sharing gives: it is router and DNS server itself."""
    indices = {adapter.index for adapter in management_adapters(host, switch)}
    address = next((a for a in host.addresses if a.adapter in indices and ":" not in a.address), None)
    if address is None:
        return None
    network = ipaddress.IPv4Network(f"{address.address}/{address.prefix_length}", strict=False)
    return _lease(Segment(network=network, routers=(address.address,), dns=(address.address,)), client)


def _lease(segment: Segment, client: str) -> Lease | None:
    """An address of the network that is the client's each time."""
    network = segment.network
    if network.num_addresses < 16:
        return None
    number = int.from_bytes(hashlib.sha256(client.encode()).digest()[:8])
    taken = {*map(ipaddress.IPv4Address, segment.machines)}
    address = network[4 + number % (network.num_addresses - 8)]
    while address in taken:
        address += 1
    router = segment.routers[0] if segment.routers else ""
    return Lease(address=str(address), prefix_length=network.prefixlen, gateway=router, dns=list(segment.dns))
