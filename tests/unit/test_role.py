"""The role nested_lab_host and the playbooks, played for real on pretended hosts."""

from __future__ import annotations

import json
import typing as t

import pytest

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult

    Site = t.Callable[..., PlayResult]

# These guests answer as soon as they are started, so that a play can follow a play.
QUICK = {"boot_seconds": 0}
ROLE = "hyperlab.nested.nested_lab_host : "
LAB: dict[str, t.Any] = {
    "based_on": "server2022-intel",
    "switches": [{"name": "Lab", "type": "External", "adapter": "Ethernet 2"}],
    "vms": [
        {
            "name": "l1-a",
            "state": "Running",
            "memory": {"dynamic": True, "startup": "4GB"},
            "adapters": [{"switch": "Lab"}],
            "guest": QUICK,
        },
        {"name": "l1-b", "version": "8.0", "adapters": [{"switch": "Lab"}], "guest": QUICK},
        {"name": "other", "state": "Running", "adapters": [{"switch": "Lab"}]},
    ],
}
NEW_VM = {"switch": "Lab", "disks": [{"path": "C:\\VMs\\{vm}.vhdx", "size": "40GB"}]}


@pytest.fixture
def site(play: Play, tmp_path: pathlib.Path) -> Site:
    """site(playbook, profile, *arguments, **variables): plays on one pretended host, which is kept from call to call."""

    def run(playbook: str, profile: dict[str, t.Any], *arguments: str, **variables: t.Any) -> PlayResult:
        (tmp_path / "profile.yml").write_text(json.dumps(profile), encoding="utf-8")
        host = {
            "ansible_connection": "hyperlab.nested.simulator",
            "ansible_simulator_profile": str(tmp_path / "profile.yml"),
            "ansible_simulator_state": str(tmp_path / "state.json"),
            **{f"nested_lab_host_{name}": value for name, value in variables.items()},
        }
        inventory = {"hyperv_hosts": {"hosts": {"hv01": host}}}
        return play([{"ansible.builtin.import_playbook": f"hyperlab.nested.{playbook}"}], inventory, *arguments)

    return run


def host_of(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((tmp_path / "state.json").read_text(encoding="utf-8")))


def vms_of(tmp_path: pathlib.Path) -> dict[str, dict[str, t.Any]]:
    return {vm["name"]: vm for vm in host_of(tmp_path)["vms"]}


def changed(result: PlayResult) -> list[str]:
    return [one.task.removeprefix(ROLE) for one in result.tasks if one.status == "changed"]


def test_a_lab_is_made_and_made_again(site: Site, tmp_path: pathlib.Path) -> None:
    wishes = {"vms": ["l1-a", "l1-b", "l1-c"], "create": NEW_VM, "processors": 2, "when_running": "shutdown", "upgrade_version": True}
    first = site("site", LAB, **wishes).succeeded()
    vms = vms_of(tmp_path)
    for name in ("l1-a", "l1-b", "l1-c"):
        assert vms[name]["state"] == "Running"
        assert vms[name]["processor"] == {"count": 2, "expose_virtualization_extensions": True}
        assert not vms[name].get("memory", {}).get("dynamic", False)
        assert vms[name]["adapters"][0]["mac_address_spoofing"]
    assert vms["l1-c"]["memory"]["startup"] == 4 * 1024**3
    assert vms["l1-b"]["version"] == "10.0"
    assert vms["other"] == {**vms["other"], "state": "Running"}
    assert not vms["other"]["adapters"][0].get("mac_address_spoofing")
    stops = [line for line in (tmp_path / "state.json.journal.jsonl").read_text(encoding="utf-8").splitlines() if '"Stop-VM"' in line]
    assert len(stops) == 1, "one power cycle for memory and extensions together"
    assert changed(first)
    assert changed(site("site", LAB, **wishes).succeeded()) == []


def test_check_mode_of_a_bare_host(site: Site, tmp_path: pathlib.Path) -> None:
    bare = {**LAB, "vms": []}
    wishes = {"vms": ["l1-a"], "create": {"disks": NEW_VM["disks"]}, "network": "nat"}
    foretold = site("site", bare, "--check", "--diff", **wishes).succeeded()
    assert changed(foretold) == ["Make the NAT network", "Make the VMs that are missing"]
    assert not host_of(tmp_path).get("vms")
    assert not host_of(tmp_path).get("nats")


def test_blockers_stop_it_all_at_once(site: Site, tmp_path: pathlib.Path) -> None:
    old = {**LAB, "based_on": "server2019-amd", "vms": [{"name": "l1-a", "version": "5.0"}]}
    stopped = site("site", old, vms=["l1-a", "gone"])
    assert stopped.code == 2
    said = stopped.of(f"{ROLE}Stop when nesting is impossible").result["msg"]
    for part in ("AMD", "'gone' does not exist", "configuration version 5.0", "Way out"):
        assert part in said
    assert not vms_of(tmp_path)["l1-a"].get("processor")


def test_nat_network_and_back(site: Site, tmp_path: pathlib.Path) -> None:
    wishes = {"vms": ["l1-a", "l1-b"], "network": "nat", "when_running": "shutdown", "upgrade_version": True}
    site("site", LAB, **wishes).succeeded()
    host, vms = host_of(tmp_path), vms_of(tmp_path)
    [nat] = host["nats"]
    [switch] = [one for one in host["switches"] if one["name"] == "VmNAT"]
    assert (nat["name"], nat["prefix"]) == ("VmNAT", "192.168.100.0/24")
    assert {vms[name]["adapters"][0]["switch"] for name in ("l1-a", "l1-b")} == {switch["id"]}
    assert not vms["l1-a"]["adapters"][0].get("mac_address_spoofing")
    assert changed(site("site", LAB, **wishes).succeeded()) == []
    site("hide", LAB, **wishes).succeeded()
    host, vms = host_of(tmp_path), vms_of(tmp_path)
    assert not host.get("nats")
    assert [one["name"] for one in host["switches"]] == ["Lab"]
    assert not vms["l1-a"].get("processor", {}).get("expose_virtualization_extensions")
    assert changed(site("hide", LAB, **wishes).succeeded()) == []


def test_hide_closes_what_site_opened(site: Site, tmp_path: pathlib.Path) -> None:
    wishes = {"vms": ["l1-a"], "when_running": "shutdown"}
    site("site", LAB, **wishes).succeeded()
    site("hide", LAB, **wishes).succeeded()
    vm = vms_of(tmp_path)["l1-a"]
    assert not vm.get("processor", {}).get("expose_virtualization_extensions")
    assert not vm["adapters"][0].get("mac_address_spoofing")
    assert vm["state"] == "Running"


def test_left_off_when_wanted(site: Site, tmp_path: pathlib.Path) -> None:
    site("site", LAB, vms=["l1-a"], when_running="shutdown", power_state="off", network="none").succeeded()
    vm = vms_of(tmp_path)["l1-a"]
    assert vm.get("state", "Off") == "Off"
    assert vm["processor"]["expose_virtualization_extensions"]


def test_status_is_a_table(site: Site) -> None:
    lines = site("status", LAB).succeeded().of("Show the VMs").result["msg"]
    assert lines[0].split() == ["VM", "power", "version", "CPUs", "memory", "extensions", "spoofing", "switch"]
    assert lines[1].split() == ["l1-a", "running", "10.0", "1", "4GB", "dynamic", "hidden", "off", "Lab"]


def test_wrong_variables_are_refused(site: Site) -> None:
    wrong = site("site", LAB, vms=["l1-a"], network="tunnel")
    assert wrong.code == 2
    assert "tunnel" in wrong.output


def test_what_was_stopped_is_started_when_something_fails(site: Site, tmp_path: pathlib.Path) -> None:
    lab = {**LAB, "faults": [{"cmdlet": "Set-VMMemory", "times": 1}]}
    failed = site("site", lab, vms=["l1-a"], when_running="shutdown")
    assert failed.code == 2
    assert "Set-VMMemory" in failed.of(f"{ROLE}Say what failed").result["msg"]
    assert vms_of(tmp_path)["l1-a"]["state"] == "Running"


def test_names_in_another_case_are_one_vm(site: Site) -> None:
    wishes = {"vms": ["N1", "n1", "L1-A"], "create": NEW_VM, "when_running": "shutdown"}
    site("site", LAB, "--check", **wishes).succeeded()
    site("site", LAB, **wishes).succeeded()
    assert changed(site("site", LAB, **wishes).succeeded()) == []


def test_check_mode_of_taking_the_nat_network_away(site: Site) -> None:
    wishes = {"vms": ["l1-b"], "network": "nat", "upgrade_version": True, "nat_switch": "vmnat"}
    site("site", LAB, **wishes).succeeded()
    foretold = site("hide", LAB, "--check", **(wishes | {"when_running": "shutdown", "nat_switch": "VmNAT"})).succeeded()
    assert "Disconnect the VMs from it" in changed(foretold)
