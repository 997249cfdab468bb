# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what hyperv_guest_network reads: the adapter that is meant, and the host's IPv4 addresses, routes and DNS servers."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ._errors import Refused
from ._network import Address, HostAdapter, Network
from ._options import Options, ordinal

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from ._steps import Answers, Row

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
    def leased(self) -> list[Address]:
        """Those that DHCP gave; they may go with it, or stay (see the ledger)."""
        return [address for address in self.own if self.dhcp and not address.static]

    @property
    def static(self) -> list[Address]:
        """Those that were set by hand, or are left of a lease while nobody asks for one any more."""
        return [address for address in self.own if address.static or not self.dhcp]

    def is_lost(self, address: Address) -> bool:
        """Whether a static address would not survive a restart."""
        return address in self.static and str(address.ip) not in self.kept

    def shown(self, address: Address) -> str:
        """An address, as changes show it."""
        return f"{address}{_LOST if self.is_lost(address) else ''}"

    @property
    def own_routes(self) -> list[DefaultRoute]:
        """The adapter's default routes."""
        return [route for route in self.routes if route.index == self.adapter.index]

    @property
    def static_routes(self) -> list[DefaultRoute]:
        """Those that were set by hand, or are left of a lease."""
        leased = self.leased_routes
        return [route for route in self.own_routes if route not in leased]

    @property
    def leased_routes(self) -> list[DefaultRoute]:
        """Those that DHCP gave; they may go with it, or stay."""
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
                "mac": _mac(self.adapter.row["MacAddress"]),
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


def _mac(value: t.Any) -> str:
    """A MAC address in capitals without separators, as Hyper-V shows it; anything else is no MAC address, and empty."""
    bare = re.sub(r"[-:. ]", "", str(value or "")).upper()
    return bare if re.fullmatch(r"[0-9A-F]{12}", bare) else ""


def _chosen(options: Options, network: Network, answers: Answers, interfaces: Container[int]) -> HostAdapter:
    """The adapter of that name or MAC address, or the only physical one that is up.

    An external switch's management adapter has the MAC address of the physical one below, which then has no TCP/IP.
    """
    shown = [adapter for adapter in network.adapters if not adapter.hidden]
    if options.adapter is None:
        physical = {ordinal(str(row["DeviceID"])) for row in answers.rows("physical")}
        usable = [a for a in shown if a.status == "Up" and a.index in interfaces and ordinal(str(a.row["DeviceID"])) in physical]
        return _only(usable, shown, "physical network adapters that are up and have TCP/IP")
    found = [adapter for adapter in shown if ordinal(adapter.name) == ordinal(options.adapter)]
    wanted = _mac(options.adapter)
    if not found and wanted:
        found = [adapter for adapter in shown if wanted in (_mac(adapter.row[name]) for name in ("MacAddress", "PermanentAddress"))]
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
    return ", ".join(f"'{a.name}' ({_mac(a.row['MacAddress']) or 'no MAC address'}, {a.status})" for a in adapters) or "none"
