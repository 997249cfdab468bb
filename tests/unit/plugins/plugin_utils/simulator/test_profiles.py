"""Profiles: the shipped ones, those of a user, and what cannot be."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import profiles, schema
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

if t.TYPE_CHECKING:
    import pathlib


NAMES = [f"{name}-{cpu}" for name in ("server2016", "server2019", "server2022", "server2025", "windows11") for cpu in ("amd", "intel")]
DEFAULT_SWITCH = "c08cb7b8-9b3c-408e-8e30-5e16a3aeb444"


@pytest.fixture
def load(tmp_path: pathlib.Path) -> t.Callable[..., Host]:
    def load(text: str, based_on: str = "server2022-intel") -> Host:
        path = tmp_path / "lab.yml"
        path.write_text(f"based_on: {based_on}\n{text}", encoding="utf-8")
        return profiles.load_profile(str(path))

    return load


def test_the_shipped_ones_are_these() -> None:
    assert profiles.shipped() == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_profile(name: str) -> None:
    host = profiles.load_profile(name)
    assert host.cpu.vendor == {"intel": "Intel", "amd": "AMD"}[name.partition("-")[2]]
    assert host.client == name.startswith("windows")
    assert host.default_version == host.supported_versions[-1]
    assert [switch.id for switch in host.switches] == ([DEFAULT_SWITCH] if host.client else [])
    assert ("VirtualMachine.AutomaticCheckpointsEnabled" in host.without_properties) == (host.windows == "2016")
    physical = {adapter.name: adapter.index for adapter in host.adapters if adapter.switch is None}
    assert [address.address for address in host.addresses if address.adapter == physical["Ethernet"]] == ["192.0.2.10"]
    assert all(address.adapter != physical["Ethernet 2"] for address in host.addresses)
    assert host.vms == []


@pytest.mark.parametrize("name", ["server2016-intel", "windows11-amd"])
def test_a_host_survives_its_state_file(name: str) -> None:
    host = profiles.load_profile(name)
    plain = schema.to_plain(host)
    again = schema.from_plain(Host, plain)
    profiles.complete(again)
    assert schema.to_plain(again) == plain


def test_ids_are_the_same_each_time_and_depend_on_nothing_else(load: t.Callable[..., Host]) -> None:
    one = load("vms: [{name: a}, {name: b}, {name: a}]")
    other = load("vms: [{name: b}, {name: a}]")
    assert one.vms[0].id == other.vms[1].id
    assert one.vms[1].id == other.vms[0].id
    assert len({vm.id for vm in one.vms}) == 3


def test_what_is_left_out_is_filled_in(load: t.Callable[..., Host]) -> None:
    host = load(r"""
vms:
  - name: on
    state: Running
    adapters: [{switch: lab}, {dynamic_mac: false, mac: 00-15-5d-00-6a-01}]
    drives: [{path: 'C:\a.vhdx'}, {kind: dvd, location: 1, path: 'C:\b.ISO'}]
  - name: off
    state: Off
    version: "9.0"
    adapters: [{}]
switches: [{name: Lab}, {name: LAN, type: External, adapter: ethernet}, {name: Closed, type: Private}]
addresses: [{address: 192.0.2.10, on: Ethernet}, {address: 10.0.0.1, on: vEthernet (lab)}]
""")
    on, off = host.vms
    assert on.adapters[0].switch == host.switches[0].id
    assert on.adapters[0].mac.startswith("00155D")
    assert on.adapters[1].mac == "00155D006A01"
    assert off.adapters[0].mac == "000000000000"
    assert (on.version, off.version, off.state, off.automatic_checkpoints) == ("10.0", "9.0", "Off", False)
    assert {disk.path: disk.type for disk in host.disks} == {"C:\\a.vhdx": "Dynamic", "C:\\b.ISO": "ISO"}
    managers = {adapter.name: adapter for adapter in host.adapters if adapter.switch}
    assert [(name, adapter.description) for name, adapter in managers.items()] == [
        ("vEthernet (Lab)", "Hyper-V Virtual Ethernet Adapter"),
        ("vEthernet (LAN)", "Hyper-V Virtual Ethernet Adapter #2"),
    ]
    # the address of an adapter that an external switch has taken is the management adapter's
    assert [address.adapter for address in host.addresses] == [managers["vEthernet (LAN)"].index, managers["vEthernet (Lab)"].index]


def test_profiles_are_laid_over_each_other(tmp_path: pathlib.Path) -> None:
    (tmp_path / "base.yml").write_text("based_on: server2019-amd\nname: BASE\ncpu: {logical_processors: 4}\nvms: [{name: a}]\n")
    (tmp_path / "top.yml").write_text("based_on: base.yml\ncpu: {name: My CPU}\nvms: [{name: b}]\n")
    host = profiles.load_profile(str(tmp_path / "top.yml"))
    assert (host.name, host.windows) == ("BASE", "2019")
    assert (host.cpu.vendor, host.cpu.name, host.cpu.logical_processors) == ("AMD", "My CPU", 4)
    assert [vm.name for vm in host.vms] == ["b"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("vms: [{name: a, id: x}, {name: b, id: X}]", "two VMs have the id x"),
        ("vms: [{name: a, adapters: [{switch: Lab}]}]", "no switches have the name 'Lab'; there are none"),
        ("switches: [{name: S}, {name: s}]\nvms: [{name: a, adapters: [{switch: S}]}]", "2 switches have the name 'S'"),
        ("vms: [{name: a, state: Asleep}]", "is none of Running, Off"),
        ("vms: [{name: a, memory: {dynamic: true, startup: 4GB, maximum: 2GB}}]", "minimum <= startup <= maximum"),
        ("vms: [{name: a, memory: {startup: 1001MB}}]", "multiples of 2MB"),
        ("vms: [{name: a, version: 8.0}]", "put it in quotes"),
        ('vms: [{name: a, version: "12.0"}]', "supports no version '12.0'"),
        ("vms: [{name: a, generation: 3}]", "generation 3"),
        ("vms: [{name: a, adapters: [{legacy: true}]}]", "generation 1 only"),
        ("vms: [{name: a, drives: [{controller: IDE}]}]", "generation 1 only"),
        ("vms: [{name: a, drives: [{}, {kind: dvd}]}]", "two drives at SCSI 0:0"),
        ("vms: [{name: a, processor: {count: 0}}]", "at least one processor"),
        ("vms: [{name: a, state: Running, processor: {count: 99}}]", "the host has 16"),
        ("vms: [{name: a, adapters: [{mac: 00155D}]}]", "not a MAC address"),
        ("vms: [{name: a, adapters: [{dynamic_mac: false}]}]", "static MAC address"),
        ("vms: [{nmae: a}]", "unknown key 'nmae'"),
        ("vms: [{}]", "name"),
        ("switches: [{name: S, type: External, adapter: Nope}]", "is no physical one; there are 'Ethernet', 'Ethernet 2'"),
        ("switches: [{name: S, adapter: Ethernet}]", "only an external switch"),
        ("switches: [{name: A, type: External, adapter: Ethernet}, {name: B, type: External, adapter: ethernet}]", "another switch"),
        ("addresses: [{address: 10.0.0.1, on: Nope}]", "no adapter 'Nope'"),
        ("addresses: [{address: 10.0.0.1}]", "say with `on`"),
        ("addresses: [{address: 10.0.0, on: Ethernet}]", "addresses: "),
        ("nats: [{name: N, prefix: 10.0.0.1/24}]", "has host bits set"),
        ("default_version: '5.0'", "none of supported_versions"),
        ("faults: [{cmdlet: Hyper-V\\Get-VM}]", "Verb-Noun"),
        ("events: [{process: 0}]", "from 1"),
        ("client: yes", "expected bool, found 'yes'"),
        ("vms: {", "lab.yml"),
    ],
)
def test_what_cannot_be_is_refused_in_words(load: t.Callable[..., Host], text: str, problem: str) -> None:
    with pytest.raises(schema.ProfileError) as caught:
        load(text)
    assert problem in str(caught.value)
    assert "lab.yml" in str(caught.value)


def test_a_profile_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(schema.ProfileError, match=r"neither a file .* nor a profile of the collection: server2016-amd, "):
        profiles.load_profile("server2012-intel")
    (tmp_path / "a.yml").write_text("based_on: b.yml\n")
    (tmp_path / "b.yml").write_text("based_on: a.yml\n")
    with pytest.raises(schema.ProfileError, match="leads back"):
        profiles.load_profile(str(tmp_path / "a.yml"))
