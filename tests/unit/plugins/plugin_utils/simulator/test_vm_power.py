"""Start-VM, Stop-VM and their kin on the simulated clock, and jobs."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import (
    GB,
    Adapter,
    Checkpoint,
    Cpu,
    Disk,
    Drive,
    Guest,
    Host,
    Memory,
    Move,
    Processor,
    Vm,
)
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import Size
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.vm_lab import (
    FAILED,
    INVALID_PARAMETER,
    INVALID_STATE,
    lab,
    run,
)

EXPOSED = Processor(expose_virtualization_extensions=True)
PROMPT = ("InvalidOperation", "InvalidOperation")


def states(host: Host) -> list[str]:
    return [vm.state for vm in host.vms]


def test_a_start_gives_mac_addresses_once_and_a_heartbeat_in_time() -> None:
    host = lab(Vm(name="l1", adapters=[Adapter(), Adapter(mac="00155DABCDEF", dynamic_mac=False)]))

    run(host, "Start-VM", Name="l1")
    [vm] = host.vms
    first = vm.adapters[0].mac
    assert (vm.state, first[:6], vm.adapters[1].mac) == ("Running", "00155D", "00155DABCDEF")
    assert run(host, "Get-VM").column("Heartbeat") == ["NoContact"]
    power.wait(host, vm.guest.boot_seconds)
    assert run(host, "Get-VM").column("Heartbeat") == ["OkApplicationsUnknown"]
    assert run(host, "Get-VM").column("Uptime")[0].total_seconds() == vm.guest.boot_seconds
    run(host, "Stop-VM", Name="l1")
    assert run(host, "Get-VM").column("Heartbeat") == [None]
    run(host, "Start-VM", Name="l1")
    assert vm.adapters[0].mac == first


@pytest.mark.parametrize(
    ("state", "cmdlet", "after", "error", "warned"),
    [
        ("Running", "Start-VM", "Running", None, True),
        ("Saved", "Start-VM", "Running", None, False),
        ("Paused", "Start-VM", "Running", None, False),
        ("Off", "Stop-VM", "Off", None, True),
        ("Saved", "Stop-VM", "Saved", PROMPT, False),
        ("Paused", "Stop-VM", "Paused", INVALID_STATE, False),
        ("Running", "Save-VM", "Saved", None, False),
        ("Paused", "Save-VM", "Saved", None, False),
        ("Off", "Save-VM", "Off", INVALID_STATE, False),
        ("Running", "Suspend-VM", "Paused", None, False),
        ("Off", "Suspend-VM", "Off", INVALID_STATE, False),
        ("Paused", "Resume-VM", "Running", None, False),
        ("Off", "Resume-VM", "Off", INVALID_STATE, False),
        ("Running", "Resume-VM", "Running", None, True),
    ],
)
def test_power_states(state: t.Any, cmdlet: str, after: str, error: t.Any, warned: bool) -> None:
    host = lab(Vm(name="l1", state=state))

    answer = run(host, cmdlet, Name="l1")

    assert (states(host), answer.errors, bool(answer.warnings)) == ([after], [error] if error else [], warned)


@pytest.mark.parametrize(
    ("state", "how", "after"),
    [
        ("Running", {"TurnOff": True}, "Off"),
        ("Paused", {"TurnOff": True}, "Off"),
        ("Saved", {"TurnOff": True}, "Off"),
        ("Running", {"Save": True}, "Saved"),
        ("Saved", {"Force": True}, "Off"),
    ],
)
def test_stops_without_the_guest(state: t.Any, how: dict[str, bool], after: str) -> None:
    host = lab(Vm(name="l1", state=state))
    before = host.clock

    answer = run(host, "Stop-VM", Name="l1", **how)

    assert (states(host), answer.errors, host.clock) == ([after], [], before)


def test_force_on_a_paused_vm_is_an_error_and_turns_it_off() -> None:
    host = lab(Vm(name="l1", state="Paused"))

    assert (run(host, "Stop-VM", Name="l1", Force=True).errors, states(host)) == ([INVALID_STATE], ["Off"])


@pytest.mark.parametrize("cmdlet", ["Start-VM", "Stop-VM"])
def test_a_vm_between_two_states_takes_no_orders(cmdlet: str) -> None:
    host = lab(Vm(name="l1", state="Starting"))

    assert (run(host, cmdlet, Name="l1").errors, states(host)) == ([INVALID_STATE], ["Starting"])


def test_a_move_arrives_when_it_is_due() -> None:
    host = lab(Vm(name="l1", state="Starting", adapters=[Adapter()]))
    host.vms[0].move = Move(state="Running", at=host.clock + 5)

    power.wait(host, 4)
    assert states(host) == ["Starting"]
    power.wait(host, 1)
    assert (states(host), host.vms[0].started, host.vms[0].adapters[0].mac[:6]) == (["Running"], host.clock, "00155D")


def test_a_restored_guest_is_up_at_once() -> None:
    host = lab(Vm(name="l1", state="Saved"))

    run(host, "Start-VM", Name="l1")

    assert run(host, "Get-VM").column("Heartbeat") == ["OkApplicationsUnknown"]
    assert run(host, "Stop-VM", Name="l1").errors == []


def test_a_wait_that_never_ends_is_refused() -> None:
    host = lab(Vm(name="l1", state="Running", guest=Guest(installed=False)))

    with pytest.raises(NotSimulated, match="never ends"):
        run(host, "Restart-VM", Name="l1", Force=True, Wait=True, Timeout=-1)


def test_save_and_turn_off_exclude_each_other() -> None:
    assert run(lab(Vm(name="l1")), "Stop-VM", Name="l1", Save=True, TurnOff=True).errors == [INVALID_PARAMETER]


def test_a_shutdown_takes_the_guest_its_time() -> None:
    host = lab(Vm(name="l1", state="Running"))
    before = host.clock

    run(host, "Stop-VM", Name="l1")

    assert (states(host), host.clock - before) == (["Off"], 10)


@pytest.mark.parametrize(
    "vm",
    [
        Vm(name="l1", guest=Guest(installed=False)),
        Vm(name="l1", guest=Guest(integration_services=False)),
        Vm(name="l1", disabled_services=["shutdown"]),
        Vm(name="l1", guest=Guest(boot_seconds=100)),
    ],
)
def test_a_guest_out_of_reach_would_be_asked_about(vm: Vm) -> None:
    host = lab(vm)
    run(host, "Start-VM", Name="l1")
    power.wait(host, 60)

    answer = run(host, "Stop-VM", Name="l1")

    assert (states(host), answer.errors) == (["Running"], [PROMPT])
    assert run(host, "Stop-VM", Name="l1", Force=True).errors == []
    assert states(host) == ["Off"]


def test_a_guest_that_ignores_the_shutdown() -> None:
    host = lab(Vm(name="l1", state="Running", guest=Guest(ignores_shutdown=True)))

    assert run(host, "Stop-VM", Name="l1").errors == [FAILED]
    assert states(host) == ["Running"]
    before = host.clock
    assert run(host, "Stop-VM", Name="l1", Force=True).errors == []
    assert (states(host), host.clock - before) == (["Off"], 300)


def test_jobs_run_while_the_clock_goes_on() -> None:
    host = lab(Vm(name="slow", state="Running", guest=Guest(shutdown_seconds=60)), Vm(name="quick", state="Running"))
    before = host.clock

    jobs = [run(host, "Stop-VM", Name=name, AsJob=True).objects[0] for name in ("slow", "quick")]

    assert (states(host), host.clock - before) == (["Running", "Running"], 0)
    power.wait(host, 10)
    assert (states(host), [job.get("State") for job in jobs]) == (["Running", "Off"], ["Running", "Completed"])
    power.wait(host, 50)
    assert (states(host), [job.get("State") for job in jobs]) == (["Off", "Off"], ["Completed", "Completed"])
    answer = run(host, "Microsoft.PowerShell.Core\\Receive-Job", Job=jobs)
    assert (answer.objects, answer.errors) == ([], [])


def test_a_job_keeps_its_errors() -> None:
    host = lab(Vm(name="l1", state="Running", guest=Guest(integration_services=False)))

    answer = run(host, "Stop-VM", Name="l1", AsJob=True)
    assert (answer.errors, answer.column("State"), answer.column("HasMoreData")) == ([], ["Failed"], [True])
    received = run(host, "Microsoft.PowerShell.Core\\Receive-Job", Job=answer.objects)
    assert received.records[0].id == "InvalidOperation,Microsoft.HyperV.PowerShell.Commands.StopVM"
    assert run(host, "Microsoft.PowerShell.Core\\Receive-Job", Job=answer.objects).errors == []
    assert run(host, "Microsoft.PowerShell.Core\\Remove-Job", Job=answer.objects).errors == []


def test_a_job_that_runs_is_removed_by_force_only() -> None:
    host = lab(Vm(name="l1", state="Running", guest=Guest(ignores_shutdown=True)))
    job = run(host, "Stop-VM", Name="l1", AsJob=True).objects

    assert len(run(host, "Microsoft.PowerShell.Core\\Remove-Job", Job=job).errors) == 1
    assert run(host, "Microsoft.PowerShell.Core\\Remove-Job", Job=job, Force=True).errors == []
    power.wait(host, 10_000)
    assert states(host) == ["Running"]


def test_a_power_cut_ends_a_shutdown_that_is_on_its_way() -> None:
    host = lab(Vm(name="l1", state="Running"))
    run(host, "Stop-VM", Name="l1", AsJob=True)

    run(host, "Stop-VM", Name="l1", TurnOff=True)
    run(host, "Start-VM", Name="l1")
    power.wait(host, 60)

    assert states(host) == ["Running"]


@pytest.mark.parametrize(
    ("vm", "host", "starts"),
    [
        (Vm(name="l1", processor=EXPOSED), {}, True),
        (Vm(name="l1", processor=EXPOSED, memory=Memory(dynamic=True)), {}, True),
        (Vm(name="l1", processor=EXPOSED), {"cpu": Cpu(vendor="AMD")}, True),
        (Vm(name="l1", processor=EXPOSED, version="9.2"), {"cpu": Cpu(vendor="AMD")}, False),
        (Vm(name="l1", processor=EXPOSED, version="9.0"), {"cpu": Cpu(vendor="AMD"), "build": 17763}, False),
        (Vm(name="l1", version="9.0"), {"cpu": Cpu(vendor="AMD"), "build": 17763}, True),
        (Vm(name="l1", processor=EXPOSED, version="7.1"), {"supported_versions": ["7.1", "10.0"]}, False),
        (Vm(name="l1", version="7.1"), {"supported_versions": ["7.1", "10.0"]}, True),
        (Vm(name="l1"), {"hypervisor_running": False}, False),
        (Vm(name="l1", processor=Processor(count=32)), {}, False),
        (Vm(name="l1", drives=[Drive(path="C:\\nope.vhdx")]), {}, False),
        (Vm(name="l1", drives=[Drive(path="c:/l1.VHDX")]), {"disks": [Disk(path="C:\\l1.vhdx")]}, True),
    ],
)
def test_what_a_start_needs(vm: Vm, host: dict[str, t.Any], starts: bool) -> None:
    made = lab(Vm(name="l1"), **host)
    vm.id, vm.version = made.vms[0].id, vm.version or "10.0"
    made.vms = [vm]

    answer = run(made, "Start-VM", Name="l1")

    assert (states(made), answer.errors) == ((["Running"], []) if starts else (["Off"], [FAILED]))
    vm.state = "Off"


def test_setting_the_flag_says_nothing_about_the_processor() -> None:
    host = lab(Vm(name="l1", version="9.0"), cpu=Cpu(vendor="AMD"), build=17763, supported_versions=["9.0"], default_version="9.0")

    assert run(host, "Set-VMProcessor", VMName="l1", ExposeVirtualizationExtensions=True).errors == []
    answer = run(host, "Start-VM", Name="l1")
    assert "this platform does not support nested virtualization" in answer.records[0].message
    run(host, "Set-VMProcessor", VMName="l1", ExposeVirtualizationExtensions=False)
    assert run(host, "Start-VM", Name="l1").errors == []


def test_memory_runs_out() -> None:
    host = lab(*(Vm(name=f"l1-{letter}", memory=Memory(startup=Size(48 * GB))) for letter in "abc"))

    answer = run(host, "Start-VM", Name="*")

    assert states(host) == ["Running", "Running", "Off"]
    assert [record.id for record in answer.records] == ["OutOfMemory,Microsoft.HyperV.PowerShell.Commands.StartVM"]


def test_two_running_vms_do_not_share_a_disk_and_parents_have_to_be_there() -> None:
    host = lab(
        Vm(name="a", drives=[Drive(path="C:\\base.vhdx")]),
        Vm(name="b", drives=[Drive(path="C:\\base.vhdx")]),
        Vm(name="c", drives=[Drive(path="C:\\child.vhdx")]),
        disks=[
            Disk(path="C:\\base.vhdx"),
            Disk(path="C:\\parent.vhdx"),
            Disk(path="C:\\child.vhdx", type="Differencing", parent="C:\\parent.vhdx"),
        ],
    )

    assert run(host, "Start-VM", Name=["a", "b"]).errors == [FAILED]
    assert run(host, "Start-VM", Name="c").errors == []
    run(host, "Stop-VM", Name="c", TurnOff=True)
    del host.disks[1]
    assert run(host, "Start-VM", Name="c").errors == [FAILED]


def test_restart_is_a_reset_and_can_wait_for_the_guest() -> None:
    host = lab(Vm(name="l1", state="Running"))

    assert run(host, "Restart-VM", Name="l1").errors == [PROMPT]
    before = host.clock
    assert run(host, "Restart-VM", Name="l1", Force=True, Wait=True, For="Heartbeat").errors == []
    assert 20 <= host.clock - before <= 30
    host.vms[0].guest.installed = False
    assert run(host, "Restart-VM", Name="l1", Force=True, Wait=True, Timeout=60).errors == [FAILED]


def test_an_automatic_checkpoint_goes_with_the_vm() -> None:
    host = lab(
        Vm(name="l1", state="Running", drives=[Drive(path="C:\\l1_A.avhdx")], checkpoints=[Checkpoint(name="auto", automatic=True)]),
        disks=[Disk(path="C:\\l1.vhdx"), Disk(path="C:\\l1_A.avhdx", type="Differencing", parent="C:\\l1.vhdx")],
    )

    run(host, "Stop-VM", Name="l1")

    [vm], [disk] = host.vms, host.disks
    assert (vm.checkpoints, vm.drives[0].path, disk.path) == ([], "C:\\l1.vhdx", "C:\\l1.vhdx")
