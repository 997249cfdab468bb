"""Guests for tests: an inventory of hosts in hosts, and what stands in for the shell of a Windows that is only pretended."""

from __future__ import annotations

import base64
import copy
import json
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import Live
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.steps import Session

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

Yaml = dict[str, t.Any]
USER = "Administrator"
PASSWORDS = {"l1": "canary-1c0a-l1", "l1-b": "canary-27d9-l1b", "l2 web": "canary-3e58-l2", "l3": "canary-4fb6-l3"}


def vm(name: str, *inside: Yaml, **fields: t.Any) -> Yaml:
    """A running VM with Windows in it, in which there are further VMs."""
    guest = {"users": {USER: PASSWORDS.get(name, "none")}, "windows": {"based_on": "server2022-intel", "vms": [*inside]}}
    processor = {"count": 2, "expose_virtualization_extensions": True}
    return {"name": name, "state": "Running", "processor": processor, "memory": {"startup": "4GB"}, "guest": guest, **fields}


def lab() -> Yaml:
    """A host; in it l1 and l1-b; in l1 `l2 web`; in that l3. In each of them lies a VM that is off."""
    l3 = vm("l3", {"name": "inner"}, memory={"startup": "1GB"})
    l2 = vm("l2 web", l3, {"name": "inner"}, memory={"startup": "2GB"})
    return {"based_on": "server2022-intel", "memory": "64GB", "vms": [vm("l1", l2, {"name": "inner"}), vm("l1-b", {"name": "inner"})]}


def guest(host: str, name: str, **variables: t.Any) -> Yaml:
    """What an inventory says of a guest."""
    return {
        "ansible_connection": "hyperlab.nested.psdirect",
        "ansible_psdirect_host": host,
        "ansible_psdirect_vm": name,
        "ansible_user": USER,
        "ansible_password": PASSWORDS[name],
        **variables,
    }


def inventory(host: Mapping[str, t.Any]) -> dict[str, Yaml]:
    """The hosts of `lab`, the outermost one reached as `host` says."""
    l1 = guest("hv01", "l1")
    del l1["ansible_psdirect_vm"]  # the name of the inventory host
    return {
        "hv01": dict(host),
        "l1": l1,
        "l1b": guest("hv01", "l1-b"),
        "web": guest("l1", "l2 web"),
        "l3.example": guest("web", "l3"),
    }


class Finished(Live):
    """What the runner's Invoke-Process returns."""

    type_names = ("System.Management.Automation.PSCustomObject", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "exit_code": lambda self: self.code,
        "stdout": lambda self: base64.b64encode(self.stdout).decode(),
        "stderr": lambda self: base64.b64encode(self.stderr).decode(),
    }

    def __init__(self, host: Host, code: int, stdout: bytes, stderr: bytes) -> None:
        super().__init__(host)
        self.code, self.stdout, self.stderr = code, stdout, stderr


class Shells:
    """The shells of all guests: they say what they are told to, and note what they got, in a file that forks can share."""

    def __init__(self, notes: pathlib.Path) -> None:
        self.notes = notes
        self.result = (0, b"", b"")
        self.lose: int | None = None
        """The number of a secret that gets lost on the way into a guest."""
        self.spoil: Callable[[str], str] = lambda line: line
        """Changes the answer line of a guest on its way out."""

    def session(self) -> type[Session]:
        """The class of sessions whose commands run here."""
        shells = self

        class ShellSession(Session):
            def __init__(self, host: Host, secrets: Sequence[str | None] = (), *more: t.Any, **named: t.Any) -> None:
                handed = [None if host.machine and number == shells.lose else secret for number, secret in enumerate(secrets)]
                super().__init__(host, handed, *more, **named)
                shells.note(host, secrets=[secret for secret in handed if secret is not None])

            def answer(self, payload: str) -> str:
                line = super().answer(payload)
                return shells.spoil(line) if self.host.machine else line

            def command(self, line: str, chunks: Sequence[str]) -> list[t.Any]:
                shells.note(self.host, line=line, stdin=[*chunks])
                return [Finished(self.host, *shells.result)]

        return ShellSession

    def note(self, host: Host, **what: t.Any) -> None:
        with self.notes.open("a", encoding="utf-8") as notes:
            notes.write(json.dumps({"host": host.name, **what}) + "\n")

    def noted(self, kind: str) -> list[tuple[str, t.Any]]:
        """What was noted of that kind: the Windows that it was in, and what it was."""
        lines = [json.loads(line) for line in self.notes.read_text(encoding="utf-8").splitlines()] if self.notes.exists() else []
        return [(line["host"], line[kind]) for line in lines if kind in line]

    def stdin(self) -> list[bytes]:
        """The standard input of each command."""
        return [b"".join(map(base64.b64decode, chunks)) for _host, chunks in self.noted("stdin")]


def changed(profile: Yaml, path: str, value: t.Any) -> Yaml:
    """A copy of a profile with something else at `vms.0.guest.users`."""
    profile = copy.deepcopy(profile)
    place: t.Any = profile
    *way, last = [int(word) if word.isdecimal() else word for word in path.split(".")]
    for word in way:
        place = place.setdefault(word, {}) if isinstance(place, dict) else place[word]
    place[last] = value
    return profile


def ping(self: t.Any, *args: t.Any, **named: t.Any) -> Yaml:
    """Stands in for ansible.windows.win_ping, which is not here: one command in the guest."""
    self._connection.exec_command("PowerShell -EncodedCommand cABvAG4AZwA=", in_data=b"{}")
    return {"ping": "pong"}
