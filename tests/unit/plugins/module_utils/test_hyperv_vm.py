"""What a case file would be too long for."""

from __future__ import annotations

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab


def test_more_new_vms_than_one_payload_takes() -> None:
    lab = Lab({"based_on": "server2022-intel", "memory": "1TB"})
    options = {"vms": [f"l1-{number}" for number in range(101)], "state": "running", "memory": {"startup": "1GB"}}
    made = lab.task("hyperv_vm", options)
    assert not made.get("failed")
    assert (lab.host.processes, len(lab.host.vms), {vm.state for vm in lab.host.vms}) == (4, 101, {"Running"})
    again = lab.task("hyperv_vm", options)
    assert (again["changed"], lab.host.processes) == (False, 6)
    gone = lab.task("hyperv_vm", {**options, "state": "absent", "when_running": "turn_off"})
    assert (gone["changed"], lab.host.vms) == (True, [])
