"""Random networks and random wishes: hyperv_nat_switch converges in one run or leaves all as it was, and never touches what is foreign."""

from __future__ import annotations

import typing as t

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

Plain = dict[str, t.Any]

PREFIXES = ["192.168.100.0/24", "10.77.0.0/24", "192.168.0.0/16", "192.168.100.0/25", "10.0.0.0/8"]
ADDRESSES = ["192.168.100.1", "192.168.100.254", "10.77.0.1", "10.77.0.9", "192.168.0.1", "172.16.0.1"]
WRITERS = ["New-VMSwitch", "New-NetIPAddress", "Set-NetIPAddress", "Remove-NetIPAddress", "New-NetNat", "Remove-NetNat", "Remove-VMSwitch"]

prefixes, addresses = st.sampled_from(PREFIXES), st.sampled_from(ADDRESSES)
seldom = st.sampled_from([False] * 5 + [True])


@st.composite
def profiles(draw: st.DrawFn) -> Plain:
    switches = [
        {"name": name, "type": "Private" if draw(seldom) else "Internal"} for name in draw(st.sets(st.sampled_from(["VmNAT", "Lab"])))
    ]
    places = ["Ethernet", *(f"vEthernet ({switch['name']})" for switch in switches if switch["type"] == "Internal")]
    return {
        "based_on": draw(st.sampled_from(["server2022-intel", "server2016-intel", "windows11-amd"])),
        "switches": sorted(switches, key=lambda switch: switch["name"]),
        "addresses": [
            {
                "address": address,
                "on": draw(st.sampled_from(places)),
                "prefix_length": 32 if draw(seldom) else 24,
                "origin": "Dhcp" if draw(seldom) else "Manual",
            }
            for address in draw(st.lists(addresses, unique=True, max_size=3))
        ],
        "nats": [{"name": name, "prefix": draw(prefixes), "hidden": draw(seldom)} for name in ("VmNAT", "LocalNAT") if draw(st.booleans())],
        "faults": [{"cmdlet": draw(st.sampled_from(WRITERS)), "times": 1}] if draw(seldom) else [],
    }


wishes = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["present", "absent"]),
        "prefix": prefixes,
        "gateway": addresses,
        "nat_name": st.just("LocalNAT"),
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
        assert parts(lab.host) == parts(before)
        return
    assert result["changes"] == foretold["changes"]
    wanted = options.get("state", "present")
    assert result["nat_switch"]["state"] == wanted or (wanted == "absent" and result["warnings"])
    again = lab.task("hyperv_nat_switch", options)
    assert not again.get("failed"), again
    assert again["changes"] == []


def parts(host: Host) -> tuple[set[t.Any], ...]:
    """Switches, static addresses and NATs; what DHCP gave may go with the first static address (facts 6.1)."""
    device = {adapter.index: adapter.id for adapter in host.adapters}
    return (
        {switch.id for switch in host.switches},
        {(address.address, address.prefix_length, device[address.adapter]) for address in host.addresses if address.origin == "Manual"},
        {(nat.name, nat.prefix) for nat in host.nats},
    )


def foreign(host: Host, options: Plain) -> set[t.Any]:
    """What has nothing to do with the switch of our name and the NAT of our name."""
    ours = {switch.id for switch in host.switches if switch.name == "VmNAT"}
    indexes = {adapter.index for adapter in host.adapters if adapter.switch in ours}
    return {
        *(switch.id for switch in host.switches if switch.id not in ours),
        *((address.address, address.adapter) for address in host.addresses if address.adapter not in indexes),
        *((nat.name, nat.prefix) for nat in host.nats if nat.name != options.get("nat_name", "VmNAT")),
    }
