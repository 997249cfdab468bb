"""SSH, by asyncssh: one session, one command. OpenSSH on Windows gives the command to its default shell: cmd.exe, or what is set."""

from __future__ import annotations

import contextlib
import socket
import traceback
import typing as t

import asyncssh

from . import effects, runner_call
from .seen import Request

if t.TYPE_CHECKING:
    from .effects import Result
    from .host import RemoteHost


CODE_PAGE = {"powershell": "chcp.com 65001 > $null ; ", "cmd": "chcp.com 65001 >nul 2>&1 && "}
"""What Ansible's ssh before 2.18 puts before a line for Windows; which one, ansible_shell_type says. The shell must understand it."""


class _Login(asyncssh.SSHServer):
    """Lets in whom the accounts name, by the network's key or by a password."""

    def __init__(self, door: SshDoor) -> None:
        self._door = door

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._door.connections.add(conn)
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._door.host.network.accounts.get(username) == password

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        network = self._door.host.network
        return username in network.accounts and key == network.user_key.convert_to_public()


class SshDoor:
    """A listening port."""

    name: t.Literal["ssh"] = "ssh"

    def __init__(self, host: RemoteHost) -> None:
        self.host = host
        self.port = 0
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._socket: socket.socket | None = None
        self._server: asyncssh.SSHAcceptor | None = None

    async def open(self, listening: socket.socket) -> None:
        """Accept connections."""
        self._socket, self.port = listening, listening.getsockname()[1]
        self._server = await asyncssh.listen(
            sock=listening,
            server_factory=lambda: _Login(self),
            server_host_keys=[self.host.network.host_key],
            process_factory=self._run,
            encoding=None,
        )

    async def close(self) -> None:
        """Hang up."""
        if self._server is None or self._socket is None:
            return
        with contextlib.suppress(OSError):  # for the forks of this process, as in http_door.py
            self._socket.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in list(self.connections):
            connection.abort()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        try:
            await self._exec(process)
        except (asyncssh.Error, OSError):
            pass  # the client went away
        except Exception:
            self.host.errors.append(traceback.format_exc())
            raise  # asyncssh ends the connection, and says nothing

    async def _exec(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        effect = self.host.plans.due("Exec")
        if not isinstance(effect, effects.Drop | effects.HalfReply | None):
            raise NotImplementedError(f"{effect} over SSH")
        if isinstance(effect, effects.Drop) and not effect.done:
            self._drop(process)
            return
        received, (code, stdout, stderr) = await self._result(process)
        if isinstance(effect, effects.Drop | effects.HalfReply):
            process.stdout.write(stdout[: len(stdout) // 2] if isinstance(effect, effects.HalfReply) else b"")
            self._drop(process)
            return
        self._note(code, received, len(stdout) + len(stderr))
        process.stdout.write(stdout)
        process.stderr.write(stderr)
        process.exit(code)

    async def _result(self, process: asyncssh.SSHServerProcess[bytes]) -> tuple[int, Result]:
        refused = runner_call.refusal((process.command or "").removeprefix(CODE_PAGE[self.host.default_shell]))
        if refused:
            # standard input may be a terminal that never ends, so only the runner's is read
            return 0, refused
        sent = await process.stdin.read()
        if process.is_closing():
            raise ConnectionAbortedError  # the door was closed, and that was no end of the input
        return len(sent), self.host.execute(sent)

    def _drop(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._note(0, 0, 0)
        process.channel.get_connection().abort()

    def _note(self, status: int, received: int, sent: int) -> None:
        self.host.requests.append(Request(door="ssh", verb="Exec", status=status, received=received, sent=sent, connection=0))
