# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: who reaches what: IPv4 packets from a host at any depth, hop by hop through the model, and the answers to DNS queries.

Nothing here is a flag of a profile but what lies beyond the physical network. A packet needs a route and a usable address, a
neighbour that hears the frame (wiring.py) and knows the way back, and on each Windows that it shall pass a NAT for its source.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass, replace

from . import power, tree, wiring
from .calls import NotSimulated
from .network_objects import (
    ON_LINK,
    NetRoute,
    active_routes,
    address_state,
    bare_mac,
    dns_servers,
    guest_addresses,
    visible_addresses,
)
from .wiring import Node, Segment, has_ip, switch_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Host, HostAdapter

IPv4: t.TypeAlias = "ipaddress.IPv4Address"
Stop: t.TypeAlias = (
    "t.Literal['no_route', 'no_address', 'no_neighbour', 'no_spoofing', 'no_way_back', 'not_forwarded', 'not_outside', 'in_a_ring']"
)
_ROUTER_MAC = "00005E005301"
"""Of the range for documentation (RFC 7042)."""
_NOWHERE = tuple(
    ipaddress.IPv4Network(prefix)
    for prefix in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3")
)
"""Addresses that nobody has outside: private ones, and those that no host can have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """Who has an address on some network: a Windows of the model, a guest whose inside is not modelled, or a machine outside."""

    ip: IPv4
    mac: str
    nodes: list[Node]
    host: Host | None = None
    """The Windows; None: another machine."""
    adapter: HostAdapter | None = None
    segment: Segment | None = None
    """The physical network that it is on; None: it is a VM or an outermost host."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trip:
    """How far packets to an address come, and who answers."""

    stop: Stop | None = None
    """None: they arrive, and so does the answer."""
    at: str = ""
    """The name of the host that could not send them on."""
    hops: int = 0
    """How many hosts have sent them on before."""
    end: Station | None = None
    """Who has the address; None with no stop: a machine outside, or the host that sends."""
    outside: bool = False
    """They left the physical network."""
    source: str = ""
    alias: str = ""
    """The adapter that they leave by."""


def trip(host: Host, target: IPv4, passed: tuple[int, ...] = ()) -> Trip:
    """The way of packets from a host to an address."""
    tree.refresh(host)
    if target.is_loopback or any(ip == target for ip, _network, _index in _usable(host)):
        # for others, who came by its NAT, it is as any Windows that is reached
        return Trip(hops=len(passed), end=Station(ip=target, mac="", nodes=[], host=host) if passed else None)
    leg = _first_leg(host, target)
    if not isinstance(leg, _Leg):
        return _stopped(host, leg, passed)
    onward = _from_hop(host, leg, target, (*passed, id(host)))
    return onward if passed else replace(onward, source=str(leg.source), alias=leg.adapter.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Leg:
    """How a host sends packets on."""

    adapter: HostAdapter
    source: IPv4
    hop: IPv4


def _first_leg(host: Host, target: IPv4) -> _Leg | Stop:
    """The adapter, its address and the next hop of packets to an address, or why there is no way."""
    route = best_route(host, target)
    if route is None:
        return "no_route"
    hop = target if route.next_hop == ON_LINK["IPv4"] else ipaddress.IPv4Address(route.next_hop)
    source = next((ip for ip, network, index in _usable(host) if index == route.index and hop in network), None)
    adapter = next((one for one in host.adapters if one.index == route.index), None)
    return "no_address" if source is None or adapter is None else _Leg(adapter=adapter, source=source, hop=hop)


def _stopped(host: Host, stop: Stop, passed: tuple[int, ...]) -> Trip:
    return Trip(stop=stop, at=host.name, hops=len(passed))


def _from_hop(host: Host, leg: _Leg, target: IPv4, passed: tuple[int, ...]) -> Trip:
    host.asked.setdefault((leg.adapter.index, str(leg.hop)), host.clock)
    station, silent = neighbour(host, leg.adapter, leg.hop)
    if station is None:
        return _stopped(host, "no_spoofing" if silent else "no_neighbour", passed[:-1])
    if not _knows_way_back(station, leg.source):
        return _stopped(host, "no_way_back", passed[:-1])
    if leg.hop == target:
        return Trip(end=station, hops=len(passed) - 1)
    return _forwarded(station, leg.source, target, passed)


def _forwarded(station: Station, source: IPv4, target: IPv4, passed: tuple[int, ...]) -> Trip:
    """What the next hop does with a packet that is not for itself."""
    if station.segment is not None:
        root = station.nodes[-1].host
        leads = str(station.ip) in station.segment.routers and root.outside and not any(target in prefix for prefix in _NOWHERE)
        return Trip(outside=True, hops=len(passed)) if leads else Trip(stop="not_outside", at=str(station.ip), hops=len(passed))
    if station.host is None or station.adapter is None:
        return Trip(stop="not_forwarded", at=str(station.ip), hops=len(passed))
    if not _translates(station.host, station.adapter, source):
        return _stopped(station.host, "not_forwarded", passed)
    if id(station.host) in passed:
        return _stopped(station.host, "in_a_ring", passed)
    return trip(station.host, target, passed)


def _translates(host: Host, adapter: HostAdapter, source: IPv4) -> bool:
    """Whether a host has a NAT for packets of this source: a NetNat, or ICS on the Default Switch; by itself Windows forwards nothing."""
    switch = switch_of(host, adapter.switch)
    if switch is not None and switch.automatic:
        return True
    active = [nat for nat in host.nats if nat.active and nat.prefix and host.winnat_running]
    return any(source in ipaddress.ip_network(nat.prefix, strict=False) for nat in active)


def _usable(host: Host) -> Iterator[tuple[IPv4, ipaddress.IPv4Network, int]]:
    """The addresses that can send and receive: on an adapter with a link, and neither tentative nor duplicate."""
    up = {adapter.index for adapter in host.adapters if adapter.status == "Up"}
    for item in visible_addresses(host):
        address = item.address
        if ":" not in address.address and address.adapter in up and address_state(host, address) == "Preferred":
            interface = ipaddress.IPv4Interface(f"{address.address}/{address.prefix_length}")
            yield interface.ip, interface.network, address.adapter


def own_networks(host: Host, ip: IPv4) -> list[int]:
    """The interface indices of the adapters in whose network an address is."""
    return [index for _own, network, index in _usable(host) if ip in network]


def best_route(host: Host, target: IPv4) -> NetRoute | None:
    """The longest prefix, then the lowest metric; only by adapters with a link."""
    up = {adapter.index for adapter in host.adapters if adapter.status == "Up"}
    fitting = [r for r in active_routes(host) if r.index in up and ":" not in r.prefix and target in ipaddress.IPv4Network(r.prefix)]
    return min(fitting, key=lambda r: (-int(r.prefix.partition("/")[2]), r.metric), default=None)


def neighbour(host: Host, adapter: HostAdapter, ip: IPv4) -> tuple[Station | None, bool]:
    """Who answers when an adapter asks for an address, and if nobody does, whether that is only for want of MAC address spoofing."""
    own = wiring.way_out(host, adapter)
    silent = False
    for station in stations(tree.lineage(host)[0]):
        if station.ip != ip or station.adapter is adapter:
            continue
        stopped = _between(own, station.nodes)
        if stopped == ():
            return station, False
        silent = silent or bool(stopped)
    return None, silent


def _between(one: list[Node], other: list[Node]) -> tuple[str, ...] | None:
    """The VMs whose adapters stop the frames between two stations; None: no switch or network joins them."""
    keys = {node.key: node for node in other}
    met = next((node for node in one if node.key in keys), None)
    return None if met is None else (*met.stopped_at, *keys[met.key].stopped_at)


def stations(host: Host) -> Iterator[Station]:
    """Everybody with an IPv4 address on a host's networks and on those of the guests in it that are up."""
    tree.refresh(host)
    adapters = {adapter.index: adapter for adapter in host.adapters if adapter.status == "Up" and has_ip(host, adapter)}
    for ip, _network, index in _usable(host):
        if index in adapters:
            adapter = adapters[index]
            yield Station(ip=ip, mac=bare_mac(adapter.mac), nodes=wiring.way_out(host, adapter), host=host, adapter=adapter)
    if host.outer is None:
        yield from _machines(host)
    for vm in host.vms:
        if not power.guest_booted(host, vm):
            continue
        if vm.guest.windows is not None:
            yield from stations(vm.guest.windows)
            continue
        for port in vm.adapters:
            for text in guest_addresses(host, vm, port):
                if ":" not in text:
                    yield Station(ip=ipaddress.IPv4Address(text), mac=bare_mac(port.mac), nodes=wiring.way_out_of_vm(host, port))


def _machines(host: Host) -> Iterator[Station]:
    """The routers and DNS servers on the physical networks."""
    for uplink in host.adapters:
        if uplink.switch is not None or uplink.status != "Up":
            continue
        node = Node(host=host, switch=None, adapter=uplink, stopped_at=())
        segment = wiring.segment_behind(uplink)
        for machine in dict.fromkeys(segment.machines if segment else ()):
            yield Station(ip=ipaddress.IPv4Address(machine), mac=_ROUTER_MAC, nodes=[node], segment=segment)


def _knows_way_back(station: Station, source: IPv4) -> bool:
    """A machine of the physical network knows that network alone; a Windows has to send through the same adapter, at the best itself."""
    if station.segment is not None:
        return source in station.segment.network
    if station.host is None or station.adapter is None:
        return True
    leg = _first_leg(station.host, source)
    if not isinstance(leg, _Leg) or leg.adapter is not station.adapter:
        return False
    return leg.hop == source or _hands_on(station.host, leg, source)


def _hands_on(host: Host, leg: _Leg, target: IPv4) -> bool:
    """Whether a router of the physical network brings an answer back to where it came from; a Windows would not (_translates)."""
    router, _silent = neighbour(host, leg.adapter, leg.hop)
    return router is not None and router.segment is not None and str(leg.hop) in router.segment.routers and target in router.segment.network


def heard_by_others(host: Host, adapter: HostAdapter, address: str) -> bool:
    """Whether somebody on the network of an adapter has an address already: duplicate address detection would tell."""
    if ":" in address:
        return False
    station, _silent = neighbour(host, adapter, ipaddress.IPv4Address(address))
    return station is not None


# --- what is asked of those that are reached ---


def answers_ping(host: Host, target: IPv4) -> tuple[Trip, bool]:
    """The trip of an echo request, and whether a reply comes: the firewall of a Windows drops it unless the profile says otherwise."""
    found = trip(host, target)
    firewall = found.end is not None and found.end.host is not None and not found.end.host.answers_ping
    return found, found.stop is None and not firewall


def takes_connection(host: Host, target: IPv4, port: int) -> tuple[Trip, bool | None]:
    """The trip of a TCP connection, and whether it is taken; None: that is not modelled."""
    found = trip(host, target)
    if found.stop is not None:
        return found, False
    if found.outside:
        return found, port in (53, 80, 443)
    if found.end is not None and found.end.segment is not None:
        return found, port == 53 and str(target) in found.end.segment.dns
    return found, None


Answer: t.TypeAlias = "t.Literal['no_server', 'timeout', 'failure', 'no_name'] | IPv4"


def resolve(host: Host, name: str, servers: list[IPv4] | None = None, passed: tuple[int, ...] = ()) -> Answer:
    """What DNS says about a name: the first server that answers decides."""
    asked = list(_servers(host)) if servers is None else servers
    answers = [_query(host, server, name, (*passed, id(host))) for server in asked]
    return next((answer for answer in answers if answer != "timeout"), "timeout" if answers else "no_server")


def address_of(host: Host, name: str) -> IPv4 | None:
    """The IPv4 address that is written, or that DNS has for a name."""
    written = written_address(name)
    if written is not None:
        return written
    answer = resolve(host, name)
    return None if isinstance(answer, str) else answer


def written_address(text: str) -> IPv4 | None:
    """The IPv4 address that a text is; None: it is a name."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if not isinstance(found, ipaddress.IPv4Address):
        raise NotSimulated(f"who reaches {text}: IPv6 is not modelled")
    return found


def _servers(host: Host) -> Iterator[IPv4]:
    bound = [adapter for adapter in host.adapters if adapter.status == "Up" and has_ip(host, adapter)]
    for adapter in sorted(bound, key=lambda one: one.index):
        yield from map(ipaddress.IPv4Address, dns_servers(host, adapter))


def _query(host: Host, server: IPv4, name: str, passed: tuple[int, ...]) -> Answer:
    found = trip(host, server)
    if found.stop is not None:
        return "timeout"
    if found.outside or (found.end is not None and found.end.segment is not None and str(server) in found.end.segment.dns):
        return _from_outside(tree.lineage(host)[0], name)
    if found.end is not None and found.end.host is not None and _shares(found.end.host, found.end.adapter):
        # ICS asks the servers of its own host, and is silent if there are none
        answer = "no_server" if id(found.end.host) in passed else resolve(found.end.host, name, passed=passed)
        return "timeout" if answer == "no_server" else answer
    return "timeout"


def _shares(host: Host, adapter: HostAdapter | None) -> bool:
    switch = switch_of(host, adapter.switch) if adapter else None
    return switch is not None and switch.automatic


def _from_outside(root: Host, name: str) -> Answer:
    """Every name exists outside but those that never do (RFC 6761), each with an address of its own."""
    if not root.outside:
        return "failure"
    plain = name.lower().rstrip(".")
    if plain.rpartition(".")[2] == "invalid":
        return "no_name"
    number = int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8])
    return ipaddress.IPv4Address("203.0.113.0") + 1 + number % 254
