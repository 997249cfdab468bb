# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: how a Windows asks what it reaches: DNS, a TCP connection, and who answered on the link. Pings are in ping.py."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .. import cdxml, power
from ..calls import CmdletError, Live, NotSimulated, Record
from ..network_objects import ON_LINK, CimInstance, active_routes, cim_names
from ..reach import address_of, answers_ping, neighbour, resolve, takes_connection, written_address
from ..simulates import refuse_unless, simulate

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..calls import Call
    from ..model import Host, HostAdapter
    from ..reach import Answer

Properties: t.TypeAlias = "Mapping[str, Callable[[t.Any], t.Any]]"

_DNS_ERRORS: Mapping[str, tuple[str, str, str]] = {
    "timeout": ("ERROR_TIMEOUT", "OperationTimeout", "This operation returned because the timeout period expired"),
    "no_name": ("DNS_ERROR_RCODE_NAME_ERROR", "ResourceUnavailable", "DNS name does not exist"),
    "failure": ("RCODE_SERVER_FAILURE", "ResourceUnavailable", "DNS server failure"),
    "no_server": ("DNS_ERROR_NO_DNS_SERVERS", "ResourceUnavailable", "No DNS servers configured for local system"),
}
"""Id, category and text of what Resolve-DnsName says."""
_E_FAIL = -2147467259
"""The HResult of every Win32Exception."""
_DNS_SECONDS = 12.0
"""How long a query waits for servers that are silent."""
_TCP_SECONDS = 21.0
"""How long a TCP connection is tried."""


class DnsRecord(Live):
    """An answer of type A."""

    type_names = ("Microsoft.DnsClient.Commands.DnsRecord_A", "Microsoft.DnsClient.Commands.DnsRecord", "System.Object")
    properties: t.ClassVar[Properties] = {
        "Name": lambda self: self.name,
        "Type": lambda self: "A",
        "TTL": lambda self: 300,
        "Section": lambda self: "Answer",
        "IPAddress": lambda self: self.address,
        "IP4Address": lambda self: self.address,
    }

    def __init__(self, host: Host, name: str, address: str) -> None:
        super().__init__(host)
        self.name = name
        self.address = address


@simulate("DnsClient\\Resolve-DnsName", "Name Type Server DnsOnly NoHostsFile QuickTimeout")
def resolve_dns_name(call: Call) -> Iterator[DnsRecord]:
    """The address of a name, from the interfaces' servers or from -Server."""
    refuse_unless(call, "Type", "A", "A_AAAA")
    name = call.values["Name"]
    if written_address(name) is not None:
        raise NotSimulated(f"{call.cmdlet} for the address {name}: it asks for its name")
    servers = call.get("Server")
    answer = resolve(call.host, name, None if servers is None else [_server(call, server) for server in servers])
    if isinstance(answer, str):
        if answer == "timeout":
            power.wait(call.host, _DNS_SECONDS)
        raise CmdletError(_dns_error(call, name, answer))
    yield DnsRecord(call.host, name, str(answer))


def _server(call: Call, text: str) -> ipaddress.IPv4Address:
    address = written_address(text)
    if address is None:
        raise NotSimulated(f"{call.cmdlet} -Server {text}: only an address")
    return address


def _dns_error(call: Call, name: str, answer: Answer) -> Record:
    kind, category, text = _DNS_ERRORS[str(answer)]
    source = f"{kind},{call.error_source}"
    return Record(id=source, category=category, reason="Win32Exception", message=f"{name} : {text}", hresult=_E_FAIL)


class ConnectionResult(Live):
    """What Test-NetConnection returns."""

    type_names = ("TestNetConnectionResult", "System.Object")
    properties: t.ClassVar[Properties] = {
        "ComputerName": lambda self: self.name,
        "RemoteAddress": lambda self: self.address,
        "RemotePort": lambda self: self.port or 0,
        "InterfaceAlias": lambda self: self.alias or None,
        "SourceAddress": lambda self: self.source or None,
        "NameResolutionSucceeded": lambda self: self.address is not None,
        "PingSucceeded": lambda self: bool(self.ping),
        "TcpTestSucceeded": lambda self: bool(self.tcp),
    }

    def __init__(self, host: Host, name: str, port: int | None) -> None:
        super().__init__(host)
        self.name = name
        self.port = port
        self.address: str | None = None
        self.alias = self.source = ""
        self.ping = self.tcp = False


@simulate("NetTCPIP\\Test-NetConnection", "ComputerName Port InformationLevel")
def test_net_connection(call: Call) -> Iterator[t.Any]:
    """A ping, or with -Port a TCP connection, and a ping only when that fails; what fails is no error but a warning."""
    name, port = call.get("ComputerName"), call.get("Port")
    if name is None:
        raise NotSimulated(f"{call.cmdlet} without -ComputerName")
    found = ConnectionResult(call.host, name, port)
    target = address_of(call.host, name)
    if target is None:
        call.warn(f"Name resolution of {name} failed")
    else:
        found.address = str(target)
        _try(call, found, target, port)
    quiet = call.get("InformationLevel") == "Quiet"
    yield (found.tcp if port is not None else found.ping) if quiet else found


def _try(call: Call, found: ConnectionResult, target: ipaddress.IPv4Address, port: int | None) -> None:
    trip, replied = answers_ping(call.host, target)
    found.alias, found.source = trip.alias, trip.source
    if port is None:
        found.ping = replied
        return
    _trip, taken = takes_connection(call.host, target, port)
    if taken is None:
        raise NotSimulated(f"{call.cmdlet} -Port {port} for a host of the model")
    found.tcp = taken
    if not taken:
        power.wait(call.host, _TCP_SECONDS)
        call.warn(f"TCP connect to ({target} : {port}) failed")
        found.ping = replied


class NetNeighbor(CimInstance):
    """An entry of the ARP cache."""

    type_names = cim_names("MSFT_NetNeighbor")
    properties: t.ClassVar[Properties] = {
        "IPAddress": lambda self: self.ip,
        "InterfaceIndex": lambda self: self.adapter.index,
        "ifIndex": lambda self: self.adapter.index,
        "InterfaceAlias": lambda self: self.adapter.name,
        "LinkLayerAddress": lambda self: "-".join(re.findall("..", self.mac or "0" * 12)),
        "State": lambda self: "Reachable" if self.mac else "Unreachable",
        "AddressFamily": lambda self: "IPv4",
        "Store": lambda self: "ActiveStore",
    }

    def __init__(self, host: Host, adapter: HostAdapter, ip: str, mac: str) -> None:
        super().__init__(host)
        self.adapter = adapter
        self.ip = ip
        self.mac = mac


_NEIGHBOUR_FILTERS = {
    name: name for name in ("IPAddress", "InterfaceIndex", "InterfaceAlias", "LinkLayerAddress", "State", "AddressFamily")
}


@simulate("NetTCPIP\\Get-NetNeighbor", " ".join(_NEIGHBOUR_FILTERS))
def get_net_neighbor(call: Call) -> list[NetNeighbor]:
    """The gateways only: Windows asks for them all the time. Who was asked besides is not kept."""
    return cdxml.query(call, _gateways(call.host), _NEIGHBOUR_FILTERS)


def _gateways(host: Host) -> Iterator[NetNeighbor]:
    adapters = {adapter.index: adapter for adapter in host.adapters if adapter.status == "Up"}
    for route in active_routes(host):
        if route.index in adapters and route.next_hop not in ON_LINK.values():
            station, _silent = neighbour(host, adapters[route.index], ipaddress.IPv4Address(route.next_hop))
            yield NetNeighbor(host, adapters[route.index], route.next_hop, station.mac if station else "")
