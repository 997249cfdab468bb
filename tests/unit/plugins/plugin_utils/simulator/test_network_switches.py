"""Virtual switches, and what they do to the host's adapters and addresses."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Address, Host, HostAdapter, Nat, Switch
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import EXTERNAL, ICS, INTERNAL, lab, run

GET, NEW, SET, REMOVE = (f"Hyper-V\\{verb}-VMSwitch" for verb in ("Get", "New", "Set", "Remove"))
ADDRESS = "NetTCPIP\\Get-NetIPAddress"
MISSING = ("InvalidParameter", "InvalidArgument")


@pytest.fixture(name="host")
def _host() -> Host:
    return lab()


def adapter_names(host: Host) -> list[str]:
    return [adapter.name for adapter in host.adapters]


def addresses_on(host: Host, name: str) -> list[str]:
    index = next(adapter.index for adapter in host.adapters if adapter.name == name)
    return [address.address for address in host.addresses if address.adapter == index]


@pytest.mark.parametrize(
    ("parameters", "names", "errors"),
    [
        ({}, ["VmNAT", "Out"], []),
        ({"Name": "vmnat"}, ["VmNAT"], []),
        ({"Name": "V*"}, ["VmNAT"], []),
        ({"Name": "none*"}, [], []),
        ({"Name": "none"}, [], [MISSING]),
        ({"Id": [EXTERNAL, INTERNAL]}, ["Out", "VmNAT"], []),
        ({"Id": ICS}, [], [MISSING]),
        ({"SwitchType": "External"}, ["Out"], []),
    ],
)
def test_what_get_selects(host: Host, parameters: dict[str, t.Any], names: list[str], errors: list[tuple[str, str]]) -> None:
    answer = run(host, GET, **parameters)
    assert (answer.column("Name"), answer.errors) == (names, errors)


def test_an_internal_switch_brings_an_adapter(host: Host) -> None:
    switch = run(host, NEW, Name="Lab", SwitchType="Internal", Notes="mine").one
    assert (switch.get("SwitchType"), switch.get("AllowManagementOS"), switch.get("Notes")) == ("Internal", True, "mine")
    own = run(host, "Hyper-V\\Get-VMNetworkAdapter", ManagementOS=True, SwitchName="Lab").one
    shown = next(a for a in run(host, "NetAdapter\\Get-NetAdapter").objects if a.get("DeviceID") == own.get("DeviceId"))
    assert shown.get("Name") == "vEthernet (Lab)"
    assert shown.get("InterfaceDescription") == "Hyper-V Virtual Ethernet Adapter #3"
    assert shown.get("InterfaceIndex") == 8


def test_a_private_switch_brings_none(host: Host) -> None:
    before = adapter_names(host)
    assert run(host, NEW, Name="Lab", SwitchType="Private").one.get("AllowManagementOS") is False
    assert adapter_names(host) == before


def test_switch_names_repeat_but_adapter_names_do_not(host: Host) -> None:
    run(host, NEW, Name="VmNAT", SwitchType="Internal")
    assert run(host, GET, Name="VmNAT").column("SwitchType") == ["Internal", "Internal"]
    assert adapter_names(host)[-1] == "vEthernet (VmNAT) 2"
    assert run(host, "Hyper-V\\Get-VMNetworkAdapter", ManagementOS=True).column("Name") == ["VmNAT", "Out", "VmNAT"]


def test_a_stale_adapter_keeps_its_name(host: Host) -> None:
    stale = HostAdapter(name="vEthernet (Lab)", description="x", index=30, id="d1" * 16, status="Not Present", switch=ICS, hidden=True)
    host.adapters.append(stale)
    run(host, NEW, Name="Lab", SwitchType="Internal")
    assert adapter_names(host)[-1] == "vEthernet (Lab) 2"
    assert "vEthernet (Lab)" not in run(host, "NetAdapter\\Get-NetAdapter").column("Name")
    assert "vEthernet (Lab)" in run(host, "NetAdapter\\Get-NetAdapter", IncludeHidden=True).column("Name")


@pytest.mark.parametrize("parameter", [{"NetAdapterName": "spare"}, {"NetAdapterInterfaceDescription": ["Card #2"]}])
def test_an_external_switch_takes_the_addresses(host: Host, parameter: dict[str, t.Any]) -> None:
    switch = run(host, NEW, Name="Lan", **parameter).one
    assert (switch.get("SwitchType"), switch.get("NetAdapterInterfaceDescription")) == ("External", "Card #2")
    assert addresses_on(host, "vEthernet (Lan)") == ["172.20.0.9"]
    run(host, REMOVE, Name="Lan")
    assert addresses_on(host, "Spare") == ["172.20.0.9"]


def test_without_the_management_system_the_addresses_rest(host: Host) -> None:
    run(host, NEW, Name="Lan", NetAdapterName="Spare", AllowManagementOS=False)
    assert "vEthernet (Lan)" not in adapter_names(host)
    assert run(host, ADDRESS, IPAddress="172.20.0.9").objects == []
    assert run(host, "NetNat\\New-NetNat", Name="n", InternalIPInterfaceAddressPrefix="172.20.0.0/16").errors == []
    run(host, REMOVE, Name="Lan")
    assert run(host, ADDRESS, IPAddress="172.20.0.9").column("InterfaceAlias") == ["Spare"]


def test_physical_adapters_that_cannot_be_bound(host: Host) -> None:
    assert run(host, NEW, Name="Lan", NetAdapterName="none").errors == [("ObjectNotFound", "ObjectNotFound")]
    assert run(host, NEW, Name="Lan", NetAdapterName="vEthernet (VmNAT)").errors == [("ObjectNotFound", "ObjectNotFound")]
    assert run(host, NEW, Name="Lan", NetAdapterName="Ethernet").errors == [("OperationFailed", "NotSpecified")]
    assert len(host.switches) == 2


def test_external_is_no_type_for_new(host: Host) -> None:
    with pytest.raises(binder.BindingError):
        run(host, NEW, Name="Lan", SwitchType="External")
    with pytest.raises(NotSimulated):
        run(host, NEW, Name="Lan", NetAdapterName=["Spare", "Ethernet"])


def test_what_if_does_nothing(host: Host) -> None:
    run(host, NEW, Name="Lan", SwitchType="Internal", WhatIf=True)
    assert len(host.switches) == 2


def test_removing_a_switch(host: Host) -> None:
    host.nats.append(Nat(name="LocalNAT", prefix="192.168.100.0/24"))
    old = run(host, GET, Name="VmNAT").one
    assert run(host, REMOVE, VMSwitch=old, Force=True) == ([], [])
    assert adapter_names(host) == ["Ethernet", "Spare", "vEthernet (Out)"]
    assert "192.168.100.1" not in [address.address for address in host.addresses]
    assert host.vms[0].adapters[0].switch is None
    assert len(host.nats) == 1
    assert run(host, REMOVE, VMSwitch=old).errors == [("ObjectNotFound", "ObjectNotFound")]
    assert run(host, REMOVE, Name="VmNAT").errors == [MISSING]


def test_a_private_switch_becomes_internal_and_back(host: Host) -> None:
    run(host, NEW, Name="Lab", SwitchType="Private")
    assert run(host, SET, Name="Lab", SwitchType="Internal", Passthru=True).one.get("AllowManagementOS") is True
    assert adapter_names(host)[-1] == "vEthernet (Lab)"
    run(host, SET, Name="Lab", SwitchType="Private")
    assert "vEthernet (Lab)" not in adapter_names(host)


def test_an_internal_switch_becomes_external(host: Host) -> None:
    run(host, SET, Name="VmNAT", NetAdapterName="Spare", Notes="out")
    assert (host.switches[0].type, host.switches[0].adapter, host.switches[0].notes) == ("External", "Spare", "out")
    assert addresses_on(host, "vEthernet (VmNAT)") == ["192.168.100.1", "172.20.0.9"]


def test_sharing_with_the_management_system_is_switched_off_and_on(host: Host) -> None:
    run(host, SET, Name="Out", AllowManagementOS=False)
    assert "vEthernet (Out)" not in adapter_names(host)
    run(host, SET, Name="Out", AllowManagementOS=True)
    assert addresses_on(host, "vEthernet (Out)") == ["10.0.0.5"]
    assert run(host, SET, Name="VmNAT", SwitchType="External").errors == [MISSING]


def test_the_default_switch_cannot_be_changed(host: Host) -> None:
    host.switches.append(Switch(name="Default Switch", id=ICS, automatic=True))
    host.addresses.append(Address(address="172.30.0.1", prefix_length=20, adapter=9))
    for cmdlet in (SET, REMOVE):
        assert run(host, cmdlet, Name="Default Switch").errors == [("OperationFailed", "NotSpecified")]
    assert run(host, "Hyper-V\\Add-VMNetworkAdapter", ManagementOS=True, SwitchName="Default Switch").errors == [
        ("OperationFailed", "NotSpecified")
    ]


def test_a_further_management_adapter(host: Host) -> None:
    shown = run(host, "Hyper-V\\Add-VMNetworkAdapter", ManagementOS=True, SwitchName="Out", Name="Backup", Passthru=True).one
    assert (shown.get("Name"), adapter_names(host)[-1]) == ("Backup", "vEthernet (Backup)")
    run(host, "Hyper-V\\Remove-VMNetworkAdapter", ManagementOS=True, Name="Backup")
    assert "vEthernet (Backup)" not in adapter_names(host)
