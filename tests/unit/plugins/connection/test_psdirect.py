"""Plays in guests, through their pretended hosts; and the plugin by itself, where a play cannot get at it."""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader
from ansible.release import __version__ as core_version
from ansible.utils.hashing import checksum_s
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.hyperlab.nested.plugins.connection import psdirect, simulator
from ansible_collections.hyperlab.nested.plugins.plugin_utils._files import PIECE
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import PREFIX, command_line
from ansible_collections.hyperlab.nested.tests import guests
from ansible_collections.hyperlab.nested.tests.guests import PASSWORDS, Shells, Yaml, changed

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult, TaskResult

CORE = tuple(int(number) for number in core_version.split(".")[:2])
MEMORY = {"hyperlab.nested.hyperv_vm_memory": {"vms": "inner", "startup": "2GB"}}
"""A change in any guest of the lab."""
RAW = {"ansible.builtin.raw": "Get-Date"}


class Nest:
    """Pretended hosts that are made of the same lab, each with a state file of its own, and plays in their guests."""

    def __init__(self, folder: pathlib.Path, play: Play) -> None:
        self.folder = folder
        self._play = play

    def host(self, name: str = "hv01", profile: Yaml | None = None) -> Yaml:
        """What an inventory says of a host."""
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps(profile or guests.lab()))
        return {
            "ansible_connection": "hyperlab.nested.simulator",
            "ansible_simulator_profile": str(path),
            "ansible_simulator_state": str(self.folder / f"{name}.json"),
        }

    def inventory(self, profile: Yaml | None = None, **hosts: Yaml) -> dict[str, Yaml]:
        """The hosts of the lab; further variables of them by their names."""
        known = guests.inventory(self.host(profile=profile))
        return {**known, **{name: {**known.get(name, {}), **variables} for name, variables in hosts.items()}}

    def play(
        self, task: Yaml | list[Yaml], hosts: str = "l1", *arguments: str, inventory: dict[str, Yaml] | None = None, **keywords: t.Any
    ) -> PlayResult:
        tasks = task if isinstance(task, list) else [{"name": "it", **task}]
        played = self._play(
            [{"hosts": hosts, "gather_facts": False, "tasks": tasks, **keywords}],
            {"all": {"hosts": inventory or self.inventory()}},
            "--forks=8",
            *arguments,
        )
        assert "Traceback" not in played.output, played.output
        assert "DEPRECATION" not in played.output, played.output
        return played

    def task(self, task: Yaml, host: str = "l1", *arguments: str, inventory: dict[str, Yaml] | None = None) -> TaskResult:
        return self.play(task, host, *arguments, inventory=inventory).of("it")

    def state(self, name: str = "hv01") -> Yaml:
        return t.cast("Yaml", json.loads((self.folder / f"{name}.json").read_text()))

    def journal(self, name: str = "hv01") -> list[Yaml]:
        path = self.folder / f"{name}.json.journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def logons(self, name: str = "hv01") -> list[list[str]]:
        """Where a logon was refused: the VMs above."""
        return [entry.get("inside", []) for entry in self.journal(name) if entry["cmdlet"] == "Invoke-Command"]


@pytest.fixture
def nest(tmp_path: pathlib.Path, play: Play) -> Nest:
    return Nest(tmp_path, play)


@pytest.fixture
def shells(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Shells:
    """The shells of all guests, in the plays too: they are forks of this process."""
    shells = Shells(tmp_path / "notes.jsonl")
    monkeypatch.setattr(simulator, "Session", shells.session())
    return shells


# --- modules of this collection

DEPTHS = pytest.mark.parametrize(("host", "above"), [("l1", ["l1"]), ("web", ["l1", "l2 web"]), ("l3.example", ["l1", "l2 web", "l3"])])


@pytest.mark.psdirect
@DEPTHS
def test_a_module_works_at_any_depth(nest: Nest, host: str, above: list[str]) -> None:
    foretold = nest.task(MEMORY, host, "--check", "--diff")
    assert nest.journal() == []
    real = nest.task(MEMORY, host, "--diff")
    assert [(entry["cmdlet"], entry["inside"]) for entry in nest.journal()] == [("Set-VMMemory", above)]
    assert (foretold.status, real.status) == ("changed", "changed")
    assert [foretold.result[part] for part in ("changes", "commands", "diff")] == [
        real.result[part] for part in ("changes", "commands", "diff")
    ]
    assert nest.task(MEMORY, host).status == "ok"
    assert nest.state()["processes"] == 1 + 2 + 1, "as many remote processes as on any host"


@pytest.mark.psdirect
def test_guests_at_the_same_time(nest: Nest) -> None:
    inventory = nest.inventory(hv02=nest.host("hv02"), other=guests.guest("hv02", "l1"))
    played = nest.play(MEMORY, "l1,l1b,web,l3.example,other", inventory=inventory).succeeded()
    assert {played.of("it", host).status for host in ("l1", "l1b", "web", "l3.example", "other")} == {"changed"}
    assert sorted(entry["inside"] for entry in nest.journal()) == [["l1"], ["l1", "l2 web"], ["l1", "l2 web", "l3"], ["l1-b"]]
    assert [entry["inside"] for entry in nest.journal("hv02")] == [["l1"]]


@pytest.mark.psdirect
@pytest.mark.parametrize("by", ["id", "{id}", "NAME"])
def test_the_vm_by_id_or_in_another_case(nest: Nest, by: str) -> None:
    vm_id = "7cf7b6b4-9d07-4ae4-9f21-52f07f8d5f14"
    name = {"id": vm_id, "{id}": f"{{{vm_id.upper()}}}", "NAME": "L1"}[by]
    inventory = nest.inventory(changed(guests.lab(), "vms.0.id", vm_id), l1={"ansible_psdirect_vm": name})
    assert nest.task(MEMORY, inventory=inventory).status == "changed"
    assert [entry["inside"] for entry in nest.journal()] == [["l1"]]


@pytest.mark.psdirect
def test_a_loop_and_a_delegation(nest: Nest) -> None:
    names = ["l1", "l1b", "web", "l3.example"]
    played = nest.play({**MEMORY, "delegate_to": "{{ item }}", "loop": [*names, *names]}, "hv01").succeeded()
    assert [each["changed"] for each in played.of("it").result["results"]] == [True] * 4 + [False] * 4
    assert [entry["inside"] for entry in nest.journal()] == [["l1"], ["l1-b"], ["l1", "l2 web"], ["l1", "l2 web", "l3"]]


@pytest.mark.psdirect
def test_one_guest_delegates_to_another(nest: Nest) -> None:
    played = nest.play({**MEMORY, "delegate_to": "l1"}, "l1b").succeeded()
    assert [entry["inside"] for entry in nest.journal()] == [["l1"]]
    assert played.of("it").host == "l1b"


TWINS = {"a.example": {}, "b.example": {}, "c.example": {"ansible_host": "192.0.2.3"}, "d.example": {"ansible_host": "192.0.2.4"}}


@pytest.mark.psdirect
def test_whose_vm_it_is_when_hosts_share_the_short_name(nest: Nest) -> None:
    """Under delegate_to core leaves the name of the task's own host where a connection looks for its own."""
    names = {f"web.{domain}": address for domain, address in TWINS.items()}
    profile = {"based_on": "server2022-intel", "memory": "64GB", "vms": [guests.vm(name, {"name": "inner"}) for name in names]}
    inventory = nest.inventory(profile)
    for name, address in names.items():
        inventory[name] = {**guests.guest("hv01", "l1"), "ansible_password": "none", **address}
        del inventory[name]["ansible_psdirect_vm"]
    for name in names:
        nest.play({**MEMORY, "delegate_to": "{{ item }}", "loop": [*names]}, name, inventory=inventory).succeeded()
        assert sorted(entry["inside"] for entry in nest.journal()) == [[each] for each in names]
        nest.play(MEMORY, name, inventory=inventory).succeeded()


@pytest.mark.psdirect
def test_hosts_that_cannot_be_told_apart_are_refused(nest: Nest) -> None:
    inventory = nest.inventory()
    for name in ("web.a", "web.b"):
        inventory[name] = {**guests.guest("hv01", "l1"), "ansible_host": "192.0.2.1"}
        del inventory[name]["ansible_psdirect_vm"]
    found = nest.task(MEMORY, "web.a", inventory=inventory)
    assert found.status == "unreachable"
    assert re.search(r"which of its hosts called 'web' .* Way out: set ansible_psdirect_vm", found.result["msg"])


@pytest.mark.psdirect
def test_variables_of_one_item_are_those_of_the_next(nest: Nest) -> None:
    task = {
        **MEMORY,
        "loop": ["l1", "l1-b", "l1"],
        "vars": {"ansible_psdirect_vm": "{{ item }}", "ansible_password": "{{ passwords[item] }}", "passwords": PASSWORDS},
    }
    played = nest.play(task).succeeded()
    assert [each["changed"] for each in played.of("it").result["results"]] == [True, True, False]


@pytest.mark.psdirect
def test_reset_connection(nest: Nest) -> None:
    tasks: list[Yaml] = [{"name": "one", **MEMORY}, {"ansible.builtin.meta": "reset_connection"}, {"name": "two", **MEMORY}]
    played = nest.play(tasks, "web").succeeded()
    assert (played.of("one").status, played.of("two").status) == ("changed", "ok")


# --- other command lines


@pytest.mark.psdirect
@DEPTHS
def test_raw_is_a_script_of_powershell_there(nest: Nest, shells: Shells, host: str, above: list[str]) -> None:
    shells.result = (7, "grüß\r\n".encode(), b"to stderr")
    found = nest.task({"ansible.builtin.raw": "Write-Output 'grüß'; exit 7"}, host).result
    assert (found["rc"], found["stdout"], found["stderr"]) == (7, "grüß\r\n", "to stderr")
    [(windows, line)] = shells.noted("line")
    assert windows == above[-1].upper()
    _code_page, _and, encoded = line.partition(PREFIX)
    assert encoded == "VwByAGkAdABlAC0ATwB1AHQAcAB1AHQAIAAnAGcAcgD8AN8AJwA7ACAAZQB4AGkAdAAgADcA"
    assert shells.stdin() == [b""]
    assert nest.state()["processes"] == 1


MODULE = """#!powershell
#AnsibleRequires -CSharpUtil Ansible.Basic
# canary-module
"""


@pytest.mark.psdirect
@pytest.mark.parametrize("host", ["l1", "web"])
def test_a_powershell_module_arrives_as_core_sent_it(nest: Nest, shells: Shells, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = nest.folder / "library"
    library.mkdir()
    (library / "answer.ps1").write_text(MODULE)
    (library / "answer.py").write_text("")
    shells.result = (0, b'{"changed": true, "answer": 42}\r\n', b"")
    sent = nest.folder / "sent"
    original = ActionBase._low_level_execute_command

    def spy(self: t.Any, cmd: str, *args: t.Any, **named: t.Any) -> t.Any:
        with sent.open("ab") as file:
            file.write(f"{cmd}\n".encode() + (named.get("in_data") or b""))
        return original(self, cmd, *args, **named)

    monkeypatch.setattr(ActionBase, "_low_level_execute_command", spy)
    found = nest.task({"answer": {"secret": "canary-option" * 9000}}, host, "--module-path", str(library))
    assert (found.status, found.result["answer"]) == ("changed", 42), found.result
    [(_windows, line)] = shells.noted("line")
    [stdin] = shells.stdin()
    assert f"{line}\n".encode() + stdin == sent.read_bytes()
    assert b"canary-option" in stdin
    [chunks] = [chunks for _windows, chunks in shells.noted("stdin")]
    assert len(chunks) > 2
    assert nest.state()["processes"] == 1


@pytest.mark.psdirect
def test_input_that_got_lost_on_the_way_runs_nothing(nest: Nest, shells: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    (nest.folder / "answer.ps1").write_text(MODULE)
    shells.lose = 0
    found = nest.task({"answer": {}}, "l1", "--module-path", str(nest.folder))
    assert found.status == "unreachable"
    assert "the guest of VM 'l1' on host 'hv01': only a part of the command's input arrived" in found.result["msg"]
    assert shells.noted("line") == []


@pytest.mark.psdirect
def test_a_command_that_is_too_long_is_refused_here(nest: Nest) -> None:
    found = nest.task({"ansible.builtin.raw": "x" * 4000})
    assert found.status == "failed"
    assert re.search(r"takes \d+ characters.*cmd.exe takes 8191.*win_powershell", found.result["msg"])
    assert not (nest.folder / "hv01.json").exists()


@pytest.mark.psdirect
def test_become_is_refused_in_words(nest: Nest) -> None:
    found = nest.task({**RAW, "become": True, "become_method": "ansible.builtin.runas", "become_user": "SYSTEM"})
    assert found.status == "failed"
    assert re.search("become is not supported over .*psdirect.*connect as the user", found.result["msg"])
    own = nest.task({**MEMORY, "become": True})
    assert (own.status, own.result["error_code"]) == ("failed", "unsupported_task")
    assert not (nest.folder / "hv01.json").exists()


# --- the ways in which it does not get there

VM = "vms.1"
"""l1-b, in which nothing runs."""
HERE = "VM 'l1-b' on host 'hv01'"
READ = "host 'hv01': Get-VMHost failed: .*Way out: "
AS_IT_IS = ("memory", "64GB")
TROUBLE: dict[str, tuple[tuple[str, t.Any], Yaml, str]] = {
    # what is otherwise in the profile and in the inventory, and the message
    "off": ((f"{VM}.state", "Off"), {}, f"{HERE} is off; PowerShell Direct needs it running. Way out: start or resume"),
    "saved": ((f"{VM}.state", "Saved"), {}, f"{HERE} is saved; PowerShell Direct needs it running"),
    "paused": ((f"{VM}.state", "Paused"), {}, f"{HERE} is paused; PowerShell Direct needs it running"),
    "between": ((f"{VM}.state", "Stopping"), {}, f"{HERE} is Stopping; .*Way out: wait until"),
    "starting": ((f"{VM}.guest.boot_seconds", 10**6), {}, "gives no heartbeat .NoContact.: it is still starting.*wait_for_connection"),
    "no services": ((f"{VM}.guest.integration_services", False), {}, "gives no heartbeat .NoContact.: .*no integration services"),
    "no service": (
        (f"{VM}.guest.powershell_direct", False),
        {},
        "has started .heartbeat Ok.*does not answer PowerShell Direct.*vmicvmsession",
    ),
    "unknown": ((f"{VM}.name", "l0"), {}, "host 'hv01': VM 'l1-b' does not exist on this host. Way out: check the name"),
    "twins": (("vms.0.name", "L1-B"), {}, "host 'hv01': 2 VMs are called 'l1-b': .*Way out: give the id"),
    "a wildcard": (AS_IT_IS, {"ansible_psdirect_vm": "l1?b"}, "VM 'l1.b' does not exist"),
    "no rights": (("rights", "denied"), {}, f"{READ}connect as a member of the host's Hyper-V Admin"),
    "sees nothing": (("rights", "sees_nothing"), {}, f"{READ}connect as a member of the host's Hyper-V Admin"),
    "no module": (("hyperv_module", False), {}, f"{READ}.*Install-WindowsFeature Hyper-V"),
    "no vmms": (("vmms_running", False), {}, f"{READ}see that the service vmms runs"),
    "password": ((f"{VM}.guest.users", {guests.USER: "other"}), {}, f"the guest of {HERE} refused the logon of 'Administrator'"),
    "blank": ((f"{VM}.guest.users", {guests.USER: ""}), {"ansible_password": ""}, "is empty, and Windows lets nobody in.*Way out: give"),
    "no password": (AS_IT_IS, {"ansible_password": None}, "of 'l1-b' has no ansible_password. Way out: set ansible_password"),
    "no user": (AS_IT_IS, {"ansible_user": None}, "of 'l1-b' has no ansible_user. Way out: set ansible_user"),
    "no host": (AS_IT_IS, {"ansible_psdirect_host": None}, "of 'l1-b' has no ansible_psdirect_host. Way out: set ansible_psdirect_host"),
    "another host": (
        AS_IT_IS,
        {"ansible_psdirect_host": "hv99"},
        "the inventory has no host 'hv99', which ansible_psdirect_host of 'l1-b'",
    ),
    "itself": (AS_IT_IS, {"ansible_psdirect_host": "l1b"}, "leads in a ring: l1b -> l1b. Way out"),
}
DID_NOTHING = {"blank", "no password", "no user", "no host", "another host", "itself"}
"""Refused before any remote process."""


@pytest.mark.psdirect
@pytest.mark.parametrize("case", TROUBLE)
def test_trouble(nest: Nest, case: str) -> None:
    (path, value), variables, says = TROUBLE[case]
    inventory = nest.inventory(changed(guests.lab(), path, value))
    inventory["l1b"] = {name: given for name, given in {**inventory["l1b"], **variables}.items() if given is not None}
    tasks: list[Yaml] = [{"name": "own", **MEMORY, "ignore_unreachable": True}, {"name": "other", **RAW}]
    played = nest.play(tasks, "l1b", inventory=inventory)
    own, other = (played.of(name) for name in ("own", "other"))
    for found in (own, other):
        assert found.status == "unreachable"
        assert re.search(says, found.result["msg"]), found.result["msg"]
    assert "safe to run the task again" in own.result["msg"]
    assert ("Nothing was run there" in own.result["msg"]) == (case != "no service"), own.result["msg"]
    assert ("Whether the command ran in the guest is unknown" in other.result["msg"]) == (case == "no service")
    assert [entry for entry in nest.journal() if entry["cmdlet"] != "Invoke-Command"] == []
    assert (nest.folder / "hv01.json").exists() == (case not in DID_NOTHING)


@pytest.mark.psdirect
def test_a_heartbeat_that_is_switched_off_is_no_reason_to_give_up(nest: Nest) -> None:
    inventory = nest.inventory(changed(guests.lab(), f"{VM}.disabled_services", ["heartbeat"]))
    assert nest.task(MEMORY, "l1b", inventory=inventory).status == "changed"
    mute = nest.inventory(changed(guests.lab(), f"{VM}.disabled_services", ["heartbeat"]), l1b={"ansible_simulator_state": "x"})
    state = nest.state()
    state["vms"][1]["guest"]["powershell_direct"] = False
    (nest.folder / "hv01.json").write_text(json.dumps(state))
    found = nest.task(MEMORY, "l1b", inventory=mute)
    assert re.search("whether it has started is not known: its heartbeat service is disabled", found.result["msg"])


@pytest.mark.psdirect
def test_a_ring(nest: Nest) -> None:
    inventory = nest.inventory(l1={"ansible_psdirect_host": "web"})
    for host, ring in (("l1", "web -> l1 -> web"), ("web", "l1 -> web -> l1"), ("l3.example", "web -> l1 -> web")):
        found = nest.task(MEMORY, host, inventory=inventory)
        assert found.status == "unreachable"
        assert f"leads in a ring: {ring}. Way out: correct ansible_psdirect_host" in found.result["msg"]


@pytest.mark.psdirect
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("vms.0.guest.powershell_direct", False), "has started"),
        (("vms.0.name", "l0"), "VM 'l1' does not exist"),
        (("rights", "denied"), "connect as a member"),
        (("vms.0.guest.users", {guests.USER: "other"}), "the guest of VM 'l1' on host 'hv01' refused the logon"),
        (("vms.0.guest.windows.rights", "denied"), "host 'l1': Get-VMHost failed: .*connect as a member"),
        (("vms.0.guest.windows.vms.0.name", "l2"), "host 'l1': VM 'l2 web' does not exist"),
    ],
)
def test_trouble_on_the_way_names_where_it_is(nest: Nest, change: tuple[str, t.Any], says: str) -> None:
    """What is wrong with l1 stands in the way of the guest in it, too."""
    found = nest.task(MEMORY, "web", inventory=nest.inventory(changed(guests.lab(), *change)))
    assert found.status == "unreachable"
    assert re.search(says, found.result["msg"]), found.result["msg"]
    on_the_way = "the way to VM 'l2 web' on host 'l1' broke at that host: "
    assert (on_the_way in found.result["msg"]) == ("host 'l1': " not in says)


@pytest.mark.psdirect
@pytest.mark.parametrize("host", ["l1", "web", "l3.example"])
def test_a_password_is_tried_once(nest: Nest, host: str) -> None:
    inventory = nest.inventory(changed(guests.lab(), "vms.0.guest.users", {guests.USER: "other"}))
    task = {**MEMORY, "loop": [1, 2, 3], "retries": 3, "delay": 0, "until": "false"}
    assert nest.play(task, host, inventory=inventory).of("it").status in {"unreachable", "failed"}
    assert nest.logons() == [[]]


HOST_GONE = {"cmdlet": "Get-VMHost", "id": "ObjectNotFound", "category": "ObjectNotFound", "reason": "VirtualizationException"}


@pytest.mark.psdirect
def test_a_look_that_failed_changes_nothing_in_the_guest(nest: Nest) -> None:
    """The host fails once, and only while it is being changed."""
    inventory = nest.inventory(changed(guests.lab(), "faults", [{**HOST_GONE, "after": 1, "times": 1}]))
    found = nest.task(MEMORY, inventory=inventory)
    assert (found.status, found.result["changed"]) == ("unreachable", False)
    assert re.search("host 'hv01': Get-VMHost failed: .*Nothing was run there", found.result["msg"]), found.result["msg"]
    assert nest.journal() == []
    assert nest.task(MEMORY, inventory=inventory).status == "changed"


# --- sessions that do not open at the first try

UNOPENED = {"cmdlet": "Invoke-Command", "id": "PSSessionStateBroken", "category": "OpenError", "reason": "NullReferenceException"}
ENDED = {**UNOPENED, "id": "2100,PSSessionStateBroken", "reason": "PSRemotingTransportException"}
INSIDE_L1 = "vms.0.guest.windows.faults"


def every(nth: int, fault: Yaml) -> list[Yaml]:
    """The fault in each nth call."""
    return [{**fault, "after": number, "times": 1} for number in range(nth - 1, 40 * nth, nth)]


@pytest.mark.psdirect
@pytest.mark.parametrize(("place", "host"), [("faults", "l1"), ("faults", "web"), (INSIDE_L1, "web"), (INSIDE_L1, "l3.example")])
def test_a_session_that_did_not_open_is_opened_again(nest: Nest, shells: Shells, place: str, host: str) -> None:
    """One open in two fails: of each process the first try, and the second goes on."""
    inventory = nest.inventory(changed(guests.lab(), place, every(2, UNOPENED)))
    nest.play([{"name": "once", **MEMORY}, {"name": "again", **MEMORY}, {"name": "raw", **RAW}], host, inventory=inventory).succeeded()
    assert [entry["cmdlet"] for entry in nest.journal()] == ["Set-VMMemory"]
    assert len(shells.noted("line")) == 1
    assert nest.state()["processes"] == 4 + 3, "three processes found the session shut"


@pytest.mark.psdirect
@pytest.mark.parametrize(("place", "host"), [("faults", "l1"), (INSIDE_L1, "web")])
def test_a_session_that_never_opens_is_given_up(nest: Nest, shells: Shells, place: str, host: str) -> None:
    inventory = nest.inventory(changed(guests.lab(), place, [UNOPENED]))
    for task, known in ((MEMORY, "Nothing was run there; it is safe"), (RAW, "Way out: run the task again")):
        before = nest.state()["processes"] if (nest.folder / "hv01.json").exists() else 0
        found = nest.task(task, host, inventory=inventory)
        assert found.status == "unreachable"
        assert re.search(f"the session in the guest of .* did not open: .*{known}", found.result["msg"]), found.result["msg"]
        assert "unknown" not in found.result["msg"]
        assert nest.state()["processes"] == before + 3
    assert nest.state()["clock"] - 1_000_000 > 2 * sum(psdirect.PAUSES), "the pretended clock took the pauses"
    assert shells.noted("line") == []


@pytest.mark.psdirect
@pytest.mark.parametrize(("place", "host"), [("faults", "l1"), (INSIDE_L1, "web")])
def test_a_session_that_ended_is_opened_again_only_to_read(nest: Nest, shells: Shells, place: str, host: str) -> None:
    read: Yaml = {"hyperlab.nested.hyperv_nested_info": {"vms": []}}
    reading = nest.inventory(changed(guests.lab(), place, [{**ENDED, "times": 2}]))
    nest.play(read, host, inventory=reading).succeeded()
    assert nest.state()["processes"] == 3
    (nest.folder / "hv01.json").unlink()
    writing = nest.inventory(changed(guests.lab(), place, [{**ENDED, "after": 1}]))
    found = nest.task(MEMORY, host, inventory=writing)
    assert found.status == "unreachable"
    assert re.search("ended or could not be used.*Whether the task's changes were made on the host is unknown", found.result["msg"])
    assert nest.state()["processes"] == 2
    found = nest.task(RAW, host, inventory=writing)
    assert "Whether the command ran in the guest is unknown" in found.result["msg"]
    assert nest.state()["processes"] == 3


@pytest.mark.psdirect
@pytest.mark.parametrize("reason", ["RemoteException", "PSRemotingDataStructureException", "PSDirectException"])
def test_what_the_next_try_would_not_mend_is_not_tried_again(nest: Nest, reason: str) -> None:
    inventory = nest.inventory(changed(guests.lab(), "faults", [{**UNOPENED, "reason": reason}]))
    assert nest.task(MEMORY, inventory=inventory).status == "unreachable"
    assert nest.state()["processes"] == 1


@pytest.mark.psdirect
def test_another_password_is_another_try(nest: Nest) -> None:
    task = {**MEMORY, "loop": ["wrong", PASSWORDS["l1"]], "vars": {"ansible_password": "{{ item }}"}, "ignore_unreachable": True}
    nest.play(task)
    assert nest.logons() == [[]]
    assert [entry["cmdlet"] for entry in nest.journal()] == ["Invoke-Command", "Set-VMMemory"]


@pytest.mark.psdirect
def test_the_hosts_own_connection_keeps_its_words(nest: Nest) -> None:
    inventory = nest.inventory(hv01={"ansible_simulator_profile": "nonesuch"})
    found = nest.task(MEMORY, "web", inventory=inventory)
    assert found.status == "unreachable"
    assert re.search(
        "VM 'l1' on host 'hv01' broke at that host: The simulator has no host to work on: 'nonesuch' is neither", found.result["msg"]
    )
    broken = nest.inventory(hv01={"ansible_connection": "dropping"})
    found = nest.task(MEMORY, inventory=broken)
    assert re.search("broke at that host: ConnectionResetError: connection reset by peer. .*so nothing was changed", found.result["msg"])


@pytest.mark.psdirect
@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_connection": "no.such.plugin"}, "no.such.plugin"),
        ({"ansible_simulator_state": "{{ not_there }}"}, "not_there.* Way out: correct the variables of 'hv01'; those of a play"),
        ({"ansible_connection": "{{ not_there }}"}, "not_there.* Way out: correct the variables of 'hv01'; those of a play"),
    ],
)
def test_a_host_whose_connection_cannot_be_made(nest: Nest, variables: Yaml, says: str) -> None:
    inventory = nest.inventory(hv01=variables)
    found = nest.task(MEMORY, inventory=inventory)
    assert found.status == "unreachable"
    assert re.search(f"the connection of host 'hv01' to VM 'l1' on host 'hv01' cannot be made: .*{says}", found.result["msg"]), found.result
    assert nest.task({"ansible.builtin.debug": {"msg": "x"}}, inventory=inventory).status == "ok", "a local task needs no host"


@pytest.mark.psdirect
def test_variables_of_the_host_are_templates_of_its_own(nest: Nest) -> None:
    (nest.folder / "name").write_text("hv01")
    state = "{{ lookup('file', folder ~ '/name') ~ hostvars[inventory_hostname].ending }}"
    inventory = nest.inventory(hv01={"folder": str(nest.folder), "ending": ".json"})
    inventory["hv01"]["ansible_simulator_state"] = "{{ folder }}/" + state
    inventory["web"]["ansible_psdirect_vm"] = "{{ 'l2 ' ~ inventory_hostname }}"
    nest.play(MEMORY, "web", inventory=inventory).succeeded()
    assert nest.state()["processes"] == 2


@pytest.mark.psdirect
def test_nothing_of_the_play_leaks_to_the_host(nest: Nest) -> None:
    """A host that is a guest without a user of its own is refused, and not visited as the user of the play."""
    inventory = nest.inventory()
    del inventory["l1"]["ansible_user"]
    found = nest.play(MEMORY, "web", inventory=inventory, remote_user="someone").of("it")
    assert "of 'l1' has no ansible_user" in found.result["msg"]


@pytest.mark.psdirect
def test_the_password_that_is_asked_for_is_the_guests(nest: Nest) -> None:
    asked = nest.folder / "asked"
    asked.write_text(PASSWORDS["l2 web"])
    inventory = nest.inventory()
    del inventory["web"]["ansible_password"]
    assert nest.task(MEMORY, "web", "--connection-password-file", str(asked), inventory=inventory).status == "changed"
    del inventory["l1"]["ansible_password"]
    found = nest.task(MEMORY, "web", "--connection-password-file", str(asked), inventory=inventory)
    assert "of 'l1' has no ansible_password" in found.result["msg"]


# --- a session that ends, and guests that lie


@pytest.mark.psdirect
def test_a_session_that_ends_while_it_writes(nest: Nest) -> None:
    """The event switches the VM off when the second process begins to wait inside."""
    profile = changed(guests.lab(), "vms.0.guest.windows.vms.0.guest.shutdown_seconds", 5)
    profile["faults"] = []
    task = {"hyperlab.nested.hyperv_nested": {"vms": "l2 web", "processors": 1, "when_running": "shutdown"}}
    inventory = nest.inventory(profile)
    nest.task({"hyperlab.nested.hyperv_vm": {"vms": "l1-b", "state": "running"}}, "hv01", inventory=inventory)
    state = nest.state()
    vm = state["vms"][0]
    vm["move"] = {"state": "Off", "at": state["clock"] + 4}
    (nest.folder / "hv01.json").write_text(json.dumps(state))
    found = nest.task(task, inventory=inventory)
    assert found.status == "unreachable"
    assert re.search(
        r"the session in the guest of VM 'l1' on host 'hv01' ended or could not be used: .*2100,PSSessionStateBroken.*"
        "Whether the task's changes were made on the host is unknown; it is safe to run the task again",
        found.result["msg"],
    ), found.result["msg"]


@pytest.mark.psdirect
def test_a_vm_that_is_replaced_meanwhile_is_another(nest: Nest) -> None:
    profile = guests.lab()
    profile["events"] = [{"process": 2, "vm": "l1", "set": {"id": "11111111-2222-3333-4444-555555555555"}}]
    found = nest.task(MEMORY, inventory=nest.inventory(profile))
    assert found.status == "unreachable"
    assert re.search("VM 'l1' does not exist on this host.*Nothing was run there", found.result["msg"])


@pytest.mark.psdirect
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"protocol":1', '"protocol":2', "it answered with protocol 2, not 1"),
        ("]}}", "]", "it answered only in part"),
        ('{"hyperlab":', '{"other":', "it did not answer"),
    ],
)
@pytest.mark.parametrize("host", ["l1", "web"])
def test_a_guest_that_lies(nest: Nest, shells: Shells, host: str, old: str, new: str, says: str) -> None:
    shells.spoil = lambda line: line.replace(old, new)
    found = nest.task(MEMORY, host)
    assert found.status == "unreachable"
    assert re.search(f"the guest of VM 'l1' on host 'hv01': {says}.*so nothing was changed; it is safe", found.result["msg"]), found.result
    raw = nest.task(RAW, host)
    assert raw.status == "unreachable"
    assert re.search(f"the guest of VM 'l1' on host 'hv01': {says}.*Whether the command ran in the guest is unknown", raw.result["msg"])


LIES = {
    "another protocol": ('"protocol":1', '"protocol":2', "it answered with protocol 2, not 1"),
    "a cut line": ("]}}", "]", "it answered only in part"),
    "no line of ours": ('{"hyperlab":', '{"other":', "it did not answer"),
}
INNERMOST = pytest.mark.parametrize(
    ("host", "liar", "named"),
    [
        ("web", "L2 WEB", "the guest of VM 'l2 web' on host 'l1'"),
        ("l3.example", "L2 WEB", "the guest of VM 'l2 web' on host 'l1'"),
        ("l3.example", "L3", "the guest of VM 'l3' on host 'web'"),
    ],
)


@pytest.mark.psdirect
@pytest.mark.parametrize("lie", LIES)
@INNERMOST
def test_of_several_guests_the_one_that_lies_is_named(nest: Nest, shells: Shells, host: str, liar: str, named: str, lie: str) -> None:
    old, new, says = LIES[lie]
    shells.liar, shells.spoil = liar, lambda line: line.replace(old, new)
    found = nest.task(MEMORY, host)
    assert found.status == "unreachable"
    assert re.search(f"{named}: {says}.*so nothing was changed; it is safe", found.result["msg"]), found.result["msg"]
    assert nest.journal() == []
    connection = load(nest, host)
    with pytest.raises(AnsibleConnectionFailure, match=f"{named}: {says}.*Whether the command ran in the guest is unknown"):
        connection.exec_command("Get-Date")


@pytest.mark.psdirect
def test_noise_around_the_answer_is_no_harm(nest: Nest, shells: Shells) -> None:
    shells.spoil = lambda line: f"PS C:\\> {line} bye"
    nest.play(MEMORY, "l1,web").succeeded()


# --- secrets


@pytest.mark.psdirect
def test_each_guest_gets_its_own_secrets_and_no_other(nest: Nest, shells: Shells) -> None:
    tasks: list[Yaml] = [
        MEMORY,
        {"ansible.builtin.raw": "whoami"},
        {"hyperlab.nested.hyperv_nested": {"vms": "gone"}, "ignore_errors": True},
    ]
    played = nest.play(tasks, "l1,l1b,web", "-vvvvv", "--diff").succeeded()
    shown = played.output + json.dumps([task.result for task in played.tasks])
    assert "PSDIRECT" in shown, "it was not as verbose as it should have been"
    hidden = [*PASSWORDS.values(), '"protocol"', "protocol\\", "$from", "Set-StrictMode", command_line().removeprefix(PREFIX)[:60]]
    assert [each for each in hidden if each in shown] == []
    got: dict[str, set[str]] = {}
    for windows, secrets in shells.noted("secrets"):
        got.setdefault(windows, set()).update(secrets)
    assert got.pop("L1") == {PASSWORDS["l2 web"]}, "for the way on; not its own, which opened the door"
    assert got.pop("L1-B") == got.pop("L2 WEB") == set()
    assert [*got.values()] == [{PASSWORDS[name] for name in ("l1", "l1-b", "l2 web")}], "what the host itself got"


# --- waiting


WAIT: Yaml = {"ansible.builtin.wait_for_connection": {"sleep": 0, "timeout": 20}}


@pytest.mark.psdirect
@pytest.mark.parametrize("host", ["l1", "web"])
def test_wait_for_connection(nest: Nest, shells: Shells, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(ActionBase, "_execute_module", guests.ping)
    inventory = nest.inventory()
    tasks: list[Yaml] = [
        {"hyperlab.nested.hyperv_vm": {"vms": "l1", "state": "off", "when_running": "turn_off"}, "delegate_to": "hv01"},
        {"hyperlab.nested.hyperv_vm": {"vms": "l1", "state": "running"}, "delegate_to": "hv01"},
        {"name": "too early", **MEMORY, "ignore_unreachable": True},
        {"name": "wait", **WAIT},
        {"name": "again", **WAIT},
    ]
    if host == "web":
        tasks.insert(4, {"hyperlab.nested.hyperv_vm": {"vms": "l2 web", "state": "running"}, "delegate_to": "l1"})
        tasks[3]["delegate_to"] = "l1"
    played = nest.play(tasks, host, inventory=inventory).succeeded()
    assert played.of("too early").status == "unreachable"
    assert played.of("wait").status == played.of("again").status == "ok"
    assert nest.logons() == []


@pytest.mark.psdirect
def test_waiting_does_not_try_a_wrong_password_again(nest: Nest, shells: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "_execute_module", guests.ping)
    inventory = nest.inventory(changed(guests.lab(), "vms.0.guest.users", {guests.USER: "other"}))
    task = {"ansible.builtin.wait_for_connection": {"sleep": 0, "timeout": 1}}
    for host in ("l1", "web"):
        found = nest.task(task, host, inventory=inventory)
        assert found.status == "failed"
        assert "refused the logon of 'Administrator'" in found.result["msg"]
    assert nest.logons() == [[], []]
    assert nest.state()["processes"] == 1 + 1 + 1, "l1: the heartbeat, and one logon; web: one logon on the way"


# --- the plugin by itself


def load(nest: Nest, name: str, inventory: dict[str, Yaml] | None = None) -> t.Any:
    """The plugin as core makes it for an inventory host."""
    path = nest.folder / "inventory.yml"
    path.write_text(json.dumps({"all": {"hosts": inventory or nest.inventory()}}))
    loader = DataLoader()
    known = InventoryManager(loader=loader, sources=[str(path)])
    manager = VariableManager(loader=loader, inventory=known)
    HostVars(inventory=known, variable_manager=manager, loader=loader)
    variables = manager.get_vars(host=known.get_host(name))
    connection: t.Any = connection_loader.get("hyperlab.nested.psdirect", PlayContext(), os.devnull)
    connection.set_options(var_options=connection._resolve_option_variables(variables, _templar(loader, variables)))
    return connection


def _templar(loader: t.Any, variables: t.Any) -> t.Any:
    from ansible.template import Templar  # noqa: PLC0415 - only after pytest_configure

    return Templar(loader=loader, variables=variables)


@pytest.mark.psdirect
@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("vms.0.guest.boot_seconds", 10**6, "no heartbeat"),
        ("vms.0.guest.integration_services", False, "no heartbeat"),
        ("vms.0.state", "Off", "is off"),
        ("vms.0.name", "l0", "does not exist"),
        ("vms.0.disabled_services", ["heartbeat"], ""),
        ("vms.0.guest.users", {}, ""),
        ("vms.0.guest.powershell_direct", False, ""),
    ],
)
def test_the_heartbeat_is_asked_without_a_logon(nest: Nest, path: str, value: t.Any, says: str) -> None:
    connection = load(nest, "l1", nest.inventory(changed(guests.lab(), path, value)))
    if says:
        with pytest.raises(AnsibleConnectionFailure, match=says):
            connection.transport_test(5)
    else:
        connection.transport_test(5)
    assert nest.journal() == []
    connection.close()


@pytest.mark.psdirect
def test_the_hosts_connection_gets_a_context_of_its_own(nest: Nest) -> None:
    """The task's has the password that was asked for, and the guest's user and port; of it only no_log is for both."""
    connection = load(nest, "l1", nest.inventory(hv01={"ansible_shell_type": "powershell"}))
    connection._play_context.password, connection._play_context.port, connection._play_context.no_log = "canary", 5986, True
    connection.transport_test(5)
    context = connection._outer._play_context
    assert (context.password, context.port, context.no_log, context.remote_addr) == ("", None, True, "hv01")
    assert connection._outer._shell.SHELL_FAMILY == "powershell"


@pytest.mark.psdirect
def test_a_reset_closes_and_keeps_what_is_known(nest: Nest) -> None:
    connection = load(nest, "web")
    connection.transport_test(5)
    known, way = connection._known, connection._outer
    innermost = way._outer
    assert [each.connected for each in (connection, way, innermost)] == [True, True, True]
    connection.reset()
    assert [each.connected for each in (connection, way, innermost)] == [False, False, False]
    assert (connection._known, connection._outer, way._outer) == (known, way, None)
    connection.transport_test(5)
    assert connection.connected


@pytest.mark.psdirect
def test_a_connection_that_cannot_be_closed_is_given_up(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = load(nest, "l1")
    connection.transport_test(5)

    def broken(self: t.Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(type(connection._outer), "close", broken)
    with pytest.raises(ConnectionResetError):
        connection.close()
    connection.transport_test(5)
    connection.reset()
    assert connection._outer is None
    connection.transport_test(5)


@pytest.mark.psdirect
def test_time_passes_on_the_pretended_host(nest: Nest) -> None:
    connection = load(nest, "web")
    assert load(nest, "web").let_time_pass is None, "nobody has connected yet"
    connection.transport_test(5)
    before = nest.state()["clock"]
    connection.reset()
    connection.let_time_pass(100)
    assert nest.state()["clock"] == before + 100


@pytest.mark.psdirect
@DEPTHS
def test_files_go_there_and_come_back(nest: Nest, shells: Shells, host: str, above: list[str]) -> None:
    windows = above[-1].upper()
    shells.disks.folder(windows, "C:\\Temp")
    sent, came = nest.folder / "sent", nest.folder / "came"
    connection = load(nest, host)
    processes = 0
    for size, pieces in ((0, 1), (PIECE, 1), (PIECE + 1, 2), (1_500_000, 3)):
        data = (b"canary-file\r\n\x00\xff" * 100_000)[:size]
        sent.write_bytes(data)
        connection.put_file(str(sent), "C:\\Temp\\größer.bin")
        assert shells.disks.at(windows, "C:\\Temp\\größer.bin").read_bytes() == data
        connection.fetch_file("C:\\Temp\\größer.bin", str(came))
        assert came.read_bytes() == data
        processes += 2 * pieces
        assert nest.state()["processes"] == processes


@pytest.mark.psdirect
def test_what_is_wrong_with_a_file_here(nest: Nest, shells: Shells) -> None:
    place = shells.disks.folder("L1", "C:\\Temp") / "x"
    connection = load(nest, "l1")
    with pytest.raises(AnsibleFileNotFound, match=r"gone' does not exist here, so it is not copied\. Way out: "):
        connection.put_file(str(nest.folder / "gone"), "C:\\Temp\\x")
    with pytest.raises(AnsibleError, match=r"cannot be read here: Is a directory\. Way out: "):
        connection.put_file(str(nest.folder), "C:\\Temp\\x")
    assert not (nest.folder / "hv01.json").exists()
    place.write_bytes(b"there")
    with pytest.raises(AnsibleError, match=r"cannot be written here: No such file or directory\. Way out: "):
        connection.fetch_file("C:\\Temp\\x", str(nest.folder / "gone" / "x"))
    with pytest.raises(AnsibleError, match=r"cannot be written here: Is a directory\. Way out: "):
        connection.fetch_file("C:\\Temp\\x", str(nest.folder))
    assert [*nest.folder.rglob("*.hyperlab-part")] == []


@pytest.mark.psdirect
def test_a_fetch_that_ends_in_between_leaves_what_was_here(nest: Nest, shells: Shells) -> None:
    place = shells.disks.folder("L1", "C:\\Temp") / "x"
    place.write_bytes(bytes(PIECE + 1))
    came = nest.folder / "came"
    came.write_bytes(b"older")
    shells.disks.meanwhile = lambda: place.write_bytes(b"shorter")
    with pytest.raises(AnsibleError, match=r"the guest of VM 'l1' on host 'hv01': 'C:.Temp.x' was not fetched: it changed while"):
        load(nest, "l1").fetch_file("C:\\Temp\\x", str(came))
    place.write_bytes(bytes(PIECE + 1))
    shells.disks.meanwhile = lambda: None
    answers = iter([True, False])
    shells.spoil = lambda line: line if next(answers) else ""
    with pytest.raises(AnsibleConnectionFailure, match="the guest of VM 'l1' on host 'hv01': it did not answer"):
        load(nest, "l1").fetch_file("C:\\Temp\\x", str(came))
    assert came.read_bytes() == b"older"
    assert {each.name for each in nest.folder.iterdir() if each.name.startswith("came")} == {"came"}


@pytest.mark.psdirect
@pytest.mark.parametrize("lie", LIES)
def test_a_copy_into_a_guest_that_lies(nest: Nest, shells: Shells, lie: str) -> None:
    old, new, says = LIES[lie]
    folder = shells.disks.folder("L2 WEB", "C:\\Temp")
    sent = nest.folder / "sent"
    sent.write_bytes(bytes(PIECE + 1))
    shells.liar, shells.spoil = "L2 WEB", lambda line: line.replace(old, new)
    with pytest.raises(
        AnsibleConnectionFailure, match=f"the guest of VM 'l2 web' on host 'l1': {says}.*'C:.Temp.x' was written is unknown"
    ):
        load(nest, "web").put_file(str(sent), "C:\\Temp\\x")
    assert [*folder.iterdir()] == []


@pytest.mark.psdirect
def test_bytes_that_get_lost_on_the_way_are_not_written(nest: Nest, shells: Shells) -> None:
    folder = shells.disks.folder("L1", "C:\\Temp")
    sent = nest.folder / "sent"
    sent.write_bytes(bytes(PIECE))
    shells.lose = 3
    with pytest.raises(AnsibleConnectionFailure, match="only a part of the command's input arrived"):
        load(nest, "l1").put_file(str(sent), "C:\\Temp\\x")
    assert [*folder.iterdir()] == []


TMP = "C:\\Users\\Administrator\\AppData\\Local\\Temp\\ansible-tmp-1"


@pytest.mark.psdirect
@pytest.mark.parametrize(("host", "windows"), [("l1", "L1"), ("l3.example", "L3")])
def test_a_script(nest: Nest, shells: Shells, host: str, windows: str) -> None:
    """It needs no other collection: core makes a folder, copies the script, runs it by a wrapper, and removes the folder."""
    script = nest.folder / "answer.ps1"
    script.write_bytes(b"# canary-script\r\nexit 3\r\n" * 30_000)
    folder = shells.disks.folder(windows, TMP)
    shells.result = (0, f"{TMP}\r\n".encode(), b"")
    played = nest.play({"ansible.builtin.script": f"{script} one 'two three'"}, host, "-vvvvv").succeeded()
    assert played.of("it").status == "changed"
    assert (folder / "answer.ps1").read_bytes() == script.read_bytes()
    assert "canary-script" not in played.output
    assert base64.b64encode(b"# canary-script").decode()[:18] not in played.output
    assert "PSDIRECT PUT" in played.output
    assert nest.state()["processes"] == 3 + 2, "780,000 bytes are two pieces"


def windows_stat(shells: Shells) -> t.Callable[..., Yaml]:
    """Stands in for ansible.windows.win_stat, which is not here."""

    def execute(self: t.Any, module_name: str | None = None, module_args: Yaml | None = None, **named: t.Any) -> Yaml:
        assert module_name == "ansible.legacy.stat"
        place = shells.disks.at("L1", (module_args or {})["path"])
        stat: Yaml = {"exists": place.exists(), "isdir": place.is_dir()}
        if place.is_file():
            stat["checksum"] = checksum_s(place.read_bytes())
        return {"stat": stat}

    return execute


@pytest.mark.psdirect
def test_a_fetch(nest: Nest, shells: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "_execute_module", windows_stat(shells))
    place = shells.disks.folder("L1", "C:\\Logs") / "a.log"
    place.write_bytes(b"canary-log\r\n" * 50_000)
    shells.result = (0, b"C:\\Logs\\A.log\r\n", b"")
    task = {"ansible.builtin.fetch": {"src": "C:\\Logs\\A.log", "dest": f"{nest.folder}/came/", "flat": True}}
    assert nest.task(task).status == "changed"
    assert (nest.folder / "came" / "A.log").read_bytes() == place.read_bytes()
    assert nest.task(task).status == "ok"
    place.write_bytes(b"other")
    shells.disks.trouble["a.log"] = guests.DENIED
    found = nest.task(task)
    assert found.status == "failed"
    assert "the guest of VM 'l1' on host 'hv01': 'C:\\Logs\\A.log' was not fetched: access is denied. Way out: " in found.result["msg"]
    assert [each.name for each in (nest.folder / "came").iterdir()] == ["A.log"]


@pytest.mark.psdirect
def test_a_copy_that_cannot_be_is_a_failed_task(nest: Nest, shells: Shells) -> None:
    script = nest.folder / "answer.ps1"
    script.write_bytes(b"exit 3")
    shells.disks.folder("L1", TMP)
    shells.disks.room = 3
    shells.result = (0, f"{TMP}\r\n".encode(), b"")
    found = nest.task({"ansible.builtin.script": str(script)})
    assert found.status == "failed"
    assert f"'{TMP}\\answer.ps1' was not written: the disk is full. Way out: make room" in found.result["msg"]


@pytest.mark.psdirect
def test_it_looks_like_windows_whatever_shell_the_inventory_says(nest: Nest) -> None:
    connection = load(nest, "l1", nest.inventory(l1={"ansible_shell_type": "powershell"}))
    assert connection.transport == "hyperlab.nested.psdirect"
    assert (connection._shell.SHELL_FAMILY, connection._shell._IS_WINDOWS) == ("cmd", True)
    assert connection.module_implementation_preferences[0] == ".ps1"
    assert connection.is_pipelining_enabled()
    assert not connection.allow_executable


@pytest.mark.psdirect
def test_what_core_has_to_offer_is_there() -> None:
    """Names that begin with an underscore may go; on a new core this says so first."""
    assert [*inspect.signature(ConnectionBase._resolve_option_variables).parameters] == ["self", "variables", "templar"]
    assert "host_name" in inspect.signature(HostVars.raw_get).parameters
    assert "loader" in inspect.signature(HostVars.__init__).parameters
    assert "_loader" in inspect.getsource(HostVars.__init__)


@pytest.mark.skipif(CORE >= (2, 19), reason="for older ones")
def test_an_older_core_is_refused_in_words(nest: Nest) -> None:
    for task in (MEMORY, RAW):
        found = nest.task(task)
        assert found.status == "unreachable"
        assert re.search(rf"psdirect of 'l1' does not work with ansible-core {re.escape(core_version)}. Way out: use", found.result["msg"])
    assert not (nest.folder / "hv01.json").exists()
