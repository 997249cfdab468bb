"""What WinNAT accepts and refuses."""

from __future__ import annotations

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import (
    Address,
    Host,
    HostAdapter,
    Lease,
    Nat,
    PortRange,
    Switch,
)
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import ICS, Answer, lab, run

GET, NEW, SET, REMOVE = (f"NetNat\\{verb}-NetNat" for verb in ("Get", "New", "Set", "Remove"))
EVERYWHERE = "0.0.0.0"  # noqa: S104 - no socket is bound
MAPPINGS, ADD_MAPPING, REMOVE_MAPPING = (f"NetNat\\{verb}-NetNatStaticMapping" for verb in ("Get", "Add", "Remove"))
DUPLICATE = ("Windows System Error 52", "NotSpecified")
RESERVED = ("Windows System Error 32", "NotSpecified")
SERVICE, START = (f"Microsoft.PowerShell.Management\\{verb}-Service" for verb in ("Get", "Start"))
INCORRECT = ("Windows System Error 87", "InvalidArgument")


@pytest.fixture(name="host")
def _host() -> Host:
    return lab()


def new(host: Host, name: str, prefix: str) -> Answer:
    return run(host, NEW, Name=name, InternalIPInterfaceAddressPrefix=prefix)


def test_a_fresh_nat_has_the_documented_defaults(host: Host) -> None:
    shown = new(host, "LocalNAT", "192.168.100.0/24").one
    names = ("Name", "InternalIPInterfaceAddressPrefix", "ExternalIPInterfaceAddressPrefix", "IcmpQueryTimeout", "Store", "Active")
    assert [shown.get(name) for name in names] == ["LocalNAT", "192.168.100.0/24", "", 30, "Local", "True"]


def test_the_gateway_may_come_before_or_after(host: Host) -> None:
    assert new(host, "before", "192.168.100.0/24").errors == []
    assert new(host, "after", "192.168.200.0/24").errors == []
    gateway = run(host, "NetTCPIP\\New-NetIPAddress", IPAddress="192.168.200.1", PrefixLength=24, InterfaceIndex=6)
    assert gateway.errors == []


@pytest.mark.parametrize(
    ("name", "prefix", "error"),
    [
        ("localnat", "192.168.50.0/24", DUPLICATE),
        ("other", "192.168.100.0/24", DUPLICATE),
        ("other", "192.168.100.128/25", INCORRECT),
        ("other", "192.168.0.0/16", INCORRECT),
        # the host's own addresses outside: on the external switch's adapter and on a free card
        ("other", "10.0.0.0/24", INCORRECT),
        ("other", "172.20.0.0/16", INCORRECT),
        ("other", "nonsense", INCORRECT),
        ("other", "192.168.50.0", INCORRECT),
        ("other", "fd00::/64", INCORRECT),
    ],
)
def test_conflicts(host: Host, name: str, prefix: str, error: tuple[str, str]) -> None:
    new(host, "LocalNAT", "192.168.100.0/24")
    assert new(host, name, prefix).errors == [error]
    assert len(host.nats) == 1


def test_an_address_that_dhcp_gave_is_in_the_way_too(host: Host) -> None:
    host.adapters[1].lease = Lease(address="10.1.0.7")
    host.addresses = [address for address in host.addresses if address.adapter != host.adapters[1].index]
    assert new(host, "n", "10.1.0.0/24").errors == [INCORRECT]
    assert new(host, "n", "10.2.0.0/24").errors == []


def test_a_nat_of_the_containers_is_invisible_and_in_the_way(host: Host) -> None:
    host.nats.append(Nat(name="H4711", prefix="172.16.0.0/20", hidden=True))
    assert run(host, GET) == ([], [])
    assert run(host, GET, Name="H4711").errors == [("CmdletizationQuery_NotFound_Name", "ObjectNotFound")]
    assert new(host, "H4711", "192.168.100.0/24").errors == [DUPLICATE]
    assert new(host, "n", "172.16.0.0/20").errors == [DUPLICATE]
    assert new(host, "n", "172.16.1.0/24").errors == [INCORRECT]
    run(host, REMOVE)
    assert len(host.nats) == 1


@pytest.mark.parametrize(("build", "errors"), [(14393, [INCORRECT]), (17763, [])])
def test_2016_has_room_for_one(host: Host, build: int, errors: list[tuple[str, str]]) -> None:
    host.build = build
    new(host, "first", "192.168.100.0/24")
    assert new(host, "second", "192.168.50.0/24").errors == errors


def test_the_default_switch_is_in_the_way_only_where_prefixes_meet(host: Host) -> None:
    host.switches.append(Switch(name="Default Switch", id=ICS, automatic=True))
    host.adapters.append(HostAdapter(name="vEthernet (Default Switch)", index=9, id="a9" * 16, mac="00155D000009", switch=ICS))
    host.addresses.append(Address(address="172.30.0.1", prefix_length=20, adapter=9))
    assert new(host, "n", "172.30.8.0/24").errors == [INCORRECT]
    assert new(host, "n", "192.168.100.0/24").errors == []


def test_host_bits_are_cut_off(host: Host) -> None:
    assert new(host, "n", "192.168.100.7/24").column("InternalIPInterfaceAddressPrefix") == ["192.168.100.0/24"]


def test_a_nat_that_is_not_there(host: Host) -> None:
    assert run(host, GET) == ([], [])
    for cmdlet in (GET, REMOVE, SET):
        assert run(host, cmdlet, Name="n").errors == [("CmdletizationQuery_NotFound_Name", "ObjectNotFound")]
    assert run(host, REMOVE) == ([], [])


def test_set_changes_timeouts(host: Host) -> None:
    item = new(host, "n", "192.168.100.0/24").one
    run(host, SET, InputObject=item, IcmpQueryTimeout=60)
    assert run(host, GET, Name="N").column("IcmpQueryTimeout") == [60]
    assert item.get("IcmpQueryTimeout") == 30


def test_without_a_filter_all_are_removed(host: Host) -> None:
    new(host, "a", "192.168.100.0/24")
    new(host, "b", "192.168.50.0/24")
    run(host, REMOVE)
    assert host.nats == []
    assert len(host.switches) == 2


def test_changes_take_an_administrator(host: Host) -> None:
    host.rights = "sees_nothing"
    assert new(host, "n", "192.168.100.0/24").errors == [("Windows System Error 5", "PermissionDenied")]


def test_a_nat_without_an_internal_prefix_is_refused(host: Host) -> None:
    with pytest.raises(NotSimulated):
        run(host, NEW, Name="n", ExternalIPInterfaceAddressPrefix="10.0.0.0/24")


def add(host: Host, port: int, protocol: str = "TCP", nat: str = "n", outside: str = EVERYWHERE) -> Answer:
    return run(
        host,
        ADD_MAPPING,
        NatName=nat,
        Protocol=protocol,
        ExternalIPAddress=outside,
        ExternalPort=port,
        InternalIPAddress="192.168.100.2",
    )


def test_mappings(host: Host) -> None:
    new(host, "n", "192.168.100.0/24")
    assert add(host, 80).column("InternalPort") == [80]
    assert add(host, 80).errors == [DUPLICATE]
    assert add(host, 80, outside="10.0.0.5").errors == [DUPLICATE]
    assert add(host, 80, protocol="UDP").column("StaticMappingID") == [1]
    assert add(host, 81, nat="none").errors == [("Windows System Error 1168", "ObjectNotFound")]
    assert add(host, 81, outside="x").errors == [INCORRECT]
    assert run(host, MAPPINGS, NatName="n").column("Protocol") == ["TCP", "UDP"]
    run(host, REMOVE_MAPPING, StaticMappingID=0)
    assert run(host, MAPPINGS).column("StaticMappingID") == [1]
    run(host, REMOVE, Name="n")
    assert run(host, MAPPINGS) == ([], [])


@pytest.mark.parametrize(
    ("port", "protocol", "errors"),
    [
        (49999, "TCP", []),
        (50000, "TCP", [RESERVED]),
        (50099, "TCP", [RESERVED]),
        (50100, "TCP", []),
        (50000, "UDP", []),
    ],
)
def test_a_reserved_port_is_not_given_away(host: Host, port: int, protocol: str, errors: list[tuple[str, str]]) -> None:
    host.reserved_ports.append(PortRange(first=50000, last=50099))
    new(host, "n", "192.168.100.0/24")
    assert add(host, port, protocol=protocol).errors == errors
    assert len(host.nats[0].mappings) == (not errors)


def test_a_mapping_is_for_everybody_or_for_some(host: Host) -> None:
    new(host, "n", "192.168.100.0/24")
    add(host, 80)
    parameters = {"NatName": "n", "Protocol": "TCP", "ExternalIPAddress": EVERYWHERE, "InternalIPAddress": "192.168.100.2"}
    run(host, ADD_MAPPING, **parameters, ExternalPort=81, RemoteExternalIPAddressPrefix="192.0.2.0/24")
    assert run(host, MAPPINGS).column("RemoteExternalIPAddressPrefix") == ["0.0.0.0/0", "192.0.2.0/24"]


def test_no_nat_is_active_without_its_service(host: Host) -> None:
    new(host, "n", "192.168.100.0/24")
    add(host, 80)
    host.winnat_running = False
    assert run(host, SERVICE, Name="winnat").column("Status") == ["Stopped"]
    assert run(host, GET).column("Active") == run(host, MAPPINGS).column("Active") == ["False"]
    assert run(host, START, Name="WinNat").errors == []
    assert run(host, SERVICE, Name="winnat").column("Status") == ["Running"]
    assert run(host, GET).column("Active") == run(host, MAPPINGS).column("Active") == ["True"]


def test_starting_the_service_takes_an_administrator(host: Host) -> None:
    host.winnat_running, host.rights = False, "denied"
    assert run(host, START, Name="winnat").errors == [("CouldNotStartService", "OpenError")]
    assert not host.winnat_running


@pytest.mark.parametrize("name", ["Get-Service", "Start-Service"])
def test_other_services_are_not_simulated(host: Host, name: str) -> None:
    with pytest.raises(NotSimulated):
        run(host, f"Microsoft.PowerShell.Management\\{name}", Name=["winnat", "vmms"])
