# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: changes, plans, and the power cycle. All of it is pure: nothing here talks to a host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ._errors import HypervError, Refused, raise_all
from ._steps import BY_ID, From, Step, Until, renamed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ._steps import Answer
    from ._vms import Vm

STOPPED = "stopped"
"""Under this name the second process saves the VMs again, once they are off."""
GONE = "Gone"
"""The wanted end of a VM that is removed."""


class Subject(t.Protocol):
    """What a change is about: a VM, or the host's own object. Its id is the group of its steps."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """A subject that is not a VM: a switch, a NAT, a VM that is yet to be made."""

    id: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What will be different about one subject, and the steps that make it so."""

    subject: Subject
    attributes: Mapping[str, tuple[t.Any, t.Any]]
    """Attribute to its value before and after, as a result shows them."""
    steps: tuple[Step, ...]
    needs_off: bool = False
    what: str = "this change"
    """For the refusal of a VM that is not off: what needs it off, where the attributes alone do not tell."""
    judge: Callable[[Answer], HypervError | None] | None = None
    """What the answer to the last step says beside its faults, or better than they do; None: it is what it seems."""
    restarts: Callable[[Answer], bool] | None = None
    """Whether the answer to the last step says that Windows waits for a restart; None: it never does."""

    @property
    def real(self) -> bool:
        """Whether anything differs."""
        return any(before != after for before, after in self.attributes.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmet:
    """A subject that is not yet as it is waited for, and the error if it never is."""

    subject: Subject
    error: HypervError


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """What to wait for when all changes are made: side by side, under one deadline. It is no change."""

    seconds: float
    unmet: Callable[[t.Any], Sequence[Unmet]]
    """Whom to wait for still, by the state that was read last."""
    steps: Callable[[t.Any, float], tuple[Step, ...]]
    """From that state and the seconds that are left: what lets time pass on the host before the next reading."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reboot:
    """A restart of the inventory host, with the changes or for its own sake; converge() alone carries it out."""

    subject: Subject
    before: bool
    """Windows waits for a restart already: first that one, then the changes."""
    after: bool
    """The changes need one."""
    seconds: float
    unready: Callable[[t.Any], str | None]
    """Why the host is not back yet, by the state that was read last; None: it is, and can be planned on."""

    @property
    def endless(self) -> HypervError:
        """The error when Windows waits for one more after all that a task may make."""
        return HypervError(
            f"{self.subject.label} was restarted, and Windows waits for yet another restart",
            code="restart_pending",
            subject=self.subject.label,
            fix="look at its console; run the task again when Windows has finished",
        )

    @property
    def change(self) -> Change:
        """What a result says of a restart that nothing but itself asked for."""
        return Change(subject=self.subject, attributes={"restart_pending": (True, False)}, steps=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The ordered difference between what is wanted and what was found."""

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    ends: tuple[tuple[Vm, str], ...] = ()
    """VMs and the power state that each shall be in at the end, or GONE; any other VM ends as it was."""
    nested: frozenset[str] = frozenset()
    """Ids of the VMs in which Hyper-V may run: what stops them stops what is inside."""
    wait: Wait | None = None
    reboot: Reboot | None = None
    opening: tuple[Step, ...] = ()
    """Steps of the power cycle before the changes."""
    closing: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    """Steps after the changes of a subject, by its id."""
    power_cycled: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        changes: Iterable[Change],
        warnings: Iterable[str] = (),
        errors: Sequence[HypervError] = (),
        *,
        ends: Iterable[tuple[Vm, str]] = (),
        nested: Iterable[Vm] = (),
        wait: Wait | None = None,
        reboot: Reboot | None = None,
    ) -> Plan:
        """A plan of the changes in which something differs; with errors nothing is planned at all."""
        raise_all(errors)
        real = tuple(_grouped(change) for change in changes if change.real)
        inner = frozenset(vm.id for vm in nested)
        return cls(changes=real, warnings=tuple(warnings), ends=tuple(ends), nested=inner, wait=wait, reboot=reboot)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Everything to run, in order: stop all that must stop, then each subject's changes and its start."""
        steps = list(self.opening)
        opened = set(map(id, steps))
        for subject_id in dict.fromkeys(change.subject.id for change in self.changes):
            for change in self.changes:
                if change.subject.id == subject_id:
                    steps += [step for step in change.steps if id(step) not in opened]
            steps += self.closing.get(subject_id, ())
        return tuple(steps)


def _grouped(change: Change) -> Change:
    """The change with only what differs, its steps in the group of its subject."""
    attributes = {name: pair for name, pair in change.attributes.items() if pair[0] != pair[1]}
    steps = tuple(replace(step, group=step.optional or change.subject.id) for step in change.steps)
    return replace(change, attributes=attributes, steps=steps)


def with_power_cycle(plan: Plan, options: t.Any) -> Plan:
    """Add the stops and starts that the plan's changes and ends need: the only code that brings a VM to another power state.

    One cycle per VM, all VMs under one deadline, the former power state restored unless the plan names another end; refuses
    by what really changes.
    """
    changing = {change.subject.id: t.cast("Vm", change.subject) for change in plan.changes if change.needs_off}
    asked = {vm.id: end for vm, end in plan.ends}
    moving = changing | {vm.id: vm for vm, end in plan.ends if end not in (vm.state, GONE)}
    ends = {vm_id: asked.get(vm_id, _own_end(vm)) for vm_id, vm in moving.items()}
    through_off = {vm_id: vm for vm_id, vm in moving.items() if vm_id in changing or ends[vm_id] == "Off"}
    whats = {change.subject.id: change.what for change in reversed(plan.changes) if change.needs_off}
    raise_all(
        [error for vm_id, vm in through_off.items() for error in _refusals(vm, options, _why(ends[vm_id], whats.get(vm_id)))]
        + [error for vm_id, vm in moving.items() if vm_id not in through_off for error in _unsettled(vm)]
    )
    stopping = {vm_id: vm for vm_id, vm in through_off.items() if vm.state != "Off"}
    opening = stop_steps(list(stopping.values()), options) if stopping else ()
    discarded = [_discard(vm, opening, ends_so=vm_id not in asked) for vm_id, vm in stopping.items() if vm.state == "Saved"]
    back = [vm for vm_id, vm in stopping.items() if vm.state != "Saved" and ends[vm_id] not in ("Off", GONE)]
    changes = [_when_stopped(change) if change.subject.id in stopping else change for change in plan.changes]
    return replace(
        plan,
        changes=(*discarded, *changes),
        warnings=(*plan.warnings, *_inner_losses(plan, stopping, ends, options)),
        opening=opening,
        closing={vm_id: _way(vm, ends[vm_id], vm_id in stopping) for vm_id, vm in moving.items()},
        power_cycled=tuple(vm.label for vm in back),
    )


def power_change(vm: Vm, end: str) -> Change:
    """What a result says of a VM that Plan.ends brings to another power state."""
    return Change(subject=vm, attributes={"power_state": (vm.state.lower(), end.lower())}, steps=())


def _discard(vm: Vm, opening: Sequence[Step], *, ends_so: bool) -> Change:
    """That a saved state is thrown away, which nothing takes back; a VM for which no end is named is then left off."""
    attributes: dict[str, tuple[t.Any, t.Any]] = {"saved_state": (True, False)}
    if ends_so:
        attributes["power_state"] = ("saved", "off")
    steps = tuple(step for step in opening if step.group == vm.id and step.verb_noun == "Remove-VMSavedState")
    return Change(subject=vm, attributes=attributes, steps=steps)


def unchanged(ref: From) -> Step:
    """Fails its group unless the one object is still as it was planned on; costs no call of Hyper-V.

    A guard of its own rather than a `where` in a `where`: the runner would evaluate that for each object of the outer list.
    """
    return Step("Microsoft.PowerShell.Utility\\Write-Output", {"InputObject": ref}, poll=True)


def _own_end(vm: Vm) -> str:
    """Where a VM that is stopped for a change ends by itself: as it was, save that a discarded state cannot come back."""
    return "Off" if vm.state == "Saved" else vm.state


def _why(end: str, what: str | None) -> str:
    return "removing it" if end == GONE else what or "state=off"


def _inner_losses(plan: Plan, stopping: Mapping[str, Vm], ends: Mapping[str, str], options: t.Any) -> list[str]:
    """What becomes of VMs inside the VMs that are stopped; nobody outside sees whether there are any. Whoever removes one knows."""
    return [
        f"VM '{vm.label}' exposes virtualization extensions and is stopped: {_inner_loss(vm, options)}"
        for vm_id, vm in stopping.items()
        if vm_id in plan.nested and ends[vm_id] != GONE
    ]


def _inner_loss(vm: Vm, options: t.Any) -> str:
    if vm.state == "Saved":
        return "VMs that ran inside when it was saved lose their power; start it and shut them down first to spare them that"
    if options.when_running == "turn_off":
        return "VMs that run inside lose their power with it; shut them down first (hyperv_vm, state=off, inside) to spare them that"
    return "VMs that run inside follow their automatic stop action (they are saved unless it was changed), and may have to be started again"


def _way(vm: Vm, end: str, stopped: bool) -> tuple[Step, ...]:
    """The steps after the changes of a VM: from where it is by then to its end."""
    if end == GONE:
        return ()
    if not stopped:
        return tuple(replace(step, group=vm.id) for step in power_steps(vm.state, end, vm.ref, vm.again))
    again = From(save=STOPPED, where={"Id": vm.id}, shown=vm.shown)
    if end == "Off":
        # nothing else may be left to do, and then nothing else would notice a VM that did not stop
        off = From(save=STOPPED, where={"Id": vm.id, "State": "Off"}, property="Id")
        return (Step("Hyper-V\\Get-VM", {"Id": off}, group=vm.id, poll=True),)
    return tuple(replace(step, group=vm.id) for step in power_steps("Off", end, again, again))


_WAYS = {
    ("Off", "Running"): ("Start-VM",),
    ("Off", "Paused"): ("Start-VM", "Suspend-VM"),
    ("Off", "Saved"): ("Start-VM", "Save-VM"),
    ("Running", "Paused"): ("Suspend-VM",),
    ("Running", "Saved"): ("Save-VM",),
    ("Paused", "Running"): ("Resume-VM",),
    ("Paused", "Saved"): ("Save-VM",),
    ("Saved", "Running"): ("Start-VM",),
    ("Saved", "Paused"): ("Start-VM", "Suspend-VM"),
}


def power_steps(now: str, end: str, ref: From, again: From) -> tuple[Step, ...]:
    """From one settled power state to another that is not Off; `ref` is the VM for the first step, `again` for later ones."""
    cmdlets = _WAYS.get((now, end), ())
    back: dict[str, Step] = {
        "Off": Step("Hyper-V\\Stop-VM", {"VM": again, "TurnOff": True, "Force": True}),
        "Saved": Step("Hyper-V\\Save-VM", {"VM": again}),
    }
    return tuple(
        Step(f"Hyper-V\\{cmdlet}", {"VM": again if number else ref}, undo=None if number == len(cmdlets) - 1 else back.get(now))
        for number, cmdlet in enumerate(cmdlets)
    )


def stop_steps(vms: Sequence[Vm], options: t.Any) -> tuple[Step, ...]:
    """Bring running, paused and saved VMs to Off, side by side; then they are saved again as STOPPED.

    A VM that did not stop is not Off in STOPPED, so that the next step of its own group fails.
    """
    steps = [step for vm in vms for step in _stop(vm, options)]
    until = Until(seconds=options.shutdown_timeout, where={"State": "Off"})
    ids = tuple(vm.id for vm in vms)
    steps.append(Step("Hyper-V\\Get-VM", save=STOPPED, where={"Id": ids}, select=("Id", "State"), until=until, poll=True))
    if options.when_running == "shutdown":
        steps += [
            Step("Microsoft.PowerShell.Core\\Receive-Job", {"Job": From(save=_job(vm))}, group=vm.id, poll=True)
            for vm in vms
            if vm.state != "Saved"
        ]
    return tuple(steps)


def _job(vm: Vm) -> str:
    return f"job {vm.id}"


def _stop(vm: Vm, options: t.Any) -> list[Step]:
    again = vm.again
    if vm.state == "Saved":
        return [Step("Hyper-V\\Remove-VMSavedState", {"VM": vm.ref}, group=vm.id)]
    steps = []
    if vm.state == "Paused":
        steps.append(Step("Hyper-V\\Resume-VM", {"VM": vm.ref}, group=vm.id, undo=Step("Hyper-V\\Suspend-VM", {"VM": again})))
    target = vm.ref if vm.state == "Running" else again
    # Without -Force a guest without contact asks, and -NonInteractive makes that an error (facts 10.1); with it a guest
    # that is asked to shut down is turned off after five minutes (cmdlets.md 5), which nobody asked for.
    how: dict[str, t.Any] = {"AsJob": True} if options.when_running == "shutdown" else {"TurnOff": True, "Force": True}
    save = _job(vm) if options.when_running == "shutdown" else None
    steps.append(Step("Hyper-V\\Stop-VM", {"VM": target, **how}, save=save, group=vm.id, undo=Step("Hyper-V\\Start-VM", {"VM": again})))
    return steps


def _when_stopped(change: Change) -> Change:
    """The change on the VM as it was read again after the stop."""

    def stopped(ref: From) -> From:
        if ref.save.removesuffix(BY_ID) != "vms":
            return ref
        state = {"State": "Off"} if "State" in ref.where else {}
        return replace(ref, save=STOPPED, where={**ref.where, **state})

    def moved(step: Step) -> Step:
        parameters = {name: renamed(value, stopped) for name, value in step.parameters.items()}
        return replace(step, parameters=parameters, undo=moved(step.undo) if step.undo else None)

    return replace(change, steps=tuple(map(moved, change.steps)))


def _refusals(vm: Vm, options: t.Any, why: str) -> list[HypervError]:
    refusal = _refusal(vm, options, why)
    return [refusal] if refusal else []


def _unsettled(vm: Vm, about: str = "") -> list[HypervError]:
    """Why no power state can be left or reached at all just now."""
    about = about or f"VM '{vm.label}' is {vm.state}"
    if vm.state.endswith("Critical"):
        fix = "repair the VM's storage first"
        return [Refused(f"{about}, and it has lost its storage", code="vm_critical", subject=vm.label, fix=fix)]
    if vm.state not in ("Off", "Running", "Paused", "Saved"):
        return [Refused(about, code="vm_busy", subject=vm.label, fix="wait until the VM has settled and run the task again")]
    return []


def _refusal(vm: Vm, options: t.Any, why: str) -> HypervError | None:
    state = vm.state
    if state == "Off":
        return None
    about = f"VM '{vm.label}' is {state}; {why} needs it Off"
    unsettled = _unsettled(vm, about)
    if unsettled:
        return unsettled[0]
    if vm.clustered:
        return Refused(
            f"{about}, and it is clustered: the cluster would start it elsewhere",
            code="vm_clustered",
            subject=vm.label,
            fix="stop it with the cluster's own tools first (Stop-ClusterGroup)",
        )
    if state == "Saved":
        if options.discard_saved_state:
            return None
        return Refused(
            f"{about}, and its saved state would be lost",
            code="vm_saved",
            subject=vm.label,
            fix="start it and shut it down, or set discard_saved_state=true",
        )
    if options.when_running == "fail":
        return Refused(about, code="vm_must_be_off", subject=vm.label, fix="stop it, or set when_running=shutdown (or turn_off)")
    if options.when_running == "shutdown" and not vm.shutdown:
        return Refused(
            f"{about}, and its guest cannot be asked to shut down: the shutdown integration service is off or does not answer",
            code="shutdown_unavailable",
            subject=vm.label,
            fix="shut it down from inside, repair the integration services, or set when_running=turn_off",
        )
    return None
