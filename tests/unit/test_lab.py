"""The whole lab, as one play over a pretended host: from a bare Windows to a guest in a guest that reaches the network, and back."""

from __future__ import annotations

import json
import shutil
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.connection import simulator
from ansible_collections.hyperlab.nested.tests import whole_lab
from ansible_collections.hyperlab.nested.tests.plays import Play
from ansible_collections.hyperlab.nested.tests.whole_lab import L1, L1_PASSWORD, L2, L2_PASSWORD, changed, guest, proofs, proven

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import PlayResult
    from ansible_collections.hyperlab.nested.tests.whole_lab import Yaml

pytestmark = pytest.mark.psdirect
ROLE = "hyperlab.nested.nested_lab_host : "
REFUSED = f"{ROLE}Stop where the lab cannot be as it is written"


class Site:
    """One pretended host in a folder, and plays on it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.state_file = folder / "hv01.json"
        self._play = Play(folder)
        (folder / "profile.yml").write_text(json.dumps(whole_lab.PROFILE), encoding="utf-8")
        self.host = {
            "ansible_connection": "hyperlab.nested.simulator",
            "ansible_simulator_profile": str(folder / "profile.yml"),
            "ansible_simulator_state": str(self.state_file),
        }

    def play(self, playbook: str | list[Yaml], *arguments: str, inventory: Yaml | None = None, **variables: t.Any) -> PlayResult:
        """A playbook of the collection, or plays. Variables of the role are those of the outermost host."""
        given = inventory or whole_lab.inventory(self.host, **variables)
        plays = whole_lab.lab(playbook) if isinstance(playbook, str) else playbook
        return self._play(plays, given, "--forks=2", *arguments)

    @property
    def state(self) -> Yaml:
        return t.cast("Yaml", json.loads(self.state_file.read_text(encoding="utf-8")))

    def change(self, **fields: t.Any) -> None:
        """Somebody changes fields of the host."""
        self.state_file.write_text(json.dumps({**self.state, **fields}), encoding="utf-8")


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, PlayResult]:
    """The lab from a bare host; nobody changes this one."""
    whole_lab.warm_up()
    made = Site(tmp_path_factory.mktemp("lab"))
    return made, made.play("lab", "-vvv").succeeded()


@pytest.fixture
def built(first_run: tuple[Site, PlayResult], site: Site) -> Site:
    """A copy of the finished lab."""
    shutil.copy(first_run[0].state_file, site.state_file)
    return site


def inside(state: Yaml, *vms: str) -> Yaml:
    """The Windows in a VM, in which there may be another one."""
    for name in vms:
        [vm] = [vm for vm in state["vms"] if vm["name"] == name]
        state = vm["guest"]["windows"]
    return state


# --- there and back


def test_from_bare_to_proof(first_run: tuple[Site, PlayResult]) -> None:
    made, result = first_run
    assert proven(result) == whole_lab.PROVEN
    proof = proofs(result)
    assert proof["l1-a"]["running_vms"] == ["l2-a"]
    assert proof["l1-a"]["hypervisor"] is True
    assert proof["l2-a"]["gateway"] == {"addresses": ["192.168.200.1"], "reached": True}
    assert proof["l2-a"]["outside"]["reached"]
    assert proof["l2-a"]["missing"] == []
    assert result.of(f"{ROLE}Tell it").result["msg"][2].startswith("l2-a: proven; gateway 192.168.200.1 answers; DNS knows www.example.com")
    state = made.state
    assert state["vms"][0]["processor"] == {"count": 4, "expose_virtualization_extensions": True}
    assert inside(state, "l1-a")["nats"][0]["prefix"] == "192.168.200.0/24"
    l2 = inside(state, "l1-a")["vms"][0]
    assert (l2["memory"]["startup"], l2["state"]) == (2 * 1024**3, "Running")
    assert not l2.get("processor", {}).get("expose_virtualization_extensions")


def test_no_password_is_shown(first_run: tuple[Site, PlayResult]) -> None:
    output = first_run[1].output
    assert "PSDIRECT" in output, "it was played with -vvv"
    assert [word for word in (L1_PASSWORD, L2_PASSWORD) if word in output] == []


def test_again_it_changes_nothing(built: Site) -> None:
    before = whole_lab.configuration(built.state_file)
    again = built.play("lab").succeeded()
    assert changed(again) == []
    assert proven(again) == whole_lab.PROVEN
    assert whole_lab.configuration(built.state_file) == before
    assert changed(built.play("lab", "--check").succeeded()) == []


def test_back_to_bare(built: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    foretold = built.play("lab_absent", "--check").succeeded()
    assert changed(foretold) == ["l1-a: Remove the VMs", "hv01: Remove the VMs"]
    gone = changed(built.play("lab_absent").succeeded())
    assert gone == [
        "l1-a: Remove the VMs",
        "l1-a: Remove the NAT network",
        "hv01: Remove the VMs",
        "hv01: Remove the NAT network",
        "hv01: Remove Hyper-V",
    ]
    bare = Site(tmp_path_factory.mktemp("bare"))
    bare.play("status")
    assert whole_lab.configuration(built.state_file) == {**whole_lab.configuration(bare.state_file), "hyperv_module": False}
    assert changed(built.play("lab_absent").succeeded()) == []


# --- check mode


@pytest.mark.newest
def test_check_mode_says_what_would_be_made_on_each_level(site: Site) -> None:
    foretold = site.play("lab", "--check", "--diff").succeeded()
    assert changed(foretold) == ["hv01: Install Hyper-V"]
    assert site.state["hyperv"] == "absent"
    spoken = [one for one in foretold.tasks if one.task.endswith("Say what cannot be asked yet") and one.status == "ok"]
    said = {one.host: one.result["msg"] for one in spoken}
    assert said["hv01"][0].startswith("hv01 has no Hyper-V yet")
    assert said["hv01"][1:] == [
        "- Hyper-V",
        "- NAT network VmNAT, 192.168.100.0/24",
        "- VM l1-a, 8GB, 4 processors, running, virtualization extensions exposed",
    ]
    assert said["l1-a"][0] == "VM 'l1-a' does not exist on hv01, so nobody can be asked what differs there. To be made there:"
    assert said["l1-a"][1:] == [
        "- Hyper-V",
        "- NAT network VmNAT, 192.168.200.0/24",
        "- VM l2-a, 2GB, 1 processors, running",
        f"- address 192.168.100.2/24, gateway 192.168.100.1, DNS {whole_lab.DNS}",
    ]
    assert said["l2-a"][0].startswith("VM 'l2-a' does not exist on l1-a")


# --- other labs


def standing(site: Site, **changes: t.Any) -> Yaml:
    """An inventory in which the guests stand themselves, with other variables of the L1 guest."""
    inventory = whole_lab.inventory(site.host, guests=None, vms=["l1-a"])

    def direct(host: str, base: Yaml, **variables: t.Any) -> Yaml:
        return {
            "ansible_connection": "hyperlab.nested.psdirect",
            "ansible_psdirect_host": host,
            "ansible_psdirect_vm": base["vm"],
            "ansible_user": base["user"],
            "ansible_password": base["password"],
            "nested_lab_host_ip": base["ip"],
            "nested_lab_host_proof": whole_lab.VARIABLES["nested_lab_host_proof"],
            **variables,
        }

    own = {name: L1[name] for name in ("create", "memory", "processors", "nat_prefix")}
    own = {f"nested_lab_host_{name}": value for name, value in {**own, "vms": ["l2-a"], "network": "nat", **changes}.items()}
    guests = {"nested_lab_l1": {"inner": direct("hv01", L1, **own)}, "nested_lab_l2": {"web": direct("inner", L2)}}
    return inventory | {group: {"hosts": hosts} for group, hosts in guests.items()}


@pytest.mark.newest
def test_guests_that_stand_in_the_inventory(built: Site) -> None:
    played = built.play("lab", inventory=standing(built)).succeeded()
    assert changed(played) == []
    assert proven(played) == {"hv01": True, "inner": True, "web": True}


BRIDGED: Yaml = {
    "network": "bridge",
    "bridge": {"switch": "LAN", "adapter": "Ethernet", "allow_disconnect": True},
    "guests": [
        guest(
            L1,
            ip={"address": "192.0.2.31/24", "gateway": "192.0.2.1", "dns": [whole_lab.DNS]},
            network="bridge",
            bridge={"switch": "Inner", "adapter": "Ethernet"},
            guests=[guest(L2, ip={"address": "192.0.2.32/24", "gateway": "192.0.2.1", "dns": [whole_lab.DNS]})],
        )
    ],
}


@pytest.mark.newest
def test_bridged_all_the_way(site: Site) -> None:
    first = site.play("lab", **BRIDGED).succeeded()
    assert proven(first) == whole_lab.PROVEN
    state = site.state
    assert state["vms"][0]["adapters"][0]["mac_address_spoofing"]
    assert [switch["name"] for switch in inside(state, "l1-a")["switches"]] == ["Inner"]
    assert not inside(state, "l1-a").get("nats")
    state["vms"][0]["adapters"][0]["mac_address_spoofing"] = False
    site.state_file.write_text(json.dumps(state), encoding="utf-8")
    assert changed(site.play("lab", **BRIDGED).succeeded()) == ["hv01: Let the frames of the VMs inside pass"]
    site.play("lab_absent", **BRIDGED).succeeded()
    assert (site.state.get("switches", []), site.state["hyperv"]) == ([], "absent")


@pytest.mark.newest
def test_a_bridge_over_a_nat_is_refused_before_anything(site: Site) -> None:
    stopped = site.play("lab", guests=[guest(L1, network="bridge")])
    assert stopped.code == 2
    said = stopped.of(REFUSED, "hv01").result["msg"]
    assert said.startswith("guest 'l1-a': its VMs shall be on the network of hv01 (network=bridge), which lets no frames of theirs pass")
    assert "Way out" in said
    assert not site.state_file.exists()


@pytest.mark.newest
def test_a_bridge_over_a_nat_is_refused_by_a_guest_of_the_inventory(built: Site) -> None:
    stopped = built.play("lab", inventory=standing(built, network="bridge"))
    assert stopped.code == 2
    said = stopped.of(REFUSED, "inner").result["msg"]
    assert "lets no frames of theirs pass (nested_lab_host_network=nat)" in said
    assert "Way out" in said


@pytest.mark.newest
def test_what_is_not_reached_is_told_and_stops(built: Site) -> None:
    built.change(outside=False)
    stopped = built.play("lab")
    assert stopped.code == 2
    assert proven(stopped) == {"hv01": False, "l1-a": False, "l2-a": False}
    assert "DNS does not know www.example.com" in stopped.of("Stop where something is missing", "l2-a").result["msg"]


@pytest.mark.newest
def test_no_restart_without_leave(site: Site) -> None:
    stopped = site.play("lab", reboot=None)
    assert stopped.code == 2
    assert "hv01 needs a restart" in stopped.of(f"{ROLE}Stop until Windows was restarted").result["msg"]
    assert (site.state["hyperv"], site.state.get("booted", 0.0)) == ("install_pending", 0.0)


@pytest.mark.newest
def test_a_name_is_one_host(built: Site) -> None:
    stopped = built.play("lab", guests=[guest(L1, name="hv01")])
    assert stopped.code == 2
    assert "guest 'l1-a': the inventory host 'hv01' is the Hyper-V host of the lab already" in stopped.of(REFUSED, "hv01").result["msg"]


@pytest.mark.newest
@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_what_is_wrong_on_any_level_is_refused_before_anything_and_at_once(site: Site, mode: str) -> None:
    inner = guest(L2, password={L2_PASSWORD: None}, ip={**L2["ip"], "address": "192.168.201.2/24", "gateway": "192.168.201.1"})
    stopped = site.play("lab", mode, "-vvv", guests=[guest(L1, password=None, memroy="2GB", guests=[inner])], memory="8 gigs")
    assert stopped.code == 2
    said = [one.partition(". Way out: ") for one in stopped.of(REFUSED, "hv01").result["msg"].split(" | ")]
    assert [what for what, _between, way_out in said if way_out] == [
        "hv01: nested_lab_host_memory: '8 gigs' is not a size",
        "guest 'l1-a': there is no memroy",
        "guest 'l1-a': it has no password",
        "guest 'l2-a' of 'l1-a': its password is no string",
        "guest 'l2-a' of 'l1-a': its address 192.168.201.2/24 does not lie in 192.168.200.0/24, the NAT network of guest 'l1-a'",
    ]
    assert {one.host for one in stopped.tasks} == {"hv01"}
    assert L2_PASSWORD not in stopped.output
    assert not site.state_file.exists()


@pytest.mark.newest
def test_without_saying_it_no_two_levels_have_one_prefix(site: Site) -> None:
    foretold = site.play("lab", "--check", guests=[guest(L1, nat_prefix=None)]).succeeded()
    said = {
        one.host: one.result["msg"] for one in foretold.tasks if one.task.endswith("Say what cannot be asked yet") and one.status == "ok"
    }
    assert "- NAT network VmNAT, 192.168.100.0/24" in said["hv01"]
    assert "- NAT network VmNAT, 192.168.200.0/24" in said["l1-a"]


@pytest.mark.newest
def test_a_lab_is_not_taken_away_by_half_because_of_a_guest_without_password(built: Site) -> None:
    before = whole_lab.configuration(built.state_file)
    wrong = guest(L1, network="bridge", guests=[guest(L2, user=None)])
    stopped = built.play("lab_absent", guests=[wrong])
    assert stopped.of(REFUSED, "hv01").result["msg"] == "guest 'l2-a' of 'l1-a': it has no user. Way out: give user a value"
    assert whole_lab.configuration(built.state_file) == before


@pytest.mark.newest
def test_two_hosts_of_a_lab_do_not_have_one_guest(site: Site) -> None:
    inventory = whole_lab.inventory(site.host)
    hosts = inventory["hyperv_hosts"]["hosts"]
    hosts["hv02"] = {**hosts["hv01"], "ansible_simulator_state": str(site.folder / "hv02.json")}
    stopped = site.play("lab", "--check", inventory=inventory)
    for host, other in (("hv01", "hv02"), ("hv02", "hv01")):
        assert f"guest 'l1-a': the inventory host 'l1-a' is a guest of {other} already" in stopped.of(REFUSED, host).result["msg"]


@pytest.mark.newest
def test_hiding_stops_the_vms_inside_first(built: Site) -> None:
    assert changed(built.play("hide").succeeded())[:2] == ["l1-a: Shut them down", "hv01: Hide the virtualization extensions"]
    state = built.state
    assert state["vms"][0]["state"] == "Running"
    assert inside(state, "l1-a")["vms"][0].get("state", "Off") == "Off"


@pytest.mark.newest
def test_what_is_inside_a_vm_that_is_off_goes_with_it(built: Site) -> None:
    off = [{"hosts": "all", "gather_facts": False, "tasks": [{"hyperlab.nested.hyperv_vm": {"vms": "l1-a", "state": "off"}}]}]
    Play(built.folder.parent)(off, whole_lab.inventory(built.host)).succeeded()
    gone = built.play("lab_absent").succeeded()
    assert (
        "VM 'l1-a' is off on hv01, so nothing inside was looked at. What it has goes with its disks"
        in gone.of(f"{ROLE}Say what was not looked at", "l1-a").result["msg"]
    )
    assert changed(gone)[0] == "hv01: Remove the VMs"


# --- interrupted


def kept_states(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a copy of the state is kept behind each remote process: what a play that is killed then leaves."""
    whole = simulator.Connection.exec_command

    def exec_command(self: t.Any, *args: t.Any, **named: t.Any) -> tuple[int, bytes, bytes]:
        try:
            return whole(self, *args, **named)
        finally:
            shutil.copy(self._state_file(), folder / f"{len([*folder.iterdir()]):03}.json")

    monkeypatch.setattr(simulator.Connection, "exec_command", exec_command)


@pytest.mark.long
@pytest.mark.newest
@pytest.mark.parametrize("playbook", ["lab", "lab_absent"])
def test_killed_after_any_remote_process_it_comes_to_the_same_end(
    playbook: str,
    site: Site,
    first_run: tuple[Site, PlayResult],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """The states that a kill can leave are played on to the end, side by side in one play; without the proof, which only reads.

    Every third of them; with --wire all.
    """
    plays = [play for play in whole_lab.plays(playbook) if "proof" not in play["name"]]
    kept = tmp_path_factory.mktemp("states")
    if playbook == "lab_absent":
        shutil.copy(first_run[0].state_file, site.state_file)
    with monkeypatch.context() as patched:
        kept_states(kept, patched)
        site.play(plays, "--forks=1").succeeded()
    left: dict[str, pathlib.Path] = {}
    for path in sorted(kept.iterdir()):
        left.setdefault(json.dumps(whole_lab.configuration(path), sort_keys=True), path)
    _beginning, *between, _end = left.values()  # from these two other tests play
    assert len(between) > 5
    between = between if request.config.getoption("--wire") else between[::3]
    site.play(plays, inventory={"hyperv_hosts": {"hosts": {path.stem: killed(site, path) for path in between}}}).succeeded()
    wanted = whole_lab.configuration(site.state_file)
    assert playbook == "lab_absent" or wanted == whole_lab.configuration(first_run[0].state_file)
    assert [path.name for path in between if whole_lab.configuration(path) != wanted] == []


def killed(site: Site, state: pathlib.Path) -> Yaml:
    """The inventory's variables of a host in this state; its guests have names of their own."""
    number = state.stem
    guests = [guest(L1, name=f"l1-{number}", guests=[guest(L2, name=f"l2-{number}")])]
    host = whole_lab.inventory({**site.host, "ansible_simulator_state": str(state)}, guests=guests)
    return t.cast("Yaml", host["hyperv_hosts"]["hosts"]["hv01"])
