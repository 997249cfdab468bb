"""Guests that lie on disks: what a new VM starts, and where it stays when the VM goes."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power, schema, store
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

DISKS = r"""
disks:
  - path: C:\base.vhdx
    guest: {users: {Administrator: right}, boot_seconds: 7, windows: {based_on: server2019-intel, name: BASE, vms: [{name: l2}]}}
  - {path: C:\plain.vhdx}
"""
FAILED = [("OperationFailed,Microsoft.HyperV.PowerShell.Commands.StartVM", "NotSpecified", "VirtualizationException")]
LOOK = call("CimCmdlets\\Get-CimInstance", "CSName", "BuildNumber", ClassName="Win32_OperatingSystem")


@pytest.fixture
def host() -> Host:
    return nest.load(DISKS)


def child(name: str) -> dict[str, t.Any]:
    return call("New-VHD", Path=rf"C:\{name}.vhdx", ParentPath="C:\\base.vhdx", Differencing=True)


def new(name: str, disk: str = "") -> dict[str, t.Any]:
    return call("New-VM", Name=name, Generation=2, VHDPath=rf"C:\{disk or name}.vhdx")


def start(name: str) -> dict[str, t.Any]:
    return call("Start-VM", Name=name)


def booted(host: Host, *steps: dict[str, t.Any]) -> None:
    for answer in nest.run(host, *steps):
        assert answer["errors"] == []
    power.wait(host, 60)


def test_a_vm_starts_a_copy_of_what_its_disk_is_based_on(host: Host) -> None:
    booted(host, child("a"), new("a"), child("b"), new("b"), start("a"), start("b"))
    note = call("Set-VM", Name="l2", Notes="of a")
    assert nest.visit(host, "a", LOOK, note)[0]["output"] == [{"CSName": "BASE", "BuildNumber": "17763"}]
    assert nest.rows(host, "b", call("Get-VM", "Notes")) == [{"Notes": ""}]
    one, other = (nest.windows(vm).vms[0].id for vm in host.vms)
    assert one != other
    assert host.vms[0].guest.boot_seconds == 7


def test_the_copy_is_made_at_the_first_start(host: Host) -> None:
    booted(host, child("a"), new("a"))
    assert host.vms[0].guest.windows is None
    booted(host, start("a"))
    nest.visit(host, "a", call("Set-VM", Name="l2", Notes="kept"))
    booted(host, call("Stop-VM", Name="a"), start("a"))
    assert nest.rows(host, "a", call("Get-VM", "Notes")) == [{"Notes": "kept"}]


def test_a_removed_vm_leaves_its_guest_on_the_disk(host: Host) -> None:
    booted(host, child("a"), new("a"), start("a"))
    nest.visit(host, "a", call("Set-VM", Name="l2", Notes="kept"))
    booted(host, call("Stop-VM", Name="a"), call("Remove-VM", Name="a", Force=True), new("again", "a"), start("again"))
    assert nest.rows(host, "again", call("Get-VM", "Notes")) == [{"Notes": "kept"}]
    assert nest.rows(host, "again", call("Get-NetAdapter", "Name")) == [{"Name": "Ethernet 2"}]
    assert [disk.guest is None for disk in host.disks] == [False, True, True]


def test_a_guest_on_a_disk_belongs_to_no_vm(host: Host) -> None:
    booted(host, new("base"), start("base"), call("Stop-VM", Name="base", TurnOff=True), call("Remove-VM", Name="base", Force=True))
    left = host.disks[0].guest
    assert left is not None
    assert left.windows is not None
    assert (left.windows.outer, left.windows.machine) == (None, None)
    booted(host, child("a"), new("a"), start("a"))
    assert nest.rows(host, "a", LOOK)[0]["CSName"] == "BASE"


def test_a_disk_takes_its_guest_to_another_vm(host: Host) -> None:
    booted(host, child("a"), new("a"), start("a"))
    nest.visit(host, "a", call("Set-VM", Name="l2", Notes="kept"))
    out = call("Remove-VMHardDiskDrive", VMName="a", ControllerType="SCSI", ControllerNumber=0, ControllerLocation=0)
    booted(host, call("Stop-VM", Name="a"), out, new("b", "a"), start("a"), start("b"))
    assert nest.rows(host, "b", call("Get-VM", "Notes")) == [{"Notes": "kept"}]
    assert [row["Heartbeat"] for row in nest.run(host, call("Get-VM", "Heartbeat"))[0]["output"]] == ["NoContact", "OkApplicationsUnknown"]


def test_checkpoints_do_not_part_a_vm_from_its_guest(host: Host) -> None:
    booted(host, child("a"), new("a"), start("a"))
    nest.visit(host, "a", call("Set-VM", Name="l2", Notes="kept"))
    booted(host, call("Checkpoint-VM", Name="a"), call("Stop-VM", Name="a"), start("a"))
    assert nest.rows(host, "a", call("Get-VM", "Notes")) == [{"Notes": "kept"}]
    booted(host, call("Stop-VM", Name="a"), call("Remove-VM", Name="a", Force=True))
    assert next(disk for disk in host.disks if disk.path == "C:\\a.vhdx").guest is not None


def test_the_template_itself_can_be_started(host: Host) -> None:
    booted(host, new("base"), start("base"))
    assert nest.rows(host, "base", LOOK)[0]["CSName"] == "BASE"
    assert all(disk.guest is None for disk in host.disks)


def test_a_template_is_not_started_or_deleted_while_what_is_based_on_it_runs(host: Host) -> None:
    in_use = "The operation cannot be performed while the object is in use."
    booted(host, child("a"), new("a"), new("base"), start("a"))
    refused, kept = nest.run(host, start("base"), call("Remove-Item", LiteralPath="C:\\base.vhdx"))
    assert (nest.faults(refused), in_use in refused["errors"][0]["message"]) == (FAILED, True)
    assert nest.faults(kept) == [
        ("RemoveFileSystemItemIOError,Microsoft.PowerShell.Commands.RemoveItemCommand", "WriteError", "IOException")
    ]
    booted(host, child("b"), new("b"), start("b"), call("Stop-VM", Name="a"), call("Stop-VM", Name="b"), start("base"))
    assert nest.faults(nest.run(host, start("a"))[0]) == FAILED


def test_nothing_starts_from_an_empty_disk(host: Host) -> None:
    made = call("New-VM", Name="b", Generation=2, NewVHDPath="C:\\b.vhdx", NewVHDSizeBytes=1024**3)
    booted(host, call("New-VHD", Path="C:\\a.vhdx", SizeBytes=1024**3, Dynamic=True), new("a"), made, start("a"), start("b"))
    assert [row["Heartbeat"] for row in nest.run(host, call("Get-VM", "Heartbeat"))[0]["output"]] == ["NoContact"] * 2


def test_a_disk_may_come_after_the_first_start(host: Host) -> None:
    booted(host, call("New-VM", Name="a", Generation=2, NoVHD=True), start("a"))
    assert nest.run(host, call("Get-VM", "Heartbeat"))[0]["output"] == [{"Heartbeat": "OkApplicationsUnknown"}]
    booted(host, call("Stop-VM", Name="a"), child("a"), call("Add-VMHardDiskDrive", VMName="a", Path="C:\\a.vhdx"), start("a"))
    assert nest.rows(host, "a", LOOK)[0]["CSName"] == "BASE"


def test_a_disk_that_says_nothing_holds_a_guest_whose_inside_is_not_modelled(host: Host) -> None:
    booted(host, new("plain"), start("plain"))
    assert nest.run(host, call("Get-VM", "Heartbeat"))[0]["output"] == [{"Heartbeat": "OkApplicationsUnknown"}]
    before = [copy.deepcopy(disk) for disk in host.disks]
    booted(host, call("Stop-VM", Name="plain"), call("Remove-VM", Name="plain", Force=True))
    assert host.disks == before


def test_a_vm_of_a_profile_may_leave_it_to_its_disk() -> None:
    host = nest.load(rf"{DISKS}vms: [{{name: a, drives: [{{path: 'C:\base.vhdx'}}], guest: {{installed: false, from_disk: true}}}}]")
    booted(host, start("a"))
    assert nest.rows(host, "a", LOOK)[0]["CSName"] == "BASE"


def test_guests_on_disks_survive_the_state_file(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "lab.yml"
    profile.write_text(f"based_on: server2022-intel\n{DISKS}")
    with store.open_host(tmp_path / "state.json", str(profile)) as host:
        booted(host, child("a"), new("a"), start("a"), call("Stop-VM", Name="a", TurnOff=True), call("Remove-VM", Name="a", Force=True))
        plain = schema.to_plain(host)
    with store.open_host(tmp_path / "state.json", str(profile)) as host:
        assert schema.to_plain(host) == plain
        booted(host, new("again", "a"), start("again"))
        assert nest.rows(host, "again", LOOK)[0]["CSName"] == "BASE"


def test_nested_hosts_have_disks_with_guests_too() -> None:
    host = nest.load(r"""
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    memory: {startup: 8GB}
    guest:
      users: {Administrator: right}
      windows:
        disks: [{path: 'C:\base.vhdx', guest: {users: {Administrator: right}, windows: {name: DEEP}}}]
""")
    nest.visit(host, "l1", child("l2"), new("l2"), start("l2"))
    power.wait(host, 60)
    [answer] = nest.visit(host, "l1", nest.inside("l2", LOOK))
    assert nest.answers(answer)[0]["output"] == [{"CSName": "DEEP", "BuildNumber": "20348"}]
