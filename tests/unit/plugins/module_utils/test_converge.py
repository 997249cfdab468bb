"""The road with more VMs than fit into one payload. With fewer the cases show it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._converge import converge
from ansible_collections.hyperlab.nested.plugins.module_utils._options import Options, Spec
from ansible_collections.hyperlab.nested.plugins.module_utils._plan import Plan, Reboot, Thing
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Row, Step
from ansible_collections.hyperlab.nested.plugins.module_utils._vms import CHUNK
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.module_utils._converge import Resource

NAMES = [f"vm-{number}" for number in range(CHUNK + 10)]
OPTIONS = {"when_running": "turn_off"}


def lab(**more: t.Any) -> Lab:
    return Lab({"based_on": "server2022-intel", "memory": "1TB", "vms": [{"name": name, "state": "Running"} for name in NAMES], **more})


def test_chunks() -> None:
    host = lab()
    result = host.task("hyperv_nested", {"vms": NAMES, **OPTIONS})
    assert len(host.sent) == 4
    for found in (
        [vm["name"] for vm in result["vms"]],
        [change["subject"] for change in result["changes"]],
        [diff["after_header"] for diff in result["diff"]],
        result["power_cycled"],
    ):
        assert found == NAMES
    again = host.task("hyperv_nested", {"vms": NAMES, **OPTIONS})
    assert (again["changed"], len(again["vms"]), len(host.sent)) == (False, len(NAMES), 6)


def test_nothing_is_written_when_any_chunk_is_refused() -> None:
    host = lab()
    before = host.plain()
    result = host.task("hyperv_nested", {"vms": ["gone", *NAMES, "lost"], **OPTIONS})
    assert [failure["subject"] for failure in result["failures"]] == ["gone", "lost"]
    assert (result["changed"], host.plain() == before, len(host.sent)) == (False, True, 2)


@pytest.mark.parametrize("again", ["name", "id"])
def test_a_vm_that_is_named_in_two_chunks_is_changed_once(again: str) -> None:
    host = lab()
    twice = {"name": NAMES[0].upper(), "id": host.host.vms[0].id}[again]
    result = host.task("hyperv_nested", {"vms": [*NAMES, twice], **OPTIONS})
    assert len(result["changes"]) == len(result["power_cycled"]) == len(NAMES)


def test_failures_come_in_the_order_of_the_vms() -> None:
    faults = [{"cmdlet": "Set-VMProcessor", "vm": name} for name in ("vm-3", "vm-1", "vm-105")]
    result = lab(faults=faults).task("hyperv_nested", {"vms": NAMES, **OPTIONS})
    assert [failure["subject"] for failure in result["failures"]] == ["vm-1", "vm-3", "vm-105"]
    assert len(result["changes"]) == len(NAMES) - 3


@pytest.mark.parametrize("cmdlet", ["Get-VMHost", "Get-VM", "Get-VMProcessor", "Get-VMIntegrationService", "Get-CimInstance"])
def test_a_query_that_fails_is_never_an_absence(cmdlet: str) -> None:
    host = lab(faults=[{"cmdlet": cmdlet, "id": "OperationFailed"}])
    result = host.task("hyperv_nested", {"vms": NAMES[:2], "when_running": "shutdown"})
    assert (result["error_code"], result["changed"]) == ("host_refused", False)
    assert cmdlet in result["msg"]


@pytest.mark.parametrize("state", ["Off", "Paused", "Saved"])
@pytest.mark.parametrize("how", ["turn_off", "shutdown"])
def test_a_vm_that_left_its_power_state_meanwhile_is_left_as_it_is(state: str, how: str) -> None:
    host = lab(events=[{"process": 2, "vm": NAMES[0], "set": {"state": state}}])
    result = host.task("hyperv_nested", {"vms": NAMES[:2], "when_running": how})
    assert [(failure["subject"], failure["error_code"]) for failure in result["failures"]] == [(NAMES[0], "changed_meanwhile")]
    assert not host.look(f"vms.{NAMES[0]}.processor.expose_virtualization_extensions")
    assert host.look(f"vms.{NAMES[0]}.state") == state
    assert host.look(f"vms.{NAMES[1]}.processor.expose_virtualization_extensions")


def test_a_vm_that_ignores_the_shutdown_was_not_power_cycled() -> None:
    host = Lab({"based_on": "server2022-intel", "vms": [{"name": "a", "state": "Running", "guest": {"ignores_shutdown": True}}]})
    result = host.task("hyperv_nested", {"vms": "a", "when_running": "shutdown"})
    assert (result["error_code"], result["power_cycled"], host.look("vms.a.state")) == ("shutdown_timed_out", [], "Running")


def test_a_write_that_did_not_take_is_no_change_of_its_vm_alone() -> None:
    result = lab(faults=[{"cmdlet": "Set-VMProcessor", "vm": NAMES[1], "silent": True}]).task(
        "hyperv_nested", {"vms": NAMES[:3], **OPTIONS}
    )
    assert [(failure["subject"], failure["error_code"]) for failure in result["failures"]] == [(NAMES[1], "not_applied")]
    assert [change["subject"] for change in result["changes"]] == [NAMES[0], NAMES[2]]


@pytest.mark.parametrize(
    ("state", "cmdlet", "reads"), [("Running", "Start-VM", "off"), ("Paused", "Start-VM", "off"), ("Paused", "Suspend-VM", "running")]
)
def test_a_power_state_that_did_not_come_back_is_an_error(state: str, cmdlet: str, reads: str) -> None:
    host = Lab({"based_on": "server2022-intel", "vms": [{"name": "a", "state": state}], "faults": [{"cmdlet": cmdlet, "silent": True}]})
    result = host.task("hyperv_nested", {"vms": "a", **OPTIONS})
    assert result["failed"]
    assert result["changed"] or result["failures"][0]["undone"]
    if not (state == "Paused" and cmdlet == "Start-VM"):  # there Suspend-VM is refused, which says it first
        assert [(failure["error_code"], failure["left"]) for failure in result["failures"]] == [("not_applied", ["power_state"])]
        assert f"now it reads '{reads}'" in result["msg"]


class Cut(Lab):
    """Its answer to one remote process is cut on the way."""

    def __init__(self, profile: dict[str, t.Any], process: int) -> None:
        super().__init__(profile)
        self.process = process

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        code, stdout, stderr = super().exec_command(cmd, in_data, sudoable)
        return code, stdout[:200] if len(self.sent) == self.process else stdout, stderr


def test_a_lost_answer_to_a_write_is_no_unchanged_host() -> None:
    host = Cut({"based_on": "server2022-intel", "vms": [{"name": "l1-a"}]}, process=2)
    result = host.task("hyperv_nested", {"vms": "l1-a"})
    assert (result["failed"], result["changed"], result["error_code"]) == (True, True, "reply_cut")
    assert not host.task("hyperv_nested", {"vms": "l1-a"})["changed"], "it was made, and the next run sees it"


def test_a_lost_answer_keeps_what_earlier_chunks_did_and_begins_no_more() -> None:
    names = [f"vm-{number}" for number in range(2 * CHUNK + 1)]
    host = Cut({"based_on": "server2022-intel", "memory": "1TB", "vms": [{"name": name} for name in names]}, process=5)
    result = host.task("hyperv_nested", {"vms": names})
    assert (result["error_code"], len(result["changes"]), len(host.sent)) == ("reply_cut", CHUNK, 5)


def test_a_lost_answer_while_waiting_keeps_the_changes() -> None:
    host = Cut({"based_on": "server2022-intel", "vms": [{"name": "l1-a"}]}, process=3)
    result = host.task("hyperv_vm", {"vms": "l1-a", "state": "running", "wait_for": "heartbeat"})
    assert (result["error_code"], result["changes"][0]["attribute"]) == ("reply_cut", "power_state")


def test_host_findings_stand_once() -> None:
    host = lab(nats=[{"name": "one", "prefix": "10.0.0.0/24"}, {"name": "two", "prefix": "10.1.0.0/24"}])
    codes = [finding["code"] for finding in host.task("hyperv_nested_info", {"vms": NAMES})["findings"]]
    assert codes.count("several_nats") == 1


class Restless:
    """A resource whose Windows waits for a restart again after each."""

    SPEC = Spec()

    @dataclasses.dataclass
    class State:
        boot: int

        @classmethod
        def from_answers(cls, options: Options, answers: Answers) -> Restless.State:
            del options
            row = answers.one("boot")
            assert row is not None
            return cls(boot=row["boot"])

        def result(self) -> dict[str, t.Any]:
            return {"boot": self.boot, "rebooted": False}

    def queries(self, options: Options) -> tuple[Step, ...]:
        del options
        return (Step("X\\Get-X", save="boot"),)

    def plan(self, options: Options, state: Restless.State) -> Plan:
        del options
        host = Thing(id="x", label="HV01")

        def unready(now: Restless.State) -> str | None:
            return "it is up still" if now.boot == state.boot else None

        return Plan(reboot=Reboot(subject=host, before=True, after=False, seconds=60, unready=unready))


class Booting:
    """A transport to a host that restarts whenever it is asked to."""

    lost = ConnectionError

    def __init__(self) -> None:
        self.boots = 0

    def run(self, steps: t.Sequence[Step]) -> list[Answer]:
        self.boots += sum(step.verb_noun == "Restart-Computer" for step in steps)
        return [Answer(rows=(Row("boot", {"boot": self.boots}),)) for _step in steps]

    def reset(self) -> None: ...

    def sleep(self, seconds: float) -> None: ...

    def clock(self) -> float:
        return 0.0

    def say(self, text: str) -> None: ...


def test_a_host_is_restarted_twice_at_most() -> None:
    host = Booting()
    result = converge(t.cast("Resource", Restless()), Options({}), host)
    assert (result["failed"], result["error_code"], result["changed"], host.boots) == (True, "restart_pending", True, 2)
    assert (result["commands"], result["rebooted"], result["boot"]) == (["Restart-Computer"] * 2, True, 2)
    assert result["changes"] == [{"subject": "HV01", "attribute": "restart_pending", "before": True, "after": False}]


def test_check_mode_restarts_nothing() -> None:
    host = Booting()
    result = converge(t.cast("Resource", Restless()), Options({}), host, check_mode=True)
    assert (result["commands"], result["rebooted"], host.boots) == (["Restart-Computer"], True, 0)
