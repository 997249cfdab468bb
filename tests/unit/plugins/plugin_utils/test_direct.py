"""The way into a guest as data: what is sent, which secrets go where, and what each answer of the host means."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Credential, Step
from ansible_collections.hyperlab.nested.plugins.plugin_utils._direct import (
    Guest,
    LogonRefused,
    SessionLost,
    answered,
    check_started,
    look,
    seen,
    visit,
    visited,
)
from ansible_collections.hyperlab.nested.plugins.plugin_utils._reply import Printed
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import LONGEST_SECRET, Request, command, to_request
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import GuestLost

Json = dict[str, t.Any]
ID = "d14f9da3-983e-5f2b-a938-9eb997ac30dd"
L1 = Guest("hv01", "l1", "Administrator", "canary-l1")
L2 = Guest("l1", "l2", "Administrator", "canary-l2")
ASKED = to_request([Step("M\\Set-X", {"C": Credential(user="u", password="own")})])
VM = {"Id": ID, "Name": "L1", "State": "Running", "Version": "10.0", "Generation": 2, "IsClustered": False}
UP = {**VM, "Heartbeat": "OkApplicationsUnknown"}
CHUNK = LONGEST_SECRET // 4 * 3


def steps(request: Request) -> list[Json]:
    payload = json.loads(request.payload)
    assert payload["protocol"] == 1
    return t.cast("list[Json]", payload["steps"])


def step(*rows: t.Any, fault: Json | None = None) -> Json:
    return {"output": list(rows), "errors": [fault] if fault else [], "warnings": [], "seconds": 0.1}


def fault(reason: str, kind: str = "PSSessionStateBroken", category: str = "OpenError") -> Json:
    return {"id": kind, "category": category, "reason": reason, "message": "ça ne va pas.", "hresult": -1}


SKIPPED: Json = {"skipped": True}


def line(*answers: Json) -> str:
    return json.dumps({"hyperlab": {"protocol": 1, "steps": list(answers)}})


def came(*answers: Json) -> Printed:
    return Printed(line(*answers), who="it")


# --- what is sent


@given(st.text(), st.lists(st.text()))
def test_a_request_is_read_as_it_was_written(payload: str, secrets: list[str]) -> None:
    # lone surrogates are no text that UTF-8 has
    request = Request(payload, tuple(each.encode("utf-8", "replace").decode() for each in secrets))
    assert Request.read(request.to_bytes()) == request


def test_no_secret_is_in_a_repr() -> None:
    assert "canary" not in repr(visit(L1, None, ASKED))
    assert "canary" not in repr(L1)
    assert "canary" not in str(L1)


def test_the_host_gets_a_look_and_then_the_way_in() -> None:
    host, vm, inside = steps(visit(L1, None, ASKED))
    assert host["cmdlet"] == "Hyper-V\\Get-VMHost"
    assert (vm["cmdlet"], vm["parameters"], vm["where"], vm["as"]) == ("Hyper-V\\Get-VM", {"Name": ["'l1"]}, {"Name": ["'l1"]}, "vms")
    assert sorted(inside) == ["group", "inside", "parameters", "secrets"]
    assert host["group"] == vm["group"] == inside["group"], "nobody goes in when the look failed"
    assert inside["inside"] == ASKED.payload
    the_one = {"$from": "vms", "count": 1, "property": "Id"}
    assert inside["parameters"]["VMId"] == {**the_one, "where": {"Id": [the_one], "State": ["'Running"]}}
    assert steps(look(L1, None)) == [host, vm]


def test_an_id_is_looked_up_as_one() -> None:
    _host, vm, _inside = steps(visit(Guest("hv01", f"{{{ID.upper()}}}", "u", "p"), None, ASKED))
    assert (vm["parameters"], vm["where"]) == ({}, {"Id": [f"'{ID}"]})


def test_the_vm_that_was_found_is_an_id_from_then_on() -> None:
    known, _answer = visited(L1, None, came(step({"Name": "hv01"}), step(UP), step(line())))
    _host, vm, _inside = steps(visit(L1, known, ASKED))
    assert (vm["parameters"], vm["where"]) == ({"Name": ["'L1"]}, {"Name": ["'L1"], "Id": [f"'{ID}"]})


def test_a_secret_has_the_same_number_at_every_level() -> None:
    to_l1 = visit(L2, None, ASKED)
    to_hv01 = visit(L1, None, to_l1)
    assert (ASKED.secrets, to_l1.secrets, to_hv01.secrets) == (("own",), ("own", "canary-l2"), ("own", "canary-l2", "canary-l1"))
    for_l1 = steps(to_hv01)[-1]
    for_l2 = steps(Request(for_l1["inside"]))[-1]
    assert (for_l1["secrets"], for_l1["parameters"]["Credential"]) == ([0, 1], {"$credential": "'Administrator", "secret": 2})
    assert (for_l2["secrets"], for_l2["parameters"]["Credential"]) == ([0], {"$credential": "'Administrator", "secret": 1})
    assert steps(Request(for_l2["inside"]))[0]["parameters"]["C"] == {"$credential": "'u", "secret": 0}


def test_the_way_through_three_hosts() -> None:
    l3 = Guest("l2", "l3", "Administrator", "canary-l3")
    request = visit(L1, None, visit(L2, None, visit(l3, None, ASKED)))
    assert request.secrets == ("own", "canary-l3", "canary-l2", "canary-l1")
    for names, own in (("l1", 3), ("l2", 2), ("l3", 1)):
        _host, vm, inside = steps(request)
        assert vm["parameters"] == {"Name": [f"'{names}"]}
        assert (inside["secrets"], inside["parameters"]["Credential"]["secret"]) == ([*range(own)], own)
        request = Request(inside["inside"])
    assert request.payload == ASKED.payload


@given(st.integers(0, 3 * CHUNK))
@example(0)
@example(1)
@example(CHUNK - 1)
@example(CHUNK)
@example(CHUNK + 1)
@example(2 * CHUNK)
def test_the_input_of_a_command_in_pieces(size: int) -> None:
    data = (b"\x00\xff\r\n'" * (size // 5 + 1))[:size]
    request = command("x -EncodedCommand y", data)
    *guards, run = steps(request)
    assert b"".join(base64.b64decode(secret) for secret in request.secrets) == data
    assert all(0 < len(secret) <= LONGEST_SECRET for secret in request.secrets)
    assert run["command"] == "'x -EncodedCommand y"
    assert run["stdin"] == [{"$secret": number} for number in range(len(request.secrets))]
    assert len(guards) == (2 if data else 0)
    if data:
        lengths, count = guards
        assert lengths["parameters"]["InputObject"] == run["stdin"]
        assert set(lengths["where"]["Length"]) == {f"'{len(secret)}" for secret in request.secrets}
        assert count["parameters"]["InputObject"] == {"$from": "arrived", "count": len(request.secrets)}
        assert lengths["group"] == count["group"] == run["group"], "a guard that fails keeps the command from running"


# --- what the answers mean


def lost(vm: Json, way: Json | None) -> GuestLost:
    with pytest.raises(GuestLost, match="Way out: ") as caught:
        visited(L1, None, came(step({"Name": "hv01"}), step(vm), step(fault=way)))
    return caught.value


GUEST = "the guest of VM 'l1' on host 'hv01'"


@pytest.mark.parametrize(
    ("way", "says", "nothing_ran"),
    [
        (fault("PSDirectException"), f"{GUEST} refused the logon of 'Administrator' (ça ne va pas.)", True),
        (fault("PSRemotingDataStructureException"), f"{GUEST} has started", False),
        (fault("PSRemotingTransportException", "2100,PSSessionStateBroken"), f"the session in {GUEST} ended", False),
        (fault("NullReferenceException"), f"the session in {GUEST} did not open", True),
        (fault("NullReferenceException", "System.NullReferenceException,M.P.C.InvokeCommandCommand"), "did not open", True),
        (fault("NullReferenceException", "System.NullReferenceException,X"), f"the session in {GUEST} ended", False),
        (fault("RemoteException", "AccessDenied,X", "PermissionDenied"), f"the session in {GUEST} ended", False),
        (fault("ArgumentException", "InvalidVMState,X", "InvalidArgument"), "went off or away just now", True),
        (fault("ArgumentException", "InvalidVMIdNotSingle,X", "InvalidArgument"), "went off or away just now", True),
        (fault("ArgumentException", "HyperVModuleNotAvailable,X", "NotInstalled"), "host 'hv01': Invoke-Command failed", True),
    ],
)
def test_what_the_host_says_of_the_way_in(way: Json, says: str, nothing_ran: bool) -> None:
    error = lost(UP, way)
    assert says in str(error)
    assert error.nothing_ran == nothing_ran
    assert isinstance(error, LogonRefused) == (way["reason"] == "PSDirectException")
    assert isinstance(error, SessionLost) == ("did not open" in says or way["reason"] == "PSRemotingTransportException")


def test_a_refused_logon_tells_of_images_whose_set_up_has_not_ended() -> None:
    assert "a guest that was just made from a generalised image refuses everybody until" in str(lost(UP, fault("PSDirectException")))


NOT_THERE = fault("VirtualizationException", "ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.GetVMHost", "ObjectNotFound")
NO_VM = fault("VirtualizationException", "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM", "InvalidArgument")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([step(fault=NOT_THERE), SKIPPED, SKIPPED], "host 'hv01': Get-VMHost failed: ça ne va pas. [ObjectNotFound,"),
        ([step({"Name": "hv01"}), step(fault=NO_VM), SKIPPED], "host 'hv01': VM 'l1' does not exist on this host"),
        ([step({"Name": "hv01"}), step(UP, fault=NO_VM), SKIPPED], "host 'hv01': Get-VM failed: ça ne va pas. [InvalidParameter,"),
        ([step({"Name": "hv01"}), step({**UP, "State": "Off"}), step(fault=fault("X", "Hyperlab.NoObject"))], "is off; PowerShell Direct"),
    ],
)
def test_a_look_that_failed_lets_nobody_in(answers: list[Json], says: str) -> None:
    with pytest.raises(GuestLost, match="Way out: ") as caught:
        visited(L1, None, came(*answers))
    assert says in str(caught.value)
    assert caught.value.nothing_ran
    assert not isinstance(caught.value, SessionLost)


@pytest.mark.parametrize(
    "answers",
    [
        [step(fault=NOT_THERE), SKIPPED, step(line())],
        [step({"Name": "hv01"}), step(fault=NO_VM), step(line())],
        [step({"Name": "hv01"}), step(UP), SKIPPED],
        [step({"Name": "hv01"}), step(UP), step(line(), fault=fault("PSDirectException"))],
    ],
)
def test_where_a_guest_may_have_been_visited_nobody_says_that_nothing_ran(answers: list[Json]) -> None:
    with pytest.raises(GuestLost, match="host 'hv01': it answered in another form than agreed") as caught:
        visited(L1, None, came(*answers))
    assert not caught.value.nothing_ran


def test_what_ran_in_a_vm_that_is_not_the_one_is_not_nothing() -> None:
    with pytest.raises(GuestLost, match="2 VMs are called 'l1'") as caught:
        visited(L1, None, came(step({"Name": "hv01"}), step(UP, {**UP, "Id": ID.replace("d", "e")}), step(line())))
    assert not caught.value.nothing_ran


def test_a_vm_that_started_while_it_was_looked_at_was_visited() -> None:
    """Get-VM's objects are alive: the State that was shown may be older than the one that let the visit in."""
    vm, answer = visited(L1, None, came(step({"Name": "hv01"}), step({**UP, "State": "Starting"}), step(line())))
    assert (vm.id, answer) == (ID, line())


@pytest.mark.parametrize(
    ("heartbeat", "says", "nothing_ran"),
    [
        ("OkApplicationsHealthy", "has started", False),
        ("OkApplicationsCritical", "has started", False),
        ("NoContact", "gives no heartbeat", True),
        ("LostCommunication", "gives no heartbeat", True),
        (None, "gives no heartbeat", True),
        ("Disabled", "heartbeat service is disabled", False),
    ],
)
def test_why_nobody_answers_the_heartbeat_tells(heartbeat: str | None, says: str, nothing_ran: bool) -> None:
    error = lost({**VM, "Heartbeat": heartbeat}, fault("PSRemotingDataStructureException"))
    assert says in str(error)
    assert error.nothing_ran == nothing_ran
    vm = seen(L1, None, came(step({"Name": "hv01"}), step({**VM, "Heartbeat": heartbeat})))
    if says == "gives no heartbeat":
        with pytest.raises(GuestLost, match=says):
            check_started(L1, vm)
    else:
        check_started(L1, vm)


def test_a_host_without_heartbeats_still_has_guests() -> None:
    """The property is missing on a planned VM, for one."""
    assert "gives no heartbeat" in str(lost(VM, fault("PSRemotingDataStructureException")))


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (Printed("", "Access is denied.", 5, who="it"), "host 'hv01': it did not answer (exit code 5); it said: Access is denied."),
        (Printed("", "not found", 127, windows=False, who="it"), "host 'hv01': it did not start Windows PowerShell"),
        (Printed(line(step(), step(), step())[:-1], who="it"), "host 'hv01': it answered only in part"),
        (Printed(line(step(), step()), who="it"), "host 'hv01': it answered to 2 steps of 3"),
        (Printed('{"hyperlab":{"refused":"truncated"}}', who="it"), "host 'hv01': the runner refused: the host got only a part"),
        (came(step({"Name": "hv01"}), step(UP), step(7)), "host 'hv01': it answered in another form than agreed"),
        (came(step({"Name": "hv01"}), step(UP), step()), f"{GUEST}: it did not answer"),
        (came(step({"Name": "hv01"}), step(UP), step(line()[:-1])), f"{GUEST}: it answered only in part"),
        (came(step({"Name": "hv01"}), step(UP), step('{"hyperlab":{"protocol":3}}')), f"{GUEST}: it answered with protocol 3, not 1"),
    ],
)
def test_who_did_not_answer(printed: Printed, says: str) -> None:
    with pytest.raises(GuestLost, match="Way out: ") as caught:
        visited(L1, None, printed)
    assert says in str(caught.value)
    assert caught.value.nothing_ran == ("refused" in says or "did not start" in says)


OUT = {"exit_code": 3, "stdout": "AP8=", "stderr": ""}
SENT = command("x", b"y")


def test_the_answer_of_a_command() -> None:
    assert answered(L1, SENT, line(step(), step(), step(OUT))) == (3, b"\x00\xff", b"")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([step(), step(fault=fault("X", "Hyperlab.WrongCount")), {"skipped": True}], "only a part of the command's input arrived"),
        ([step(), step(), step(fault=fault("Win32Exception"))], "could not run the command: ça ne va pas."),
        ([step(), step(), step()], "another form"),
        ([step(), step(), step({**OUT, "exit_code": "3"})], "another form"),
        ([step(), step(), step({**OUT, "stdout": "A"})], "another form"),
        ([step(), step(), step({"exit_code": 0})], "another form"),
        ([step(), step(OUT)], "answered to 2 steps of 3"),
    ],
)
def test_an_answer_that_is_none_is_no_success(answers: list[Json], says: str) -> None:
    with pytest.raises(GuestLost, match=f"{GUEST}: .*{says}.*Way out: "):
        answered(L1, SENT, line(*answers))
