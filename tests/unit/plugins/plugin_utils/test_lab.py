"""What is wrong with a lab as it is written: for each lab the problems, and for each lab that can be none."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.hyperlab.nested.plugins.filter.lab_problems import FilterModule
from ansible_collections.hyperlab.nested.plugins.plugin_utils._lab import problems_of

if t.TYPE_CHECKING:
    from collections.abc import Callable

Yaml = dict[str, t.Any]
INSIDE = {"network": "nat", "nat_prefix": "192.168.200.0/24"}
CANARY = "canary-77aa"
DISKS = {"disks": [{"path": r"C:\VMs\{vm}.vhdx", "parent": r"C:\Images\x.vhdx"}]}


def lab() -> Yaml:
    """A lab that can be: two levels of NAT, and all that may be said of them."""
    l2 = {"vm": "l2-a", "user": "Administrator", "password": CANARY, "ip": {"address": "192.168.200.2/24", "gateway": "192.168.200.1"}}
    l1 = {
        "vm": "l1-a",
        "name": "inner",
        "user": "Administrator",
        "password": CANARY,
        "ip": {"address": "192.168.100.2/24", "gateway": "192.168.100.1", "dns": ["192.0.2.53"]},
        "network": "nat",
        "nat_switch": "VmNAT",
        "nat_prefix": "192.168.200.0/24",
        "memory": "2GB",
        "processors": 2,
        "create": DISKS,
        "power_state": "running",
        "when_running": "shutdown",
        "reboot": True,
        "proof": {"gateway": False},
        "remove_disks": True,
        "remove_hyperv": False,
        "guests": [l2],
    }
    return {
        "name": "hv01",
        "level": 0,
        "vms": ["l1-a"],
        "above": None,
        "network": "nat",
        "nat_switch": "VmNAT",
        "nat_prefix": "192.168.100.0/24",
        "bridge": {"switch": "Bridge", "adapter": "Ethernet"},
        "ip": None,
        "memory": "8GB",
        "processors": 4,
        "create": DISKS,
        "proof": {"dns": "www.example.com", "outside": "www.example.com", "port": 443},
        "guests": [l1],
    }


def told(wanted: Yaml, hosts: Yaml | None = None, others: tuple[str, ...] = (), *, removal: bool = False) -> list[str]:
    return [str(each) for each in problems_of(wanted, INSIDE, hosts or {"hv01": {}}, others, removal=removal)]


def changed(change: Callable[[Yaml, Yaml, Yaml], t.Any]) -> Yaml:
    """The lab in which somebody has changed the host, L1 or L2."""
    wanted = copy.deepcopy(lab())
    [l1] = wanted["guests"]
    change(wanted, l1, l1["guests"][0])
    return wanted


def with_another_l1(host: Yaml, **different: t.Any) -> None:
    ip = {"address": "192.168.100.3/24", "gateway": "192.168.100.1"}
    host["guests"].append({"vm": "l1-b", "user": "Administrator", "password": CANARY, "ip": ip, **different})


def bridged(host: Yaml, l1: Yaml, l2: Yaml) -> None:
    """All on the network of L0."""
    host["network"] = l1["network"] = "bridge"
    host["ip"] = {"address": "192.0.2.10/24"}
    l1["ip"], l2["ip"] = ({"address": f"192.0.2.{last}/24", "gateway": "192.0.2.1"} for last in (31, 32))


def bridged_and(change: Callable[[Yaml, Yaml, Yaml], t.Any]) -> Callable[[Yaml, Yaml, Yaml], None]:
    def both(host: Yaml, l1: Yaml, l2: Yaml) -> None:
        bridged(host, l1, l2)
        change(host, l1, l2)

    return both


CAN_BE: dict[str, Callable[[Yaml, Yaml, Yaml], t.Any]] = {
    "as it is": lambda host, l1, l2: None,
    "a prefix of its own by default": lambda host, l1, l2: l1.pop("nat_prefix"),
    "bridged all the way": bridged,
    "bridged with spoofing on L0": bridged_and(lambda host, l1, l2: host.update(network="mac_spoofing")),
    "NAT in L1 on the network of L0": bridged_and(lambda host, l1, l2: (l1.update(network="nat"), l2.pop("ip"))),
    "one prefix in two L1s": lambda host, l1, l2: with_another_l1(host, guests=[{**l2, "name": "l2-b"}]),
    "a part of the prefix": lambda host, l1, l2: l1.update(ip={"address": "192.168.100.2/25"}),
    "no way out": lambda host, l1, l2: l2["ip"].update(gateway="none"),
    "no address": lambda host, l1, l2: l1.pop("ip"),
    "DHCP": lambda host, l1, l2: l1.update(ip={"dhcp": True}),
    "no guests": lambda host, l1, l2: host.update(guests=[], vms=[]),
    "empty guests of L2": lambda host, l1, l2: l2.update(guests=[]),
    "a password with blanks": lambda host, l1, l2: l2.update(password=" "),
    "VMs by id": lambda host, l1, l2: (l2.update(vm="11111111-2222-3333-4444-555555555555"), l1.pop("create")),
}


@pytest.mark.parametrize("change", CAN_BE.values(), ids=CAN_BE)
def test_what_can_be(change: Callable[[Yaml, Yaml, Yaml], t.Any]) -> None:
    assert told(changed(change)) == []


L1, L2 = "guest 'l1-a': ", "guest 'l2-a' of 'l1-a': "
CANNOT_BE: dict[str, tuple[Callable[[Yaml, Yaml, Yaml], t.Any], list[str]]] = {
    # single options, in the words of the modules
    "no prefix length": (
        lambda host, l1, l2: l1["ip"].update(address="192.168.100.2"),
        [L1 + "ip.address: '192.168.100.2' has no prefix length. Way out: did you mean 192.168.100.2/24?"],
    ),
    "a network for an address": (
        lambda host, l1, l2: l2["ip"].update(address="192.168.200.0/24"),
        [L2 + "ip.address: 192.168.200.0 is the network address of 192.168.200.0/24."],
    ),
    "a broadcast address": (
        lambda host, l1, l2: l2["ip"].update(address="192.168.200.255/24"),
        [L2 + "ip.address: 192.168.200.255 is the broadcast address"],
    ),
    "a gateway that is not near": (
        lambda host, l1, l2: l2["ip"].update(gateway="10.0.0.1"),
        [L2 + "gateway: 10.0.0.1 does not lie in 192.168.200.0/24"],
    ),
    "its own gateway": (
        lambda host, l1, l2: l2["ip"].update(gateway="192.168.200.2"),
        [L2 + "gateway: 192.168.200.2 is the adapter's own address"],
    ),
    "memory": (lambda host, l1, l2: l1.update(memory="2 gigs"), [L1 + "memory: '2 gigs' is not a size"]),
    "memory of the host's": (lambda host, l1, l2: host.update(memory="8"), ["hv01: nested_lab_host_memory: '8' is not a size"]),
    "a port of nobody": (
        lambda host, l1, l2: host.update(proof={"port": 443}),
        ["hv01: proof.port says how outside is reached, and proof.outside is not given"],
    ),
    "a network that is none": (
        lambda host, l1, l2: l1.update(network="mac_spoofing"),
        [L1 + "value of network must be one of: nat, bridge"],
    ),
    "a prefix with host bits": (
        lambda host, l1, l2: l1.update(nat_prefix="192.168.200.1/24"),
        [L1 + "nat_prefix: '192.168.200.1/24' has host bits set. Way out: did you mean 192.168.200.0/24?"],
    ),
    "half a bridge": (lambda host, l1, l2: l1.update(bridge={"switch": "B"}), [L1 + "missing required arguments: adapter found in bridge"]),
    "no boolean": (lambda host, l1, l2: l1.update(reboot="perhaps"), [L1 + "argument 'reboot' is of type "]),
    "an empty value": (lambda host, l1, l2: l1.update(memory=None), [L1 + "memory is empty"]),
    "several values": (lambda host, l1, l2: l1.update(memory=[CANARY]), [L1 + "memory is no single value"]),
    "an address alone": (lambda host, l1, l2: l1.update(ip="192.168.100.2/24"), [L1 + "ip is no mapping"]),
    "a name that no path has": (
        lambda host, l1, l2: l2.update(vm="l2:a", name="l2-a"),
        [r"guest 'l1-a': create: the VM's name 'l2:a' holds ':', so that it cannot stand in the path C:\VMs\{vm}.vhdx"],
    ),
    "a disk that is none": (
        lambda host, l1, l2: host.update(create={"disks": [{"path": "x"}]}),
        ["hv01: nested_lab_host_create: disks[0].path: 'x' does not end in .vhdx"],
    ),
    "create is a list": (lambda host, l1, l2: l1.update(create=[DISKS]), [L1 + "create is no mapping"]),
    "create is empty": (lambda host, l1, l2: l1.update(create=None), [L1 + "create is empty"]),
    # keys
    "misspelt": (lambda host, l1, l2: l1.update(proccessors=1), [L1 + "there is no proccessors. Way out: did you mean processors?"]),
    "misspelt inside": (lambda host, l1, l2: l2["ip"].update(adress="x"), [L2 + "there is no ip.adress. Way out: did you mean address?"]),
    "nothing that is known": (
        lambda host, l1, l2: host.update(bridge={**host["bridge"], "zzz": 1}),
        ["hv01: there is no nested_lab_host_bridge.zzz. Way out: these are known: switch, adapter, allow_disconnect"],
    ),
    "what the role does not hand on": (lambda host, l1, l2: l1.update(create={"state": "saved"}), [L1 + "there is no create.state"]),
    # who
    "no VM": (lambda host, l1, l2: l2.pop("vm"), ["guest number 1 of 'l1-a': it has no vm"]),
    "a VM that is a number": (
        lambda host, l1, l2: l2.update(vm=101),
        ["guest number 1 of 'l1-a': vm: 101 is not a string. Way out: write vm as a string"],
    ),
    "no user": (lambda host, l1, l2: l2.pop("user"), [L2 + "it has no user"]),
    "a blank user": (lambda host, l1, l2: l2.update(user=" "), [L2 + "user is blank"]),
    "a user with a password": (lambda host, l1, l2: l2.update(user={"admin": CANARY}), [L2 + "user is no single value"]),
    "no password": (lambda host, l1, l2: l2.pop("password"), [L2 + "it has no password"]),
    "a password of nothing": (lambda host, l1, l2: l2.update(password=None), [L2 + "it has no password"]),
    "a password that is a number": (lambda host, l1, l2: l2.update(password=776655), [L2 + "its password is no string"]),
    "a password that is a mapping": (lambda host, l1, l2: l2.update(password={CANARY: None}), [L2 + "its password is no string"]),
    "an empty password": (lambda host, l1, l2: l2.update(password=""), [L2 + "its password is empty"]),
    "no guest at all": (lambda host, l1, l2: l1["guests"].append(CANARY), ["guest number 2 of 'l1-a': it is no mapping"]),
    "no list of guests": (lambda host, l1, l2: l1.update(guests={"vm": CANARY}), [L1 + "guests is no list"]),
    "guests that are nothing": (lambda host, l1, l2: host.update(guests=None), ["hv01: nested_lab_host_guests is no list"]),
    "no list of VMs": (lambda host, l1, l2: host.update(vms="l1-a"), ["hv01: nested_lab_host_vms is no list"]),
    "VMs that are numbers": (lambda host, l1, l2: host.update(vms=[101]), ["hv01: nested_lab_host_vms: 101 is not a string"]),
    "guests among the VMs": (lambda host, l1, l2: host.update(vms=[l1]), ["hv01: nested_lab_host_vms has more in it than names"]),
    "the same VM": (
        lambda host, l1, l2: host["guests"].append({**copy.deepcopy(l1), "vm": "L1-A"}),
        ["hv01: VM 'L1-A' stands in nested_lab_host_guests twice"],
    ),
    "a level too deep": (
        lambda host, l1, l2: l2.update(guests=[{"vm": "l3-a"}]),
        [L2 + "guests would be on a level below L2, and three levels are meant: L0, L1 and L2"],
    ),
    # names in the inventory
    "named like its host": (lambda host, l1, l2: l2.update(name="hv01"), [L2 + "the inventory host 'hv01' is the Hyper-V host of the lab"]),
    "named like another guest": (lambda host, l1, l2: l2.update(name="inner"), [L2 + "the inventory host 'inner' is guest 'l1-a' already"]),
    "named like another host": (
        lambda host, l1, l2: l2.update(name="dc01"),
        [L2 + "the inventory has a host 'dc01' already, which is not this guest"],
    ),
    "named like a guest of another host": (
        lambda host, l1, l2: l2.update(name="l2-z"),
        [L2 + "the inventory host 'l2-z' is a guest of hv09 already"],
    ),
    "named like a port": (lambda host, l1, l2: l2.update(name="l2:22"), [L2 + "the inventory would take what stands behind the colon"]),
    # networks
    "an address outside of the NAT": (
        lambda host, l1, l2: l1.update(ip={"address": "192.168.50.2/24", "gateway": "192.168.50.1"}),
        [
            L1 + "its address 192.168.50.2/24 does not lie in 192.168.100.0/24, the NAT network of hv01."
            " Way out: give it one there, such as 192.168.100.2/24 with gateway 192.168.100.1"
        ],
    ),
    "an address wider than the NAT": (
        lambda host, l1, l2: l2["ip"].update(address="192.168.200.2/16"),
        [L2 + "its address 192.168.200.2/16 does not lie in 192.168.200.0/24, the NAT network of guest 'l1-a'"],
    ),
    "the address of the NAT": (
        lambda host, l1, l2: l1.update(ip={"address": "192.168.100.1/24"}),
        [L1 + "its address 192.168.100.1 is the gateway of 192.168.100.0/24, the NAT network of hv01"],
    ),
    "another gateway than the NAT's": (
        lambda host, l1, l2: l1["ip"].update(gateway="192.168.100.254"),
        [L1 + "its gateway 192.168.100.254 is not that of 192.168.100.0/24, the NAT network of hv01. Way out: set it to 192.168.100.1"],
    ),
    "one prefix on two levels": (
        lambda host, l1, l2: (l1.update(nat_prefix="192.168.100.0/24"), l2.pop("ip")),
        [
            L1 + "the NAT network in it has the prefix 192.168.100.0/24 (nat_prefix), and overlaps with 192.168.100.0/24,"
            " the NAT network of hv01. Way out: set nat_prefix to 192.168.200.0/24"
        ],
    ),
    "one prefix on two levels by default": (
        lambda host, l1, l2: (host.update(nat_prefix="192.168.200.0/24"), l1.pop("nat_prefix"), l1.pop("ip")),
        [L1 + "the NAT network in it has the prefix 192.168.200.0/24 (nat_prefix), and overlaps with 192.168.200.0/24"],
    ),
    "a prefix in another": (
        lambda host, l1, l2: (host.update(nat_prefix="192.168.0.0/16"), l1.pop("ip")),
        [
            L1 + "the NAT network in it has the prefix 192.168.200.0/24 (nat_prefix), and overlaps with 192.168.0.0/16,"
            " the NAT network of hv01. Way out: set nat_prefix to 172.31.200.0/24"
        ],
    ),
    "all the prefixes in the world": (
        bridged_and(
            lambda host, l1, l2: (
                host.update(ip={"address": "9.9.9.9/1"}),
                l1.update(network="nat", ip={"address": "193.0.2.2/1"}),
                l2.pop("ip"),
            )
        ),
        [
            L1 + "the NAT network in it has the prefix 192.168.200.0/24 (nat_prefix), and overlaps with 128.0.0.0/1,"
            " the network of the address of guest 'l1-a'. Way out: set nat_prefix to a private prefix that none of them has"
        ],
    ),
    "the prefix of its own address": (
        bridged_and(lambda host, l1, l2: (l1.update(network="nat", nat_prefix="192.0.2.0/24"), l2.pop("ip"))),
        [
            L1 + "the NAT network in it has the prefix 192.0.2.0/24 (nat_prefix), and overlaps with 192.0.2.0/24,"
            " the network of the address of guest 'l1-a'"
        ],
    ),
    "the prefix of the host's own address": (
        lambda host, l1, l2: host.update(ip={"address": "192.168.100.9/24"}),
        ["hv01: the NAT network in it has the prefix 192.168.100.0/24 (nested_lab_host_nat_prefix), and overlaps with 192.168.100.0/24"],
    ),
    "a bridge over a NAT": (
        lambda host, l1, l2: (l1.update(network="bridge"), l2.pop("ip")),
        [
            L1
            + "its VMs shall be on the network of hv01 (network=bridge), which lets no frames of theirs pass (nested_lab_host_network=nat)."
            " Way out: set nested_lab_host_network of hv01 to bridge or mac_spoofing, or network of guest 'l1-a' to nat"
        ],
    ),
    "a bridge over nothing": (
        lambda host, l1, l2: (host.update(network="none"), l1.update(network="bridge")),
        [
            L1
            + "its VMs shall be on the network of hv01 (network=bridge), which lets no frames of theirs pass (nested_lab_host_network=none)"
        ],
    ),
    "one address twice": (
        lambda host, l1, l2: with_another_l1(host, ip={"address": "192.168.100.2/24"}),
        ["guest 'l1-b': its address 192.168.100.2 is that of guest 'l1-a', too"],
    ),
    "one address on two levels of a bridge": (
        bridged_and(lambda host, l1, l2: l2["ip"].update(address="192.0.2.10/24")),
        [L2 + "its address 192.0.2.10 is that of hv01, too"],
    ),
}
AROUND: Yaml = {
    "hv01": {},
    "dc01": {},
    "hv09": {"nested_lab_host_guests": [{"vm": "l1-z", "guests": [{"vm": "x", "name": "l2-z"}]}]},
}


@pytest.mark.parametrize(("change", "problems"), CANNOT_BE.values(), ids=CANNOT_BE)
def test_what_cannot_be(change: Callable[[Yaml, Yaml, Yaml], t.Any], problems: list[str]) -> None:
    found = told(changed(change), AROUND, ("hv09",))
    assert [one[: len(start)] for one, start in zip(found, problems, strict=True)] == problems
    assert all(". Way out: " in one and CANARY not in one and "776655" not in one for one in found)


def test_all_at_once() -> None:
    def change(host: Yaml, l1: Yaml, l2: Yaml) -> None:
        host["memory"] = "8"
        l1.update(memory="2 gigs", network="natt", proccessors=1)
        l2["ip"]["address"] = "192.168.50.2/24"
        l2.update(password="", name="hv01")

    assert [one.partition(": ")[0] for one in told(changed(change))] == ["hv01", *["guest 'l1-a'"] * 3, *["guest 'l2-a' of 'l1-a'"] * 3]


def test_a_guest_that_stands_in_the_inventory_may_be_named_again() -> None:
    itself = {"inner": {"ansible_psdirect_host": "hv01"}, "l2-a": {"ansible_psdirect_host": "inner"}}
    assert told(lab(), {"hv01": {}, **itself}) == []
    [other] = told(lab(), {"hv01": {}, **itself, "l2-a": {"ansible_psdirect_host": "hv01"}})
    assert other.startswith(L2 + "the inventory has a host 'l2-a' already")


def test_a_removal_does_not_care_for_networks() -> None:
    def change(host: Yaml, l1: Yaml, l2: Yaml) -> None:
        l1.update(network="bridge", ip={"address": "192.168.50.2/24"})
        l2.pop("password")

    assert len(told(changed(change))) == 3
    assert told(changed(change), removal=True) == [L2 + "it has no password. Way out: give the password of its user, from a vault"]


def standing(**own: t.Any) -> Yaml:
    """An L1 host that stands in the inventory, with its variables."""
    return {"name": "inner", "level": 1, "above": "hv01", "vms": ["l2-a"], "nat_prefix": "192.168.200.0/24", "guests": [], **own}


@pytest.mark.parametrize(
    ("own", "below", "problem"),
    [
        ({"network": "nat"}, {"network": "nat"}, ""),
        ({"network": "bridge"}, {}, ""),
        ({"network": "bridge"}, {"network": "nat"}, "lets no frames of theirs pass (nested_lab_host_network=nat)"),
        (
            {"network": "bridge"},
            {"network": "nat"},
            "set nested_lab_host_network of hv01 to bridge or mac_spoofing, or nested_lab_host_network",
        ),
        (
            {"network": "nat", "nat_prefix": "192.168.100.0/24"},
            {"network": "nat"},
            "overlaps with 192.168.100.0/24, the NAT network of hv01",
        ),
        ({"ip": {"address": "192.0.2.5/24"}}, {"network": "nat", "nat_prefix": "10.0.0.0/8"}, "does not lie in 10.0.0.0/8"),
        ({"network": "nat"}, {"ip": {"address": "192.168.200.9/24"}}, "overlaps with 192.168.200.0/24, the network of the address of hv01"),
        ({"network": "nat"}, {"network": "what?"}, ""),
    ],
)
def test_a_guest_of_the_inventory_is_compared_with_its_host(own: Yaml, below: Yaml, problem: str) -> None:
    hosts = {"hv01": {f"nested_lab_host_{name}": value for name, value in below.items()}, "inner": {"ansible_psdirect_host": "hv01"}}
    found = told(standing(**own), hosts)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def test_a_host_at_level_two_has_no_guests() -> None:
    [said] = told({**standing(guests=[{"vm": "l3"}]), "level": 2})
    assert said.startswith("inner: nested_lab_host_guests would be on a level below L2")


def test_hosts_in_a_ring_end() -> None:
    ring = {"hv01": {"ansible_psdirect_host": "inner"}, "inner": {"ansible_psdirect_host": "hv01"}}
    assert told(standing(network="nat"), ring) == []


def test_the_filter_says_it_in_words() -> None:
    told_by = FilterModule().filters()["lab_problems"]
    assert told_by(lab(), INSIDE, {"hv01": {}}) == []
    assert told_by({**lab(), "memory": "x"}, INSIDE, {"hv01": {}})[0].startswith("hv01: nested_lab_host_memory: 'x' is not a size")
    with pytest.raises(AnsibleFilterError, match="what one host shall be"):
        told_by("hv01", INSIDE, {})
