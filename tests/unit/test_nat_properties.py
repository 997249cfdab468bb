"""Random networks and random wishes: hyperv_nat_switch converges in one run or leaves all as it was, and never touches what is foreign."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.restart import network_restarted
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host, Nat

pytestmark = pytest.mark.newest

Plain = dict[str, t.Any]

PREFIXES = ["192.168.100.0/24", "10.77.0.0/24", "192.168.0.0/16", "192.168.100.0/25", "10.0.0.0/8"]
ADDRESSES = ["192.168.100.1", "192.168.100.254", "10.77.0.1", "10.77.0.9", "192.168.0.1", "172.16.0.1"]
GUESTS = ["192.168.100.2", "192.168.100.3", "10.77.0.2"]
WRITERS = [
    *("New-VMSwitch", "New-NetIPAddress", "Set-NetIPAddress", "Remove-NetIPAddress", "New-NetNat", "Remove-NetNat", "Remove-VMSwitch"),
    *("Add-NetNatStaticMapping", "Remove-NetNatStaticMapping"),
]

prefixes, addresses, guests = st.sampled_from(PREFIXES), st.sampled_from(ADDRESSES), st.sampled_from(GUESTS)
ports = st.sampled_from([80, 8080])
seldom = st.sampled_from([False] * 5 + [True])


@st.composite
def mappings(draw: st.DrawFn, first: int) -> list[Plain]:
    """A NAT's own, some of them made by hand for one address of the host or for one network of clients."""
    chosen = draw(st.lists(st.tuples(ports, guests, seldom, seldom), unique_by=lambda each: each[0], max_size=2))
    return [
        {
            "id": first + number,
            "external_port": port,
            "internal_address": guest,
            "internal_port": 80,
            **({"external_address": "192.0.2.10"} if one_address else {}),
            **({"remote_prefix": "198.51.100.0/24"} if some_clients else {}),
        }
        for number, (port, guest, one_address, some_clients) in enumerate(chosen)
    ]


@st.composite
def profiles(draw: st.DrawFn) -> Plain:
    switches = [
        {"name": name, "type": "Private" if draw(seldom) else "Internal"} for name in draw(st.sets(st.sampled_from(["VmNAT", "Lab"])))
    ]
    places = ["Ethernet", *(f"vEthernet ({switch['name']})" for switch in switches if switch["type"] == "Internal")]
    based_on = draw(st.sampled_from(["server2022-intel", "server2016-intel", "windows11-amd"]))
    nats = [
        {"name": name, "prefix": draw(prefixes), "hidden": draw(seldom), "mappings": draw(mappings(first))}
        for name, first in (("VmNAT", 0), ("LocalNAT", 10))
        if draw(st.booleans())
    ]
    return {
        "based_on": based_on,
        "switches": sorted(switches, key=lambda switch: switch["name"]),
        "addresses": [
            {
                "address": address,
                "on": draw(st.sampled_from(places)),
                "prefix_length": 32 if draw(seldom) else 24,
                "origin": "Dhcp" if draw(seldom) else "Manual",
                "persistent": not draw(seldom),
            }
            for address in draw(st.lists(addresses, unique=True, max_size=3))
        ],
        # 2016 takes one, and so would not take back one of two
        "nats": nats[:1] if "2016" in based_on else nats,
        "reserved_ports": [{"first": 8000, "last": 8999}] if draw(seldom) else [],
        "winnat_running": not draw(seldom),
        "faults": [{"cmdlet": draw(st.sampled_from(WRITERS)), "times": 1}] if draw(seldom) else [],
    }


def _external_port(one: Plain) -> int:
    return t.cast("int", one["external_port"])


forward: st.SearchStrategy[Plain] = st.fixed_dictionaries(
    {"external_port": ports, "internal_address": guests}, optional={"internal_port": st.just(80)}
)
forwards_wished = st.lists(forward, unique_by=_external_port, max_size=2)
wishes = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["present", "absent"]),
        "prefix": prefixes,
        "gateway": addresses,
        "nat_name": st.just("LocalNAT"),
        "forwards": forwards_wished,
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(profiles(), wishes)
def test_it_converges_or_leaves_all_as_it_was(profile: Plain, options: Plain) -> None:
    lab = Lab(profile)
    before, twin = lab.copy().host, lab.copy()
    foretold = twin.task("hyperv_nat_switch", options, check_mode=True)
    assert twin.host.addresses == before.addresses
    result = lab.task("hyperv_nat_switch", options)
    assert foreign(before, options) <= foreign(lab.host, options)
    if result.get("failed"):
        # a fault may hit the undo of what the host has refused for a reason of its own; then the result says so
        assert parts(lab.host) == parts(before) or (result["changed"] and "could not be taken back" in result["msg"])
        return
    assert result["changes"] == foretold["changes"]
    wanted = options.get("state", "present")
    assert result["nat_switch"]["state"] == wanted or (wanted == "absent" and result["warnings"])
    assert_nothing_is_left_to_do(lab, options)
    network_restarted(lab.host)
    assert_nothing_is_left_to_do(lab, options)


def assert_nothing_is_left_to_do(lab: Lab, options: Plain) -> None:
    again = lab.task("hyperv_nat_switch", options)
    assert not again.get("failed"), again
    assert again["changes"] == []


def parts(host: Host) -> tuple[set[t.Any], ...]:
    """Switches, static addresses and NATs; what DHCP gave may go with the first static address (facts 6.1)."""
    device = {adapter.index: adapter.id for adapter in host.adapters}
    return (
        {switch.id for switch in host.switches},
        {(address.address, address.prefix_length, device[address.adapter]) for address in host.addresses if address.origin == "Manual"},
        {(nat.name, nat.prefix, *forwards(nat)) for nat in host.nats},
    )


def forwards(nat: Nat) -> list[t.Any]:
    """Without their numbers: a mapping that comes back has another one."""
    return sorted(dataclasses.astuple(mapping)[1:] for mapping in nat.mappings)


def foreign(host: Host, options: Plain) -> set[t.Any]:
    """What has nothing to do with the switch of our name and the NAT of our name."""
    ours = {switch.id for switch in host.switches if switch.name == "VmNAT"}
    indexes = {adapter.index for adapter in host.adapters if adapter.switch in ours}
    return {
        *(switch.id for switch in host.switches if switch.id not in ours),
        *((address.address, address.adapter) for address in host.addresses if address.adapter not in indexes),
        *((nat.name, nat.prefix, *forwards(nat)) for nat in host.nats if nat.name != options.get("nat_name", "VmNAT")),
    }
