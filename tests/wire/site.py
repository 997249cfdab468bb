"""Hosts on loopback that are alike, and the one play that all of them get."""

from __future__ import annotations

import typing as t

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

PROFILE = {"based_on": "server2022-intel", "vms": [{"name": "l1-a", "state": "Running"}]}
OPTIONS = {"vms": "l1-a", "processors": 2, "when_running": "shutdown"}
NOTHING_CHANGED = "so nothing was changed; it is safe to run the task again"
UNKNOWN = "is unknown; it is safe to run the task again"


class Site:
    """Hosts that are alike, each with something else planned for it, and the one play that they all get."""

    def __init__(self, network: Network, play: Play, way: str, certificate_for: str = "127.0.0.1") -> None:
        self._network = network
        self._play = play
        self._way = way
        self._certificate_for = certificate_for
        self.hosts: dict[str, RemoteHost] = {}

    def host(self, name: str = "hv") -> RemoteHost:
        """One more of them."""
        self.hosts[name] = self._network.host(Lab(PROFILE), certificate_for=self._certificate_for)
        self.hosts[name].patience = 0.1  # what has not come by then does not come
        return self.hosts[name]

    def lab(self, name: str = "hv") -> Lab:
        return t.cast("Lab", self.hosts[name].machine)

    def play(self, timeout: int = 0, env: dict[str, str] | None = None, **variables: t.Any) -> PlayResult:
        """The task on every host, where further variables of the inventory hold."""
        hosts = {name: {**clients.variables(host, self._way), **variables} for name, host in self.hosts.items()}
        played = self._play(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "tasks": [{"name": "it", "hyperlab.nested.hyperv_nested": OPTIONS, "timeout": timeout}],
                }
            ],
            {"all": {"hosts": hosts}},
            "--forks=8",
            "-vvv",
            "--diff",
            env=env,
        )
        assert "Traceback" not in played.output
        assert not [host.errors for host in self.hosts.values() if host.errors]
        return played

    def converges(self) -> None:
        """Whatever happened: the task comes to its end now, with the host as wanted, and finds nothing to do after that."""
        for host in self.hosts.values():
            host.plans.clear()
            host.spoil = None
        wanted = Lab(PROFILE)
        wanted.task("hyperv_nested", OPTIONS)
        self.play().succeeded()
        for name in self.hosts:
            lab = self.lab(name)
            assert lab.look("vms.l1-a.processor") == wanted.look("vms.l1-a.processor")
            assert not lab.task("hyperv_nested", OPTIONS)["changed"]
