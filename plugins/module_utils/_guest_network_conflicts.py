# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what speaks against the network settings that hyperv_guest_network was asked for, or is to be known about them."""

from __future__ import annotations

import ipaddress
import typing as t

from ._errors import HypervError, Refused
from ._network import carries
from ._render import literal

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ._guest_network import State
    from ._options import Options


def cannot(options: Options, state: State, *, changes: bool) -> Iterator[HypervError]:
    """An adapter that takes no settings at all."""
    adapter = state.adapter
    if not changes:
        return
    if adapter.status in ("Disabled", "Not Present"):
        yield _refused(
            state,
            "adapter_disabled",
            f"it is {adapter.status.lower()}, and takes no settings",
            f"enable it: Enable-NetAdapter -Name {literal(adapter.name)}",
        )
    elif state.interface is None:
        yield _refused(
            state,
            "adapter_taken",
            "it has no TCP/IP, as one that belongs to an external switch",
            "set adapter to the host's own adapter on that switch, vEthernet (NAME)",
        )
    elif adapter.status == "Disconnected" and options.address is not None and _needs_new(options, state):
        yield _refused(
            state,
            "adapter_disconnected",
            "it has no link, and Windows then refuses a static address (error 87)",
            "connect it; the adapter of a VM with Connect-VMNetworkAdapter on its Hyper-V host",
        )


def _needs_new(options: Options, state: State) -> bool:
    """Whether the address has to be made, be it anew."""
    return all(address.ip != options.address.ip or state.is_lost(address) for address in state.static)


def _refused(state: State, code: str, why: str, fix: str) -> HypervError:
    return Refused(f"adapter '{state.adapter.name}': {why}", code=code, subject=state.adapter.name, fix=fix)


def refusals(options: Options, state: State, *, changes: bool) -> Iterator[HypervError]:
    """What would not work, or cut off whoever asks for it."""
    wanted, connection = options.address, options.get("connection_address")
    if wanted is not None:
        yield from _address_refusals(state, wanted)
    if isinstance(options.gateway, ipaddress.IPv4Address):
        yield from _gateway_refusals(state, wanted, options.gateway)
    why = None if options.allow_disconnect or not changes else carries(state.network, state.adapter, connection, outward=True)
    if why:
        yield Refused(
            f"changing adapter '{state.adapter.name}' would interrupt the connection to this host, or end it: {why}",
            code="connection_would_break",
            subject=state.adapter.name,
            fix="connect by the address of another adapter (as an address, not a name) or by hyperlab.nested.psdirect, or set"
            " allow_disconnect=true if the host can be reached afterwards",
        )


def _address_refusals(state: State, wanted: ipaddress.IPv4Interface) -> Iterator[HypervError]:
    there = any(address.ip == wanted.ip and address.length == wanted.network.prefixlen for address in state.static)
    for address in state.network.addresses:
        elsewhere = address.index != state.adapter.index
        if address.ip == wanted.ip and elsewhere:
            yield Refused(
                f"adapter '{address.alias}' of this host has the address {address} already; wanted is {wanted} on '{state.adapter.name}'",
                code="address_in_use",
                subject=state.adapter.name,
                fix=f"choose another address, or remove it: {address.removal}",
            )
        elif address.ip == wanted.ip and address.state == "Duplicate":
            yield duplicate(state, str(wanted.ip))
        elif elsewhere and address.static and not there and address.network.overlaps(wanted.network):
            yield Refused(
                f"adapter '{address.alias}' of this host has the address {address}, which meets the network of {wanted} on"
                f" '{state.adapter.name}'; Windows reaches the addresses of both by one of the two adapters only",
                code="prefix_in_use",
                subject=state.adapter.name,
                fix="choose an address of another network (each level of a lab needs a prefix of its own), or remove the other one:"
                f" {address.removal}",
            )


def _gateway_refusals(state: State, wanted: ipaddress.IPv4Interface | None, gateway: ipaddress.IPv4Address) -> Iterator[HypervError]:
    own = next((address for address in state.network.addresses if address.ip == gateway), None)
    if own:
        yield Refused(
            f"the gateway {gateway} for adapter '{state.adapter.name}' is this host's own address, on adapter '{own.alias}', and nothing"
            " leads on from there",
            code="gateway_is_own",
            subject=state.adapter.name,
            fix="give the address of the router (each level of a lab needs a prefix of its own), or remove the host's own, if it is left"
            f" over: {own.removal}",
        )
    elif wanted is None and not any(gateway in address.network for address in state.own):
        yield _refused(
            state,
            "gateway_outside",
            f"the gateway {gateway} lies in no network of its addresses ({', '.join(sorted(map(str, state.own))) or 'it has none'})",
            "give the address, too, or a gateway that the adapter can reach",
        )


def duplicate(state: State, ip: str) -> HypervError:
    """Another machine answers for the address."""
    return Refused(
        f"another machine on the network of adapter '{state.adapter.name}' has the address {ip}, so that Windows does not use it",
        code="address_duplicate",
        subject=state.adapter.name,
        fix="choose another address, or take it from the other machine and remove it here:"
        f" Remove-NetIPAddress -InterfaceIndex {state.adapter.index} -IPAddress {ip}",
    )


def tentative(state: State, ip: str) -> HypervError:
    """Windows has not found out whether another machine has the address."""
    return Refused(
        f"Windows has not found out whether another machine on the network of adapter '{state.adapter.name}' has the address {ip}: it is"
        " tentative, and not used until it is preferred",
        code="address_tentative",
        subject=state.adapter.name,
        fix=f"see that the adapter keeps its link (Get-NetAdapter -Name {literal(state.adapter.name)}), and run the task again",
    )


def warnings(options: Options, state: State) -> Iterator[str]:
    """What a user should know although nothing speaks against it."""
    if isinstance(options.gateway, ipaddress.IPv4Address):
        for route in state.routes:
            if route.index != state.adapter.index:
                yield (
                    f"adapter '{route.alias}' has a default route, too, by {route.next_hop}; Windows uses the one with the lower metric,"
                    f" so that not all may go by '{state.adapter.name}'"
                )
    if options.address is not None:
        yield from _losses(options, state)
        yield from _unused(options.address, state)


def _losses(options: Options, state: State) -> Iterator[str]:
    """What goes with DHCP although nobody spoke of it, and what stays and is of no use."""
    name = state.adapter.name
    if options.gateway is None:
        for route in state.leased_routes:
            yield f"adapter '{name}' loses its default route by {route.next_hop}, which DHCP gave; give gateway to have one afterwards"
        for route in state.static_routes:
            if ipaddress.ip_address(route.next_hop) not in options.address.network:
                yield f"adapter '{name}' keeps its default route by {route.next_hop}, which {options.address} cannot reach"
    if options.dns is None and state.dhcp and state.servers and not state.static_dns:
        yield f"adapter '{name}' loses its DNS servers ({', '.join(state.servers)}), which DHCP gave; give dns to have some afterwards"


def _unused(wanted: ipaddress.IPv4Interface, state: State) -> Iterator[str]:
    """Without a link nobody can be asked for the address, however long the task would wait."""
    if state.adapter.status != "Up" and any(address.ip == wanted.ip and address.state == "Tentative" for address in state.static):
        yield (
            f"adapter '{state.adapter.name}' has no link, and so Windows does not use its address {wanted} (it is tentative);"
            " it does once the adapter is connected"
        )
