"""What hyperv_feature makes of a result that is no success, and of words that no pretended host says."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._resources import hyperv_feature
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Fault, Row, Step

OPTIONS = hyperv_feature.SPEC.validate({})
BOOT = "2026-11-21T06:55:31.1234567Z"


def state(role: str = "Available", module: str = "Available", **os: t.Any) -> hyperv_feature.State:
    rows = {
        "os": [{"CSName": "HV01", "ProductType": 3, "LastBootUpTime": BOOT, "LocalDateTime": "2026-11-21T07:00:00.0000000Z", **os}],
        "system": [{"Model": "Server", "HypervisorPresent": False}],
        "cpus": [{"VirtualizationFirmwareEnabled": True}],
        "roles": [{"Name": "Hyper-V", "InstallState": role}, {"Name": "Hyper-V-PowerShell", "InstallState": module}],
    }
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


@pytest.mark.parametrize(("word", "end"), [("Removed", "absent"), ("Available", "absent"), ("InstallPending", "present")])
def test_words_of_windows(word: str, end: str) -> None:
    assert state(word).features["hyperv"].end == end


@pytest.mark.parametrize(
    ("start", "seconds"), [(BOOT, 268.876544), ("2026-11-21T06:59:00Z", 60), ("", None), (None, None), ("yesterday", None)]
)
def test_the_uptime_is_known_or_not(start: str | None, seconds: float | None) -> None:
    assert state(LastBootUpTime=start).uptime == (pytest.approx(seconds) if seconds else None)


def test_who_does_not_tell_his_uptime_is_not_waited_for() -> None:
    plan = hyperv_feature.plan(OPTIONS.but(reboot=True), state())
    assert plan.reboot
    assert plan.reboot.unready(state("InstallPending", LastBootUpTime="later")) is None
    assert plan.reboot.unready(state("InstallPending", LastBootUpTime="2026-11-21T06:59:00Z")) == "Windows is still at its features"
    assert "has not restarted" in (plan.reboot.unready(state("InstallPending")) or "")
