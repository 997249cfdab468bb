"""The connection plugin, loaded by Ansible, without a play."""

from __future__ import annotations

import json
import os
import re
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display

from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import wire

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

CANARY = "canary-3f1b"
GET = {"steps": [{"cmdlet": "Hyper-V\\Get-VM", "parameters": {}, "select": ["Name"]}]}
START = {"steps": [{"cmdlet": "Hyper-V\\Start-VM", "parameters": {"Name": "'l1-a"}}]}


@pytest.fixture
def connect(tmp_path: pathlib.Path) -> Callable[..., t.Any]:
    def connect(host: str = "hv", **variables: t.Any) -> t.Any:
        connection = connection_loader.get("hyperlab.nested.simulator", PlayContext(), os.devnull)
        variables = {"ansible_simulator_state": str(tmp_path / "hv.json"), **variables}
        connection.set_options(var_options={"inventory_hostname": host, **{k: v for k, v in variables.items() if v is not None}})
        return connection

    return connect


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "lab.yml"
    path.write_text("based_on: server2022-intel\nvms: [{name: l1-a}]\n")
    return str(path)


def rows(connection: t.Any, payload: dict[str, t.Any]) -> list[t.Any]:
    code, stdout, _stderr = connection.exec_command(wire.command_line(), in_data=wire.stdin(payload, CANARY))
    assert code == 0
    [step] = json.loads(stdout)["hyperlab"]["steps"]
    assert step["errors"] == []
    return t.cast("list[t.Any]", step["output"])


def test_it_looks_like_windows(connect: Callable[..., t.Any]) -> None:
    connection = connect()
    assert connection.transport == "hyperlab.nested.simulator"
    assert connection._shell.SHELL_FAMILY == "powershell"
    assert connection.module_implementation_preferences[0] == ".ps1"
    assert connection.has_pipelining
    assert not connection.allow_executable


def test_tasks_share_the_state_file(connect: Callable[..., t.Any], lab: str, tmp_path: pathlib.Path) -> None:
    assert rows(connect(ansible_simulator_profile=lab), GET) == [{"Name": "l1-a"}]
    assert rows(connect(ansible_simulator_profile="server2025-amd"), START) == []
    assert json.loads((tmp_path / "hv.json").read_text())["processes"] == 2
    [line] = (tmp_path / "hv.json.journal.jsonl").read_text().splitlines()
    assert json.loads(line)["cmdlet"] == "Start-VM"
    assert all(CANARY not in file.read_text() for file in tmp_path.iterdir())


def test_a_refused_command_makes_no_host(connect: Callable[..., t.Any], tmp_path: pathlib.Path) -> None:
    connection = connect()
    assert connection.exec_command("whoami")[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_simulated_is_refused_in_words(connect: Callable[..., t.Any]) -> None:
    payload = {"steps": [{"cmdlet": "Hyper-V\\Debug-VM", "parameters": {"Name": "'x"}}]}
    code, stdout, stderr = connect().exec_command(wire.command_line(), in_data=wire.stdin(payload))
    assert (code, stdout) == (1, b"")
    assert re.search(b"cannot do this, and changed nothing: .*Debug-VM", stderr)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"ansible_simulator_profile": "nope"}, "no host to work on: 'nope' is neither"),
        ({"ansible_simulator_state": "/dev/null/x.json"}, "cannot use its state file /dev/null/x.json"),
    ],
)
def test_errors_are_in_words(connect: Callable[..., t.Any], variables: dict[str, str], text: str) -> None:
    connection = connect(**variables)
    with pytest.raises(AnsibleConnectionFailure, match=text):
        connection.exec_command(wire.command_line(), in_data=wire.stdin(GET))


def test_files_are_refused(connect: Callable[..., t.Any]) -> None:
    with pytest.raises(AnsibleError, match="no files"):
        connect().put_file("a", "b")
    with pytest.raises(AnsibleError, match="no files"):
        connect().fetch_file("a", "b")


def test_the_default_state_file_is_named_by_the_host(
    connect: Callable[..., t.Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.ANSIBLE_HOME", str(tmp_path))
    rows(connect("../etc/x", ansible_simulator_state=None), GET)
    rows(connect("a", ansible_host="b", ansible_simulator_state=None), GET)
    names = {file.name for file in (tmp_path / "hyperlab" / "simulator").glob("*.json")}
    assert names == {"..%2Fetc%2Fx.json", "b.json"}


def test_nothing_of_the_payload_is_displayed(
    connect: Callable[..., t.Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Display(), "verbosity", 6)
    rows(connect(), GET)
    shown = "".join(capsys.readouterr())
    assert "bytes on" in shown
    for hidden in (CANARY, "Get-VM", "Y2FuYXJ5"):
        assert hidden not in shown
