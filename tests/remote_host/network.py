"""A thread with an event loop, on which remote hosts live, and what they have in common: accounts, certificates, keys."""

from __future__ import annotations

import asyncio
import os
import pathlib
import ssl
import tempfile
import threading
import typing as t

import asyncssh
import trustme

from .host import RemoteHost

if t.TYPE_CHECKING:
    from collections.abc import Coroutine

    from .host import Machine

T = t.TypeVar("T")
USER = "operator"
PASSWORD = "canary-5e0c-wire"


class Network:
    """with Network() as network: host = network.host(machine). At the end every host is closed, and the thread is gone.

    One at a time in a process: pyspnego reads the accounts for NTLM from a file that an environment variable names.
    """

    def __init__(self) -> None:
        self.accounts = {USER: PASSWORD}
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._folder = tempfile.TemporaryDirectory(prefix="remote-hosts-")
        self.folder = pathlib.Path(self._folder.name)
        self._authority = trustme.CA()
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.hosts: list[RemoteHost] = []
        """The hosts that listen."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="remote hosts", daemon=True)

    def __enter__(self) -> t.Self:
        self._authority.cert_pem.write_to_path(self.folder / "ca.pem")
        self.user_key.write_private_key(self.folder / "id_ed25519")
        (self.folder / "id_ed25519").chmod(0o600)
        users = self.folder / "ntlm-users"
        users.write_text("".join(f":{user}:{password}\n" for user, password in self.accounts.items()))
        self._before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = str(users)
        self._loop.set_exception_handler(self._complain)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove_all()
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()
        if self._before is None:
            del os.environ["NTLM_USER_FILE"]
        else:
            os.environ["NTLM_USER_FILE"] = self._before

    def run(self, work: Coroutine[t.Any, t.Any, T]) -> T:
        """Have something done on the thread of the hosts."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def host(self, machine: Machine, *, certificate_for: str = "127.0.0.1") -> RemoteHost:
        """A new machine that listens. Clients that check its certificate refuse one that is made for another name."""
        certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(certificate_for).configure_cert(certificate)
        host = RemoteHost(self, machine, certificate)
        self.hosts.append(host)
        self.run(host.open())
        with (self.folder / "known_hosts").open("a") as known:
            known.write(f"[127.0.0.1]:{host.ports['ssh']} {self.host_key.export_public_key().decode()}")
        return host

    def remove_all(self) -> None:
        """Close every host."""
        for host in self.hosts:
            self.run(host.close())
        self.hosts.clear()

    def restart(self, host: RemoteHost) -> None:
        """The machine goes down, and comes up at the same ports: every connection and every shell is lost."""

        async def restarted() -> None:
            await host.close()
            await host.open()

        self.run(restarted())

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, t.Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError | ssl.SSLError):
            return  # a client that does not like a certificate, or has hung up
        for host in self.hosts:
            host.errors.append(f"{context.get('message')}: {error!r}")
