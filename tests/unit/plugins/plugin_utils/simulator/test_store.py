"""The state file."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import store
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.commands import Entry
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import ProfileError

if t.TYPE_CHECKING:
    import pathlib


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "new" / "host.json"


def test_a_host_is_made_once_and_lives_on(path: pathlib.Path) -> None:
    with store.open_host(path, "server2019-amd") as host:
        assert host.processes == 0
        host.processes = 7
    with store.open_host(path, "windows11-intel") as host:
        assert (host.processes, host.windows, host.cpu.vendor) == (7, "2019", "AMD")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_after_an_exception_nothing_has_changed(path: pathlib.Path) -> None:
    journal = [Entry(process=1, cmdlet="Start-VM", parameters={})]
    with store.open_host(path, "server2022-intel"):
        pass
    before = path.read_bytes()

    def change_and_fail() -> None:
        with store.open_host(path, "server2022-intel", journal) as host:
            host.processes = 7
            raise NotSimulated("x")

    with pytest.raises(NotSimulated):
        change_and_fail()
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["host.json", "host.json.lock"]


def test_a_save_that_fails_leaves_the_old_file(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.open_host(path, "server2022-intel"):
        pass
    before = path.read_bytes()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(json, "dump", fail)
    with pytest.raises(OSError, match="disk full"), store.open_host(path, "server2022-intel") as host:
        host.processes = 7
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["host.json", "host.json.lock"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"nonsense": 1}', '{"vms": [{"name": 5}]}'])
def test_a_broken_file_is_said_to_be_one(path: pathlib.Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ProfileError, match=r"host\.json is not a state file .*Remove it"), store.open_host(path, "server2022-intel"):
        pass
    assert path.read_text() == content


def test_the_journal_grows(path: pathlib.Path) -> None:
    for process in (1, 2):
        journal: list[Entry] = []
        with store.open_host(path, "server2022-intel", journal):
            journal.append(Entry(process=process, cmdlet="Start-VM", parameters={"Name": ["é"]}, result="ok"))
    lines = (path.parent / "host.json.journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["process"] for line in lines] == [1, 2]
    assert json.loads(lines[0]) == {"process": 1, "cmdlet": "Start-VM", "parameters": {"Name": ["é"]}, "result": "ok"}


def _count(path: str) -> None:
    for _number in range(20):
        with store.open_host(path, "server2022-intel") as host:
            host.processes += 1


def test_two_processes_take_turns(path: pathlib.Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_count, args=(os.fspath(path),)) for _number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with store.open_host(path, "server2022-intel") as host:
        assert host.processes == 40
