"""What becomes of the inside of a VM when the VM starts, stops, is saved or loses its power."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power, schema, tree
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call

LAB = """
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    memory: {startup: 8GB}
    guest:
      users: {Administrator: right}
      windows:
        vms:
          - {name: saves, state: Running, automatic_stop_action: Save}
          - {name: shuts, state: Running, automatic_stop_action: ShutDown}
          - {name: cut, state: Running, automatic_stop_action: TurnOff, automatic_start_action: Nothing}
          - {name: was off, automatic_start_action: StartIfRunning}
          - {name: starts, automatic_start_action: Start}
          - {name: was saved, state: Saved}
"""
SHUT_DOWN, TURN_OFF, START = call("Stop-VM", Name="l1"), call("Stop-VM", Name="l1", TurnOff=True), call("Start-VM", Name="l1")
RESET = call("Restart-VM", Name="l1", Force=True)
BOOT = call("CimCmdlets\\Get-CimInstance", "LastBootUpTime", "LocalDateTime", ClassName="Win32_OperatingSystem")


@pytest.fixture
def host() -> Host:
    return nest.load(LAB)


def states(host: Host) -> list[str]:
    return [vm.state for vm in nest.windows(host.vms[0]).vms]


def after_boot(host: Host) -> list[str]:
    power.wait(host, 60)
    rows = nest.rows(host, "l1", call("Get-VM", "State"))
    return [row["State"] for row in rows]


def test_a_shutdown_lets_vms_inside_follow_their_stop_action(host: Host) -> None:
    nest.run(host, SHUT_DOWN)
    assert states(host) == ["Saved", "Off", "Off", "Off", "Off", "Saved"]


@pytest.mark.parametrize("step", [TURN_OFF, RESET])
def test_without_power_all_that_ran_inside_is_off(host: Host, step: dict[str, t.Any]) -> None:
    nest.run(host, step)
    assert states(host) == ["Off", "Off", "Off", "Off", "Off", "Saved"]


def test_a_guest_that_does_not_obey_is_turned_off(host: Host) -> None:
    host.vms[0].guest.ignores_shutdown = True
    nest.run(host, call("Stop-VM", Name="l1", Force=True))
    assert (host.vms[0].state, states(host)[:2]) == ("Off", ["Off", "Off"])


@pytest.mark.parametrize("stop", [SHUT_DOWN, TURN_OFF])
def test_vms_inside_start_as_their_start_action_says(host: Host, stop: dict[str, t.Any]) -> None:
    nest.run(host, stop, START)
    assert after_boot(host) == ["Running", "Running", "Off", "Off", "Running", "Saved"]


def test_a_reset_starts_them_again_too(host: Host) -> None:
    nest.run(host, RESET)
    assert after_boot(host) == ["Running", "Running", "Off", "Off", "Running", "Saved"]


def test_what_ran_before_counts_for_one_start_only(host: Host) -> None:
    nest.run(host, SHUT_DOWN, START)
    after_boot(host)
    nest.visit(host, "l1", call("Stop-VM", Name="shuts", TurnOff=True))
    nest.run(host, SHUT_DOWN, START)
    assert after_boot(host)[1] == "Off"


def test_a_start_inside_begins_when_windows_is_up(host: Host) -> None:
    nest.run(host, TURN_OFF, START)
    power.wait(host, 60)
    [row] = nest.rows(host, "l1", call("Get-VM", "Uptime", "Heartbeat", Name="saves"))
    boot = host.vms[0].guest.boot_seconds
    assert row["Uptime"] == pytest.approx(power.uptime(host, host.vms[0]) - boot)
    assert row["Heartbeat"] == "OkApplicationsUnknown"


def test_a_power_cut_during_the_boot_forgets_nobody(host: Host) -> None:
    nest.run(host, TURN_OFF, START, TURN_OFF, START)
    assert after_boot(host) == ["Running", "Running", "Off", "Off", "Running", "Saved"]


def test_nothing_starts_by_itself_without_a_hypervisor_or_its_service(host: Host) -> None:
    nest.run(host, TURN_OFF, call("Set-VMProcessor", VMName="l1", ExposeVirtualizationExtensions=False), START)
    assert "Running" not in after_boot(host)
    nest.run(host, TURN_OFF, call("Set-VMProcessor", VMName="l1", ExposeVirtualizationExtensions=True))
    inside = nest.windows(host.vms[0])
    inside.vmms_running = False
    nest.run(host, START)
    power.wait(host, 60)
    nest.visit(host, "l1", BOOT)
    assert "Running" not in states(host)


def test_what_has_no_memory_stays_off(host: Host) -> None:
    nest.run(host, TURN_OFF, call("Set-VMMemory", VMName="l1", StartupBytes=2 * 1024**3), START)
    assert after_boot(host) == ["Running", "Running", "Off", "Off", "Off", "Saved"]


def test_a_saved_vm_keeps_all_that_is_inside(host: Host) -> None:
    before = nest.windows(host.vms[0]).booted
    nest.run(host, call("Save-VM", Name="l1"))
    assert states(host) == ["Running", "Running", "Running", "Off", "Off", "Saved"]
    nest.run(host, START)
    assert nest.rows(host, "l1", call("Get-VM", "State", Name="saves")) == [{"State": "Running"}]
    assert nest.windows(host.vms[0]).booted == before


@pytest.mark.parametrize(
    "step",
    [call("Remove-VMSavedState", VMName="l1"), TURN_OFF, call("Remove-VM", Name="l1", Force=True)],
)
def test_a_saved_state_that_is_given_up_is_a_power_cut_inside(host: Host, step: dict[str, t.Any]) -> None:
    inside = nest.windows(host.vms[0])
    nest.run(host, call("Save-VM", Name="l1"), step)
    assert [vm.state for vm in inside.vms] == ["Off", "Off", "Off", "Off", "Off", "Saved"]


def test_windows_starts_with_its_vm(host: Host) -> None:
    first = nest.rows(host, "l1", BOOT)[0]["LastBootUpTime"]
    nest.run(host, TURN_OFF, START)
    power.wait(host, 60)
    second = nest.rows(host, "l1", BOOT)[0]
    nest.run(host, RESET)
    power.wait(host, 60)
    third = nest.rows(host, "l1", BOOT)[0]["LastBootUpTime"]
    assert first < second["LastBootUpTime"] < second["LocalDateTime"] < third
    host.booted = host.clock
    assert nest.run(host, BOOT)[0]["output"][0]["LastBootUpTime"] > third


def test_what_has_ended_inside_is_not_stopped_once_more(host: Host) -> None:
    nest.visit(host, "l1", call("Stop-VM", Name="saves", AsJob=True))
    power.wait(host, 60)
    nest.run(host, SHUT_DOWN)
    assert states(host)[0] == "Off"
    nest.run(host, START)
    assert after_boot(host)[0] == "Off"


def test_one_long_wait_ends_as_many_short_ones(host: Host) -> None:
    """The restart, the VMs that start after it, and all that is in between."""
    nest.visit(host, "l1", call("Restart-Computer", Force=True))
    other = schema.from_plain(Host, schema.to_plain(host))
    tree.link(other)
    power.wait(host, 60)
    for _second in range(60):
        power.wait(other, 1)
    assert states(host) == states(other) == ["Running", "Running", "Off", "Off", "Running", "Saved"]


def test_a_third_level_follows_too() -> None:
    host = nest.load("""
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    memory: {startup: 8GB}
    guest:
      users: {Administrator: right}
      windows:
        vms:
          - name: l2
            state: Running
            automatic_stop_action: ShutDown
            processor: {expose_virtualization_extensions: true}
            memory: {startup: 4GB}
            guest: {users: {Administrator: right}, windows: {vms: [{name: l3, state: Running}]}}
""")
    [l2] = nest.windows(host.vms[0]).vms
    [l3] = nest.windows(l2).vms
    nest.run(host, SHUT_DOWN)
    assert (l2.state, l3.state) == ("Off", "Saved")
    nest.run(host, START)
    power.wait(host, 120)
    [answer] = nest.visit(host, "l1", nest.inside("l2", call("Get-VM", "Name", "State")))
    assert nest.answers(answer)[0]["output"] == [{"Name": "l3", "State": "Running"}]
    nest.run(host, TURN_OFF)
    assert (l2.state, l3.state) == ("Off", "Off")
