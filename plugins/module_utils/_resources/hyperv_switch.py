# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_switch: an external, internal or private switch.

Taking a network adapter for an external switch, or giving it back, moves or loses its addresses. Where the connection's own
address may be among them the plan refuses, unless the task says that the connection may break.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import HypervError, InvalidOptions, Refused
from .._network import (
    ADAPTERS,
    ADDRESSES,
    CONNECTED,
    MANAGEMENT,
    HostAdapter,
    Network,
    Switch,
    carries,
    is_default,
    refuse_connected,
    refuse_default,
    switches,
)
from .._options import Options, Spec, choice, flag, ordinal, same_lines, text
from .._plan import Change, Plan, Thing
from .._steps import Answers, From, Step
from .._vms import HOST

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _check(options: Options) -> None:
    if options.state == "absent":
        return
    if options.adapter is not None and options.type != "external":
        raise InvalidOptions("adapter is for external switches only", fix="set type=external, or leave adapter out")
    if options.allow_management_os is not None and options.type in ("internal", "private"):
        raise InvalidOptions(
            f"allow_management_os is for external switches only: the host always has an adapter on an internal switch, and never on a"
            f" private one; the type is {options.type}",
            fix="leave allow_management_os out, or set type=external",
        )


SPEC = Spec(
    check=_check,
    name=text(required=True),
    state=choice("present", "absent", default="present"),
    type=choice("external", "internal", "private"),
    adapter=text(),
    allow_management_os=flag(),
    notes=text(blank=True),
    allow_disconnect=flag(default=False),
)


def queries(options: Options) -> tuple[Step, ...]:
    """The host, its switches, and its adapters with their addresses."""
    fields = ("Notes", "AllowManagementOS", "NetAdapterInterfaceDescription", "NetAdapterInterfaceDescriptions")
    steps = (HOST, switches(*fields), MANAGEMENT, ADAPTERS, ADDRESSES)
    return (*steps, CONNECTED) if options.state == "absent" else steps


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The switch, if it is there, and the host's network."""

    name: str
    network: Network
    switch: Switch | None
    uplinks: tuple[str, ...]
    """Interface descriptions of an external switch's physical adapters; more than one is a team."""
    allow_management_os: bool
    notes: str

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when two switches have the name."""
        network = Network.from_answers(answers)
        switch = network.called(options.name)
        row: t.Any = switch.row if switch else {}
        return cls(
            name=options.name,
            network=network,
            switch=switch,
            uplinks=_uplinks(switch) if switch else (),
            allow_management_os=bool(row.get("AllowManagementOS")),
            notes=str(row.get("Notes") or ""),
        )

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        switch = self.switch
        if switch is None:
            return {"switch": {"name": self.name, "state": "absent"}}
        known = {ordinal(adapter.description): adapter.name for adapter in self.network.adapters}
        return {
            "switch": {
                "name": switch.name,
                "state": "present",
                "id": switch.id,
                "type": switch.type,
                "adapters": [known.get(ordinal(uplink), uplink) for uplink in self.uplinks],
                "adapter_descriptions": list(self.uplinks),
                "allow_management_os": self.allow_management_os,
                "management_adapters": [adapter.name for adapter in self.network.managing(switch)],
                "notes": self.notes,
            }
        }


def _uplinks(switch: Switch) -> tuple[str, ...]:
    """By interface description, which is what a switch knows its adapters by."""
    several = switch.row.get("NetAdapterInterfaceDescriptions") or ()
    one = switch.row.get("NetAdapterInterfaceDescription")
    given = several if isinstance(several, (list, tuple)) else (several,)
    return tuple(str(uplink) for uplink in (given or (one,)) if uplink)


def plan(options: Options, state: State) -> Plan:
    """Make it, bring it to what was asked, or remove it."""
    if state.switch and is_default(state.switch):
        raise refuse_default(state.switch)
    if options.state == "absent":
        return _absent(options, state)
    wanted = _Wanted.of(options, state)
    if state.switch is None:
        return Plan.of([_new(state, wanted, options)], errors=list(_broken(options, state, wanted)))
    return Plan.of(_changes(options, state, state.switch, wanted), errors=list(_broken(options, state, wanted)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What the options come to on this host."""

    type: str
    uplink: HostAdapter | None
    """The physical adapter to take; None: it stays as it is."""
    allow_management_os: bool | None
    """None: it stays as it is."""

    @classmethod
    def of(cls, options: Options, state: State) -> _Wanted:
        """Raises Refused where nothing sensible can be wanted."""
        switch = state.switch
        kind = options.type or (switch.type if switch else None)
        if kind is None:
            raise Refused(
                f"switch '{state.name}' does not exist, and no type was given to make it",
                code="type_required",
                subject=state.name,
                fix="set type to external, internal or private",
            )
        adapter = _adapter(options, state) if options.adapter is not None else None
        external = switch is not None and switch.type == "external"
        if kind != "external":
            if options.allow_management_os is not None:
                raise Refused(
                    f"switch '{state.name}' is {kind}, and allow_management_os is for external ones",
                    code="switch_type_differs",
                    subject=state.name,
                    fix="leave allow_management_os out, or set type=external and an adapter",
                )
            return cls(type=kind, uplink=None, allow_management_os=None)
        if not external:
            if adapter is None:
                raise Refused(
                    f"an external switch needs a physical adapter, and none was given for '{state.name}'; the host has"
                    f" {_listed(_candidates(state))}",
                    code="adapter_required",
                    subject=state.name,
                    fix="set adapter to one of them",
                )
            return cls(type=kind, uplink=adapter, allow_management_os=options.allow_management_os is not False)
        taken = adapter is None or ordinal(adapter.description) in map(ordinal, state.uplinks)
        if not taken and len(state.uplinks) > 1:
            raise Refused(
                f"switch '{state.name}' has a team of adapters ({', '.join(state.uplinks)}), and '{options.adapter}' is none of them",
                code="switch_is_team",
                subject=state.name,
                fix="change the team with Set-VMSwitchTeam",
            )
        allow = options.allow_management_os
        return cls(type=kind, uplink=None if taken else adapter, allow_management_os=None if allow == state.allow_management_os else allow)


def _candidates(state: State) -> list[HostAdapter]:
    """What could carry an external switch: physical adapters, and teams of them, but no adapter of a switch."""
    return [adapter for adapter in state.network.adapters if adapter.management is None and not adapter.hidden]


def _listed(adapters: Sequence[HostAdapter]) -> str:
    return ", ".join(f"'{adapter.name}' ({adapter.description})" for adapter in adapters) or "none"


def _adapter(options: Options, state: State) -> HostAdapter:
    """The one adapter of that name or interface description."""
    wanted, candidates = ordinal(options.adapter), _candidates(state)
    found = [adapter for adapter in candidates if wanted in (ordinal(adapter.name), ordinal(adapter.description))]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            f"'{options.adapter}' is {len(found)} adapters of this host: {_listed(found)}",
            code="adapter_ambiguous",
            subject=state.name,
            fix="give the name or the interface description that only one of them has",
        )
    raise Refused(
        f"the host has no physical adapter '{options.adapter}'; it has {_listed(candidates)}",
        code="adapter_not_found",
        subject=state.name,
        fix="give the name or the interface description of one of them",
    )


# ---- changes


def _thing(state: State) -> Thing:
    return Thing(id="switch", label=state.name)


def _new(state: State, wanted: _Wanted, options: Options) -> Change:
    parameters: dict[str, t.Any] = {"Name": state.name}
    attributes: dict[str, tuple[t.Any, t.Any]] = {"type": (None, wanted.type)}
    if wanted.uplink:
        # The guide says -NetAdapterName; the external type follows from it, and -SwitchType would be refused beside it.
        parameters |= {"NetAdapterName": _name_of(wanted.uplink), "AllowManagementOS": wanted.allow_management_os}
        attributes |= {"adapter": (None, wanted.uplink.name), "allow_management_os": (None, wanted.allow_management_os)}
    else:
        parameters["SwitchType"] = wanted.type.capitalize()
    if options.notes:
        parameters["Notes"] = options.notes
        attributes["notes"] = (None, options.notes)
    return Change(subject=_thing(state), attributes=attributes, steps=(Step("Hyper-V\\New-VMSwitch", parameters),))


def _name_of(adapter: HostAdapter) -> From:
    """The adapter's name, provided that it is still the same adapter."""
    same = adapter.row.ref("DeviceID", "Name", "InterfaceDescription", shown={"NetAdapterName": adapter.name})
    return replace(same, property="Name")


def _changes(options: Options, state: State, switch: Switch, wanted: _Wanted) -> Iterator[Change]:
    """Notes first: they can be taken back without anybody's connection."""
    if options.notes is not None and not same_lines(options.notes, state.notes):
        step = Step(
            "Hyper-V\\Set-VMSwitch",
            {"VMSwitch": switch.ref("Notes"), "Notes": options.notes},
            undo=Step("Hyper-V\\Set-VMSwitch", {"VMSwitch": switch.again, "Notes": state.notes}),
        )
        yield Change(subject=_thing(state), attributes={"notes": (state.notes, options.notes)}, steps=(step,))
    parameters = _rebuilding(switch, wanted)
    if parameters:
        guard = switch.ref("AllowManagementOS", "NetAdapterInterfaceDescription")
        undo = Step("Hyper-V\\Set-VMSwitch", {"VMSwitch": switch.again, **_as_it_was(state, switch)})
        step = Step("Hyper-V\\Set-VMSwitch", {"VMSwitch": guard, **parameters}, undo=undo)
        yield Change(subject=_thing(state), attributes=_differences(state, switch, wanted), steps=(step,))


def _rebuilding(switch: Switch, wanted: _Wanted) -> dict[str, t.Any]:
    """One call: the parameter sets of Set-VMSwitch take a type or an adapter, and either with AllowManagementOS."""
    if wanted.uplink:
        allow = {} if wanted.allow_management_os is None else {"AllowManagementOS": wanted.allow_management_os}
        return {"NetAdapterName": _name_of(wanted.uplink), **allow}
    if wanted.type != switch.type:
        return {"SwitchType": wanted.type.capitalize()}
    return {} if wanted.allow_management_os is None else {"AllowManagementOS": wanted.allow_management_os}


def _as_it_was(state: State, switch: Switch) -> dict[str, t.Any]:
    if switch.type == "external" and len(state.uplinks) == 1:
        return {"NetAdapterInterfaceDescription": state.uplinks[0], "AllowManagementOS": state.allow_management_os}
    if switch.type == "external":
        return {"AllowManagementOS": state.allow_management_os}
    return {"SwitchType": switch.type.capitalize()}


def _differences(state: State, switch: Switch, wanted: _Wanted) -> dict[str, tuple[t.Any, t.Any]]:
    shown = state.result()["switch"]["adapters"]
    before = ", ".join(shown) or None
    attributes: dict[str, tuple[t.Any, t.Any]] = {"type": (switch.type, wanted.type)}
    if wanted.uplink or wanted.type != "external":
        attributes["adapter"] = (before, wanted.uplink.name if wanted.uplink else None)
    if wanted.allow_management_os is not None:
        attributes["allow_management_os"] = (state.allow_management_os, wanted.allow_management_os)
    return attributes


def _absent(options: Options, state: State) -> Plan:
    switch = state.switch
    if switch is None:
        return Plan()
    errors: list[HypervError] = []
    vms = state.network.vms_on(switch)
    if vms:
        errors.append(refuse_connected(switch, vms))
    errors += _lost(options, state, state.network.managing(switch), switch.type == "external", f"removing switch '{switch.name}'")
    step = Step("Hyper-V\\Remove-VMSwitch", {"VMSwitch": switch.ref(), "Force": True})
    return Plan.of([Change(subject=_thing(state), attributes={"type": (switch.type, None)}, steps=(step,))], errors=errors)


# ---- refusals


def _broken(options: Options, state: State, wanted: _Wanted) -> Iterator[HypervError]:
    """By what would change: the adapter that is taken, and the management adapters that lose their network."""
    switch = state.switch
    if wanted.uplink:
        taker = next((other for other in state.network.switches if other is not switch and _has(other, wanted.uplink)), None)
        if taker:
            yield Refused(
                f"adapter '{wanted.uplink.name}' belongs to the external switch '{taker.name}' ({taker.id}) already",
                code="adapter_taken",
                subject=state.name,
                fix="choose another adapter, use that switch, or remove it first",
            )
        else:
            yield from _lost(options, state, [wanted.uplink], True, f"taking adapter '{wanted.uplink.name}' for switch '{state.name}'")
    if switch and _rebuilding(switch, wanted) and (wanted.uplink or wanted.type != switch.type or wanted.allow_management_os is False):
        managing = state.network.managing(switch)
        yield from _lost(options, state, managing, switch.type == "external", f"changing switch '{switch.name}' so")


def _has(switch: Switch, adapter: HostAdapter) -> bool:
    return switch.type == "external" and ordinal(adapter.description) in map(ordinal, _uplinks(switch))


def _lost(options: Options, state: State, adapters: Sequence[HostAdapter], outward: bool, doing: str) -> Iterator[HypervError]:
    """An error for each adapter that carries the connection, unless the task says that it may break."""
    if options.allow_disconnect:
        return
    for adapter in adapters:
        why = carries(state.network, adapter, options.get("connection_address"), outward=outward)
        if why:
            yield Refused(
                f"{doing} would interrupt the connection to this host, or end it: {why}",
                code="connection_would_break",
                subject=state.name,
                fix="connect by the address of another adapter (as an address, not a name), or set allow_disconnect=true if the host can"
                " be reached afterwards",
            )
