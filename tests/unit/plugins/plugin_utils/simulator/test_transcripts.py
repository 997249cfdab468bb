"""Every transcript of the real runner on a real PowerShell, replayed by the simulator's."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import standin

TRANSCRIPTS = json.loads((pathlib.Path(__file__).parents[4] / "data" / "transcripts.json").read_text(encoding="utf-8"))
SECRETS: list[str | None] = ["pä$s'w\"ord", "second"]
NOT_REPLAYED = {
    "command": "runs a command line in a real shell, which a pretended host has not",
    "command_ignores_input": "runs a command line in a real shell, which a pretended host has not",
}


def comparable(value: t.Any) -> t.Any:
    """Without times; an answer inside an answer is read like the outer one."""
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items() if key != "seconds"}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    if isinstance(value, str) and '{"hyperlab":' in value:
        return comparable(json.loads(value))
    return value


@pytest.mark.parametrize("name", [name for name in TRANSCRIPTS if name not in NOT_REPLAYED])
def test_transcript(name: str) -> None:
    seen = TRANSCRIPTS[name]
    payload = seen["payload"] if isinstance(seen["payload"], str) else json.dumps(seen["payload"])

    line = standin.Session(SECRETS).answer(payload)

    assert line.isascii()
    assert "\n" not in line
    ours, theirs = comparable(json.loads(line)), comparable(json.loads(seen["stdout"]))
    if name == "not_json":  # where the parser of JSON stopped is told in its own words
        assert ours["hyperlab"]["error"].pop("message")
        assert theirs["hyperlab"]["error"].pop("message")
    assert ours == theirs


def test_what_is_not_replayed_is_in_the_file() -> None:
    assert set(NOT_REPLAYED) <= set(TRANSCRIPTS)
