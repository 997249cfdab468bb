"""The whole lab through a Hyper-V host that Ansible's own winrm and ssh reach: guests in guests take the same road."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils import _restart
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.tests import whole_lab
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients
from ansible_collections.hyperlab.nested.tests.whole_lab import L1_PASSWORD, L2_PASSWORD, changed, proven

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

pytestmark = [pytest.mark.newest, pytest.mark.psdirect]
BETWEEN = 30.0
"""Simulated seconds between two remote processes: enough for a start of Windows now and then."""


class Machine(Lab):
    """A lab on whose clock time passes between the remote processes, as it does on a real host."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        power.wait(self.host, BETWEEN)
        return super().exec_command(cmd, in_data, sudoable)


@pytest.mark.parametrize("way", [clients.WINRM, clients.PSRP, clients.SSH])
def test_there_and_back(way: str, network: Network, play: Play, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Over winrm; with --wire over the others, too."""
    if way != clients.WINRM and not request.config.getoption("--wire"):
        pytest.skip("only with --wire")
    whole_lab.warm_up()
    monkeypatch.setattr(_restart, "PAUSE", 0.0)  # time passes on the machine
    machine = Machine(whole_lab.PROFILE)
    remote = network.host(machine)
    inventory = whole_lab.inventory(clients.variables(remote, way))

    def played(playbook: str) -> PlayResult:
        result = play(whole_lab.lab(playbook), inventory, "-vvv").succeeded()
        assert [word for word in (L1_PASSWORD, L2_PASSWORD) if word in result.output] == []
        assert not remote.errors
        assert not remote.shells
        return result

    bare = machine.plain()
    assert proven(played("lab")) == whole_lab.PROVEN
    again = played("lab")
    assert (changed(again), proven(again)) == ([], whole_lab.PROVEN)
    played("lab_absent")
    assert whole_lab.configuration(machine.plain()) == whole_lab.configuration({**bare, "hyperv_module": False})
