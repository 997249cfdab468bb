# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the outside of a remote PowerShell: the command line that starts the runner, its standard input, and what comes back.

It does what `_bootstrap.ps1` does, and accepts nothing but the runner that this collection sends.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import pathlib
import typing as t
from dataclasses import dataclass, field

from . import power
from .calls import NotSimulated
from .inside import SessionLost
from .steps import Session

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .calls import Cmdlet
    from .commands import Entry, Signatures
    from .model import Host

COMMAND = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
LONGEST_LINE = 8_191
"""What cmd.exe takes."""
LONGEST_SECRET = 65_536
CONNECT_SECONDS = 5.0
"""What trying to reach a host that does not answer costs of simulated time."""

Result = tuple[int, bytes, bytes]


class NobodyAnswers(Exception):
    """Windows restarts. Time has passed on the host, so it has to be kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """A payload with its secrets, as the runner gets them."""

    payload: str
    secrets: list[str] = field(repr=False)

    def run(self, session: Session) -> Result:
        """What the process returns."""
        if not power.answers(session.host):
            power.wait(session.host, CONNECT_SECONDS)
            raise NobodyAnswers("it does not answer: Windows is starting")
        try:
            line = session.answer(self.payload)
        except SessionLost:
            raise NobodyAnswers("it went down while the process ran: Windows restarts") from None
        return 0, line.encode("ascii") + b"\r\n", b""


_SCRIPTS = pathlib.Path(__file__).parents[1]


class LocalHost:
    """A host in memory that is spoken to as over a connection; for tests, and for whoever needs no file."""

    def __init__(
        self,
        host: Host,
        cmdlets: Mapping[str, Cmdlet] | None = None,
        signatures: Signatures | None = None,
        session: type[Session] = Session,
    ) -> None:
        self.host = host
        self.journal: list[Entry] = []
        self._cmdlets = cmdlets
        self._signatures = signatures
        self._session = session

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Result:
        """Exit code, stdout and stderr, as an Ansible connection returns them."""
        del sudoable
        request = read(cmd, in_data)
        if not isinstance(request, Request):
            return request
        return request.run(self._session(self.host, request.secrets, self._cmdlets, self._signatures, self.journal))


def read(cmd: str, in_data: bytes | None) -> Request | Result:
    """What the command line and standard input ask for; a result when Windows or the bootstrap would refuse them."""
    if len(cmd) > LONGEST_LINE:
        return 1, b"", b"The command line is too long.\r\n"
    if not _is_bootstrap(cmd):
        return 1, b"", b"The simulator runs the modules of hyperlab.nested only: it has no PowerShell for other commands and modules.\r\n"
    lines = _lines(in_data or b"")
    refused = _refusal(lines)
    if refused:
        return refused
    try:
        sent = json.loads(lines[0].partition(" ")[2])
        runner, payload = sent["runner"], sent["payload"]
    except (ValueError, LookupError, TypeError):
        raise NotSimulated("standard input without a runner and a payload") from None
    if runner != script("_runner.ps1"):
        raise NotSimulated("a runner other than this collection's own _runner.ps1")
    return Request(payload, [_plain(line) for line in lines[1:]])


@functools.cache
def script(name: str) -> str:
    """The text of one of the two PowerShell scripts."""
    return (_SCRIPTS / name).read_text(encoding="utf-8")


def _is_bootstrap(cmd: str) -> bool:
    if not cmd.startswith(COMMAND):
        return False
    try:
        return base64.b64decode(cmd[len(COMMAND) :], validate=True).decode("utf-16-le") == script("_bootstrap.ps1")
    except (binascii.Error, UnicodeDecodeError):
        return False


def _lines(data: bytes) -> list[str]:
    """$input: lines without their ends; the last one need not have any."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise NotSimulated("standard input that is not ASCII: what arrives depends on the console's code page") from None
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _refusal(lines: list[str]) -> Result | None:
    """What the bootstrap checks before anything runs."""
    text = "\n".join(lines)
    count, blank, rest = text.partition(" ")
    if not count or not blank:
        return _refused("truncated", 3)
    if not count.isdecimal():
        return 1, b"", f'Cannot convert value "{count[:20]}" to type "System.Int32".\r\n'.encode()
    if len(rest) != int(count):
        return _refused("truncated", 3)
    try:
        if any(len(_plain(line).encode("utf-16-le")) > 2 * LONGEST_SECRET for line in lines[1:]):
            return _refused("secret_too_long", 5)
    except (binascii.Error, ValueError):
        return 1, b"", b"The input is not a valid Base-64 string.\r\n"
    return None


def _refused(why: str, code: int) -> Result:
    return code, b'{"hyperlab":{"refused":"' + why.encode() + b'"}}\r\n', b""


def _plain(line: str) -> str:
    return base64.b64decode(line, validate=True).decode("utf-8", "replace")
