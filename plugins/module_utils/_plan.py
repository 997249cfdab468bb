# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: changes, plans, and the power cycle. All of it is pure: nothing here talks to a host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ._errors import HypervError, Refused, raise_all
from ._steps import From, Step, Until, renamed

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._vms import Vm

STOPPED = "stopped"
"""Under this name the second process saves the VMs again, once they are off."""


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

    @property
    def real(self) -> bool:
        """Whether anything differs."""
        return any(before != after for before, after in self.attributes.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The ordered difference between what is wanted and what was found."""

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    opening: tuple[Step, ...] = ()
    """Steps of the power cycle before the changes."""
    closing: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    """Steps after the changes of a subject, by its id."""
    power_cycled: tuple[str, ...] = ()

    @classmethod
    def of(cls, changes: Iterable[Change], warnings: Iterable[str] = (), errors: Sequence[HypervError] = ()) -> Plan:
        """A plan of the changes in which something differs; with errors nothing is planned at all."""
        raise_all(errors)
        return cls(changes=tuple(_grouped(change) for change in changes if change.real), warnings=tuple(warnings))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Everything to run, in order: stop all that must stop, then each subject's changes and its start."""
        steps = list(self.opening)
        for subject_id in dict.fromkeys(change.subject.id for change in self.changes):
            for change in self.changes:
                if change.subject.id == subject_id:
                    steps += change.steps
            steps += self.closing.get(subject_id, ())
        return tuple(steps)


def _grouped(change: Change) -> Change:
    """The change with only what differs, its steps in the group of its subject."""
    attributes = {name: pair for name, pair in change.attributes.items() if pair[0] != pair[1]}
    return replace(change, attributes=attributes, steps=tuple(replace(step, group=change.subject.id) for step in change.steps))


def with_power_cycle(plan: Plan, options: t.Any) -> Plan:
    """Add the stops and starts that the plan's changes need: the only code that power cycles a VM for a change.

    One cycle per VM, all VMs under one deadline, the former power state restored; refuses by what really changes.
    """
    vms = {change.subject.id: t.cast("Vm", change.subject) for change in plan.changes if change.needs_off}
    if not vms:
        return plan
    raise_all([error for vm in vms.values() for error in _refusals(vm, options)])
    cycled = {vm_id: vm for vm_id, vm in vms.items() if vm.state != "Off"}
    if not cycled:
        return plan
    changes = tuple(_when_stopped(change) if change.subject.id in cycled else change for change in plan.changes)
    discarded = tuple(
        Change(subject=vm, attributes={"power_state": ("saved", "off")}, steps=()) for vm in cycled.values() if vm.state == "Saved"
    )
    return replace(
        plan,
        changes=discarded + changes,
        opening=stop_steps(list(cycled.values()), options),
        closing={vm_id: _restart(vm) for vm_id, vm in cycled.items()},
        power_cycled=tuple(vm.label for vm in cycled.values() if vm.state != "Saved"),
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


def power_refusals(vm: Vm, options: t.Any, why: str) -> list[HypervError]:
    """Why this VM may not be brought to Off with these options; `why` completes "... needs it Off"."""
    return _refusals(vm, options, why)


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


def _restart(vm: Vm) -> tuple[Step, ...]:
    stopped = From(save=STOPPED, where={"Id": vm.id}, shown=vm.shown)
    if vm.state == "Running":
        return (Step("Hyper-V\\Start-VM", {"VM": stopped}, group=vm.id),)
    if vm.state == "Paused":
        turn_off = Step("Hyper-V\\Stop-VM", {"VM": stopped, "TurnOff": True, "Force": True})
        return (
            Step("Hyper-V\\Start-VM", {"VM": stopped}, group=vm.id, undo=turn_off),
            Step("Hyper-V\\Suspend-VM", {"VM": stopped}, group=vm.id),
        )
    return ()


def _when_stopped(change: Change) -> Change:
    """The change on the VM as it was read again after the stop."""

    def stopped(ref: From) -> From:
        if ref.save.partition("#")[0] != "vms":
            return ref
        state = {"State": "Off"} if "State" in ref.where else {}
        return replace(ref, save=STOPPED, where={**ref.where, **state})

    def moved(step: Step) -> Step:
        parameters = {name: renamed(value, stopped) for name, value in step.parameters.items()}
        return replace(step, parameters=parameters, undo=moved(step.undo) if step.undo else None)

    return replace(change, steps=tuple(map(moved, change.steps)))


def _refusals(vm: Vm, options: t.Any, why: str = "this change") -> list[HypervError]:
    refusal = _refusal(vm, options, why)
    return [refusal] if refusal else []


def _refusal(vm: Vm, options: t.Any, why: str) -> HypervError | None:
    state = vm.state
    if state == "Off":
        return None
    about = f"VM '{vm.label}' is {state}; {why} needs it Off"
    if state.endswith("Critical"):
        return Refused(f"{about}, and it has lost its storage", code="vm_critical", subject=vm.label, fix="repair the VM's storage first")
    if state not in ("Running", "Paused", "Saved"):
        return Refused(f"{about}", code="vm_busy", subject=vm.label, fix="wait until the VM has settled and run the task again")
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
