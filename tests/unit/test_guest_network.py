"""The guide's second half, on a guest in a guest: before the task it reaches nobody, after it the outside."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power, reach
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

GATEWAY, OUTSIDE = ipaddress.IPv4Address("192.168.100.1"), ipaddress.IPv4Address("203.0.113.80")
EXTENSIONS = {"expose_virtualization_extensions": True}
L2 = {"name": "l2", "state": "Running", "adapters": [{"switch": "VmNAT"}], "guest": {"windows": {}}}
L1 = {
    "switches": [{"name": "VmNAT"}],
    "addresses": [{"address": str(GATEWAY), "on": "vEthernet (VmNAT)"}],
    "nats": [{"name": "VmNAT", "prefix": "192.168.100.0/24"}],
    "vms": [L2],
}
PROFILE = {
    "based_on": "server2022-intel",
    "switches": [{"name": "LAN", "type": "External", "adapter": "Ethernet"}],
    "vms": [{"name": "l1", "state": "Running", "processor": EXTENSIONS, "adapters": [{"switch": "LAN"}], "guest": {"windows": L1}}],
}


@pytest.fixture(name="lab")
def _lab() -> Lab:
    """The connection ends in the L2 guest, as by PowerShell Direct."""
    lab = Lab(PROFILE, address=None, inside="l1")
    inside = lab.host.vms[0].guest.windows
    assert inside is not None
    lab.host = inside
    return lab


def who_is_reached(host: Host) -> list[bool]:
    return [reach.trip(host, address).stop is None for address in (GATEWAY, OUTSIDE)] + [
        not isinstance(reach.resolve(host, "www.example.com"), str)
    ]


def test_address_gateway_and_dns_make_the_difference(lab: Lab) -> None:
    address: dict[str, t.Any] = {"address": "192.168.100.2/24"}
    gateway = {**address, "gateway": str(GATEWAY)}
    dns = {**gateway, "dns": ["192.0.2.53"]}
    seen = [who_is_reached(lab.host)]
    for options in (address, gateway, dns):
        result = lab.task("hyperv_guest_network", options)
        assert result["changed"], result
        seen.append(who_is_reached(lab.host))
    assert seen == [[False, False, False], [True, False, False], [True, True, False], [True, True, True]]
    assert not lab.task("hyperv_guest_network", dns)["changed"]


def test_the_address_of_the_gateway_is_somebody_elses(lab: Lab) -> None:
    result = lab.task("hyperv_guest_network", {"address": f"{GATEWAY}/24"})
    assert result["error_code"] == "address_duplicate"
    assert result["guest_network"]["addresses"] == []


def test_it_stays_so_when_the_guest_starts_again(lab: Lab) -> None:
    lab.task("hyperv_guest_network", {"address": "192.168.100.2/24", "gateway": str(GATEWAY), "dns": ["192.0.2.53"]})
    outer, machine = lab.host.outer, lab.host.machine
    assert outer is not None
    assert machine is not None
    power.restart(outer, machine, graceful=True)
    power.wait(outer, 60)
    assert who_is_reached(lab.host) == [True, True, True]
