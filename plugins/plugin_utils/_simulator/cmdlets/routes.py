# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the host's routes, IPv4 for all that is set by hand."""

from __future__ import annotations

import ipaddress
import typing as t

from .. import cdxml
from ..calls import NotSimulated
from ..model import Route
from ..network_objects import ON_LINK, NetRoute, active_routes
from ..simulates import refuse_unless, simulate
from .ip import asked_store, named_interface, parsed_ip

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..calls import Call
    from ..model import HostAdapter

_FILTERS = {name: name for name in ("DestinationPrefix", "InterfaceIndex", "InterfaceAlias", "NextHop", "AddressFamily", "RouteMetric")}


@simulate("NetTCPIP\\Get-NetRoute", " ".join((*_FILTERS, "PolicyStore", "IncludeAllCompartments")))
def get_net_route(call: Call) -> list[NetRoute]:
    """The active store, or the persistent one, which has only what was set by hand."""
    if asked_store(call) == "ActiveStore":
        return cdxml.query(call, active_routes(call.host), _FILTERS)
    kept = [_shown(call, route, "PersistentStore") for route in call.host.routes if route.persistent]
    return cdxml.query(call, kept, _FILTERS)


def _shown(call: Call, route: Route, store: str) -> NetRoute:
    return NetRoute(call.host, route.destination, route.adapter, route.next_hop, store, route)


@simulate("NetTCPIP\\New-NetRoute", "DestinationPrefix InterfaceAlias InterfaceIndex AddressFamily NextHop RouteMetric PolicyStore")
def new_net_route(call: Call) -> Iterator[NetRoute]:
    """Returns the route once for each store that it was written to, as New-NetIPAddress does."""
    cdxml.writers_only(call)
    adapter = named_interface(call)
    destination = _destination(call)
    next_hop = str(parsed_ip(call, "NextHop")) if call.get("NextHop") is not None else ON_LINK["IPv4"]
    only_active = call.get("PolicyStore") is not None
    if ":" in next_hop or call.get("AddressFamily", "IPv4") != "IPv4" or (only_active and asked_store(call) != "ActiveStore"):
        cdxml.fail(call, 87)
    if _exists(call, adapter, destination, next_hop):
        cdxml.fail(call, 87, "Instance MSFT_NetRoute already exists")
    route = Route(
        destination=destination,
        next_hop=next_hop,
        metric=call.get("RouteMetric", 256),
        adapter=adapter.index,
        persistent=not only_active,
    )
    call.host.routes.append(route)
    for store in ("ActiveStore",) if only_active else ("ActiveStore", "PersistentStore"):
        yield _shown(call, route, store)


def _destination(call: Call) -> str:
    """The destination's prefix, whose host bits must be zero (cmdlets.md 9)."""
    given = call.values["DestinationPrefix"]
    try:
        network = ipaddress.ip_network(given)
    except ValueError:
        cdxml.fail(call, 87, f"Invalid parameter DestinationPrefix {given}")
    if network.version == 6:
        raise NotSimulated(f"{call.cmdlet} for IPv6")
    return str(network)


def _exists(call: Call, adapter: HostAdapter, destination: str, next_hop: str) -> bool:
    same = (destination, next_hop, adapter.index)
    return any((item.prefix, item.next_hop, item.index) == same for item in active_routes(call.host))


@simulate("NetTCPIP\\Remove-NetRoute", " ".join((*_FILTERS, "InputObject", "PassThru")))
def remove_net_route(call: Call) -> Iterator[NetRoute]:
    """From both stores; without a filter every route, of which those to the networks of addresses come back at once."""
    cdxml.writers_only(call)
    refuse_unless(call, "PolicyStore")
    for item in cdxml.picked(call, active_routes(call.host), _FILTERS, NetRoute):
        call.host.routes[:] = [route for route in call.host.routes if route is not item.route]
        if call.get("PassThru"):
            yield item
