# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the host's network adapters, IP addresses and IP interfaces."""

from __future__ import annotations

import ipaddress
import typing as t

from .. import cdxml
from ..calls import NotSimulated
from ..model import Address, Lease, Route
from ..network_objects import LOOPBACK, NetAdapter, NetIPAddress, NetIPInterface, dhcp_on, lease, visible_addresses
from ..reach import heard_by_others
from ..simulates import refuse_unless, simulate
from ..text import same_text
from ..wiring import has_ip, physical_below

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..calls import Call
    from ..model import Host, HostAdapter

_DETECTION_SECONDS = 2.0
"""Duplicate address detection takes one to three seconds (facts 5.6)."""

_ANSWER_SECONDS = 1.0
"""From asking for an address by DHCP until there is one; only where an interface falls back to it, which others have to beat."""
_LEASED_METRIC = 0
"""Of DHCP's default route (idx:4576577833)."""

_ADAPTER_FILTERS = {name: name for name in ("Name", "InterfaceDescription", "InterfaceIndex")}
_ADDRESS_FILTERS = {
    name: name
    for name in (
        *("IPAddress", "InterfaceIndex", "InterfaceAlias", "AddressFamily", "Type", "PrefixLength"),
        *("PrefixOrigin", "SuffixOrigin", "AddressState", "SkipAsSource"),
    )
}
_CHANGED_FILTERS = {name: name for name in _ADDRESS_FILTERS if name not in ("PrefixLength", "SkipAsSource")}
"""Set-NetIPAddress takes these two as new values."""
_INTERFACE_FILTERS = {name: name for name in ("InterfaceIndex", "InterfaceAlias", "AddressFamily", "Dhcp", "ConnectionState")}


@simulate("NetAdapter\\Get-NetAdapter", "Name InterfaceDescription InterfaceIndex IncludeHidden Physical")
def get_net_adapter(call: Call) -> list[NetAdapter]:
    """Hidden adapters and such as are not present need -IncludeHidden (facts 9.3)."""
    hidden, physical = call.get("IncludeHidden"), call.get("Physical")
    adapters = [
        NetAdapter(call.host, adapter)
        for adapter in call.host.adapters
        if (hidden or not (adapter.hidden or adapter.status == "Not Present")) and not (physical and adapter.switch is not None)
    ]
    return cdxml.query(call, adapters, _ADAPTER_FILTERS)


@simulate("NetTCPIP\\Get-NetIPAddress", " ".join((*_ADDRESS_FILTERS, "PolicyStore", "IncludeAllCompartments")))
def get_net_ip_address(call: Call) -> list[NetIPAddress]:
    """The active store unless told otherwise; the persistent one has what was set by hand (facts 5.6)."""
    store = asked_store(call)
    if store == "PersistentStore":
        kept = [NetIPAddress(call.host, a, store) for a in call.host.addresses if a.origin == "Manual" and a.persistent]
        return cdxml.query(call, kept, _ADDRESS_FILTERS)
    return cdxml.query(call, visible_addresses(call.host), _ADDRESS_FILTERS)


def asked_store(call: Call) -> str:
    """The active store unless -PolicyStore says otherwise."""
    asked = str(call.get("PolicyStore") or "ActiveStore")
    for known in ("ActiveStore", "PersistentStore"):
        if same_text(asked, known):
            return known
    raise NotSimulated(f"{call.cmdlet} -PolicyStore {asked}")


@simulate(
    "NetTCPIP\\New-NetIPAddress",
    "IPAddress InterfaceAlias InterfaceIndex PrefixLength AddressFamily Type SkipAsSource PolicyStore DefaultGateway",
)
def new_net_ip_address(call: Call) -> Iterator[NetIPAddress]:
    """Returns the address once for each store that it was written to (facts 5.6)."""
    cdxml.writers_only(call)
    refuse_unless(call, "Type", "Unicast")
    refuse_unless(call, "SkipAsSource", False)
    adapter = named_interface(call)
    ip = parsed_ip(call, "IPAddress")
    # 32 when omitted: works locally, but there is no on-link route (facts 5.6)
    length = call.get("PrefixLength", ip.max_prefixlen)
    only_active = call.get("PolicyStore") is not None
    if call.get("AddressFamily", f"IPv{ip.version}") != f"IPv{ip.version}":
        cdxml.fail(call, 87)
    if length > ip.max_prefixlen or (only_active and asked_store(call) != "ActiveStore"):
        cdxml.fail(call, 87)
    if not only_active and (adapter.status == "Disconnected" or (adapter.dhcp and ip.version == 4)):
        # seen on adapters without a link, and where DHCP was still on (facts 6.1)
        cdxml.fail(call, 87, "Inconsistent parameters PolicyStore PersistentStore and Dhcp Enabled")
    _refuse_existing(call, ip, adapter)
    gateway = _gateway(call, adapter, ipaddress.ip_interface(f"{ip}/{length}"))
    address = Address(address=str(ip), prefix_length=length, adapter=adapter.index, preferred_from=call.host.clock + _DETECTION_SECONDS)
    address.persistent = not only_active
    if heard_by_others(call.host, adapter, str(ip)):
        address.state = "Duplicate"
    if ip.version == 4 and dhcp_on(call.host, adapter):
        # a static address turns DHCP off (cmdlets.md 9), and the lease goes with it
        _end_lease(call.host, adapter)
    call.host.addresses.append(address)
    call.host.routes += gateway
    for store in ("ActiveStore",) if only_active else ("ActiveStore", "PersistentStore"):
        yield NetIPAddress(call.host, address, store)


def _gateway(call: Call, adapter: HostAdapter, own: t.Any) -> list[Route]:
    """The default route of -DefaultGateway; with one there already the whole call fails (facts 6.1)."""
    if call.get("DefaultGateway") is None:
        return []
    gateway = parsed_ip(call, "DefaultGateway")
    if gateway.version == 6:
        raise NotSimulated(f"{call.cmdlet} with an IPv6 gateway")
    if any(route.adapter == adapter.index and route.destination == "0.0.0.0/0" for route in call.host.routes):
        cdxml.fail(call, 87, "Instance DefaultGateway already exists")
    if gateway not in own.network:
        # it has to be of the same subnet, says the page of the cmdlet; with which error is not known
        cdxml.fail(call, 87, f"Invalid parameter DefaultGateway {gateway}")
    return [Route(next_hop=str(gateway), adapter=adapter.index, persistent=call.get("PolicyStore") is None)]


def _end_lease(host: Host, adapter: HostAdapter) -> None:
    """Nobody asks for an address any more: what the last lease gave goes, or stays as if somebody had made it until a restart."""
    if not host.leases_stay:
        _drop_lease(host, adapter)
    elif given := lease(host, adapter):
        index = adapter.index
        host.addresses.append(
            Address(address=given.address, prefix_length=given.prefix_length, adapter=index, origin="Dhcp", persistent=False)
        )
        default = ("0.0.0.0/0", given.gateway, index)
        if given.gateway and not any((route.destination, route.next_hop, route.adapter) == default for route in host.routes):
            host.routes.append(Route(next_hop=given.gateway, metric=_LEASED_METRIC, adapter=index, persistent=False))


def _drop_lease(host: Host, adapter: HostAdapter) -> None:
    """The lease goes; the network would give it again."""
    host.routes[:] = [r for r in host.routes if (r.adapter, r.metric, r.persistent) != (adapter.index, _LEASED_METRIC, False)]
    leased = [a for a in host.addresses if a.adapter == adapter.index and a.origin == "Dhcp" and ":" not in a.address]
    physical = physical_below(host, adapter)
    for address in leased:
        if physical is not None and host.outer is None:
            physical.lease = physical.lease or Lease(address=address.address, prefix_length=address.prefix_length)
        host.addresses[:] = [one for one in host.addresses if one is not address]


def named_interface(call: Call) -> HostAdapter:
    """The adapter that a call names by index or alias, which must have TCP/IP."""
    index, alias = call.get("InterfaceIndex"), call.get("InterfaceAlias")
    if index == LOOPBACK:
        raise NotSimulated(f"{call.cmdlet} for the loopback interface")
    bound = [adapter for adapter in call.host.adapters if has_ip(call.host, adapter)]
    found = next((a for a in bound if a.index == index or (alias is not None and same_text(a.name, alias))), None)
    if found is None:
        # gh:Siemens-Healthineers/K2s#1131 shows it for an alias
        cdxml.fail(call, 1168)
    return found


def parsed_ip(call: Call, parameter: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that a parameter holds."""
    try:
        return ipaddress.ip_address(call.get(parameter))
    except ValueError:
        cdxml.fail(call, 87, f"Invalid parameter {parameter} {call.get(parameter)}")


def _refuse_existing(call: Call, ip: t.Any, adapter: HostAdapter) -> None:
    for other in visible_addresses(call.host):
        if ipaddress.ip_address(other.address.address) != ip:
            continue
        if other.address.adapter == adapter.index:
            cdxml.fail(call, 87, "Instance MSFT_NetIPAddress already exists")
        cdxml.fail(call, 5010)


@simulate("NetTCPIP\\Set-NetIPAddress", " ".join((*_ADDRESS_FILTERS, "InputObject", "PassThru")))
def set_net_ip_address(call: Call) -> Iterator[NetIPAddress]:
    """Changes the prefix length; the address itself cannot be changed (cmdlets.md 9)."""
    cdxml.writers_only(call)
    refuse_unless(call, "SkipAsSource", False)
    length = call.get("PrefixLength")
    for item in cdxml.picked(call, visible_addresses(call.host), _CHANGED_FILTERS, NetIPAddress):
        if not item.stored:
            raise NotSimulated(f"Set-NetIPAddress for {item.address.address}, which Windows makes by itself")
        if length is not None and length > ipaddress.ip_address(item.address.address).max_prefixlen:
            cdxml.fail(call, 87)
        item.address.prefix_length = item.address.prefix_length if length is None else length
        if call.get("PassThru"):
            yield item


@simulate("NetTCPIP\\Remove-NetIPAddress", " ".join((*_ADDRESS_FILTERS, "InputObject", "PassThru", "DefaultGateway")))
def remove_net_ip_address(call: Call) -> Iterator[NetIPAddress]:
    """Without a filter it removes every address (cmdlets.md 9); those that Windows makes by itself come back at once.

    Default routes stay (facts 6.1), and an interface that loses its last address by hand asks for one by DHCP.
    """
    cdxml.writers_only(call)
    refuse_unless(call, "DefaultGateway")
    for item in cdxml.picked(call, visible_addresses(call.host), _ADDRESS_FILTERS, NetIPAddress):
        call.host.addresses[:] = [address for address in call.host.addresses if address is not item.address]
        for adapter in call.host.adapters:
            if adapter.index == item.address.adapter and adapter.dhcp is False and not _by_hand(call.host, adapter):
                adapter.dhcp, adapter.leased_from = True, call.host.clock + _ANSWER_SECONDS
        if call.get("PassThru"):
            yield item


def _ip_interfaces(host: Host) -> Iterator[NetIPInterface]:
    for adapter in (*(adapter for adapter in host.adapters if has_ip(host, adapter)), None):
        for family in ("IPv6", "IPv4"):
            yield NetIPInterface(host, adapter, family)


@simulate("NetTCPIP\\Get-NetIPInterface", " ".join((*_INTERFACE_FILTERS, "PolicyStore", "IncludeAllCompartments")))
def get_net_ip_interface(call: Call) -> list[NetIPInterface]:
    """One object for each interface and family."""
    if asked_store(call) != "ActiveStore":
        raise NotSimulated("Get-NetIPInterface -PolicyStore PersistentStore")
    return cdxml.query(call, _ip_interfaces(call.host), _INTERFACE_FILTERS)


@simulate("NetTCPIP\\Set-NetIPInterface", "InterfaceIndex InterfaceAlias AddressFamily Dhcp InputObject PassThru PolicyStore")
def set_net_ip_interface(call: Call) -> Iterator[NetIPInterface]:
    """DHCP on and off; of IPv6 interfaces only what is so anyway."""
    cdxml.writers_only(call)
    if asked_store(call) != "ActiveStore":
        raise NotSimulated("Set-NetIPInterface -PolicyStore PersistentStore")
    wanted = call.get("Dhcp")
    filters = {name: name for name in _INTERFACE_FILTERS if name not in ("Dhcp", "ConnectionState")}
    for item in cdxml.picked(call, _ip_interfaces(call.host), filters, NetIPInterface):
        if item.adapter is not None and item.family == "IPv4" and wanted is not None:
            _set_dhcp(call.host, item.adapter, wanted == "Enabled")
        if call.get("PassThru"):
            yield item


def _set_dhcp(host: Host, adapter: HostAdapter, on: bool) -> None:
    """Static addresses and routes stay when it is turned on (idx:70446928785); the lease goes when it is turned off."""
    if on:
        if not dhcp_on(host, adapter):
            # what is left of a lease is leased anew
            _drop_lease(host, adapter)
        adapter.dhcp, adapter.leased_from = True if _by_hand(host, adapter) else None, 0.0
    elif dhcp_on(host, adapter):
        _end_lease(host, adapter)
        adapter.dhcp = False


def _by_hand(host: Host, adapter: HostAdapter) -> bool:
    return any(a.adapter == adapter.index and a.origin == "Manual" and ":" not in a.address for a in host.addresses)
