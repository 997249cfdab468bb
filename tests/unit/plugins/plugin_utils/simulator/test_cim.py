"""The CIM classes that tell what a host is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Cpu, Host
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import run

GET = "CimCmdlets\\Get-CimInstance"
GUARD = {"ClassName": "Win32_DeviceGuard", "Namespace": "root\\Microsoft\\Windows\\DeviceGuard"}
SERVICE = {"ClassName": "Win32_Service", "Filter": "Name='vmms'"}


def test_the_operating_system() -> None:
    shown = run(Host(), GET, ClassName="Win32_OperatingSystem").one
    assert shown.get("BuildNumber") == "20348"
    assert shown.get("ProductType") == 3
    assert shown.get("OperatingSystemSKU") == 8
    assert shown.get("LastBootUpTime") < shown.get("LocalDateTime")


@pytest.mark.parametrize(
    ("host", "visible"),
    [
        (Host(hypervisor_running=False), True),
        (Host(), False),
        (Host(hypervisor_running=False, vbs_status=2), False),
        (Host(hypervisor_running=False, nested=True), False),
    ],
)
def test_the_processor_hides_virtualization_below_a_hypervisor(host: Host, visible: bool) -> None:
    host.cpu = Cpu(vendor="AMD")
    shown = run(host, GET, ClassName="win32_processor").one
    assert shown.get("Manufacturer") == "AuthenticAMD"
    assert {shown.get(name) for name in ("VirtualizationFirmwareEnabled", "SecondLevelAddressTranslationExtensions")} == {visible}
    assert run(host, GET, ClassName="Win32_ComputerSystem").one.get("HypervisorPresent") is not visible


def test_a_vm_says_that_it_is_one() -> None:
    shown = run(Host(nested=True), GET, ClassName="Win32_ComputerSystem", Namespace="ROOT/CIMV2").one
    assert (shown.get("Manufacturer"), shown.get("Model")) == ("Microsoft Corporation", "Virtual Machine")


def test_device_guard_has_a_namespace_of_its_own() -> None:
    assert run(Host(vbs_status=2), GET, **GUARD).one.get("SecurityServicesRunning") == [1, 2]
    assert run(Host(), GET, ClassName="Win32_DeviceGuard").errors == [("HRESULT 0x80041010", "MetadataError")]
    assert run(Host(rights="denied"), GET, **GUARD).errors == [("HRESULT 0x80041003", "PermissionDenied")]


@pytest.mark.parametrize(
    ("host", "states"),
    [
        (Host(), ["Running"]),
        (Host(vmms_running=False), ["Stopped"]),
        (Host(hyperv_module=False), ["Running"]),
        (Host(hyperv="uninstall_pending"), ["Running"]),
        (Host(hyperv="install_pending"), []),
        (Host(hyperv="absent"), []),
    ],
)
def test_the_service(host: Host, states: list[str]) -> None:
    assert run(host, GET, **SERVICE).column("State") == states


def test_properties_that_were_not_asked_for_are_null() -> None:
    shown = run(Host(), GET, ClassName="Win32_OperatingSystem", Property=["BuildNumber"]).one
    assert (shown.get("BuildNumber"), shown.get("Caption")) == ("20348", None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"ClassName": "Win32_Bios"},
        {"ClassName": "Win32_Service"},
        {"ClassName": "Win32_Service", "Filter": "Name='winrm'"},
        {"ClassName": "Win32_Processor", "Filter": "DeviceID='CPU0'"},
        {"ClassName": "Msvm_ComputerSystem", "Namespace": "root\\virtualization\\v2"},
        {"Query": "SELECT * FROM Win32_Processor"},
    ],
)
def test_everything_else_is_refused(parameters: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated):
        run(Host(), GET, **parameters)
