"""The way into a guest by PowerShell Direct, and what a session there is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Event, Fault, Move
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import ProfileError
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call, inside

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.commands import Entry
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

CLASS = "Microsoft.PowerShell.Commands.InvokeCommandCommand"
NO_ANSWER = ("PSSessionStateBroken", "OpenError", "PSRemotingDataStructureException")
REFUSED = ("PSSessionStateBroken", "OpenError", "PSDirectException")
LOST = ("2100,PSSessionStateBroken", "OpenError", "PSRemotingTransportException")
NAMES = call("Get-VM", "Name")


@pytest.fixture
def host() -> Host:
    return nest.load(nest.CHAIN)


def refused(kind: str) -> tuple[str, str, str]:
    return (f"{kind},{CLASS}", "InvalidArgument", "ArgumentException")


# --- whom it finds ---


def test_a_guest_is_a_host(host: Host) -> None:
    assert nest.rows(host, "l1", NAMES) == [{"Name": "l2"}]


def test_a_guest_in_a_guest(host: Host) -> None:
    name = call("CimCmdlets\\Get-CimInstance", "CSName", ClassName="Win32_OperatingSystem")
    [answer] = nest.visit(host, "l1", inside("l2", name))
    assert nest.answers(answer)[0]["output"] == [{"CSName": "L2"}]


@pytest.mark.parametrize("name", ["L1", "l?"])
def test_names_are_those_of_get_vm(host: Host, name: str) -> None:
    assert nest.rows(host, name, NAMES) == [{"Name": "l2"}]


@pytest.mark.parametrize("parameter", ["VMId", "vmid", "VMGuid"])
def test_by_id(host: Host, parameter: str) -> None:
    [answer] = nest.run(host, inside(host.vms[0].id.upper(), NAMES, by=parameter))
    assert nest.answers(answer)[0]["output"] == [{"Name": "l2"}]


def test_by_an_object_that_was_read_before(host: Host) -> None:
    found = call("Get-VM") | {"as": "vm", "where": {"Name": ["'l1"]}}
    step = inside("", NAMES)
    step["parameters"] = {"VMId": {"$from": "vm", "property": "Id", "count": 1}, "Credential": step["parameters"]["Credential"]}
    assert nest.answers(nest.run(host, found, step)[1])[0]["output"] == [{"Name": "l2"}]


@pytest.mark.parametrize(
    ("by", "value", "kind"),
    [
        ("VMName", "nobody", "InvalidVMNameNotSingle"),
        ("VMName", "twin", "InvalidVMNameNotSingle"),
        ("VMName", "*", "InvalidVMNameNotSingle"),
        ("VMId", "00000000-0000-0000-0000-000000000000", "InvalidVMIdNotSingle"),
        ("VMName", "off", "InvalidVMState"),
        ("VMName", "saved", "InvalidVMState"),
    ],
)
def test_a_vm_that_cannot_be_meant(by: str, value: str, kind: str) -> None:
    host = nest.load("vms: [{name: twin}, {name: twin}, {name: off}, {name: saved, state: Saved}]")
    [answer] = nest.run(host, inside(value, by=by))
    assert nest.faults(answer) == [refused(kind)]
    assert answer["output"] == []


def test_without_the_module_there_is_nobody_to_ask(host: Host) -> None:
    host.hyperv_module = False
    [answer] = nest.run(host, inside("l1"))
    assert nest.faults(answer) == [(f"HyperVModuleNotAvailable,{CLASS}", "NotInstalled", "ArgumentException")]


def test_a_user_who_sees_no_vms_finds_none(host: Host) -> None:
    host.rights = "sees_nothing"
    assert nest.faults(nest.run(host, inside("l1"))[0]) == [refused("InvalidVMNameNotSingle")]


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"VMName": "'l1"}, "MissingMandatoryParameter"),
        ({"VMName": "'l1", "VMId": "'00000000-0000-0000-0000-000000000000"}, "AmbiguousParameterSet"),
        ({"VMId": "'l1"}, "CannotConvertArgumentNoMessage"),
    ],
)
def test_parameters_are_bound_as_everywhere(host: Host, parameters: dict[str, t.Any], kind: str) -> None:
    step = inside("l1")
    more = {} if kind == "MissingMandatoryParameter" else {"Credential": step["parameters"]["Credential"]}
    [answer] = nest.run(host, step | {"parameters": parameters | more})
    assert [fault["id"].partition(",")[0] for fault in answer["errors"]] == [kind]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"ComputerName": "'l1"}, "Invoke-Command -ComputerName"),
        ({}, "without -VMId or -VMName"),
        ({"VMName": ["'l1", "'l2"]}, "2 VMs at once"),
    ],
)
def test_other_uses_of_invoke_command_are_refused(host: Host, parameters: dict[str, t.Any], text: str) -> None:
    step = inside("l1")
    with pytest.raises(NotSimulated, match=text):
        nest.run(host, step | {"parameters": parameters | {"Credential": step["parameters"]["Credential"]}})


# --- who may in ---


@pytest.mark.parametrize("user", ["Administrator", "ADMINISTRATOR", ".\\administrator", "l1\\Administrator"])
def test_users_of_the_guest(host: Host, user: str) -> None:
    [answer] = nest.run(host, inside("l1", NAMES, user=user))
    assert nest.answers(answer)[0]["output"] == [{"Name": "l2"}]


@pytest.mark.parametrize(
    ("user", "secret", "message"),
    [
        ("Administrator", nest.WRONG, "The credential is invalid."),
        ("nobody", nest.RIGHT, "The credential is invalid."),
        ("HV01\\Administrator", nest.RIGHT, "The credential is invalid."),
        ("blank", nest.BLANK, "The credential is invalid."),
        ("", nest.RIGHT, "The input username cannot be empty."),
    ],
)
def test_a_logon_that_is_refused_stands_in_the_journal(host: Host, user: str, secret: int, message: str) -> None:
    host.vms[0].guest.users["blank"] = ""
    journal: list[Entry] = []
    [answer] = nest.run(host, inside("l1", NAMES, user=user, secret=secret), journal=journal)
    assert nest.faults(answer) == [REFUSED]
    assert answer["errors"][0]["message"] == message
    assert [(entry.cmdlet, entry.result) for entry in journal] == [("Invoke-Command", "PSSessionStateBroken")]
    assert all(secret not in str(journal) for secret in nest.SECRETS if secret)


def test_a_wrong_password_ends_the_waiting_for_a_guest(host: Host) -> None:
    until = {"seconds": 60, "every": 5, "stop": ["'PSDirectException"]}
    journal: list[Entry] = []
    nest.run(host, inside("l1", NAMES, secret=nest.WRONG, until=until), journal=journal)
    assert len(journal) == 1


def test_a_guest_that_boots_answers_after_its_heartbeat(host: Host) -> None:
    nest.run(host, call("Restart-VM", Name="l1", Force=True))
    [vm] = host.vms
    power.wait(host, vm.guest.boot_seconds)
    assert power.heartbeat(host, vm) == "OkApplicationsUnknown"
    assert nest.faults(nest.run(host, inside("l1"))[0]) == [NO_ANSWER]
    [answer] = nest.run(host, inside("l1", NAMES, until={"seconds": 30, "every": 1}))
    assert nest.answers(answer)[0]["output"] == [{"Name": "l2"}]


@pytest.mark.parametrize(
    "change",
    [
        {"guest.powershell_direct": False},
        {"guest.integration_services": False},
        {"shielded": True},
        {"version": "5.0"},
    ],
)
def test_a_guest_that_never_answers(change: dict[str, t.Any]) -> None:
    host = nest.load("vms: [{name: l1, state: Running, guest: {users: {Administrator: right}, windows: {}}}]", "server2019-intel")
    host.events = [Event(process=1, vm="l1", set=change)]
    assert nest.faults(nest.run(host, inside("l1"))[0]) == [NO_ANSWER]


def test_a_guest_without_inside_is_refused() -> None:
    host = nest.load("vms: [{name: l1, state: Running}]")
    with pytest.raises(NotSimulated, match=r"guest\.windows"):
        nest.run(host, inside("l1"))


def test_a_paused_vm_hangs(host: Host) -> None:
    with pytest.raises(NotSimulated, match="hangs"):
        nest.run(host, call("Suspend-VM", Name="l1"), inside("l1"))


# --- what a session is ---


def test_signatures_are_those_of_the_windows_inside(host: Host) -> None:
    without = call("Get-VMHost") | {"cmdlet": "ServerManager\\Get-WindowsFeature"}
    nest.windows(host.vms[0]).client = True
    assert nest.visit(host, "l1", without)[0]["errors"][0]["id"] == "CouldNotAutoLoadModule"


def test_a_guest_gets_the_secrets_that_its_step_names(host: Host) -> None:
    deeper = inside("l2", NAMES)
    [given] = nest.run(host, inside("l1", deeper))
    [kept] = nest.run(host, inside("l1", deeper, secret=nest.RIGHT) | {"secrets": [nest.WRONG]})
    assert nest.answers(given)[0]["errors"] == []
    assert nest.answers(kept)[0]["errors"][0]["id"] == "PSArgumentNullException"


def test_time_that_passes_inside_passes_outside(host: Host) -> None:
    nest.run(host, call("Stop-VM", Name="l1", AsJob=True))
    before = host.clock
    [answer] = nest.run(host, inside("l1", call("Start-Sleep", Seconds=5)))
    assert answer["errors"] == []
    assert 5 < answer["seconds"] < host.clock - before < 7
    assert host.vms[0].state == "Running"
    assert nest.windows(host.vms[0]).clock == host.clock


def test_moves_inside_settle_with_the_clock_of_all(host: Host) -> None:
    nest.visit(host, "l1", call("Stop-VM", Name="l2", AsJob=True))
    power.wait(host, 60)
    assert nest.rows(host, "l1", call("Get-VM", "State")) == [{"State": "Off"}]


def test_a_session_ends_with_its_vm(host: Host) -> None:
    after = call("Set-VM", Name="l2", Notes="x")
    stop, visit, last = nest.run(
        host, call("Stop-VM", Name="l1", AsJob=True), inside("l1", call("Start-Sleep", Seconds=60), after), call("Get-VM", "State")
    )
    assert (stop["errors"], nest.faults(visit), last["output"]) == ([], [LOST], [{"State": "Off"}])
    assert nest.windows(host.vms[0]).vms[0].notes == ""


def test_a_session_that_ends_in_its_last_call_answers_nothing(host: Host) -> None:
    _stop, answer = nest.run(host, call("Stop-VM", Name="l1", AsJob=True), inside("l1", call("Start-Sleep", Seconds=60)))
    assert (nest.faults(answer), answer["output"]) == ([LOST], [])


def test_no_call_begins_in_a_session_that_has_ended(host: Host) -> None:
    # a remote process, the way in, another process; the call inside would begin 0.1 s later
    host.vms[0].move = Move(state="Off", at=host.clock + 0.35 + 0.1 + 0.35 + 0.05)
    [answer] = nest.run(host, inside("l1", call("Set-VM", Name="l2", Notes="x")))
    assert nest.faults(answer) == [LOST]
    assert nest.windows(host.vms[0]).vms[0].notes == ""


def test_a_session_two_levels_down_ends_with_the_outer_vm(host: Host) -> None:
    deep = inside("l1", inside("l2", call("Start-Sleep", Seconds=60)), call("Set-VM", Name="l2", Notes="x"))
    _stop, answer = nest.run(host, call("Stop-VM", Name="l1", AsJob=True), deep)
    assert nest.faults(answer) == [LOST]
    assert nest.windows(host.vms[0]).vms[0].notes == ""


def test_the_journal_says_where_a_call_ran(host: Host) -> None:
    journal: list[Entry] = []
    note = call("Set-VM", Name="*", Notes="x")
    nest.run(host, call("Get-VM"))
    nest.run(host, note, inside("l1", note, inside("l2", note)), journal=journal)
    assert [(entry.process, entry.cmdlet, entry.inside) for entry in journal] == [
        (2, "Set-VM", []),
        (2, "Set-VM", ["l1"]),
        (2, "Set-VM", ["l1", "l2"]),
    ]


def test_what_is_not_simulated_inside_is_refused_as_a_whole(host: Host) -> None:
    with pytest.raises(NotSimulated, match="Debug-VM"):
        nest.visit(host, "l1", call("Debug-VM", Name="l2"))


# --- faults and events ---


def test_faults_and_events_of_a_guest_are_its_own() -> None:
    host = nest.load("""
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    guest:
      users: {Administrator: right}
      windows:
        vms: [{name: l2}]
        faults: [{cmdlet: Start-VM, vm: l2, id: OutOfMemory, times: 1}]
        events: [{process: 2, vm: l2, set: {notes: theirs}}]
""")
    start, notes = call("Start-VM", Name="l2"), call("Get-VM", "Notes", "State")
    first, second = nest.visit(host, "l1", start, notes), nest.visit(host, "l1", start, notes)
    assert [fault["id"].partition(",")[0] for fault in first[0]["errors"]] == ["OutOfMemory"]
    assert (first[1]["output"], second[1]["output"]) == ([{"Notes": "", "State": "Off"}], [{"Notes": "theirs", "State": "Running"}])
    assert (host.processes, nest.windows(host.vms[0]).processes) == (2, 2)


def test_an_event_inside_that_cannot_happen_names_its_place(host: Host) -> None:
    nest.windows(host.vms[0]).events = [Event(process=1, vm="l9", set={"notes": "x"}), Event(process=2, set={"memory": "4GB"})]
    with pytest.raises(ProfileError, match=r"^vms\[0\]\.guest\.windows\.events\[0\]\.vm: there is no VM 'l9'"):
        nest.visit(host, "l1", NAMES)
    with pytest.raises(ProfileError, match=r"^vms\[0\]\.guest\.windows\.events\[1\]\.set\.memory: a guest has it from its VM"):
        nest.visit(host, "l1", NAMES)


def test_an_event_may_change_a_guest_from_outside(host: Host) -> None:
    host.events = [Event(process=1, vm="l1", set={"guest.windows.vms.0.notes": "theirs"}), Event(process=2, vm="l1", set={"state": "Off"})]
    assert nest.rows(host, "l1", call("Get-VM", "Notes")) == [{"Notes": "theirs"}]
    assert nest.faults(nest.run(host, inside("l1"))[0]) == [refused("InvalidVMState")]
    assert nest.windows(host.vms[0]).vms[0].state == "Off"


def test_the_way_in_can_fail_on_purpose(host: Host) -> None:
    host.faults = [
        Fault(cmdlet="Invoke-Command", vm="l1", times=1, id="PSSessionStateBroken", category="OpenError", reason="NullReferenceException"),
        Fault(cmdlet="Invoke-Command", after=1, times=1, silent=True),
    ]
    failed, silent, well = (nest.run(host, inside("l1", NAMES))[0] for _number in range(3))
    assert nest.faults(failed) == [(f"PSSessionStateBroken,{CLASS}", "OpenError", "NullReferenceException")]
    assert (silent["errors"], silent["output"]) == ([], [])
    assert nest.answers(well)[0]["output"] == [{"Name": "l2"}]
