# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: NetNat: what WinNAT accepts, and what it says when it does not (facts 5.3 to 5.5)."""

from __future__ import annotations

import ipaddress
import typing as t

from .. import cdxml
from ..calls import NotSimulated
from ..model import Nat, StaticMapping
from ..network_objects import NAT_SETTINGS, NetNat, NetNatStaticMapping, visible_addresses
from ..simulates import simulate
from ..text import same_text
from ..wiring import has_ip, switch_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..calls import Call
    from ..model import Host

_SEVERAL_FROM = 15063
"""The build, 1703, from which several NATs of different prefixes are accepted (facts 5.3)."""

_NAT_FILTERS = {"Name": "Name"}
_MAPPING_FILTERS = {"StaticMappingID": "StaticMappingID", "NatName": "NatName"}


def _nats(host: Host) -> list[NetNat]:
    """What Get-NetNat sees: not the container network service's own (facts 5.3)."""
    return [NetNat(host, nat) for nat in host.nats if not nat.hidden]


@simulate("NetNat\\Get-NetNat", "Name")
def get_net_nat(call: Call) -> list[NetNat]:
    """Nothing at all is no error, but a name that is not there is one (facts 5.4)."""
    return cdxml.query(call, _nats(call.host), _NAT_FILTERS)


@simulate("NetNat\\New-NetNat", "Name InternalIPInterfaceAddressPrefix ExternalIPInterfaceAddressPrefix")
def new_net_nat(call: Call) -> Iterator[NetNat]:
    """Needs no switch and no gateway address yet: both orders work (facts 5.4)."""
    cdxml.writers_only(call)
    given = call.get("InternalIPInterfaceAddressPrefix")
    if not given:
        raise NotSimulated("New-NetNat without -InternalIPInterfaceAddressPrefix")
    try:
        prefix = ipaddress.ip_network(given, strict=False)
    except ValueError:
        cdxml.fail(call, 87)
    if prefix.version != 4 or "/" not in given:
        cdxml.fail(call, 87)
    _refuse_conflict(call, prefix)
    nat = Nat(name=call.get("Name"), prefix=str(prefix), external_prefix=call.get("ExternalIPInterfaceAddressPrefix") or "")
    call.host.nats.append(nat)
    yield NetNat(call.host, nat)


def _refuse_conflict(call: Call, prefix: ipaddress.IPv4Network) -> None:
    """52: one of that name or prefix, hidden ones too; 87: a second one on 2016, an overlap, or ICS has it (facts 5.4)."""
    host = call.host
    others = [(nat, ipaddress.ip_network(nat.prefix, strict=False)) for nat in host.nats]
    if any(same_text(nat.name, call.get("Name")) for nat, _network in others):
        cdxml.fail(call, 52)
    if any(network == prefix for _nat, network in others):
        cdxml.fail(call, 52)
    if others and host.build < _SEVERAL_FROM:
        cdxml.fail(call, 87)
    if any(network.overlaps(prefix) for _nat, network in others) or _meets_host(host, prefix):
        cdxml.fail(call, 87)


def _meets_host(host: Host, prefix: ipaddress.IPv4Network) -> bool:
    """Whether the prefix holds an external address of the host, or meets the network that ICS translates."""
    adapters = {adapter.index: adapter for adapter in host.adapters if has_ip(host, adapter)}
    for address in (item.address for item in visible_addresses(host)):
        adapter = adapters.get(address.adapter)
        if adapter is None or ":" in address.address:
            continue
        switch = switch_of(host, adapter.switch)
        if switch is not None and switch.automatic:
            if ipaddress.ip_network(f"{address.address}/{address.prefix_length}", strict=False).overlaps(prefix):
                return True
        elif (adapter.switch is None or (switch is not None and switch.type == "External")) and _inside(address.address, prefix):
            return True
    return False


def _inside(address: str, prefix: ipaddress.IPv4Network) -> bool:
    return ipaddress.ip_address(address) in prefix


@simulate("NetNat\\Set-NetNat", " ".join(("Name", "InputObject", "PassThru", *NAT_SETTINGS)))
def set_net_nat(call: Call) -> Iterator[NetNat]:
    """Timeouts and filtering only (cmdlets.md 9)."""
    cdxml.writers_only(call)
    for item in cdxml.picked(call, _nats(call.host), _NAT_FILTERS, NetNat):
        item.nat.settings |= {name: value for name, value in call.values.items() if name in NAT_SETTINGS}
        if call.get("PassThru"):
            yield item


@simulate("NetNat\\Remove-NetNat", "Name InputObject PassThru")
def remove_net_nat(call: Call) -> Iterator[NetNat]:
    """Without a filter it removes them all (cmdlets.md 9); the switch and the gateway address stay (facts 5.4)."""
    cdxml.writers_only(call)
    for item in cdxml.picked(call, _nats(call.host), _NAT_FILTERS, NetNat):
        call.host.nats[:] = [nat for nat in call.host.nats if nat is not item.nat]
        if call.get("PassThru"):
            yield item


def _mappings(host: Host) -> list[NetNatStaticMapping]:
    return [NetNatStaticMapping(host, item.nat, mapping) for item in _nats(host) for mapping in item.nat.mappings]


@simulate("NetNat\\Get-NetNatStaticMapping", "NatName")
def get_net_nat_static_mapping(call: Call) -> list[NetNatStaticMapping]:
    """All mappings, or those of a NAT."""
    return cdxml.query(call, _mappings(call.host), _MAPPING_FILTERS)


@simulate(
    "NetNat\\Add-NetNatStaticMapping",
    "NatName Protocol RemoteExternalIPAddressPrefix ExternalIPAddress ExternalPort InternalIPAddress InternalPort",
)
def add_net_nat_static_mapping(call: Call) -> Iterator[NetNatStaticMapping]:
    """A port that is mapped already is the duplicate name error, 52, whichever NAT has it (facts 5.5), a reserved one is 32."""
    cdxml.writers_only(call)
    nat = next((item.nat for item in _nats(call.host) if same_text(item.nat.name, call.get("NatName"))), None)
    if nat is None:
        cdxml.fail(call, 1168)
    known = [mapping for other in call.host.nats for mapping in other.mappings]
    new = StaticMapping(
        id=max((mapping.id for mapping in known), default=-1) + 1,
        protocol=call.get("Protocol"),
        external_address=_address(call, "ExternalIPAddress"),
        external_port=call.get("ExternalPort"),
        internal_address=_address(call, "InternalIPAddress"),
        internal_port=call.get("InternalPort") or call.get("ExternalPort"),
        remote_prefix=call.get("RemoteExternalIPAddressPrefix") or "0.0.0.0/0",
    )
    if any(_same_door(new, mapping) for mapping in known):
        cdxml.fail(call, 52)
    if any(taken.protocol == new.protocol and taken.first <= new.external_port <= taken.last for taken in call.host.reserved_ports):
        cdxml.fail(call, 32)
    nat.mappings.append(new)
    yield NetNatStaticMapping(call.host, nat, new)


def _address(call: Call, parameter: str) -> str:
    try:
        return str(ipaddress.IPv4Address(call.get(parameter)))
    except ValueError:
        cdxml.fail(call, 87)


def _same_door(new: StaticMapping, old: StaticMapping) -> bool:
    if (new.protocol, new.external_port) != (old.protocol, old.external_port):
        return False
    everywhere = "0.0.0.0"  # noqa: S104 - NetNat's word for any address
    return new.external_address == old.external_address or everywhere in (new.external_address, old.external_address)


@simulate("NetNat\\Remove-NetNatStaticMapping", "StaticMappingID NatName InputObject PassThru")
def remove_net_nat_static_mapping(call: Call) -> Iterator[NetNatStaticMapping]:
    """By id and not by port; without a filter all of them (cmdlets.md 9)."""
    cdxml.writers_only(call)
    for item in cdxml.picked(call, _mappings(call.host), _MAPPING_FILTERS, NetNatStaticMapping):
        item.nat.mappings[:] = [mapping for mapping in item.nat.mappings if mapping is not item.mapping]
        if call.get("PassThru"):
            yield item
