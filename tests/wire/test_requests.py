"""What a task costs on the wire, how much passes, and which texts do."""

from __future__ import annotations

import math
import typing as t
import unicodedata

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._steps import From, Step
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import to_request
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import ConnectionTransport
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer
    from ansible_collections.hyperlab.nested.tests.plays import Play
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

WINRM = ["Create", "Command", "Send", "Receive", "Signal", "Delete"]
PSRP = ["Create", "Receive", "Command", "Send", "Receive", "Delete"]
NTLM = ["Logon", "Logon", "Logon"]
ONE_PROCESS = {
    clients.WINRM: WINRM,
    clients.WINRM_NTLM: NTLM + WINRM,
    clients.PSRP: PSRP,
    clients.PSRP_NTLM: NTLM + PSRP,
    clients.SSH: ["Exec"],
}
TWO_PROCESSES = {
    clients.WINRM: [*WINRM[:-1], "Command", "Send", "Receive", "Signal", "Delete"],
    clients.WINRM_NTLM: [*NTLM, *WINRM[:-1], "Command", "Send", "Receive", "Signal", "Delete"],
    clients.PSRP: [*PSRP[:-1], "Signal", "Command", "Send", "Receive", "Delete"],
    clients.PSRP_NTLM: [*NTLM, *PSRP[:-1], "Signal", "Command", "Send", "Receive", "Delete"],
    clients.SSH: ["Exec", "Exec"],
}
ways = pytest.mark.parametrize("way", clients.WAYS)


@ways
def test_requests_of_a_task(way: str, network: Network, play: Play) -> None:
    lab = Lab({"based_on": "server2022-intel", "vms": [{"name": "l1-a"}]})
    host = network.host(lab)
    inventory = {"all": {"hosts": {"hv": clients.variables(host, way)}}}
    task = {"name": "it", "hyperlab.nested.hyperv_nested": {"vms": "l1-a"}}
    playbook = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    assert play(playbook, inventory).succeeded().of("it").status == "changed"
    assert host.verbs() == TWO_PROCESSES[way]
    assert not host.shells
    host.requests.clear()
    assert play(playbook, inventory).succeeded().of("it").status == "ok"
    assert host.verbs() == ONE_PROCESS[way]
    assert host.verbs().count("Create") <= 1
    assert not host.shells


class Connected:
    """A connection that is closed at the end, and what was asked of the host meanwhile."""

    def __init__(self, host: RemoteHost, way: str) -> None:
        self.host = host
        self._connection = clients.connect(host, way)
        self._transport = ConnectionTransport(self._connection)

    def run(self, *steps: Step) -> list[Answer]:
        self.host.requests.clear()
        return self._transport.run(steps)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(params=clients.WAYS)
def connected(request: pytest.FixtureRequest, network: Network) -> Iterator[Connected]:
    lab = Lab({"based_on": "server2022-intel", "vms": [{"name": "l1-a"}]})
    found = Connected(network.host(lab), request.param)
    yield found
    found.close()
    assert not found.host.shells


SIZES = [1_000, 200_000, 2_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_payloads_pass(connected: Connected, size: int) -> None:
    step = Step("Hyper-V\\Get-VM", {"Name": ["x" * size]}, where={"Name": "l1-a"})
    [answer] = connected.run(step)
    assert [fault.category for fault in answer.faults] == ["InvalidArgument"]  # there is no VM of that name, so it was understood
    sends = [request for request in connected.host.requests if request.verb == "Send"]
    assert len(sends) <= math.ceil(len(to_request([step]).to_bytes()) / 200_000)


@pytest.mark.parametrize("size", SIZES)
def test_replies_pass(connected: Connected, size: int) -> None:
    notes = "x" * (size // 10)
    write = Step("Hyper-V\\Set-VM", {"VM": From(save="vms"), "Notes": notes})
    reads = [Step("Hyper-V\\Get-VM", save="vms", select=("Notes",)) for _time in range(10)]
    connected.run(Step("Hyper-V\\Get-VM", save="vms"), write)
    answers = connected.run(*reads)
    assert [row["Notes"] for answer in answers for row in answer.rows] == [notes] * 10
    receives = [request for request in connected.host.requests if request.verb == "Receive"]
    assert len(receives) <= 1 + math.ceil(size * 1.01 / 100_000)


def test_every_character_passes(connected: Connected) -> None:
    everything = "".join(chr(code) for code in range(1, 0x11_0000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs"))
    names = [everything[at : at + 100] for at in range(0, len(everything), 100)]
    write = Step("Hyper-V\\Set-VM", {"VM": From(save="vms"), "Notes": everything})
    read = Step("Hyper-V\\Get-VM", select=("Notes",))
    found = connected.run(Step("Hyper-V\\Get-VM", save="vms"), write, read)[2].rows[0]["Notes"]
    assert found == everything
    named = Lab({"based_on": "server2022-intel", "vms": [{"name": f"l1-{number}"} for number in range(len(names))]})
    for vm, name in zip(named.host.vms, names, strict=True):
        vm.name = name  # YAML would not take all of them
    connected.host.machine = named
    [answer] = connected.run(Step("Hyper-V\\Get-VM", select=("Name",)))
    assert [row["Name"] for row in answer.rows] == names
