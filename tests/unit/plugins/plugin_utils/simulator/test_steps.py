"""The runner's semantics where the transcripts are silent, and the checks that all cmdlets share."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder, commands, steps, text
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import CMDLETS, Call, Live, NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Adapter, Fault, Host, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.profiles import complete

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Machine(Live):
    type_names = ("Microsoft.HyperV.PowerShell.VirtualMachine", "System.Object")
    properties: t.ClassVar = {
        "Name": lambda self: self.vm.name,
        "Id": lambda self: self.vm.id,
        "State": lambda self: self.vm.state,
        "Paths": lambda self: ["a", "b"],
    }

    def __init__(self, host: Host, vm: Vm) -> None:
        super().__init__(host)
        self.vm = vm


def get_vm(call: Call) -> Iterator[Machine]:
    for vm in call.host.vms:
        if vm.name in call.get("Name", [vm.name]):
            yield Machine(call.host, vm)


def stop_vm(call: Call) -> tuple[()]:
    for machine in call.values["VM"]:
        machine.vm.state = "Off"
    return ()


STUBS = {
    "Hyper-V\\Get-VM": get_vm,
    "Hyper-V\\Stop-VM": stop_vm,
    "Hyper-V\\Get-VMHost": lambda call: [],
    "NetNat\\Get-NetNat": lambda call: [],
}


@pytest.fixture
def host() -> Host:
    host = Host(vms=[Vm(name="a", state="Running", adapters=[Adapter()]), Vm(name="b", state="Running")])
    complete(host)
    return host


def run(host: Host, *steps_: dict[str, t.Any], journal: list[commands.Entry] | None = None) -> list[dict[str, t.Any]]:
    session = steps.Session(host, ["hunter2"], STUBS, journal=journal)
    reply = json.loads(session.answer(json.dumps({"protocol": 1, "steps": steps_})))["hyperlab"]
    assert "error" not in reply
    return t.cast("list[dict[str, t.Any]]", reply["steps"])


def get(**keys: t.Any) -> dict[str, t.Any]:
    return {"cmdlet": "Hyper-V\\Get-VM", "parameters": {}, "as": "vms", **keys}


def stop(where: dict[str, t.Any] | None = None, **keys: t.Any) -> dict[str, t.Any]:
    return {"cmdlet": "Hyper-V\\Stop-VM", "parameters": {"VM": {"$from": "vms", **({"where": where} if where else {})}}, **keys}


def ids(answer: dict[str, t.Any]) -> list[str]:
    return [fault["id"] for fault in answer["errors"]]


# --- comparing texts ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("l1-A", "L1-a", True),
        ("é", "É", True),
        ("ß", "SS", False),
        ("ß", "ẞ", False),
        ("\u0131", "I", False),
        ("\u017f", "s", False),
        ("\u212a", "k", False),
        ("ᾳ", "ᾼ", True),
        ("\u00b5", "\u039c", True),
        ("a\u00ad", "a", False),
        ("e\u0301", "é", False),
        ("𐐨", "𐐀", False),
    ],
)
def test_texts_compare_as_ordinal_ignore_case(one: str, other: str, same: bool) -> None:
    assert text.same_text(one, other) is same


@pytest.mark.parametrize(
    ("value", "cast"),
    [
        (None, ""),
        (True, "True"),
        (5, "5"),
        (5.0, "5"),
        (0.5, "0.5"),
        ([], ""),
        (["a", None, False, 2], "a  False 2"),
        (datetime.timedelta(days=1, hours=2, seconds=3.5), "1.02:00:03.5000000"),
        (datetime.timedelta(seconds=-90), "-00:01:30"),
    ],
)
def test_values_become_text_as_powershell_casts_them(value: t.Any, cast: str) -> None:
    assert text.to_text(value) == cast


def test_values_of_rows() -> None:
    when = datetime.datetime(2026, 11, 21, 10, 0, 0, 250000)  # noqa: DTZ001 - a Live's times are naive UTC
    assert text.to_plain([None, True, 2**64 - 1, float("inf"), datetime.timedelta(minutes=1), when]) == [
        None,
        True,
        2**64 - 1,
        None,
        60.0,
        "2026-11-21T10:00:00.2500000Z",
    ]


# --- steps ---


def test_keys_and_names_in_any_case(host: Host) -> None:
    answers = run(host, {"CMDLET": "hyper-v\\GET-vm", "Parameters": {"NAME": "'a"}, "Select": ["name", "nothing"]})
    assert answers[0]["output"] == [{"name": "a"}]


def test_property_of_saved_objects_is_enumerated(host: Host) -> None:
    names = {"$from": "vms", "property": "Paths"}
    answers = run(host, get(), get(where={"Name": names}), get(where={"Name": {"$from": "vms", "property": "Nope"}}))
    assert answers[1]["errors"] == []
    assert ids(answers[2]) == ["PropertyNotFoundStrict"]


def test_a_group_is_undone_newest_first_and_others_go_on(host: Host) -> None:
    host.faults = [Fault(cmdlet="Stop-VM", vm="b", times=1)]
    answers = run(
        host,
        get(),
        stop({"Name": ["'a"]}, group="A", undo=get(select=["State"])),
        get(group="a", undo=stop({"Name": ["'b"]})),
        stop({"Name": ["'b"]}, group="a", undo=get()),
        get(group="A"),
        get(group="other", select=["Name"]),
    )
    assert answers[1]["undo"]["output"] == [{"State": "Off"}, {"State": "Off"}]  # b was stopped before, by the later undo
    assert answers[2]["undo"]["errors"] == []
    assert ids(answers[3]) == ["OperationFailed,Microsoft.HyperV.PowerShell.Commands.StopVM"]
    assert "undo" not in answers[3]
    assert answers[4] == {"skipped": True}
    assert len(answers[5]["output"]) == 2


def test_waiting_costs_simulated_time_only(host: Host) -> None:
    before = host.clock
    [answer] = run(host, get(until={"seconds": 3600, "every": 10, "where": {"State": ["'Off"]}}))
    assert ids(answer) == ["Hyperlab.Timeout"]
    assert answer["seconds"] == pytest.approx(3600, abs=11)
    assert host.clock - before >= 3600


def test_waiting_without_a_pause_ends(host: Host) -> None:
    wait = {"seconds": 2, "every": 0, "where": {"State": ["'Off"]}}
    answers = run(host, get(until=wait), stop(until=wait), get(parameters={"Name": {"$from": "nothing"}}, until=wait))
    assert [ids(answer)[-1] for answer in answers] == ["Hyperlab.Timeout"] * 3


def test_a_wrong_value_in_until_ends_the_payload(host: Host) -> None:
    session = steps.Session(host, (), STUBS)
    payload = {"steps": [get(), get(until={"seconds": 1, "every": 1, "where": {"State": ["Off"]}}), get()]}
    reply = json.loads(session.answer(json.dumps(payload)))["hyperlab"]
    assert reply["error"]["id"] == "Hyperlab.BadPayload"
    assert len(reply["steps"]) == 1


def test_keys_that_differ_by_case_fail_the_whole_payload(host: Host) -> None:
    reply = json.loads(steps.answer(host, '{"steps": [{"a": 1, "A": 2}]}', []))["hyperlab"]
    assert reply["error"]["id"].startswith("KeysWithDifferentCasingInJsonString,")
    assert reply["steps"] == []


@pytest.mark.parametrize("step", [{"inside": "{}", "parameters": {}, "secrets": []}, {"command": "'dir", "stdin": [], "parameters": {}}])
def test_what_is_not_simulated_is_loud(host: Host, step: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated):
        run(host, step)


@pytest.mark.parametrize(("kind", "state"), [("live", "Off"), ("snapshot", "Running")])
def test_objects_show_later_changes_or_not(host: Host, kind: t.Literal["live", "snapshot"], state: str) -> None:
    host.objects = kind
    answers = run(host, get(), stop(), get(where={"Name": {"$from": "vms", "where": {"State": [f"'{state}"]}, "property": "Name"}}))
    assert answers[2]["errors"] == []


# --- which cmdlet, and who may call it ---


@pytest.mark.parametrize(
    ("cmdlet", "fields", "id_"),
    [
        ("Hyper-V\\Get-VMNothing", {}, "CommandNotFoundException"),
        ("Hyper-V\\Get-VM", {"without_cmdlets": ["get-vm"]}, "CommandNotFoundException"),
        ("Hyper-V\\Get-VM", {"hyperv_module": False}, "CouldNotAutoLoadModule"),
        ("VMware.VimAutomation.Core\\Get-VM", {}, "CouldNotAutoLoadModule"),
        ("ServerManager\\Get-WindowsFeature", {"client": True}, "CouldNotAutoLoadModule"),
        ("Hyper-V\\Get-VM", {"vmms_running": False}, "ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.GetVM"),
        ("Hyper-V\\Get-VMHost", {"rights": "denied"}, "AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVMHost"),
        ("Hyper-V\\Get-VM", {"rights": "denied"}, "AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVM"),
        ("Hyper-V\\Get-VMHost", {"rights": "sees_nothing"}, "AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVMHost"),
    ],
)
def test_calls_that_cannot_be(host: Host, cmdlet: str, fields: dict[str, t.Any], id_: str) -> None:
    for name, value in fields.items():
        setattr(host, name, value)
    [answer] = run(host, {"cmdlet": cmdlet, "parameters": {}, "select": ["Name"]})
    assert ids(answer) == [id_]
    assert answer["output"] == []


def test_a_user_without_rights_sees_no_vm(host: Host) -> None:
    host.rights = "sees_nothing"
    [answer] = run(host, get(select=["Name"]))
    assert (answer["output"], answer["errors"]) == ([], [])
    assert host.vms


def test_a_documented_cmdlet_that_nobody_wrote_is_loud(host: Host) -> None:
    with pytest.raises(NotSimulated, match="Debug-VM"):
        run(host, {"cmdlet": "Hyper-V\\Debug-VM", "parameters": {"Name": "'a"}})


def test_binding_errors_are_the_binders(host: Host) -> None:
    [answer] = run(host, {"cmdlet": "Hyper-V\\Stop-VM", "parameters": {"Id": "'x"}})
    assert ids(answer) == ["NamedParameterNotFound,Microsoft.HyperV.PowerShell.Commands.StopVM"]


def test_other_languages_change_messages_and_nothing_else(host: Host) -> None:
    step = {"cmdlet": "Hyper-V\\Get-VMNothing", "parameters": {}}
    [english] = run(host, step)
    host.language = "ja-JP"
    [japanese] = run(host, step, get())[:1]
    assert english["errors"][0]["message"] != japanese["errors"][0]["message"]
    assert "Get-VMNothing" in japanese["errors"][0]["message"]
    assert ids(english) == ids(japanese)


def test_the_journal_has_the_calls_that_change_something(host: Host) -> None:
    journal: list[commands.Entry] = []
    host.faults = [Fault(cmdlet="Stop-VM", vm="b", silent=True)]
    run(host, get(), stop({"Name": ["'a"]}), stop({"Name": ["'b"]}), stop({"Name": ["'c"]}), journal=journal)
    assert [(entry.process, entry.cmdlet, entry.parameters, entry.result) for entry in journal] == [
        (1, "Stop-VM", {"VM": ["VirtualMachine 'a'"]}, "ok"),
        (1, "Stop-VM", {"VM": ["VirtualMachine 'b'"]}, "silent"),
    ]


def test_every_simulated_cmdlet_has_a_signature_in_some_windows() -> None:
    commands.load()
    known = {name for year in ("2016", "2019", "2022", "2025") for name in binder.load_signatures(year)}
    assert {name for name in CMDLETS if name not in known} == set()


def test_no_secret_is_readable_in_the_journal(host: Host) -> None:
    secret = steps.SecureString(host, "hunter2")
    readable = commands._readable([secret, steps.Credential(host, "me", secret), {"k": 1}, "text"])
    assert readable == ["SecureString", "PSCredential 'me'", "{'k': 1}", "text"]
