"""What a guest's Windows sees of its VM, and the host of what is inside."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Guest, Vm
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

CIM = "CimCmdlets\\Get-CimInstance"
FLAGS = ("VirtualizationFirmwareEnabled", "SecondLevelAddressTranslationExtensions", "VMMonitorModeExtensions")
NETWORK = """
switches: [{name: LAN, type: External, adapter: Ethernet}, {name: NAT}]
vms:
  - name: l1
    state: Running
    adapters: [{switch: LAN}, {switch: NAT}]
    guest:
      users: {Administrator: right}
      windows: {addresses: [{address: 192.168.100.2, on: Ethernet 2}]}
"""


def one(exposed: bool, **more: t.Any) -> Host:
    """A host with a running VM, in whose Windows there is a VM that is off."""
    guest = {"users": {"Administrator": "right"}, "windows": {"vms": [{"name": "l2"}], **more}}
    vm = {"name": "l1", "state": "Running", "processor": {"expose_virtualization_extensions": exposed}, "guest": guest}
    return nest.load(f"vms: [{json.dumps(vm)}]")


# --- the machine ---


def test_processors_and_memory_are_those_of_the_vm() -> None:
    host = nest.load(nest.CHAIN)
    [system] = nest.rows(host, "l1", call(CIM, "TotalPhysicalMemory", "Model", "Name", ClassName="Win32_ComputerSystem"))
    [processor] = nest.rows(host, "l1", call(CIM, "NumberOfLogicalProcessors", "Manufacturer", ClassName="Win32_Processor"))
    assert system == {"TotalPhysicalMemory": 8 * 1024**3, "Model": "Virtual Machine", "Name": "L1"}
    assert processor == {"NumberOfLogicalProcessors": 4, "Manufacturer": "GenuineIntel"}


def test_a_vm_inside_cannot_have_more_than_its_host() -> None:
    host = nest.load(nest.CHAIN)
    inner = nest.windows(host.vms[0])
    inner.vms.append(Vm(name="l2-b", id="b" * 32, version="9.0"))

    def size(gigabytes: int) -> dict[str, t.Any]:
        return call("Set-VMMemory", VMName="l2-b", StartupBytes=gigabytes * 1024**3)

    # 8 GB, of which l2 has 2
    start = call("Start-VM", Name="l2-b")
    _size, too_big, _smaller, _count, too_many = nest.visit(
        host, "l1", size(7), start, size(6), call("Set-VMProcessor", VMName="l2-b", Count=5), start
    )
    assert too_big["errors"][0]["id"].startswith("OutOfMemory,")
    assert "processor settings" in too_many["errors"][0]["message"]


@pytest.mark.parametrize(
    ("exposed", "inside", "flags", "starts"),
    [
        (False, {}, False, False),
        (True, {}, False, True),
        (True, {"hypervisor_running": False}, True, False),
        (False, {"hypervisor_running": False}, False, False),
        (True, {"hypervisor_running": False, "vbs_status": 2}, False, False),
    ],
)
def test_extensions_are_visible_where_they_are_exposed(exposed: bool, inside: dict[str, t.Any], flags: bool, starts: bool) -> None:
    host = one(exposed, **inside)
    shown, started = nest.visit(host, "l1", call(CIM, *FLAGS, ClassName="Win32_Processor"), call("Start-VM", Name="l2"))
    assert shown["output"] == [dict.fromkeys(FLAGS, flags)]
    assert (started["errors"] == []) is starts
    assert starts or "the hypervisor is not running" in started["errors"][0]["message"]
    assert nest.rows(host, "l1", call(CIM, "HypervisorPresent", ClassName="Win32_ComputerSystem")) == [{"HypervisorPresent": True}]


@pytest.mark.parametrize(
    ("exposed", "inside", "resizes"), [(True, {}, False), (False, {}, True), (True, {"hypervisor_running": False}, True)]
)
def test_memory_of_a_running_vm_is_fixed_while_hyperv_runs_inside(exposed: bool, inside: dict[str, t.Any], resizes: bool) -> None:
    host = one(exposed, **inside)
    [answer] = nest.run(host, call("Set-VMMemory", VMName="l1", StartupBytes=2 * 1024**3))
    assert (answer["errors"] == []) is resizes
    assert nest.rows(host, "l1", call(CIM, "TotalPhysicalMemory", ClassName="Win32_ComputerSystem")) == [
        {"TotalPhysicalMemory": (2 if resizes else 1) * 1024**3}
    ]


# --- the network ---


def test_adapters_inside_are_those_of_the_vm() -> None:
    host = nest.load(NETWORK)
    ports = nest.run(host, call("Get-VMNetworkAdapter", "MacAddress", VMName="l1"))[0]["output"]
    adapters = nest.rows(host, "l1", call("Get-NetAdapter", "Name", "PermanentAddress", "InterfaceDescription", "Virtual"))
    assert [adapter["PermanentAddress"] for adapter in adapters] == [port["MacAddress"] for port in ports]
    assert [(adapter["Name"], adapter["InterfaceDescription"], adapter["Virtual"]) for adapter in adapters] == [
        ("Ethernet", "Microsoft Hyper-V Network Adapter", False),
        ("Ethernet 2", "Microsoft Hyper-V Network Adapter #2", False),
    ]


def test_adapters_come_and_go_with_the_vms_and_names_stay_taken() -> None:
    host = nest.load(NETWORK)
    look = call("Get-NetAdapter", "Name", "Status")
    nest.run(host, call("Remove-VMNetworkAdapter", VMName="l1"), call("Add-VMNetworkAdapter", VMName="l1"))
    assert nest.rows(host, "l1", look) == [{"Name": "Ethernet 3", "Status": "Disconnected"}]
    nest.run(host, call("Connect-VMNetworkAdapter", VMName="l1", SwitchName="NAT"))
    assert nest.rows(host, "l1", look) == [{"Name": "Ethernet 3", "Status": "Up"}]


def test_both_sides_see_the_same_addresses() -> None:
    host = nest.load(NETWORK)
    inside = {
        row["InterfaceAlias"]: row["IPAddress"]
        for row in nest.rows(host, "l1", call("Get-NetIPAddress", "IPAddress", "InterfaceAlias", AddressFamily="IPv4"))
    }
    outside = [row["IPAddresses"][0] for row in nest.run(host, call("Get-VMNetworkAdapter", "IPAddresses", VMName="l1"))[0]["output"]]
    assert outside == [inside["Ethernet"], inside["Ethernet 2"]]
    assert outside[0].startswith("192.0.2.")
    assert outside[1] == "192.168.100.2"


def test_an_address_that_is_given_inside_is_reported_outside() -> None:
    host = nest.load(NETWORK)
    nest.visit(host, "l1", call("New-NetIPAddress", InterfaceAlias="Ethernet", IPAddress="192.0.2.77", PrefixLength=24))
    first, _second = nest.run(host, call("Get-VMNetworkAdapter", "IPAddresses", VMName="l1"))[0]["output"]
    assert [address.partition("::")[0] for address in first["IPAddresses"]] == ["192.0.2.77", "fe80"]


def test_addresses_of_a_bridge_inside_are_those_of_the_adapter_below() -> None:
    host = nest.load(NETWORK)
    nest.visit(host, "l1", call("New-VMSwitch", Name="Bridge", NetAdapterName="Ethernet 2"))
    _first, second = nest.run(host, call("Get-VMNetworkAdapter", "IPAddresses", VMName="l1"))[0]["output"]
    assert second["IPAddresses"][0] == "192.168.100.2"


def test_a_lease_takes_its_time_and_the_report_too() -> None:
    host = nest.load(NETWORK)
    nest.run(host, call("Restart-VM", Name="l1", Force=True))
    power.wait(host, 25)
    look = call("Get-VMNetworkAdapter", "IPAddresses", VMName="l1")
    assert nest.run(host, look)[0]["output"][0]["IPAddresses"][0].startswith("192.0.2.")
    nest.run(host, call("Restart-VM", Name="l1", Force=True))
    power.wait(host, 20)
    assert nest.run(host, look)[0]["output"][0]["IPAddresses"][0].startswith("169.254.")


def test_a_lease_is_not_there_at_once() -> None:
    host = nest.load(NETWORK)
    host.vms[0].guest.address_seconds = 60
    nest.run(host, call("Restart-VM", Name="l1", Force=True))
    look = call("Get-NetIPAddress", "IPAddress", InterfaceAlias="Ethernet", AddressFamily="IPv4")
    power.wait(host, 30)
    assert nest.rows(host, "l1", look)[0]["IPAddress"].startswith("169.254.")
    power.wait(host, 30)
    assert nest.rows(host, "l1", look)[0]["IPAddress"].startswith("192.0.2.")


@pytest.mark.parametrize(("spoofing", "prefix"), [("true", "192.0.2."), ("false", "169.254.")])
def test_a_bridge_inside_leads_to_the_outside_with_spoofing_only(spoofing: str, prefix: str) -> None:
    host = nest.load(f"""
switches: [{{name: LAN, type: External, adapter: Ethernet}}]
vms:
  - name: l1
    state: Running
    processor: {{expose_virtualization_extensions: true}}
    adapters: [{{switch: LAN, mac_address_spoofing: {spoofing}}}]
    guest:
      users: {{Administrator: right}}
      windows:
        switches: [{{name: Bridge, type: External, adapter: Ethernet}}]
        vms: [{{name: l2, state: Running, adapters: [{{switch: Bridge}}]}}]
""")
    assert nest.rows(host, "l1", call("Get-VMNetworkAdapter", "IPAddresses", VMName="l2"))[0]["IPAddresses"][0].startswith(prefix)
    outer = nest.run(host, call("Get-VMNetworkAdapter", "IPAddresses", VMName="l1"))[0]["output"]
    assert outer[0]["IPAddresses"][0].startswith("192.0.2.")


def test_a_guest_without_windows_is_as_before() -> None:
    host = nest.load("vms: [{name: l1, state: Running, guest: {hyperv_running: true}}]")
    assert host.vms[0].guest == Guest(hyperv_running=True)
    [answer] = nest.run(host, call("Set-VMMemory", VMName="l1", StartupBytes=2 * 1024**3))
    assert answer["errors"][0]["id"].startswith("InvalidState,")
