"""The known limits of nested virtualization, and that their ways out lead out: on several levels at once, which no case can show."""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.tests import whole_lab
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.plays import Play

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import PlayResult

Plain = dict[str, t.Any]
pytestmark = pytest.mark.newest
WINDOWS = {"based_on": "server2022-intel"}
FORWARDS = [{"external_port": 8080, "internal_address": "192.168.200.2", "internal_port": 80}]


def vm(name: str, switch: str, windows: Plain, **more: t.Any) -> Plain:
    """A running VM on a switch, in which Hyper-V may run."""
    nested = {"processor": {"expose_virtualization_extensions": True}, "memory": {"startup": "8GB"}, "adapters": [{"switch": switch}]}
    return {"name": name, "state": "Running", **nested, "guest": {"windows": {**WINDOWS, **windows}}, **more}


def innermost(address: str, gateway: str) -> Plain:
    """A Windows without Hyper-V that has an address."""
    adapter = {"name": "Ethernet", "gateway": gateway, "dns": ["192.0.2.53"]}
    return {"hyperv": "absent", "adapters": [adapter], "addresses": [{"address": address, "on": "Ethernet"}]}


def inside(lab: Lab, name: str) -> Lab:
    """The Windows in a VM of it, on the same clock."""
    inner = copy.copy(lab)
    [windows] = [each.guest.windows for each in lab.host.vms if each.name == name]
    assert windows is not None
    inner.host, inner.sent = windows, []
    return inner


def codes(result: Plain) -> list[str]:
    return [finding["code"] for finding in result["findings"]]


def fix_of(result: Plain, code: str) -> str:
    [fix] = [finding["fix"] for finding in result["findings"] if finding["code"] == code]
    return t.cast("str", fix)


# --- MAC address spoofing on a chain of levels


def bridges(depth: int) -> Plain:
    """A host with VMs in VMs, each of which bridges its own outwards, and nobody has switched spoofing on."""
    windows = innermost("192.0.2.40", "192.0.2.1")
    for level in range(depth, 1, -1):
        bridge = {"name": "Bridge", "type": "External", "adapter": "Ethernet"}
        windows = {"switches": [bridge], "vms": [vm(f"l{level}", "Bridge", windows, memory={"startup": f"{8 - level}GB"})]}
    return {**WINDOWS, "switches": [{"name": "LAN", "type": "External", "adapter": "Ethernet"}], "vms": [vm("l1", "LAN", windows)]}


def bridged(depth: int) -> list[Lab]:
    """That host and what is inside it, level by level."""
    labs = [Lab(bridges(depth))]
    for level in range(1, depth + 1):
        labs.append(inside(labs[-1], f"l{level}"))
    return labs


def proof_of(lab: Lab) -> Plain:
    return lab.task("hyperv_nested_info", {"vms": [], "proof": {"dns": "www.example.com"}})


@pytest.mark.parametrize("depth", [2, 3])
def test_findings_lead_to_each_vm_that_needs_spoofing(depth: int) -> None:
    labs = bridged(depth)
    lost = proof_of(labs[-1])
    assert not lost["proof"]["proven"]
    assert f"see its switch on L{depth - 1}, where it is VM 'l{depth}'" in fix_of(lost, "gateway_unreached")
    for level in range(depth - 1, 0, -1):
        assert not proof_of(labs[-1])["proof"]["proven"], "every level needs it"
        fix = fix_of(proof_of(labs[level]), "bridge_in_vm")
        way = re.match(r"switch spoofing on with hyperv_mac_spoof on (.+), where it is VM '(.+?)'", fix)
        assert way is not None
        outer = labs[level - 1]
        assert way[1] == outer.host.name
        assert "mac_spoofing_off" in codes(outer.task("hyperv_nested_info", {"vms": [way[2]]}))
        assert outer.task("hyperv_mac_spoof", {"vms": way[2]})["changed"]
    assert proof_of(labs[-1])["proof"]["proven"]
    assert "bridge_in_vm" not in codes(proof_of(labs[0])), "the outermost host is no VM"


# --- a nested host that has to be stopped while VMs run inside


def nested_nats() -> Plain:
    """An L1 host with a NAT of its own, and an L2 guest behind it that reaches the network."""
    nat = {
        "switches": [{"name": "VmNAT"}],
        "adapters": [{"name": "Ethernet", "gateway": "192.168.100.1"}],
        "addresses": [{"address": "192.168.100.2", "on": "Ethernet"}, {"address": "192.168.200.1", "on": "vEthernet (VmNAT)"}],
        "nats": [{"name": "VmNAT", "prefix": "192.168.200.0/24", "mappings": [{"id": 0, **FORWARDS[0]}]}],
        "vms": [vm("l2", "VmNAT", innermost("192.168.200.2", "192.168.200.1"), memory={"startup": "2GB"})],
    }
    return {
        **WINDOWS,
        "switches": [{"name": "VmNAT"}],
        "addresses": [{"address": "192.0.2.10", "on": "Ethernet"}, {"address": "192.168.100.1", "on": "vEthernet (VmNAT)"}],
        "nats": [{"name": "VmNAT", "prefix": "192.168.100.0/24"}],
        "vms": [vm("l1", "VmNAT", nat)],
    }


@pytest.fixture(name="host")
def _host() -> Lab:
    return Lab(nested_nats())


def test_memory_of_a_running_nested_host(host: Lab) -> None:
    l1 = inside(host, "l1")
    wanted: Plain = {"vms": "l1", "startup": "12GB"}
    refused = host.task("hyperv_vm_memory", wanted)
    assert refused["error_code"] == "vm_must_be_off"
    assert "resizing its memory while Hyper-V may run inside" in refused["msg"]
    wanted["when_running"] = "shutdown"
    foretold = host.task("hyperv_vm_memory", wanted, check_mode=True)
    assert "VMs that run inside follow their automatic stop action" in foretold["warnings"][0]
    assert (l1.look("vms.l2.state"), foretold["power_cycled"]) == ("Running", ["l1"])

    done = host.task("hyperv_vm_memory", wanted)
    assert (done["warnings"], done["power_cycled"]) == (foretold["warnings"], ["l1"])
    assert l1.look("vms.l2.state") == "Saved"
    power.wait(host.host, 300)
    assert not l1.task("hyperv_nat_switch", {"prefix": "192.168.200.0/24", "forwards": FORWARDS})["changed"], "the NAT outlives a restart"
    l1.task("hyperv_vm", {"vms": "l2", "state": "running"})
    assert proof_of(inside(l1, "l2"))["proof"]["proven"]


def test_nothing_is_said_where_nothing_stops(host: Lab) -> None:
    assert not host.task("hyperv_vm_memory", {"vms": "l1", "startup": "8GB", "when_running": "shutdown"}).get("warnings")
    assert not host.task("hyperv_vm", {"vms": "l1", "state": "saved"}).get("warnings"), "what runs inside is saved with it"
    assert not host.task("hyperv_vm", {"vms": "l1", "state": "running"}).get("warnings")
    assert proof_of(inside(inside(host, "l1"), "l2"))["proof"]["proven"]


def test_vms_inside_that_are_shut_down_rather_than_saved(host: Lab) -> None:
    l1 = inside(host, "l1")
    stopped = l1.task("hyperv_vm", {"vms": "l2", "automatic_stop_action": "shutdown", "when_running": "shutdown", "state": "running"})
    assert stopped["power_cycled"] == ["l2"]
    power.wait(host.host, 120)
    host.task("hyperv_vm", {"vms": "l1", "state": "off"})
    assert l1.look("vms.l2.state") == "Off"


def played(folder: pathlib.Path, profile: Plain, inventory: t.Callable[[Plain], Plain]) -> PlayResult:
    """The playbook of the whole lab, on a pretended host; `inventory` is given how that is reached."""
    whole_lab.warm_up()
    [l1] = profile["vms"]
    [l2] = l1["guest"]["windows"]["vms"]
    for each, password in ((l1, whole_lab.L1_PASSWORD), (l2, whole_lab.L2_PASSWORD)):
        each["guest"]["users"] = {whole_lab.USER: password}
    (folder / "profile.yml").write_text(json.dumps(profile), encoding="utf-8")
    paths = {"ansible_simulator_profile": str(folder / "profile.yml"), "ansible_simulator_state": str(folder / "hv01.json")}
    return Play(folder)(whole_lab.lab("lab"), inventory({"ansible_connection": "hyperlab.nested.simulator", **paths}))


@pytest.mark.psdirect
@pytest.mark.parametrize("saved", [False, True])
def test_the_role_brings_back_what_ran_inside(saved: bool, tmp_path: pathlib.Path) -> None:
    """L1 gets more memory, for which it is stopped; or somebody has saved it."""
    profile = nested_nats()
    profile["vms"][0]["state"] = "Saved" if saved else "Running"
    guests = [whole_lab.guest(whole_lab.L1, vm="l1", guests=[whole_lab.guest(whole_lab.L2, vm="l2")])]
    wanted: Plain = {"guests": guests, "memory": "8GB" if saved else "12GB", "processors": None}
    result = played(tmp_path, profile, lambda host: whole_lab.inventory(host, **wanted)).succeeded()
    assert whole_lab.proven(result) == {"hv01": True, "l1": True, "l2": True}
    assert ("VMs that run inside follow their automatic stop action" in " ".join(result.output.split())) is not saved
    assert ("hv01: Give the VMs static memory" in whole_lab.changed(result)) is not saved


@pytest.mark.psdirect
def test_the_role_says_on_which_host_to_look(tmp_path: pathlib.Path) -> None:
    """L1 is not the role's own, so that it does not switch spoofing on there."""

    def inventory(host: Plain) -> Plain:
        def direct(outer: str, password: str, **variables: t.Any) -> Plain:
            way = {"ansible_connection": "hyperlab.nested.psdirect", "ansible_psdirect_host": outer}
            return {**way, "ansible_user": whole_lab.USER, "ansible_password": password, **variables}

        bridge = {"nested_lab_host_network": "bridge", "nested_lab_host_bridge": {"switch": "Bridge", "adapter": "Ethernet"}}
        l1 = direct("hv01", whole_lab.L1_PASSWORD, **bridge, nested_lab_host_vms=["l2"])
        return {
            "hyperv_hosts": {"hosts": {"hv01": host}},
            "nested_lab_l1": {"hosts": {"l1": l1}},
            "nested_lab_l2": {"hosts": {"l2": direct("l1", whole_lab.L2_PASSWORD)}},
        }

    result = played(tmp_path, bridges(2), inventory)
    assert whole_lab.proven(result) == {"hv01": True, "l1": True, "l2": False}
    [missing] = whole_lab.proofs(result)["l2"]["missing"]
    assert "its default gateway 192.0.2.1 does not answer. Way out: see its switch on L1, where it is VM 'l2'" in missing
    assert "MAC address spoofing" in missing
