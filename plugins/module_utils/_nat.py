# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what hyperv_nat_switch is about: an internal switch, the gateway address on its management adapter, and the NAT, as one object.

What is ours: the switch of that name, the NAT of that name when the switch's adapter has an address in it (it is *tied* to
the switch), and the gateway among the adapter's addresses. Everything else is foreign: it is never removed.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ._errors import Refused
from ._nat_forwards import Forward, Mapping, wanted_forwards
from ._nesting import Platform
from ._network import Address, HostAdapter, Network, Switch
from ._options import Options, ordinal

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ._steps import Answers, From, Row

DEFAULT_PREFIX = ipaddress.IPv4Network("192.168.100.0/24")
"""Microsoft's guide to nested virtualization."""


def wanted_prefix(options: Options) -> ipaddress.IPv4Network:
    """The prefix that was asked for, or the guide's."""
    return t.cast("ipaddress.IPv4Network", options.prefix or DEFAULT_PREFIX)


def nat_name_of(options: Options) -> str:
    """The name that the NAT has or gets."""
    return t.cast("str", options.nat_name or options.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Nat:
    """A NetNat object."""

    row: Row
    name: str
    prefix: ipaddress.IPv4Network | None
    """None: it was made for an external address only."""
    external: str
    active: bool

    @classmethod
    def from_row(cls, row: Row) -> Nat:
        """From a row of Get-NetNat; networks are compared as such, for the text may be of any form (facts 5.4)."""
        prefix = str(row["InternalIPInterfaceAddressPrefix"] or "")
        return cls(
            row=row,
            name=str(row["Name"]),
            prefix=ipaddress.IPv4Network(prefix, strict=False) if prefix else None,
            external=str(row.get("ExternalIPInterfaceAddressPrefix") or ""),
            active=str(row.get("Active")).lower() in ("true", "1"),
        )

    def holds(self, addresses: Iterable[Address]) -> bool:
        """Whether one of these static addresses lies in it."""
        return self.prefix is not None and any(address.static and address.ip in self.prefix for address in addresses)

    @property
    def ref(self) -> From:
        """The NAT, provided that it is as it was read."""
        return self.row.ref("Name", "InternalIPInterfaceAddressPrefix", shown={"Name": self.name})


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The parts of the object that are there, and the host around them."""

    name: str
    nat_name: str
    platform: Platform
    has_netnat: bool
    network: Network
    switch: Switch | None
    adapter: HostAdapter | None
    """The switch's management adapter."""
    nat: Nat | None
    """The NAT of our name, ours or not."""
    other_nats: tuple[Nat, ...]
    mappings: tuple[Mapping, ...]
    """The ports that the NAT of our name forwards."""
    other_mappings: tuple[Mapping, ...]
    gateway: Address | None
    """Our gateway address, as far as it can be told."""
    kept: frozenset[str]
    """The addresses that are there again after a restart of Windows."""
    service: str | None
    """Of the service winnat, which every NAT needs: running, stopped or between the two; None: not known."""

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when two switches have the name."""
        network = Network.from_answers(answers)
        switch = network.called(options.name)
        nats = [Nat.from_row(row) for row in answers.rows("nats")]
        nat = next((nat for nat in nats if ordinal(nat.name) == ordinal(nat_name_of(options))), None)
        adapter = _management_adapter(options, network, switch)
        mappings = [Mapping.from_row(row) for row in answers.rows("mappings")]
        return cls(
            name=options.name,
            nat_name=nat_name_of(options),
            platform=Platform.from_answers(answers),
            has_netnat=not answers.missing("nats"),
            network=network,
            switch=switch,
            adapter=adapter,
            nat=nat,
            other_nats=tuple(other for other in nats if other is not nat),
            mappings=tuple(mapping for mapping in mappings if nat and ordinal(mapping.nat_name) == ordinal(nat.name)),
            other_mappings=tuple(mapping for mapping in mappings if not nat or ordinal(mapping.nat_name) != ordinal(nat.name)),
            gateway=_gateway(options, network.on(adapter) if adapter else [], nat),
            kept=frozenset(str(row["IPAddress"]) for row in answers.rows("kept")),
            service=next((str(row["Status"]).lower() for row in answers.rows("service")), None),
        )

    @property
    def own(self) -> list[Address]:
        """The addresses of the switch's management adapter."""
        return self.network.on(self.adapter) if self.adapter else []

    @property
    def others(self) -> list[Address]:
        """The addresses of the host's other adapters, without those that every host has."""
        index = self.adapter.index if self.adapter else None
        return [a for a in self.network.addresses if a.index != index and not (a.ip.is_loopback or a.ip.is_link_local)]

    @property
    def tied(self) -> bool:
        """Whether the NAT of our name belongs to our switch."""
        return self.nat is not None and self.nat.holds(self.own)

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        parts = (self.switch, self.gateway, self.nat)
        nat = self.nat
        return {
            "nat_switch": {
                "name": self.name,
                "state": "present" if all(parts) else "partial" if any(parts) else "absent",
                "switch_id": self.switch.id if self.switch else None,
                "switch_type": self.switch.type if self.switch else None,
                "adapter": self.adapter.name if self.adapter else None,
                "interface_index": self.adapter.index if self.adapter else None,
                "gateway": str(self.gateway.ip) if self.gateway else None,
                "prefix_length": self.gateway.length if self.gateway else None,
                "nat_name": nat.name if nat else None,
                "prefix": str(nat.prefix) if nat and nat.prefix else None,
                "active": nat.active if nat else None,
                "forwards": [_forward_shown(mapping.forward) for mapping in self.mappings],
            }
        }


def _forward_shown(forward: Forward) -> dict[str, t.Any]:
    return {
        "protocol": forward.protocol,
        "external_address": forward.external_address,
        "external_port": forward.external_port,
        "internal_address": forward.internal_address,
        "internal_port": forward.internal_port,
    }


def _management_adapter(options: Options, network: Network, switch: Switch | None) -> HostAdapter | None:
    """The switch's only one; of several the one with the gateway, or the one that came with the switch."""
    found = network.managing(switch) if switch else []
    if len(found) < 2 or switch is None:
        return found[0] if found else None
    target = options.gateway or wanted_prefix(options)[1]
    with_gateway = [adapter for adapter in found if any(address.ip == target for address in network.on(adapter))]
    born = [adapter for adapter in found if adapter.management and ordinal(str(adapter.management["Name"])) == ordinal(switch.name)]
    for some in (with_gateway, born):
        if len(some) == 1:
            return some[0]
    raise Refused(
        f"switch '{switch.name}' has {len(found)} management adapters ({', '.join(repr(adapter.name) for adapter in found)}),"
        f" and none of them tells itself apart by the gateway {target}",
        code="adapter_ambiguous",
        subject=switch.name,
        fix="remove those that are not needed: Remove-VMNetworkAdapter -ManagementOS -Name NAME",
    )


def ours(prefix: ipaddress.IPv4Network, addresses: Iterable[Address]) -> Address | None:
    """The address that was the gateway of this prefix: its first one, or else the only static one in it."""
    inside = [address for address in addresses if address.static and address.ip in prefix]
    return next((address for address in inside if address.ip == prefix[1]), inside[0] if len(inside) == 1 else None)


def _gateway(options: Options, addresses: list[Address], nat: Nat | None) -> Address | None:
    """The gateway that was asked for, or else that of the NAT; without a tied NAT nothing says whose another address is."""
    asked = next((address for address in addresses if address.ip == options.gateway), None)
    if asked:
        return asked
    if nat and nat.prefix and nat.holds(addresses):
        return ours(nat.prefix, addresses)
    return None if options.gateway else ours(wanted_prefix(options), addresses)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the options come to on this host."""

    prefix: ipaddress.IPv4Network
    gateway: ipaddress.IPv4Address
    found: Address | None
    """The address of the gateway on our adapter."""
    stale: Address | None
    """Our former gateway, to be taken away because another was asked for."""
    forwards: tuple[Forward, ...] | None
    """All that the NAT forwards; None: not managed."""

    @classmethod
    def of(cls, options: Options, state: State) -> Wanted:
        """An address that is there already is kept as the gateway unless another one is asked for."""
        prefix = wanted_prefix(options)
        kept = ours(prefix, state.own)
        gateway = t.cast("ipaddress.IPv4Address", options.gateway or (kept.ip if kept else prefix[1]))
        found = next((address for address in state.own if address.ip == gateway), None)
        stale = None
        if state.nat and state.nat.prefix and state.tied and (found is None or state.nat.prefix != prefix):
            stale = ours(state.nat.prefix, state.own)
        return cls(
            prefix=prefix,
            gateway=gateway,
            found=found,
            stale=None if stale is found else stale,
            forwards=None if options.forwards is None else wanted_forwards(options.forwards),
        )

    @property
    def interface(self) -> ipaddress.IPv4Interface:
        """The gateway with its network."""
        return ipaddress.IPv4Interface(f"{self.gateway}/{self.prefix.prefixlen}")

    def new_nat(self, state: State) -> bool:
        """Whether a NAT has to be made, be it after the old one."""
        return state.nat is None or state.nat.prefix != self.prefix

    def lost_at_restart(self, state: State) -> bool:
        """Whether the gateway is there, and would be gone after a restart of Windows: somebody made it in the active store only."""
        return self.found is not None and self.found.static and str(self.found.ip) not in state.kept

    def surplus(self, state: State) -> tuple[Mapping, ...]:
        """The mappings to remove: those that were not asked for, and all of a NAT that is made anew."""
        if self.forwards is None:
            return ()
        return state.mappings if self.new_nat(state) else tuple(each for each in state.mappings if each.forward not in self.forwards)

    def missing(self, state: State) -> tuple[Forward, ...]:
        """The forwards to make."""
        there = [] if self.new_nat(state) else [mapping.forward for mapping in state.mappings]
        return tuple(forward for forward in self.forwards or () if forward not in there)
