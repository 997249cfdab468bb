"""Guests through a Hyper-V host that Ansible's own winrm, psrp and ssh reach: what it costs, what arrives, and what can break."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import replace

import pytest
from ansible.plugins.action import ActionBase
from ansible.utils.hashing import checksum_s

from ansible_collections.hyperlab.nested.plugins.connection import psdirect
from ansible_collections.hyperlab.nested.plugins.plugin_utils._files import PIECE
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import PREFIX
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Fault
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import LocalHost
from ansible_collections.hyperlab.nested.tests import guests
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.guests import PASSWORDS, Shells
from ansible_collections.hyperlab.nested.tests.remote_host import clients, envelope
from ansible_collections.hyperlab.nested.tests.remote_host.effects import Drop, LostInput, Refusal, Restart, Status
from ansible_collections.hyperlab.nested.tests.wire.site import NOTHING_CHANGED, UNKNOWN
from ansible_collections.hyperlab.nested.tests.wire.test_requests import ONE_PROCESS, TWO_PROCESSES

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from ansible_collections.hyperlab.nested.tests.guests import Yaml
    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult
    from ansible_collections.hyperlab.nested.tests.remote_host.effects import Effect
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

pytestmark = [pytest.mark.newest, pytest.mark.psdirect]
ways = pytest.mark.parametrize("way", clients.WAYS)
http_ways = pytest.mark.parametrize("way", [way for way in clients.WAYS if way != clients.SSH])
MEMORY = {"hyperlab.nested.hyperv_vm_memory": {"vms": "inner", "startup": "2GB"}}


class GuestLab(Lab):
    """A lab whose guests have shells."""

    def __init__(self, profile: Yaml, shells: Shells) -> None:
        super().__init__(profile)
        self._session = shells.session()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        return LocalHost(self.host, session=self._session).exec_command(cmd, in_data, sudoable)


class Site:
    """A Hyper-V host on loopback with guests in guests, and plays in them."""

    def __init__(self, network: Network, play: Play, folder: pathlib.Path, way: str) -> None:
        self.shells = Shells(folder / "notes.jsonl")
        self.lab = GuestLab(guests.lab(), self.shells)
        self.host = network.host(self.lab)
        self.host.patience = 0.1
        self.variables = clients.variables(self.host, way)
        self._play = play

    def play(self, task: Yaml, hosts: str = "l1", *arguments: str, **variables: t.Any) -> PlayResult:
        """Further variables are the Hyper-V host's."""
        self.host.requests.clear()
        inventory = guests.inventory({**self.variables, **variables})
        played = self._play(
            [{"hosts": hosts, "gather_facts": False, "tasks": [{"name": "it", **task}]}],
            {"all": {"hosts": inventory}},
            "--forks=4",
            "-vvv",
            *arguments,
        )
        assert "Traceback" not in played.output, played.output
        assert "DEPRECATION" not in played.output, played.output
        assert not self.host.errors
        return played


@pytest.fixture
def site(network: Network, play: Play, tmp_path: pathlib.Path) -> t.Callable[[str], Site]:
    return lambda way: Site(network, play, tmp_path, way)


@ways
@pytest.mark.parametrize("guest", ["l1", "web", "l3.example"])
def test_a_task_in_a_guest_asks_the_host_for_no_more_than_one_on_the_host(site: t.Callable[[str], Site], way: str, guest: str) -> None:
    here = site(way)
    assert here.play(MEMORY, guest).succeeded().of("it").status == "changed"
    assert here.host.verbs() == TWO_PROCESSES[way]
    assert not here.host.shells
    assert here.play(MEMORY, guest).succeeded().of("it").status == "ok"
    assert here.host.verbs() == ONE_PROCESS[way]
    assert not here.host.shells


@ways
def test_guests_at_the_same_time(site: t.Callable[[str], Site], way: str) -> None:
    here = site(way)
    played = here.play(MEMORY, "l1,l1b,web,l3.example").succeeded()
    assert {played.of("it", guest).status for guest in ("l1", "l1b", "web", "l3.example")} == {"changed"}
    assert here.host.calls == 8
    assert not here.host.shells


@ways
def test_raw(site: t.Callable[[str], Site], way: str) -> None:
    here = site(way)
    here.shells.result = (3, "größer\r\n".encode() * 5000, b"\xff\xfe")
    found = here.play({"ansible.builtin.raw": "Get-Content größer.txt"}, "web").of("it").result
    assert (found["rc"], found["stdout"]) == (3, "größer\r\n" * 5000)
    assert here.host.verbs() == ONE_PROCESS[way]
    [(windows, line)] = here.shells.noted("line")
    assert windows == "L2 WEB"
    assert base64.b64decode(line.rpartition(PREFIX)[2]).decode("utf-16-le") == "Get-Content größer.txt"


@ways
@pytest.mark.parametrize(("guest", "windows"), [("l1", "L1"), ("l3.example", "L3")])
def test_a_script_is_a_file_that_is_copied(
    site: t.Callable[[str], Site], tmp_path: pathlib.Path, way: str, guest: str, windows: str
) -> None:
    here = site(way)
    there = "C:\\Temp\\ansible-tmp-1"
    folder = here.shells.disks.folder(windows, there)
    here.shells.result = (0, f"{there}\r\n".encode(), b"")
    script = tmp_path / "answer.ps1"
    script.write_bytes(b"# canary-file\r\n" * (2 * PIECE // 15 + 1))
    here.play({"ansible.builtin.script": str(script)}, guest).succeeded()
    assert (folder / "answer.ps1").read_bytes() == script.read_bytes()
    assert [path.name for path in folder.iterdir()] == ["answer.ps1"]
    assert here.host.calls == 3 + 3, "a folder, the script, its removal; and three pieces of the file"
    assert not here.host.shells


@ways
def test_a_file_is_fetched(site: t.Callable[[str], Site], tmp_path: pathlib.Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = site(way)
    data = bytes(range(256)) * (PIECE // 256) + b"x"
    (here.shells.disks.folder("L2 WEB", "C:\\Logs") / "a.log").write_bytes(data)
    stat = {"exists": True, "checksum": checksum_s(data)}
    monkeypatch.setattr(ActionBase, "_execute_remote_stat", lambda *args, **named: stat)
    here.play({"ansible.builtin.fetch": {"src": "C:\\Logs\\a.log", "dest": f"{tmp_path}/came/", "flat": True}}, "web").succeeded()
    assert (tmp_path / "came" / "a.log").read_bytes() == data
    assert here.host.calls == 2


MODULE = """#!powershell
#AnsibleRequires -CSharpUtil Ansible.Basic
"""


@ways
@pytest.mark.parametrize("guest", ["l1", "web"])
def test_an_ordinary_powershell_module(site: t.Callable[[str], Site], tmp_path: pathlib.Path, way: str, guest: str) -> None:
    here = site(way)
    (tmp_path / "answer.ps1").write_text(MODULE)
    here.shells.result = (0, b'{"changed": false, "answer": 42}\r\n', b"")
    options = {"text": "ä€😀" * 100_000, "secret": "canary-option"}
    played = here.play({"answer": options}, guest, "--module-path", str(tmp_path)).succeeded()
    assert played.of("it").result["answer"] == 42
    assert "canary-option" not in re.sub(r'"module_args".*', "", played.output, flags=re.DOTALL)
    assert here.host.verbs().count("Command") == (0 if way == clients.SSH else 1)
    [(_windows, line)] = here.shells.noted("line")
    [stdin] = here.shells.stdin()
    assert " -EncodedCommand " in line
    wrapper, manifest = (json.loads(part) for part in stdin.split(b"\n\0\0\0\0\n"))
    assert wrapper["name"] == "exec_wrapper"
    assert [*found_in(manifest, "text")] == [options["text"]]
    assert [*found_in(manifest, "secret")] == [options["secret"]]


def found_in(value: t.Any, key: str) -> Iterator[t.Any]:
    """What stands under a key, however deep."""
    if isinstance(value, dict):
        yield from ([value[key]] if key in value else [])
        for inner in value.values():
            yield from found_in(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found_in(inner, key)


@ways
@pytest.mark.parametrize("guest", ["l1", "web"])
def test_a_session_that_did_not_open_costs_one_remote_process_more(
    site: t.Callable[[str], Site], way: str, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psdirect, "PAUSES", (0.0, 0.0))
    here = site(way)
    on_the_way = here.lab.host if guest == "l1" else here.lab.host.vms[0].guest.windows
    assert on_the_way
    shut = Fault(cmdlet="Invoke-Command", id="PSSessionStateBroken", category="OpenError", reason="NullReferenceException")
    # the first try of the first process; and of the second, which writes, both tries but the last
    on_the_way.faults = [replace(shut, after=number, times=1) for number in (0, 2, 3)]
    assert here.play(MEMORY, guest).succeeded().of("it").status == "changed"
    assert here.host.calls == 2 + 3
    assert not here.host.shells


# --- what can break

EFFECTS: dict[str, tuple[Effect, str, int, str, str]] = {
    # what happens to which request of which process, what is said, and what is known then
    "401 when it connects": (Status(401), "Create", 1, "credentials were rejected|authenticate", "Nothing was run there"),
    "500 when it connects": (Status(500), "Create", 1, "500", "Nothing was run there"),
    "a drop while it reads": (Drop(reset=True), "Receive", 1, "", NOTHING_CHANGED),
    "a drop before it writes": (Drop(reset=True), "Command", 2, "", UNKNOWN),
    "a drop after it wrote": (Drop(done=True), "Receive", 2, "", UNKNOWN),
    "a restart in between": (Restart(), "Command", 2, "was restarted", UNKNOWN),
    "an aborted shell": (Refusal(envelope.ABORTED), "Receive", 2, "The remote shell was aborted", UNKNOWN),
}


@pytest.mark.parametrize("case", EFFECTS)
@pytest.mark.parametrize("way", [clients.WINRM, clients.PSRP_NTLM])
def test_the_connection_of_the_host_breaks(site: t.Callable[[str], Site], way: str, case: str) -> None:
    effect, verb, process, says, known = EFFECTS[case]
    here = site(way)
    # psrp receives once for the runspace pool, before any process
    here.host.plan(effect, verb, nth=process + (verb == "Receive" and way == clients.PSRP_NTLM))
    found = here.play(MEMORY).of("it")
    assert found.status == "unreachable", found.result
    assert re.search("the way to VM 'l1' on host 'hv01' broke at that host: ", found.result["msg"])
    assert re.search(says, found.result["msg"]), found.result["msg"]
    assert known in found.result["msg"], found.result["msg"]
    here.host.plans.clear()
    assert here.play(MEMORY).succeeded().of("it").status in {"changed", "ok"}
    assert here.lab.look("vms.l1.guest.windows.vms.inner.memory.startup") == 2 * 1024**3


@pytest.mark.parametrize("way", [clients.WINRM, clients.PSRP_NTLM])
def test_the_connection_of_the_host_breaks_in_the_middle_of_a_file(site: t.Callable[[str], Site], tmp_path: pathlib.Path, way: str) -> None:
    here = site(way)
    there = "C:\\Temp\\ansible-tmp-1"
    folder = here.shells.disks.folder("L2 WEB", there)
    here.shells.result = (0, f"{there}\r\n".encode(), b"")
    script = tmp_path / "answer.ps1"
    script.write_bytes(bytes(2 * PIECE + 1))
    # the folder, the first piece, the second; psrp receives once more, before any process
    here.host.plan(Drop(done=True), "Receive", nth=3 + (way == clients.PSRP_NTLM))
    found = here.play({"ansible.builtin.script": str(script)}, "web").of("it")
    assert found.status == "unreachable"
    assert "broke at that host: " in found.result["msg"]
    assert re.search("Whether '.*answer.ps1' was written is unknown; it is never there in part$", found.result["msg"]), found.result["msg"]
    assert [*folder.iterdir()] == [], "what was unfinished is removed over a new connection"


def test_ssh_breaks(site: t.Callable[[str], Site]) -> None:
    here = site(clients.SSH)
    here.host.plan(Drop(done=True), "Exec", nth=2)
    found = here.play(MEMORY).of("it")
    assert found.status == "unreachable"
    assert re.search(f"VM 'l1' on host 'hv01' broke at that host: .*{UNKNOWN}", found.result["msg"], re.DOTALL), found.result["msg"]


@http_ways
def test_a_wrong_password_of_the_host_is_said_in_its_connections_words(site: t.Callable[[str], Site], way: str) -> None:
    found = site(way).play(MEMORY, "web", ansible_password="wrong").of("it")
    assert found.status == "unreachable"
    assert re.search("VM 'l1' on host 'hv01' broke at that host: .*(rejected|authenticate)", found.result["msg"])


def test_half_of_the_input_runs_nothing(site: t.Callable[[str], Site]) -> None:
    here = site(clients.WINRM)
    here.host.plan(LostInput(), "Send", nth=1)
    found = here.play({"ansible.builtin.raw": "x" * 1000}).of("it")
    assert found.status == "unreachable"
    assert "host 'hv01': the runner refused: the host got only a part" in found.result["msg"]
    assert "unknown" not in found.result["msg"]
    assert here.shells.noted("line") == []


@http_ways
def test_waiting_leaves_no_shell_open(site: t.Callable[[str], Site], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows gives a user 30; winrm's own reset() opens another one and forgets the first."""
    monkeypatch.setattr(ActionBase, "_execute_module", guests.ping)
    here = site(way)
    here.lab.host.vms[0].guest.powershell_direct = False
    wait = {"ansible.builtin.wait_for_connection": {"sleep": 0, "timeout": 1}}
    assert here.play(wait).of("it").status == "failed"
    assert here.host.verbs().count("Create") > 2
    assert not here.host.shells


# --- secrets


@ways
def test_no_password_is_shown_or_sent_to_the_wrong_guest(site: t.Callable[[str], Site], way: str) -> None:
    here = site(way)
    played = here.play(MEMORY, "l1,l1b,web", "-vvvvv").succeeded()
    assert [word for word in (*PASSWORDS.values(), "$from", "Set-StrictMode") if word in played.output] == []
    got: dict[str, set[str]] = {}
    for windows, secrets in here.shells.noted("secrets"):
        got.setdefault(windows, set()).update(secrets)
    assert [got[name] for name in ("L1", "L1-B", "L2 WEB")] == [{PASSWORDS["l2 web"]}, set(), set()]
