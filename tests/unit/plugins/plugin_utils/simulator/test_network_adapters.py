"""Network adapters of VMs and of the management operating system."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder, wildcards
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Adapter, Host, Move, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.vm_objects import VirtualMachine
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import EXTERNAL, INTERNAL, lab, run

GET, SET, ADD, REMOVE = (f"Hyper-V\\{verb}-VMNetworkAdapter" for verb in ("Get", "Set", "Add", "Remove"))
CONNECT, DISCONNECT = (f"Hyper-V\\{verb}-VMNetworkAdapter" for verb in ("Connect", "Disconnect"))


@pytest.fixture(name="host")
def _host() -> Host:
    return lab()


def test_adapters_of_given_vms_come_in_their_order(host: Host) -> None:
    vms = [VirtualMachine(host, vm) for vm in host.vms]
    assert run(host, GET, VM=vms).column("Name") == ["Network Adapter", "Network Adapter", "LAN"]


def test_what_an_adapter_shows(host: Host) -> None:
    shown = run(host, GET, VMName="l1-a").objects[0]
    wanted: dict[str, t.Any] = {
        "Id": f"Microsoft:{'B1' * 16}\\{'C1' * 16}",
        "VMId": "b1" * 16,
        "MacAddress": "00155D0000C1",
        "MacAddressSpoofing": "Off",
        "SwitchName": "VmNAT",
        "SwitchId": INTERNAL,
        "Connected": True,
        "IPAddresses": ["192.168.100.2"],
        "IsManagementOs": False,
    }
    assert {name: shown.get(name) for name in wanted} == wanted


def test_an_unconnected_adapter_has_no_switch(host: Host) -> None:
    shown = run(host, GET, VMName="l1-b").one
    assert (shown.get("SwitchName"), shown.get("SwitchId"), shown.get("Connected"), shown.get("IPAddresses")) == ("", None, False, [])


@pytest.mark.parametrize(
    ("parameters", "count", "errors"),
    [
        ({"VMName": "l1-*"}, 3, []),
        ({"VMName": "x*"}, 0, []),
        ({"VMName": ["nobody", "l1-b"]}, 1, [("ObjectNotFound", "ObjectNotFound")]),
        ({"VMName": "l1-a", "Name": "network adapter"}, 2, []),
        ({"VMName": "l1-a", "Name": "nothing"}, 0, []),
        ({"VMName": "*", "IsLegacy": True}, 0, []),
        ({"ManagementOS": True}, 2, []),
        ({"ManagementOS": True, "SwitchName": "vmnat"}, 1, []),
        ({"ManagementOS": True, "Name": "Out"}, 1, []),
        ({"All": True}, 5, []),
    ],
)
def test_what_get_selects(host: Host, parameters: dict[str, t.Any], count: int, errors: list[tuple[str, str]]) -> None:
    answer = run(host, GET, **parameters)
    assert (len(answer.objects), answer.errors) == (count, errors)


def test_a_management_adapter_is_found_again_among_the_hosts(host: Host) -> None:
    device = run(host, GET, ManagementOS=True, SwitchName="VmNAT").one.get("DeviceId")
    found = [a for a in run(host, "NetAdapter\\Get-NetAdapter", IncludeHidden=True).objects if a.get("DeviceID") == device]
    assert [a.get("Name") for a in found] == ["vEthernet (VmNAT)"]


def test_spoofing_changes_on_a_running_vm(host: Host) -> None:
    [first, second] = run(host, GET, VMName="l1-a").objects
    assert run(host, SET, VMNetworkAdapter=first, MacAddressSpoofing="On") == ([], [])
    assert (first.get("MacAddressSpoofing"), second.get("MacAddressSpoofing")) == ("On", "Off")


def test_without_a_name_every_adapter_is_set(host: Host) -> None:
    assert run(host, SET, VMName="l1-a", MacAddressSpoofing="On", Passthru=True).column("MacAddressSpoofing") == ["On", "On"]


def test_two_adapters_at_once_are_refused(host: Host) -> None:
    with pytest.raises(binder.BindingError):
        run(host, SET, VMNetworkAdapter=run(host, GET, VMName="l1-a").objects, MacAddressSpoofing="On")


def test_an_adapter_that_is_gone_cannot_be_set(host: Host) -> None:
    old = run(host, GET, VMName="l1-b").one
    host.vms[1].adapters.clear()
    assert run(host, SET, VMNetworkAdapter=old, MacAddressSpoofing="On").errors == [("ObjectNotFound", "ObjectNotFound")]


def test_a_name_that_no_adapter_has_is_an_error_to_set(host: Host) -> None:
    assert run(host, SET, VMName="l1-a", Name="x", MacAddressSpoofing="On").errors == [("ObjectNotFound", "ObjectNotFound")]


@pytest.mark.parametrize("parameters", [{"StaticMacAddress": "00-15-5D-12-34-56"}, {"DynamicMacAddress": True}])
def test_the_mac_address_changes_only_while_the_vm_is_off(host: Host, parameters: dict[str, t.Any]) -> None:
    assert run(host, SET, VMName="l1-a", **parameters).errors == [("InvalidState", "InvalidOperation")] * 2
    assert run(host, SET, VMName="l1-b", **parameters).errors == []


def test_a_static_mac_address_loses_its_separators(host: Host) -> None:
    shown = run(host, SET, VMName="l1-b", StaticMacAddress="00-15-5d-12-34-56", Passthru=True).one
    assert (shown.get("MacAddress"), shown.get("DynamicMacAddressEnabled")) == ("00155D123456", False)


def test_a_vm_on_its_way_refuses(host: Host) -> None:
    host.vms[0].state, host.vms[0].move = "Stopping", Move(state="Off", at=host.clock + 9)
    assert {kind for kind, _category in run(host, SET, VMName="l1-a", MacAddressSpoofing="On").errors} == {"InvalidState"}


def test_what_the_model_lacks_is_refused(host: Host) -> None:
    with pytest.raises(NotSimulated, match="DhcpGuard"):
        run(host, SET, VMName="l1-b", DhcpGuard="On")
    with pytest.raises(NotSimulated, match="VmqWeight"):
        run(host, SET, VMName="l1-b", VmqWeight=3)


def test_addresses_come_as_the_guest_boots(host: Host) -> None:
    vm = host.vms[0]
    vm.started = host.clock
    adapter = run(host, GET, VMName="l1-a").objects[0]
    seen = []
    for seconds in (1, vm.guest.boot_seconds, vm.guest.address_seconds):
        host.clock = vm.started + seconds
        seen.append(adapter.get("IPAddresses"))
    assert seen == [[], ["169.254.0.193", "fe80::215:5dff:fe00:c1"], ["192.168.100.2"]]


@pytest.mark.parametrize("silent", ["off", "no services", "no kvp", "unplugged"])
def test_a_guest_that_cannot_report_shows_no_address(host: Host, silent: str) -> None:
    vm = host.vms[0]
    if silent == "off":
        vm.state = "Off"
    elif silent == "no services":
        vm.guest.integration_services = False
    elif silent == "no kvp":
        vm.disabled_services = ["kvp"]
    else:
        vm.adapters[0].switch = None
    assert run(host, GET, VMName="l1-a").objects[0].get("IPAddresses") == []


def test_the_network_outside_gives_a_lease(host: Host) -> None:
    address = run(host, GET, VMName="l1-a").objects[1].get("IPAddresses")[0]
    assert address.startswith("10.0.0.")
    assert address != "10.0.0.5"


def test_a_second_adapter_gets_the_same_name(host: Host) -> None:
    shown = run(host, ADD, VMName="l1-b", SwitchName="vmnat", Passthru=True).one
    assert (shown.get("Name"), shown.get("SwitchId"), shown.get("MacAddress")) == ("Network Adapter", INTERNAL, "000000000000")
    assert len(host.vms[1].adapters) == 2


def test_adapters_are_plugged_into_running_vms_of_generation_2_only(host: Host) -> None:
    assert run(host, ADD, VMName="l1-a").errors == []
    assert host.vms[0].adapters[-1].mac != "000000000000"
    host.vms[0].generation = 1
    assert run(host, ADD, VMName="l1-a").errors == [("InvalidState", "InvalidOperation")]
    assert run(host, ADD, VMName="l1-b", IsLegacy=True).errors == [("InvalidParameter", "InvalidArgument")]


@pytest.mark.parametrize("cmdlet", [ADD, CONNECT])
def test_a_switch_that_is_missing_or_not_the_only_one(host: Host, cmdlet: str) -> None:
    missing = run(host, cmdlet, VMName="l1-b", SwitchName="none")
    run(host, "Hyper-V\\New-VMSwitch", Name="VmNAT", SwitchType="Private")
    twice = run(host, cmdlet, VMName="l1-b", SwitchName="VmNAT")
    assert missing.errors == twice.errors == [("InvalidParameter", "InvalidArgument")]


def test_remove_takes_names_literally(host: Host) -> None:
    assert run(host, REMOVE, VMName="l1-b", Name="*").errors == [("ObjectNotFound", "ObjectNotFound")]
    assert run(host, REMOVE, VMName="l1-b", Name="lan").errors == []
    assert host.vms[1].adapters == []


def test_connect_and_disconnect(host: Host) -> None:
    adapter = run(host, GET, VMName="l1-b").one
    out = run(host, "Hyper-V\\Get-VMSwitch", Id=EXTERNAL).one
    run(host, CONNECT, VMNetworkAdapter=adapter, VMSwitch=out)
    assert adapter.get("SwitchName") == "Out"
    run(host, DISCONNECT, VMName="l1-b", Name="L*")
    assert adapter.get("Connected") is False


def test_a_thousand_vms() -> None:
    host = lab()
    host.vms = [
        Vm(name=f"vm{n}", id=f"{n:032x}", state="Running", adapters=[Adapter(id=f"{n}a", switch=INTERNAL), Adapter(id=f"{n}b")])
        for n in range(1000)
    ]
    found = run(host, GET, VMName=[vm.name for vm in host.vms]).objects
    rows = [
        {name: item.get(name) for name in ("Name", "Id", "VMName", "SwitchName", "MacAddressSpoofing", "IPAddresses")} for item in found
    ]
    for item in found:
        run(host, SET, VMNetworkAdapter=item, MacAddressSpoofing="On")
    assert len(rows) == 2000
    assert all(vm.adapters[1].mac_address_spoofing for vm in host.vms)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("Net*", "network adapter", True),
        ("l1-?", "l1-ab", False),
        ("a[1-3]", "A2", True),
        ("a[1]", "a[1]", False),
        ("a`[1`]", "a[1]", True),
        ("a[^1]", "a2", False),
        ("a.c", "abc", False),
        ("a`*", "ab", False),
    ],
)
def test_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert wildcards.matcher(pattern)(text) is fits
