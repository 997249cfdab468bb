# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what one remote process is sent: the runner, the steps as it reads them, and secrets beside them."""

from __future__ import annotations

import base64
import functools
import json
import pathlib
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleError

from ..module_utils._steps import Credential, From, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..module_utils._steps import Value

PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
PROTOCOL = 1
LONGEST_LINE = 8_191
"""What cmd.exe takes."""
_UTF_8 = "chcp.com 65001 >nul 2>&1 & "
"""Before a command of raw, so that what it prints comes in UTF-8; Ansible's ssh did it so before ansible-core 2.18."""


@functools.cache
def command_line() -> str:
    """The constant command: PowerShell with the bootstrap. psrp recognises it by these very letters."""
    return powershell(_script("_bootstrap.ps1"))


def powershell(script: str) -> str:
    """The command line that runs a script of PowerShell; encoded, for nothing has to be quoted so."""
    return PREFIX + base64.b64encode(script.encode("utf-16-le")).decode()


@functools.cache
def _script(name: str) -> str:
    return pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    """What one remote process is sent: the payload's JSON text, and the secrets that it refers to by number."""

    payload: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def only_reads(self) -> bool:
        """Whether nothing is different afterwards, so that it does no harm to send it again."""
        return all(_only_reads(step) for step in json.loads(self.payload)["steps"])

    @classmethod
    def of(cls, steps: Sequence[Mapping[str, t.Any]], secrets: Sequence[str]) -> Request:
        """The request that has these steps, already as the runner reads them."""
        return cls(json.dumps({"protocol": PROTOCOL, "steps": steps}), tuple(secrets))

    @classmethod
    def read(cls, data: bytes) -> Request:
        """The request that `to_bytes` made these bytes of."""
        first, *lines = data.decode("ascii").partition(" ")[2].removesuffix("\n").split("\n")
        return cls(json.loads(first)["payload"], tuple(base64.b64decode(line).decode() for line in lines))

    def to_bytes(self) -> bytes:
        """What goes to standard input: a count, the runner and the payload as ASCII JSON, and a line for each secret."""
        lines = [json.dumps({"runner": _script("_runner.ps1"), "payload": self.payload})]
        lines += [base64.b64encode(secret.encode()).decode() for secret in self.secrets]
        body = "\n".join(lines)
        return f"{len(body)} {body}\n".encode("ascii")


_READING = ("Get", "Resolve", "Test")
"""Verbs of cmdlets that change nothing (PowerShell's approved verbs)."""


def _only_reads(step: Mapping[str, t.Any]) -> bool:
    if "inside" in step:
        return Request(step["inside"]).only_reads
    verb, _dash, _noun = step.get("cmdlet", "").rpartition("\\")[2].partition("-")
    return verb in _READING


def to_request(steps: Sequence[Step]) -> Request:
    """The request that these steps are."""
    secrets: list[str] = []
    return Request.of([_step(step, secrets) for step in steps], secrets)


VISIT = "visit"
"""The group of a visit in a guest and of the steps before it: when one of them fails, nobody goes in."""


def inside(request: Request, before: Sequence[Step], parameters: Mapping[str, Value]) -> Request:
    """The request to a host that takes another one into a guest, behind some steps of the host itself, which are of the group VISIT.

    A secret has the same number at every level, so those of the inner request come first; the guest gets these and no other.
    """
    secrets = list(request.secrets)
    steps = [_step(step, secrets) for step in before]
    handed = [*range(len(request.secrets))]
    steps.append({"inside": request.payload, "parameters": _values(parameters, secrets), "secrets": handed, "group": VISIT})
    return Request.of(steps, secrets)


def shell_line(cmd: str) -> str:
    """What cmd.exe gets: what is encoded already as it is, anything else as a script of PowerShell, as winrm does."""
    line = cmd if " -EncodedCommand " in cmd else _UTF_8 + powershell(cmd)
    if len(line) > LONGEST_LINE:
        raise AnsibleError(
            f"The command takes {len(line)} characters as Windows gets it, and cmd.exe takes {LONGEST_LINE}."
            " Way out: use ansible.windows.win_powershell, which sends its script another way."
        )
    return line


LONGEST_SECRET = 65_536
"""Characters; the bootstrap refuses a longer one."""
_CHUNK_BYTES = LONGEST_SECRET // 4 * 3
_OUTPUT = ("exit_code", "stdout", "stderr")


def command(line: str, data: bytes) -> Request:
    """The request that runs a command line in the system's shell with these bytes as its standard input.

    The bytes are secrets in pieces, for a module's options are among them. A piece that did not come as long as it was sent
    breaks the group before the command begins: the runner itself would take a missing one for an empty one.
    """
    chunks = [base64.b64encode(data[at : at + _CHUNK_BYTES]).decode() for at in range(0, len(data), _CHUNK_BYTES)]
    stdin = [{"$secret": number} for number in range(len(chunks))]
    arrived: list[Mapping[str, t.Any]] = [
        {
            "cmdlet": "Microsoft.PowerShell.Utility\\Write-Output",
            "parameters": {"InputObject": stdin},
            "where": {"Length": [f"'{length}" for length in sorted({len(chunk) for chunk in chunks})]},
            "as": "arrived",
            "group": "command",
        },
        {
            "cmdlet": "Microsoft.PowerShell.Utility\\Write-Output",
            "parameters": {"InputObject": {"$from": "arrived", "count": len(chunks)}},
            "group": "command",
        },
    ]
    run = {"command": f"'{line}", "stdin": stdin, "parameters": {}, "select": _OUTPUT, "group": "command"}
    return Request.of([*(arrived if chunks else ()), run], chunks)


def _step(step: Step, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"cmdlet": step.cmdlet, "parameters": _values(step.parameters, secrets)}
    if step.save:
        plain["as"] = step.save
    if step.where:
        plain["where"] = _where(step.where, secrets)
    if step.select is not None:
        plain["select"] = list(step.select)
    if step.group:
        plain["group"] = step.group
    if step.undo:
        plain["undo"] = _step(step.undo, secrets)
    if step.until:
        plain["until"] = _until(step.until, secrets)
    return plain


def _until(until: Until, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"seconds": until.seconds, "every": until.every}
    if until.where:
        plain["where"] = _where(until.where, secrets)
    if until.stop:
        plain["stop"] = [_value(word, secrets) for word in until.stop]
    return plain


def _where(where: Mapping[str, t.Any], secrets: list[str]) -> dict[str, t.Any]:
    return {name: _values_of(wanted, secrets) for name, wanted in where.items()}


def _values_of(wanted: t.Any, secrets: list[str]) -> list[t.Any]:
    many = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
    return [_value(one, secrets) for one in many]


def _values(parameters: Mapping[str, t.Any], secrets: list[str]) -> dict[str, t.Any]:
    return {name: _value(value, secrets) for name, value in parameters.items()}


def _value(value: t.Any, secrets: list[str]) -> t.Any:
    # PowerShell 7 reads a bare string that looks like a date as a date, so each string carries a mark.
    if isinstance(value, str):
        return f"'{value}"
    if isinstance(value, From):
        return _from(value, secrets)
    if isinstance(value, Credential):
        secrets.append(value.password)
        return {"$credential": f"'{value.user}", "secret": len(secrets) - 1}
    if isinstance(value, (list, tuple)):
        return [_value(item, secrets) for item in value]
    return value


def _from(value: From, secrets: list[str]) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {"$from": value.save}
    if value.where:
        plain["where"] = _where(value.where, secrets)
    if value.count is not None:
        plain["count"] = value.count
    if value.property:
        plain["property"] = value.property
    return plain
