# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the one road: read, plan, write, read again, report. Nobody else looks at check mode.

One remote process when nothing changes, two when something does, for up to CHUNK VMs; more go in chunks, all of which are
read and planned before the first is written. A restart of the host takes as many more as it takes to see it back.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, replace

from ._errors import BadReply, HypervError, Refused, RunnerRefused, SeveralErrors, from_fault
from ._options import ordinal
from ._outcome import after_restart, failure, outcome_of, settled, with_missed, without
from ._plan import Plan, with_power_cycle
from ._render import command
from ._report import PartResult, result
from ._restart import RESTART, ask, patiently, wait
from ._steps import Answer, Answers, Run, Step
from ._vms import CHUNK

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._options import Options, Spec
    from ._plan import Change
    from ._restart import Transport


class State(t.Protocol):
    """What was read of the host, typed."""

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """The state in the answers to the resource's queries; raises HypervError."""

    def result(self) -> dict[str, t.Any]:
        """The state as the task's result shows it."""


class Resource(t.Protocol):
    """A module of _resources: these four names, and nothing else to learn."""

    SPEC: Spec
    State: type[State]

    @property
    def queries(self) -> t.Callable[[Options], tuple[Step, ...]]:
        """The steps that read what the options are about."""

    @property
    def plan(self) -> t.Callable[[Options, t.Any], Plan]:
        """The ordered difference between options and state; raises HypervError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One chunk of the task, planned."""

    options: Options
    state: State
    plan: Plan


def converge(
    resource: Resource, options: Options, transport: Transport, *, check_mode: bool = False, diff: bool = False
) -> dict[str, t.Any]:
    """Bring the host to what the options want and return the task's result; raises HypervError before anything was written."""
    parts = patiently(options.get("answer_timeout"), transport, lambda patient: _planned(resource, options, transport.run, patient=patient))
    if check_mode:
        return result([_predicted(part) for part in parts], diff=diff)
    results: list[PartResult] = []
    for part in parts:
        results.append(_done(resource, part, transport))
        if results[-1].unknown:
            break  # the host's answers get lost: what is not begun is left
    return result(results, diff=diff)


def _planned(resource: Resource, options: Options, run: Run, *, patient: bool) -> list[Part]:
    parts: list[Part] = []
    errors: list[HypervError] = []
    for chunk in _chunks(options):
        try:
            state = read(resource, chunk, run)
            plan = with_power_cycle(_only_new(resource.plan(chunk.but(patient=patient), state), parts), chunk)
            parts.append(Part(options=chunk, state=state, plan=plan))
        except SeveralErrors as several:
            errors += several.errors
        except Refused as refused:
            errors.append(refused)
    if len(errors) > 1:
        raise SeveralErrors(errors)
    if errors:
        raise errors[0]
    return parts


def _only_new(plan: Plan, parts: Sequence[Part]) -> Plan:
    """The plan without what an earlier chunk plans already: a VM may be named by name in one, and by id in another."""
    planned = {change.subject.id for part in parts for change in part.plan.changes}
    if not planned:
        return plan
    changes = tuple(change for change in plan.changes if change.subject.id not in planned)
    return replace(plan, changes=changes, ends=tuple((vm, end) for vm, end in plan.ends if vm.id not in planned))


def _chunks(options: Options) -> Iterator[Options]:
    """The options, with at most so many VMs each; a name that was given twice is one, or a second chunk would change it again."""
    names = tuple({ordinal(name): name for name in options.get("vms") or ()}.values())
    if len(names) <= CHUNK:
        yield options.but(vms=names) if names else options
        return
    for start in range(0, len(names), CHUNK):
        yield options.but(vms=names[start : start + CHUNK])


def read(resource: Resource, options: Options, run: Run) -> State:
    """The state of the host, from one remote process."""
    steps = resource.queries(options)
    return resource.State.from_answers(options, _checked(steps, run(steps)))


def _checked(steps: Sequence[Step], answers: Sequence[Answer]) -> Answers:
    """The answers of queries, of which none may have failed in a way that does not just mean "not there"."""
    reached = False
    for step, answer in zip(steps, answers, strict=True):
        for fault in answer.faults:
            if fault.kind not in step.absent and fault.category not in step.absent_categories:
                raise from_fault(fault, step.verb_noun, reading=True, reached=reached)
        reached = reached or (step.cmdlet.startswith("Hyper-V") and not answer.faults)
    return Answers(steps, answers)


def _predicted(part: Part) -> PartResult:
    plan, reboot = part.plan, part.plan.reboot
    first = reboot is not None and reboot.before
    last = reboot is not None and reboot.after
    return PartResult(
        changes=((reboot.change,) if reboot and first else ()) + plan.changes,
        commands=(_RESTART,) * first + tuple(command(step) for step in plan.steps if not (step.poll or step.optional)) + (_RESTART,) * last,
        power_cycled=plan.power_cycled,
        warnings=plan.warnings,
        state=part.state,
        rebooted=first or last,
    )


_RESTART = command(RESTART)
MOST_RESTARTS = 2
"""Of one task: installing the role may take two (facts 7)."""


def _done(resource: Resource, part: Part, transport: Transport) -> PartResult:
    """The part, written and waited for."""
    if part.plan.reboot:
        return _done_with_restarts(resource, part, transport)
    found = _written(resource, part, transport.run) if part.plan.changes else _predicted(part)
    try:
        return _waited(resource, part, found, transport.run)
    except BadReply as error:
        return replace(found, failures=(*found.failures, failure(error)))


def _done_with_restarts(resource: Resource, part: Part, transport: Transport) -> PartResult:
    """The part, with the restarts that it needs: write, restart, wait, plan again, at most twice."""
    warnings, written = part.plan.warnings, False
    found = PartResult(changes=(), commands=(), power_cycled=(), warnings=warnings, state=part.state)
    look = functools.partial(read, resource, part.options, transport.run)
    for restarts in range(MOST_RESTARTS + 1):
        plan, reboot = part.plan, part.plan.reboot
        if plan.changes and written:
            return _taken_back(found, plan)
        if plan.changes and not (reboot and reboot.before):
            found, written = _joined(found, _written(resource, part, transport.run)), True
        if reboot is None or found.failures:
            return found
        if restarts == MOST_RESTARTS:
            return _failed(found, reboot.endless)
        try:
            refusal = ask(reboot, transport)
            asked = replace(found, commands=(*found.commands, _RESTART), rebooted=True)
            found = found if refusal else asked
            state = wait(reboot, transport, look, refusal)
            found = replace(asked, restart_needed=False)
            if restarts == 0 and reboot.before:
                found = replace(found, changes=(reboot.change, *found.changes))
            # what Windows warned of before is that it had to be restarted
            found = replace(found, state=state, warnings=warnings)
            part = replace(part, state=state, plan=resource.plan(part.options, state))
        except HypervError as error:
            return _failed(found, error)
    return found


def _joined(found: PartResult, more: PartResult) -> PartResult:
    """What was done before a restart and after it."""
    return replace(
        more,
        changes=(*found.changes, *more.changes),
        commands=(*found.commands, *more.commands),
        warnings=tuple(dict.fromkeys((*found.warnings, *more.warnings))),
        rebooted=found.rebooted,
    )


def _failed(found: PartResult, error: HypervError) -> PartResult:
    done = [name for change in found.changes for name in change.attributes]
    return replace(found, failures=(*found.failures, failure(error, done=done)))


def _taken_back(found: PartResult, plan: Plan) -> PartResult:
    """What was accepted before the restart and is planned once more after it: Windows has taken it back, and would again."""
    missed = plan.changes
    for change in missed:
        error = after_restart(change)
        found = replace(
            found,
            changes=tuple(kept for each in found.changes if (kept := without(each, missed)).attributes),
            failures=(*found.failures, failure(error, change.subject.label, left=list(change.attributes))),
        )
    return found


def _written(resource: Resource, part: Part, run: Run) -> PartResult:
    queries, plan = resource.queries(part.options), part.plan
    try:
        answers = run((*queries, *plan.steps, *queries))
    except BadReply as error:
        lost = not isinstance(error, RunnerRefused)
        return PartResult(changes=(), commands=(), power_cycled=(), warnings=plan.warnings, failures=(failure(error),), unknown=lost)
    count = len(queries)
    outcome, after = outcome_of(plan, answers[count:-count]), None
    try:
        read_back = _checked(queries, answers[-count:])
        after = resource.State.from_answers(part.options, read_back)
        again = resource.plan(part.options, after)
        outcome = with_missed(plan, settled(plan, outcome, again, read_back), again, read_back)
    except HypervError as error:
        outcome = replace(outcome, failures=outcome.failures or (failure(error),))
    return PartResult(
        changes=tuple(change for change in outcome.done if change.attributes),
        commands=outcome.commands,
        power_cycled=outcome.power_cycled,
        warnings=(*plan.warnings, *outcome.warnings),
        failures=outcome.failures,
        state=after,
        touched=outcome.stays,
        restart_needed=outcome.restart_needed,
    )


_PROCESS_SECONDS = 0.5
"""What a remote process costs besides its steps; only so that a wait ends whatever its steps say."""


def _waited(resource: Resource, part: Part, found: PartResult, run: Run) -> PartResult:
    """The result once what the plan waits for is there, or a failure for each subject for which it never was.

    A remote process of its own, because only what was read back says whom to wait for: VMs made by this very task have no
    id before, and those that failed are not waited for. More than one where the runner cannot see it, as it compares for
    equality only: an address that is not link-local.
    """
    wait, state = part.plan.wait, found.state
    if wait is None or state is None:
        return found
    failed = {each["subject"] for each in found.failures}
    queries, left = resource.queries(part.options), wait.seconds
    unmet = [each for each in wait.unmet(state) if each.subject.label not in failed]
    while unmet and left > 0:
        steps = wait.steps(state, left)
        answers = run((*steps, *queries))
        left -= sum(answer.seconds for answer in answers) + _PROCESS_SECONDS
        try:
            state = resource.State.from_answers(part.options, _checked(queries, answers[len(steps) :]))
        except HypervError as error:
            return replace(found, state=state, failures=(*found.failures, failure(error)))
        unmet = [each for each in wait.unmet(state) if each.subject.label not in failed]
    late = [failure(each.error, each.subject.label, done=_attributes(found.changes, each.subject.label)) for each in unmet]
    return replace(found, state=state, failures=(*found.failures, *late))


def _attributes(changes: Sequence[Change], label: str) -> list[str]:
    return [name for change in changes if change.subject.label == label for name in change.attributes]
