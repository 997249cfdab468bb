"""The road with more VMs than fit into one payload. With fewer the cases show it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._vms import CHUNK
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

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
