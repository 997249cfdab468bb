"""IP addresses, adapters and interfaces of the host."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import lab, run

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

GET, NEW, SET, REMOVE = (f"NetTCPIP\\{verb}-NetIPAddress" for verb in ("Get", "New", "Set", "Remove"))
ADAPTER, INTERFACE = "NetAdapter\\Get-NetAdapter", "NetTCPIP\\Get-NetIPInterface"
NOT_FOUND = "CmdletizationQuery_NotFound"
EXISTS = ("Windows System Error 87", "InvalidArgument")


@pytest.fixture(name="host")
def _host() -> Host:
    return lab()


def test_an_address_is_shown_with_its_origin(host: Host) -> None:
    shown = run(host, GET, IPAddress="10.0.0.5").one
    names = ("PrefixLength", "AddressFamily", "InterfaceIndex", "InterfaceAlias", "PrefixOrigin", "AddressState", "Store")
    assert [shown.get(name) for name in names] == [24, "IPv4", 7, "vEthernet (Out)", "Dhcp", "Preferred", "ActiveStore"]


@pytest.mark.parametrize(
    ("parameters", "addresses", "errors"),
    [
        ({"InterfaceIndex": 6}, ["192.168.100.1", "fe80::215:5dff:fe00:6%6"], []),
        ({"InterfaceIndex": 6, "AddressFamily": "IPv4"}, ["192.168.100.1"], []),
        ({"InterfaceAlias": "vethernet (o*", "AddressFamily": "IPv4"}, ["10.0.0.5"], []),
        ({"PrefixOrigin": "Dhcp"}, ["10.0.0.5"], []),
        ({"PolicyStore": "PersistentStore"}, ["192.168.100.1", "172.20.0.9"], []),
        ({"InterfaceIndex": 99}, [], [f"{NOT_FOUND}_InterfaceIndex"]),
        ({"IPAddress": ["10.0.0.5", "1.1.1.1"]}, ["10.0.0.5"], [f"{NOT_FOUND}_IPAddress"]),
        ({"IPAddress": "1.*"}, [], []),
        # several filters: one error that names no property (PowerShell's clientSideQuery.cs)
        ({"InterfaceIndex": 6, "PrefixOrigin": "Dhcp"}, [], [NOT_FOUND]),
    ],
)
def test_what_get_selects(host: Host, parameters: dict[str, t.Any], addresses: list[str], errors: list[str]) -> None:
    answer = run(host, GET, **parameters)
    assert (answer.column("IPAddress"), answer.errors) == (addresses, [(error, "ObjectNotFound") for error in errors])


def test_a_taken_physical_adapter_has_no_ip(host: Host) -> None:
    assert run(host, GET, InterfaceIndex=4).errors == [(f"{NOT_FOUND}_InterfaceIndex", "ObjectNotFound")]
    assert run(host, INTERFACE, InterfaceIndex=4).errors == [(f"{NOT_FOUND}_InterfaceIndex", "ObjectNotFound")]


def test_a_new_address_is_printed_twice_and_tentative_at_first(host: Host) -> None:
    printed = run(host, NEW, IPAddress="192.168.50.1", PrefixLength=24, InterfaceIndex=6)
    assert printed.column("AddressState") == ["Tentative", "Invalid"]
    assert printed.column("PolicyStore") == ["ActiveStore", "PersistentStore"]
    assert run(host, GET, IPAddress="192.168.50.1").column("AddressState") == ["Tentative"]
    host.clock += 2
    assert run(host, GET, IPAddress="192.168.50.1").column("AddressState") == ["Preferred"]
    assert printed.column("AddressState") == ["Tentative", "Invalid"]


def test_an_interface_without_an_address_gives_itself_one_until_it_gets_another(host: Host) -> None:
    run(host, "Hyper-V\\New-VMSwitch", Name="Lab", SwitchType="Internal")
    alias = "vEthernet (Lab)"
    assert run(host, GET, InterfaceAlias=alias, AddressFamily="IPv4").column("PrefixOrigin") == ["WellKnown"]
    assert run(host, INTERFACE, InterfaceAlias=alias, AddressFamily="IPv4").column("Dhcp") == ["Enabled"]
    run(host, NEW, InterfaceAlias=alias, IPAddress="10.9.0.1", PrefixLength=24)
    assert run(host, GET, InterfaceAlias=alias, AddressFamily="IPv4").column("IPAddress") == ["10.9.0.1"]
    assert run(host, INTERFACE, InterfaceAlias=alias, AddressFamily="IPv4").column("Dhcp") == ["Disabled"]


def test_the_prefix_length_is_32_unless_given(host: Host) -> None:
    assert run(host, NEW, IPAddress="192.168.50.1", InterfaceIndex=6).column("PrefixLength") == [32, 32]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"IPAddress": "192.168.100.1", "InterfaceIndex": 6}, EXISTS),
        ({"IPAddress": "192.168.100.1", "InterfaceIndex": 6, "PrefixLength": 16}, EXISTS),
        ({"IPAddress": "192.168.100.1", "InterfaceIndex": 5}, ("Windows System Error 5010", "NotSpecified")),
        ({"IPAddress": "10.9.0.1", "InterfaceIndex": 99}, ("Windows System Error 1168", "ObjectNotFound")),
        ({"IPAddress": "10.9.0.1", "InterfaceAlias": "none"}, ("Windows System Error 1168", "ObjectNotFound")),
        ({"IPAddress": "10.9.0.1", "AddressFamily": "IPv6", "InterfaceIndex": 6}, EXISTS),
        ({"IPAddress": "10.9.0", "InterfaceIndex": 6}, EXISTS),
        ({"IPAddress": "10.9.0.1", "InterfaceIndex": 6, "PrefixLength": 33}, EXISTS),
        ({"IPAddress": "10.9.0.1", "InterfaceIndex": 6, "PolicyStore": "PersistentStore"}, EXISTS),
    ],
)
def test_what_new_refuses(host: Host, parameters: dict[str, t.Any], error: tuple[str, str]) -> None:
    before = len(host.addresses)
    assert run(host, NEW, **parameters).errors == [error]
    assert len(host.addresses) == before


def test_no_static_address_without_a_link(host: Host) -> None:
    host.adapters[1].status = "Disconnected"
    assert run(host, NEW, IPAddress="10.9.0.1", InterfaceIndex=5).errors == [EXISTS]
    assert run(host, NEW, IPAddress="10.9.0.1", InterfaceIndex=5, PolicyStore="ActiveStore").column("Store") == ["ActiveStore"]


def test_a_prefix_length_is_a_byte(host: Host) -> None:
    with pytest.raises(binder.BindingError):
        run(host, NEW, IPAddress="10.9.0.1", InterfaceIndex=6, PrefixLength=256)


def test_a_static_address_ends_the_lease(host: Host) -> None:
    run(host, NEW, IPAddress="10.0.0.6", PrefixLength=24, InterfaceIndex=7)
    assert run(host, GET, InterfaceIndex=7, AddressFamily="IPv4").column("IPAddress") == ["10.0.0.6"]


def test_the_prefix_length_changes(host: Host) -> None:
    assert run(host, SET, IPAddress="192.168.100.1", PrefixLength=16) == ([], [])
    item = run(host, GET, IPAddress="192.168.100.1").one
    assert item.get("PrefixLength") == 16
    assert run(host, SET, InputObject=item, PrefixLength=20, PassThru=True).column("PrefixLength") == [20]
    assert run(host, SET, IPAddress="1.1.1.1", PrefixLength=16).errors == [(f"{NOT_FOUND}_IPAddress", "ObjectNotFound")]


def test_removing_addresses(host: Host) -> None:
    item = run(host, GET, IPAddress="172.20.0.9").one
    assert run(host, REMOVE, InputObject=item) == ([], [])
    assert run(host, REMOVE, InputObject=item).errors == [("Windows System Error 1168", "ObjectNotFound")]
    assert run(host, REMOVE, IPAddress="172.20.0.9").errors == [(f"{NOT_FOUND}_IPAddress", "ObjectNotFound")]
    run(host, REMOVE)
    assert host.addresses == []


def test_a_nat_object_is_no_address(host: Host) -> None:
    nat = run(host, "NetNat\\New-NetNat", Name="n", InternalIPInterfaceAddressPrefix="192.168.100.0/24").one
    with pytest.raises(binder.BindingError):
        run(host, REMOVE, InputObject=nat)


@pytest.mark.parametrize("cmdlet", [NEW, SET, REMOVE])
def test_changes_take_an_administrator(host: Host, cmdlet: str) -> None:
    host.rights = "denied"
    parameters = {"IPAddress": "10.0.0.7", "InterfaceIndex": 6} if cmdlet == NEW else {}
    assert run(host, cmdlet, **parameters).errors == [("Windows System Error 5", "PermissionDenied")]
    assert run(host, GET, InterfaceIndex=6).errors == []


@pytest.mark.parametrize(
    ("parameters", "names", "errors"),
    [
        ({"Physical": True}, ["Ethernet", "Spare"], []),
        ({"Name": "vEthernet*"}, ["vEthernet (VmNAT)", "vEthernet (Out)"], []),
        ({"InterfaceIndex": 5}, ["Spare"], []),
        ({"InterfaceDescription": "card #2"}, ["Spare"], []),
        ({"Name": "none"}, [], [f"{NOT_FOUND}_Name"]),
        ({"Name": "none*"}, [], []),
    ],
)
def test_what_adapters_get_selects(host: Host, parameters: dict[str, t.Any], names: list[str], errors: list[str]) -> None:
    answer = run(host, ADAPTER, **parameters)
    assert (answer.column("Name"), answer.errors) == (names, [(error, "ObjectNotFound") for error in errors])


def test_the_two_spellings_of_a_mac_address(host: Host) -> None:
    shown = run(host, ADAPTER, InterfaceIndex=6).one
    assert (shown.get("MacAddress"), shown.get("PermanentAddress")) == ("00-15-5D-00-00-06", "00155D000006")
