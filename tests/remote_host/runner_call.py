"""Tells the runner's command line from any other. It is the only one that a remote host can run: there is no PowerShell here."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import COMMAND, LONGEST_LINE, script

if t.TYPE_CHECKING:
    from .effects import Result


def bootstrap() -> str:
    """The script of the runner's command line."""
    return script("_bootstrap.ps1")


def is_bootstrap(text: str) -> bool:
    """Whether a PowerShell script is the bootstrap; psrp sends it without a line around it."""
    return text == bootstrap()


def is_runner(line: str) -> bool:
    """Whether a command line starts the bootstrap. winrm and ssh of ansible-core before 2.19 encode the line once more."""
    outer = _script(line)
    return is_bootstrap(outer) or is_bootstrap(_script(outer.partition("\n")[0]))


def refusal(line: str) -> Result | None:
    """What cmd.exe says to a line that cannot be run here, or None for the runner's."""
    if len(line) > LONGEST_LINE:
        return 1, b"", b"The command line is too long.\r\n"
    if not is_runner(line):
        word = line.partition(" ")[0]
        return 1, b"", f"'{word}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n".encode()
    return None


def _script(line: str) -> str:
    """What a line encodes; nothing, when it is none of PowerShell's."""
    if not line.lower().startswith(COMMAND.lower()):
        return ""
    try:
        return base64.b64decode(line[len(COMMAND) :].strip(), validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return ""
