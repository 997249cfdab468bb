# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: which DNS servers an interface asks, set by hand or by DHCP."""

from __future__ import annotations

import ipaddress
import typing as t

from .. import cdxml
from ..calls import NotSimulated
from ..lookup import as_list
from ..network_objects import DnsClientServerAddress
from ..simulates import refuse_unless, simulate
from ..wiring import has_ip

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..calls import Call
    from ..model import Host

_FILTERS = {name: name for name in ("InterfaceIndex", "InterfaceAlias")}


def _all(host: Host) -> list[DnsClientServerAddress]:
    """One for each family of each interface, the loopback's too (facts 6.2)."""
    adapters = [*(adapter for adapter in host.adapters if has_ip(host, adapter)), None]
    return [DnsClientServerAddress(host, adapter, family) for adapter in adapters for family in ("IPv4", "IPv6")]


@simulate("DnsClient\\Get-DnsClientServerAddress", "InterfaceIndex InterfaceAlias AddressFamily")
def get_dns_client_server_address(call: Call) -> list[DnsClientServerAddress]:
    """The addresses that hold, be they set by hand or given by DHCP: which of them, it does not say."""
    families = call.get("AddressFamily")
    return cdxml.query(call, [item for item in _all(call.host) if families is None or item.family in families], _FILTERS)


@simulate(
    "DnsClient\\Set-DnsClientServerAddress",
    "InterfaceIndex InterfaceAlias InputObject ServerAddresses ResetServerAddresses PassThru Validate",
)
def set_dns_client_server_address(call: Call) -> Iterator[DnsClientServerAddress]:
    """Replaces the list, or goes back to what DHCP gives (facts 6.2); nothing is asked whether it is a DNS server."""
    cdxml.writers_only(call)
    refuse_unless(call, "Validate", False)
    servers, reset = as_list(call.get("ServerAddresses")), call.get("ResetServerAddresses")
    if bool(servers) == bool(reset):
        raise NotSimulated(f"{call.cmdlet} with both or none of -ServerAddresses and -ResetServerAddresses")
    if any(ipaddress.ip_address(_checked(call, server)).version == 6 for server in servers):
        raise NotSimulated(f"{call.cmdlet} with IPv6 addresses")
    for item in cdxml.picked(call, _all(call.host), _FILTERS, DnsClientServerAddress):
        if item.adapter is not None and item.family == "IPv4":
            item.adapter.dns = [] if reset else list(servers)
        if call.get("PassThru"):
            yield item


def _checked(call: Call, server: str) -> str:
    try:
        return str(ipaddress.ip_address(server))
    except ValueError:
        cdxml.fail(call, 87, f"Invalid parameter ServerAddresses {server}")
