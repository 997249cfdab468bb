"""DHCP, routes and DNS servers of the host."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import profiles
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Lease, Route
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import ProfileError
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import lab, run

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

GET_ADDRESS, NEW_ADDRESS, REMOVE_ADDRESS = (f"NetTCPIP\\{verb}-NetIPAddress" for verb in ("Get", "New", "Remove"))
GET_INTERFACE, SET_INTERFACE = (f"NetTCPIP\\{verb}-NetIPInterface" for verb in ("Get", "Set"))
GET_ROUTE, NEW_ROUTE, REMOVE_ROUTE = (f"NetTCPIP\\{verb}-NetRoute" for verb in ("Get", "New", "Remove"))
GET_DNS, SET_DNS = (f"DnsClient\\{verb}-DnsClientServerAddress" for verb in ("Get", "Set"))
REGISTRY = "Microsoft.PowerShell.Management\\Get-ItemProperty"
KEYS = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\*"
REFUSED = [("Windows System Error 87", "InvalidArgument")]
SPARE = {"InterfaceIndex": 5}
IPV4 = {**SPARE, "AddressFamily": "IPv4"}
DEFAULT = {"DestinationPrefix": "0.0.0.0/0"}


@pytest.fixture(name="host")
def _host() -> Host:
    """Adapter 5 has 172.20.0.9/16 by hand."""
    return lab()


def dhcp(host: Host) -> list[str]:
    return run(host, GET_INTERFACE, **IPV4).column("Dhcp")


def addresses(host: Host) -> list[str]:
    return run(host, GET_ADDRESS, **IPV4).column("IPAddress")


# --- DHCP ---


def test_dhcp_that_is_turned_on_leaves_static_addresses(host: Host) -> None:
    assert run(host, SET_INTERFACE, **IPV4, Dhcp="Enabled") == ([], [])
    assert (dhcp(host), addresses(host)) == (["Enabled"], ["172.20.0.9"])


def test_beside_a_static_address_and_dhcp_no_other_one_is_taken(host: Host) -> None:
    run(host, SET_INTERFACE, **IPV4, Dhcp="Enabled")
    new = {"IPAddress": "172.20.0.10", "PrefixLength": 16, **SPARE}
    assert run(host, NEW_ADDRESS, **new).errors == REFUSED
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    assert run(host, NEW_ADDRESS, **new).errors == []


def test_an_interface_that_loses_its_last_address_falls_back_to_dhcp(host: Host) -> None:
    run(host, SET_INTERFACE, **IPV4, Dhcp="Enabled")
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    run(host, REMOVE_ADDRESS, IPAddress="172.20.0.9")
    assert dhcp(host) == ["Enabled"]
    assert run(host, NEW_ADDRESS, IPAddress="172.20.0.9", PrefixLength=16, **SPARE).errors == REFUSED


def test_without_dhcp_and_address_there_is_none(host: Host) -> None:
    host.addresses = []
    assert [address.partition(".")[0] for address in addresses(host)] == ["169"]
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    assert (dhcp(host), addresses(host)) == (["Disabled"], [])


def test_a_lease_goes_with_dhcp_and_comes_back_with_it(host: Host) -> None:
    host.addresses, host.adapters[1].lease = [], Lease(address="10.1.0.7", gateway="10.1.0.1", dns=["10.1.0.53"])
    assert addresses(host) == ["10.1.0.7"]
    given = run(host, GET_ROUTE, **DEFAULT, **SPARE).one
    assert (given.get("NextHop"), given.get("RouteMetric")) == ("10.1.0.1", 0)
    assert run(host, GET_DNS, **IPV4).column("ServerAddresses") == [["10.1.0.53"]]
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    assert (addresses(host), run(host, GET_DNS, **IPV4).column("ServerAddresses")) == ([], [[]])
    run(host, SET_INTERFACE, **IPV4, Dhcp="Enabled")
    assert addresses(host) == ["10.1.0.7"]


def test_a_leased_address_of_a_profile_is_given_again(host: Host) -> None:
    run(host, NEW_ADDRESS, IPAddress="10.0.0.6", PrefixLength=24, InterfaceIndex=7)
    run(host, REMOVE_ADDRESS, IPAddress="10.0.0.6")
    shown = run(host, GET_ADDRESS, InterfaceIndex=7, AddressFamily="IPv4").one
    assert (shown.get("IPAddress"), shown.get("PrefixOrigin")) == ("10.0.0.5", "Dhcp")


def test_dhcp_of_a_guest_on_a_nat_switch_finds_nobody() -> None:
    host = nest.load("""
switches: [{name: VmNAT}]
addresses: [{address: 192.168.100.1, on: vEthernet (VmNAT)}]
nats: [{name: VmNAT, prefix: 192.168.100.0/24}]
vms: [{name: l1, state: Running, adapters: [{switch: VmNAT}], guest: {users: {Administrator: right}, windows: {}}}]
""")
    inside = nest.windows(host.vms[0])
    shown = run(inside, GET_ADDRESS, InterfaceAlias="Ethernet", AddressFamily="IPv4").one
    assert (shown.get("PrefixOrigin"), shown.get("PrefixLength")) == ("WellKnown", 16)


# --- routes ---


def test_routes_come_from_addresses_too(host: Host) -> None:
    found = run(host, GET_ROUTE, InterfaceIndex=6, AddressFamily="IPv4").one
    assert (found.get("DestinationPrefix"), found.get("NextHop")) == ("192.168.100.0/24", "0.0.0.0")  # noqa: S104 - a next hop
    assert run(host, GET_ROUTE, **DEFAULT).errors == [("CmdletizationQuery_NotFound_DestinationPrefix", "ObjectNotFound")]


def test_a_new_route_is_in_both_stores_unless_told_otherwise(host: Host) -> None:
    assert run(host, NEW_ROUTE, **DEFAULT, NextHop="172.20.0.1", **SPARE).column("Store") == ["ActiveStore", "PersistentStore"]
    assert run(host, NEW_ROUTE, **DEFAULT, NextHop="172.20.0.2", PolicyStore="ActiveStore", **SPARE).column("Store") == ["ActiveStore"]
    assert run(host, GET_ROUTE, **DEFAULT).column("NextHop") == ["172.20.0.1", "172.20.0.2"]
    assert run(host, GET_ROUTE, **DEFAULT, PolicyStore="PersistentStore").column("NextHop") == ["172.20.0.1"]
    assert run(host, GET_ROUTE, **DEFAULT, NextHop="172.20.0.1").one.get("RouteMetric") == 256


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({**DEFAULT, "NextHop": "172.20.0.1"}, "Windows System Error 87"),
        ({"DestinationPrefix": "172.20.0.0/16"}, "Windows System Error 87"),
        ({"DestinationPrefix": "10.0.0.1/8", "NextHop": "172.20.0.1"}, "Windows System Error 87"),
        ({"DestinationPrefix": "0.0.0.0/0", "NextHop": "router"}, "Windows System Error 87"),
        ({**DEFAULT, "NextHop": "172.20.0.9", "PolicyStore": "PersistentStore"}, "Windows System Error 87"),
        ({**DEFAULT, "NextHop": "fe80::1"}, "Windows System Error 87"),
        ({**DEFAULT, "NextHop": "172.20.0.2", "InterfaceIndex": 99}, "Windows System Error 1168"),
    ],
)
def test_what_a_new_route_refuses(host: Host, parameters: dict[str, t.Any], error: str) -> None:
    run(host, NEW_ROUTE, **DEFAULT, NextHop="172.20.0.1", **SPARE)
    answer = run(host, NEW_ROUTE, **{**SPARE, **parameters})
    assert [kind for kind, _category in answer.errors] == [error]
    assert len(host.routes) == 1


def test_a_default_route_outlives_its_address(host: Host) -> None:
    run(host, NEW_ROUTE, **DEFAULT, NextHop="172.20.0.1", **SPARE)
    run(host, REMOVE_ADDRESS, IPAddress="172.20.0.9")
    assert run(host, GET_ROUTE, **DEFAULT).column("NextHop") == ["172.20.0.1"]


def test_removing_routes(host: Host) -> None:
    host.routes = [Route(next_hop="172.20.0.1", adapter=5), Route(next_hop="172.20.0.2", adapter=5)]
    item = run(host, GET_ROUTE, **DEFAULT, NextHop="172.20.0.1").one
    assert run(host, REMOVE_ROUTE, InputObject=item) == ([], [])
    assert run(host, REMOVE_ROUTE, InputObject=item).errors == [("Windows System Error 1168", "ObjectNotFound")]
    assert run(host, REMOVE_ROUTE, **DEFAULT, NextHop="172.20.0.2").errors == []
    assert run(host, REMOVE_ROUTE, **DEFAULT, NextHop="172.20.0.2").errors == [("CmdletizationQuery_NotFound", "ObjectNotFound")]
    assert host.routes == []


def test_a_gateway_together_with_the_address_fails_as_a_whole_when_there_is_one(host: Host) -> None:
    new = {"PrefixLength": 16, "DefaultGateway": "172.20.0.1", **SPARE}
    assert run(host, NEW_ADDRESS, IPAddress="172.20.0.10", **new).errors == []
    assert run(host, GET_ROUTE, **DEFAULT).column("NextHop") == ["172.20.0.1"]
    assert run(host, NEW_ADDRESS, IPAddress="172.20.0.11", **new).errors == REFUSED
    assert addresses(host) == ["172.20.0.9", "172.20.0.10"]
    assert run(host, NEW_ADDRESS, IPAddress="172.20.0.11", **{**new, "DefaultGateway": "10.0.0.1"}).errors == REFUSED


def test_an_external_switch_takes_routes_and_dns_servers_along(host: Host) -> None:
    host.routes, host.adapters[1].dns = [Route(next_hop="172.20.0.1", adapter=5)], ["172.20.0.53"]
    run(host, "Hyper-V\\New-VMSwitch", Name="Bridge", NetAdapterName="Spare", AllowManagementOS=True)
    alias = "vEthernet (Bridge)"
    assert run(host, GET_ROUTE, **DEFAULT).column("InterfaceAlias") == [alias]
    assert run(host, GET_DNS, InterfaceAlias=alias, AddressFamily="IPv4").column("ServerAddresses") == [["172.20.0.53"]]
    run(host, "Hyper-V\\Remove-VMSwitch", Name="Bridge", Force=True)
    assert run(host, GET_ROUTE, **DEFAULT).column("InterfaceAlias") == ["Spare"]
    assert run(host, GET_DNS, **IPV4).column("ServerAddresses") == [["172.20.0.53"]]


# --- DNS ---


def test_dns_servers_are_shown_for_each_family_of_each_interface(host: Host) -> None:
    shown = run(host, GET_DNS)
    assert {(item.get("InterfaceIndex"), item.get("AddressFamily")) for item in shown.objects} == {
        (index, family) for index in (1, 5, 6, 7) for family in (2, 23)
    }
    assert all(servers == [] for servers in shown.column("ServerAddresses"))


def test_dns_servers_are_replaced_and_reset(host: Host) -> None:
    run(host, SET_DNS, **SPARE, ServerAddresses=["192.0.2.53", "192.0.2.54"])
    assert run(host, GET_DNS, **IPV4).column("ServerAddresses") == [["192.0.2.53", "192.0.2.54"]]
    run(host, SET_DNS, **SPARE, ServerAddresses=["192.0.2.55"])
    assert run(host, GET_DNS, **IPV4).column("ServerAddresses") == [["192.0.2.55"]]
    assert set(registry(host).values()) == {"192.0.2.55", ""}
    run(host, SET_DNS, **SPARE, ResetServerAddresses=True)
    assert run(host, GET_DNS, **IPV4).column("ServerAddresses") == [[]]


def test_the_registry_tells_what_was_set_by_hand(host: Host) -> None:
    host.addresses, host.adapters[1].lease = [], Lease(address="10.1.0.7", dns=["10.1.0.53"])
    assert set(registry(host).values()) == {""}
    device = run(host, "NetAdapter\\Get-NetAdapter", InterfaceIndex=5).one.get("DeviceID")
    assert device.lower() in registry(host)


def registry(host: Host) -> dict[str, str]:
    return {item.get("PSChildName"): item.get("NameServer") for item in run(host, REGISTRY, Path=KEYS).objects}


def test_other_places_of_the_registry_are_refused(host: Host) -> None:
    with pytest.raises(NotSimulated):
        run(host, REGISTRY, Path="HKLM:\\SOFTWARE\\*")


@pytest.mark.parametrize(
    "parameters", [{}, {"ServerAddresses": ["192.0.2.53"], "ResetServerAddresses": True}, {"ServerAddresses": ["::1"]}]
)
def test_dns_settings_that_are_refused(host: Host, parameters: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated):
        run(host, SET_DNS, **SPARE, **parameters)


def test_a_dns_server_is_an_address(host: Host) -> None:
    assert run(host, SET_DNS, **SPARE, ServerAddresses=["dns"]).errors == REFUSED


# --- rights, profiles ---


@pytest.mark.parametrize(
    ("cmdlet", "parameters"),
    [
        (SET_INTERFACE, {**IPV4, "Dhcp": "Enabled"}),
        (NEW_ROUTE, {**DEFAULT, **SPARE}),
        (REMOVE_ROUTE, DEFAULT),
        (SET_DNS, {**SPARE, "ResetServerAddresses": True}),
    ],
)
def test_changes_take_an_administrator(host: Host, cmdlet: str, parameters: dict[str, t.Any]) -> None:
    host.rights = "denied"
    assert run(host, cmdlet, **parameters).errors == [("Windows System Error 5", "PermissionDenied")]


def test_a_profile_says_a_gateway_in_short() -> None:
    host = profiles.load_profile("server2022-intel")
    assert [(route.next_hop, route.adapter) for route in host.routes] == [("192.0.2.1", 4)]
    assert run(host, GET_DNS, InterfaceIndex=4, AddressFamily="IPv4").column("ServerAddresses") == [["192.0.2.53"]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("routes: [{next_hop: router, on: Ethernet}]", "route to 0.0.0.0/0: Expected 4 octets"),
        ("routes: [{next_hop: 10.0.0.1, destination: 10.0.0.1/8, on: Ethernet}]", "10.0.0.1/8 has host bits set"),
        ("routes: [{next_hop: 10.0.0.1, on: LAN}]", "route to 0.0.0.0/0: no adapter 'LAN'"),
        ("routes: [{next_hop: 10.0.0.1}]", "say with `on` by which adapter it leads"),
        ("adapters: [{name: Ethernet, dns: ['::1']}]\naddresses: []", "adapter 'Ethernet': dns"),
        ("adapters: [{name: Ethernet, lease: {address: 10.0.0.300}}]\naddresses: []", "adapter 'Ethernet': lease"),
        (
            "vms: [{name: l1, adapters: [{}], guest: {windows: {adapters: [{name: LAN, lease: {address: 10.0.0.3}}]}}}]",
            r"vms\[0\].guest.windows: adapter 'LAN': only a physical adapter of an outermost host",
        ),
        (
            "adapters: [{name: Ethernet, lan: {prefix: 10.0.0.1/24}}]\naddresses: []",
            "adapter 'Ethernet': lan: 10.0.0.1/24 has host bits set",
        ),
    ],
)
def test_mistakes_in_a_profile(text: str, problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        nest.load(text)
