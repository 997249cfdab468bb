"""hyperv_nested_info when VMs vanish while it reads: no case can show that, for events fire only between processes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._findings import GUEST_RULES, HOST_RULES
from ansible_collections.hyperlab.nested.plugins.module_utils._options import Options
from ansible_collections.hyperlab.nested.plugins.module_utils._resources.hyperv_nested_info import State, queries
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Fault, Row

STAYS, GOES = (f"f0e1d2c3-0000-4000-8000-00000000000{letter}" for letter in "ab")
GONE = Fault(id="ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.GetVM", category="ObjectNotFound", reason="", message="")


def read(names: tuple[str, ...] | None, without: str) -> State:
    """What is made of a host with two VMs, one of which is gone when the component `without` is read."""
    options = Options({"vms": names})
    vms = [
        {"Id": vm_id, "Name": name, "State": "Off", "Version": "10.0", "Generation": 2, "IsClustered": False}
        for name, vm_id in (("stays", STAYS), ("goes", GOES))
    ]
    memory = {"DynamicMemoryEnabled": False, "Startup": 2**32, "Minimum": 2**29, "Maximum": 2**40, "Buffer": 20, "Priority": 50}
    rows: dict[str, list[dict[str, t.Any]]] = {
        "host": [{"Name": "HV01"}],
        "vms": vms,
        "processors": [{"VMId": vm["Id"], "Count": 1, "ExposeVirtualizationExtensions": True} for vm in vms],
        "memory": [{"VMId": vm["Id"], **memory} for vm in vms],
    }
    rows[without] = rows[without][:1]
    steps = queries(options)
    answers = [
        Answer(
            rows=tuple(Row(step.save or "", row) for row in rows.get(step.save or "", ())), faults=(GONE,) if step.save == without else ()
        )
        for step in steps
    ]
    assert all(GONE.kind in step.absent for step in steps if step.save == without)
    return State.from_answers(options, Answers(steps, answers))


@pytest.mark.parametrize("without", ["processors", "memory"])
def test_a_vm_that_vanishes_is_left_out(without: str) -> None:
    state = read(None, without)
    assert [vm["name"] for vm in state.result()["vms"]] == ["stays"]
    assert "vm_not_found" not in [finding.code for finding in state.findings]


@pytest.mark.parametrize("without", ["processors", "memory"])
def test_a_named_vm_that_vanishes_is_not_found(without: str) -> None:
    state = read(("stays", "goes"), without)
    assert [vm["name"] for vm in state.result()["vms"]] == ["stays"]
    assert [finding.subject for finding in state.findings if finding.code == "vm_not_found"] == ["goes"]


def test_a_code_is_one_rules() -> None:
    codes = [rule.code for rule in HOST_RULES] + [rule.code for rule in GUEST_RULES]
    assert len(codes) == len(set(codes))
