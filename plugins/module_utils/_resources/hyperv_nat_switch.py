# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_nat_switch: an internal switch, the gateway address on its management adapter, and the NAT, as one object.

What is ours: the switch of that name, the NAT of that name when the switch's adapter has an address in it (it is *tied* to
the switch), and the gateway among the adapter's addresses. Everything else is foreign: it is never removed.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._errors import HypervError, InvalidOptions, Refused
from .._nesting import QUERIES, Platform
from .._network import (
    ADAPTERS,
    ADDRESSES,
    CONNECTED,
    MANAGEMENT,
    Address,
    HostAdapter,
    Network,
    Switch,
    is_default,
    refuse_connected,
    refuse_default,
    switches,
)
from .._options import Option, Options, Spec, choice, ipv4_address, ipv4_network, ordinal, text
from .._plan import Change, Plan, Thing
from .._render import literal
from .._steps import Answers, From, Row, Step, Until
from .._vms import HOST

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_PREFIX = ipaddress.IPv4Network("192.168.100.0/24")
"""Microsoft's guide to nested virtualization."""
FIRST_SEVERAL = 15063
"""1703: the first build that takes more than one NAT; Microsoft contradicts itself about later ones (facts 5.3)."""
_APPEARS = Until(seconds=30, every=0.5)
"""How long others wait for a new switch's management adapter (facts 5.2)."""

_NO_CMDLET = frozenset({"CommandNotFoundException", "CouldNotAutoLoadModule"})
_NO_ADDRESS = frozenset({"CmdletizationQuery_NotFound_AddressFamily"})


def _prefix(name: str, value: str) -> ipaddress.IPv4Network:
    prefix = ipv4_network(name, value)
    if not 8 <= prefix.prefixlen <= 30:
        raise InvalidOptions(f"{name}: {prefix} has no room for a gateway and VMs, or is no single network", fix="use a length of 8 to 30")
    if prefix.is_multicast or prefix.is_loopback or prefix.is_link_local or prefix.is_reserved or prefix[0] in _THIS_NETWORK:
        raise InvalidOptions(f"{name}: {prefix} is not for hosts", fix=f"use a private prefix such as {DEFAULT_PREFIX}")
    return prefix


_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def _check(options: Options) -> None:
    prefix, gateway = _wanted_prefix(options), options.gateway
    if gateway is None:
        return
    if gateway not in prefix:
        around = ipaddress.IPv4Network((gateway, prefix.prefixlen), strict=False)
        raise InvalidOptions(
            f"gateway: {gateway} does not lie in the prefix {prefix}", fix=f"did you mean prefix={around}, or gateway={prefix[1]}?"
        )
    if gateway in (prefix.network_address, prefix.broadcast_address):
        what = "network" if gateway == prefix.network_address else "broadcast"
        raise InvalidOptions(f"gateway: {gateway} is the {what} address of {prefix}", fix=f"did you mean gateway={prefix[1]}?")


SPEC = Spec(
    check=_check,
    name=text(default="VmNAT"),
    state=choice("present", "absent", default="present"),
    prefix=Option(convert=_prefix),
    gateway=Option(convert=ipv4_address),
    nat_name=text(),
)


def _wanted_prefix(options: Options) -> ipaddress.IPv4Network:
    return t.cast("ipaddress.IPv4Network", options.prefix or DEFAULT_PREFIX)


def _nat_name(options: Options) -> str:
    return t.cast("str", options.nat_name or options.name)


def queries(options: Options) -> tuple[Step, ...]:
    """The host, its switches, its adapters with their addresses, and its NATs."""
    addresses = Step(ADDRESSES.cmdlet, {"AddressFamily": "IPv4"}, save=ADDRESSES.save, select=ADDRESSES.select, absent=_NO_ADDRESS)
    nat_fields = ("Name", "InternalIPInterfaceAddressPrefix", "ExternalIPInterfaceAddressPrefix", "Active")
    steps = [HOST, QUERIES[0], switches(), MANAGEMENT, ADAPTERS, addresses]
    steps.append(Step("NetNat\\Get-NetNat", save="nats", select=nat_fields, absent=_NO_CMDLET))
    if options.state == "present":
        steps.append(Step("NetNat\\Get-NetNatStaticMapping", save="mappings", select=("NatName",), absent=_NO_CMDLET))
    else:
        steps.append(CONNECTED)
    return tuple(steps)


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
    mappings: int
    """How many ports our NAT forwards."""
    gateway: Address | None
    """Our gateway address, as far as it can be told."""

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when two switches have the name."""
        network = Network.from_answers(answers)
        switch = network.called(options.name)
        nats = [Nat.from_row(row) for row in answers.rows("nats")]
        nat = next((nat for nat in nats if ordinal(nat.name) == ordinal(_nat_name(options))), None)
        adapter = _management_adapter(options, network, switch)
        return cls(
            name=options.name,
            nat_name=_nat_name(options),
            platform=Platform.from_answers(answers),
            has_netnat=not answers.missing("nats"),
            network=network,
            switch=switch,
            adapter=adapter,
            nat=nat,
            other_nats=tuple(other for other in nats if other is not nat),
            mappings=sum(nat is not None and ordinal(str(row["NatName"])) == ordinal(nat.name) for row in answers.rows("mappings")),
            gateway=_gateway(options, network.on(adapter) if adapter else [], nat),
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
            }
        }


def _management_adapter(options: Options, network: Network, switch: Switch | None) -> HostAdapter | None:
    """The switch's only one; of several the one with the gateway, or the one that came with the switch."""
    found = network.managing(switch) if switch else []
    if len(found) < 2 or switch is None:
        return found[0] if found else None
    target = options.gateway or _wanted_prefix(options)[1]
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


def _ours(prefix: ipaddress.IPv4Network, addresses: Iterable[Address]) -> Address | None:
    """The address that was the gateway of this prefix: its first one, or else the only static one in it."""
    inside = [address for address in addresses if address.static and address.ip in prefix]
    return next((address for address in inside if address.ip == prefix[1]), inside[0] if len(inside) == 1 else None)


def _gateway(options: Options, addresses: list[Address], nat: Nat | None) -> Address | None:
    """The gateway that was asked for, or else that of the NAT; without a tied NAT nothing says whose another address is."""
    asked = next((address for address in addresses if address.ip == options.gateway), None)
    if asked:
        return asked
    if nat and nat.prefix and nat.holds(addresses):
        return _ours(nat.prefix, addresses)
    return None if options.gateway else _ours(_wanted_prefix(options), addresses)


def plan(options: Options, state: State) -> Plan:
    """Switch, gateway address, NAT, in this order; the removal the other way round."""
    return _present(options, state) if options.state == "present" else _absent(options, state)


# ---- present


def _present(options: Options, state: State) -> Plan:
    wanted = _Wanted.of(options, state)
    errors = list(_switch_refusals(state))
    if not errors:
        errors = list(_refusals(options, state, wanted))
    return Plan.of(_build(state, wanted), warnings=_warnings(state, wanted), errors=errors)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What the options come to on this host."""

    prefix: ipaddress.IPv4Network
    gateway: ipaddress.IPv4Address
    found: Address | None
    """The address of the gateway on our adapter."""
    stale: Address | None
    """Our former gateway, to be taken away because another was asked for."""

    @classmethod
    def of(cls, options: Options, state: State) -> _Wanted:
        """An address that is there already is kept as the gateway unless another one is asked for."""
        prefix = _wanted_prefix(options)
        kept = _ours(prefix, state.own)
        gateway = t.cast("ipaddress.IPv4Address", options.gateway or (kept.ip if kept else prefix[1]))
        found = next((address for address in state.own if address.ip == gateway), None)
        stale = None
        if state.nat and state.nat.prefix and state.tied and (found is None or state.nat.prefix != prefix):
            stale = _ours(state.nat.prefix, state.own)
        return cls(prefix=prefix, gateway=gateway, found=found, stale=None if stale is found else stale)

    @property
    def address(self) -> str:
        """The gateway with its length."""
        return f"{self.gateway}/{self.prefix.prefixlen}"

    def new_nat(self, state: State) -> bool:
        """Whether a NAT has to be made, be it after the old one."""
        return state.nat is None or state.nat.prefix != self.prefix


def _build(state: State, wanted: _Wanted) -> Iterator[Change]:
    thing = Thing(id="nat_switch", label=state.name)
    if state.switch is None:
        yield Change(subject=thing, attributes={"switch": (None, "internal")}, steps=_new_switch(state.name))
        index = From(save="made interface", property="InterfaceIndex", shown={"InterfaceAlias": f"vEthernet ({state.name})"})
        yield Change(subject=thing, attributes={"gateway": (None, wanted.address)}, steps=(_new_address(wanted, index, index),))
    elif state.adapter:
        steps = _address_steps(state.switch, state.adapter, wanted)
        before = wanted.found or wanted.stale
        # A second address that only has to go is still a change, although the gateway stays what it is.
        attributes: dict[str, tuple[t.Any, t.Any]] = {"gateway": (str(before) if before else None, wanted.address)}
        if wanted.found and wanted.stale:
            attributes["former_gateway"] = (str(wanted.stale), None)
        yield Change(subject=thing, attributes=attributes, steps=steps)
    before_prefix = str(state.nat.prefix) if state.nat else None
    yield Change(subject=thing, attributes={"nat": (before_prefix, str(wanted.prefix))}, steps=_nat_steps(state, wanted))


def _new_switch(name: str) -> tuple[Step, ...]:
    """The switch, and then a wait for its management adapter and for TCP/IP on it; both come later (facts 5.2)."""
    made = From(save="made switch", shown={"Name": name})
    undo = Step("Hyper-V\\Remove-VMSwitch", {"VMSwitch": made, "Force": True})
    on_it = {"SwitchId": From(save="made switch", property="Id")}
    with_device = {"DeviceID": From(save="made adapter", property="DeviceId")}
    with_index = {"InterfaceIndex": From(save="made interface", property="InterfaceIndex")}
    return (
        Step("Hyper-V\\New-VMSwitch", {"Name": name, "SwitchType": "Internal"}, save="made switch", undo=undo),
        _appears(Step(MANAGEMENT.cmdlet, MANAGEMENT.parameters, save="made adapter", where=on_it, poll=True)),
        _appears(Step(ADAPTERS.cmdlet, ADAPTERS.parameters, save="made interface", where=with_device, poll=True)),
        _appears(Step("NetTCPIP\\Get-NetIPInterface", {"AddressFamily": "IPv4"}, where=with_index, poll=True)),
    )


def _appears(step: Step) -> Step:
    """Ask again until there is such an object."""
    until = Until(seconds=_APPEARS.seconds, every=_APPEARS.every, where=step.where)
    return Step(step.cmdlet, step.parameters, save=step.save, where=step.where, until=until, poll=True)


def _new_address(wanted: _Wanted, index: From, index_again: From) -> Step:
    """New-NetIPAddress; its default length of 32 would leave the VMs without a route (facts 5.6)."""
    address = str(wanted.gateway)
    return Step(
        "NetTCPIP\\New-NetIPAddress",
        {"IPAddress": address, "PrefixLength": wanted.prefix.prefixlen, "InterfaceIndex": index},
        undo=Step("NetTCPIP\\Remove-NetIPAddress", {"IPAddress": address, "InterfaceIndex": index_again, "Confirm": False}),
    )


def _address_steps(switch: Switch, adapter: HostAdapter, wanted: _Wanted) -> tuple[Step, ...]:
    steps = []
    if wanted.found is None:
        steps.append(_new_address(wanted, adapter.index_of(switch), adapter.index_again))
    elif wanted.found.length != wanted.prefix.prefixlen:
        steps.append(_set_length(adapter, wanted.found, wanted.prefix.prefixlen))
    if wanted.stale:
        steps.append(_remove_address(adapter, wanted.stale))
    return tuple(steps)


def _set_length(adapter: HostAdapter, address: Address, length: int) -> Step:
    """Set-NetIPAddress can change nothing else of an address, but this it can (cmdlets.md 9)."""

    def to(index: From, value: int) -> dict[str, t.Any]:
        return {"IPAddress": str(address.ip), "InterfaceIndex": index, "PrefixLength": value}

    undo = Step("NetTCPIP\\Set-NetIPAddress", to(adapter.index_again, address.length))
    return Step("NetTCPIP\\Set-NetIPAddress", to(address.index_if_there, length), undo=undo)


def _remove_address(adapter: HostAdapter, address: Address) -> Step:
    """By address and interface and not by object: so it goes from both stores (cmdlets.md 9), and the object is the guard."""
    back: dict[str, t.Any] = {"IPAddress": str(address.ip), "PrefixLength": address.length, "InterfaceIndex": adapter.index_again}
    return Step(
        "NetTCPIP\\Remove-NetIPAddress",
        {"IPAddress": str(address.ip), "InterfaceIndex": address.index_if_there, "Confirm": False},
        undo=Step("NetTCPIP\\New-NetIPAddress", back),
    )


def _nat_steps(state: State, wanted: _Wanted) -> tuple[Step, ...]:
    """Set-NetNat cannot change a prefix: remove and create, with the same external side (cmdlets.md 9)."""
    if not wanted.new_nat(state):
        return ()
    removal = (_remove_nat(state.nat),) if state.nat else ()
    name = state.nat.name if state.nat else state.nat_name
    undo = Step("NetNat\\Remove-NetNat", {"InputObject": From(save="made nat", shown={"Name": name}), "Confirm": False})
    create = _nat_parameters(name, str(wanted.prefix), state.nat.external if state.nat else "")
    return (*removal, Step("NetNat\\New-NetNat", create, save="made nat", undo=undo))


def _remove_nat(nat: Nat) -> Step:
    back = Step("NetNat\\New-NetNat", _nat_parameters(nat.name, str(nat.prefix), nat.external))
    return Step("NetNat\\Remove-NetNat", {"InputObject": nat.ref, "Confirm": False}, undo=back)


def _nat_parameters(name: str, prefix: str, external: str) -> dict[str, t.Any]:
    parameters = {"Name": name, "InternalIPInterfaceAddressPrefix": prefix}
    return {**parameters, "ExternalIPInterfaceAddressPrefix": external} if external else parameters


# ---- refusals


def _switch_refusals(state: State) -> Iterator[HypervError]:
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


def _refusals(options: Options, state: State, wanted: _Wanted) -> Iterator[HypervError]:
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


def _nat_differs(state: State, nat: Nat, wanted: _Wanted) -> HypervError:
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


def _nat_refusals(state: State, wanted: _Wanted) -> Iterator[HypervError]:
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
    if state.nat and state.mappings:
        yield Refused(
            f"NAT '{state.nat.name}' forwards {state.mappings} port{'s' if state.mappings > 1 else ''} into {state.nat.prefix},"
            " which would be lost with the prefix",
            code="nat_has_mappings",
            subject=state.name,
            fix=f"remove them first: Get-NetNatStaticMapping -NatName {literal(state.nat.name)} | Remove-NetNatStaticMapping",
        )


def _no_adapter(switch: Switch) -> HypervError:
    return Refused(
        f"the host has no network adapter on switch '{switch.name}', so there is nothing that could have the gateway's address",
        code="adapter_missing",
        subject=switch.name,
        fix=f"add one: Add-VMNetworkAdapter -ManagementOS -SwitchName {literal(switch.name)} -Name {literal(switch.name)}",
    )


def _address_refusals(state: State, wanted: _Wanted) -> Iterator[HypervError]:
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
                fix=f"choose another prefix or gateway, or remove it: {_removal_line(address)}",
            )
        elif address.ip in wanted.prefix or (_is_shared(state, address) and address.network.overlaps(wanted.prefix)):
            yield Refused(
                f"adapter '{address.alias}' has the address {address}, which meets the prefix {wanted.prefix}",
                code="prefix_in_use",
                subject=state.name,
                fix="choose a prefix that no network of the host has",
            )


def _removal_line(address: Address) -> str:
    return f"Remove-NetIPAddress -InterfaceIndex {address.index} -IPAddress {address.ip}"


def _is_shared(state: State, address: Address) -> bool:
    """Whether Internet Connection Sharing has the NAT there: it refuses any overlap."""
    return any(
        is_default(switch) and any(a.index == address.index for a in state.network.managing(switch)) for switch in state.network.switches
    )


def _warnings(state: State, wanted: _Wanted) -> Iterator[str]:
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
        yield f"NAT '{state.nat.name}' is there and not active: see that the service winnat runs"


# ---- absent


def _absent(options: Options, state: State) -> Plan:
    """The address, the NAT, the switch (facts 5.4)."""
    errors = list(_switch_refusals(state)) or list(_removal_refusals(state))
    return Plan.of(_removal(options, state), warnings=_left_alone(options, state), errors=errors)


def _own_nat(options: Options, state: State) -> Nat | None:
    """The NAT of our name, unless it serves something else."""
    nat = state.nat
    if nat and (state.tied or (nat.prefix == _wanted_prefix(options) and not nat.holds(state.others))):
        return nat
    return None


def _removal(options: Options, state: State) -> Iterator[Change]:
    thing = Thing(id="nat_switch", label=state.name)
    nat = _own_nat(options, state)
    if state.gateway and state.adapter:
        yield Change(
            subject=thing, attributes={"gateway": (str(state.gateway), None)}, steps=(_remove_address(state.adapter, state.gateway),)
        )
    if nat:
        yield Change(subject=thing, attributes={"nat": (str(nat.prefix), None)}, steps=(_remove_nat(nat),))
    if state.switch:
        step = Step("Hyper-V\\Remove-VMSwitch", {"VMSwitch": state.switch.ref(), "Force": True})
        yield Change(subject=thing, attributes={"switch": (state.switch.type, None)}, steps=(step,))


def _removal_refusals(state: State) -> Iterator[HypervError]:
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
            fix=f"remove it first ({_removal_line(address)}), or give gateway={address.ip} if that is the gateway",
        )


def _left_alone(options: Options, state: State) -> Iterator[str]:
    if state.nat and not _own_nat(options, state):
        yield (
            f"NAT '{state.nat.name}' with the prefix {state.nat.prefix} is left alone: nothing ties it to switch '{state.name}';"
            " give its prefix to remove it, too"
        )
