# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_guest_network: IPv4 address, default gateway and DNS servers of one adapter of the inventory host itself, or DHCP.

One order for all half-made states (facts 6.1): DHCP off, the new address, the new route, and only then what is stale, so that the
adapter is never without an address and never falls back to DHCP. Each step has one effect: -DefaultGateway together with an
address fails as a whole, or by halves.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, replace

from .._errors import HypervError, InvalidOptions, Refused
from .._network import ADAPTERS, ADDRESSES, Address, HostAdapter, Network, carries, remove_address, set_length
from .._options import Option, Options, Spec, flag, ordinal, text
from .._plan import Change, Plan, Thing, Unmet, Wait, unchanged
from .._render import literal
from .._steps import Answers, From, Row, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

IPv4: t.TypeAlias = "ipaddress.IPv4Address"

DEFAULT = "0.0.0.0/0"
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
    _refuse_ends(name, address, interface.network)
    return interface


def _refuse_ends(name: str, address: IPv4, network: ipaddress.IPv4Network) -> None:
    if address in (network.network_address, network.broadcast_address):
        what = "network" if address == network.network_address else "broadcast"
        raise InvalidOptions(f"{name}: {address} is the {what} address of {network}", fix=f"did you mean {network[1]}?")


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
    _refuse_ends("gateway", gateway, address.network)


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
    route = ("DestinationPrefix", "NextHop", "InterfaceIndex", "InterfaceAlias", "RouteMetric")
    persistent = {"PolicyStore": "PersistentStore"}
    no_address = frozenset({"CmdletizationQuery_NotFound_AddressFamily"})
    no_route = frozenset({"CmdletizationQuery_NotFound_DestinationPrefix"})
    steps = [
        Step(ADAPTERS.cmdlet, ADAPTERS.parameters, save="adapters", select=(*(ADAPTERS.select or ()), "MacAddress", "PermanentAddress")),
        Step(ADDRESSES.cmdlet, ipv4, save="addresses", select=ADDRESSES.select),
        Step(ADDRESSES.cmdlet, {**ipv4, **persistent}, save="kept", select=("IPAddress", "InterfaceIndex"), absent=no_address),
        Step("NetTCPIP\\Get-NetIPInterface", ipv4, save="interfaces", select=("InterfaceIndex", "AddressFamily", "Dhcp")),
        Step("NetTCPIP\\Get-NetRoute", {"DestinationPrefix": DEFAULT}, save="routes", select=route, absent=no_route),
        Step(
            "NetTCPIP\\Get-NetRoute",
            {"DestinationPrefix": DEFAULT, **persistent},
            save="kept routes",
            select=route,
            absent=no_route,
        ),
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


_LOST = " (until a restart)"
"""Stands behind what is in the active store only, so that a restart of Windows would lose it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultRoute:
    """A default route of some adapter."""

    row: Row
    next_hop: str
    index: int
    alias: str
    kept: bool
    """It survives a restart: it was set by hand, and in both stores."""

    @property
    def shown(self) -> str:
        """The gateway, as changes show it."""
        return self.next_hop if self.kept else f"{self.next_hop}{_LOST}"


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The adapter that is meant, and the host's network."""

    network: Network
    adapter: HostAdapter
    interface: Row | None
    """Of IPv4; None: TCP/IP is not bound to the adapter."""
    routes: tuple[DefaultRoute, ...]
    """Of all adapters; a route that is in both stores once."""
    kept: frozenset[str]
    """The adapter's addresses in the persistent store."""
    servers: tuple[str, ...]
    """The DNS servers that hold."""
    key: Row | None
    """Of the adapter's IPv4 settings in the registry."""

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when no adapter or more than one is meant."""
        network = Network.from_answers(answers)
        interfaces = {int(row["InterfaceIndex"]): row for row in answers.rows("interfaces")}
        adapter = _chosen(options, network, answers, interfaces)
        dns = next((row for row in answers.rows("dns") if int(row["InterfaceIndex"]) == adapter.index), None)
        device = ordinal(str(adapter.row["DeviceID"]))
        return cls(
            network=network,
            adapter=adapter,
            interface=interfaces.get(adapter.index),
            routes=tuple(_routes(answers)),
            kept=frozenset(str(row["IPAddress"]) for row in answers.rows("kept") if int(row["InterfaceIndex"]) == adapter.index),
            servers=_texts(dns["ServerAddresses"]) if dns else (),
            key=next((row for row in answers.rows("keys") if ordinal(str(row["PSChildName"])) == device), None),
        )

    @property
    def dhcp(self) -> bool:
        """Whether the adapter asks for an address."""
        return self.interface is not None and str(self.interface["Dhcp"]) == "Enabled"

    @property
    def own(self) -> list[Address]:
        """The adapter's addresses, but not what it gives itself."""
        return [address for address in self.network.on(self.adapter) if not address.ip.is_link_local]

    @property
    def static(self) -> list[Address]:
        """Those that were set by hand."""
        return [address for address in self.own if address.static]

    def is_lost(self, address: Address) -> bool:
        """Whether a static address would not survive a restart."""
        return address.static and str(address.ip) not in self.kept

    def shown(self, address: Address) -> str:
        """An address, as changes show it."""
        return f"{address}{_LOST if self.is_lost(address) else ''}"

    @property
    def own_routes(self) -> list[DefaultRoute]:
        """The adapter's default routes."""
        return [route for route in self.routes if route.index == self.adapter.index]

    @property
    def static_routes(self) -> list[DefaultRoute]:
        """Those that were set by hand."""
        leased = self.leased_routes
        return [route for route in self.own_routes if route not in leased]

    @property
    def leased_routes(self) -> list[DefaultRoute]:
        """Those that DHCP gave; they go with it."""
        given = _texts(self.key.get("DhcpDefaultGateway")) if self.key and self.dhcp else ()
        return [route for route in self.own_routes if route.next_hop in given and not route.kept]

    @property
    def static_dns(self) -> tuple[str, ...]:
        """The DNS servers that were set by hand; Windows separates them by commas, and took blanks once."""
        written = str((self.key.get("NameServer") if self.key else None) or "")
        return tuple(re.findall(r"[^,\s]+", written))

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {
            "guest_network": {
                "adapter": self.adapter.name,
                "mac": mac(self.adapter.row["MacAddress"]),
                "interface_index": self.adapter.index,
                "status": self.adapter.status,
                "dhcp": self.dhcp,
                "addresses": [str(address) for address in self.own],
                "gateways": list(dict.fromkeys(route.next_hop for route in self.own_routes)),
                "dns": list(self.servers),
            }
        }


def _texts(value: t.Any) -> tuple[str, ...]:
    given = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(str(each) for each in given if each)


def _routes(answers: Answers) -> Iterator[DefaultRoute]:
    """The active ones, and those that are only kept, as on an adapter without a link."""
    kept = {_route_key(row): row for row in answers.rows("kept routes")}
    active = {_route_key(row): row for row in answers.rows("routes")}
    for key, row in {**kept, **active}.items():
        yield DefaultRoute(row=row, next_hop=key[1], index=key[0], alias=str(row["InterfaceAlias"]), kept=key in kept)


def _route_key(row: Row) -> tuple[int, str]:
    return int(row["InterfaceIndex"]), str(row["NextHop"])


def mac(value: t.Any) -> str:
    """A MAC address in capitals without separators, as Hyper-V shows it; anything else is no MAC address, and empty."""
    bare = re.sub(r"[-:. ]", "", str(value or "")).upper()
    return bare if re.fullmatch(r"[0-9A-F]{12}", bare) else ""


def _chosen(options: Options, network: Network, answers: Answers, interfaces: t.Container[int]) -> HostAdapter:
    """The adapter of that name or MAC address, or the only physical one that is up.

    An external switch's management adapter has the MAC address of the physical one below, which then has no TCP/IP.
    """
    shown = [adapter for adapter in network.adapters if not adapter.hidden]
    if options.adapter is None:
        physical = {ordinal(str(row["DeviceID"])) for row in answers.rows("physical")}
        usable = [a for a in shown if a.status == "Up" and a.index in interfaces and ordinal(str(a.row["DeviceID"])) in physical]
        return _only(usable, shown, "physical network adapters that are up and have TCP/IP")
    found = [adapter for adapter in shown if ordinal(adapter.name) == ordinal(options.adapter)]
    wanted = mac(options.adapter)
    if not found and wanted:
        found = [adapter for adapter in shown if wanted in (mac(adapter.row[name]) for name in ("MacAddress", "PermanentAddress"))]
        found = [adapter for adapter in found if adapter.index in interfaces] or found
    return _only(found, shown, f"network adapters '{options.adapter}'")


def _only(found: Sequence[HostAdapter], all_adapters: Sequence[HostAdapter], what: str) -> HostAdapter:
    if len(found) == 1:
        return found[0]
    raise Refused(
        f"this host has {len(found) or 'no'} {what}; it has {_listed(found or all_adapters)}",
        code="adapter_ambiguous" if found else "adapter_not_found",
        fix="set adapter to the name or the MAC address of one of them",
    )


def _listed(adapters: Iterable[HostAdapter]) -> str:
    return ", ".join(f"'{a.name}' ({mac(a.row['MacAddress']) or 'no MAC address'}, {a.status})" for a in adapters) or "none"


# ---- what is wanted


def plan(options: Options, state: State) -> Plan:
    """The address with its gateway, or DHCP, in one change, and the DNS servers in another: those never cut anybody off."""
    steps = _dhcp_steps(state) if options.dhcp else _static_steps(options, state)
    network = _change(state, _differences(options, state), steps)
    dns = _change(state, _dns_difference(options, state), [_set_dns(options, state)])
    errors = list(_cannot(options, state, changes=network.real or dns.real)) or list(_refusals(options, state, network.real))
    return Plan.of([network, dns], warnings=_warnings(options, state), errors=errors, wait=_detection(options))


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
        yield _set_dhcp(state, on=False)
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
        yield _set_dhcp(state, on=True)


def _address_steps(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[Step]:
    found = next((address for address in state.static if address.ip == wanted.ip), None)
    if found is None:
        yield from _new_address(state, wanted)
    elif state.is_lost(found):
        # what is there is not taken again, and without its last address an interface falls back to DHCP (facts 5.6, 6.1)
        yield _remove(state, found)
        yield _set_dhcp(state, on=False)
        yield from _new_address(state, wanted)
    elif found.length != wanted.network.prefixlen:
        yield set_length(state.adapter, found, wanted.network.prefixlen)


def _remove(state: State, address: Address) -> Step:
    return remove_address(state.adapter, address, store="ActiveStore" if state.is_lost(address) else None)


def _new_address(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[Step]:
    """The address, and then a wait for duplicate address detection: one that another machine has is taken back."""
    adapter, ip = state.adapter, str(wanted.ip)
    index = replace(adapter.row.ref("DeviceID", "Status"), property="InterfaceIndex", shown={"InterfaceAlias": adapter.name})
    undo = Step("NetTCPIP\\Remove-NetIPAddress", {"IPAddress": ip, "InterfaceIndex": adapter.index_again, "Confirm": False})
    yield Step(
        "NetTCPIP\\New-NetIPAddress", {"IPAddress": ip, "PrefixLength": wanted.network.prefixlen, "InterfaceIndex": index}, undo=undo
    )
    yield replace(_look(state, ip), save="detected", until=_DETECTION)
    usable = From(save="detected", where={"AddressState": "Preferred"})
    duplicate = _duplicate(state, ip)
    yield replace(unchanged(usable), lacking=(duplicate.code, duplicate.msg), hint=duplicate.fix)


def _look(state: State, ip: str) -> Step:
    return Step("NetTCPIP\\Get-NetIPAddress", {"IPAddress": ip, "InterfaceIndex": state.adapter.index_again}, poll=True)


def _set_dhcp(state: State, *, on: bool) -> Step:
    """Named by index: an object of the interface would carry all its other settings, too."""
    words = {True: "Enabled", False: "Disabled"}

    def to(index: From, value: bool) -> Step:
        return Step("NetTCPIP\\Set-NetIPInterface", {"InterfaceIndex": index, "AddressFamily": "IPv4", "Dhcp": words[value]})

    if state.interface is None:
        return to(state.adapter.index_again, on)
    as_read = state.interface.ref("InterfaceIndex", "AddressFamily", "Dhcp", shown={"InterfaceAlias": state.adapter.name})
    return replace(to(replace(as_read, property="InterfaceIndex"), on), undo=to(state.adapter.index_again, not on))


def _new_route(state: State, hop: str) -> Step:
    back: dict[str, t.Any] = {"DestinationPrefix": DEFAULT, "NextHop": hop, "InterfaceIndex": state.adapter.index_again, "Confirm": False}
    return Step(
        "NetTCPIP\\New-NetRoute",
        {"DestinationPrefix": DEFAULT, "NextHop": hop, "InterfaceIndex": state.adapter.index_again},
        undo=Step("NetTCPIP\\Remove-NetRoute", back),
    )


def _remove_route(state: State, route: DefaultRoute) -> Step:
    """By its three keys, so that it goes from both stores; the object is the guard."""
    there = route.row.ref("DestinationPrefix", "NextHop", "InterfaceIndex", shown={"InterfaceIndex": route.index})
    index = replace(there, property="InterfaceIndex")
    back: dict[str, t.Any] = {"DestinationPrefix": DEFAULT, "NextHop": route.next_hop, "InterfaceIndex": state.adapter.index_again}
    back["RouteMetric"] = int(route.row["RouteMetric"])
    if not route.kept:
        back["PolicyStore"] = "ActiveStore"
    return Step(
        "NetTCPIP\\Remove-NetRoute",
        {"DestinationPrefix": DEFAULT, "NextHop": route.next_hop, "InterfaceIndex": index, "Confirm": False},
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


# ---- refusals


def _cannot(options: Options, state: State, *, changes: bool) -> Iterator[HypervError]:
    """An adapter that takes no settings at all."""
    adapter = state.adapter
    if not changes:
        return
    if adapter.status in ("Disabled", "Not Present"):
        yield _refused(
            state,
            "adapter_disabled",
            f"it is {adapter.status.lower()}, and takes no settings",
            f"enable it: Enable-NetAdapter -Name {literal(adapter.name)}",
        )
    elif state.interface is None:
        yield _refused(
            state,
            "adapter_taken",
            "it has no TCP/IP, as one that belongs to an external switch",
            "set adapter to the host's own adapter on that switch, vEthernet (NAME)",
        )
    elif adapter.status == "Disconnected" and options.address is not None and _needs_new(options, state):
        yield _refused(
            state,
            "adapter_disconnected",
            "it has no link, and Windows then refuses a static address (error 87)",
            "connect it; the adapter of a VM with Connect-VMNetworkAdapter on its Hyper-V host",
        )


def _needs_new(options: Options, state: State) -> bool:
    return all(address.ip != options.address.ip for address in state.static)


def _refused(state: State, code: str, why: str, fix: str) -> HypervError:
    return Refused(f"adapter '{state.adapter.name}': {why}", code=code, subject=state.adapter.name, fix=fix)


def _refusals(options: Options, state: State, changes: bool) -> Iterator[HypervError]:
    wanted, connection = options.address, options.get("connection_address")
    if wanted is not None:
        yield from _address_refusals(state, wanted)
    if wanted is None and isinstance(options.gateway, ipaddress.IPv4Address):
        yield from _gateway_refusals(state, options.gateway)
    why = None if options.allow_disconnect or not changes else carries(state.network, state.adapter, connection, outward=True)
    if why:
        yield Refused(
            f"changing adapter '{state.adapter.name}' would interrupt the connection to this host, or end it: {why}",
            code="connection_would_break",
            subject=state.adapter.name,
            fix="connect by the address of another adapter (as an address, not a name) or by hyperlab.nested.psdirect, or set"
            " allow_disconnect=true if the host can be reached afterwards",
        )


def _address_refusals(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[HypervError]:
    for address in state.network.addresses:
        if address.ip == wanted.ip and address.index != state.adapter.index:
            yield Refused(
                f"adapter '{address.alias}' of this host has the address {address} already; wanted is {wanted} on '{state.adapter.name}'",
                code="address_in_use",
                subject=state.adapter.name,
                fix=f"choose another address, or remove it: {address.removal}",
            )
        elif address.ip == wanted.ip and address.state == "Duplicate":
            yield _duplicate(state, str(wanted.ip))


def _duplicate(state: State, ip: str) -> HypervError:
    return Refused(
        f"another machine on the network of adapter '{state.adapter.name}' has the address {ip}, so that Windows does not use it",
        code="address_duplicate",
        subject=state.adapter.name,
        fix="choose another address, or take it from the other machine and remove it here:"
        f" Remove-NetIPAddress -InterfaceIndex {state.adapter.index} -IPAddress {ip}",
    )


def _gateway_refusals(state: State, gateway: IPv4) -> Iterator[HypervError]:
    networks = [str(address.network) for address in state.own if gateway in address.network]
    if not networks:
        yield _refused(
            state,
            "gateway_outside",
            f"the gateway {gateway} lies in no network of its addresses ({_joined(map(str, state.own)) or 'it has none'})",
            "give the address, too, or a gateway that the adapter can reach",
        )


def _warnings(options: Options, state: State) -> Iterator[str]:
    if isinstance(options.gateway, ipaddress.IPv4Address):
        for route in state.routes:
            if route.index != state.adapter.index:
                yield (
                    f"adapter '{route.alias}' has a default route, too, by {route.next_hop}; Windows uses the one with the lower metric,"
                    f" so that not all may go by '{state.adapter.name}'"
                )
    if options.address is not None and options.gateway is None:
        for route in state.static_routes:
            if ipaddress.ip_address(route.next_hop) not in options.address.network:
                yield f"adapter '{state.adapter.name}' keeps its default route by {route.next_hop}, which {options.address} cannot reach"


# ---- an address that was there, and is not yet usable


def _detection(options: Options) -> Wait | None:
    if options.address is None:
        return None
    ip = options.address.ip

    def unmet(state: State) -> list[Unmet]:
        pending = [address for address in state.static if address.ip == ip and address.state in ("Tentative", "Duplicate")]
        return [Unmet(subject=_thing(state), error=_duplicate(state, str(ip))) for address in pending]

    def steps(state: State, left: float) -> tuple[Step, ...]:
        return (replace(_look(state, str(ip)), until=replace(_DETECTION, seconds=min(left, _DETECTION.seconds))),)

    return Wait(seconds=_DETECTION.seconds, unmet=unmet, steps=steps)
