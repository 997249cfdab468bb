# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the wire to a host: the only code, beside psdirect, that talks to a connection, and what it means when one breaks."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ._reply import Printed, decode
from ._request import command_line, to_request

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..module_utils._steps import Answer, Step
    from ._request import Request


class Connection(t.Protocol):
    """The part of an Ansible connection plugin that is used."""

    @property
    def transport(self) -> str:
        """The plugin's name."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]: ...


class HostLost(AnsibleConnectionFailure):
    """The transport broke: the task is unreachable. The message ends with what that means for the host."""

    _include_cause_message = False  # it is in the message; ansible-core before 2.19 does not know this

    @property
    def in_vain(self) -> bool:
        """Whether it is no use to wait and try again."""
        cause = self.__cause__
        while isinstance(cause, GuestLost) and not cause.in_vain:
            cause = cause.__cause__
        return isinstance(cause, GuestLost)


class GuestLost(AnsibleConnectionFailure):
    """The way into a guest broke, on its host or in the guest itself (plugins/connection/psdirect.py)."""

    _include_cause_message = False  # as above
    in_vain = False
    """Whether it is no use to wait and try again."""

    def __init__(self, message: str, *, nothing_ran: bool = False) -> None:
        super().__init__(message)
        self.nothing_ran = nothing_ran
        """Whether it is certain that nothing of what was sent ran in the guest."""


class ConnectionTransport:
    """Runs steps on the inventory host, each call in one remote PowerShell process."""

    lost = HostLost

    def __init__(
        self,
        connection: Connection,
        log: t.Callable[[str], None] = lambda text: None,
        say: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self._connection = connection
        self._log = log
        self.say = say
        self._processes = 0
        self._pretended = 0.0

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """The answers to the steps; HostLost when the transport broke, BadReply when the runner did."""
        request = to_request(steps)
        data = request.to_bytes()
        self._processes += 1
        self._log(f"remote process {self._processes}: {len(steps)} steps, {len(data)} bytes")
        try:
            result = self._connection.exec_command(command_line(), in_data=data, sudoable=False)
        # Whatever a connection plugin lets through (its AnsibleConnectionFailure; requests', pywinrm's and pypsrp's own errors;
        # winrm's plain AnsibleError after standard input was lost): it raised, so nobody knows whether the command ran.
        # A task's timeout is no Exception, and passes.
        except Exception as error:
            raise HostLost(_lost(error, request)) from error
        return decode(steps, as_printed(self._connection, result))

    def reset(self) -> None:
        """Forget the connection: the next process opens a new one, and says what is wrong with that."""
        # close() for the shells of winrm and psrp, whose reset() would connect again at once; reset() for ssh's master
        for forget in ("close", "reset"):
            with contextlib.suppress(Exception):
                getattr(self._connection, forget)()

    def sleep(self, seconds: float) -> None:
        """Let time pass on the host."""
        self._pretended += pause(self._connection, seconds)

    def clock(self) -> float:
        """Seconds on a clock that also knows the time that was only pretended to pass."""
        return time.monotonic() + self._pretended


def pause(connection: object, seconds: float) -> float:
    """Let time pass where a connection leads to; how much of it was only pretended: a pretended host has a clock of its own."""
    let_time_pass = getattr(connection, "let_time_pass", None)
    if let_time_pass is None:
        time.sleep(seconds)
        return 0.0
    let_time_pass(seconds)
    return seconds


def _lost(error: Exception, request: Request) -> str:
    """What the connection said, what is known of that, and how the host may be now."""
    known = isinstance(error, AnsibleConnectionFailure)
    said = str(error).strip().rstrip(".:") if known else f"lost the host during the task ({type(error).__name__}: {error})"
    return ". ".join(part for part in (said or "the connection failed", _REASONS.get(_number(error)), _outcome(error, request)) if part)


def _outcome(error: Exception, request: Request) -> str:
    if isinstance(error, GuestLost) and error.nothing_ran:
        return "Nothing was run there; it is safe to run the task again"
    if request.only_reads:
        return "The host was only being read, so nothing was changed; it is safe to run the task again"
    return "Whether the task's changes were made on the host is unknown; it is safe to run the task again: it plans on what is there then"


def _number(error: BaseException | None) -> int:
    """The WSMan fault or HTTP status in an error of pywinrm or pypsrp, neither of which has to be installed; 0 for none.

    An error of a guest's connection has that of its host's connection as its cause.
    """
    while isinstance(error, GuestLost):
        error = error.__cause__
    number = getattr(error, "wsman_fault_code", None) or getattr(error, "code", None)
    return number if isinstance(number, int) else 0


_REASONS = {
    995: "The remote shell was aborted: the host is restarting, or something ended the shell",
    2150858843: "The remote shell is gone: the host or its WinRM service was restarted",
    2150859174: "WinRM gives the user no more operations on that host now (MaxConcurrentOperationsPerUser): wait for other runs to end",
    400: "The session is no longer valid: WinRM with NTLM over HTTP loses it together with its TCP connection",
    413: "The request is larger than the host allows (WinRM's MaxEnvelopeSizekb)",
}


def as_printed(connection: Connection, result: tuple[int, bytes, bytes], who: str = "the host") -> Printed:
    """What a connection returned; `who` it is that printed it."""
    code, stdout, stderr = result
    return Printed(_text(stdout), _text(stderr), code, _is_windows(connection), who)


def _text(output: bytes | str) -> str:
    return output if isinstance(output, str) else output.decode("utf-8", "replace")


def _is_windows(connection: Connection) -> bool:
    shell = getattr(connection, "_shell", None)
    return bool(getattr(shell, "_IS_WINDOWS", False)) or connection.transport in ("winrm", "psrp")
