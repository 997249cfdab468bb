# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what speaks against a NAT network on a host, or against taking one away: judged by what would change, before anything does."""

from __future__ import annotations

import typing as t

from ._errors import HypervError, Refused
from ._network import is_default, refuse_connected, refuse_default
from ._render import literal

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ._nat import Nat, State, Wanted
    from ._network import Address, Switch
    from ._options import Options

FIRST_SEVERAL = 15063
"""1703: the first build that takes more than one NAT; Microsoft contradicts itself about later ones (facts 5.3)."""
_WAYS_IN = {"tcp port 22": "SSH", "tcp port 5985": "WinRM", "tcp port 5986": "WinRM"}
"""Where Ansible comes in. Whether a forward takes a port from a service that has it, or is refused, no source says: so neither is tried."""
_SERVICES = {"tcp port 135": "RPC", "tcp port 445": "SMB", "tcp port 3389": "Remote Desktop"}


def switch_refusals(state: State) -> Iterator[HypervError]:
    """The switch of that name is not one that can have a NAT."""
    switch = state.switch
    if switch and is_default(switch):
        yield refuse_default(switch)
    elif switch and switch.type != "internal":
        yield Refused(
            f"switch '{switch.name}' ({switch.id}) is {switch.type}, and NAT needs an internal one",
            code="switch_type_differs",
            subject=switch.name,
            fix="choose another name, or make it internal with hyperv_switch (type=internal)",
        )


def refusals(options: Options, state: State, wanted: Wanted) -> Iterator[HypervError]:
    """By what would change: parts that are right already are not judged."""
    if not state.has_netnat:
        yield Refused(
            f"{state.platform.title} has no NetNat cmdlets, so there is no NAT to be had on it",
            code="netnat_missing",
            subject=state.name,
            fix="use a Windows Server or a client with Hyper-V enabled, or give the VMs their network by hyperv_mac_spoof instead",
        )
        return
    if state.nat and state.nat.prefix != wanted.prefix and not (state.tied and options.prefix):
        yield _nat_differs(state, state.nat, wanted)
        return
    if wanted.new_nat(state):
        yield from _nat_refusals(state, wanted)
    if state.switch and state.adapter is None:
        yield _no_adapter(state.switch)
    elif wanted.found is None and state.adapter and state.adapter.status in ("Disabled", "Not Present"):
        yield Refused(
            f"the management adapter '{state.adapter.name}' of switch '{state.name}' is {state.adapter.status.lower()},"
            " and takes no address",
            code="adapter_disabled",
            subject=state.name,
            fix=f"enable it: Enable-NetAdapter -Name {literal(state.adapter.name)}",
        )
    yield from _address_refusals(state, wanted)
    yield from _forward_refusals(options, state, wanted)


def _nat_differs(state: State, nat: Nat, wanted: Wanted) -> HypervError:
    if state.tied:
        fix = f"set prefix={nat.prefix} to keep it, or prefix={wanted.prefix} to move it"
    else:
        fix = f"choose another nat_name, or remove it: Remove-NetNat -Name {literal(nat.name)}"
    whose = f"on switch '{state.name}'" if state.tied else f"and no address of switch '{state.name}' lies in it"
    return Refused(
        f"NAT '{nat.name}' has the prefix {nat.prefix} {whose}; wanted is {wanted.prefix}",
        code="nat_prefix_differs",
        subject=state.name,
        fix=fix,
    )


def _nat_refusals(state: State, wanted: Wanted) -> Iterator[HypervError]:
    overlapping = [nat for nat in state.other_nats if nat.prefix and nat.prefix.overlaps(wanted.prefix)]
    for nat in overlapping:
        adopt = f"set nat_name={nat.name} to adopt it, " if nat.prefix == wanted.prefix else ""
        yield Refused(
            f"NAT '{nat.name}' has the prefix {nat.prefix}, which overlaps {wanted.prefix}",
            code="nat_overlaps",
            subject=state.name,
            fix=f"{adopt}choose another prefix, or remove it: Remove-NetNat -Name {literal(nat.name)}",
        )
    if state.platform.build < FIRST_SEVERAL and state.other_nats and not overlapping:
        names = ", ".join(f"'{nat.name}' ({nat.prefix})" for nat in state.other_nats)
        yield Refused(
            f"{state.platform.title} has one NAT at the most, and there is {names}",
            code="nat_limit",
            subject=state.name,
            fix="use that NAT's prefix and nat_name, remove it (Remove-NetNat), or upgrade the host to Windows Server 2019 or later",
        )
    if state.nat and state.mappings and wanted.forwards is None:
        count = len(state.mappings)
        yield Refused(
            f"NAT '{state.nat.name}' forwards {count} port{'s' if count > 1 else ''} into {state.nat.prefix},"
            " which would be lost with the prefix",
            code="nat_has_mappings",
            subject=state.name,
            fix="give forwards, so that it is clear what shall be forwarded into the new prefix (an empty list: nothing)",
        )


def _no_adapter(switch: Switch) -> HypervError:
    return Refused(
        f"the host has no network adapter on switch '{switch.name}', so there is nothing that could have the gateway's address",
        code="adapter_missing",
        subject=switch.name,
        fix=f"add one: Add-VMNetworkAdapter -ManagementOS -SwitchName {literal(switch.name)} -Name {literal(switch.name)}",
    )


def _address_refusals(state: State, wanted: Wanted) -> Iterator[HypervError]:
    """What the host's other adapters have: WinNAT refuses a prefix with an external address in it (facts 5.3, 5.4)."""
    if wanted.found and not wanted.found.static:
        yield Refused(
            f"adapter '{wanted.found.alias}' has {wanted.found} from {wanted.found.origin}, so that it may lose it any time",
            code="address_not_static",
            subject=state.name,
            fix="choose another gateway, or stop the DHCP server that serves the switch",
        )
    if wanted.found and not wanted.new_nat(state):
        return
    for address in state.others:
        if address.ip == wanted.gateway:
            yield Refused(
                f"adapter '{address.alias}' has the address {address}, which is wanted as the gateway of switch '{state.name}'",
                code="address_in_use",
                subject=state.name,
                fix=f"choose another prefix or gateway, or remove it: {address.removal}",
            )
        elif address.ip in wanted.prefix or (_is_shared(state, address) and address.network.overlaps(wanted.prefix)):
            yield Refused(
                f"adapter '{address.alias}' has the address {address}, which meets the prefix {wanted.prefix}",
                code="prefix_in_use",
                subject=state.name,
                fix="choose a prefix that no network of the host has",
            )


def _forward_refusals(options: Options, state: State, wanted: Wanted) -> Iterator[HypervError]:
    ways_in = _ways_in(options)
    for forward in wanted.missing(state):
        if forward.internal_address == str(wanted.gateway):
            yield Refused(
                f"{forward} leads to the gateway {wanted.gateway}, which is the host itself",
                code="forward_to_gateway",
                subject=state.name,
                fix="give the address of a guest",
            )
        if forward.port in ways_in:
            yield Refused(
                f"{forward.port} of the host is that of {ways_in[forward.port]}, by which Ansible may be connected, and which"
                f" {forward} might cut off",
                code="port_of_host",
                subject=state.name,
                fix=f"choose another external_port, such as {10000 + forward.external_port % 10000}",
            )
        taken = next((other for other in state.other_mappings if other.forward.meets(forward)), None)
        if taken:
            yield Refused(
                f"NAT '{taken.nat_name}' forwards {forward.port} already ({taken.forward})",
                code="port_taken",
                subject=state.name,
                fix=f"choose another external_port, or remove it: {taken.removal}",
            )


def _ways_in(options: Options) -> dict[str, str]:
    """The ports by which Ansible may be connected; a connection without an address (PowerShell Direct) needs none."""
    if options.get("connection_address") is None:
        return {}
    return {**_WAYS_IN, f"tcp port {options.get('connection_port')}": "the connection"}


def _is_shared(state: State, address: Address) -> bool:
    """Whether Internet Connection Sharing has the NAT there: it refuses any overlap."""
    return any(
        is_default(switch) and any(a.index == address.index for a in state.network.managing(switch)) for switch in state.network.switches
    )


def warnings(state: State, wanted: Wanted) -> Iterator[str]:
    """What a user should know although nothing speaks against it."""
    if state.other_nats and state.platform.build >= FIRST_SEVERAL:
        names = ", ".join(f"'{nat.name}' ({nat.prefix})" for nat in state.other_nats)
        yield (
            f"the host has other NATs besides '{state.nat_name}': {names}. Since 1703 that works, and yet Microsoft's how-to"
            " calls one NAT per host the limit"
        )
    for address in state.others if wanted.found is None or wanted.new_nat(state) else ():
        if address.network.overlaps(wanted.prefix):
            yield f"adapter '{address.alias}' is in {address.network}: machines there with an address of {wanted.prefix} are out of reach"
    if wanted.found and wanted.found.state == "Duplicate":
        yield f"another machine on switch '{state.name}' has the gateway's address {wanted.gateway}, so Windows does not use it"
    if state.nat and not state.nat.active and not wanted.new_nat(state):
        yield (
            f"NAT '{state.nat.name}' is there and not active: see that the service winnat runs, that no other network of the host is in"
            f" {wanted.prefix}, and that Internet Connection Sharing is off"
        )
    services = {**_SERVICES, **_WAYS_IN}
    for forward in wanted.missing(state):
        if forward.port in services:
            yield f"{forward.port} is that of {services[forward.port]}, which the host itself may be using: {forward} may take it over"


def removal_refusals(state: State) -> Iterator[HypervError]:
    """With the switch goes all that is on it, and what is foreign there must not."""
    if state.switch is None:
        return
    vms = state.network.vms_on(state.switch)
    if vms:
        yield refuse_connected(state.switch, vms)
    foreign = [
        a for adapter in state.network.managing(state.switch) for a in state.network.on(adapter) if a.static and a is not state.gateway
    ]
    for address in foreign:
        nat = next((nat for nat in state.other_nats if nat.holds([address])), None)
        whose = f"the address {address}, which NAT '{nat.name}' works with" if nat else f"the address {address} besides its gateway"
        yield Refused(
            f"switch '{state.name}' has {whose}; it would be lost with the switch",
            code="foreign_address",
            subject=state.name,
            fix=f"remove it first ({address.removal}), or give gateway={address.ip} if that is the gateway",
        )
