"""Processors, memory, security, firmware, integration services and checkpoints."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import GB, MB, Adapter, Disk, Drive, Guest, Host, Memory, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import Size
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.vm_lab import (
    FAILED,
    INVALID_PARAMETER,
    INVALID_STATE,
    NOT_FOUND,
    lab,
    run,
)

FLAG = "ExposeVirtualizationExtensions"


@pytest.mark.parametrize("state", ["Running", "Saved", "Paused", "Starting"])
@pytest.mark.parametrize("value", [True, False])
def test_the_flag_needs_a_vm_that_is_off_even_without_a_change(state: t.Any, value: bool) -> None:
    host = lab(Vm(name="l1", state=state))

    answer = run(host, "Set-VMProcessor", VMName="l1", **{FLAG: value})

    [record] = answer.records
    assert (record.id, record.category) == ("InvalidState,Microsoft.HyperV.PowerShell.Commands.SetVMProcessor", "InvalidOperation")
    assert record.message.count(f"(Virtual machine ID {host.vms[0].id.upper()})") == 2
    assert host.vms[0].processor.expose_virtualization_extensions is False


def test_one_vm_in_the_wrong_state_does_not_stop_the_others() -> None:
    host = lab(Vm(name="a"), Vm(name="b", state="Running"), Vm(name="c"))

    answer = run(host, "Set-VMProcessor", VM=run(host, "Get-VM").objects, Passthru=True, **{FLAG: True})

    assert (answer.column("VMName"), answer.errors) == (["a", "c"], [INVALID_STATE])
    assert run(host, "Get-VMProcessor", VMName="*").column(FLAG) == [True, False, True]


def test_an_old_windows_does_not_know_the_parameter() -> None:
    host = lab(Vm(name="l1"), without_properties=[f"VMProcessor.{FLAG}"])

    [record] = run(host, "Set-VMProcessor", VMName="l1", **{FLAG: True}).records

    assert (record.id, record.reason) == (
        "NamedParameterNotFound,Microsoft.HyperV.PowerShell.Commands.SetVMProcessor",
        "ParameterBindingException",
    )
    assert FLAG not in run(host, "Get-VMProcessor", VMName="l1").objects[0].names()


def test_processor_settings_that_the_model_lacks_are_refused_aloud() -> None:
    host = lab(Vm(name="l1"), Vm(name="on", state="Running"))

    with pytest.raises(NotSimulated, match="Reserve"):
        run(host, "Set-VMProcessor", VMName="l1", Reserve=10)
    assert run(host, "Set-VMProcessor", VMName="on", MaximumCountPerNumaNode=2).errors == [INVALID_STATE]


def memory(vm: Vm, **parameters: t.Any) -> tuple[list[tuple[str, str]], Memory]:
    host = lab(vm)
    return run(host, "Set-VMMemory", VMName=vm.name, **parameters).errors, host.vms[0].memory


def dynamic() -> Memory:
    return Memory(dynamic=True, startup=Size(4 * GB), minimum=Size(2 * GB), maximum=Size(8 * GB))


@pytest.mark.parametrize(
    ("parameters", "changed"),
    [
        ({"StartupBytes": 2 * GB}, {"startup": 2 * GB}),
        ({"StartupBytes": 2 * GB + 5}, {"startup": 2 * GB}),
        ({"Priority": 70}, {"priority": 70}),
        ({"DynamicMemoryEnabled": False}, {}),
        (
            {"DynamicMemoryEnabled": True, "MinimumBytes": GB, "StartupBytes": GB, "MaximumBytes": 2 * GB, "Buffer": 10},
            {"dynamic": True, "minimum": GB, "startup": GB, "maximum": 2 * GB, "buffer": 10},
        ),
    ],
)
def test_memory_of_a_vm_that_is_off(parameters: dict[str, t.Any], changed: dict[str, t.Any]) -> None:
    errors, after = memory(Vm(name="l1"), **parameters)

    assert (errors, after) == ([], Memory(**changed))


@pytest.mark.parametrize(
    "parameters",
    [
        {"MinimumBytes": GB},
        {"MaximumBytes": 2 * GB},
        {"Buffer": 30},
        {"DynamicMemoryEnabled": False, "MinimumBytes": GB},
        {"DynamicMemoryEnabled": False, "StartupBytes": GB, "Buffer": 20},
        {"StartupBytes": 4019 * MB},
        {"StartupBytes": 30 * MB},
        {"DynamicMemoryEnabled": True, "MinimumBytes": 2 * GB},
        {"DynamicMemoryEnabled": True, "MaximumBytes": 512 * MB},
        {"DynamicMemoryEnabled": True, "MinimumBytes": GB + MB},
    ],
)
def test_memory_that_is_refused(parameters: dict[str, t.Any]) -> None:
    errors, after = memory(Vm(name="l1"), **parameters)

    assert (errors, after) == ([INVALID_PARAMETER], Memory())


def test_a_misaligned_size_names_what_was_sent() -> None:
    [record] = run(lab(Vm(name="l1")), "Set-VMMemory", VMName="l1", StartupBytes=4019 * MB).records

    assert "('4019' MB) is not properly aligned" in record.message
    assert record.message.startswith("Failed to modify device 'Memory'.")


@pytest.mark.parametrize(
    ("before", "parameters", "allowed"),
    [
        (Memory(), {"StartupBytes": 2 * GB}, True),
        (Memory(), {"StartupBytes": GB}, False),
        (Memory(), {"Priority": 70}, False),
        (Memory(), {"DynamicMemoryEnabled": False}, False),
        (Memory(), {"DynamicMemoryEnabled": True}, False),
        (dynamic(), {"MinimumBytes": GB}, True),
        (dynamic(), {"MinimumBytes": 3 * GB}, False),
        (dynamic(), {"MinimumBytes": 2 * GB}, False),
        (dynamic(), {"MaximumBytes": 16 * GB}, True),
        (dynamic(), {"MaximumBytes": 4 * GB}, False),
        (dynamic(), {"MaximumBytes": 16 * GB, "MinimumBytes": GB, "Buffer": 5, "Priority": 10}, True),
        (dynamic(), {"MaximumBytes": 16 * GB, "DynamicMemoryEnabled": True}, False),
        (dynamic(), {"Buffer": 20}, False),
        (dynamic(), {"StartupBytes": 5 * GB}, False),
    ],
)
def test_memory_of_a_running_vm(before: Memory, parameters: dict[str, t.Any], allowed: bool) -> None:
    host = lab(Vm(name="l1", state="Running", memory=dataclasses.replace(before)))

    answer = run(host, "Set-VMMemory", VMName="l1", **parameters)

    assert answer.errors == ([] if allowed else [INVALID_STATE])
    assert (host.vms[0].memory != before) is allowed


@pytest.mark.parametrize("state", ["Saved", "Paused"])
def test_memory_of_a_saved_or_paused_vm_stays(state: t.Any) -> None:
    assert memory(Vm(name="l1", state=state), StartupBytes=2 * GB) == ([INVALID_STATE], Memory())


@pytest.mark.parametrize("guest", [Guest(hyperv_running=True), Guest(integration_services=False), Guest(installed=False)])
def test_a_static_resize_needs_a_guest_that_plays_along(guest: Guest) -> None:
    assert memory(Vm(name="l1", state="Running", guest=guest), StartupBytes=2 * GB) == ([INVALID_STATE], Memory())


def test_a_static_resize_beyond_the_host_goes_as_far_as_it_can() -> None:
    host = lab(Vm(name="l1", state="Running"), memory=4 * GB)

    assert run(host, "Set-VMMemory", VMName="l1", StartupBytes=8 * GB).errors == [("OutOfMemory", "NotSpecified")]
    assert host.vms[0].memory.startup == 4 * GB


def test_security_needs_off() -> None:
    host = lab(Vm(name="l1"), Vm(name="on", state="Running"))

    answer = run(host, "Set-VMSecurity", VMName=["l1", "on"], VirtualizationBasedSecurityOptOut=True)

    assert answer.errors == [INVALID_STATE]
    assert run(host, "Get-VMSecurity", VMName="*").column("VirtualizationBasedSecurityOptOut") == [True, False]
    assert "VMName" not in run(host, "Get-VMSecurity", VMName="l1").objects[0].names()


def firmware_lab() -> Host:
    return lab(
        Vm(name="l1", adapters=[Adapter()], drives=[Drive(path="C:\\l1.vhdx"), Drive(kind="dvd", location=1)]),
        Vm(name="old", generation=1),
        disks=[Disk(path="C:\\l1.vhdx")],
    )


def test_firmware() -> None:
    host = firmware_lab()

    assert run(host, "Get-VMFirmware", VMName="*").errors == [INVALID_PARAMETER]
    assert (
        run(host, "Set-VMFirmware", VMName="l1", EnableSecureBoot="Off", SecureBootTemplate="microsoftuefiCertificateAuthority").errors
        == []
    )
    [live] = run(host, "Get-VMFirmware", VMName="l1").objects
    assert (live.get("SecureBoot"), live.get("SecureBootTemplate")) == ("Off", "MicrosoftUEFICertificateAuthority")
    assert run(host, "Set-VMFirmware", VMName="l1", SecureBootTemplate="Mine").errors == [INVALID_PARAMETER]
    host.vms[0].tpm = True
    assert run(host, "Set-VMFirmware", VMName="l1", SecureBootTemplate="MicrosoftWindows").errors == [FAILED]
    host.vms[0].state = "Running"
    assert run(host, "Set-VMFirmware", VMName="l1", EnableSecureBoot="On").errors == [INVALID_STATE]


def test_the_first_boot_device() -> None:
    host = firmware_lab()
    dvd = run(host, "Get-VMDvdDrive", VMName="l1").objects[0]

    assert run(host, "Set-VMFirmware", VMName="l1", FirstBootDevice=dvd).errors == []
    order = run(host, "Get-VMFirmware", VMName="l1").objects[0].get("BootOrder")
    assert [source.get("BootType") for source in order] == ["Drive", "Drive", "Network"]
    assert order[0].get("Device").get("Id") == dvd.get("Id")
    assert run(host, "Set-VMFirmware", VMName="l1", FirstBootDevice=order[2]).errors == []
    assert host.vms[0].first_boot == host.vms[0].adapters[0].id


def test_integration_services_are_known_by_their_ids() -> None:
    host = lab(Vm(name="l1", state="Running", disabled_services=["files"]), language="de-DE")

    services = run(host, "Get-VMIntegrationService", VMName="l1").objects
    shutdown = next(live for live in services if live.get("Id").endswith("9F8233AC-BE49-4C79-8EE3-E7E1985B2077"))
    assert (shutdown.get("Name"), shutdown.get("PrimaryOperationalStatus"), shutdown.get("Enabled")) == ("Herunterfahren", "Ok", True)
    assert run(host, "Get-VMIntegrationService", VMName="l1", Name="Shutdown").errors == [INVALID_PARAMETER]
    assert run(host, "Enable-VMIntegrationService", VMName="l1", Name="gast*").errors == []
    assert host.vms[0].disabled_services == []


def test_an_integration_service_has_no_contact_before_the_guest_is_up() -> None:
    host = lab(Vm(name="l1"))
    assert run(host, "Get-VMIntegrationService", VMName="l1", Name="Heartbeat").column("PrimaryOperationalStatus") == [None]
    run(host, "Start-VM", Name="l1")
    assert run(host, "Get-VMIntegrationService", VMName="l1", Name="Heartbeat").column("PrimaryStatusDescription") == ["No Contact"]


def test_checkpoints_lay_files_over_the_disks_and_merging_takes_them_away() -> None:
    host = lab(Vm(name="l1", drives=[Drive(path="C:\\l1.vhdx")]), disks=[Disk(path="C:\\l1.vhdx")])
    [vm] = host.vms
    first, second, third = (run(host, "Checkpoint-VM", Name="l1", SnapshotName=name, Passthru=True).objects[0] for name in ("a", "b", "c"))

    assert [disk.type for disk in host.disks] == ["Dynamic", "Differencing", "Differencing", "Differencing"]
    assert run(host, "Get-VMHardDiskDrive", VMName="l1").column("Path") == [host.disks[-1].path]
    assert (second.get("ParentSnapshotName"), run(host, "Get-VM").column("ParentSnapshotName")) == ("a", ["c"])
    run(host, "Remove-VMSnapshot", VMSnapshot=second)
    assert (len(host.disks), host.disks[-1].parent, second.get("IsDeleted")) == (3, host.disks[1].path, True)
    run(host, "Remove-VMSnapshot", VMName="l1", Name="nothing")
    run(host, "Remove-VMSnapshot", VMSnapshot=first, IncludeAllChildSnapshots=True)
    assert ([disk.path for disk in host.disks], vm.drives[0].path, vm.checkpoints) == (["C:\\l1.vhdx"], "C:\\l1.vhdx", [])
    assert third.get("IsDeleted")
    assert run(host, "Get-VMSnapshot", VMName="l1").errors == []
    assert run(host, "Get-VMSnapshot", VMName="l1", Name="a").errors == [NOT_FOUND]
