"""Virtual hard disks and drives."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import GB, Disk, Drive, Host, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import Size
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.vm_lab import (
    FAILED,
    INVALID_PARAMETER,
    INVALID_STATE,
    NOT_FOUND,
    lab,
    run,
)


def stored(*vms: Vm) -> Host:
    return lab(
        *vms,
        disks=[
            Disk(path="C:\\base.vhdx", size=Size(60 * GB)),
            Disk(path="C:\\free.vhdx"),
            Disk(path="C:\\setup.iso", type="ISO"),
        ],
    )


@pytest.mark.parametrize(
    ("parameters", "kind", "size"),
    [
        ({"SizeBytes": 40 * GB}, "Dynamic", 40 * GB),
        ({"SizeBytes": 40 * GB, "Fixed": True}, "Fixed", 40 * GB),
        ({"ParentPath": "c:\\BASE.vhdx"}, "Differencing", 60 * GB),
        ({"ParentPath": "C:\\base.vhdx", "Differencing": True, "SizeBytes": 80 * GB}, "Differencing", 80 * GB),
    ],
)
def test_new_disks(parameters: dict[str, t.Any], kind: str, size: int) -> None:
    host = stored()

    [disk] = run(host, "New-VHD", Path="C:\\new.vhdx", **parameters).objects

    assert (disk.get("VhdType"), disk.get("Size"), disk.get("VhdFormat")) == (kind, size, "VHDX")
    assert disk.get("ParentPath") == ("C:\\base.vhdx" if kind == "Differencing" else "")
    assert run(host, "Get-VHD", Path="c:/NEW.vhdx").column("VhdType") == [kind]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"Path": "C:\\free.vhdx", "SizeBytes": GB}, FAILED),
        ({"Path": "C:\\new.img", "SizeBytes": GB}, INVALID_PARAMETER),
        ({"Path": "C:\\new.vhdx", "SizeBytes": 2_000_000_000}, INVALID_PARAMETER),
        ({"Path": "C:\\new.vhdx", "ParentPath": "C:\\nope.vhdx"}, FAILED),
        ({"Path": "C:\\new.vhd", "ParentPath": "C:\\base.vhdx"}, INVALID_PARAMETER),
    ],
)
def test_disks_that_cannot_be_made(parameters: dict[str, t.Any], error: tuple[str, str]) -> None:
    host = stored()

    assert (run(host, "New-VHD", **parameters).errors, len(host.disks)) == ([error], 3)


def test_reading_disks() -> None:
    host = stored(Vm(name="l1", state="Running", drives=[Drive(path="C:\\base.vhdx"), Drive(kind="dvd", location=1)]))

    assert run(host, "Get-VHD", Path=["C:\\nope.vhdx", "C:\\base.vhdx"]).errors == [INVALID_PARAMETER]
    assert run(host, "Get-VHD", VMId=host.vms[0].id).column("Attached") == [True]
    assert run(host, "Get-VHD", Path="C:\\free.vhdx").column("Attached") == [False]
    with pytest.raises(NotSimulated, match="relative"):
        run(host, "Get-VHD", Path="free.vhdx")


def test_resizing() -> None:
    host = stored(Vm(name="old", generation=1, state="Running", drives=[Drive(controller="IDE", path="C:\\base.vhdx")]))
    host.disks.append(Disk(path="C:\\old.vhd"))

    assert run(host, "Resize-VHD", Path="C:\\free.vhdx", SizeBytes=40 * GB, Passthru=True).column("Size") == [40 * GB]
    assert run(host, "Resize-VHD", Path="C:\\old.vhd", SizeBytes=40 * GB).errors == [INVALID_PARAMETER]
    assert run(host, "Resize-VHD", Path="C:\\base.vhdx", SizeBytes=80 * GB).errors == [FAILED]
    run(host, "New-VHD", Path="C:\\child.vhdx", ParentPath="C:\\free.vhdx")
    assert run(host, "Resize-VHD", Path="C:\\free.vhdx", SizeBytes=80 * GB).errors == [FAILED]


def test_drives_take_the_first_free_place() -> None:
    host = stored(Vm(name="new"), Vm(name="old", generation=1))

    for _number in range(5):
        run(host, "Add-VMHardDiskDrive", VMName="*")

    new, old = host.vms
    assert [(d.controller, d.number, d.location) for d in new.drives] == [("SCSI", 0, place) for place in range(5)]
    assert [(d.controller, d.number, d.location) for d in old.drives] == [
        ("IDE", 0, 0),
        ("IDE", 0, 1),
        ("IDE", 1, 0),
        ("IDE", 1, 1),
        ("SCSI", 0, 0),
    ]
    assert run(host, "Get-VMHardDiskDrive", VMName="old", ControllerType="IDE", ControllerNumber=1).column("ControllerLocation") == [0, 1]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 0}, NOT_FOUND),
        ({"ControllerType": "IDE"}, NOT_FOUND),
        ({"ControllerNumber": 1}, NOT_FOUND),
        ({"ControllerLocation": 64}, NOT_FOUND),
        ({"Path": "C:\\nope.vhdx"}, FAILED),
        ({"Path": "C:\\base.vhdx"}, FAILED),
    ],
)
def test_drives_that_cannot_be_added(parameters: dict[str, t.Any], error: tuple[str, str]) -> None:
    host = stored(Vm(name="l1", drives=[Drive()]), Vm(name="on", state="Running", drives=[Drive(path="C:\\base.vhdx")]))

    assert (run(host, "Add-VMHardDiskDrive", VMName="l1", **parameters).errors, len(host.vms[0].drives)) == ([error], 1)


def test_a_running_vm_takes_scsi_disks_only() -> None:
    host = stored(Vm(name="new", state="Running"), Vm(name="old", generation=1, state="Running"))

    assert run(host, "Add-VMHardDiskDrive", VMName="new", Path="C:\\free.vhdx").errors == []
    assert run(host, "Add-VMHardDiskDrive", VMName="old").errors == [INVALID_STATE]
    assert run(host, "Add-VMHardDiskDrive", VMName="old", ControllerType="SCSI").errors == []
    assert run(host, "Add-VMDvdDrive", VMName="new").errors == [INVALID_STATE]


def test_removing_a_drive_leaves_its_file() -> None:
    host = stored(Vm(name="l1", drives=[Drive(path="C:\\base.vhdx"), Drive(location=1)]))
    drives = run(host, "Get-VMHardDiskDrive", VMName="l1").objects

    assert run(host, "Remove-VMHardDiskDrive", VMHardDiskDrive=drives[0]).errors == []
    assert run(host, "Remove-VMHardDiskDrive", VMHardDiskDrive=drives[0]).errors == [NOT_FOUND]
    place = {"ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 1}
    assert run(host, "Remove-VMHardDiskDrive", VMName="l1", **place).errors == []
    assert run(host, "Remove-VMHardDiskDrive", VMName="l1", **place).errors == [NOT_FOUND]
    assert (host.vms[0].drives, len(host.disks)) == ([], 3)


def test_dvds() -> None:
    host = stored(Vm(name="new"), Vm(name="old", generation=1))

    answer = run(host, "Add-VMDvdDrive", VMName="*", Path="C:\\setup.iso", Passthru=True)
    assert (answer.column("ControllerType"), answer.column("DvdMediaType")) == (["SCSI", "IDE"], ["ISO", "ISO"])
    host.vms[0].state = "Running"
    assert run(host, "Set-VMDvdDrive", VMName="new", Path=None).errors == []
    assert run(host, "Get-VMDvdDrive", VMName="new").column("Path") == [""]
    assert run(host, "Set-VMDvdDrive", VMName="new", Path="C:\\base.vhdx").errors == [INVALID_PARAMETER]
    assert run(host, "Set-VMDvdDrive", VMName="new", Path="C:\\nope.iso").errors == [FAILED]
    assert run(host, "Set-VMDvdDrive", VMDvdDrive=answer.objects[0], Path="C:\\setup.iso").errors == []
