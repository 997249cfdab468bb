# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: files into a guest and out of it, piece by piece, each piece by one command line that runs there.

The command line is the same for every file. Standard input, which travels beside the payload, has two lines of ASCII: what is wanted,
as JSON, and the bytes in base64. The answer is one line of two parts in base64: JSON, and bytes.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from ansible.errors import AnsibleError

from ._direct import lost
from ._request import powershell
from ._wire import GuestLost

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._direct import Guest

    Run: t.TypeAlias = "Callable[[str, bytes], tuple[int, bytes, bytes]]"

PIECE = 512 * 1024
"""Bytes of a file that one remote process carries: 1.3 MB of request, for base64 is put into base64 three times."""
PART = ".hyperlab-part"
"""What the name of an unfinished file ends with."""

# What is not obvious in these scripts:
# - $input, because PowerShell itself reads all of standard input, as text; Console.Out, because what goes through a cmdlet may be logged.
# - The name has a mark in front, as all strings of the runner's have: PowerShell 7 reads what looks like a date as one.
# - GetBaseException, because PowerShell wraps what a method throws. Errors of their own have the code of the Windows error that fits best.
# - Replace keeps the rights of the file that was there; Move is for none.
# - A log that is being written can be fetched: others may go on with it, and so one that changes meanwhile is found out.
_FRAME = r"""
$ErrorActionPreference = 'Stop'
$lines = @($input)
$order = ConvertFrom-Json $lines[0]
$data = ''
try {
    $path = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($order.path.Substring(1))
    if ([IO.Directory]::Exists($path)) { throw (New-Object IO.IOException 'a folder', 267) }
    BODY
}
catch {
    $why = $_.Exception.GetBaseException()
    $answer = @{ hresult = $why.HResult; message = $why.Message }
    try { $file.Dispose() } catch { $null = $_ }
    try { [IO.File]::Delete($part) } catch { $null = $_ }
    $answer.left = [IO.File]::Exists($part)
}
$json = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json $answer -Compress)))
[Console]::Out.WriteLine("hyperlab-file:${json}:${data}:")
"""
_PUT = r"""
    $part = $path + '.hyperlab-part'
    $bytes = [Convert]::FromBase64String([string] $lines[1])
    $mode = 'Create'
    if ($order.offset -ne 0) { $mode = 'OpenOrCreate' }
    $file = [IO.File]::Open($part, $mode, 'ReadWrite', 'None')
    if ($file.Length -ne $order.offset) { throw (New-Object IO.IOException 'not as it was left', 13) }
    $null = $file.Seek(0, 'End')
    $file.Write($bytes, 0, $bytes.Length)
    $answer = @{ length = $file.Length }
    if ($order.sha256) {
        $file.Position = 0
        $hash = (Get-FileHash -InputStream $file -Algorithm SHA256).Hash
        if ($hash -ne $order.sha256) { throw (New-Object IO.IOException 'not what was sent', 23) }
    }
    $file.Dispose()
    if ($order.sha256 -and [IO.File]::Exists($path)) { [IO.File]::Replace($part, $path, [NullString]::Value) }
    elseif ($order.sha256) { [IO.File]::Move($part, $path) }
"""
_FETCH = r"""
    $file = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite, Delete')
    $null = $file.Seek($order.offset, 'Begin')
    $bytes = New-Object byte[] $order.most
    $read = 0
    do { $more = $file.Read($bytes, $read, $bytes.Length - $read); $read += $more } while ($more -gt 0)
    $answer = @{ length = $file.Length; written = [IO.File]::GetLastWriteTimeUtc($path).Ticks }
    if ($order.offset + $read -ge $file.Length) {
        $file.Position = 0
        $answer.sha256 = (Get-FileHash -InputStream $file -Algorithm SHA256).Hash
    }
    $file.Dispose()
    $data = [Convert]::ToBase64String($bytes, 0, $read)
"""
_ANSWER = re.compile(rb"hyperlab-file:([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]*):")

_FOLDER = ("it is a folder", "name a file")
_IN_USE = ("another process has it open", "end that process, or try again later")
_FULL = ("the disk is full", "make room on it, or take another one")
_CHANGED = "it changed while it was copied"
_FACILITY_WIN32 = -0x7FF90000
"""What an HRESULT adds to a Windows error code."""
_REASONS = {
    # Windows error codes (System Error Codes of the Windows API)
    2: ("there is no such file", "check the name"),
    3: ("there is no such folder", "make the folder first (ansible.builtin.raw: New-Item -ItemType Directory), or check the name"),
    5: (
        "access is denied",
        "connect as a user who may do that (ansible_user), or take another place; a file that is read-only is not replaced",
    ),
    13: (_CHANGED, "see that nothing else copies to the same place, then run the task again"),
    19: ("the disk is write protected", "take another one"),
    23: ("what arrived is not what was sent, and was thrown away", "run the task again"),
    32: _IN_USE,
    33: _IN_USE,
    39: _FULL,
    112: _FULL,
    123: ("Windows allows no such name", "correct the name"),
    206: ("the name is too long", "take a shorter one"),
    267: _FOLDER,
}


class FileRefused(AnsibleError):
    """The guest said why it does not read or write the file."""

    def __init__(self, message: str, *, left: bool = False) -> None:
        super().__init__(message)
        self.left = left
        """Whether the unfinished file could not be removed there."""


@functools.cache
def put_line() -> str:
    """The command line that writes one piece of a file."""
    return _line(_PUT)


@functools.cache
def fetch_line() -> str:
    """The command line that reads one piece of a file."""
    return _line(_FETCH)


def _line(body: str) -> str:
    return powershell(_FRAME.replace("    BODY", body.strip("\n")).strip())


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file in a guest, which need not be there yet; `run` runs a command line with this standard input in the guest."""

    guest: Guest
    path: str
    run: Run

    def write(self, file: t.BinaryIO) -> None:
        """Write all of this file. It gets its name at the end, when it is there as a whole.

        The unfinished file has the same name each time, so what a broken run leaves is replaced by the next one.
        """
        sent = 0
        try:
            for data, digest in _pieces(file):
                self._put(data, offset=sent, sha256=digest)
                sent += len(data)
        except GuestLost as error:
            if error.nothing_ran and not sent:
                raise
            known = f"Whether '{self.path}' was written is unknown; it is never there in part"
            raise GuestLost(f"{error}. {known}{self._cleaned_up()}") from error
        except OSError:
            self._cleaned_up()
            raise

    def read(self) -> Iterator[bytes]:
        """The file in pieces; FileRefused when it was not the same at the end as at the beginning."""
        digest = hashlib.sha256()
        offset, begun = 0, None
        while True:
            answer, data = self._ask(fetch_line(), "fetched", b"", {"offset": offset, "most": PIECE})
            digest.update(data)
            offset += len(data)
            with self._agreed_form():
                found = (int(answer["length"]), int(answer["written"]))
                whole = str(answer.get("sha256", "")).lower()
            begun = begun or found
            if found != begun or whole not in {"", digest.hexdigest()}:
                raise self._refused("fetched", _CHANGED, "run the task again when nothing writes to it")
            if not whole and (len(data) != PIECE or offset >= found[0]):
                raise self._malformed()
            yield data
            if whole:
                return

    def _put(self, data: bytes, **order: t.Any) -> None:
        answer, _none = self._ask(put_line(), "written", data, order)
        if answer.get("length") != order["offset"] + len(data):
            raise self._malformed()

    def _cleaned_up(self) -> str:
        """Remove the unfinished file, by a piece that follows on nothing, which the guest refuses so; what there is to say of it."""
        left = f"; '{self.path}{PART}' may be left there, and the next copy to the same place replaces it"
        try:
            self._put(b"", offset=-1)
        except FileRefused as refused:
            return left if refused.left else ""
        except Exception:  # noqa: BLE001 - the first error is the one to tell, and the way may still be broken
            return left
        return left

    def _ask(self, line: str, done: str, data: bytes, order: dict[str, t.Any]) -> tuple[dict[str, t.Any], bytes]:
        """What the guest answers to one piece; FileRefused when it says why it does not take or give it."""
        lines = [json.dumps({**order, "path": f"'{self.path}"}), base64.b64encode(data).decode()]
        code, stdout, stderr = self.run(line, "".join(f"{each}\n" for each in lines).encode("ascii"))
        found = _ANSWER.search(stdout)
        if not found:
            said = " ".join((stderr or stdout).decode("utf-8", "replace").split())[:300] or "nothing"
            raise lost(
                f"{self.guest.who} did not say whether '{self.path}' was {done} (exit code {code}); it said: {said}",
                "see that Windows PowerShell runs there (ansible.builtin.raw), then run the task again",
                nothing_ran=False,
            )
        with self._agreed_form():
            answer = json.loads(base64.b64decode(found[1]))
            came = base64.b64decode(found[2])
            why = int(answer.get("hresult", 0))
            left = bool(answer.get("left"))
        if why:
            code = why if why > 0 else why - _FACILITY_WIN32
            said, fix = _REASONS.get(code, (str(answer.get("message")).strip().rstrip("."), "mend that, then run the task again"))
            raise self._refused(done, f"{said} ('{self.path}{PART}' is left there)" if left else said, fix, left=left)
        return answer, came

    @contextlib.contextmanager
    def _agreed_form(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._malformed() from error

    def _malformed(self) -> GuestLost:
        return lost(f"{self.guest.who} answered in another form than agreed about '{self.path}'", "run the task again", nothing_ran=False)

    def _refused(self, done: str, said: str, fix: str, *, left: bool = False) -> FileRefused:
        return FileRefused(f"{self.guest.who}: '{self.path}' was not {done}: {said}. Way out: {fix}.", left=left)


def _pieces(file: t.BinaryIO) -> Iterator[tuple[bytes, str]]:
    """The file in pieces, at least one; the last one with the SHA-256 of all that was read."""
    digest = hashlib.sha256()
    data = file.read(PIECE)
    while True:
        digest.update(data)
        following = file.read(PIECE)
        yield data, "" if following else digest.hexdigest()
        if not following:
            return
        data = following
