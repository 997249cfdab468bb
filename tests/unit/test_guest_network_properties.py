"""Random half-made adapters: hyperv_guest_network brings them to what was asked in one run, a second one is empty, and others stay."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.network_objects import dhcp_on
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host, HostAdapter

pytestmark = pytest.mark.newest

Plain = dict[str, t.Any]

ADDRESSES = ["192.168.100.2", "192.168.100.9", "10.77.0.2", "10.77.0.9", "172.16.0.7"]
ELSEWHERE = ["172.20.0.7", "172.20.0.8"]
"""Of the other adapter, whose network is another one nearly always: a network of both is refused."""
HOPS = ["192.168.100.1", "192.168.100.254", "10.77.0.1"]
SERVERS = ["192.0.2.53", "192.0.2.54", "192.168.100.1"]
WRITERS = ["New-NetIPAddress", "Set-NetIPAddress", "Remove-NetIPAddress", "New-NetRoute", "Remove-NetRoute", "Set-DnsClientServerAddress"]
NAMES = ["Ethernet", "Ethernet 2"]

dhcp_settings = st.sampled_from([None, None, True, False])
seldom = st.sampled_from([False] * 5 + [True])
servers = st.lists(st.sampled_from(SERVERS), unique=True, max_size=2)
leases = st.none() | st.builds(
    lambda address, dns: {"address": address, "gateway": "192.168.100.1" if address.startswith("192.168.100") else "", "dns": dns},
    st.sampled_from(["192.168.100.2", "192.168.100.77", "172.16.0.99"]),
    servers,
)


@st.composite
def addresses_of(draw: st.DrawFn, dhcp: bool | None) -> list[Plain]:
    """Of both adapters; what is left of a lease is there only while nobody asks for one."""
    found = []
    for address in draw(st.lists(st.sampled_from([*ADDRESSES, *ELSEWHERE]), unique=True, max_size=3)):
        name = "Ethernet 2" if address in ELSEWHERE or draw(seldom) else "Ethernet"
        left = name == "Ethernet" and dhcp is False and draw(seldom)
        found.append(
            {
                "address": address,
                "on": name,
                "prefix_length": 32 if draw(seldom) else 24,
                "state": "Duplicate" if draw(seldom) else "Preferred",
                "persistent": not left and not draw(seldom),
                "origin": "Dhcp" if left else "Manual",
            }
        )
    return found


@st.composite
def profiles(draw: st.DrawFn) -> Plain:
    adapters: list[Plain] = [
        {
            "name": name,
            "index": index,
            "dns": draw(servers),
            "dhcp": draw(st.sampled_from([None, None, True, False])),
            "lease": draw(leases),
        }
        for name, index in zip(NAMES, (4, 7), strict=True)
    ]
    return {
        "based_on": draw(st.sampled_from(["server2022-intel", "server2016-intel", "windows11-amd"])),
        "adapters": adapters,
        "addresses": draw(addresses_of(adapters[0]["dhcp"])),
        "leases_stay": draw(st.booleans()),
        "switches": [],
        "routes": [
            {"next_hop": hop, "on": name, "persistent": not draw(seldom), "metric": draw(st.sampled_from([256, 10]))}
            for hop, name in draw(st.lists(st.tuples(st.sampled_from(HOPS), st.sampled_from(NAMES)), unique=True, max_size=3))
        ],
        "faults": [{"cmdlet": draw(st.sampled_from(WRITERS)), "times": 1}] if draw(seldom) else [],
    }


by_hand = st.fixed_dictionaries(
    {"address": st.sampled_from(["192.168.100.2/24", "10.77.0.2/16"])}, optional={"gateway": st.sampled_from(HOPS), "dns": servers}
).filter(lambda options: options.get("gateway", "none")[:6] in (options["address"][:6], "none"))
others = st.fixed_dictionaries({}, optional={"gateway": st.sampled_from([*HOPS, "none"]), "dns": servers})
by_dhcp: st.SearchStrategy[Plain] = st.fixed_dictionaries({"dhcp": st.just(True)}, optional={"dns": st.just([])})
wishes = by_hand | by_hand | others | by_dhcp


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(profiles(), wishes)
def test_it_converges_or_leaves_all_as_it_was(profile: Plain, wish: Plain) -> None:
    lab = Lab(profile, address=None)
    options = {"adapter": "Ethernet", **wish}
    before, twin = lab.copy().host, lab.copy()
    foretold = twin.task("hyperv_guest_network", options, check_mode=True)
    assert network_of(twin.host, "Ethernet") == network_of(before, "Ethernet")
    result = lab.task("hyperv_guest_network", options)
    assert network_of(lab.host, "Ethernet 2") == network_of(before, "Ethernet 2")
    if result.get("failed"):
        assert network_of(lab.host, "Ethernet") == network_of(before, "Ethernet") or could_not_be_taken_back(result)
        return
    assert result["changes"] == foretold["changes"]
    assert_as_asked(lab.host, wish)
    again = lab.task("hyperv_guest_network", options)
    assert not again.get("failed"), again
    assert again["changes"] == []


def could_not_be_taken_back(result: Plain) -> bool:
    """An address cannot come back to an adapter that has fallen back to DHCP (facts 6.1); then the task says so."""
    return "what could not be taken back" in result["msg"]


def assert_as_asked(host: Host, wish: Plain) -> None:
    dhcp, addresses, routes, dns = network_of(host, "Ethernet")
    # one in the active store alone to the gateway of the lease is what DHCP gives, whoever made it
    lease = next(adapter.lease for adapter in host.adapters if adapter.name == "Ethernet")
    routes = {route for route in routes if route[1] or lease is None or route[0] != lease.gateway}
    if "address" in wish:
        assert (dhcp, addresses) == (False, {(*wish["address"].split("/"), True)})
    if "dhcp" in wish:
        assert (dhcp, addresses, routes) == (True, set(), set())
    if "gateway" in wish:
        wanted = {(wish["gateway"], True)} if wish["gateway"] != "none" else set()
        # a lease may give the gateway, too
        assert {(hop, kept) for hop, kept, _metric in routes} in (wanted, set()) if dhcp else (wanted,)
    if "dns" in wish:
        assert dns == wish["dns"]


def network_of(host: Host, name: str) -> tuple[bool, set[t.Any], set[t.Any], list[str]]:
    """What was set by hand, and whether DHCP is on."""
    adapter: HostAdapter = next(adapter for adapter in host.adapters if adapter.name == name)
    return (
        dhcp_on(host, adapter),
        {(one.address, str(one.prefix_length), one.persistent) for one in host.addresses if one.adapter == adapter.index},
        {(route.next_hop, route.persistent, route.metric) for route in host.routes if route.adapter == adapter.index},
        adapter.dns,
    )
