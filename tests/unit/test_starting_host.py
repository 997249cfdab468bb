"""answer_timeout on a host that answers, and whose Hyper-V is not up yet: right after a start, and at no other time."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

COMES = [{"process": 4, "set": {"vmms_running": True}}]


def starting(seconds: float = 10, **more: t.Any) -> Lab:
    """A host that has been up for so long, and whose service vmms is not."""
    return Lab({"based_on": "server2022-intel", "booted": 1_000_000.0 - seconds, "vmms_running": False, **more})


def codes(result: dict[str, t.Any]) -> list[str]:
    return [finding["code"] for finding in result["findings"]]


@pytest.mark.parametrize("check_mode", [True, False])
def test_info_waits_for_the_service(check_mode: bool) -> None:
    lab = starting(events=COMES)
    assert codes(lab.task("hyperv_nested_info", {"answer_timeout": 60}, check_mode=check_mode)) == []
    assert lab.host.processes == 4


@pytest.mark.parametrize("module", [True, False])
def test_a_feature_that_is_there_is_only_right_when_it_answers(module: bool) -> None:
    lab = starting(events=COMES, hyperv_module=module)
    result = lab.task("hyperv_feature", {"answer_timeout": 60, "management_tools": module})
    assert (result["changed"], lab.host.processes) == (False, 4)


def test_a_removal_waits_to_hear_of_the_vms() -> None:
    options = {"state": "absent", "answer_timeout": 60}
    assert starting(events=COMES).task("hyperv_feature", {"state": "absent"})["error_code"] == "vms_unknown"
    assert not starting(events=COMES).task("hyperv_feature", options).get("failed")


@pytest.mark.parametrize("options", [{}, {"answer_timeout": 60}])
def test_a_service_that_stays_away_is_said_to_in_the_end(options: dict[str, int]) -> None:
    lab = starting()
    assert codes(lab.task("hyperv_nested_info", options)) == ["vmms_stopped"]
    assert (lab.host.processes > 5) == bool(options)


def test_it_is_waited_for_no_longer_than_a_start_may_take() -> None:
    lab = starting(280)
    assert codes(lab.task("hyperv_nested_info", {"answer_timeout": 3600})) == ["vmms_stopped"]
    assert 20 < lab.host.clock - 1_000_000 < 40


def test_a_host_that_has_been_up_for_long_is_not_waited_for() -> None:
    lab = starting(100_000, events=COMES)
    assert codes(lab.task("hyperv_nested_info", {"answer_timeout": 60})) == ["vmms_stopped"]
    assert lab.host.processes == 1


def test_a_host_without_hyperv_is_not_waited_for_either() -> None:
    lab = starting(hyperv="absent")
    assert codes(lab.task("hyperv_nested_info", {"answer_timeout": 60})) == ["hyperv_missing"]
    assert lab.host.processes == 1
