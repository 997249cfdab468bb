"""Guests for tests: an inventory of hosts in hosts, and what stands in for the shell of a Windows that is only pretended."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._files import fetch_line, put_line
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


NOT_FOUND, NO_FOLDER, DENIED, IN_USE, DISK_FULL = (code - 0x7FF90000 for code in (2, 3, 5, 32, 112))
"""HRESULTs of Windows errors."""
OTHER_LENGTH, OTHER_BYTES, FOLDER = 13, 23, 267
"""What the command lines that copy files say themselves."""


class _Windows(Exception):
    def __init__(self, hresult: int) -> None:
        super().__init__(hresult)
        self.hresult = hresult


class Disks:
    """The disks of all guests, for the command lines that copy files (plugin_utils/_files.py): folders that forks can share."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.trouble: dict[str, int] = {}
        """What Windows says to a name that ends like this, as HRESULT."""
        self.room = 1 << 40
        """Bytes for each file."""
        self.keep = False
        """Whether an unfinished file cannot be removed."""
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens after each command line."""

    def at(self, windows: str, path: str) -> pathlib.Path:
        """Where the file of a guest is here."""
        return self.root / windows.upper() / path.lower().replace("\\", "/")

    def folder(self, windows: str, path: str) -> pathlib.Path:
        """Make a folder in a guest."""
        place = self.at(windows, path)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def run(self, windows: str, line: str, stdin: bytes) -> bytes:
        """What the command line prints."""
        first, second, end = stdin.split(b"\n")
        assert not end
        order = json.loads(first)
        mark, path = order["path"][0], order["path"][1:]
        assert mark == "'", "PowerShell 7 would take some names for dates"
        place = self.at(windows, path)
        part = place.with_name(f"{place.name}.hyperlab-part")
        came = b""
        try:
            self._check(place)
            if line == put_line():
                answer = self._put(place, part, order, base64.b64decode(second, validate=True))
            else:
                answer, came = self._fetch(place, order)
        except _Windows as why:
            if line == put_line() and not self.keep:
                part.unlink(missing_ok=True)
            answer = {"hresult": why.hresult, "message": "ça ne va pas.", "left": line == put_line() and part.exists()}
        self.meanwhile()
        return b"noise hyperlab-file:%s:%s:\r\n" % (base64.b64encode(json.dumps(answer).encode()), base64.b64encode(came))

    def _check(self, place: pathlib.Path) -> None:
        found = next((code for end, code in self.trouble.items() if place.name.endswith(end)), 0)
        if found or place.is_dir() or not place.parent.is_dir():
            raise _Windows(found or (FOLDER if place.is_dir() else NO_FOLDER))

    def _put(self, place: pathlib.Path, part: pathlib.Path, order: Yaml, data: bytes) -> Yaml:
        there = part.read_bytes() if order["offset"] and part.exists() else b""
        part.write_bytes(there)
        if len(there) != order["offset"]:
            raise _Windows(OTHER_LENGTH)
        if len(there) + len(data) > self.room:
            raise _Windows(DISK_FULL)
        part.write_bytes(there + data)
        if order["sha256"]:
            if hashlib.sha256(there + data).hexdigest() != order["sha256"]:
                raise _Windows(OTHER_BYTES)
            part.replace(place)
        return {"length": len(there + data)}

    def _fetch(self, place: pathlib.Path, order: Yaml) -> tuple[Yaml, bytes]:
        if not place.exists():
            raise _Windows(NOT_FOUND)
        whole = place.read_bytes()
        data = whole[order["offset"] : order["offset"] + order["most"]]
        answer: Yaml = {"length": len(whole), "written": place.stat().st_mtime_ns}
        if order["offset"] + len(data) >= len(whole):
            answer["sha256"] = hashlib.sha256(whole).hexdigest().upper()
        return answer, data


class Shells:
    """The shells of all guests: they say what they are told to, and note what they got, in a file that forks can share."""

    def __init__(self, notes: pathlib.Path) -> None:
        self.notes = notes
        self.disks = Disks(notes.with_suffix(".disks"))
        """What the command lines that copy files work on; they need no result."""
        self.result = (0, b"", b"")
        self.lose: int | None = None
        """The number of a secret that gets lost on the way into a guest."""
        self.spoil: Callable[[str], str] = lambda line: line
        """Changes the answer line of a guest on its way out."""
        self.liar = ""
        """The Windows whose answers are changed; all of them when empty."""

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
                lies = self.host.machine and shells.liar in {"", self.host.name}
                return shells.spoil(line) if lies else line

            def command(self, line: str, chunks: Sequence[str]) -> list[t.Any]:
                shells.note(self.host, line=line, stdin=[*chunks])
                if line not in {put_line(), fetch_line()}:
                    return [Finished(self.host, *shells.result)]
                return [Finished(self.host, 0, shells.disks.run(self.host.name, line, b"".join(map(base64.b64decode, chunks))), b"")]

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
