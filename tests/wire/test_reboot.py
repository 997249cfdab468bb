"""A host that restarts under Ansible's own connections: every one of them finds its way back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab, Patient
from ansible_collections.hyperlab.nested.tests.remote_host import clients
from ansible_collections.hyperlab.nested.tests.remote_host.effects import Drop

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import Connection
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

PROFILE = {"based_on": "server2022-intel", "hyperv": "absent"}
OPTIONS = {"reboot": True}
THIRD = 3
"""The remote process that asks for the restart, behind one that reads and one that writes."""


class Site(Lab):
    """A lab whose machine hangs up on everybody whenever Windows in it starts again."""

    def __init__(self, network: Network) -> None:
        super().__init__(PROFILE)
        self.network = network
        self.remote: RemoteHost = network.host(self)
        self.restarts = 0

    def patient(self, connection: Connection) -> Patient:
        return Watching(connection, self)


class Watching(Patient):
    def sleep(self, seconds: float) -> None:
        site = t.cast("Site", self._lab)
        booted = site.host.booted
        super().sleep(seconds)
        if site.host.booted != booted:
            site.network.restart(site.remote)
            site.restarts += 1


@pytest.mark.parametrize(
    ("way", "dropped"),
    [*((way, False) for way in clients.WAYS), *((way, True) for way in (clients.WINRM, clients.PSRP, clients.SSH))],
)
def test_the_host_restarts(network: Network, way: str, dropped: bool) -> None:
    site, twin = Site(network), Lab(PROFILE)
    if dropped:
        # psrp receives once for its runspace pool, before any process
        verb, nth = ("Exec", THIRD) if way == clients.SSH else ("Receive", THIRD + way.startswith("psrp"))
        site.remote.plan(Drop(done=True, reset=True), verb, nth=nth)
    connection = clients.connect(site.remote, way)
    try:
        result = site.task("hyperv_feature", OPTIONS, connection=connection)
        assert not result.get("failed"), result
        assert (result["rebooted"], result["features"]["hyperv"]) == (True, "installed")
        assert result["commands"] == twin.task("hyperv_feature", OPTIONS)["commands"]
        assert site.restarts == 2, "ours, and the one that Windows makes by itself"
        again = site.task("hyperv_feature", OPTIONS, connection=connection)
        assert (again["changed"], again["rebooted"]) == (False, False)
    finally:
        connection.close()
    assert not site.remote.shells
    assert power.answers(site.host)
