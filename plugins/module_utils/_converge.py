# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the one road: read, plan, write, read again, report. Nobody else looks at check mode.

One remote process when nothing changes, two when something does, for up to CHUNK VMs; more go in chunks, all of which are
read and planned before the first is written.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._errors import ChangedMeanwhile, HostFault, HypervError, NotApplied, Refused, SeveralErrors, WrongState, from_fault
from ._options import ordinal
from ._plan import STOPPED, Change, Plan, Unmet, with_power_cycle
from ._render import command
from ._steps import Answer, Answers, Run, Step
from ._vms import CHUNK

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from ._options import Options, Spec


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a plan's steps."""

    done: tuple[Change, ...]
    failures: tuple[dict[str, t.Any], ...]
    commands: tuple[str, ...]
    power_cycled: tuple[str, ...]
    warnings: tuple[str, ...]


def converge(resource: Resource, options: Options, run: Run, *, check_mode: bool = False, diff: bool = False) -> dict[str, t.Any]:
    """Bring the host to what the options want and return the task's result; raises HypervError when nothing was changed."""
    parts = _planned(resource, options, run)
    results = [_predicted(part) if check_mode or not part.plan.changes else _written(resource, part, run) for part in parts]
    if not check_mode:
        results = [_waited(resource, part, result, run) for part, result in zip(parts, results, strict=True)]
    return _result(results, diff)


def _planned(resource: Resource, options: Options, run: Run) -> list[Part]:
    parts: list[Part] = []
    errors: list[HypervError] = []
    for chunk in _chunks(options):
        try:
            state = read(resource, chunk, run)
            plan = with_power_cycle(_only_new(resource.plan(chunk, state), parts), chunk)
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
    for step, answer in zip(steps, answers, strict=True):
        for fault in answer.faults:
            if fault.kind not in step.absent:
                raise from_fault(fault, step.verb_noun, reading=True)
    return Answers(steps, answers)


def _predicted(part: Part) -> dict[str, t.Any]:
    plan = part.plan
    return {
        "changes": plan.changes,
        "commands": [command(step) for step in plan.steps if not step.poll],
        "power_cycled": list(plan.power_cycled),
        "warnings": list(plan.warnings),
        "failures": [],
        "state": part.state.result(),
        "after": part.state,
    }


def _written(resource: Resource, part: Part, run: Run) -> dict[str, t.Any]:
    queries = resource.queries(part.options)
    answers = run((*queries, *part.plan.steps, *queries))
    count = len(queries)
    outcome = _outcome(part.plan, answers[count:-count])
    failures = list(outcome.failures)
    done: Sequence[Change] = outcome.done
    found: dict[str, t.Any] = {}
    after: State | None = None
    try:
        after = resource.State.from_answers(part.options, _checked(queries, answers[-count:]))
        found = after.result()
        again = resource.plan(part.options, after)
        missed = [change for change in again.changes if change.subject.label not in {failure["subject"] for failure in failures}]
        failures += [failure for change in missed for failure in _not_applied(change)]
        done = [*(_without(change, missed) for change in done), *_partly(part.plan, again, outcome.failures)]
    except HypervError as error:
        if not failures:
            failures.append({"subject": error.subject, **error.as_dict(), "done": [], "undone": [], "left": []})
    return {
        "changes": [change for change in done if change.attributes],
        "commands": list(outcome.commands),
        "power_cycled": list(outcome.power_cycled),
        "warnings": [*part.plan.warnings, *outcome.warnings],
        "failures": failures,
        "state": found,
        "after": after,
    }


_PROCESS_SECONDS = 0.5
"""What a remote process costs besides its steps; only so that a wait ends whatever its steps say."""


def _waited(resource: Resource, part: Part, result: dict[str, t.Any], run: Run) -> dict[str, t.Any]:
    """The result once what the plan waits for is there, or a failure for each subject for which it never was.

    A remote process of its own, because only what was read back says whom to wait for: VMs made by this very task have no
    id before, and those that failed are not waited for. More than one where the runner cannot see it, as it compares for
    equality only: an address that is not link-local.
    """
    wait, state = part.plan.wait, result["after"]
    if wait is None or state is None:
        return result
    failed = {failure["subject"] for failure in result["failures"]}
    queries, left = resource.queries(part.options), wait.seconds
    unmet = [each for each in wait.unmet(state) if each.subject.label not in failed]
    failures: list[dict[str, t.Any]] = []
    while unmet and left > 0:
        steps = wait.steps(state, left)
        answers = run((*steps, *queries))
        left -= sum(answer.seconds for answer in answers) + _PROCESS_SECONDS
        try:
            state = resource.State.from_answers(part.options, _checked(queries, answers[len(steps) :]))
        except HypervError as error:
            failures = [{"subject": error.subject, **error.as_dict(), "done": [], "undone": [], "left": []}]
            break
        unmet = [each for each in wait.unmet(state) if each.subject.label not in failed]
    failures = failures or [_failed_waiting(each, result["changes"]) for each in unmet]
    return {**result, "failures": [*result["failures"], *failures], "state": state.result()}


def _failed_waiting(unmet: Unmet, changes: Sequence[Change]) -> dict[str, t.Any]:
    done = [name for change in changes if change.subject.label == unmet.subject.label for name in change.attributes]
    return {"subject": unmet.subject.label, **unmet.error.as_dict(), "done": done, "undone": [], "left": []}


def _outcome(plan: Plan, answers: Sequence[Answer]) -> Outcome:
    script = list(zip(plan.steps, answers, strict=True))
    broken = {step.group: (step, answer) for step, answer in reversed(script) if answer.faults and step.group}
    asked = {step.group for step, answer in script if step.verb_noun == "Stop-VM" and not answer.faults and not answer.skipped}
    read_again = [row for step, answer in script if step.save == STOPPED for row in answer.rows]
    stuck = {str(row["Id"]): row["State"] for row in read_again if row["State"] != "Off" and str(row["Id"]) in asked}
    by_step = {id(step): answer for step, answer in script}
    fates = [(change, _fate(change, by_step, broken)) for change in plan.changes]
    return Outcome(
        done=tuple(change for change, fate in fates if fate == "done"),
        failures=tuple(
            _failure(group, *broken[group], plan, fates, script, stuck)
            for group in dict.fromkeys(change.subject.id for change in plan.changes)
            if group in broken
        ),
        commands=tuple(_commands(script)),
        power_cycled=tuple(_cycled(plan, asked - set(stuck))),
        warnings=tuple(dict.fromkeys(text for step, answer in script for text in answer.warnings if not step.poll)),
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
    if any(answer.undo and not answer.undo.faults for answer in answers):
        return "undone"
    return "done" if answers and not any(answer.skipped or answer.faults for answer in answers) else "left"


def _failure(
    group: str,
    step: Step,
    answer: Answer,
    plan: Plan,
    fates: Sequence[tuple[Change, str]],
    script: Sequence[tuple[Step, Answer]],
    stuck: Mapping[str, str],
) -> dict[str, t.Any]:
    subject = next(change.subject for change in plan.changes if change.subject.id == group)
    error = _explained(step, answer, subject.label, stuck.get(group))
    stays = [command(s) for s, a in script if s.group == group and a.undo and a.undo.faults]
    if stays:
        error.msg += f"; what could not be taken back: {', '.join(stays)}"
    attributes = {
        fate: [name for change, its in fates if change.subject.id == group and its == fate for name in change.attributes] for fate in FATES
    }
    return {"subject": subject.label, **error.as_dict(), **attributes}


FATES = ("done", "undone", "left")


def _explained(step: Step, answer: Answer, label: str, stuck: str | None) -> HypervError:
    fault = answer.faults[0]
    if stuck and fault.kind == "Hyperlab.NoObject":
        return HypervError(
            f"VM '{label}' did not shut down in time: it is {stuck}, and the change needs it Off",
            code="shutdown_timed_out",
            fix="the guest may still be shutting down: look at it, then raise shutdown_timeout or set when_running=turn_off",
        )
    doing = "Stop-VM" if step.verb_noun == "Receive-Job" else command(step)
    error = from_fault(fault, doing, subject=label)
    if step.hint and type(error) in (HostFault, WrongState):
        error.fix = step.hint
    return error


def _commands(script: Sequence[tuple[Step, Answer]]) -> Iterator[str]:
    """What ran, and behind it what was taken back, newest first."""
    for step, answer in script:
        if not step.poll and not answer.skipped and not answer.faults:
            yield command(step)
    for step, answer in reversed(script):
        if step.undo and answer.undo and not answer.undo.faults:
            yield command(step.undo)


def _not_applied(change: Change) -> Iterator[dict[str, t.Any]]:
    for name, (found, wanted) in change.attributes.items():
        error = NotApplied(f"'{change.subject.label}': the host accepted {name}={wanted!r}, and now it reads {found!r}")
        yield {"subject": change.subject.label, **error.as_dict(), "done": [], "undone": [], "left": [name]}


def _without(change: Change, missed: Sequence[Change]) -> Change:
    """The change without the attributes that read otherwise afterwards."""
    names = {name for each in missed if each.subject.label == change.subject.label for name in each.attributes}
    return replace(change, attributes={name: pair for name, pair in change.attributes.items() if name not in names})


def _partly(plan: Plan, again: Plan, failures: Sequence[Mapping[str, t.Any]]) -> Iterator[Change]:
    """What a refused call changed all the same: Hyper-V resizes a running VM's memory as far as it can (facts 3.1)."""
    left = {(each["subject"], name) for each in failures if each["error_code"] != ChangedMeanwhile.code for name in each["left"]}
    now = {(change.subject.label, name): pair[0] for change in again.changes for name, pair in change.attributes.items()}
    for change in plan.changes:
        pairs = {name: (pair[0], now.get((change.subject.label, name), pair[0])) for name, pair in change.attributes.items()}
        moved = {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and (change.subject.label, name) in left}
        if moved:
            yield replace(change, attributes=moved)


def _result(results: Sequence[dict[str, t.Any]], diff: bool) -> dict[str, t.Any]:
    changes = [change for each in results for change in each["changes"]]
    failures = [failure for each in results for failure in each["failures"]]
    result: dict[str, t.Any] = {
        **_merged([each["state"] for each in results]),
        "changed": bool(changes),
        "changes": [
            {"subject": change.subject.label, "attribute": name, "before": before, "after": after}
            for change in changes
            for name, (before, after) in change.attributes.items()
        ],
        "commands": [line for each in results for line in each["commands"]],
        "power_cycled": [label for each in results for label in each["power_cycled"]],
    }
    warnings = [text for each in results for text in each["warnings"]]
    if warnings:
        result["warnings"] = warnings
    if diff:
        result["diff"] = _diff(result["changes"])
    if failures:
        result |= _failed(failures)
    return result


def _merged(states: Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    merged: dict[str, t.Any] = {}
    for state in states:
        for name, value in state.items():
            merged[name] = merged[name] + value if isinstance(value, list) and name in merged else value
    return merged


def _diff(changes: Sequence[Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    by_subject: dict[str, list[Mapping[str, t.Any]]] = {}
    for change in changes:
        by_subject.setdefault(change["subject"], []).append(change)
    return [
        {
            "before_header": subject,
            "after_header": subject,
            "before": {change["attribute"]: change["before"] for change in of_subject},
            "after": {change["attribute"]: change["after"] for change in of_subject},
        }
        for subject, of_subject in by_subject.items()
    ]


def _failed(failures: Sequence[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    first = failures[0]
    return {
        "failed": True,
        "failures": list(failures),
        "error_code": first["error_code"],
        "msg": _message([(failure["msg"], failure["fix"]) for failure in failures]),
        "fix": first["fix"],
    }


def _message(pairs: Sequence[tuple[str, str]]) -> str:
    """What is wrong and the way out, in whole sentences; a way out that is the same for several is said once."""
    by_fix: dict[str, list[str]] = {}
    for msg, fix in pairs:
        by_fix.setdefault(fix, []).append(msg)
    return " ".join(f"{'; '.join(msg.rstrip('.') for msg in msgs)}. {_sentence(fix)}" for fix, msgs in by_fix.items())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(("?", ".")) else ".")


def failed(error: HypervError) -> dict[str, t.Any]:
    """The result of a task that an error ended before anything was changed."""
    errors = error.errors if isinstance(error, SeveralErrors) else (error,)
    failures = [{"subject": each.subject, **each.as_dict(), "done": [], "undone": [], "left": []} for each in errors if each.subject]
    result = {"failed": True, "changed": False, **error.as_dict(), "msg": _message([(each.msg, each.fix) for each in errors])}
    return {**result, "failures": failures} if failures else result
