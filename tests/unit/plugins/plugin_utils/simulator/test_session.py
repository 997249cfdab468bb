"""The outside of the pretended PowerShell: command line, standard input, exit code."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.profiles import complete
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import LocalHost, read, script
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import wire

PAYLOAD = {"protocol": 1, "steps": []}


@pytest.fixture
def host() -> LocalHost:
    model = Host(vms=[Vm(name="a")])
    complete(model)
    return LocalHost(model)


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("_runner.ps1", "8d6d88ca04eb70e5b91aaeffeaad206e042d800fe953205747b4692fb61feb5f"),
        ("_bootstrap.ps1", "4ac176089b47d57e2366c106b2403efb6eac486a53906ee01849401fd581612a"),
    ],
)
def test_the_scripts_are_those_that_were_proven(name: str, sha256: str) -> None:
    assert hashlib.sha256(script(name).encode()).hexdigest() == sha256
    assert script(name).isascii()


def test_a_payload_is_answered(host: LocalHost) -> None:
    code, stdout, stderr = host.exec_command(wire.command_line(), wire.stdin(PAYLOAD))
    assert (code, stderr) == (0, b"")
    assert stdout.endswith(b"\r\n")
    assert json.loads(stdout) == {"hyperlab": {"protocol": 1, "steps": []}}
    assert host.host.processes == 1


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_line_ends_of_windows(host: LocalHost, ending: bytes) -> None:
    sent = wire.stdin(PAYLOAD, "one", "two")[:-1]
    if ending == b"\r\n":
        sent = sent.replace(b"\n", b"\r\n")
    assert host.exec_command(wire.command_line(), sent + ending)[0] == 0


@pytest.mark.parametrize("data", [None, b"", b"5", b" x", b"5 {}", wire.stdin(PAYLOAD)[:-10], wire.stdin(PAYLOAD, "s")[:-3]])
def test_truncated_input(host: LocalHost, data: bytes | None) -> None:
    assert host.exec_command(wire.command_line(), data) == (3, b'{"hyperlab":{"refused":"truncated"}}\r\n', b"")
    assert host.host.processes == 0


@pytest.mark.parametrize(("secret", "code"), [("x" * 65_536, 0), ("x" * 65_537, 5), ("𝄞" * 32_768, 0), ("𝄞" * 32_769, 5)])
def test_secrets_have_a_limit_in_utf16(host: LocalHost, secret: str, code: int) -> None:
    result = host.exec_command(wire.command_line(), wire.stdin(PAYLOAD, secret))
    assert result[0] == code
    assert code == 0 or result[1] == b'{"hyperlab":{"refused":"secret_too_long"}}\r\n'


@pytest.mark.parametrize("data", [b"x {}", b"4 {}\n!"])
def test_input_that_powershell_stumbles_over(host: LocalHost, data: bytes) -> None:
    code, stdout, stderr = host.exec_command(wire.command_line(), data)
    assert (code, stdout) == (1, b"")
    assert stderr


@pytest.mark.parametrize(
    "command",
    [
        "whoami",
        wire.COMMAND,
        wire.COMMAND + "!",
        wire.COMMAND + base64.b64encode("Get-VM".encode("utf-16-le")).decode(),
        wire.command_line().replace("-NoProfile ", ""),
        wire.command_line() + " ",
    ],
)
def test_other_commands_are_refused(host: LocalHost, command: str) -> None:
    code, stdout, stderr = host.exec_command(command, wire.stdin(PAYLOAD))
    assert (code, stdout) == (1, b"")
    assert b"hyperlab.nested only" in stderr


def test_windows_takes_8191_characters(host: LocalHost) -> None:
    assert b"too long" in host.exec_command("x" * 8_192)[2]
    assert b"too long" not in host.exec_command("x" * 8_191)[2]
    assert len(wire.command_line()) * 8 // 3 < 8_191, "ansible-core 2.16 to 2.18 encode twice"


@pytest.mark.parametrize("data", [wire.stdin(PAYLOAD, runner="Get-VM"), "4 {é}".encode(), b"2 {}", b"5 [1,2]"])
def test_what_the_collection_never_sends(host: LocalHost, data: bytes) -> None:
    with pytest.raises(NotSimulated):
        host.exec_command(wire.command_line(), data)


def test_secrets_stay_out_of_texts(host: LocalHost) -> None:
    request = read(wire.command_line(), wire.stdin(PAYLOAD, "hunter2"))
    assert "hunter2" not in repr(request)


def test_the_journal_of_all_processes(host: LocalHost) -> None:
    start: dict[str, t.Any] = {"steps": [{"cmdlet": "Hyper-V\\Start-VM", "parameters": {"Name": "'a"}}]}
    for _number in range(2):
        host.exec_command(wire.command_line(), wire.stdin(start))
    assert [(entry.process, entry.cmdlet) for entry in host.journal] == [(1, "Start-VM"), (2, "Start-VM")]
