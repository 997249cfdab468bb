"""One pretended host in memory, and tasks that run on it the whole way: options, planner, wire, runner, model."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import tempfile
import typing as t

from ansible_collections.hyperlab.nested.plugins.module_utils._converge import converge
from ansible_collections.hyperlab.nested.plugins.module_utils._errors import HypervError
from ansible_collections.hyperlab.nested.plugins.module_utils._report import failed
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power, profiles, schema, tree
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import LocalHost
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import ConnectionTransport

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.module_utils._converge import Resource
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import Connection

RESOURCES = "ansible_collections.hyperlab.nested.plugins.module_utils._resources"
COUNTERS = ("clock", "processes", "made", "events", "faults")
"""Fields of a host that say nothing about its configuration."""


class Lab:
    """A host made of a profile; or the Windows inside one of its running VMs, as a connection into that VM meets it."""

    transport = "hyperlab.nested.simulator"

    def __init__(self, profile: dict[str, t.Any], address: str | None = "hv01.example", inside: str | None = None) -> None:
        self.host: Host = _host(profile)
        if inside is not None:
            [windows] = [vm.guest.windows for vm in self.host.vms if vm.name == inside]
            assert windows is not None, f"the profile does not say what is inside {inside}"
            self.host = windows
        self.address = address
        self.sent: list[bytes] = []

    def copy(self) -> Lab:
        """The same host once more."""
        twin = copy.copy(self)
        twin.host = copy.deepcopy(self.host)
        twin.sent = []
        return twin

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """What the connection plugin does, without its file."""
        self.sent.append(in_data or b"")
        return LocalHost(self.host).exec_command(cmd, in_data, sudoable)

    def task(
        self,
        module: str,
        options: dict[str, t.Any],
        *,
        check_mode: bool = False,
        diff: bool = True,
        connection: Connection | None = None,
    ) -> dict[str, t.Any]:
        """The result of a task, as the action plugin would return it; over a connection to this lab, or else with none between."""
        resource = t.cast("Resource", importlib.import_module(f"{RESOURCES}.{module}"))
        try:
            parsed = resource.SPEC.validate(options).but(connection_address=self.address)
            return converge(resource, parsed, self.patient(connection or self), check_mode=check_mode, diff=diff)
        except HypervError as error:
            return failed(error)

    def patient(self, connection: Connection) -> Patient:
        """What carries the task's steps."""
        return Patient(connection, self)

    def plain(self) -> dict[str, t.Any]:
        """The host's configuration as data, for comparing."""
        shown = schema.to_plain(self.host)
        return {name: value for name, value in shown.items() if name not in COUNTERS}

    def look(self, path: str) -> t.Any:
        """A field of the host: `vms.l1-a.memory.startup`; a member of a list is named by its name, address, path or position."""
        value: t.Any = self.host
        for word in _words(path):
            value = _member(value, word) if isinstance(value, list) else getattr(value, word)
        return schema.to_plain(value) if dataclasses.is_dataclass(value) or isinstance(value, list) else value


class Patient(ConnectionTransport):
    """Waits on the lab's own clock, whatever lies between."""

    def __init__(self, connection: Connection, lab: Lab) -> None:
        super().__init__(connection)
        self._lab = lab

    def sleep(self, seconds: float) -> None:
        power.wait(self._lab.host, seconds)

    def clock(self) -> float:
        return tree.lineage(self._lab.host)[0].clock


def _host(profile: dict[str, t.Any]) -> Host:
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        file.write(json.dumps(profile))  # JSON is YAML
        file.flush()
        return profiles.load_profile(file.name)


def _words(path: str) -> list[str]:
    """Parts at the dots; a part in brackets may have dots: addresses.[192.168.100.1].prefix_length."""
    words: list[str] = []
    rest = path
    while rest:
        if rest.startswith("["):
            word, _bracket, rest = rest[1:].partition("]")
            rest = rest.removeprefix(".")
        else:
            word, _dot, rest = rest.partition(".")
        words.append(word)
    return words


def _member(values: list[t.Any], word: str) -> t.Any:
    keys = ("name", "address", "path", "id")
    found = [value for value in values if any(getattr(value, key, None) == word for key in keys)]
    if len(found) == 1:
        return found[0]
    if word.isdigit():
        return values[int(word)]
    raise LookupError(f"{len(found)} members are called {word!r}")
