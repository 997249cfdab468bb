"""Which VM a name means, and what is asked of the host to find out."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._errors import HypervError, SeveralErrors
from ansible_collections.hyperlab.nested.plugins.module_utils._options import Options
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, From, Row
from ansible_collections.hyperlab.nested.plugins.module_utils._vms import (
    FEW,
    NO_VM,
    SHUTDOWN_SERVICE,
    as_id,
    by_vm,
    component_queries,
    find_vms,
    power_queries,
    vm_queries,
)

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.module_utils._vms import Vm

A, B = (f"f0e1d2c3-0000-4000-8000-00000000000{letter}" for letter in "ab")


def vm(name: str, vm_id: str = A, **more: t.Any) -> dict[str, t.Any]:
    return {"Id": vm_id, "Name": name, "State": "Off", "Version": "10.0", "Generation": 2, "IsClustered": False, **more}


def found(names: t.Sequence[str], by_name: t.Sequence[dict[str, t.Any]], by_id: t.Sequence[dict[str, t.Any]] = ()) -> list[Vm]:
    """find_vms on what the host would have said; further queries find nothing."""
    steps = vm_queries(names)
    rows = {"vms": by_name, "vms#id": by_id}
    answers = [Answer(rows=tuple(Row(step.save or "", row) for row in rows[step.save or ""])) for step in steps]
    return find_vms(names, Answers(steps, answers))


def test_a_few_names_are_asked_for_by_name() -> None:
    [step] = vm_queries(["a", "b"])
    assert step.parameters == {"Name": ["a", "b"]}
    assert step.where == {"Name": ("a", "b")}
    assert step.absent >= NO_VM


@pytest.mark.parametrize("names", [["a", "l1-*"], ["web[1]"], ["a?"], ["tick`"], [f"vm{n}" for n in range(FEW + 1)]])
def test_wildcards_and_many_names_are_compared_only(names: list[str]) -> None:
    [step] = vm_queries(names)
    assert step.parameters == {}
    assert step.where == {"Name": tuple(names)}


def test_what_could_be_an_id_is_looked_up_as_one_too() -> None:
    by_name, by_id = vm_queries(["a", f"{{{A.upper()}}}"])
    assert by_name.where == {"Name": ("a", f"{{{A.upper()}}}")}
    assert (by_id.save, by_id.where, by_id.parameters) == ("vms#id", {"Id": (A,)}, {})


def test_no_names_ask_nothing() -> None:
    assert vm_queries([]) == ()
    assert component_queries([], "Hyper-V\\Get-VMProcessor", "processors", ("VMId",)) == ()
    assert find_vms([], Answers((), ())) == []


@pytest.mark.parametrize(
    ("text", "vm_id"),
    [
        (A, A),
        (A.upper(), A),
        (f"{{{A}}}", A),
        (f" {A} ", A),
        ("l1-a", None),
        (A[:-1], None),
        (A.replace("-", ""), None),
        (f"{A}x", None),
        (f"urn:uuid:{A}", None),
        (A.replace("0", "\N{FULLWIDTH DIGIT ZERO}"), None),
    ],
)
def test_ids(text: str, vm_id: str | None) -> None:
    assert as_id(text) == vm_id


def test_components_are_read_for_each_lookup() -> None:
    steps = component_queries(["a", B], "Hyper-V\\Get-VMProcessor", "processors", ("VMId",), absent=frozenset({"X"}), Extra=1)
    assert [(step.save, step.parameters) for step in steps] == [
        ("processors", {"VM": From(save="vms", count=None), "Extra": 1}),
        ("processors#id", {"VM": From(save="vms#id", count=None), "Extra": 1}),
    ]
    assert all(step.absent == {"X", "Hyperlab.NoObject"} for step in steps)


def test_services_are_read_for_a_shutdown_only() -> None:
    asked = {how: len(power_queries(Options({"vms": ("a",), "when_running": how}))) for how in ("fail", "turn_off", "shutdown")}
    assert asked == {"fail": 0, "turn_off": 0, "shutdown": 1}


def test_vms_come_in_the_order_of_their_names_and_once() -> None:
    vms = found(["b", "A", "a", A], [vm("a"), vm("B", B)], [vm("a")])
    assert [each.id for each in vms] == [B, A]
    assert [each.label for each in vms] == ["B", "a"]
    assert [each.row.save for each in vms] == ["vms", "vms"]


def test_two_of_one_name_are_told_apart_by_id() -> None:
    vms = found([A, B], [], [vm("web"), vm("WEB", B)])
    assert [each.label for each in vms] == [f"web ({A})", f"WEB ({B})"]


def test_a_vm_named_like_the_id_of_another() -> None:
    with pytest.raises(HypervError) as caught:
        found([A], [vm(A, B)], [vm("web")])
    assert caught.value.code == "vm_ambiguous"
    assert A in caught.value.msg
    assert B in caught.value.msg


def test_what_the_host_returned_too_much_is_not_taken() -> None:
    """A host whose comparison is looser than ours cannot slip in another VM."""
    with pytest.raises(HypervError) as caught:
        found(["strasse"], [vm("straße")])
    assert (caught.value.code, caught.value.subject) == ("vm_not_found", "strasse")
    assert [each.id for each in found(["strasse"], [vm("straße"), vm("Strasse", B)])] == [B]


def test_all_wrong_names_at_once() -> None:
    with pytest.raises(SeveralErrors) as caught:
        found(["web", "gone", "lost"], [vm("web"), vm("Web", B)])
    assert [(error.code, error.subject) for error in caught.value.errors] == [
        ("vm_ambiguous", "web"),
        ("vm_not_found", "gone"),
        ("vm_not_found", "lost"),
    ]


def test_components_count_once_for_a_vm_that_was_found_twice() -> None:
    rows = [
        Row("adapters", {"VMId": A, "Name": "1"}),
        Row("adapters", {"VMId": A, "Name": "2"}),
        Row("adapters#id", {"VMId": A, "Name": "1"}),
    ]
    assert [row["Name"] for row in by_vm(rows)[A]] == ["1", "2"]


SERVICE = {"VMId": A, "Id": f"Microsoft:{A}\\{SHUTDOWN_SERVICE.lower()}", "Enabled": True, "PrimaryOperationalStatus": "Ok"}


@pytest.mark.parametrize(
    ("state", "service", "can"),
    [
        ("Running", {}, True),
        ("Running", {"PrimaryOperationalStatus": "NoContact"}, False),
        ("Running", {"Enabled": False}, False),
        ("Running", {"Id": "Microsoft:x\\84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47"}, False),
        ("Paused", {"PrimaryOperationalStatus": "NoContact"}, True),
        ("Paused", {"Enabled": False}, False),
    ],
)
def test_whether_a_guest_can_be_asked_to_shut_down(state: str, service: dict[str, t.Any], can: bool) -> None:
    steps = (*vm_queries(["a"]), *power_queries(Options({"vms": ("a",), "when_running": "shutdown"})))
    answers = [Answer(rows=(Row("vms", vm("a", State=state)),)), Answer(rows=(Row("services", {**SERVICE, **service}),))]
    assert find_vms(["a"], Answers(steps, answers))[0].shutdown is can


def test_a_reference_holds_the_state_that_was_read() -> None:
    [each] = found(["web[1]"], [vm("web[1]", State="Running")])
    assert each.ref.where == {"Id": A, "State": "Running"}
    assert each.again.where == {"Id": A}
    assert each.ref.count == 1
