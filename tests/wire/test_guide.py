"""What the guides and README say of connections, held against the real clients: inventories, requests, symptoms, timeouts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import os
import pathlib
import re
import socket
import textwrap
import typing as t

import pytest
import yaml
from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from winrm.protocol import Protocol

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients, envelope
from ansible_collections.hyperlab.nested.tests.remote_host.effects import Drop, Html, LostInput, Refusal, Restart, Status
from ansible_collections.hyperlab.nested.tests.remote_host.network import PASSWORD, USER
from ansible_collections.hyperlab.nested.tests.wire.site import OPTIONS, PROFILE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult
    from ansible_collections.hyperlab.nested.tests.remote_host.effects import Effect, Result
    from ansible_collections.hyperlab.nested.tests.remote_host.envelope import Message
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

pytestmark = pytest.mark.newest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "docsite" / "rst"
GUIDE = GUIDES / "guide_connections.rst"
README = ROOT / "README.md"
TASKS = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "it", "hyperlab.nested.hyperv_nested": OPTIONS}]}]


def rows(title: str) -> list[tuple[str, ...]]:
    """The rows of a table of the guide, without its header."""
    table = re.split(r"\n(?=\S)", GUIDE.read_text(encoding="utf-8").split(f".. list-table:: {title}\n")[1])[0]
    return [tuple(" ".join(cell.split()) for cell in row.split("\n     - ")) for row in table.split("\n   * - ")[2:]]


# --- inventories


@dataclasses.dataclass(frozen=True)
class Inventory:
    """One that a guide or README shows."""

    book: str
    name: str
    groups: dict[str, t.Any]

    def __str__(self) -> str:
        return f"{self.book}: {self.name}"

    @property
    def variables(self) -> dict[str, t.Any]:
        """All that it says of its one host."""
        [group] = self.groups.values()
        [host] = group["hosts"].values()
        return {**group.get("vars", {}), **(host or {})}

    @property
    def connection(self) -> str:
        return str(self.variables["ansible_connection"])

    @property
    def door(self) -> t.Literal["ssh", "http", "https"]:
        if self.connection == "ssh":
            return "ssh"
        return "http" if self.variables.get("ansible_port") == 5985 else "https"

    @property
    def playable(self) -> bool:
        """A remote host of the tests has neither a domain nor users with certificates."""
        chosen = {self.variables.get("ansible_winrm_transport"), self.variables.get("ansible_psrp_auth")}
        return not chosen & {"kerberos", "certificate"}

    def of(self, host: RemoteHost) -> dict[str, t.Any]:
        """The same for a remote host: what names the reader's own things names that host's; nothing else is different."""
        files = host.network.folder
        own = {
            "ansible_user": USER,
            "ansible_password": PASSWORD,
            "ansible_winrm_ca_trust_path": str(files / "ca.pem"),
            "ansible_psrp_ca_cert": str(files / "ca.pem"),
            "ansible_ssh_private_key_file": str(files / "id_ed25519"),
        }
        own = {name: value for name, value in own.items() if name in self.variables}
        place = {"ansible_host": "127.0.0.1", "ansible_port": host.ports[self.door]}
        if self.connection == "ssh":  # a reader's known_hosts, and the key that his ssh takes when no other is named
            key = "" if "ansible_ssh_private_key_file" in own else f" -o IdentityFile={files}/id_ed25519"
            own["ansible_ssh_args"] = f"-F none -o UserKnownHostsFile={files}/known_hosts -o ControlMaster=no -o IdentitiesOnly=yes{key}"
        [(name, group)] = self.groups.items()
        [(inventory_host, said)] = group["hosts"].items()
        return {name: {**group, "hosts": {inventory_host: {**(said or {}), **own, **place}}}}

    def trust(self, host: RemoteHost) -> dict[str, str]:
        """The environment of a controller that knows the host's authority, where the inventory takes that for granted."""
        named = {"ansible_winrm_ca_trust_path", "ansible_psrp_ca_cert"} & set(self.variables)
        return {} if named else {"REQUESTS_CA_BUNDLE": str(host.network.folder / "ca.pem")}


def inventories(path: pathlib.Path) -> Iterator[Inventory]:
    """Those with Ansible's own connections and no other; the first line of a block may name it."""
    markdown = path.suffix == ".md"
    block = r"^```yaml\n((?:.*\n)*?)```" if markdown else r"^\.\. code-block:: yaml\n\n((?: {4}.*\n|\n)+)"
    for found in re.findall(block, path.read_text(encoding="utf-8"), re.MULTILINE):
        text = textwrap.dedent(found)
        connections = re.findall(r"^ *ansible_connection: (\S+)", text, re.MULTILINE)
        if connections in (["winrm"], ["psrp"], ["ssh"]):
            name = text.splitlines()[0].removeprefix("# ") if text.startswith("# ") else connections[0]
            yield Inventory(path.stem, name, _groups(yaml.safe_load(text)))


def _groups(data: dict[str, t.Any]) -> dict[str, t.Any]:
    """A whole inventory, made of one, of a host with its variables, or of variables alone."""
    if "ansible_connection" in data:
        data = {"hv01": data}
    return data if "hosts" in next(iter(data.values())) else {"all": {"hosts": data}}


SHOWN = [inventory for path in (README, *sorted(GUIDES.glob("*.rst"))) for inventory in inventories(path)]
shown = pytest.mark.parametrize("inventory", SHOWN, ids=str)
REQUESTS = {name: (int(ok), int(changed)) for name, ok, changed in rows("Requests of one task")}


def test_all_of_them_are_found() -> None:
    assert sorted(one.connection for one in SHOWN if one.book == README.stem) == ["psrp", "ssh", "winrm"]
    in_guide = [one for one in SHOWN if one.book == GUIDE.stem]
    assert [one.name for one in in_guide if one.playable] == list(REQUESTS)
    assert sum("Kerberos" in one.name for one in in_guide) == sum("certificate" in one.name for one in in_guide) == 2
    assert GUIDE.read_text(encoding="utf-8").count("ansible_connection: ") == len(in_guide)


@shown
def test_every_option_is_one_of_the_connection(inventory: Inventory) -> None:
    connection = connection_loader.get(inventory.connection, PlayContext(), os.devnull)
    options = constants.config.get_configuration_definitions("connection", inventory.connection)
    known = {variable["name"] for option in options.values() for variable in option.get("vars", [])}
    known |= {"ansible_connection", "ansible_shell_type"}
    if inventory.connection == "winrm":
        known |= {f"ansible_winrm_{name}" for name in inspect.signature(Protocol).parameters}
    assert set(inventory.variables) <= known
    # choices and types
    extras = {name: value for name, value in inventory.variables.items() if name.startswith("ansible_winrm_")}
    connection.set_options(var_options={**inventory.variables, "_extras": extras})


@pytest.mark.parametrize("inventory", [one for one in SHOWN if one.playable], ids=str)
def test_an_inventory_works(inventory: Inventory, network: Network, play: Play) -> None:
    lab = Lab(PROFILE)
    host = network.host(lab)
    host.default_shell = inventory.variables.get("ansible_shell_type", "powershell")
    counts = []
    for status in ("changed", "ok"):
        host.requests.clear()
        played = play(TASKS, inventory.of(host), env=inventory.trust(host)).succeeded()
        assert played.of("it").status == status
        assert "[WARNING]" not in played.output
        counts.append(len(host.requests))
    assert {request.door for request in host.requests} == {inventory.door}
    assert ("Logon" in host.verbs()) is (inventory.connection != "ssh")  # all of them are NTLM
    assert not host.shells
    if inventory.name in REQUESTS:
        assert (counts[1], counts[0]) == REQUESTS[inventory.name]


@pytest.mark.parametrize("default_shell", ["powershell", "cmd"])
def test_ssh_works_without_a_shell_type(default_shell: t.Literal["powershell", "cmd"], network: Network, play: Play) -> None:
    host = network.host(Lab(PROFILE))
    host.default_shell = default_shell
    variables = {**clients.variables(host, clients.SSH), "ansible_shell_type": None}
    assert play(TASKS, {"all": {"hosts": {"hv": variables}}}).succeeded().of("it").status == "changed"


# --- symptoms

WINRM, WINRM_NTLM, PSRP, PSRP_NTLM, SSH = clients.WAYS


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with a host or with what the inventory says of it, and what the guide says is seen then."""

    says: str
    way: str
    settings: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    effect: Effect | None = None
    verb: str = "Create"
    nth: int = 1
    result: Result | None = None
    certificate_for: str = "127.0.0.1"

    def host(self, network: Network) -> dict[str, t.Any]:
        """One that has it: its variables."""
        host = network.host(Lab(PROFILE), certificate_for=self.certificate_for)
        host.patience = 0.1
        if self.effect:
            host.plan(self.effect, self.verb, nth=self.nth)
        if self.result:
            host.spoil = lambda _result: t.cast("Result", self.result)
        return {**clients.variables(host, self.way), **self.settings}


NOWHERE = {"ansible_host": "nowhere.invalid"}
PROXY = "http://127.0.0.1:9"
FAULTS = [
    Fault("the specified credentials were rejected by the server", WINRM, {"ansible_password": "wrong"}),
    Fault("the specified credentials were rejected by the server", WINRM_NTLM, {"ansible_winrm_transport": "basic"}),
    Fault("failed to authenticate with the server", PSRP_NTLM, {"ansible_password": "wrong"}),
    Fault("Cannot use message encryption with auth 'basic'", PSRP_NTLM, {"ansible_psrp_auth": "basic"}),
    Fault("Permission denied", SSH, {"ansible_user": "nobody"}),
    Fault("Access is denied", WINRM, effect=Refusal(envelope.ACCESS_DENIED), verb="Command"),
    Fault("Access is denied", PSRP, effect=Refusal(envelope.ACCESS_DENIED)),
    Fault("Connection refused", WINRM, {"ansible_port": "closed"}),
    Fault("Connection refused", SSH, {"ansible_port": "closed"}),
    Fault(
        "Read timed out",
        WINRM_NTLM,
        {"ansible_port": "silent", "ansible_winrm_read_timeout_sec": 2, "ansible_winrm_operation_timeout_sec": 1},
    ),
    Fault("Read timed out", PSRP_NTLM, {"ansible_port": "silent", "ansible_psrp_read_timeout": 2, "ansible_psrp_operation_timeout": 1}),
    Fault("read_timeout_sec must exceed operation_timeout_sec", WINRM, {"ansible_winrm_operation_timeout_sec": 60}),
    Fault("Failed to resolve", WINRM, NOWHERE),
    Fault("Failed to resolve", PSRP, NOWHERE),
    Fault("Could not resolve hostname", SSH, NOWHERE),
    Fault("unable to get local issuer certificate", WINRM, {"ansible_winrm_ca_trust_path": None}),
    Fault("unable to get local issuer certificate", PSRP, {"ansible_psrp_ca_cert": None}),
    Fault("certificate is not valid for", WINRM, certificate_for="elsewhere.example"),
    Fault("certificate is not valid for", PSRP, certificate_for="elsewhere.example"),
    Fault("SSLError", WINRM_NTLM, {"ansible_winrm_scheme": "https"}),
    Fault("SSLError", PSRP_NTLM, {"ansible_psrp_protocol": "https"}),
    Fault("Connection aborted", WINRM, {"ansible_winrm_scheme": "http", "ansible_winrm_transport": "ntlm"}),
    Fault("Code 404", WINRM, {"ansible_winrm_path": "/elsewhere"}),
    Fault("Code: 404", PSRP, {"ansible_psrp_path": "elsewhere"}),
    Fault("Code 403", WINRM, effect=Status(403)),
    Fault("Code: 403", PSRP, effect=Status(403)),
    Fault("Code 500", WINRM, effect=Status(500)),
    Fault("Code: 500", PSRP, effect=Status(500)),
    Fault("related id does not match", PSRP, effect=Html()),
    Fault("StopIteration", WINRM, effect=Html(), verb="Command"),
    Fault("ntlm", WINRM_NTLM, effect=Html()),
    Fault("Unable to connect to proxy", WINRM, {"ansible_winrm_proxy": PROXY}),
    Fault("Unable to connect to proxy", PSRP, {"ansible_psrp_proxy": PROXY}),
    Fault("kerberos library is not installed", WINRM, {"ansible_winrm_transport": "kerberos"}),
    Fault("requires the Python gssapi library", PSRP, {"ansible_psrp_auth": "kerberos"}),
    Fault("Host key verification failed", SSH, {"ansible_ssh_args": "-F none -o UserKnownHostsFile=/dev/null -o ControlMaster=no"}),
    Fault("unsupported by pywinrm", WINRM, {"ansible_winrm_tarnsport": "ntlm"}),
    Fault("lost the host during the task", WINRM, effect=Drop(), verb="Receive"),
    Fault("lost the host during the task", PSRP, effect=Drop(), verb="Command"),
    Fault("The remote shell is gone", WINRM, effect=Restart(), verb="Command", nth=2),
    Fault("The remote shell is gone", PSRP, effect=Restart(), verb="Command", nth=2),
    Fault("The remote shell was aborted", WINRM, effect=Refusal(envelope.ABORTED), verb="Receive"),
    Fault("The remote shell was aborted", PSRP, effect=Refusal(envelope.ABORTED), verb="Receive", nth=2),
    Fault("The session is no longer valid", WINRM_NTLM, effect=Status(400), verb="Command"),
    Fault("The session is no longer valid", PSRP_NTLM, effect=Status(400), verb="Command"),
    Fault("MaxConcurrentOperationsPerUser", PSRP, effect=Refusal(envelope.TOO_MANY_OPERATIONS), verb="Command"),
    Fault("MaxEnvelopeSizekb", PSRP, effect=Status(413), verb="Send"),
    Fault("winrm send_input failed", WINRM, effect=Status(413), verb="Send"),
    Fault("winrm send_input failed", WINRM, effect=Refusal(envelope.BUSY), verb="Send"),
    Fault("runner_refused_truncated", WINRM, effect=LostInput(), verb="Send"),
    Fault("reply_cut", SSH, result=(0, b'{"hyperlab": {"protocol": 1, "ste', b"")),
    Fault("no_reply", SSH, result=(1, b"", b"'PowerShell' is not recognized")),
    Fault("runner_refused_language_mode", PSRP, result=(4, b'{"hyperlab":{"refused":"language_mode"}}', b"")),
    Fault("not_windows", SSH, {"ansible_shell_type": None}, result=(127, b"", b"sh: 1: PowerShell: not found")),
]


def test_every_symptom_of_the_guide_is_seen(network: Network, play: Play) -> None:
    named = {word for title in ("Connecting", "In a task") for row in rows(title) for word in re.findall(r"``(.+?)``", row[0])}
    assert {fault.says for fault in FAULTS} == named
    hosts = {f"hv{number}": fault.host(network) for number, fault in enumerate(FAULTS)}
    with ports() as numbers:
        for variables in hosts.values():
            variables["ansible_port"] = numbers.get(variables["ansible_port"], variables["ansible_port"])
        played = play(TASKS, {"all": {"hosts": hosts}}, "--forks=8")
    warnings = " ".join(played.output.split())
    for name, fault in zip(hosts, FAULTS, strict=True):
        result = played.of("it", name).result
        texts = [result.get("msg", ""), result.get("error_code", ""), warnings if result["changed"] else ""]
        assert any(fault.says in text for text in texts), (fault, texts)


@contextlib.contextmanager
def ports() -> Iterator[dict[t.Any, int]]:
    """Two without a host: at one nobody listens, and at the other nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            closed = taken.getsockname()[1]
        yield {"closed": closed, "silent": silent.getsockname()[1]}


# --- interruptions


def one_for_each_way(network: Network) -> dict[str, RemoteHost]:
    """Hosts by the way to connect, all but SSH's."""
    return {way: network.host(Lab(PROFILE)) for way in clients.WAYS if way != SSH}


def played_on(hosts: dict[str, RemoteHost], play: Play, **keywords: t.Any) -> PlayResult:
    """The task on all of them, with these keywords."""
    [the_play] = TASKS
    tasks = [{**task, **keywords} for task in t.cast("list[dict[str, t.Any]]", the_play["tasks"])]
    return play([{**the_play, "tasks": tasks}], {"all": {"hosts": {way: clients.variables(host, way) for way, host in hosts.items()}}})


def never_answers(host: RemoteHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants the output of its second process waits."""
    answer = host.answer

    async def patient_answer(message: Message) -> str:
        if message.verb == "Receive" and host.calls == 2:
            await asyncio.Event().wait()
        return await answer(message)

    monkeypatch.setattr(host, "answer", patient_answer)


def test_a_timeout_ends_the_shell_over_https_alone(network: Network, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = one_for_each_way(network)
    for host in hosts.values():
        never_answers(host, monkeypatch)
    played = played_on(hosts, play, timeout=2)
    for way, host in hosts.items():
        result = played.of("it", way)
        assert result.status == "failed"
        assert "on the host" not in result.result["msg"]
        assert host.calls == 2
        assert len(host.shells) == way.endswith("ntlm"), way


def test_a_lost_connection_ends_the_shell_over_https_alone(network: Network, play: Play) -> None:
    endings = re.findall(r"^- ``(.+safe to run the task again.*)``$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    for process, ending in enumerate(endings, start=1):
        hosts = one_for_each_way(network)
        for way, host in hosts.items():
            host.plan(Drop(), "Receive", nth=process + way.startswith("psrp"))
        played = played_on(hosts, play)
        for way, host in hosts.items():
            result = played.of("it", way)
            assert (result.status, len(host.shells)) == ("unreachable", way.endswith("ntlm")), way
            assert result.result["msg"].endswith(ending)
    assert len(endings) == 2
