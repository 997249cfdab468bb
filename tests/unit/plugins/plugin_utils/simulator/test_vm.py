"""Get-VM, New-VM, Set-VM, Remove-VM and their kin, and Get-VMHost."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import GB, MB, Disk, Drive, Guest, Memory, Switch, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import Size
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.vm_lab import (
    FAILED,
    INVALID_PARAMETER,
    INVALID_STATE,
    NOT_FOUND,
    lab,
    run,
)


def test_all_vms_have_every_property() -> None:
    host = lab(Vm(name="l1", state="Running"), Vm(name="old", generation=1))

    for live in run(host, "Get-VM").objects:
        assert {name: live.get(name) for name in live.names()}["Name"] == live.vm.name
        for device in ("Processor", "Memory", "Security", "IntegrationService"):
            for thing in run(host, f"Get-VM{device}", VM=live).objects:
                assert all(thing.get(name) != "" for name in ("ComputerName", "IsDeleted"))
                assert len([thing.get(name) for name in thing.names()]) > 5


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("L1-A", ["l1-a"]),
        ("l1-*", ["l1-a", "l1-b"]),
        ("l1-[b-z]", ["l1-b"]),
        ("?", ["x"]),
        ("nothing*", []),
        (["l1-b", "l1-*"], ["l1-b", "l1-a"]),
        ("lab`[1`]", ["lab[1]"]),
        ("x", ["x"]),
    ],
)
def test_names_and_wildcards(names: t.Any, found: list[str]) -> None:
    host = lab(*(Vm(name=name) for name in ("l1-a", "l1-b", "lab[1]", "x")))

    answer = run(host, "Get-VM", Name=names)

    assert (answer.column("Name"), answer.errors) == (found, [])


def test_a_missing_name_is_an_error_of_its_own_and_the_others_come_all_the_same() -> None:
    answer = run(lab(Vm(name="l1")), "Get-VM", Name=["nope", "l1", "neither"])

    assert answer.column("Name") == ["l1"]
    assert answer.errors == [INVALID_PARAMETER] * 2
    assert 'with name "nope"' in answer.records[0].message


def test_by_id() -> None:
    host = lab(Vm(name="l1"), Vm(name="l1"))

    assert run(host, "Get-VM", Id=host.vms[1].id.upper()).objects[0].vm is host.vms[1]
    assert run(host, "Get-VM", Id="00000000-0000-0000-0000-00000000000a").errors == [NOT_FOUND]


def test_other_cmdlets_say_object_not_found_and_work_on_every_vm_of_a_name() -> None:
    host = lab(Vm(name="twin"), Vm(name="twin"), Vm(name="other"))

    assert run(host, "Set-VMProcessor", VMName="nope", Count=2).errors == [NOT_FOUND]
    assert run(host, "Set-VMProcessor", VMName="twin", Count=2).errors == []
    assert [vm.processor.count for vm in host.vms] == [2, 2, 1]


def test_an_object_whose_vm_is_gone_is_not_found() -> None:
    host = lab(Vm(name="l1"), Vm(name="l2"))
    vms = run(host, "Get-VM").objects
    processors = run(host, "Get-VMProcessor", VM=vms).objects
    run(host, "Remove-VM", Name="l1", Force=True)

    answer = run(host, "Set-VMProcessor", VM=vms, Count=4)
    assert (answer.errors, host.vms[0].processor.count) == ([NOT_FOUND], 4)
    assert run(host, "Set-VMProcessor", VMProcessor=processors, Count=3).errors == [NOT_FOUND]
    assert (vms[0].get("IsDeleted"), vms[1].get("IsDeleted")) == (True, False)


def test_the_host_and_its_versions() -> None:
    host = lab()

    assert run(host, "Get-VMHost").column("LogicalProcessorCount") == [16]
    assert run(host, "Get-VMHostSupportedVersion", Default=True).column("Version") == ["10.0"]
    assert run(host, "Get-VMHostSupportedVersion").column("Version") == host.supported_versions


def test_a_new_vm_has_the_defaults_and_one_adapter() -> None:
    host = lab(switches=[Switch(name="VmNAT")])

    [made] = run(host, "New-VM", Name="l1", SwitchName="vmnat").objects

    [vm] = host.vms
    assert made.vm is vm
    assert (vm.generation, vm.version, vm.state, vm.memory.startup, vm.memory.dynamic) == (1, "10.0", "Off", 512 * MB, False)
    assert [(a.name, a.switch, a.mac) for a in vm.adapters] == [("Network Adapter", host.switches[0].id, "000000000000")]
    assert [(d.kind, d.controller) for d in vm.drives] == [("dvd", "IDE")]
    assert [live.service for live in run(host, "Get-VMIntegrationService", VM=made).objects if not live.get("Enabled")] == ["files"]


def test_a_client_makes_vms_with_dynamic_memory_and_automatic_checkpoints() -> None:
    host = lab(client=True)

    [made] = run(host, "New-VM", Name="l1", MemoryStartupBytes=256 * MB).objects

    assert (made.get("DynamicMemoryEnabled"), made.get("AutomaticCheckpointsEnabled"), made.get("MemoryMinimum")) == (True, True, 256 * MB)


def test_a_new_disk_goes_to_the_default_folder() -> None:
    host = lab()

    run(host, "New-VM", Name="l1", Generation=2, NewVHDPath="l1.vhdx", NewVHDSizeBytes=60 * GB, Path="D:\\VMs\\", Version="9.0")

    [vm], [disk] = host.vms, host.disks
    assert (disk.path, disk.size, vm.drives[0].path) == (f"{host.virtual_hard_disk_path}\\l1.vhdx", 60 * GB, disk.path)
    assert (vm.path, vm.version, vm.secure_boot, vm.first_boot) == ("D:\\VMs\\l1", "9.0", True, "SCSI 0:0")


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"MemoryStartupBytes": 4019 * MB}, INVALID_PARAMETER),
        ({"MemoryStartupBytes": 16 * MB}, INVALID_PARAMETER),
        ({"Version": "12.0"}, INVALID_PARAMETER),
        ({"SwitchName": "nope"}, INVALID_PARAMETER),
        ({"VHDPath": "C:\\nope.vhdx"}, NOT_FOUND),
        ({"NewVHDPath": "C:\\there.vhdx", "NewVHDSizeBytes": GB}, FAILED),
        ({"Generation": 2, "BootDevice": "IDE", "NewVHDPath": "C:\\new.vhdx", "NewVHDSizeBytes": GB}, INVALID_PARAMETER),
    ],
)
def test_a_vm_that_cannot_be_made_leaves_nothing(parameters: dict[str, t.Any], error: tuple[str, str]) -> None:
    host = lab(disks=[Disk(path="C:\\there.vhdx")])

    answer = run(host, "New-VM", Name="l1", **parameters)

    assert (answer.objects, answer.errors, host.vms, len(host.disks)) == ([], [error], [], 1)


@pytest.mark.parametrize(
    ("device", "first"),
    [("CD", "SCSI 0:1"), ("VHD", "SCSI 0:0"), ("NetworkAdapter", "adapter"), (None, "SCSI 0:0")],
)
def test_the_boot_device_of_a_new_vm(device: str | None, first: str) -> None:
    host = lab(disks=[Disk(path="C:\\there.vhdx")])

    run(host, "New-VM", Name="l1", Generation=2, VHDPath="c:/there.vhdx", **({"BootDevice": device} if device else {}))

    [vm] = host.vms
    assert vm.first_boot == (vm.adapters[0].id if first == "adapter" else first)
    assert (vm.drives[0].path, len(host.disks)) == ("C:\\there.vhdx", 1)


def test_two_vms_may_have_one_name() -> None:
    host = lab(Vm(name="l1"))

    run(host, "New-VM", Name="l1")

    assert len(run(host, "Get-VM", Name="l1").objects) == 2


def test_what_new_vm_cannot_do_is_said() -> None:
    with pytest.raises(NotSimulated, match="Prerelease"):
        run(lab(), "New-VM", Name="l1", Prerelease=True)


def test_set_vm_changes_a_running_vm_where_it_may() -> None:
    host = lab(Vm(name="l1", state="Running"))

    answer = run(host, "Set-VM", Name="l1", Notes="mine", AutomaticCheckpointsEnabled=False, CheckpointType="Standard", Passthru=True)

    assert (answer.errors, answer.column("Notes"), answer.column("CheckpointType")) == ([], ["mine"], ["Standard"])
    assert run(host, "Set-VM", Name="l1", ProcessorCount=4).errors == [INVALID_STATE]
    assert run(host, "Set-VM", Name="l1", AutomaticStopAction="ShutDown").errors == [INVALID_STATE]


def test_set_vm_memory() -> None:
    host = lab(Vm(name="l1"))

    assert run(host, "Set-VM", Name="l1", StaticMemory=True, MemoryMinimumBytes=GB).errors == [INVALID_PARAMETER]
    assert run(host, "Set-VM", Name="l1", MemoryMaximumBytes=GB).errors == [INVALID_PARAMETER]
    assert run(host, "Set-VM", Name="l1", DynamicMemory=True, StaticMemory=True).errors == [INVALID_PARAMETER]
    answer = run(host, "Set-VM", Name="l1", DynamicMemory=True, MemoryMinimumBytes=GB, MemoryStartupBytes=2 * GB, MemoryMaximumBytes=4 * GB)
    assert answer.errors == []
    assert host.vms[0].memory == Memory(dynamic=True, startup=Size(2 * GB), minimum=Size(GB), maximum=Size(4 * GB))


def test_rename_to_a_name_that_is_taken() -> None:
    host = lab(Vm(name="l1"), Vm(name="l2", state="Running"))

    assert run(host, "Rename-VM", Name="l2", NewName="l1").errors == []
    assert [vm.name for vm in host.vms] == ["l1", "l1"]


@pytest.mark.parametrize(("state", "gone"), [("Off", True), ("Saved", True), ("Running", False), ("Paused", False)])
def test_remove_needs_a_vm_that_is_off_or_saved(state: t.Any, gone: bool) -> None:
    host = lab(Vm(name="l1", state=state))

    answer = run(host, "Remove-VM", Name="l1", Force=True)

    assert (answer.errors, host.vms == []) == ([] if gone else [INVALID_STATE], gone)


def test_remove_leaves_the_disks_and_merges_checkpoints() -> None:
    host = lab(Vm(name="l1", drives=[Drive(path="C:\\l1.vhdx")]), disks=[Disk(path="C:\\l1.vhdx")])
    run(host, "Checkpoint-VM", Name="l1")
    run(host, "Checkpoint-VM", Name="l1")

    run(host, "Remove-VM", Name="l1", Force=True)

    assert [disk.path for disk in host.disks] == ["C:\\l1.vhdx"]


def test_update_version() -> None:
    host = lab(
        Vm(name="old", version="8.0"),
        Vm(name="new"),
        Vm(name="on", version="8.0", state="Running"),
        Vm(name="saved", version="9.0", state="Saved"),
    )

    answer = run(host, "Update-VMVersion", Name="*", Force=True)

    assert [vm.version for vm in host.vms] == ["10.0", "10.0", "8.0", "10.0"]
    assert host.vms[3].state == "Off"
    assert (answer.errors, len(answer.warnings)) == ([INVALID_STATE], 1)


def test_remove_saved_state() -> None:
    host = lab(Vm(name="saved", state="Saved"), Vm(name="off"), Vm(name="on", state="Running"))

    answer = run(host, "Remove-VMSavedState", VMName="*")

    assert ([vm.state for vm in host.vms], answer.errors, len(answer.warnings)) == (["Off", "Off", "Running"], [INVALID_STATE], 1)


def test_what_if_does_nothing() -> None:
    host = lab(Vm(name="l1"))

    run(host, "Remove-VM", Name="l1", WhatIf=True)

    assert len(host.vms) == 1


def test_a_thousand_vms() -> None:
    host = lab(*(Vm(name=f"vm{number}", drives=[Drive(path=f"C:\\{number}.vhdx")], guest=Guest(boot_seconds=1)) for number in range(1000)))
    host.memory = Size(2000 * GB)

    vms = run(host, "Get-VM").objects
    run(host, "Set-VMProcessor", VM=vms, ExposeVirtualizationExtensions=True)
    run(host, "Start-VM", VM=vms[:100])
    for live in vms:
        live.get("State")
        run(host, "Set-VMMemory", VM=live, Priority=60)
    assert all(vm.processor.expose_virtualization_extensions for vm in host.vms)
    assert [vm.state for vm in host.vms].count("Running") == 100
