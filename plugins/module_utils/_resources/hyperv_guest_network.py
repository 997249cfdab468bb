# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_guest_network: IPv4 address, default gateway and DNS servers of one adapter of the inventory host itself, or DHCP.

What is read says _guest_network.py, what speaks against it _guest_network_conflicts.py.

One order for all half-made states (facts 6.1): DHCP off with its lease, the new address, the new route, and only then what is stale,
so that what was set by hand is there until the new is. Each step has one effect: -DefaultGateway together with an address fails as a
whole, or by halves.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import replace

from .._errors import InvalidOptions
from .._guest_network import DefaultRoute, State  # noqa: TC001 - converge() takes State from here
from .._guest_network_conflicts import cannot, duplicate, refusals, tentative, warnings
from .._network import (
    ADAPTERS,
    DEFAULT_ROUTE,
    DEFAULT_ROUTES,
    IPV4,
    KEPT,
    KEPT_ROUTES,
    Address,
    made_anew,
    new_address,
    remove_address,
    set_length,
    switch_dhcp,
)
from .._options import Option, Options, Spec, flag, refuse_ends, text
from .._plan import Change, Plan, Thing, Unmet, Wait, unchanged
from .._steps import From, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

IPv4: t.TypeAlias = "ipaddress.IPv4Address"

NO_GATEWAY = "none"
"""The option's word for: no default route by this adapter."""
_DETECTION = Until(seconds=30, every=0.5, where={"AddressState": ("Preferred", "Duplicate")})
"""Duplicate address detection takes one to three seconds (facts 5.6)."""
_INTERFACE_KEYS = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\*"
"""Neither Get-DnsClientServerAddress nor Get-NetRoute tells what was set by hand from what DHCP gave; the values here do."""


# ---- options


def _ipv4(name: str, value: str, example: str) -> IPv4:
    """An IPv4 address that a machine can have."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise InvalidOptions(f"{name}: '{value}' is not an IPv4 address", fix=f"write it like {example}") from None
    if isinstance(address, ipaddress.IPv6Address):
        raise InvalidOptions(f"{name}: '{value}' is IPv6, and this module manages IPv4 only", fix=f"write it like {example}")
    kind = next((kind for kind, holds in _NO_HOST.items() if holds(address)), None)
    if kind:
        raise InvalidOptions(f"{name}: {address} is {kind}, which no machine can have", fix=f"write it like {example}")
    return address


_NO_HOST: dict[str, t.Callable[[IPv4], bool]] = {
    "a loopback address": lambda address: address.is_loopback,
    "a multicast address": lambda address: address.is_multicast,
    "a link-local address": lambda address: address.is_link_local,
    "an address of 0.0.0.0/8": lambda address: address in ipaddress.IPv4Network("0.0.0.0/8"),
    "a reserved address": lambda address: address.is_reserved,
}


def _address(name: str, value: str) -> ipaddress.IPv4Interface:
    """An IPv4 address with the length of its prefix; Windows would take 32 for one without, and then nobody is a neighbour."""
    bare, slash, length = value.partition("/")
    address = _ipv4(name, bare, "192.168.100.2/24")
    if not slash:
        raise InvalidOptions(f"{name}: '{value}' has no prefix length", fix=f"did you mean {value}/24?")
    if not re.fullmatch(r"[0-9]{1,2}", length) or not 1 <= int(length) <= 30:
        raise InvalidOptions(f"{name}: '{value}' leaves no room for a gateway", fix="use a prefix length of 1 to 30, such as /24")
    interface = ipaddress.IPv4Interface(f"{address}/{int(length)}")
    refuse_ends(name, address, interface.network, fix=f"did you mean {interface.network[1]}?")
    return interface


def _gateway(name: str, value: str) -> IPv4 | str:
    return NO_GATEWAY if value == NO_GATEWAY else _ipv4(name, value, "192.168.100.1")


def _dns(name: str, value: list[str]) -> tuple[str, ...]:
    # a domain controller asks itself
    servers = tuple(each if each == "127.0.0.1" else str(_ipv4(name, each, "192.0.2.53")) for each in value)
    twice = next((each for each in servers if servers.count(each) > 1), None)
    if twice:
        raise InvalidOptions(f"{name}: {twice} stands there twice", fix="give each server once, in the order in which they are asked")
    return servers


def _check(options: Options) -> None:
    address, gateway = options.address, options.gateway
    if options.dhcp and (address is not None or gateway is not None):
        given = "address" if address is not None else "gateway"
        raise InvalidOptions(f"dhcp=true and {given} exclude each other: DHCP gives the adapter both", fix=f"leave out dhcp or {given}")
    if options.dhcp is False and address is None:
        raise InvalidOptions("dhcp=false would leave the adapter without an address", fix="give address; it turns DHCP off by itself")
    if address is None or gateway in (None, NO_GATEWAY):
        return
    if gateway not in address.network:
        raise InvalidOptions(
            f"gateway: {gateway} does not lie in {address.network}, the network of {address}, so that the adapter cannot reach it",
            fix=f"did you mean gateway={address.network[1]}, or another prefix length?",
        )
    if gateway == address.ip:
        raise InvalidOptions(f"gateway: {gateway} is the adapter's own address", fix="give the address of the router")
    refuse_ends("gateway", gateway, address.network, fix=f"did you mean {address.network[1]}?")


SPEC = Spec(
    check=_check,
    adapter=text(),
    address=Option(convert=_address, taken=(str,)),
    gateway=Option(convert=_gateway, taken=(str,)),
    dns=Option(type="list", elements="str", convert=_dns),
    dhcp=flag(),
    allow_disconnect=flag(default=False),
)


# ---- what is read


def queries(options: Options) -> tuple[Step, ...]:
    """The adapters with their addresses, routes and DNS servers; nothing of Hyper-V, which a guest need not have."""
    ipv4 = {"AddressFamily": "IPv4"}
    steps = [
        replace(ADAPTERS, select=(*(ADAPTERS.select or ()), "MacAddress", "PermanentAddress")),
        IPV4,
        KEPT,
        Step("NetTCPIP\\Get-NetIPInterface", ipv4, save="interfaces", select=("InterfaceIndex", "AddressFamily", "Dhcp")),
        DEFAULT_ROUTES,
        KEPT_ROUTES,
        Step("DnsClient\\Get-DnsClientServerAddress", ipv4, save="dns", select=("InterfaceIndex", "ServerAddresses")),
        Step(
            "Microsoft.PowerShell.Management\\Get-ItemProperty",
            {"Path": _INTERFACE_KEYS},
            save="keys",
            select=("PSChildName", "NameServer", "DhcpDefaultGateway"),
        ),
    ]
    if options.adapter is None:
        steps.append(Step("NetAdapter\\Get-NetAdapter", {"Physical": True}, save="physical", select=("DeviceID",)))
    return tuple(steps)


# ---- what is wanted


def plan(options: Options, state: State) -> Plan:
    """The address with its gateway, or DHCP, in one change, and the DNS servers in another: those never cut anybody off."""
    steps = _dhcp_steps(state) if options.dhcp else _static_steps(options, state)
    network = _change(state, _differences(options, state), steps)
    dns = _change(state, _dns_difference(options, state), [_set_dns(options, state)])
    errors = list(cannot(options, state, changes=network.real or dns.real)) or list(refusals(options, state, changes=network.real))
    return Plan.of([network, dns], warnings=warnings(options, state), errors=errors, wait=_detection(options, state))


def _change(state: State, attributes: dict[str, tuple[t.Any, t.Any]], steps: Iterable[Step]) -> Change:
    """With the way out for what the host refuses for reasons of its own."""
    hint = f"read the host's own words above, and look at Get-NetIPConfiguration -InterfaceIndex {state.adapter.index}"
    with_hints = tuple(replace(step, hint=step.hint or hint) for step in steps)
    return Change(subject=_thing(state), attributes=attributes, steps=with_hints)


def _thing(state: State) -> Thing:
    return Thing(id="guest_network", label=state.adapter.name)


def _differences(options: Options, state: State) -> dict[str, tuple[t.Any, t.Any]]:
    """DHCP, address and gateway before and after; what is not managed is left out."""
    found: dict[str, tuple[t.Any, t.Any]] = {}
    if options.dhcp:
        found["dhcp"] = (state.dhcp, True)
        found["address"] = (_joined(map(state.shown, state.static)), None)
        found["gateway"] = (_joined(route.shown for route in state.static_routes), None)
        return found
    if options.address is not None:
        found["dhcp"] = (state.dhcp, False)
        found["address"] = (_joined(map(state.shown, state.own)), str(options.address))
    if options.gateway is not None:
        leased = state.leased_routes if options.address is not None else _leased_as_asked(options, state)
        before = _joined([*(route.shown for route in state.static_routes), *(route.next_hop for route in leased)])
        found["gateway"] = (before, None if options.gateway == NO_GATEWAY else str(options.gateway))
    return found


def _leased_as_asked(options: Options, state: State) -> list[DefaultRoute]:
    """The route that DHCP gave, where it stays and is what was asked for."""
    if options.address is not None:
        return []
    return [route for route in state.leased_routes if route.next_hop == str(options.gateway)]


def _joined(texts: Iterable[str]) -> str | None:
    return ", ".join(sorted(texts)) or None


def _dns_difference(options: Options, state: State) -> dict[str, tuple[t.Any, t.Any]]:
    return {} if options.dns is None else {"dns": (list(state.static_dns), list(options.dns))}


# ---- steps


def _static_steps(options: Options, state: State) -> Iterator[Step]:
    """DHCP off, the new address, the new route, then what is stale (facts 6.1)."""
    wanted = options.address
    if wanted is not None and state.dhcp:
        yield _dhcp_off(state)
        yield from _without_lease(state)
    if wanted is not None:
        yield from _address_steps(state, wanted)
    stale: list[DefaultRoute] = []
    if options.gateway is not None:
        hop = str(options.gateway)
        stale = [route for route in state.static_routes if route.next_hop != hop or not route.kept]
        # a second route to the same gateway is refused (facts 6.1)
        yield from (_remove_route(state, route) for route in stale if route.next_hop == hop)
        right = [route for route in state.static_routes if route not in stale] + _leased_as_asked(options, state)
        if options.gateway != NO_GATEWAY and not right:
            yield _new_route(state, hop)
    yield from (_remove_route(state, route) for route in stale if route.next_hop != str(options.gateway))
    if wanted is not None:
        yield from (_remove(state, address) for address in state.static if address.ip != wanted.ip)


def _dhcp_steps(state: State) -> Iterator[Step]:
    """Routes and addresses first: whether they would stay beside DHCP is told in both ways (facts 6.1)."""
    yield from (_remove_route(state, route) for route in state.static_routes)
    yield from (_remove(state, address) for address in state.static)
    if not state.dhcp:
        yield replace(switch_dhcp(state.adapter.index_again, on=True), undo=switch_dhcp(state.adapter.index_again, on=False))


def _dhcp_off(state: State) -> Step:
    """Provided that it is on: only then does the undo put it back as it was."""
    index = state.adapter.index_again
    if state.interface is not None:
        as_read = state.interface.ref("InterfaceIndex", "AddressFamily", "Dhcp", shown={"InterfaceAlias": state.adapter.name})
        index = replace(as_read, property="InterfaceIndex")
    return replace(switch_dhcp(index, on=False), undo=switch_dhcp(state.adapter.index_again, on=True))


def _without_lease(state: State) -> Iterator[Step]:
    """What was leased: no source says whether it goes with DHCP (ledger), and what stays is in the way of the same by hand.

    Only once DHCP is off, or it would be leased again; and without its last address the interface may fall back to DHCP (facts 6.1).
    """
    adapter = state.adapter
    off: dict[str, t.Any] = {"InterfaceIndex": adapter.index_again, "Dhcp": "Disabled"}
    index = From(save="dhcp off", property="InterfaceIndex", shown={"InterfaceAlias": adapter.name})
    if state.leased or state.leased_routes:
        yield Step("NetTCPIP\\Get-NetIPInterface", {"AddressFamily": "IPv4"}, save="dhcp off", where=off, poll=True)
    for route in state.leased_routes:
        keys: dict[str, t.Any] = {"DestinationPrefix": DEFAULT_ROUTE, "NextHop": route.next_hop, "InterfaceIndex": index}
        yield Step("NetTCPIP\\Remove-NetRoute", {**keys, "Confirm": False}, optional=f"leased route {route.next_hop}")
    for address in state.leased:
        ip = str(address.ip)
        yield Step("NetTCPIP\\Remove-NetIPAddress", {"IPAddress": ip, "InterfaceIndex": index, "Confirm": False}, optional=f"leased {ip}")
        yield replace(switch_dhcp(index, on=False), optional=f"leased {ip}")


def _address_steps(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[Step]:
    """Made where it is not there, and anew where a restart would lose it."""
    found = next((address for address in state.static if address.ip == wanted.ip), None)
    if found is None:
        yield from _new_address(state, wanted)
    elif state.is_lost(found):
        yield from made_anew(state.adapter, found, state.adapter.index_again, tuple(_new_address(state, wanted)))
    elif found.length != wanted.network.prefixlen:
        yield set_length(state.adapter, found, wanted.network.prefixlen)


def _remove(state: State, address: Address) -> Step:
    return remove_address(state.adapter, address, store="ActiveStore" if state.is_lost(address) else None)


def _new_address(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[Step]:
    """The address, and then a wait for duplicate address detection: one that another machine has is taken back."""
    adapter, ip = state.adapter, str(wanted.ip)
    index = replace(adapter.row.ref("DeviceID", "Status"), property="InterfaceIndex", shown={"InterfaceAlias": adapter.name})
    yield new_address(wanted, index, adapter.index_again)
    unknown = tentative(state, ip)
    yield replace(_look(state, ip), save="detected", until=_DETECTION, lacking=(unknown.code, unknown.msg), hint=unknown.fix)
    usable = From(save="detected", where={"AddressState": "Preferred"})
    taken = duplicate(state, ip)
    yield replace(unchanged(usable), lacking=(taken.code, taken.msg), hint=taken.fix)


def _look(state: State, ip: str) -> Step:
    return Step("NetTCPIP\\Get-NetIPAddress", {"IPAddress": ip, "InterfaceIndex": state.adapter.index_again}, poll=True)


def _new_route(state: State, hop: str) -> Step:
    keys: dict[str, t.Any] = {"DestinationPrefix": DEFAULT_ROUTE, "NextHop": hop, "InterfaceIndex": state.adapter.index_again}
    return Step("NetTCPIP\\New-NetRoute", keys, undo=Step("NetTCPIP\\Remove-NetRoute", {**keys, "Confirm": False}))


def _remove_route(state: State, route: DefaultRoute) -> Step:
    """By its three keys, so that it goes from both stores; the object is the guard."""
    there = route.row.ref("DestinationPrefix", "NextHop", "InterfaceIndex", shown={"InterfaceIndex": route.index})
    index = replace(there, property="InterfaceIndex")
    back: dict[str, t.Any] = {"DestinationPrefix": DEFAULT_ROUTE, "NextHop": route.next_hop, "InterfaceIndex": state.adapter.index_again}
    back["RouteMetric"] = int(route.row["RouteMetric"])
    if not route.kept:
        back["PolicyStore"] = "ActiveStore"
    return Step(
        "NetTCPIP\\Remove-NetRoute",
        {"DestinationPrefix": DEFAULT_ROUTE, "NextHop": route.next_hop, "InterfaceIndex": index, "Confirm": False},
        undo=Step("NetTCPIP\\New-NetRoute", back),
    )


def _set_dns(options: Options, state: State) -> Step:
    """The whole list (facts 6.2); nothing asks the servers whether they are there."""
    index = state.adapter.index_again
    if state.key is not None and "NameServer" in state.key:
        as_read = replace(state.key.ref("PSChildName", "NameServer"), property="PSChildName")
        index = replace(index, where={"DeviceID": as_read})
    undo = Step("DnsClient\\Set-DnsClientServerAddress", {"InterfaceIndex": state.adapter.index_again, **_servers(state.static_dns)})
    return Step("DnsClient\\Set-DnsClientServerAddress", {"InterfaceIndex": index, **_servers(options.dns or ())}, undo=undo)


def _servers(servers: Sequence[str]) -> dict[str, t.Any]:
    return {"ServerAddresses": list(servers)} if servers else {"ResetServerAddresses": True}


# ---- an address that was there, and is not yet usable


def _detection(options: Options, state: State) -> Wait | None:
    """Without a link there is nobody to ask, and so nothing to wait for."""
    if options.address is None or state.adapter.status != "Up":
        return None
    ip = options.address.ip
    errors = {"Tentative": tentative, "Duplicate": duplicate}

    def unmet(now: State) -> list[Unmet]:
        pending = [address for address in now.static if address.ip == ip and address.state in errors]
        return [Unmet(subject=_thing(now), error=errors[address.state](now, str(ip))) for address in pending]

    def steps(now: State, left: float) -> tuple[Step, ...]:
        return (replace(_look(now, str(ip)), until=replace(_DETECTION, seconds=min(left, _DETECTION.seconds))),)

    return Wait(seconds=_DETECTION.seconds, unmet=unmet, steps=steps)
