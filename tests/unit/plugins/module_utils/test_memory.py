"""What cases cannot show of _memory.py: VMs that no profile can hold, and what only a person reads."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._errors import InvalidOptions
from ansible_collections.hyperlab.nested.plugins.module_utils._memory import MEMORY, memory_change, memory_refusals
from ansible_collections.hyperlab.nested.plugins.module_utils._options import GB
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Row
from ansible_collections.hyperlab.nested.plugins.module_utils._vms import Vm

ID = "11111111-1111-1111-1111-111111111111"


def vm(state: str = "Off", **read: t.Any) -> Vm:
    row = Row("vms", {"Id": ID, "Name": "l1-a", "State": state, **read})
    return Vm(row=row, id=ID, name="l1-a", label="l1-a", state=state, version="10.0", generation=2, clustered=False, shutdown=True)


def memory(**read: t.Any) -> Row:
    values = {"DynamicMemoryEnabled": True, "Startup": 2 * GB, "Minimum": GB, "Maximum": 4 * GB, "Buffer": 20, "Priority": 50}
    return Row("memory", {"VMId": ID, **values, **read})


def test_vm_out_of_order_that_is_as_wanted() -> None:
    odd = memory(Startup=8 * GB)
    assert memory_refusals(vm(), odd, {"startup": 8 * GB}) == []
    assert not memory_change(vm(), odd, {"startup": 8 * GB}, exposed=False).real


def test_refusal_names_all_values_and_tells_which_are_the_vms_own() -> None:
    (error,) = memory_refusals(vm(), memory(), {"startup": 8 * GB})
    assert error.msg.endswith("this would be minimum 1GB (as it is) <= startup 8GB <= maximum 4GB (as it is)")


@pytest.mark.parametrize(("heartbeat", "needs_off"), [("OkApplicationsUnknown", False), (None, False), ("NoContact", True)])
def test_resize_needs_a_guest_that_answers(heartbeat: str | None, needs_off: bool) -> None:
    change = memory_change(vm("Running", Heartbeat=heartbeat), memory(DynamicMemoryEnabled=False), {"startup": 4 * GB}, exposed=False)
    assert change.needs_off is needs_off


def test_nothing_is_wanted() -> None:
    assert not memory_change(vm("Running"), memory(), {"startup": None}, exposed=True).real


def test_option_error_says_what_would_be_right() -> None:
    with pytest.raises(InvalidOptions) as caught:
        MEMORY.parse({"startup": "4GB", "maximum": "2GB"})
    assert caught.value.fix.startswith("give maximum=4GB or more, or startup=2GB or less")
