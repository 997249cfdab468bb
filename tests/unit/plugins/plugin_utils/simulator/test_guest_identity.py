"""What the Windows in a VM is known by: its interface indices, and what it is told of the host whose VM it is."""

from __future__ import annotations

import pytest

from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call

KEY = "HKLM:\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest\\Parameters"
NAMES = ("HostName", "PhysicalHostName", "VirtualMachineName", "VirtualMachineId")
LOOK = call("Microsoft.PowerShell.Management\\Get-ItemProperty", *NAMES, Path=KEY)


def test_a_guest_is_told_whose_vm_it_is() -> None:
    host = nest.load(nest.CHAIN)
    l1 = nest.windows(host.vms[0])
    assert nest.rows(host, "l1", LOOK) == [dict(zip(NAMES, ("HV01", "HV01", "l1", host.vms[0].id.upper()), strict=True))]
    [of_l2] = nest.answers(nest.visit(host, "l1", nest.inside("l2", LOOK))[0])
    assert of_l2["output"] == [dict(zip(NAMES, ("L1", "L1", "l2", l1.vms[0].id.upper()), strict=True))]


def test_a_physical_host_has_no_such_key() -> None:
    [error] = nest.run(nest.load(nest.CHAIN), LOOK)[0]["errors"]
    assert (error["id"], error["category"]) == ("PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand", "ObjectNotFound")


@pytest.mark.parametrize("switched_off", ["kvp", "heartbeat"])
def test_nobody_tells_without_the_data_exchange_service(switched_off: str) -> None:
    host = nest.load(nest.CHAIN)
    host.vms[0].disabled_services = [switched_off]
    [answer] = nest.visit(host, "l1", LOOK)
    assert bool(answer["errors"]) is (switched_off == "kvp")


def test_adapters_that_a_profile_names_have_other_indices_than_the_loopback() -> None:
    vm = "{name: l1, state: Running, adapters: [{}, {}], guest: {windows: {adapters: [{name: Front}, {name: Back}]}}}"
    inside = nest.windows(nest.load(f"vms: [{vm}]").vms[0])
    assert [adapter.index for adapter in inside.adapters] == [4, 5]
