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
from ..lookup import as_list
from ..network_objects import CimInstance, cim_names
from ..reach import address_of, answers_ping, neighbour, own_networks, resolve, takes_connection, written_address
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
_PING_SECONDS = 1.0
"""How long an echo reply is waited for: Win32_PingStatus.Timeout when nobody sets it."""
_DELAY_SECONDS, _PROBE_SECONDS = 5.0, 3.0
"""How long Windows goes on with a stale neighbour before it asks for it, and how long it asks for one that is silent (RFC 4861)."""
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


@simulate("Microsoft.PowerShell.Management\\Test-Connection", "ComputerName Count Quiet")
def test_connection(call: Call) -> Iterator[bool]:
    """One echo request to each, and whether a reply came; only with -Quiet, which says no more."""
    if not call.get("Quiet"):
        raise NotSimulated(f"{call.cmdlet} without -Quiet")
    if call.get("Count") != 1:
        raise NotSimulated(f"{call.cmdlet} with another -Count than 1")
    for name in as_list(call.values["ComputerName"]):
        target = address_of(call.host, name)
        replied = target is not None and answers_ping(call.host, target)[1]
        if not replied:
            power.wait(call.host, _PING_SECONDS)
        yield replied


class NetNeighbor(CimInstance):
    """An entry of the neighbour cache."""

    type_names = cim_names("MSFT_NetNeighbor")
    properties: t.ClassVar[Properties] = {
        "IPAddress": lambda self: self.ip,
        "InterfaceIndex": lambda self: self.adapter.index,
        "ifIndex": lambda self: self.adapter.index,
        "InterfaceAlias": lambda self: self.adapter.name,
        "LinkLayerAddress": lambda self: "-".join(re.findall("..", self.mac or "0" * 12)),
        "State": lambda self: self.state,
        "AddressFamily": lambda self: "IPv4",
        "Store": lambda self: "ActiveStore",
    }

    def __init__(self, host: Host, adapter: HostAdapter, ip: str, cached: str | None) -> None:
        super().__init__(host)
        self.adapter = adapter
        self.ip = ip
        station, _silent = neighbour(host, adapter, ipaddress.IPv4Address(ip))
        asked = host.asked.get((adapter.index, ip))
        self.state = cached if cached and asked is None else _state(cached, host.clock - (asked or 0), there=station is not None)
        self.mac = "" if self.state in _NOBODY else station.mac if station else _FORGOTTEN


_NOBODY = ("Incomplete", "Unreachable")
_FORGOTTEN = "00005E005302"
"""Of a neighbour that the cache still has, and that is gone; of the range for documentation (RFC 7042)."""


def _state(cached: str | None, age: float, *, there: bool) -> str:
    """What has become of an entry so many seconds after something was sent to the neighbour."""
    if cached in ("Reachable", "Permanent"):
        return cached
    if cached is not None and age < _DELAY_SECONDS:
        return "Delay"
    if there:
        return "Reachable"
    if cached is None:
        return "Incomplete" if age < _PROBE_SECONDS else "Unreachable"
    return "Probe" if age < _DELAY_SECONDS + _PROBE_SECONDS else "Unreachable"


_NEIGHBOUR_FILTERS = {
    name: name for name in ("IPAddress", "InterfaceIndex", "InterfaceAlias", "LinkLayerAddress", "State", "AddressFamily")
}


@simulate("NetTCPIP\\Get-NetNeighbor", " ".join(_NEIGHBOUR_FILTERS))
def get_net_neighbor(call: Call) -> list[NetNeighbor]:
    """Whom this remote process has sent something to, and what the profile says of before."""
    return cdxml.query(call, _neighbours(call.host), _NEIGHBOUR_FILTERS)


def _neighbours(host: Host) -> Iterator[NetNeighbor]:
    adapters = {adapter.index: adapter for adapter in host.adapters if adapter.status == "Up"}
    cached = [(index, ip) for ip in host.neighbours for index in own_networks(host, ipaddress.IPv4Address(ip))]
    for index, ip in dict.fromkeys((*cached, *host.asked)):
        if index in adapters:
            yield NetNeighbor(host, adapters[index], ip, host.neighbours.get(ip))
