# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: virtual hard disks, and the drives of VMs with what is in them."""

from __future__ import annotations

import re
import typing as t

from .. import power, systems
from ..calls import NotSimulated
from ..lookup import WRONG_STATE, as_list, device_failure, fail, for_each, full_id, get_each, vm_not_found, vms_of
from ..model import MB, Disk, Drive
from ..schema import Size
from ..simulates import simulate
from ..text import file_key, same_file
from ..vm_objects import VHD, DriveLive, drive_object

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..calls import Call
    from ..model import Host, Vm

_OFF: t.Final = ("Off", "OffCritical")
_PLACES: t.Final = {"IDE": 2, "SCSI": 64}
"""Locations of one controller."""
_TIB: t.Final = 1024**4
_PHYSICAL: t.Final = re.compile(r"Disk [0-9]+ ")
"""How a drive names the physical disk that it passes through."""


def find_disk(host: Host, path: str) -> Disk | None:
    """The file of that path, whatever the spelling."""
    key = file_key(path)
    return next((disk for disk in host.disks if file_key(disk.path) == key), None)


def file_exists(call: Call, path: str) -> t.NoReturn:
    """The error for a file that is there already (gh:microsoft/MSLab#386)."""
    head, text = "Failed to create the virtual hard disk.", f"The system failed to create '{path}'"
    fail(call, "OperationFailed", f"{head}\n\n{text}.\n\n{head}\n\n{text}: The file exists. (0x80070050).")


@simulate("Hyper-V\\Get-VHD", "Path VMId")
def get_vhd(call: Call) -> Iterable[t.Any]:
    """Disks by their paths, or all of the VMs with these ids."""
    paths = as_list(call.get("Path"))
    if not all(paths):
        # gh:ghostinthewires/Hyper-V-Reporting-Script#5: one that is empty fails the call
        fail(call, "ParameterArgumentValidationError", "Cannot validate argument on parameter 'Path'. The argument is null or empty.")
    for vm_id in as_list(call.get("VMId")):
        vms = [vm for vm in call.host.vms if vm.id == vm_id]
        if not vms:
            vm_not_found(call, vm_id)
        paths += [drive.path for vm in vms for drive in vm.drives if drive.kind == "hard" and drive.path]
    return get_each(call, paths, lambda path: [VHD(call.host, _existing(call, path))])


def _existing(call: Call, path: str) -> Disk:
    disk = None
    if not _PHYSICAL.match(path):
        _check_absolute(path)
        disk = find_disk(call.host, path)
    if disk is None or disk.type == "ISO":
        # gh:openzfsonwindows/openzfs#381
        fail(call, "InvalidParameter", f"'{path}' is not an existing virtual hard disk file.")
    return disk


def _check_absolute(path: str) -> None:
    if not re.match(r"[A-Za-z]:[\\/]|[\\/]{2}", path):
        raise NotSimulated(f"the relative path {path}: a remote process has no certain current folder")


@simulate("Hyper-V\\New-VHD", "Path SizeBytes ParentPath Dynamic Fixed Differencing")
def new_vhd(call: Call) -> Iterable[t.Any]:
    """Dynamic unless -Fixed or -ParentPath says otherwise."""
    return get_each(call, as_list(call.values["Path"]), lambda path: [VHD(call.host, _create(call, path))])


def _create(call: Call, path: str) -> Disk:
    _check_absolute(path)
    failed = f"Failed to create the virtual hard disk.\n\nThe system failed to create '{path}'."
    extension = path.lower().rpartition(".")[2]
    if extension not in ("vhd", "vhdx"):
        fail(call, "InvalidParameter", f"{failed} The file name has to end in .vhd or .vhdx.")
    disk = Disk(path=path, size=Size(call.get("SizeBytes", 0)), type="Fixed" if call.get("Fixed") else "Dynamic", empty=True)
    if "ParentPath" in call.values:
        _make_child(call, disk, failed, extension)
    if disk.size % 4096 or not 3 * MB <= disk.size <= (2040 * 1024**3 if extension == "vhd" else 64 * _TIB):
        # gh:PowerShell/PowerShell#25761: 2000000000 is refused, 2GB is not
        fail(call, "InvalidParameter", failed)
    if find_disk(call.host, path) is not None:
        file_exists(call, path)
    call.host.disks.append(disk)
    return disk


def _make_child(call: Call, disk: Disk, failed: str, extension: str) -> None:
    parent = find_disk(call.host, call.values["ParentPath"])
    if parent is None or parent.type == "ISO":
        fail(
            call,
            "OperationFailed",
            f"{failed}\n\nThe parent '{call.values['ParentPath']}': The system cannot find the file specified. (0x80070002).",
        )
    if not parent.path.lower().endswith(f"vhd{extension[3:]}"):
        fail(call, "InvalidParameter", f"{failed} The parent has another format.")
    disk.type, disk.parent, disk.size, disk.empty = "Differencing", parent.path, disk.size or parent.size, False


@simulate("Hyper-V\\Resize-VHD", "Path SizeBytes Passthru")
def resize_vhd(call: Call) -> Iterable[t.Any]:
    """Only VHDX shrinks; a disk on an IDE controller does not change while its VM is on (cmdlets.md 4, 8)."""

    def resize(path: str) -> None:
        disk = _existing(call, path)
        failed = f"Failed to resize the virtual disk.\n\nThe system failed to resize '{path}'."
        if any(same_file(other.parent, disk.path) for other in call.host.disks):
            fail(call, "OperationFailed", f"{failed} It is the parent of another disk.")
        for vm in call.host.vms:
            if vm.state in power.ON and any(d.controller == "IDE" and same_file(d.path, disk.path) for d in vm.drives):
                fail(call, "OperationFailed", f"{failed}\n\nThe operation cannot be performed while the object is in use.")
        size = call.values["SizeBytes"]
        if size % 4096 or (size < disk.size and not disk.path.lower().endswith("x")):
            fail(call, "InvalidParameter", failed)
        disk.size = Size(size)

    def result(path: str) -> t.Any:
        return VHD(call.host, _existing(call, path))

    return for_each(call, as_list(call.values["Path"]), resize, result)


_PLACE: t.Final = {"ControllerType": "controller", "ControllerNumber": "number", "ControllerLocation": "location"}


def _drives(call: Call, vm: Vm, kind: str) -> list[Drive]:
    wanted = {field: call.values[name] for name, field in _PLACE.items() if call.get(name) is not None}
    return [drive for drive in vm.drives if drive.kind == kind and all(getattr(drive, field) == value for field, value in wanted.items())]


def _objects(call: Call, vm: Vm, kind: str) -> list[t.Any]:
    drives = sorted(_drives(call, vm, kind), key=lambda drive: (drive.controller, drive.number, drive.location))
    return [drive_object(call.host, vm, drive) for drive in drives]


@simulate("Hyper-V\\Get-VMHardDiskDrive", "VMName VM ControllerType ControllerNumber ControllerLocation")
def get_hard_drives(call: Call) -> Iterable[t.Any]:
    """The hard disk drives of VMs, with the newest file of each chain of checkpoints."""
    return get_each(call, vms_of(call), lambda vm: _objects(call, vm, "hard"))


@simulate("Hyper-V\\Get-VMDvdDrive", "VMName VM ControllerNumber ControllerLocation")
def get_dvd_drives(call: Call) -> Iterable[t.Any]:
    """The DVD drives of VMs."""
    return get_each(call, vms_of(call), lambda vm: _objects(call, vm, "dvd"))


def _free_place(call: Call, vm: Vm, kinds: tuple[str, ...]) -> tuple[t.Any, int, int]:
    """The first free place that fits what was asked for, IDE before SCSI (cmdlets.md 8)."""
    place = next(_free_places(call, vm, kinds), None)
    if place is None:
        fail(call, "ObjectNotFound", f"Hyper-V was unable to find a free location for a drive on '{vm.name}'.")
    return place


def _free_places(call: Call, vm: Vm, kinds: tuple[str, ...]) -> Iterator[tuple[t.Any, int, int]]:
    taken = {(drive.controller, drive.number, drive.location) for drive in vm.drives}
    number, location = call.get("ControllerNumber"), call.get("ControllerLocation")
    for kind in kinds:
        # a VM has one SCSI controller, unless the profile put drives on others
        numbers = {0, 1} if kind == "IDE" else {0, *(other for controller, other, _location in taken if controller == "SCSI")}
        for one in sorted(numbers if number is None else numbers & {number}):
            for where in range(_PLACES[kind]):
                if location in (None, where) and (kind, one, where) not in taken:
                    yield kind, one, where


def _add(call: Call, vm: Vm, kind: t.Literal["hard", "dvd"], place: tuple[t.Any, int, int]) -> None:
    drive = Drive(kind=kind, controller=place[0], number=place[1], location=place[2])
    if vm.state not in _OFF and (vm.state != "Running" or kind == "dvd" or drive.controller == "IDE"):
        device_failure(call, vm, _DRIVES[kind], "InvalidState", WRONG_STATE, verb="add")
    if call.get("Path"):
        drive.path = _medium(call, vm, kind, call.values["Path"])
    if kind == "hard" and vm.state in _OFF:
        systems.expect(vm)
    vm.drives.append(drive)


_DRIVES: t.Final = {"hard": "Synthetic Disk Drive", "dvd": "Synthetic DVD Drive"}
_MEDIA: t.Final = {"hard": "Virtual Hard Disk", "dvd": "Virtual CD/DVD Disk"}


def _medium(call: Call, vm: Vm, kind: t.Literal["hard", "dvd"], path: str) -> str:
    _check_absolute(path)
    if kind == "dvd" and not path.lower().endswith(".iso"):
        fail(call, "InvalidParameter", f"'{path}' is not the path of an ISO file.")
    disk = find_disk(call.host, path)
    if disk is None or (disk.type == "ISO") != (kind == "dvd"):
        # the kind as in gh:MicrosoftDocs/windows-powershell-docs#2286
        reason = f"Attachment '{path}' not found. Error: 'The system cannot find the file specified.' (0x80070002)"
        device_failure(call, vm, _MEDIA[kind], "OperationFailed", reason, verb="add")
    users = [] if kind == "dvd" else [one for one in call.host.vms if any(same_file(d.path, path) for d in one.drives)]
    if any(one is vm or one.state in power.ON for one in users):
        reason = f"The operation cannot be performed while the object is in use. Attachment '{path}'."
        device_failure(call, vm, _MEDIA[kind], "OperationFailed", reason, verb="add")
    return disk.path


def _newest(call: Call) -> Callable[[Vm], t.Any]:
    return lambda vm: drive_object(call.host, vm, vm.drives[-1])


@simulate("Hyper-V\\Add-VMHardDiskDrive", "VMName VM ControllerType ControllerNumber ControllerLocation Path AllowUnverifiedPaths Passthru")
def add_hard_drive(call: Call) -> Iterable[t.Any]:
    """Generation 2 has SCSI only; while a VM runs, only SCSI takes another disk."""

    def add(vm: Vm) -> None:
        kinds = ("IDE", "SCSI") if vm.generation == 1 else ("SCSI",)
        wanted = call.get("ControllerType")
        _add(call, vm, "hard", _free_place(call, vm, tuple(kind for kind in kinds if wanted in (None, kind))))

    return for_each(call, vms_of(call), add, _newest(call))


@simulate("Hyper-V\\Add-VMDvdDrive", "VMName VM ControllerNumber ControllerLocation Path AllowUnverifiedPaths Passthru")
def add_dvd_drive(call: Call) -> Iterable[t.Any]:
    """On IDE in generation 1, on SCSI in generation 2."""

    def add(vm: Vm) -> None:
        _add(call, vm, "dvd", _free_place(call, vm, ("IDE",) if vm.generation == 1 else ("SCSI",)))

    return for_each(call, vms_of(call), add, _newest(call))


def _drive_targets(call: Call, objects: str, kind: t.Literal["hard", "dvd"]) -> list[tuple[Vm, Drive]]:
    if objects in call.values:
        lives: list[DriveLive] = as_list(call.values[objects])
        gone = [live for live in lives if live.deleted]
        for live in gone:
            call.write_error("ObjectNotFound", "ObjectNotFound", f"Hyper-V was unable to find a drive of '{live.vm.name}'.")
        return [(live.vm, live.drive) for live in lives if not live.deleted]
    found = []
    for vm in vms_of(call):
        drives = _drives(call, vm, kind)
        if not drives:
            call.write_error("ObjectNotFound", "ObjectNotFound", f"Hyper-V was unable to find a drive of '{vm.name}'. {full_id(vm)}")
        found += [(vm, drive) for drive in drives]
    return found


@simulate("Hyper-V\\Remove-VMHardDiskDrive", "VMName ControllerType ControllerNumber ControllerLocation VMHardDiskDrive")
def remove_hard_drive(call: Call) -> Iterable[t.Any]:
    """Takes the drive away; the file stays."""

    def remove(pair: tuple[Vm, Drive]) -> None:
        vm, drive = pair
        if vm.state not in _OFF and (vm.state != "Running" or drive.controller == "IDE"):
            device_failure(call, vm, _DRIVES["hard"], "InvalidState", WRONG_STATE, verb="remove")
        if vm.state in _OFF and drive is systems.boot_drive(vm):
            systems.leave(call.host, vm)
        vm.drives[:] = [one for one in vm.drives if one is not drive]

    return for_each(call, _drive_targets(call, "VMHardDiskDrive", "hard"), remove)


@simulate("Hyper-V\\Set-VMDvdDrive", "VMName ControllerNumber ControllerLocation VMDvdDrive Path AllowUnverifiedPaths Passthru")
def set_dvd_drive(call: Call) -> Iterable[t.Any]:
    """Changes the medium, of a running VM too; without a place all DVD drives change, and a null path ejects (cmdlets.md 9)."""

    def change(pair: tuple[Vm, Drive]) -> None:
        vm, drive = pair
        if "Path" in call.values:
            drive.path = _medium(call, vm, "dvd", call.values["Path"]) if call.values["Path"] else None

    return for_each(call, _drive_targets(call, "VMDvdDrive", "dvd"), change, lambda pair: drive_object(call.host, *pair))
