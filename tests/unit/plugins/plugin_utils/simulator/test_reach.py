"""Who reaches what: nested labs with NAT, with spoofing, and with one thing wrong, and how a Windows asks for it."""

from __future__ import annotations

import copy
import ipaddress
import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import faults, power, reach
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Route
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import run

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

Plain = dict[str, t.Any]

OUTSIDE = "203.0.113.80"
GATEWAY, DNS = "192.168.100.1", "192.0.2.53"
"""Of an L2 behind the NAT of its L1; the DNS server is on the physical network."""
NAME = "www.example.com"


def vm(name: str, switch: str, windows: Plain, **more: t.Any) -> Plain:
    """A running VM that has been up for a long time."""
    adapter = {"switch": switch, "mac_address_spoofing": more.pop("spoofing", False)}
    return {
        "name": name,
        "state": "Running",
        "processor": {"count": 2, "expose_virtualization_extensions": True},
        "adapters": [adapter],
        "guest": {"users": {"Administrator": "right"}, "windows": windows},
        **more,
    }


def l2(**adapter: t.Any) -> Plain:
    """What is inside an L2 behind NAT."""
    given = {"gateway": GATEWAY, "dns": [DNS], **adapter}
    addresses = [{"address": given.pop("address", "192.168.100.2"), "prefix_length": given.pop("length", 24), "on": "Ethernet"}]
    return {"adapters": [{"name": "Ethernet", **given}], "addresses": addresses}


def nat_lab(**inside: t.Any) -> Plain:
    """L0 bridges L1 to the physical network, where it has a lease; L1 has the guide's NAT, and L2 is behind it."""
    gateway = {"address": GATEWAY, "prefix_length": 24, "on": "vEthernet (VmNAT)"}
    windows = {
        "switches": [{"name": "VmNAT"}],
        "addresses": [gateway],
        "nats": [{"name": "VmNAT", "prefix": "192.168.100.0/24"}],
        "vms": [vm("l2", "VmNAT", l2())],
        **inside,
    }
    return {"switches": [{"name": "LAN", "type": "External", "adapter": "Ethernet"}], "vms": [vm("l1", "LAN", windows)]}


def bridged_lab(*spoofing: bool) -> Plain:
    """Each level bridges the next: one L1 for each value, with spoofing on its VM's adapter or not, and a guest in the innermost."""
    innermost = vm("guest", "Bridge", {})
    for number, spoofs in reversed(list(enumerate(spoofing, 1))):
        bridge = {"name": "Bridge", "type": "External", "adapter": "Ethernet"}
        windows = {"switches": [bridge], "adapters": [{"name": "Ethernet"}], "vms": [innermost]}
        innermost = vm(f"l{number}", "Bridge", windows, spoofing=spoofs)
    return {"switches": [{"name": "Bridge", "type": "External", "adapter": "Ethernet"}], "vms": [innermost]}


def lab(plain: Plain, based_on: str = "server2022-intel") -> Host:
    return nest.load("\n".join(f"{key}: {json.dumps(value)}" for key, value in plain.items()), based_on)


def inside(host: Host, *names: str) -> Host:
    """The Windows in a VM in a VM."""
    for name in names:
        host = nest.windows(next(one for one in host.vms if one.name == name))
    return host


def stop(host: Host, address: str) -> tuple[str, str] | None:
    """Why packets do not arrive, and at which host; None: they do."""
    found = reach.trip(host, ipaddress.IPv4Address(address))
    return (found.stop, found.at) if found.stop else None


def changed(plain: Plain, path: str, value: t.Any) -> Plain:
    """The profile with one thing replaced: "vms.0.guest.windows.nats"."""
    result = copy.deepcopy(plain)
    target: t.Any = result
    *way, last = path.split(".")
    for word in way:
        target = target[int(word)] if word.isdigit() else target[word]
    target[last] = value
    return result


L1 = "vms.0.guest.windows"
L2 = f"{L1}.vms.0.guest.windows"


def test_a_host_reaches_itself_its_network_and_the_outside() -> None:
    host = lab({})
    assert [stop(host, address) for address in ("127.0.0.1", "192.0.2.10", "192.0.2.1", DNS, OUTSIDE)] == [None] * 5
    assert stop(host, "192.0.2.99") == ("no_neighbour", "HV01")
    assert stop(host, "10.1.2.3") == ("not_outside", "192.0.2.1")


def test_what_a_host_is_told_makes_no_router() -> None:
    """Its gateway may be a machine that is no router, or nobody; the physical network is what the profile says."""
    host = lab({})
    host.routes[0].next_hop = DNS
    assert stop(host, OUTSIDE) == ("not_outside", DNS)
    host.routes[0].next_hop = "192.0.2.99"
    assert stop(host, OUTSIDE) == ("no_neighbour", "HV01")


def test_a_physical_network_that_the_host_does_not_know() -> None:
    plain = {"adapters": [{"name": "Ethernet", "index": 4, "lan": {"prefix": "10.5.0.0/16", "routers": ["10.5.0.1"]}}], "addresses": []}
    host = lab(plain)
    assert stop(host, OUTSIDE) == ("no_route", "HV01")
    run(host, "NetTCPIP\\New-NetIPAddress", InterfaceIndex=4, IPAddress="10.5.0.9", PrefixLength=16, DefaultGateway="10.5.0.1")
    assert stop(host, OUTSIDE) == ("no_address", "HV01")
    host.clock += 2
    assert stop(host, OUTSIDE) is None


def test_nat_in_l1_leads_outside() -> None:
    host = lab(nat_lab())
    assert [stop(inside(host, "l1"), address) for address in ("192.0.2.1", DNS, OUTSIDE, "192.168.100.2")] == [None] * 4
    guest = inside(host, "l1", "l2")
    assert [stop(guest, address) for address in (GATEWAY, DNS, OUTSIDE, "192.0.2.10")] == [None] * 4
    assert str(reach.resolve(guest, NAME)).startswith("203.0.113.")


def test_behind_nat_the_host_itself_is_reached_at_all_its_addresses_and_its_firewall_drops_pings() -> None:
    host = lab(nat_lab())
    l1, guest = inside(host, "l1"), inside(host, "l1", "l2")
    [outer] = run(l1, "NetTCPIP\\Get-NetIPAddress", InterfaceAlias="Ethernet", AddressFamily="IPv4").column("IPAddress")
    assert (stop(guest, outer), ping(guest, outer), ping(l1, outer)) == (None, (11010, 0), (0, 0))
    l1.answers_ping = True
    assert ping(guest, outer) == (0, 0)


def test_a_guest_whose_mask_is_too_narrow_cannot_answer() -> None:
    """Its gateway is not in its own network, so that it has no way to those beside it either."""
    plain = nat_lab()
    plain["vms"][0]["guest"]["windows"]["vms"].append(vm("narrow", "VmNAT", l2(address="192.168.100.200", length=29)))
    host = lab(plain)
    assert stop(inside(host, "l1"), "192.168.100.200") == ("no_way_back", "L1")
    assert stop(inside(host, "l1", "l2"), "192.168.100.200") == ("no_way_back", "L2")
    assert stop(inside(host, "l1", "narrow"), GATEWAY) == ("no_address", "NARROW")


@pytest.mark.parametrize(
    ("gateway", "expected"), [("192.0.2.1", None), (DNS, ("no_way_back", "HV01")), ("192.0.2.77", ("no_way_back", "HV01"))]
)
def test_a_router_of_the_physical_network_hands_on_what_a_narrow_mask_sends_to_it(gateway: str, expected: tuple[str, str] | None) -> None:
    bridge = {"switches": [{"name": "LAN", "type": "External", "adapter": "Ethernet"}]}
    host = lab({**bridge, "vms": [vm("l1", "LAN", l2(address="192.0.2.100", length=25, gateway=gateway))]})
    host.addresses[0].address = "192.0.2.200"
    assert stop(host, "192.0.2.100") == expected


def test_nobody_outside_reaches_behind_nat() -> None:
    host = lab(nat_lab())
    assert stop(host, "192.168.100.2") == ("not_outside", "192.0.2.1")


@pytest.mark.parametrize(
    ("path", "value", "gateway", "outside"),
    [
        (f"{L1}.nats", [], None, ("not_forwarded", "L1")),
        (f"{L1}.nats", [{"name": "VmNAT", "prefix": "192.168.100.0/24", "active": False}], None, ("not_forwarded", "L1")),
        (f"{L1}.nats", [{"name": "VmNAT", "prefix": "192.168.0.0/25"}], None, ("not_forwarded", "L1")),
        (f"{L1}.addresses", [], ("no_neighbour", "L2"), ("no_neighbour", "L2")),
        # without an on-link route the host cannot answer (the trap of -PrefixLength)
        (f"{L1}.addresses.0.prefix_length", 32, ("no_way_back", "L2"), ("no_way_back", "L2")),
        (f"{L2}.addresses.0.prefix_length", 32, ("no_address", "L2"), ("no_address", "L2")),
        (f"{L2}.addresses.0.state", "Duplicate", ("no_address", "L2"), ("no_address", "L2")),
        (f"{L2}.addresses", [], ("no_address", "L2"), ("no_address", "L2")),
        (f"{L2}.adapters.0.gateway", "", None, ("no_route", "L2")),
        (f"{L2}.adapters.0.gateway", "192.168.100.254", None, ("no_neighbour", "L2")),
        (f"{L2}.adapters.0.gateway", "192.168.101.1", None, ("no_address", "L2")),
        (f"{L1}.vms.0.adapters.0.switch", None, ("no_route", "L2"), ("no_route", "L2")),
        ("vms.0.adapters.0.switch", None, None, ("no_route", "L1")),
        ("outside", False, None, ("not_outside", "192.0.2.1")),
    ],
)
def test_one_thing_wrong_behind_nat(path: str, value: t.Any, gateway: tuple[str, str] | None, outside: tuple[str, str]) -> None:
    guest = inside(lab(changed(nat_lab(), path, value)), "l1", "l2")
    assert stop(guest, OUTSIDE) == outside
    assert stop(guest, GATEWAY) == gateway
    assert reach.resolve(guest, NAME) in ("timeout", "no_server", "failure")


def test_the_gateway_of_another_switch_is_no_neighbour() -> None:
    """As when the gateway's address is on a switch to which L2 is not connected."""
    plain = changed(nat_lab(), f"{L1}.switches", [{"name": "VmNAT"}, {"name": "Other", "type": "Private"}])
    plain = changed(plain, f"{L1}.vms.0.adapters.0.switch", "Other")
    assert stop(inside(lab(plain), "l1", "l2"), GATEWAY) == ("no_neighbour", "L2")


def test_nat_on_both_levels() -> None:
    """L1 is behind a NAT of L0, as in a cloud that allows no spoofing."""
    plain = nat_lab(adapters=[{"name": "Ethernet", "gateway": "10.77.0.1", "dns": [DNS]}])
    plain |= {
        "switches": [{"name": "LAN"}],
        "nats": [{"name": "Lab", "prefix": "10.77.0.0/24"}],
        "addresses": [
            {"address": "192.0.2.10", "prefix_length": 24, "on": "Ethernet"},
            {"address": "10.77.0.1", "prefix_length": 24, "on": "vEthernet (LAN)"},
        ],
    }
    plain = changed(
        plain, f"{L1}.addresses", [*plain["vms"][0]["guest"]["windows"]["addresses"], {"address": "10.77.0.2", "on": "Ethernet"}]
    )
    guest = inside(lab(plain), "l1", "l2")
    assert [stop(guest, address) for address in (GATEWAY, "10.77.0.1", DNS, OUTSIDE)] == [None] * 4
    outer = inside(lab(changed(plain, "nats", [])), "l1", "l2")
    assert stop(outer, OUTSIDE) == ("not_forwarded", "HV01")


@pytest.mark.parametrize(
    ("spoofing", "reaches"),
    [((True,), True), ((False,), False), ((True, True), True), ((True, False), False), ((False, True), False), ((True, True, True), True)],
)
def test_spoofing_on_every_level_of_a_bridge(spoofing: tuple[bool, ...], reaches: bool) -> None:
    """The guest asks for a lease as the others do, and so has an address only if its frames get out."""
    host = lab(bridged_lab(*spoofing))
    hosts = [inside(host, *(f"l{number}" for number in range(1, depth + 1))) for depth in range(1, len(spoofing) + 1)]
    # a bridge's own management adapter has the MAC address of the adapter below, so that L1 itself needs no spoofing
    assert stop(hosts[0], OUTSIDE) is None
    guest = inside(hosts[-1], "guest")
    [origin] = run(guest, "NetTCPIP\\Get-NetIPAddress", InterfaceAlias="Ethernet", AddressFamily="IPv4").column("PrefixOrigin")
    assert origin == ("Dhcp" if reaches else "WellKnown")
    assert (stop(guest, OUTSIDE) is None) is reaches
    assert (reach.resolve(guest, NAME) not in ("timeout", "no_server")) is reaches


def test_frames_that_are_stopped_for_want_of_spoofing_are_told_from_nobody_there() -> None:
    plain = bridged_lab(False)
    plain["vms"][0]["guest"]["windows"]["vms"][0]["guest"]["windows"] = l2(address="192.0.2.50", gateway="192.0.2.1")
    guest = inside(lab(plain), "l1", "guest")
    assert (stop(guest, "192.0.2.1"), stop(guest, "192.0.2.77")) == (("no_spoofing", "GUEST"), ("no_neighbour", "GUEST"))
    # L1 itself is on the same switch, so that no frame has to leave
    near = reach.trip(
        guest,
        ipaddress.IPv4Address(run(inside(guest.outer or guest), "NetTCPIP\\Get-NetIPAddress", PrefixOrigin="Dhcp").one.get("IPAddress")),
    )
    assert near.stop is None


def test_spoofing_is_needed_on_both_sides() -> None:
    """Two L1 hosts on one switch, a bridged guest in each: the frames pass the adapters of both."""

    def one(name: str, address: str, spoofing: bool) -> Plain:
        bridge = {"name": "Bridge", "type": "External", "adapter": "Ethernet"}
        guest = vm("guest", "Bridge", l2(address=address, gateway="", dns=[]))
        return vm(name, "Lab", {"switches": [bridge], "adapters": [{"name": "Ethernet"}], "vms": [guest]}, spoofing=spoofing)

    for both, expected in ((True, None), (False, ("no_spoofing", "GUEST"))):
        host = lab({"switches": [{"name": "Lab", "type": "Private"}], "vms": [one("a", "10.5.0.1", True), one("b", "10.5.0.2", both)]})
        assert stop(inside(host, "a", "guest"), "10.5.0.2") == expected


def test_a_guest_that_is_off_or_booting_does_not_answer() -> None:
    host = lab(nat_lab())
    assert stop(inside(host, "l1"), "192.168.100.2") is None
    nest.visit(host, "l1", nest.call("Restart-VM", Name="l2", Force=True))
    assert stop(inside(host, "l1"), "192.168.100.2") == ("no_neighbour", "L1")


def test_a_guest_is_seen_from_elsewhere_as_it_is_now() -> None:
    """Nobody has looked into its L1 since: what was due there has happened all the same."""
    plain = bridged_lab(True)
    plain["vms"][0]["guest"]["windows"]["vms"][0]["guest"]["windows"] = l2(address="192.0.2.50", gateway="192.0.2.1")
    host = lab(plain)
    nest.run(host, nest.call("Restart-VM", Name="l1", Force=True))
    assert stop(host, "192.0.2.50") == ("no_neighbour", "HV01")
    power.wait(host, 300)
    assert stop(host, "192.0.2.50") is None
    nest.visit(host, "l1", nest.call("Stop-VM", Name="guest", AsJob=True))
    assert stop(host, "192.0.2.50") is None
    power.wait(host, 300)
    assert stop(host, "192.0.2.50") == ("no_neighbour", "HV01")


def test_a_guest_whose_inside_is_not_modelled_answers_and_forwards_nothing() -> None:
    plain = nat_lab()
    plain["vms"][0]["guest"]["windows"]["vms"].append(
        {"name": "linux", "state": "Running", "adapters": [{"switch": "VmNAT", "addresses": ["192.168.100.9"]}]}
    )
    guest = inside(lab(plain), "l1", "l2")
    assert stop(guest, "192.168.100.9") is None
    guest.routes = [Route(next_hop="192.168.100.9", adapter=guest.adapters[0].index)]
    assert stop(guest, OUTSIDE) == ("not_forwarded", "192.168.100.9")


def test_gateways_in_a_ring() -> None:
    """L1's default gateway is its own guest, which has a NAT, too."""
    plain = nat_lab(
        adapters=[{"name": "Ethernet", "dhcp": False}, {"name": "vEthernet (VmNAT)", "switch": "VmNAT", "gateway": "192.168.100.2"}]
    )
    plain = changed(plain, f"{L2}.nats", [{"name": "n", "prefix": "192.168.0.0/16"}])
    assert stop(inside(lab(plain), "l1", "l2"), OUTSIDE) == ("in_a_ring", "L2")


# --- the Default Switch ---


def test_ics_gives_address_gateway_and_dns() -> None:
    host = lab({"vms": [vm("l1", "Default Switch", {})]}, "windows11-intel")
    guest = inside(host, "l1")
    assert [stop(guest, address) for address in ("172.28.96.1", OUTSIDE)] == [None, None]
    assert run(guest, "DnsClient\\Get-DnsClientServerAddress", InterfaceAlias="Ethernet", AddressFamily="IPv4").column(
        "ServerAddresses"
    ) == [["172.28.96.1"]]
    assert str(reach.resolve(guest, NAME)).startswith("203.0.113.")


def test_ics_is_silent_when_its_host_has_no_dns_server() -> None:
    host = lab({"vms": [vm("l1", "Default Switch", {})]}, "windows11-intel")
    for adapter in host.adapters:
        adapter.dns = []
    assert (reach.resolve(host, NAME), reach.resolve(inside(host, "l1"), NAME)) == ("no_server", "timeout")


# --- duplicate address detection ---


@pytest.mark.parametrize(("address", "state"), [("192.168.100.1", "Duplicate"), ("192.168.100.3", "Preferred")])
def test_an_address_that_another_machine_has(address: str, state: str) -> None:
    guest = inside(lab(nat_lab()), "l1", "l2")
    run(guest, "NetTCPIP\\New-NetIPAddress", InterfaceAlias="Ethernet", IPAddress=address, PrefixLength=24)
    assert run(guest, "NetTCPIP\\Get-NetIPAddress", IPAddress=address).column("AddressState") == ["Tentative"]
    guest.clock += 2
    assert run(guest, "NetTCPIP\\Get-NetIPAddress", IPAddress=address).column("AddressState") == [state]


# --- DNS ---


def test_a_nat_gateway_is_no_dns_server() -> None:
    guest = inside(lab(changed(nat_lab(), f"{L2}.adapters.0.dns", [GATEWAY])), "l1", "l2")
    assert stop(guest, GATEWAY) is None
    assert reach.resolve(guest, NAME) == "timeout"


def test_the_next_dns_server_is_asked_when_the_first_is_silent() -> None:
    guest = inside(lab(changed(nat_lab(), f"{L2}.adapters.0.dns", [GATEWAY, "198.51.100.53"])), "l1", "l2")
    assert str(reach.resolve(guest, NAME)).startswith("203.0.113.")


def test_answers_of_dns() -> None:
    host = lab({})
    assert (reach.resolve(host, "nobody.invalid"), reach.resolve(host, NAME, [ipaddress.IPv4Address("192.0.2.1")])) == (
        "no_name",
        "timeout",
    )
    assert str(reach.resolve(host, "www.notinvalid")).startswith("203.0.113.")
    host.outside = False
    assert reach.resolve(host, NAME) == "failure"
    host.adapters[0].dns = []
    assert reach.resolve(host, NAME) == "no_server"


# --- how Windows asks ---

PING = "CimCmdlets\\Get-CimInstance"
RESOLVE = "DnsClient\\Resolve-DnsName"
NEIGHBOR, CONNECT = "NetTCPIP\\Get-NetNeighbor", "NetTCPIP\\Test-NetConnection"
ECHO = "Microsoft.PowerShell.Management\\Test-Connection"
NOT_FOUND = ("CmdletizationQuery_NotFound_IPAddress", "ObjectNotFound")


def ping(host: Host, address: str) -> tuple[t.Any, t.Any]:
    shown = run(host, PING, ClassName="Win32_PingStatus", Filter=f"Address='{address}' AND Timeout=2000").one
    return shown.get("StatusCode"), shown.get("PrimaryAddressResolutionStatus")


@pytest.mark.parametrize(
    ("path", "value", "address", "answer"),
    [
        ("outside", True, OUTSIDE, (0, 0)),
        ("outside", True, NAME, (0, 0)),
        ("outside", True, "192.168.100.77", (11003, 0)),
        ("outside", False, OUTSIDE, (11010, 0)),
        # the firewall of L1 drops it, although the packet arrives
        ("outside", True, GATEWAY, (11010, 0)),
        (f"{L1}.answers_ping", True, GATEWAY, (0, 0)),
        (f"{L2}.adapters.0.gateway", "", OUTSIDE, (11050, 0)),
        (f"{L2}.adapters.0.dns", [], NAME, (None, 11001)),
    ],
)
def test_pings(path: str, value: t.Any, address: str, answer: tuple[t.Any, t.Any]) -> None:
    guest = inside(lab(changed(nat_lab(), path, value)), "l1", "l2")
    before = guest.clock
    assert ping(guest, address) == answer
    assert guest.clock - before == pytest.approx(0 if answer[0] == 0 else 2)


@pytest.mark.parametrize(
    "condition", ["Address='2001:db8::1'", "", "Address='x' OR Address='y'", "Address='10.0.0.1' AND BufferSize=64", "Timeout=5"]
)
def test_other_pings_are_refused(condition: str) -> None:
    with pytest.raises(NotSimulated):
        run(lab({}), PING, ClassName="Win32_PingStatus", Filter=condition)


def test_the_neighbour_cache_tells_a_gateway_that_drops_pings_from_none() -> None:
    host = lab(nat_lab())
    guest = inside(host, "l1", "l2")
    assert run(guest, NEIGHBOR, IPAddress=GATEWAY).errors == [NOT_FOUND]
    assert run(guest, ECHO, ComputerName=[GATEWAY, DNS], Count=1, Quiet=True).objects == [False, True]
    shown = run(guest, NEIGHBOR, IPAddress=GATEWAY).one
    assert (shown.get("State"), shown.get("LinkLayerAddress")[:8]) == ("Reachable", "00-15-5D")
    inside(host, "l1").addresses = []
    power.wait(guest, 5)
    gone = run(guest, NEIGHBOR, IPAddress=GATEWAY).one
    assert (gone.get("State"), gone.get("LinkLayerAddress")) == ("Unreachable", "00-00-00-00-00-00")
    assert run(guest, NEIGHBOR, IPAddress="192.168.100.9").errors == [NOT_FOUND]


@pytest.mark.parametrize(
    ("cached", "there", "states"),
    [
        (None, True, [None, "Reachable", "Reachable", "Reachable"]),
        (None, False, [None, "Incomplete", "Unreachable", "Unreachable"]),
        ("Stale", True, ["Stale", "Delay", "Reachable", "Reachable"]),
        ("Stale", False, ["Stale", "Delay", "Probe", "Unreachable"]),
        ("Permanent", False, ["Permanent"] * 4),
        ("Reachable", False, ["Reachable"] * 4),
    ],
)
def test_a_neighbour_is_asked_again_when_something_is_sent_to_it(cached: str | None, there: bool, states: list[str | None]) -> None:
    """Before, at once, after 6 s and after 10 s."""
    host = lab(nat_lab())
    guest = inside(host, "l1", "l2")
    guest.neighbours = {GATEWAY: t.cast("t.Any", cached)} if cached else {}
    inside(host, "l1").addresses = inside(host, "l1").addresses if there else []
    seen = [state_of(guest)]
    run(guest, ECHO, ComputerName=GATEWAY, Count=1, Quiet=True)
    for seconds in (0, 5, 4):
        power.wait(guest, seconds)
        seen.append(state_of(guest))
    assert seen == states


def state_of(guest: Host) -> str | None:
    return next((one.get("State") for one in run(guest, NEIGHBOR).objects), None)


def test_the_next_process_begins_without_neighbours() -> None:
    guest = inside(lab(nat_lab()), "l1", "l2")
    run(guest, CONNECT, ComputerName=OUTSIDE)
    assert state_of(guest) == "Reachable"
    faults.begin_process(guest)
    assert state_of(guest) is None


@pytest.mark.parametrize("parameters", [{"Count": 1}, {"Quiet": True}, {"Quiet": True, "Count": 4}])
def test_other_echo_requests_are_not_simulated(parameters: Plain) -> None:
    with pytest.raises(NotSimulated):
        run(lab({}), ECHO, ComputerName=GATEWAY, **parameters)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, None),
        ({"Server": ["198.51.100.53"], "Type": "A"}, None),
        ({"Name": "no.invalid"}, ("DNS_ERROR_RCODE_NAME_ERROR", "ResourceUnavailable")),
        ({"Server": [GATEWAY]}, ("ERROR_TIMEOUT", "OperationTimeout")),
    ],
)
def test_resolve_dns_name(parameters: Plain, error: tuple[str, str] | None) -> None:
    guest = inside(lab(nat_lab()), "l1", "l2")
    answer = run(guest, RESOLVE, **{"Name": NAME, "DnsOnly": True, "QuickTimeout": True, **parameters})
    assert answer.errors == ([error] if error else [])
    assert error or [answer.one.get(name) for name in ("Name", "Type", "IPAddress")] == [NAME, "A", str(reach.resolve(guest, NAME))]


@pytest.mark.parametrize(
    "parameters", [{"Name": OUTSIDE}, {"Name": NAME, "Server": ["dns.example.com"]}, {"Name": NAME, "Server": ["192.0.2"]}]
)
def test_other_questions_to_dns_are_not_simulated(parameters: Plain) -> None:
    with pytest.raises(NotSimulated):
        run(lab({}), RESOLVE, **parameters)


@pytest.mark.parametrize(
    ("name", "port", "taken"),
    [(NAME, 443, True), (OUTSIDE, 443, True), (OUTSIDE, 4444, False), (DNS, 53, True), ("no.invalid", 443, False)],
)
def test_connections(name: str, port: int, taken: bool) -> None:
    guest = inside(lab(nat_lab()), "l1", "l2")
    shown = run(guest, CONNECT, ComputerName=name, Port=port).one
    assert (shown.get("TcpTestSucceeded"), shown.get("RemotePort")) == (taken, port)
    assert run(guest, CONNECT, ComputerName=name, Port=port, InformationLevel="Quiet").objects == [taken]


def test_a_connection_tells_by_which_adapter_it_goes() -> None:
    shown = run(inside(lab(nat_lab()), "l1", "l2"), CONNECT, ComputerName=OUTSIDE).one
    assert [shown.get(name) for name in ("InterfaceAlias", "SourceAddress", "PingSucceeded")] == ["Ethernet", "192.168.100.2", True]


def test_ports_of_the_model_are_not_simulated() -> None:
    with pytest.raises(NotSimulated):
        run(inside(lab(nat_lab()), "l1", "l2"), CONNECT, ComputerName=GATEWAY, Port=445)
