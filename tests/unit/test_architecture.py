"""docs/architecture.md shows a task as it really goes."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


class Tap(Lab):
    """A host that keeps what was said to it, and what it said."""

    def __init__(self, profile: dict[str, t.Any]) -> None:
        super().__init__(profile)
        self.said: list[t.Any] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        code, stdout, stderr = super().exec_command(cmd, in_data, sudoable)
        sent = json.loads((in_data or b"").decode().partition(" ")[2].split("\n")[0])
        self.said += json.loads(sent["payload"])["steps"] + json.loads(stdout)["hyperlab"]["steps"]
        return code, stdout, stderr


def test_the_trace_is_real() -> None:
    host = Tap({"based_on": "server2022-intel", "vms": [{"name": "l1-a", "state": "Running"}, {"name": "l1-b"}]})
    result = host.task("hyperv_nested", {"vms": ["l1-a", "l1-b"], "processors": 2, "when_running": "shutdown"})
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)]
    assert len(shown) == 10
    *said, reported = shown
    for each in said:
        assert each in host.said
    assert reported == {name: result[name] for name in reported}
    assert len(host.said) == 2 * 6 + 2 * 20
    assert host.host.processes == 2
    again = host.task("hyperv_nested", {"vms": ["l1-a", "l1-b"], "processors": 2, "when_running": "shutdown"})
    assert (again["changed"], host.host.processes) == (False, 3)
