"""The whole lab for tests: a bare Windows, and variables that make a Hyper-V host in a VM on it, and in that a guest with a network."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import yaml

from ansible_collections.hyperlab.nested.plugins.action import hyperv as _action  # noqa: F401 - for the forks, see below
from ansible_collections.hyperlab.nested.plugins.connection import psdirect as _psdirect  # noqa: F401
from ansible_collections.hyperlab.nested.plugins.connection import simulator as _simulator  # noqa: F401
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.tests.plays import PlayResult

Yaml = dict[str, t.Any]
USER = "Administrator"
L1_PASSWORD, L2_PASSWORD = "canary-5d07-l1", "canary-61be-l2"
BARE: Yaml = {"based_on": "server2022-intel", "hyperv": "absent"}
# What lies on the disks that VMs are based on: Windows without Hyper-V; that of L1 has one for L2 on its own disk.
L2_DISK: Yaml = {"path": r"C:\Images\l2.vhdx", "guest": {"users": {USER: L2_PASSWORD}, "windows": {**BARE, "name": "L2"}}}
L1_DISK: Yaml = {
    "path": r"C:\Images\l1.vhdx",
    "guest": {"users": {USER: L1_PASSWORD}, "windows": {**BARE, "name": "L1", "disks": [L2_DISK]}},
}
PROFILE: Yaml = {**BARE, "disks": [L1_DISK]}
DNS = "192.0.2.53"
L2: Yaml = {
    "vm": "l2-a",
    "user": USER,
    "password": L2_PASSWORD,
    "ip": {"address": "192.168.200.2/24", "gateway": "192.168.200.1", "dns": [DNS]},
}
L1: Yaml = {
    "vm": "l1-a",
    "user": USER,
    "password": L1_PASSWORD,
    "ip": {"address": "192.168.100.2/24", "gateway": "192.168.100.1", "dns": [DNS]},
    "nat_prefix": "192.168.200.0/24",
    "memory": "2GB",
    "processors": 1,
    "create": {"disks": [{"path": r"C:\VMs\{vm}.vhdx", "parent": r"C:\Images\l2.vhdx"}]},
    "guests": [L2],
}
VARIABLES: Yaml = {
    "nested_lab_host_network": "nat",
    "nested_lab_host_reboot": True,
    "nested_lab_host_when_running": "shutdown",
    "nested_lab_host_memory": "8GB",
    "nested_lab_host_processors": 4,
    "nested_lab_host_create": {"disks": [{"path": r"C:\VMs\{vm}.vhdx", "parent": r"C:\Images\l1.vhdx"}]},
    "nested_lab_host_guests": [L1],
    "nested_lab_host_proof": {"dns": "www.example.com", "outside": "www.example.com", "port": 443},
    "nested_lab_host_remove_disks": True,
    "nested_lab_host_remove_hyperv": True,
}
MODULES: dict[str, Yaml] = {
    "hyperv_nested_info": {},
    "hyperv_feature": {},
    "hyperv_nat_switch": {},
    "hyperv_switch": {"name": "LAN"},
    "hyperv_vm": {"vms": []},
    "hyperv_vm_memory": {"vms": []},
    "hyperv_nested": {"vms": []},
    "hyperv_mac_spoof": {"vms": []},
    "hyperv_guest_network": {},
}
PROVEN = {"hv01": True, "l1-a": True, "l2-a": True}


def warm_up() -> None:
    """Import here what each task would import in a process of its own: a play forks this one for each task, and is three times as quick."""
    for module, options in MODULES.items():
        Lab({"based_on": "server2022-intel"}).task(module, options, check_mode=True)


def lab(playbook: str) -> list[Yaml]:
    """A playbook of the collection."""
    return [{"ansible.builtin.import_playbook": f"hyperlab.nested.{playbook}"}]


def plays(playbook: str) -> list[Yaml]:
    """What a playbook of the collection says, to play only some of it."""
    path = pathlib.Path(__file__).parents[1] / "playbooks" / f"{playbook}.yml"
    return t.cast("list[Yaml]", yaml.safe_load(path.read_text(encoding="utf-8")))


def inventory(host: Yaml, **variables: t.Any) -> Yaml:
    """The outermost host alone, reached as `host` says; a variable of None is left out."""
    given = {**host, **VARIABLES, **{f"nested_lab_host_{name}": value for name, value in variables.items()}}
    return {"hyperv_hosts": {"hosts": {"hv01": {name: value for name, value in given.items() if value is not None}}}}


def guest(base: Yaml, **changes: t.Any) -> Yaml:
    """A guest of the variables with something else in it; None takes a key away."""
    return {name: value for name, value in {**copy.deepcopy(base), **changes}.items() if value is not None}


def proofs(result: PlayResult) -> Yaml:
    """What AWX shows."""
    found = [one.result["ansible_stats"]["data"]["nested_lab_proof"] for one in result.tasks if "ansible_stats" in one.result]
    assert len(found) <= 1
    return t.cast("Yaml", found[0]) if found else {}


def proven(result: PlayResult) -> dict[str, bool]:
    return {name: proof["proven"] for name, proof in proofs(result).items()}


def changed(result: PlayResult) -> list[str]:
    return [f"{one.host}: {one.task.rpartition(' : ')[2]}" for one in result.tasks if one.status == "changed"]


def configuration(state: pathlib.Path | Yaml) -> t.Any:
    """A state without what says only when and in how many steps it came to be: times, counters, ids, and texts made of them."""
    value = state if isinstance(state, dict) else json.loads(state.read_text(encoding="utf-8"))
    return _settled(value)


_PASSING = {"clock", "processes", "made", "booted", "answers_at", "started", "was_running", "preferred_from", "faults", "events"}


def _settled(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: item is not None if name == "restart_at" else _settled(item) for name, item in value.items() if name not in _PASSING}
    return [_settled(item) for item in value] if isinstance(value, list) else value
