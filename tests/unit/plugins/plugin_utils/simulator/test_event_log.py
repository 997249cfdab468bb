"""What the System log tells of launches of a hypervisor."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import tree
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Guest, Host, Processor, Vm
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import run

GET = "Microsoft.PowerShell.Diagnostics\\Get-WinEvent"
LAUNCH = {"LogName": "System", "FilterXPath": "*[System[Provider[@Name='Microsoft-Windows-Hyper-V-Hypervisor'] and EventID=1]]"}
NONE = ("NoMatchingEventsFound", "ObjectNotFound")


def launches(host: Host) -> list[str]:
    return [f"{event.get('TimeCreated'):%d %H:%M:%S}" for event in run(host, GET, **LAUNCH).objects]


def guest(*, exposed: bool, **windows: t.Any) -> Host:
    inside = Host(**windows)
    tree.link(Host(vms=[Vm(name="l1", processor=Processor(expose_virtualization_extensions=exposed), guest=Guest(windows=inside))]))
    return inside


@pytest.mark.parametrize(
    ("host", "launched"),
    [
        (Host(), True),
        (Host(hyperv="absent"), False),
        (Host(hypervisor_running=False), False),
        (Host(hyperv="absent", vbs_status=2), True),
        (Host(hyperv="absent", vbs_status=1), False),
        (guest(exposed=True), True),
        (guest(exposed=False), False),
        (guest(exposed=True, hyperv="absent"), False),
        (guest(exposed=True, hyperv="absent", vbs_status=2), True),
        # its VBS is the host's hypervisor's work (facts 8)
        (guest(exposed=False, hyperv="absent", vbs_status=2), False),
    ],
)
def test_a_hypervisor_that_runs_was_launched(host: Host, launched: bool) -> None:
    answer = run(host, GET, **LAUNCH)
    assert (len(answer.objects), answer.errors) == ((1, []) if launched else (0, [NONE]))


def test_the_newest_comes_first() -> None:
    host = Host(booted=3600, launched_before=60)
    assert launches(host) == ["01 01:00:04", "01 00:01:00"]
    assert [event.get("Id") for event in run(host, GET, **LAUNCH, MaxEvents=1).objects] == [1]
    host.hypervisor_running = False
    assert launches(host) == ["01 00:01:00"]


def test_the_log_is_for_administrators() -> None:
    assert run(Host(rights="sees_nothing"), GET, **LAUNCH).errors == [("System.UnauthorizedAccessException", "NotSpecified")]


@pytest.mark.parametrize(
    "changed",
    [{"LogName": "Security"}, {"LogName": ["System", "Security"]}, {"FilterXPath": "*"}, {"FilterXPath": LAUNCH["FilterXPath"] + " or *"}],
)
def test_other_events_are_not_simulated(changed: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated):
        run(Host(), GET, **{**LAUNCH, **changed})
