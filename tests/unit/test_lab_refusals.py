"""What the lab's playbooks refuse, or leave alone, before it is too late: the whole of it over a pretended host."""

from __future__ import annotations

import copy
import json
import shutil
import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests import whole_lab
from ansible_collections.hyperlab.nested.tests.unit.test_lab import ROLE, Site, inside, standing
from ansible_collections.hyperlab.nested.tests.whole_lab import L1, L2, changed, guest, proofs, proven

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import PlayResult
    from ansible_collections.hyperlab.nested.tests.whole_lab import Yaml

pytestmark = [pytest.mark.newest, pytest.mark.psdirect]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The state of a finished lab, for copies."""
    whole_lab.warm_up()
    made = Site(tmp_path_factory.mktemp("finished"))
    made.play([play for play in whole_lab.plays("lab") if "proof" not in play["name"]]).succeeded()
    return made.state_file


@pytest.fixture
def built(finished: pathlib.Path, tmp_path: pathlib.Path) -> Site:
    site = Site(tmp_path)
    shutil.copy(finished, site.state_file)
    return site


def untouched(site: Site, *played: PlayResult) -> bool:
    """Nothing was changed by these plays, which did not end well."""
    return all(one.code and not changed(one) for one in played) and bool(inside(site.state, "l1-a", "l2-a"))


def two_hosts(site: Site, state: pathlib.Path | None = None, **variables: t.Any) -> Yaml:
    """The inventory of hv01 and of another host hv02 with guests l1-b and l2-b; its variables."""
    guests = [guest(L1, name="l1-b", guests=[guest(L2, name="l2-b")])]
    own = {**site.host, "ansible_simulator_state": str(state or site.folder / "hv02.json")}
    other = whole_lab.inventory(own, **{"guests": guests, **variables})["hyperv_hosts"]["hosts"]["hv01"]
    inventory = whole_lab.inventory(site.host)
    inventory["hyperv_hosts"]["hosts"]["hv02"] = other
    return inventory


def with_foreign_vm(state: Yaml, name: str = "payroll", *, connected: bool) -> None:
    """Somebody else's VM, like the first one, on the Windows whose state this is."""
    vm = copy.deepcopy(state["vms"][0])
    vm |= {"name": name, "id": f"00000000-0000-4000-8000-{len(name):012}", "drives": [], "state": "Off", "guest": {}}
    vm["adapters"][0] |= {"id": f"{vm['id']}\\1", "mac": "00155D0000AA", **({} if connected else {"switch": ""})}
    state["vms"].append(vm)


def keep(site: Site, state: Yaml) -> None:
    site.state_file.write_text(json.dumps(state), encoding="utf-8")


# --- levels that are left out


def test_l1_stays_with_its_vms_where_nobody_was_inside(built: Site) -> None:
    limited = built.play("lab_absent", "--limit", "hv01")
    late = built.play(whole_lab.plays("lab_absent")[-1:])  # as with --start-at-task
    hidden = built.play("hide", "--limit", "hv01")
    assert untouched(built, limited, late, hidden)
    for played in (limited, late, hidden):
        assert "VM 'l1-a' runs on hv01 and may have VMs inside" in played.output
    assert "--limit 'hv01:nested_lab_l1'" in limited.output
    assert changed(built.play("lab_absent", "--check", "--limit", "hv01:nested_lab_l1").succeeded())


def test_l1_stays_when_it_was_unreachable(built: Site) -> None:
    wrong = [guest(L1, password="canary-wrong")]
    assert untouched(built, built.play("lab_absent", guests=wrong), built.play("hide", guests=wrong))


def test_an_error_on_one_host_takes_nothing_from_another(built: Site) -> None:
    inventory = two_hosts(built, guests=[guest(L1, name="hv01", guests=[guest(L2, name="l2-b")])])
    assert untouched(built, built.play("lab_absent", inventory=inventory))


def test_guests_of_hosts_that_were_not_chosen_are_left_out(built: Site, tmp_path: pathlib.Path) -> None:
    inventory = standing(built)
    bare = {**built.host, "ansible_simulator_state": str(tmp_path / "bare.json")}
    inventory["hyperv_hosts"]["hosts"]["hv02"] = whole_lab.inventory(bare, guests=None, vms=[])["hyperv_hosts"]["hosts"]["hv01"]
    for playbook in ("lab", "lab_absent", "hide"):
        played = built.play(playbook, "--check", "-e", "nested_lab_hosts=hv02", inventory=inventory)
        assert {one.host for one in played.tasks if one.status != "skipped"} == {"hv02"}, playbook


# --- variables of one level that reach another


def test_extra_variables_of_one_level_are_refused(built: Site) -> None:
    extra = json.dumps({"nested_lab_host_memory": "8GB", "nested_lab_host_reboot": True, "nested_lab_host_guests": [L1]})
    refused = [built.play(playbook, "-e", extra) for playbook in ("lab", "lab_absent", "hide")]
    assert untouched(built, *refused)
    for played in refused:
        said = played.of(f"{ROLE}Refuse them", "hv01").result["msg"]
        assert said.startswith("nested_lab_host_guests, nested_lab_host_memory came as extra variables")
    ours = json.dumps({"nested_lab_host_when_running": "shutdown", "nested_lab_host_answer_timeout": 900})
    assert changed(built.play("lab", "--check", "-e", ours).succeeded()) == []


def test_the_role_alone_takes_extra_variables(built: Site) -> None:
    built.play("site", "--check", "-e", json.dumps({"nested_lab_host_memory": "8GB", "nested_lab_host_processors": 4})).succeeded()


def test_what_holds_for_all_hosts_is_not_what_a_guest_lacks(built: Site) -> None:
    ours = {
        "memory": "16GB",
        "processors": 8,
        "ip": {"address": "192.0.2.77/24"},
        "vms": ["l1-a"],
        "nat_switch": "Leak",
        "power_state": "off",
    }
    guests = [guest(L1, guests=[guest(L2, ip=None)])]
    inventory = whole_lab.inventory(built.host, nat_switch="VmNAT", power_state="running", ip={}, vms=["l1-a"], guests=guests)
    inventory["all"] = {"vars": {f"nested_lab_host_{name}": value for name, value in ours.items()}}
    assert changed(built.play("lab", "--check", inventory=inventory).succeeded()) == []


# --- VMs of somebody else


def test_a_foreign_vm_inside_l1_is_not_lost_with_its_disk(built: Site) -> None:
    state = built.state
    with_foreign_vm(inside(state, "l1-a"), connected=False)
    keep(built, state)
    foretold, real = built.play("lab_absent", "--check"), built.play("lab_absent")
    assert untouched(built, foretold, real)
    for played in (foretold, real):
        said = played.of(f"{ROLE}Stop where other VMs would be lost with the disks of the VM around them", "l1-a").result["msg"]
        assert said.startswith("l1-a (VM 'l1-a' on hv01) has VMs that are not of the lab: payroll. They would be lost with its disks.")
    gone = built.play("lab_absent", remove_disks=False, remove_hyperv=False).succeeded()
    assert "hv01: Remove the VMs" in changed(gone)


def test_a_foreign_vm_on_the_switch_is_seen_before_l1_is_touched(built: Site) -> None:
    state = built.state
    with_foreign_vm(state, connected=True)
    keep(built, state)
    foretold, real = built.play("lab_absent", "--check"), built.play("lab_absent")
    assert untouched(built, foretold, real)
    for played in (foretold, real):
        said = played.of(f"{ROLE}Stop where other VMs are on the switch of the lab", "hv01").result["msg"]
        assert "switch 'VmNAT' cannot go, because VMs that are not of the lab are connected to it: payroll" in said


def test_a_foreign_vm_that_runs_is_seen_before_hyperv_goes(built: Site) -> None:
    state = built.state
    with_foreign_vm(state, connected=False)
    state["vms"][-1]["state"] = "Running"
    keep(built, state)
    stopped = built.play("lab_absent")
    assert untouched(built, stopped)
    assert "run on it: payroll" in stopped.of(f"{ROLE}Stop where other VMs run and Hyper-V would go", "hv01").result["msg"]


def test_vms_that_nobody_can_ask_about_are_not_passed_over(built: Site) -> None:
    built.change(hyperv_module=False)
    stopped = built.play("lab_absent")
    assert untouched(built, stopped)
    refused = stopped.of(f"{ROLE}Stop where Hyper-V is there and cannot be asked for its VMs", "hv01").result
    assert refused["error_code"] == "vms_unknown"
    assert "state=present" in refused["fix"]


def test_vms_that_may_not_be_stopped_are_seen_before_those_inside_are_gone(built: Site) -> None:
    inner = [guest(L1, when_running="shutdown")]
    stopped = [built.play(playbook, when_running=None, guests=inner) for playbook in ("lab_absent", "hide")]
    assert untouched(built, *stopped)
    assert stopped[0].of(f"{ROLE}Stop where its own VMs cannot go", "hv01").result["error_code"] == "vm_must_be_off"
    assert stopped[1].of(f"{ROLE}Stop where the extensions cannot be hidden", "hv01").result["error_code"] == "vm_must_be_off"
    assert inside(built.state, "l1-a")["vms"][0]["state"] == "Running"


def test_hiding_asks_before_it_stops_vms_inside(built: Site) -> None:
    stopped = built.play("hide", guests=[guest(L1, when_running="fail")])
    assert untouched(built, stopped)
    assert stopped.of(f"{ROLE}Shut them down", "l1-a").result["error_code"] == "vm_must_be_off"


# --- what is said


def test_check_mode_says_what_goes_besides_the_vms(built: Site) -> None:
    foretold = built.play("lab_absent", "--check").succeeded()
    assert foretold.of(f"{ROLE}Say what would go besides the VMs", "hv01").result["msg"] == [
        "When its VMs are gone, what is there of this goes from hv01 as well:",
        "- NAT network VmNAT",
        "- the disks of the VMs, with all that is on them",
        "- Hyper-V, with a restart",
    ]
    inner = foretold.of(f"{ROLE}Say what would go besides the VMs", "l1-a").result["msg"]
    assert inner[1:] == ["- NAT network VmNAT", "- the disks of the VMs, with all that is on them"]


def test_of_a_vm_that_sleeps_or_is_gone_no_more_is_said_than_that(built: Site) -> None:
    state = built.state
    state["vms"][0]["state"] = "Saved"
    keep(built, state)
    foretold = built.play("lab", "--check").succeeded()
    said = foretold.of(f"{ROLE}Say what cannot be asked yet", "l1-a").result["msg"]
    assert said[0] == "VM 'l1-a' is saved on hv01, so nobody can be asked what differs there. Wanted there:"
    assert "nobody knows how VM 'l2-a' stands" in foretold.of(f"{ROLE}Say what cannot be asked yet", "l2-a").result["msg"][0]
    keep(built, {**state, "vms": []})
    gone = built.play("lab_absent", remove_hyperv=False).succeeded()
    assert gone.of(f"{ROLE}Say what was not looked at", "l1-a").result["msg"] == (
        "VM 'l1-a' does not exist on hv01, so nothing inside was looked at."
    )


def test_a_vm_that_is_left_off_is_not_waited_for(built: Site) -> None:
    left = built.play("lab", guests=[guest(L1, power_state="off")]).succeeded()
    assert changed(left) == ["l1-a: Bring the VMs to their power state, on the network that was made for them"]
    assert left.of(f"{ROLE}Say what is left as it is", "l2-a").result["msg"] == "VM 'l2-a' is off on l1-a, so nothing was done inside."
    assert proven(left) == {"hv01": True, "l1-a": True, "l2-a": None}
    assert proofs(left)["l2-a"]["missing"] == ["l2-a: VM 'l2-a' is off on l1-a"]


# --- the proof of what failed


def test_the_proof_has_what_failed_and_what_was_never_made(built: Site) -> None:
    nowhere = {"disks": [{"path": r"C:\VMs\{vm}.vhdx", "parent": r"C:\Images\gone.vhdx"}]}
    played = built.play("lab", inventory=two_hosts(built, create=nowhere))
    assert played.code == 2
    assert proven(played) == {**whole_lab.PROVEN, "hv02": False, "l1-b": False, "l2-b": False}
    proof = proofs(played)
    assert set(proof["l2-b"]) == set(proof["l1-a"])
    assert "was not made or not reached" in proof["l1-b"]["missing"][0]
    assert any(line.startswith("l2-b: not proven; it was not made") for line in played.of(f"{ROLE}Tell it").result["msg"])


def test_the_proof_names_guests_as_the_inventory_does(built: Site) -> None:
    built.change(outside=False)
    missing = proofs(built.play("lab"))["l2-a"]["missing"]
    assert missing[0].startswith("l2-a (VM 'l2-a' on l1-a): ")


# --- Windows and processors


def test_only_vms_that_nest_need_a_host_that_can(tmp_path: pathlib.Path) -> None:
    site = Site(tmp_path)
    old = {"based_on": "server2019-amd", "vms": [{"name": "l2-a"}]}
    (tmp_path / "profile.yml").write_text(json.dumps(old), encoding="utf-8")
    wishes: Yaml = {"guests": None, "vms": ["l2-a"], "network": "none", "memory": None, "processors": None, "create": None}
    assert site.play("site", **wishes).code == 2
    assert changed(site.play("site", expose=False, **wishes).succeeded()) == [
        "hv01: Bring the VMs to their power state, on the network that was made for them"
    ]


def test_a_vm_that_did_not_start_again_is_told(tmp_path: pathlib.Path) -> None:
    site = Site(tmp_path)
    broken = {
        "based_on": "server2022-intel",
        "vms": [{"name": "l1-a", "state": "Running", "memory": {"dynamic": True}, "guest": {"boot_seconds": 0}}],
        "faults": [{"cmdlet": "Set-VMMemory"}, {"cmdlet": "Start-VM"}],
    }
    (tmp_path / "profile.yml").write_text(json.dumps(broken), encoding="utf-8")
    said = site.play("site", guests=None, vms=["l1-a"], network="none").of(f"{ROLE}Say what failed").result["msg"]
    assert "Set-VMMemory" in said.partition(" | ")[0]
    assert "What had been stopped for it was not started again" in said
    assert "Start-VM" in said.partition(" | ")[2]
