# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what became of a plan's steps on the host: which changes were done, undone or left, and why."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._errors import ChangedMeanwhile, HostFault, HypervError, NotApplied, WrongState, from_fault
from ._plan import STOPPED, Change, Plan
from ._render import command
from ._vms import Vm

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from ._steps import Answer, Answers, Step

Failure = dict[str, t.Any]
"""An error of one subject, with the names of its attributes that are done, undone and left."""
Script = list[tuple["Step", "Answer"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a plan's steps."""

    done: tuple[Change, ...]
    failures: tuple[Failure, ...]
    commands: tuple[str, ...]
    power_cycled: tuple[str, ...]
    warnings: tuple[str, ...]
    stays: bool
    """Whether something could not be taken back."""
    restart_needed: bool
    """Whether an answer says that Windows waits for a restart."""


def failure(
    error: HypervError, subject: str | None = None, *, done: Sequence[str] = (), undone: Sequence[str] = (), left: Sequence[str] = ()
) -> Failure:
    """The error as a result lists it."""
    about = error.subject if subject is None else subject
    return {"subject": about, **error.as_dict(), "done": list(done), "undone": list(undone), "left": list(left)}


def outcome_of(plan: Plan, answers: Sequence[Answer]) -> Outcome:
    """What the answers to the plan's steps say."""
    script = list(zip(plan.steps, answers, strict=True))
    broken = {step.group: (step, answer) for step, answer in reversed(script) if answer.faults and step.group}
    asked = {step.group for step, answer in script if step.verb_noun == "Stop-VM" and not answer.faults and not answer.skipped}
    read_again = [row for step, answer in script if step.save == STOPPED for row in answer.rows]
    stuck = {str(row["Id"]): row["State"] for row in read_again if row["State"] != "Off" and str(row["Id"]) in asked}
    by_step = {id(step): answer for step, answer in script}
    for change in plan.changes:
        if _judged(change, by_step):
            broken.setdefault(change.subject.id, (change.steps[-1], by_step[id(change.steps[-1])]))
    fates = [(change, _fate(change, by_step, broken)) for change in plan.changes]
    done = tuple(change for change, fate in fates if fate == "done")
    return Outcome(
        done=done,
        failures=tuple(
            _failure(group, *broken[group], fates, script, stuck.get(group))
            for group in dict.fromkeys(change.subject.id for change in plan.changes)
            if group in broken
        ),
        commands=tuple(_commands(script, stuck)),
        power_cycled=tuple(_cycled(plan, asked - set(stuck))),
        warnings=tuple(dict.fromkeys(text for step, answer in script for text in answer.warnings if not step.poll)),
        stays=any(answer.undo and answer.undo.faults for _step, answer in script),
        restart_needed=any(change.restarts(by_step[id(change.steps[-1])]) for change in done if change.restarts),
    )


def _cycled(plan: Plan, stopped: set[str | None]) -> list[str]:
    labels = {change.subject.id: change.subject.label for change in plan.changes}
    return [label for subject_id, label in labels.items() if label in plan.power_cycled and subject_id in stopped]


def _fate(change: Change, by_step: Mapping[int, Answer], broken: Container[str | None]) -> str:
    """done, undone or left."""
    group = change.subject.id
    answers = [by_step[id(step)] for step in change.steps]
    if group not in broken:
        return "done"
    undos = [answer.undo for answer in answers if answer.undo]
    if undos:
        return "done" if any(undo.faults for undo in undos) else "undone"
    return "done" if answers and not any(answer.skipped or answer.faults for answer in answers) else "left"


def _failure(group: str, step: Step, answer: Answer, fates: Sequence[tuple[Change, str]], script: Script, stuck: str | None) -> Failure:
    mine = [(change, fate) for change, fate in fates if change.subject.id == group]
    label = mine[0][0].subject.label
    judged = [_judged(change, {id(step): answer}) for change, _its in mine]
    error = next(filter(None, judged), None) or _explained(step, answer, label, stuck, script)
    stays = [command(own) for own, its in script if own.group == group and its.undo and its.undo.faults]
    if stays:
        error.msg += f"; what could not be taken back: {', '.join(stays)}"
    fate = {kind: [name for change, its in mine if its == kind for name in change.attributes] for kind in ("done", "undone", "left")}
    return failure(error, label, **fate)


def _judged(change: Change, by_step: Mapping[int, Answer]) -> HypervError | None:
    """The error that the change itself sees in the answer to its last step, if that is among these."""
    answer = by_step.get(id(change.steps[-1])) if change.judge and change.steps else None
    return change.judge(answer) if change.judge and answer and not answer.skipped else None


def _explained(step: Step, answer: Answer, label: str, stuck: str | None, script: Script) -> HypervError:
    fault = answer.faults[0]
    missing = fault.kind == "Hyperlab.NoObject"
    if stuck and missing:
        return HypervError(
            f"VM '{label}' did not shut down in time: it is {stuck}, and it has to be Off",
            code="shutdown_timed_out",
            fix="look at the guest: it was asked to shut down, may still do so, and is then not started again;"
            " raise shutdown_timeout, or set when_running=turn_off",
        )
    if step.lacking and fault.kind in ("Hyperlab.NoObject", "Hyperlab.Timeout"):
        code, message = step.lacking
        return HypervError(message, code=code, fix=step.hint)
    waited = [each for own, its in script if own.save == STOPPED for each in its.faults if each.kind != "Hyperlab.Timeout"]
    if missing and waited:
        return from_fault(waited[0], "Get-VM", subject=label)
    doing = "Stop-VM" if step.verb_noun == "Receive-Job" else command(step)
    error = from_fault(fault, doing, subject=label)
    if step.hint and error.__class__ in (HostFault, WrongState):
        error.fix = step.hint
    return error


def _commands(script: Script, stuck: Container[str | None]) -> Iterator[str]:
    """What ran, and behind it what was taken back, newest first; starting a VM that never stopped is no command."""
    for step, answer in script:
        if not step.poll and not answer.skipped and not answer.faults:
            yield command(step)
    for step, answer in reversed(script):
        pointless = step.verb_noun == "Stop-VM" and step.group in stuck
        if step.undo and answer.undo and not answer.undo.faults and not pointless:
            yield command(step.undo)


def _not_back(plan: Plan, cycled: Sequence[str], read_back: Answers) -> Iterator[Change]:
    """Power states that a cycle should have brought back and did not; one that the plan names, its resource finds out itself."""
    now = {str(row["Id"]): row["State"] for row in read_back.rows("vms")}
    named = {vm.id for vm, _end in plan.ends}
    for vm in {change.subject.id: t.cast("Vm", change.subject) for change in plan.changes if change.subject.label in cycled}.values():
        if vm.id not in named and now.get(vm.id, vm.state) != vm.state:
            yield Change(subject=vm, attributes={"power_state": (now[vm.id].lower(), vm.state.lower())}, steps=())


def _not_applied(change: Change) -> Iterator[Failure]:
    """A failure for each attribute that reads otherwise than it was set."""
    for name, (found, wanted) in change.attributes.items():
        error = NotApplied(f"'{change.subject.label}': the host accepted {name}={wanted!r}, and now it reads {found!r}")
        yield failure(error, change.subject.label, left=[name])


def after_restart(change: Change) -> HypervError:
    """The error about a change that the host accepted, and that is gone after a restart."""
    names = ", ".join(f"{name}={wanted!r} (now {found!r})" for name, (found, wanted) in change.attributes.items())
    return NotApplied(
        f"'{change.subject.label}': the host accepted {names}, and after the restart it is as before",
        fix="Windows undid it while it started: look at its event log (Setup) and at C:\\Windows\\Logs\\CBS\\CBS.log",
    )


def without(change: Change, missed: Sequence[Change]) -> Change:
    """The change without the attributes that read otherwise afterwards."""
    names = {name for each in missed if each.subject.label == change.subject.label for name in each.attributes}
    return replace(change, attributes={name: pair for name, pair in change.attributes.items() if name not in names})


def with_missed(plan: Plan, outcome: Outcome, again: Plan, read_back: Answers) -> Outcome:
    """The outcome in which what the host accepted and did not do is a failure of its own, for the subjects that had none."""
    failed = {each["subject"] for each in outcome.failures}
    differing = (*again.changes, *_not_back(plan, outcome.power_cycled, read_back))
    missed = [change for change in differing if change.subject.label not in failed]
    labels = {change.subject.label for change in missed}
    moved = [mine for mine in _by_subject(plan.changes) if mine[0].subject.label in labels]
    done = [without(change, missed) for change in outcome.done]
    done += [change for mine in moved for change in _other_power_state(mine, read_back)]
    failures = [each for change in missed for each in _not_applied(change)]
    return replace(outcome, done=tuple(done), failures=(*outcome.failures, *failures))


def settled(plan: Plan, outcome: Outcome, again: Plan, read_back: Answers) -> Outcome:
    """The outcome with what was read back put above what the steps said, for the subjects that failed.

    A refused call may have changed something all the same (Hyper-V resizes a running VM's memory as far as it can, facts
    3.1), and an undo may have been refused. What somebody else changed meanwhile is not ours, and of a subject of which
    nothing is planned again the attributes may be as wanted or not there to be looked at.
    """
    if not outcome.failures:
        return outcome
    now = {(change.subject.label, name): pair[0] for change in again.changes for name, pair in change.attributes.items()}
    seen = {change.subject.label for change in again.changes}
    done = {change.subject.label: [each for each in outcome.done if each.subject.label == change.subject.label] for change in plan.changes}
    failures = []
    for failed in outcome.failures:
        label, mine = failed["subject"], [change for change in plan.changes if change.subject.label == failed["subject"]]
        found, power = failed, []
        if failed["error_code"] != ChangedMeanwhile.code:
            power = list(_other_power_state(mine, read_back))
            if label in seen:
                found, done[label] = _as_read(failed, mine, now, plan)
        done[label] = [*done[label], *power]
        failures.append(found)
    return replace(outcome, done=tuple(change for of_one in done.values() for change in of_one), failures=tuple(failures))


def _by_subject(changes: Sequence[Change]) -> list[list[Change]]:
    """The changes of each subject, in the order of the subjects."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.subject.label, []).append(change)
    return list(found.values())


def _as_read(failed: Failure, mine: Sequence[Change], now: Mapping[tuple[str, str], t.Any], plan: Plan) -> tuple[Failure, list[Change]]:
    """The failure and what is different in truth, by the values that the new plan found."""
    fates = {name: kind for kind in ("done", "undone", "left") for name in failed[kind]}
    done = []
    for change in mine:
        moved = {name: (pair[0], now.get((failed["subject"], name), pair[1])) for name, pair in change.attributes.items()}
        if any(own is opened for own in change.steps for opened in plan.opening):
            # A discarded saved state is no attribute that could be planned again: its step alone knows.
            moved = dict(change.attributes) if fates[next(iter(moved))] == "done" else {}
        fates |= {name: _read_fate(fates[name], *change.attributes[name], value) for name, (_before, value) in moved.items()}
        done.append(replace(change, attributes={name: pair for name, pair in moved.items() if pair[0] != pair[1]}))
    kinds = {kind: [name for name in fates if fates[name] == kind] for kind in ("done", "undone", "left")}
    return {**failed, **kinds}, [change for change in done if change.attributes]


def _read_fate(said: str, before: t.Any, after: t.Any, value: t.Any) -> str:
    if value == after:
        return "done"
    return "undone" if value == before and said != "left" else "left"


def _other_power_state(changes: Sequence[Change], read_back: Answers) -> Iterator[Change]:
    """A VM that failed and is in another power state than before, which no change of the plan says."""
    subject = changes[0].subject
    if not isinstance(subject, Vm) or any("power_state" in change.attributes for change in changes):
        return
    now = next((row["State"] for row in read_back.rows("vms") if str(row["Id"]) == subject.id), subject.state)
    if now != subject.state:
        yield Change(subject=subject, attributes={"power_state": (subject.state.lower(), now.lower())}, steps=())
