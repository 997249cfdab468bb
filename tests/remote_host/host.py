"""One pretended machine: its doors, the shells behind them, what was asked of it, and what was planned to go wrong."""

from __future__ import annotations

import asyncio
import socket
import traceback
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import command_line
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import NobodyAnswers

from . import effects
from .envelope import INVALID_ACTION, NO_SHELL, POWERSHELL, WsmanFault
from .http_door import HttpDoor
from .runspaces import RunspacePool
from .shells import Shell
from .ssh_door import SshDoor

if t.TYPE_CHECKING:
    import ssl

    from .effects import Effect, Result, Spoil
    from .envelope import Message
    from .network import Network
    from .seen import Request

    class Machine(t.Protocol):
        """What runs a runner call."""

        def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Result: ...


class RemoteHost:
    """A machine on loopback. `machine` runs the runner calls; everything else that is asked of it is refused as Windows would."""

    def __init__(self, network: Network, machine: Machine, certificate: ssl.SSLContext) -> None:
        self.network = network
        self.machine = machine
        self.requests: list[Request] = []
        """Every request so far; whoever has got an answer finds it here."""
        self.errors: list[str] = []
        """Tracebacks of this test host's own mistakes."""
        self.shells: dict[str, Shell] = {}
        """The shells that are open."""
        self.calls = 0
        """How many runner calls the machine has run."""
        self.plans = effects.Plans()
        self.spoil: Spoil | None = None
        """Changes the result of each runner call on its way out."""
        self.patience = 20.0
        """The longest that a Receive waits, in seconds, whatever its client allows."""
        self.default_shell: t.Literal["powershell", "cmd"] = "powershell"
        """What its SSH server starts commands with."""
        self.ports: dict[str, int] = {}
        """The port of each door; it stays the same over a restart."""
        self._certificate = certificate
        self._connections = 0
        self._doors: list[HttpDoor | SshDoor] = []

    async def open(self) -> None:
        """Listen at all doors."""
        self._doors = [
            HttpDoor(self, "http", ("negotiate", "ntlm")),
            HttpDoor(self, "https", ("negotiate", "ntlm", "basic"), self._certificate),
            SshDoor(self),
        ]
        for door in self._doors:
            await door.open(_listen(self.ports.get(door.name, 0)))
            self.ports[door.name] = door.port

    async def close(self) -> None:
        """Hang up on everybody, and forget every shell."""
        await asyncio.gather(*(door.close() for door in self._doors))
        self.forget_shells()

    def forget_shells(self) -> None:
        """As a restart does."""
        shells, self.shells = self.shells, {}
        for shell in shells.values():
            shell.delete()

    def plan(self, effect: Effect, verb: str | None = None, *, nth: int = 1, times: int = 1) -> None:
        """Let something happen to the nth request (of that verb) from now on, and to so many after it."""
        self.plans.add(effect, verb, nth=nth, times=times)

    def verbs(self) -> list[str]:
        """What was asked so far, in order."""
        return [request.verb for request in self.requests]

    def new_connection(self) -> int:
        """A number for it."""
        self._connections += 1
        return self._connections

    def execute(self, standard_input: bytes) -> Result:
        """Run a runner call."""
        self.calls += 1
        try:
            result = self.machine.exec_command(command_line(), standard_input)
        except NobodyAnswers:
            result = (1, b"", b"")  # the process ends with Windows
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like a silent host
            self.errors.append(traceback.format_exc())
            result = (70, b"", f"the test host failed: {error!r}".encode())
        return self.spoil(result) if self.spoil else result

    async def answer(self, message: Message) -> str:
        """The body of the answer to a request, or a fault."""
        if message.verb == "Create":
            kind = RunspacePool if message.resource.startswith(POWERSHELL) else Shell
            shell = kind(message, self.execute)
            self.shells[shell.id] = shell
            return shell.created()
        if message.verb not in ("Command", "Send", "Receive", "Signal", "Delete"):
            raise WsmanFault(INVALID_ACTION)
        found = self._shell(message)
        if message.verb == "Delete":
            del self.shells[found.id]
            found.delete()
            return ""
        if message.verb == "Receive":
            return await found.receive(message, self.patience)
        if message.verb == "Send":
            return found.send(message)
        if message.verb == "Command":
            return found.command(message)
        return found.signal(message)

    def lose_input(self, message: Message) -> None:
        """Let half of a Send arrive, and then the end of the input."""
        self._shell(message).lose_input(message)

    def _shell(self, message: Message) -> Shell:
        found = self.shells.get((message.shell_id or "").upper())
        if found is None:
            raise WsmanFault(NO_SHELL)
        return found


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=128)
