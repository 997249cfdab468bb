"""Waiting for a host that does not answer yet: the option answer_timeout."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests import guests

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.guests import Yaml
    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult

pytestmark = pytest.mark.psdirect
AGAIN = [
    {"hyperlab.nested.hyperv_vm": {"vms": "l1", "state": "off", "when_running": "turn_off"}, "delegate_to": "hv01"},
    {"hyperlab.nested.hyperv_vm": {"vms": "l1", "state": "running"}, "delegate_to": "hv01"},
]


class Guests:
    """The hosts of tests/guests.py on a pretended machine, and what is asked in l1 right after a start."""

    def __init__(self, folder: pathlib.Path, play: Play) -> None:
        self._folder, self._play = folder, play

    def look(self, profile: Yaml, *, host: str = "l1", start: bool = True, **options: t.Any) -> PlayResult:
        (self._folder / "hv01.yml").write_text(json.dumps(profile), encoding="utf-8")
        inventory = guests.inventory(
            {
                "ansible_connection": "hyperlab.nested.simulator",
                "ansible_simulator_profile": str(self._folder / "hv01.yml"),
                "ansible_simulator_state": str(self._folder / "hv01.json"),
            }
        )
        look = {"name": "look", "hyperlab.nested.hyperv_nested_info": {"vms": [], **options}}
        tasks = [*(AGAIN if start else []), look]
        return self._play([{"hosts": host, "gather_facts": False, "tasks": tasks}], {"all": {"hosts": inventory}}, "-v")

    @property
    def processes(self) -> int:
        return t.cast("int", json.loads((self._folder / "hv01.json").read_text(encoding="utf-8"))["processes"])


@pytest.fixture
def lab(tmp_path: pathlib.Path, play: Play) -> Guests:
    return Guests(tmp_path, play)


def test_a_guest_that_was_just_started_is_waited_for(lab: Guests) -> None:
    assert lab.look(guests.lab()).of("look").status == "unreachable"
    played = lab.look(guests.lab(), answer_timeout=60).succeeded()
    assert played.of("look").result["host"]["name"] == "L1"
    assert "waiting for an answer" in played.output


def test_its_hyperv_that_is_still_starting_is_waited_for(lab: Guests) -> None:
    late = guests.changed(guests.lab(), "vms.0.guest.windows.vmms_running", False)
    late = guests.changed(late, "vms.0.guest.windows.events", [{"process": 3, "set": {"vmms_running": True}}])
    played = lab.look(late, answer_timeout=60).succeeded()
    assert "vmms_stopped" not in [finding["code"] for finding in played.of("look").result["findings"]]
    assert "Windows on L1 has just started, and its Virtual Machine Management service (vmms) does not answer yet" in played.output


def test_a_guest_that_never_answers_is_unreachable_in_the_end(lab: Guests) -> None:
    hung = guests.changed(guests.lab(), "vms.0.guest.powershell_direct", False)
    found = lab.look(hung, answer_timeout=60, start=False).of("look")
    assert found.status == "unreachable"
    assert "does not answer PowerShell Direct" in found.result["msg"]
    assert lab.processes > 10


@pytest.mark.parametrize("host", ["l1", "web"])
def test_a_wrong_password_is_not_waited_for(lab: Guests, host: str) -> None:
    wrong = guests.changed(guests.lab(), "vms.0.guest.users", {guests.USER: "other"})
    played = lab.look(wrong, host=host, answer_timeout=60, start=False)
    found = played.of("look")
    assert found.status == "unreachable"
    assert "refused the logon of 'Administrator'" in found.result["msg"]
    assert lab.processes == 1
    assert "waiting for an answer" not in played.output
