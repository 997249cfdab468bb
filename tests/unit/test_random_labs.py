"""Random labs on random hosts: one run converges, the next is empty, and what was not named never changes."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.store import open_host
from ansible_collections.hyperlab.nested.tests import whole_lab
from ansible_collections.hyperlab.nested.tests.plays import Play
from ansible_collections.hyperlab.nested.tests.whole_lab import DNS, L1_DISK, L1_PASSWORD, L2_DISK, L2_PASSWORD, USER, changed

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import PlayResult
    from ansible_collections.hyperlab.nested.tests.whole_lab import Yaml

pytestmark = [pytest.mark.newest, pytest.mark.psdirect]

flags = st.booleans()
seldom = st.sampled_from([False, False, False, True])
mostly = seldom.map(lambda flag: not flag)
L1_NAMES, L2_NAMES = ["l1-a", "web[1]", "Büro 2"], ["l2-a", "it's $l2", "db[0-9]"]
FOREIGN_NAMES = ["l1-*", "l?-a", "web1", "l1-a2", "*"]
"""What a wildcard would take for one of ours, or the other way round."""
FOREIGN_NAT = {
    "name": "VmNAT*",
    "prefix": "10.99.0.0/24",
    "mappings": [{"id": 7, "external_port": 8080, "internal_address": "10.99.0.2", "internal_port": 80}],
}
HOSTS = {
    "server2022-intel": ["9.0", "10.0"],
    "server2025-amd": ["10.0", "12.0"],
    "server2019-intel": ["8.0", "9.0"],
    "windows11-intel": ["9.0", "12.0"],
}
"""Profiles, and configuration versions of VMs on them that can be nested hosts."""
GUEST = "server2022-intel"
OUTSIDE = {"gateway": "192.0.2.1", "dns": [DNS]}
"""What a bridged machine is told of the physical network."""


# --- what is wanted


@dataclasses.dataclass(frozen=True)
class Level:
    """The level of a lab that a password and a disk belong to, and how large its VMs are."""

    password: str
    disk: Yaml
    names: list[str]
    memory: str


L1_LEVEL = Level(L1_PASSWORD, L1_DISK, L1_NAMES, "8GB")
L2_LEVEL = Level(L2_PASSWORD, L2_DISK, L2_NAMES, "1GB")


def create(level: Level) -> Yaml:
    return {"disks": [{"path": r"C:\VMs\{vm}.vhdx", "parent": level.disk["path"]}]}


def prefix_of(network: str, third: int) -> Yaml:
    return {"nat_prefix": f"192.168.{third}.0/24"} if network == "nat" else {}


def ip(network: str, third: int, last: int) -> Yaml:
    """The address of a guest on a network: behind the NAT of that third octet, or else on the physical network."""
    if network == "nat":
        return {"address": f"192.168.{third}.{last}/24", "gateway": f"192.168.{third}.1", "dns": [DNS]}
    return {"address": f"192.0.2.{third - 90 + last}/24", **OUTSIDE}


@st.composite
def wanted_guests(draw: st.DrawFn, level: Level, network: str, third: int) -> list[Yaml]:
    names = draw(st.lists(st.sampled_from(level.names), unique=True, min_size=1, max_size=2))
    guests = []
    for number, name in enumerate(names, start=2):
        base = {"vm": name, "user": USER, "password": level.password, "ip": ip(network, third, number)}
        if level is L2_LEVEL:
            base["name"] = f"{third} {name}"  # in the other L1 host there may be a VM of that name, too
        guests.append(base | (draw(inside_l1(network, number)) if level is L1_LEVEL and draw(flags) else {}))
    return guests


@st.composite
def inside_l1(draw: st.DrawFn, below: str, number: int) -> Yaml:
    """What makes a Hyper-V host of an L1 guest; its VMs can be bridged only where nobody below stops their frames."""
    network = "nat" if below == "nat" else draw(st.sampled_from(["nat", "bridge"]))
    third = 200 + number * 10
    return {
        "network": network,
        **prefix_of(network, third),
        **({"bridge": {"switch": "Inner", "adapter": "Ethernet"}} if network == "bridge" else {}),
        "memory": L2_LEVEL.memory,
        "processors": draw(st.sampled_from([1, 2])),
        "create": create(L2_LEVEL),
        "guests": draw(wanted_guests(L2_LEVEL, network, third)),
    }


@st.composite
def wishes(draw: st.DrawFn) -> Yaml:
    """Variables of the role, without nested_lab_host_ before them."""
    network = draw(st.sampled_from(["nat", "bridge", "mac_spoofing"]))
    return {
        "network": network,
        **prefix_of(network, 100),
        **({"bridge": {"switch": "LAN", "adapter": "Ethernet", "allow_disconnect": True}} if network == "bridge" else {}),
        "memory": L1_LEVEL.memory,
        "processors": draw(st.sampled_from([2, 4])),
        "create": create(L1_LEVEL) | ({"switch": "LAN"} if network == "mac_spoofing" else {}),
        "guests": draw(wanted_guests(L1_LEVEL, network, 100)),
    }


# --- what is there


@st.composite
def windows(draw: st.DrawFn, wish: Yaml, below: str = "") -> Yaml:
    """A Windows that shall have VMs: bare, with Hyper-V half there, or with some of what is wanted, and with what is foreign."""
    level = L2_LEVEL if below else L1_LEVEL
    based_on = GUEST if below else draw(st.sampled_from([*HOSTS]))
    bare = {"based_on": based_on, "disks": [level.disk]}
    hyperv = draw(st.sampled_from(["absent", "install_pending", "installed", "installed", "installed"]))
    if not wish.get("guests") or (hyperv != "installed" and wish["network"] != "mac_spoofing"):
        own = draw(addresses(wish["ip"])) if below else {}
        return {**bare, "hyperv": hyperv if wish.get("guests") else "absent", **own}
    parts = draw(nat(wish["nat_prefix"])) if wish["network"] == "nat" else draw(bridge(wish))
    parts = merged(parts, draw(addresses(wish["ip"])) if below else {"addresses": [{"address": "192.0.2.10", "on": "Ethernet"}]})
    if draw(flags):
        parts = merged(parts, foreign(draw(st.sampled_from(["Private", "Internal"]))))
    switches = [switch["name"] for switch in parts["switches"]]
    vms = [draw(vm(guest, wish, switches, HOSTS[based_on], nests=not below)) for guest in wish["guests"] if draw(mostly)]
    # Windows starts what it has saved, but does not pause it again: a paused VM inside does not outlast a stop of the VM around it
    states = ["Running", "Off", "Saved", *([] if below else ["Paused"])]
    others = [draw(other_vm(name, switches, states)) for name in draw(st.lists(st.sampled_from(FOREIGN_NAMES), unique=True, max_size=2))]
    halves = {"hyperv_module": not draw(seldom), "winnat_running": not draw(seldom)}
    return {**bare, **parts, **halves, "vms": draw(st.permutations(vms + others))}


def merged(one: Yaml, other: Yaml) -> Yaml:
    return {name: [*one.get(name, []), *other.get(name, [])] for name in {**one, **other}}


def foreign(kind: str) -> Yaml:
    """Somebody else's NAT and switches, whose names are ours to a wildcard."""
    return {
        "switches": [{"name": "VmNAT*", "type": "Internal"}, {"name": "Inne?", "type": kind}],
        "addresses": [{"address": "10.99.0.1", "on": "vEthernet (VmNAT*)"}],
        "nats": [FOREIGN_NAT],
    }


@st.composite
def nat(draw: st.DrawFn, prefix: str) -> Yaml:
    """Any part of a NAT network, and wrong parts that the module mends: a NAT with another prefix only while the switch ties it to us."""
    gateway = prefix.replace("0/24", "1")
    there = draw(flags)
    moved = there and draw(seldom)
    on = {"on": "vEthernet (VmNAT)", "persistent": not draw(seldom)}
    right = {"address": gateway, "prefix_length": draw(st.sampled_from([24, 24, 16, 32])), **on}
    elsewhere = {"address": "192.168.77.1", **on}
    mapping = {"id": 1, "external_port": 8443, "internal_address": f"{gateway}0", "internal_port": 443}
    named = {"name": "VmNAT", "prefix": prefix, "mappings": [mapping] if draw(flags) else []}
    return {
        "switches": [{"name": draw(st.sampled_from(["VmNAT", "vmnat"])), "type": "Internal"}] if there else [],
        "addresses": [elsewhere] if moved else [right] if there and draw(flags) else [],
        "nats": [{"name": "VmNAT", "prefix": "192.168.77.0/24"}] if moved else [named] if draw(flags) else [],
    }


@st.composite
def bridge(draw: st.DrawFn, wish: Yaml) -> Yaml:
    """The external switch, or none yet. With mac_spoofing it is not the role that makes it."""
    name = wish.get("bridge", {"switch": "LAN"})["switch"]
    there = wish["network"] == "mac_spoofing" or draw(flags)
    return {"switches": [{"name": name, "type": "External", "adapter": "Ethernet"}] if there else []}


@st.composite
def addresses(draw: st.DrawFn, wanted: Yaml) -> Yaml:
    """None, the right one, a wrong one, or both, with or without a default route; an external switch takes them to its adapter."""
    address, _slash, length = wanted["address"].partition("/")
    wrong = address.rpartition(".")[0] + ".77"
    chosen = draw(st.lists(st.sampled_from([address, wrong]), unique=True))
    hops = draw(st.lists(st.sampled_from([wanted["gateway"], wrong[:-2] + "78"]), unique=True)) if chosen else []
    return {
        "addresses": [{"address": each, "prefix_length": int(length), "on": "Ethernet", "persistent": not draw(seldom)} for each in chosen],
        "routes": [{"next_hop": hop, "on": "Ethernet"} for hop in hops],
    }


@st.composite
def vm(draw: st.DrawFn, guest: Yaml, wish: Yaml, switches: list[str], versions: list[str], *, nests: bool) -> Yaml:
    """One of the wanted VMs, in any power state, with other memory, connected to what is wanted or to something else."""
    level = L1_LEVEL if nests else L2_LEVEL
    exposed = nests and draw(flags)
    processor = {"count": draw(st.sampled_from([wish["processors"], 2])), "expose_virtualization_extensions": exposed}
    memory = draw(memories(wish["memory"]))
    right = (exposed or not nests) and processor["count"] == wish["processors"] and memory == {"startup": wish["memory"]}
    state = draw(st.sampled_from(["Running", "Off", "Paused", "Saved" if right else "Off"]))  # what is saved cannot be changed
    # with mac_spoofing it is not the role that connects the VMs
    switch = "LAN" if wish["network"] == "mac_spoofing" else draw(st.sampled_from([None, *switches]))
    inside = draw(windows(guest, below=wish["network"]))
    return {
        "name": draw(st.sampled_from([guest["vm"], guest["vm"].upper()])),
        "state": state,
        "version": draw(st.sampled_from(versions)),
        "processor": processor,
        "memory": memory,
        "adapters": [{"switch": switch, "mac_address_spoofing": draw(flags)}],
        "guest": {
            "users": {USER: level.password},
            "windows": inside if exposed and state == "Running" else asleep(inside),
            "boot_seconds": draw(st.sampled_from([0, 20, 300])),
        },
    }


def asleep(host: Yaml) -> Yaml:
    """Where no hypervisor runs, no VM does."""
    return {**host, "vms": [{**vm, "state": "Off"} for vm in host.get("vms", [])]}


@st.composite
def memories(draw: st.DrawFn, wanted: str) -> Yaml:
    startup = draw(st.sampled_from([wanted, wanted, "3GB"]))
    return {"startup": startup, **({"dynamic": True, "minimum": "512MB", "maximum": "16GB"} if draw(seldom) else {})}


@st.composite
def other_vm(draw: st.DrawFn, name: str, switches: list[str], states: list[str]) -> Yaml:
    """Somebody else's."""
    return {
        "name": name,
        "state": draw(st.sampled_from(states)),
        "processor": {"count": 1},
        "memory": {"startup": "512MB", "dynamic": draw(flags)},
        "adapters": [{"switch": draw(st.sampled_from([None, *switches])), "mac_address_spoofing": draw(flags)}],
        "notes": "not ours",
    }


@st.composite
def labs(draw: st.DrawFn) -> tuple[Yaml, Yaml]:
    wish = draw(wishes())
    return wish, draw(windows(wish))


def impossible(wish: Yaml, profile: Yaml) -> dict[str, tuple[Yaml, Yaml]]:
    """The same lab, each time with another thing that it cannot be made with, by what is said of that."""
    first = wish["guests"][0]
    inner = {**first, "vm": "l2", "name": "l2", "ip": {"dhcp": True}, "guests": []}
    nesting = {**first, "ip": ip("nat", 100, 2), "network": "nat", "nat_prefix": "192.168.210.0/24", "guests": [inner]}

    def guests(**changes: t.Any) -> Yaml:
        return wish | {"network": "nat", "nat_prefix": "192.168.100.0/24", "guests": [{**nesting, **changes}]}

    def there(**parts: t.Any) -> tuple[Yaml, Yaml]:
        return guests(), {**profile, "hyperv": "installed", "hyperv_module": True, **parts}

    return {
        "its VMs shall be on the network of hv01 (network=bridge), which lets no frames": (guests(network="bridge"), profile),
        "and overlaps with 192.168.100.0/24, the NAT network of hv01": (guests(nat_prefix="192.168.100.0/24"), profile),
        "NAT 'Other' has the prefix 192.168.0.0/16, which overlaps": there(nats=[{"name": "Other", "prefix": "192.168.0.0/16"}]),
        "and NAT needs an internal one": there(switches=[{"name": "VmNAT", "type": "Private"}], vms=[]),
        "2 VMs are called": there(vms=[{"name": first["vm"]}, {"name": first["vm"]}]),
        "and nesting on AMD needs": there(based_on="server2022-amd", vms=[{"name": first["vm"], "version": "9.0"}]),
        "hypervisor does not run": there(hypervisor_running=False, vms=[]),
    }


# --- what happens


class Site:
    """A pretended host, and plays on it."""

    def __init__(self, folder: pathlib.Path, profile: Yaml) -> None:
        self._play = Play(folder)
        self._state, self._profile = folder / "hv01.json", folder / "profile.yml"
        self._profile.write_text(json.dumps(profile), encoding="utf-8")
        with open_host(self._state, str(self._profile)):
            pass

    def play(self, wish: Yaml, *arguments: str) -> PlayResult:
        host = {
            "ansible_connection": "hyperlab.nested.simulator",
            "ansible_simulator_profile": str(self._profile),
            "ansible_simulator_state": str(self._state),
        }
        return self._play(whole_lab.lab("lab"), whole_lab.inventory(host, **wish), "--forks=2", *arguments)

    @property
    def configuration(self) -> Yaml:
        return t.cast("Yaml", whole_lab.configuration(self._state))

    @property
    def state(self) -> Yaml:
        return t.cast("Yaml", json.loads(self._state.read_text(encoding="utf-8")))


def not_ours(host: Yaml, wish: Yaml, where: str = "hv01") -> dict[str, t.Any]:
    """All that was not named, on all levels, by where it is."""
    named = {guest["vm"].lower(): guest for guest in wish.get("guests", [])}
    switch = wish.get("bridge", {"switch": "VmNAT"})["switch"].lower()
    found: dict[str, t.Any] = {}
    for vm in host.get("vms", []):
        guest = named.get(vm["name"].lower())
        if guest is None:
            found[f"{where}: VM {vm['name']}"] = whole_lab.configuration(vm)
        else:
            found |= not_ours(vm["guest"]["windows"], guest, f"{where}: {guest['vm']}")
    found |= {f"{where}: switch {each['name']}": each for each in host.get("switches", []) if each["name"].lower() != switch}
    found |= {f"{where}: NAT {each['name']}": each for each in host.get("nats", []) if each["name"] != "VmNAT"}
    adapters = {adapter["index"]: adapter["name"] for adapter in host.get("adapters", [])}  # another index after each restart
    found |= {
        f"{where}: {each['address']}": adapters[each["adapter"]]
        for each in host.get("addresses", [])
        if each["address"].startswith("10.99.")
    }
    return found


def plays(request: pytest.FixtureRequest, few: int, many: int) -> settings:
    """So many examples in each run of the tests, and with --wire more. To find a smaller one by playing would take an hour."""
    count = many if request.config.getoption("--wire") else few
    return settings(max_examples=count, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


@pytest.mark.long
def test_a_random_lab_converges_in_one_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole_lab.warm_up()

    @plays(request, few=2, many=60)
    @given(labs())
    def converges(lab: tuple[Yaml, Yaml]) -> None:
        wish, profile = lab
        site = Site(tmp_path_factory.mktemp("lab"), profile)
        before = not_ours(site.state, wish)
        note(site.play(wish).succeeded().output)
        made = site.configuration
        after = not_ours(site.state, wish)
        assert {name: after.get(name) for name in before} == before
        assert changed(site.play(wish).succeeded()) == []
        assert site.configuration == made

    converges()


def test_what_cannot_be_is_refused_before_anything_changes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole_lab.warm_up()

    @plays(request, few=1, many=20)
    @given(labs())
    def refused(lab: tuple[Yaml, Yaml]) -> None:
        for why, (wish, profile) in impossible(*lab).items():
            site = Site(tmp_path_factory.mktemp("lab"), profile)
            before = site.configuration
            for mode in ("--check", "--diff"):
                stopped = site.play(wish, mode)
                [said] = [one.result for one in stopped.tasks if one.status == "failed"]
                assert why in said["msg"]
                assert "Way out: " in said["msg"] or said["fix"]
                assert changed(stopped) == []
            assert site.configuration == before, why

    refused()
