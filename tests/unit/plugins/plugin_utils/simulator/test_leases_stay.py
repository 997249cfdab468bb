"""The other way in which Windows may turn DHCP off: the lease and its default route stay where they are."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Lease
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.restart import network_restarted
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import lab, run

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

GET_ADDRESS, NEW_ADDRESS, REMOVE_ADDRESS = (f"NetTCPIP\\{verb}-NetIPAddress" for verb in ("Get", "New", "Remove"))
GET_ROUTE, SET_INTERFACE = "NetTCPIP\\Get-NetRoute", "NetTCPIP\\Set-NetIPInterface"
ADAPTER = {"InterfaceIndex": 5}
IPV4 = {**ADAPTER, "AddressFamily": "IPv4"}


@pytest.fixture(name="host")
def _host() -> Host:
    """Adapter 5 has a lease."""
    host = lab()
    host.addresses, host.adapters[1].lease, host.leases_stay = [], Lease(address="10.1.0.7", gateway="10.1.0.1"), True
    return host


def seen(host: Host, **store: str) -> tuple[list[str], list[str]]:
    addresses = run(host, GET_ADDRESS, **IPV4, **store).column("IPAddress")
    return addresses, run(host, GET_ROUTE, DestinationPrefix="0.0.0.0/0", **ADAPTER, **store).column("NextHop")


LEASED = (["10.1.0.7"], ["10.1.0.1"])


def test_both_stay_until_a_restart(host: Host) -> None:
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    assert seen(host) == LEASED
    assert run(host, GET_ADDRESS, **IPV4).column("PrefixOrigin") == ["Dhcp"]
    assert seen(host, PolicyStore="PersistentStore") == ([], [])
    network_restarted(host)
    assert seen(host) == ([], [])


def test_they_are_in_the_way_of_the_same_by_hand(host: Host) -> None:
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    assert run(host, NEW_ADDRESS, IPAddress="10.1.0.7", PrefixLength=24, **ADAPTER).errors == [
        ("Windows System Error 87", "InvalidArgument")
    ]


def test_with_dhcp_they_are_leased_anew_and_are_not_there_twice(host: Host) -> None:
    for word in ("Disabled", "Enabled"):
        run(host, SET_INTERFACE, **IPV4, Dhcp=word)
    assert seen(host) == LEASED
    assert (host.addresses, host.routes) == ([], [])


def test_another_address_stands_beside_what_stays(host: Host) -> None:
    run(host, NEW_ADDRESS, IPAddress="10.1.0.8", PrefixLength=24, **ADAPTER)
    assert seen(host) == (["10.1.0.7", "10.1.0.8"], ["10.1.0.1"])


def test_dhcp_to_which_an_interface_falls_back_has_an_answer_a_second_later(host: Host) -> None:
    run(host, SET_INTERFACE, **IPV4, Dhcp="Disabled")
    run(host, REMOVE_ADDRESS, IPAddress="10.1.0.7", **ADAPTER)
    assert "10.1.0.7" not in seen(host)[0]
    host.clock += 1
    assert "10.1.0.7" in seen(host)[0]
