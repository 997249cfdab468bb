# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the host's network adapters, IP addresses, IP interfaces and on-link routes."""

from __future__ import annotations

import ipaddress
import typing as t

from .. import cdxml
from ..calls import NotSimulated
from ..model import Address
from ..network_objects import LOOPBACK, NetAdapter, NetIPAddress, NetIPInterface, NetRoute, has_ip, visible_addresses
from ..simulates import refuse_unless, simulate
from ..text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..calls import Call
    from ..model import Host, HostAdapter

_DETECTION_SECONDS = 2.0
"""Duplicate address detection takes one to three seconds (facts 5.6)."""

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
_ROUTE_FILTERS = {name: name for name in ("DestinationPrefix", "InterfaceIndex", "InterfaceAlias", "NextHop", "AddressFamily")}
_DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")


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
    store = _store(call)
    if store == "PersistentStore":
        kept = [NetIPAddress(call.host, a, store) for a in call.host.addresses if a.origin == "Manual"]
        return cdxml.query(call, kept, _ADDRESS_FILTERS)
    return cdxml.query(call, visible_addresses(call.host), _ADDRESS_FILTERS)


def _store(call: Call) -> str:
    asked = str(call.get("PolicyStore") or "ActiveStore")
    for known in ("ActiveStore", "PersistentStore"):
        if same_text(asked, known):
            return known
    raise NotSimulated(f"{call.cmdlet} -PolicyStore {asked}")


@simulate(
    "NetTCPIP\\New-NetIPAddress",
    "IPAddress InterfaceAlias InterfaceIndex PrefixLength AddressFamily Type SkipAsSource PolicyStore",
)
def new_net_ip_address(call: Call) -> Iterator[NetIPAddress]:
    """Returns the address once for each store that it was written to (facts 5.6)."""
    cdxml.writers_only(call)
    refuse_unless(call, "Type", "Unicast")
    refuse_unless(call, "SkipAsSource", False)
    adapter = _interface(call)
    ip = _ip(call)
    # 32 when omitted: works locally, but there is no on-link route (facts 5.6)
    length = call.get("PrefixLength", ip.max_prefixlen)
    only_active = call.get("PolicyStore") is not None
    if call.get("AddressFamily", f"IPv{ip.version}") != f"IPv{ip.version}":
        cdxml.fail(call, 87)
    if length > ip.max_prefixlen or (only_active and _store(call) != "ActiveStore"):
        cdxml.fail(call, 87)
    if adapter.status == "Disconnected" and not only_active:
        # seen on adapters without a link (facts 6.1)
        cdxml.fail(call, 87, "Inconsistent parameters PolicyStore PersistentStore and Dhcp Enabled")
    _refuse_existing(call, ip, adapter)
    address = Address(address=str(ip), prefix_length=length, adapter=adapter.index, preferred_from=call.host.clock + _DETECTION_SECONDS)
    # a static address turns DHCP off (cmdlets.md 9), and the lease goes with it
    call.host.addresses[:] = [a for a in call.host.addresses if a.adapter != adapter.index or a.origin != "Dhcp" or ip.version == 6]
    call.host.addresses.append(address)
    for store in ("ActiveStore",) if only_active else ("ActiveStore", "PersistentStore"):
        yield NetIPAddress(call.host, address, store)


def _interface(call: Call) -> HostAdapter:
    index, alias = call.get("InterfaceIndex"), call.get("InterfaceAlias")
    if index == LOOPBACK:
        raise NotSimulated("an address for the loopback interface")
    bound = [adapter for adapter in call.host.adapters if has_ip(call.host, adapter)]
    found = next((a for a in bound if a.index == index or (alias is not None and same_text(a.name, alias))), None)
    if found is None:
        # gh:Siemens-Healthineers/K2s#1131 shows it for an alias
        cdxml.fail(call, 1168)
    return found


def _ip(call: Call) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(call.get("IPAddress"))
    except ValueError:
        cdxml.fail(call, 87, f"Invalid parameter IPAddress {call.get('IPAddress')}")


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


@simulate("NetTCPIP\\Remove-NetIPAddress", " ".join((*_ADDRESS_FILTERS, "InputObject", "PassThru")))
def remove_net_ip_address(call: Call) -> Iterator[NetIPAddress]:
    """Without a filter it removes every address (cmdlets.md 9); those that Windows makes by itself come back at once."""
    cdxml.writers_only(call)
    for item in cdxml.picked(call, visible_addresses(call.host), _ADDRESS_FILTERS, NetIPAddress):
        call.host.addresses[:] = [address for address in call.host.addresses if address is not item.address]
        if call.get("PassThru"):
            yield item


def _ip_interfaces(host: Host) -> Iterator[NetIPInterface]:
    for adapter in (*(adapter for adapter in host.adapters if has_ip(host, adapter)), None):
        for family in ("IPv6", "IPv4"):
            yield NetIPInterface(host, adapter, family)


@simulate("NetTCPIP\\Get-NetIPInterface", " ".join((*_INTERFACE_FILTERS, "PolicyStore", "IncludeAllCompartments")))
def get_net_ip_interface(call: Call) -> list[NetIPInterface]:
    """One object for each interface and family."""
    if _store(call) != "ActiveStore":
        raise NotSimulated("Get-NetIPInterface -PolicyStore PersistentStore")
    return cdxml.query(call, _ip_interfaces(call.host), _INTERFACE_FILTERS)


@simulate("NetTCPIP\\Get-NetRoute", " ".join((*_ROUTE_FILTERS, "PolicyStore", "IncludeAllCompartments")))
def get_net_route(call: Call) -> list[NetRoute]:
    """The on-link routes that addresses bring along; the model has no gateways."""
    asked = call.get("DestinationPrefix") or []
    if any(prefix in asked for prefix in _DEFAULT_ROUTES) or _store(call) != "ActiveStore":
        raise NotSimulated("routes that do not come from an address")
    return cdxml.query(call, _on_link(call.host), _ROUTE_FILTERS)


def _on_link(host: Host) -> Iterable[NetRoute]:
    seen: dict[tuple[str, int], NetRoute] = {}
    for item in visible_addresses(host):
        plain = item.address.address.partition("%")[0]
        prefix = str(ipaddress.ip_network(f"{plain}/{item.address.prefix_length}", strict=False))
        seen[prefix, item.address.adapter] = NetRoute(host, prefix, item.address.adapter)
    return seen.values()
