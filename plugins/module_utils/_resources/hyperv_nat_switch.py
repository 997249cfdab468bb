# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_nat_switch: an internal switch, the gateway address on its management adapter, and the NAT, as one object.

What is ours says _nat.py, what speaks against it _nat_conflicts.py.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .._errors import NO_MODULE, InvalidOptions
from .._nat import DEFAULT_PREFIX, Nat, State, Wanted, wanted_prefix
from .._nat_conflicts import refusals, removal_refusals, switch_refusals, warnings
from .._nat_forwards import FORWARD, MAPPINGS, additions, check_forwards, removals, shown
from .._nesting import QUERIES
from .._network import (
    ADAPTERS,
    CONNECTED,
    IPV4,
    KEPT,
    MANAGEMENT,
    HostAdapter,
    Switch,
    made_anew,
    new_address,
    remove_address,
    set_length,
    switches,
)
from .._options import Option, Options, Spec, choice, ipv4_address, ipv4_network, refuse_ends, text
from .._plan import Change, Plan, Thing
from .._steps import From, Step, Until
from .._vms import HOST

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_APPEARS = Until(seconds=30, every=0.5)
"""How long others wait for a new switch's management adapter (facts 5.2)."""


def _prefix(name: str, value: str) -> ipaddress.IPv4Network:
    prefix = ipv4_network(name, value)
    if not 8 <= prefix.prefixlen <= 30:
        raise InvalidOptions(f"{name}: {prefix} has no room for a gateway and VMs, or is no single network", fix="use a length of 8 to 30")
    if prefix.is_multicast or prefix.is_loopback or prefix.is_link_local or prefix.is_reserved or prefix[0] in _THIS_NETWORK:
        raise InvalidOptions(f"{name}: {prefix} is not for hosts", fix=f"use a private prefix such as {DEFAULT_PREFIX}")
    return prefix


_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def _check(options: Options) -> None:
    prefix, gateway = wanted_prefix(options), options.gateway
    check_forwards(options.forwards or (), prefix)
    if gateway is None:
        return
    if gateway not in prefix:
        around = ipaddress.IPv4Network((gateway, prefix.prefixlen), strict=False)
        raise InvalidOptions(
            f"gateway: {gateway} does not lie in the prefix {prefix}", fix=f"did you mean prefix={around}, or gateway={prefix[1]}?"
        )
    refuse_ends("gateway", gateway, prefix, fix=f"did you mean gateway={prefix[1]}?")


SPEC = Spec(
    check=_check,
    name=text(default="VmNAT"),
    state=choice("present", "absent", default="present"),
    prefix=Option(convert=_prefix),
    gateway=Option(convert=ipv4_address),
    nat_name=text(),
    forwards=Option(type="list", elements="dict", spec=FORWARD),
)


def queries(options: Options) -> tuple[Step, ...]:
    """The host, its switches, its adapters with their addresses, and its NATs with what they forward."""
    nat_fields = ("Name", "InternalIPInterfaceAddressPrefix", "ExternalIPInterfaceAddressPrefix", "Active")
    nats = Step("NetNat\\Get-NetNat", save="nats", select=nat_fields, absent=NO_MODULE)
    service = Step(
        "Microsoft.PowerShell.Management\\Get-Service",
        {"Name": "winnat"},
        save="service",
        select=("Status",),
        absent=frozenset({"NoServiceFoundForGivenName"}),
    )
    only = (KEPT, service) if options.state == "present" else (CONNECTED,)
    return (HOST, QUERIES[0], switches(), MANAGEMENT, ADAPTERS, IPV4, nats, MAPPINGS, *only)


def plan(options: Options, state: State) -> Plan:
    """Switch, gateway address, NAT, in this order; the removal the other way round."""
    return _present(options, state) if options.state == "present" else _absent(options, state)


# ---- present


def _present(options: Options, state: State) -> Plan:
    wanted = Wanted.of(options, state)
    errors = list(switch_refusals(state))
    if not errors:
        errors = list(refusals(options, state, wanted))
    return Plan.of(_build(state, wanted), warnings=warnings(state, wanted), errors=errors)


def _build(state: State, wanted: Wanted) -> Iterator[Change]:
    thing = Thing(id="nat_switch", label=state.name)
    if state.switch is None:
        yield Change(subject=thing, attributes={"switch": (None, "internal")}, steps=_new_switch(state.name))
        index = From(save="made interface", property="InterfaceIndex", shown={"InterfaceAlias": f"vEthernet ({state.name})"})
        yield Change(
            subject=thing, attributes={"gateway": (None, str(wanted.interface))}, steps=(new_address(wanted.interface, index, index),)
        )
    elif state.adapter:
        lost = wanted.lost_at_restart(state)
        steps = _address_steps(state.switch, state.adapter, wanted, lost)
        before = wanted.found or wanted.stale
        # A second address that only has to go is still a change, although the gateway stays what it is.
        attributes: dict[str, tuple[t.Any, t.Any]] = {"gateway": (str(before) if before else None, str(wanted.interface))}
        if wanted.found and wanted.stale:
            attributes["former_gateway"] = (str(wanted.stale), None)
        if lost:
            attributes["gateway_persistent"] = (False, True)
        yield Change(subject=thing, attributes=attributes, steps=steps)
    if state.service == "stopped" and not (state.nat and state.nat.active):
        yield Change(subject=thing, attributes={"winnat_service": (state.service, "running")}, steps=(_START,))
    yield _nat_change(thing, state, wanted)


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


def _address_steps(switch: Switch, adapter: HostAdapter, wanted: Wanted, lost: bool) -> tuple[Step, ...]:
    """The gateway made, made anew where a restart would lose it, or given the right length; then the former one goes."""
    steps: list[Step] = []
    new = new_address(wanted.interface, adapter.index_of(switch), adapter.index_again)
    if wanted.found is None:
        steps.append(new)
    elif lost:
        steps += made_anew(adapter, wanted.found, adapter.index_of(switch), (new,))
    elif wanted.found.length != wanted.prefix.prefixlen:
        steps.append(set_length(adapter, wanted.found, wanted.prefix.prefixlen))
    if wanted.stale:
        steps.append(remove_address(adapter, wanted.stale))
    return tuple(steps)


_START = Step(
    "Microsoft.PowerShell.Management\\Start-Service",
    {"Name": "winnat"},
    hint="look at it with Get-Service winnat; it is a driver, and comes with Hyper-V",
)
"""Where it does not run, it has to be started before New-NetNat (gh:MicrosoftDocs/windows-powershell-docs#2166), and after a restart
of Windows others start it, too (gh:Azure/azure-devtestlab#635)."""


def _nat_change(thing: Thing, state: State, wanted: Wanted) -> Change:
    """The NAT and what it forwards: mappings would go with the old NAT, and need the new one."""
    nat, new = state.nat, wanted.new_nat(state)
    name = nat.name if nat else state.nat_name
    base = nat.ref if nat and not new else From(save="made nat")
    attributes: dict[str, tuple[t.Any, t.Any]] = {"nat": (str(nat.prefix) if nat else None, str(wanted.prefix))}
    if wanted.forwards is not None:
        attributes["forwards"] = (shown(mapping.forward for mapping in state.mappings), shown(wanted.forwards))
    steps = (*removals(wanted.surplus(state)), *_nat_steps(state, wanted), *additions(wanted.missing(state), base, name))
    return Change(subject=thing, attributes=attributes, steps=steps)


def _nat_steps(state: State, wanted: Wanted) -> tuple[Step, ...]:
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


# ---- absent


def _absent(options: Options, state: State) -> Plan:
    """The address, the NAT, the switch (facts 5.4)."""
    errors = list(switch_refusals(state)) or list(removal_refusals(state))
    return Plan.of(_removal(options, state), warnings=_left_alone(options, state), errors=errors)


def _own_nat(options: Options, state: State) -> Nat | None:
    """The NAT of our name, unless it serves something else."""
    nat = state.nat
    if nat and (state.tied or (nat.prefix == wanted_prefix(options) and not nat.holds(state.others))):
        return nat
    return None


def _removal(options: Options, state: State) -> Iterator[Change]:
    thing = Thing(id="nat_switch", label=state.name)
    nat = _own_nat(options, state)
    if state.gateway and state.adapter:
        yield Change(
            subject=thing, attributes={"gateway": (str(state.gateway), None)}, steps=(remove_address(state.adapter, state.gateway),)
        )
    if nat:
        attributes: dict[str, tuple[t.Any, t.Any]] = {
            "nat": (str(nat.prefix), None),
            "forwards": (shown(mapping.forward for mapping in state.mappings), []),
        }
        yield Change(subject=thing, attributes=attributes, steps=(*removals(state.mappings), _remove_nat(nat)))
    if state.switch:
        step = Step("Hyper-V\\Remove-VMSwitch", {"VMSwitch": state.switch.ref(), "Force": True})
        yield Change(subject=thing, attributes={"switch": (state.switch.type, None)}, steps=(step,))


def _left_alone(options: Options, state: State) -> Iterator[str]:
    if state.nat and not _own_nat(options, state):
        yield (
            f"NAT '{state.nat.name}' with the prefix {state.nat.prefix} is left alone: nothing ties it to switch '{state.name}';"
            " give its prefix to remove it, too"
        )
