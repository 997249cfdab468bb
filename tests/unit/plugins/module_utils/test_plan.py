"""Plans: what differs, in which order, and the power cycle around it. What it does to a host, the cases show."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._errors import HypervError, Refused, SeveralErrors
from ansible_collections.hyperlab.nested.plugins.module_utils._options import Options
from ansible_collections.hyperlab.nested.plugins.module_utils._plan import GONE, STOPPED, Change, Plan, Thing, with_power_cycle
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import From, Row, Step
from ansible_collections.hyperlab.nested.plugins.module_utils._vms import Vm

STATES = ("Off", "Running", "Paused", "Saved")
HOW = ("fail", "shutdown", "turn_off")
FLAGS = (False, True)


def vm(name: str = "a", state: str = "Running", *, clustered: bool = False, shutdown: bool = True) -> Vm:
    row = Row("vms", {"Id": f"id-{name}", "Name": name, "State": state})
    facts: dict[str, t.Any] = {"version": "10.0", "generation": 2, "clustered": clustered, "shutdown": shutdown}
    return Vm(row=row, id=f"id-{name}", name=name, label=name, state=state, **facts)


def change(subject: Vm, *, needs_off: bool = True, before: int = 1, after: int = 2) -> Change:
    undo = Step("M\\Set-X", {"VM": subject.again, "Value": before})
    step = Step("M\\Set-X", {"VM": subject.ref, "Value": after}, undo=undo)
    return Change(subject=subject, attributes={"value": (before, after), "same": (1, 1)}, steps=(step,), needs_off=needs_off)


def options(when_running: str = "shutdown", *, discard_saved_state: bool = False) -> Options:
    return Options({"when_running": when_running, "shutdown_timeout": 300, "discard_saved_state": discard_saved_state})


def cycled(*vms: Vm, how: Options | None = None) -> Plan:
    return with_power_cycle(Plan.of([change(each) for each in vms]), how or options())


def verbs(plan: Plan) -> list[str]:
    return [step.verb_noun for step in plan.steps if not step.poll]


def test_what_is_already_so_is_dropped() -> None:
    plan = Plan.of([change(vm("a"), after=1), change(vm("b"))], warnings=["careful"])
    assert [(each.subject.label, dict(each.attributes)) for each in plan.changes] == [("b", {"value": (1, 2)})]
    assert [step.group for step in plan.steps] == ["id-b"]
    assert plan.warnings == ("careful",)


def test_errors_stop_everything() -> None:
    with pytest.raises(SeveralErrors):
        Plan.of([change(vm())], errors=[Refused("one"), Refused("other")])


def test_each_subjects_steps_stand_together() -> None:
    a, b = Thing(id="a", label="a"), Thing(id="b", label="b")
    changes = [
        Change(subject=each, attributes={name: (0, 1)}, steps=(Step(f"M\\Set-{name}"),))
        for name, each in zip("XYZ", (a, b, a), strict=True)
    ]
    assert verbs(Plan.of(changes)) == ["Set-X", "Set-Z", "Set-Y"]


def test_nothing_is_stopped_for_what_does_not_need_it() -> None:
    plan = Plan.of([change(vm(state="Running"), needs_off=False)])
    assert verbs(with_power_cycle(plan, options("fail"))) == ["Set-X"]
    assert with_power_cycle(Plan(), options("fail")) == Plan()


@pytest.mark.parametrize(
    ("state", "how", "wanted"),
    [
        ("Off", options("fail"), ["Set-X"]),
        ("Running", options("shutdown"), ["Stop-VM", "Set-X", "Start-VM"]),
        ("Running", options("turn_off"), ["Stop-VM", "Set-X", "Start-VM"]),
        ("Paused", options("shutdown"), ["Resume-VM", "Stop-VM", "Set-X", "Start-VM", "Suspend-VM"]),
        ("Paused", options("turn_off"), ["Resume-VM", "Stop-VM", "Set-X", "Start-VM", "Suspend-VM"]),
        ("Saved", options("fail", discard_saved_state=True), ["Remove-VMSavedState", "Set-X"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_power_cycle(state: str, how: Options, wanted: list[str]) -> None:
    plan = cycled(vm(state=state), how=how)
    assert verbs(plan) == wanted
    assert plan.power_cycled == (("a",) if "Start-VM" in wanted else ())


def test_all_stop_before_the_first_changes_and_each_starts_after_its_own() -> None:
    plan = cycled(vm("a"), vm("b", "Off"), vm("c"))
    assert [(step.verb_noun, (step.group or "")[3:]) for step in plan.steps if not step.poll] == [
        ("Stop-VM", "a"),
        ("Stop-VM", "c"),
        ("Set-X", "a"),
        ("Start-VM", "a"),
        ("Set-X", "b"),
        ("Set-X", "c"),
        ("Start-VM", "c"),
    ]


def test_one_deadline_for_all_and_one_group_for_each() -> None:
    plan = cycled(vm("a"), vm("b"))
    [waits] = [step for step in plan.steps if step.until]
    assert waits.group is None
    assert waits.until is not None
    assert waits.until.seconds == 300
    assert waits.where == {"Id": ("id-a", "id-b")}
    assert {step.group for step in plan.steps if step is not waits} == {"id-a", "id-b"}


def test_a_stopped_vm_is_changed_as_it_was_read_again() -> None:
    [step] = [step for step in cycled(vm()).steps if step.verb_noun == "Set-X"]
    assert step.parameters["VM"] == From(save=STOPPED, where={"Id": "id-a", "State": "Off"}, shown={"VMName": "a"})
    assert step.undo is not None
    assert step.undo.parameters["VM"] == From(save=STOPPED, where={"Id": "id-a"}, shown={"VMName": "a"})
    [step] = [step for step in cycled(vm(state="Off")).steps if step.verb_noun == "Set-X"]
    assert step.parameters["VM"] == From(save="vms", where={"Id": "id-a", "State": "Off"}, shown={"VMName": "a"})


def test_the_stop_is_taken_back_by_a_start() -> None:
    undone = {step.verb_noun: step.undo.verb_noun for step in cycled(vm(state="Paused")).steps if step.undo}
    assert undone == {"Resume-VM": "Suspend-VM", "Stop-VM": "Start-VM", "Set-X": "Set-X", "Start-VM": "Stop-VM"}


def test_what_becomes_of_the_inside_is_said_of_vms_that_have_one_and_stop() -> None:
    nested, plain = vm("nested"), vm("plain")
    both = [change(nested), change(plain)]
    [said] = with_power_cycle(Plan.of(both, nested=[nested]), options()).warnings
    assert said.startswith("VM 'nested' exposes virtualization extensions and is stopped: VMs that run inside follow")
    assert with_power_cycle(Plan.of([change(plain)], nested=[nested]), options()).warnings == ()
    removed = Plan.of([change(nested)], ends=[(nested, GONE)], nested=[nested])
    assert with_power_cycle(removed, options()).warnings == (), "whoever removes a VM removes what is inside"


def test_a_refusal_says_what_needs_the_vm_off() -> None:
    resized = replace(change(vm()), what="resizing its memory")
    with pytest.raises(HypervError, match="is Running; resizing its memory needs it Off"):
        with_power_cycle(Plan.of([resized, change(vm())]), options("fail"))
    with pytest.raises(HypervError, match="is Running; this change needs it Off"):
        with_power_cycle(Plan.of([change(vm()), resized]), options("fail"))


def test_a_shutdown_is_neither_forced_nor_waited_for_one_by_one() -> None:
    [stop] = [step for step in cycled(vm()).steps if step.verb_noun == "Stop-VM"]
    assert {name: value for name, value in stop.parameters.items() if name != "VM"} == {"AsJob": True}
    [stop] = [step for step in cycled(vm(), how=options("turn_off")).steps if step.verb_noun == "Stop-VM"]
    assert {name: value for name, value in stop.parameters.items() if name != "VM"} == {"TurnOff": True, "Force": True}


def refusal(subject: Vm, how: Options) -> str | None:
    try:
        cycled(subject, how=how)
    except HypervError as error:
        return error.code if error.subject == "a" and error.fix else "half an error"
    return None


def test_every_combination() -> None:
    """The power table, and who is asked first."""
    for state, how, discard, clustered, shutdown in itertools.product(STATES, HOW, FLAGS, FLAGS, FLAGS):
        wanted = None
        if state == "Off":
            pass
        elif clustered:
            wanted = "vm_clustered"
        elif state == "Saved":
            wanted = None if discard else "vm_saved"
        elif how == "fail":
            wanted = "vm_must_be_off"
        elif how == "shutdown" and not shutdown:
            wanted = "shutdown_unavailable"
        found = refusal(vm(state=state, clustered=clustered, shutdown=shutdown), options(how, discard_saved_state=discard))
        assert found == wanted, (state, how, discard, clustered, shutdown)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("Starting", "vm_busy"),
        ("Saving", "vm_busy"),
        ("FastSaved", "vm_busy"),
        ("OffCritical", "vm_critical"),
        ("RunningCritical", "vm_critical"),
    ],
)
def test_no_other_state_is_touched(state: str, code: str) -> None:
    for how in HOW:
        assert refusal(vm(state=state), options(how, discard_saved_state=True)) == code


def test_all_refusals_at_once() -> None:
    with pytest.raises(SeveralErrors) as caught:
        cycled(vm("a", "Saved"), vm("b", "Off"), vm("c", "Starting"))
    assert [(error.subject, error.code) for error in caught.value.errors] == [("a", "vm_saved"), ("c", "vm_busy")]
