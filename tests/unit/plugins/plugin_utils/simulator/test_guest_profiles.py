"""Guests that are hosts, in profiles and state files."""

from __future__ import annotations

import copy
import pathlib

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import profiles, schema, store
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest

L1 = "vms: [{name: l1, guest: {windows: {%s}}}]"


def test_a_guest_is_based_on_a_windows_and_not_on_a_machine() -> None:
    host = nest.load(nest.CHAIN)
    l1 = nest.windows(host.vms[0])
    assert (l1.name, l1.windows, l1.build, l1.default_version) == ("L1", "2019", 17763, "9.0")
    assert (l1.cpu.vendor, l1.cpu.logical_processors, l1.memory, l1.nested) == ("Intel", 4, 8 * 1024**3, True)
    assert [(adapter.name, adapter.status, adapter.mac) for adapter in l1.adapters] == [
        ("Ethernet", "Up", host.vms[0].adapters[0].mac),
        ("Ethernet 2", "Disconnected", host.vms[0].adapters[1].mac),
    ]
    assert l1.addresses == []
    assert l1.vms[0].version == "9.0"
    assert nest.windows(l1.vms[0]).cpu.logical_processors == 1


def test_the_example_of_the_documentation(tmp_path: pathlib.Path) -> None:
    page = (pathlib.Path(__file__).parents[5] / "docs" / "simulator.md").read_text(encoding="utf-8")
    example = page.partition("## Guests that are hosts")[2].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "nested.yml").write_text(example, encoding="utf-8")
    host = profiles.load_profile(str(tmp_path / "nested.yml"))
    host.vms[0].guest.users["Administrator"] = "right"
    assert nest.rows(host, "l1-a", nest.call("Get-VM", "Name", "State")) == [{"Name": "l2-a", "State": "Running"}]
    assert host.disks[0].guest is not None


def test_a_default_switch_comes_with_its_windows() -> None:
    host = nest.load(L1 % "based_on: windows11-intel")
    inside = nest.windows(host.vms[0])
    assert [switch.name for switch in inside.switches] == ["Default Switch"]
    assert [address.address for address in inside.addresses] == ["172.28.96.1"]


def test_a_guest_may_be_based_on_a_file_beside_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.yml").write_text("based_on: server2016-intel\nname: INNER\nlanguage: fr-FR\nvms: [{name: deep}]\n")
    lab = "based_on: server2022-intel\nvms: [{name: l1, guest: {windows: {based_on: inner.yml, language: ja-JP}}}]\n"
    (tmp_path / "sub" / "lab.yml").write_text(lab)
    (tmp_path / "top.yml").write_text("based_on: sub/lab.yml\nname: TOP\n")
    host = profiles.load_profile(str(tmp_path / "top.yml"))
    inside = nest.windows(host.vms[0])
    assert (inside.name, inside.windows, inside.language, [vm.name for vm in inside.vms]) == ("INNER", "2016", "ja-JP", ["deep"])


def test_a_guest_that_is_based_on_its_own_host_leads_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lab.yml"
    path.write_text("vms: [{name: l1, guest: {windows: {based_on: lab.yml}}}]\n")
    with pytest.raises(schema.ProfileError, match="leads back"):
        profiles.load_profile(str(path))


def test_yaml_may_use_one_guest_twice() -> None:
    host = nest.load("vms: [{name: a, guest: &guest {windows: {based_on: server2019-intel}}}, {name: b, guest: *guest}]")
    one, other = (nest.windows(vm) for vm in host.vms)
    assert (one.name, other.name, one.windows, other.windows) == ("A", "B", "2019", "2019")
    assert one is not other


def test_adapters_may_be_named_and_addressed() -> None:
    host = nest.load("""
switches: [{name: LAN}]
vms:
  - name: l1
    adapters: [{switch: LAN}, {switch: LAN}]
    guest:
      windows:
        adapters: [{name: Outside}]
        switches: [{name: Bridge, type: External, adapter: Outside}]
        addresses: [{address: 192.168.100.2, on: Ethernet}]
""")
    l1 = nest.windows(host.vms[0])
    assert [adapter.name for adapter in l1.adapters] == ["Outside", "Ethernet", "vEthernet (Bridge)"]
    [address] = l1.addresses
    assert address.adapter == next(adapter.index for adapter in l1.adapters if adapter.name == "Ethernet")
    assert len({adapter.index for adapter in l1.adapters}) == 3


def test_ids_are_the_same_each_time_and_no_two_are_equal() -> None:
    text = """
vms:
  - {name: a, guest: {windows: {name: SAME, vms: [{name: l2, state: Off, adapters: [{}]}]}}}
  - {name: b, guest: {windows: {name: SAME, vms: [{name: l2, state: Off, adapters: [{}]}]}}}
"""
    one, other = nest.load(text), nest.load(text)
    assert schema.to_plain(one) == schema.to_plain(other)
    inner = [nest.windows(vm).vms[0] for vm in one.vms]
    assert inner[0].id != inner[1].id
    assert inner[0].adapters[0].id != inner[1].adapters[0].id


def test_mac_addresses_of_all_levels_differ() -> None:
    host = nest.load("""
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    adapters: [{}]
    guest: {windows: {vms: [{name: l2, state: Running, adapters: [{}]}]}}
""")
    outer, inner = host.vms[0].adapters[0].mac, nest.windows(host.vms[0]).vms[0].adapters[0].mac
    assert outer.startswith("00155D")
    assert inner.startswith("00155D")
    assert outer != inner


def test_a_state_file_keeps_all_levels(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "lab.yml"
    profile.write_text(f"based_on: server2022-intel\n{nest.CHAIN}")
    with store.open_host(tmp_path / "state.json", str(profile)) as host:
        nest.visit(host, "l1", nest.call("Set-VM", Name="l2", Notes="kept"))
        mac, other = (adapter.mac for adapter in host.vms[0].adapters)
        nest.run(host, nest.call("Remove-VMNetworkAdapter", VMName="l1"))
        nest.visit(host, "l1", nest.call("Get-VM"))
        before = copy.deepcopy(host)
    with store.open_host(tmp_path / "state.json", str(profile)) as host:
        assert schema.to_plain(host) == schema.to_plain(before)
        assert nest.rows(host, "l1", nest.call("Get-VM", "Notes")) == [{"Notes": "kept"}]
        assert nest.rows(host, "l1", nest.call("Get-NetAdapter", "Name", "Status", "PermanentAddress", IncludeHidden=True)) == [
            {"Name": "Ethernet", "Status": "Not Present", "PermanentAddress": mac},
            {"Name": "Ethernet 2", "Status": "Not Present", "PermanentAddress": other},
        ]


def test_what_the_vm_has_is_not_written_down_twice() -> None:
    host = nest.load(nest.CHAIN)
    nest.visit(host, "l1", nest.call("Get-VM"))
    plain = schema.to_plain(host)["vms"][0]["guest"]["windows"]
    assert not {"cpu", "memory", "nested", "clock", "outer", "machine"} & plain.keys()
    assert all("mac" not in adapter for adapter in plain["adapters"])


def test_an_event_does_not_make_a_physical_network_of_what_the_host_was_told() -> None:
    host = nest.load("adapters: [{name: Ethernet}]\naddresses: []\nevents: [{process: 2, set: {boot_seconds: 30.0}}]")
    address = {"InterfaceAlias": "Ethernet", "IPAddress": "10.5.0.9", "PrefixLength": 24, "DefaultGateway": "10.5.0.1"}
    nest.run(host, nest.call("New-NetIPAddress", **address))
    nest.run(host)
    assert (host.boot_seconds, host.adapters[0].lan) == (30.0, None)


def test_a_complete_host_stays_as_it_is() -> None:
    host = nest.load(nest.CHAIN)
    plain = schema.to_plain(host)
    again = schema.from_plain(Host, plain)
    profiles.complete(again)
    profiles.complete(again)
    assert schema.to_plain(again) == plain


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (L1 % "memory: 4GB", "vms[0].guest.windows.memory: a guest has it from its VM, so say it there"),
        (L1 % "cpu: {vendor: AMD}", "vms[0].guest.windows.cpu: a guest has it"),
        (L1 % "nested: true", "vms[0].guest.windows.nested: a guest has it"),
        (L1 % "outer: {}", "vms[0].guest.windows: unknown key 'outer'"),
        (L1 % "based_on: 5", "vms[0].guest.windows.based_on: expected a name or a path, found 5"),
        (L1 % "based_on: server2012", "vms[0].guest.windows.based_on: 'server2012' is neither a file"),
        (L1 % "vms: [{name: l2}, {name: l2, guest: {windows: {vsm: []}}}]", "vms[0].guest.windows.vms[1].guest.windows: unknown key 'vsm'"),
        (L1 % "vms: [{name: l2, generation: 3}]", "vms[0].guest.windows: VM 'l2': generation 3 does not exist"),
        (
            L1 % "vms: [{name: l2, guest: {windows: {nats: [{name: N, prefix: x}]}}}]",
            "lab.yml: vms[0].guest.windows.vms[0].guest.windows: NAT 'N'",
        ),
        (L1 % "adapters: [{name: LAN}]", "vms[0].guest.windows: adapter 'LAN': the VM has no more than 0 network adapters"),
        (
            "vms: [{name: l1, adapters: [{}], guest: {windows: {adapters: [{name: LAN, mac: 00155D000001}]}}}]",
            "adapter 'LAN': its MAC address is the VM's",
        ),
        (L1 % "vms: [{name: l2, state: Running}]", "VM 'l2' cannot be Running: VM 'l1', which it is in, is off"),
        (
            "vms: [{name: l1, state: Running, guest: {windows: {vms: [{name: l2, state: Paused}]}}}]",
            "VM 'l2' cannot be Paused: no hypervisor runs in VM 'l1'",
        ),
        ("vms: [{name: l1, guest: {installed: false, windows: {}}}]", "VM 'l1': guest.windows says what is inside, and guest.installed"),
        ("vms: [{name: l1, guest: {hyperv_running: true, windows: {}}}]", "VM 'l1': guest.hyperv_running: guest.windows tells"),
        ("vms: [{name: l1, adapters: [{addresses: [10.0.0.1]}], guest: {windows: {}}}]", "addresses of a guest with guest.windows"),
        ("vms: [{name: l1, guest: {users: {a: 5}}}]", "vms[0].guest.users.a: expected str"),
        (r"disks: [{path: 'C:\a.vhdx', guest: {windows: {memory: 4GB}}}]", "disks[0].guest.windows.memory: a guest has it"),
        (r"disks: [{path: 'C:\a.vhdx', guest: {windows: {vms: [{name: l2, generation: 3}]}}}]", "disks[0].guest.windows: VM 'l2'"),
    ],
)
def test_a_mistake_inside_names_its_place(tmp_path: pathlib.Path, text: str, problem: str) -> None:
    path = tmp_path / "lab.yml"
    path.write_text(f"based_on: server2022-intel\n{text}\n")
    with pytest.raises(schema.ProfileError) as caught:
        profiles.load_profile(str(path))
    assert problem in str(caught.value)
    assert "lab.yml" in str(caught.value)
