"""What hyperv_feature makes of a result that is no success, and of words that no pretended host says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._converge import converge
from ansible_collections.hyperlab.nested.plugins.module_utils._resources import hyperv_feature
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Fault, Row, Step

OPTIONS = hyperv_feature.SPEC.validate({})
BOOT = "2026-11-21T06:55:31.1234567Z"


def rows_of(role: str, module: str, **os: t.Any) -> dict[str, list[dict[str, t.Any]]]:
    names = ("Microsoft-Hyper-V", "Microsoft-Hyper-V-Management-PowerShell")
    return {
        "os": [{"CSName": "HV01", "ProductType": 3, "LastBootUpTime": BOOT, "LocalDateTime": "2026-11-21T07:00:00.0000000Z", **os}],
        "system": [{"Model": "Server", "HypervisorPresent": True}],
        "cpus": [{"VirtualizationFirmwareEnabled": True}],
        "features": [{"FeatureName": name, "State": word} for name, word in zip(names, (role, module), strict=True)],
    }


def state(role: str = "Disabled", module: str = "Disabled", **os: t.Any) -> hyperv_feature.State:
    rows = rows_of(role, module, **os)
    steps = [Step("X\\Get-X", save=name) for name in rows]
    answers = [Answer(rows=tuple(Row(name, row) for row in found)) for name, found in rows.items()]
    return hyperv_feature.State.from_answers(OPTIONS, Answers(steps, answers))


def judged(row: dict[str, t.Any], *faults: Fault) -> str | None:
    [change] = hyperv_feature.plan(OPTIONS, state()).changes
    assert change.judge
    error = change.judge(Answer(rows=(Row("", row),) if row else (), faults=faults))
    return error.code if error else None


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"Success": True, "RestartNeeded": "Yes", "ExitCode": "SuccessRestartRequired"}, None),
        ({"Success": True, "RestartNeeded": "No", "ExitCode": "NoChangeNeeded"}, None),
        ({"Success": False, "RestartNeeded": "Yes", "ExitCode": "FailedRestartRequired"}, "restart_pending"),
        ({"Success": False, "RestartNeeded": "No", "ExitCode": "Failed"}, "feature_refused"),
        ({"RestartNeeded": True}, None),
        ({}, None),
    ],
)
def test_the_result_of_the_installation_is_read(row: dict[str, t.Any], code: str | None) -> None:
    assert judged(row) == code


def test_the_hosts_own_check_is_known_by_its_id() -> None:
    fault = Fault(id="Alteration_PrerequisiteCheck_Failed,X", category="InvalidOperation", reason="Exception", message="non")
    assert judged({"Success": False, "ExitCode": "Failed"}, fault) == "prerequisites_missing"


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("Enabled", "present"),
        ("EnablePending", "present"),
        ("DisablePending", "absent"),
        ("Disabled", "absent"),
        ("DisabledWithPayloadRemoved", "absent"),
    ],
)
def test_words_of_windows(word: str, end: str) -> None:
    assert state(word).features["hyperv"].end == end


@pytest.mark.parametrize(
    ("start", "seconds"), [(BOOT, 268.876544), ("2026-11-21T06:59:00Z", 60), ("", None), (None, None), ("yesterday", None)]
)
def test_the_uptime_is_known_or_not(start: str | None, seconds: float | None) -> None:
    assert state(LastBootUpTime=start).start.uptime == (pytest.approx(seconds) if seconds else None)


def test_who_does_not_tell_his_uptime_is_not_waited_for() -> None:
    plan = hyperv_feature.plan(OPTIONS.but(reboot=True), state())
    assert plan.reboot
    assert plan.reboot.unready(state("EnablePending", LastBootUpTime="later")) is None
    assert plan.reboot.unready(state("EnablePending", LastBootUpTime="2026-11-21T06:59:00Z")) == "Windows is still at its features"
    assert "has not restarted" in (plan.reboot.unready(state("EnablePending")) or "")


@pytest.mark.parametrize(
    ("before", "after", "restarted"),
    [
        (BOOT, "2026-11-21T06:55:31.1240567Z", False),
        (BOOT, "2026-11-21T06:55:31.1228567Z", False),
        (BOOT, "2026-11-21T06:55:35Z", False),
        (BOOT, "2026-11-21T06:55:37Z", True),
        (BOOT, "2026-11-21T05:55:37Z", False),
        ("yesterday", BOOT, True),
        (BOOT, "today", True),
        ("today", "today", False),
        ("2026-11-21T06:55:31", BOOT, True),
    ],
)
def test_a_start_that_reads_a_little_later_is_the_same_one(before: str, after: str, restarted: bool) -> None:
    reboot = hyperv_feature.plan(OPTIONS.but(reboot=True), state(LastBootUpTime=before)).reboot
    assert reboot
    assert (reboot.unready(state(LastBootUpTime=after)) is None) == restarted


@dataclass
class Host:
    """Answers with what was read before and after a call, and with what the call itself returns."""

    row: dict[str, t.Any]
    lost: type[Exception] = ConnectionError

    def run(self, steps: t.Sequence[Step]) -> list[Answer]:
        found = rows_of("Enabled", "Disabled")
        written = [step for step in steps if step.verb_noun == "Install-WindowsFeature"]
        answers = []
        for step in steps:
            if step in written:
                found = rows_of("Enabled", "Enabled")
                rows = [self.row] if self.row else []
            else:
                rows = found.get(step.save or "", [])
                rows = [row for row in rows if step.parameters.get("FeatureName") in (None, row.get("FeatureName"))]
            answers.append(Answer(rows=tuple(Row(step.save or "", row) for row in rows)))
        return answers

    def clock(self) -> float:
        return 0.0


@pytest.mark.parametrize(("said", "required"), [("Yes", True), ("Maybe", True), (True, True), ("No", False), (False, False), (None, False)])
def test_a_restart_that_only_the_answer_speaks_of_is_required(said: t.Any, required: bool) -> None:
    host = Host({"Success": True, "RestartNeeded": said, "ExitCode": "Success"})
    options = OPTIONS.but(check_extensions=False, connection_address=None)
    found = converge(t.cast("t.Any", hyperv_feature), options, t.cast("t.Any", host))
    assert (found.get("failed"), found["changed"], found["reboot_required"], found["rebooted"]) == (None, True, required, False)
