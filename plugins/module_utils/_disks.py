# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: virtual hard disks: which file is at which place of a VM, and the steps that change it.

A disk is the file at a place: a controller's type and number, and a location on it. A checkpoint puts a differencing file
in the wanted file's place; that is the wanted disk still.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._disk_options import file_key, filled
from ._errors import HypervError, Refused
from ._options import Options, show_size
from ._plan import Change, unchanged
from ._steps import Answers, From, Row, Step
from ._vms import NO_OBJECT, Vm, by_vm, component_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_VHD = frozenset({"InvalidParameter", "ObjectNotFound"})
"""How Get-VHD says that there is no such disk: the former kind was seen (gh:openzfsonwindows/openzfs#381)."""
UNREADABLE = NO_VHD | {
    "ParameterArgumentValidationError",
    "ParameterArgumentValidationErrorEmptyStringNotAllowed",
    "OperationFailed",
    "ObjectInUse",
    "Unspecified",
}
"""How Get-VHD says that it cannot read one of many: there is no path (gh:ghostinthewires/Hyper-V-Reporting-Script#5), the file is
in use by another host (cmdlets.md 9; gh:taliesins/terraform-provider-hyperv#188), or it is no disk. What was not read is a reason
to refuse where something hangs on it, and nowhere else."""
DEPTH = 16
"""So many checkpoints on one another are followed down to the disk that they began with."""

DRIVE_FIELDS = ("VMId", "Path", "ControllerType", "ControllerNumber", "ControllerLocation")
VHD_FIELDS = ("Path", "Size", "VhdType", "ParentPath", "Attached")

# --- what is wanted where ---


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where a drive sits in a VM."""

    controller: str
    number: int
    location: int

    def __str__(self) -> str:
        return f"{self.controller} {self.number}:{self.location}"

    @property
    def parameters(self) -> dict[str, t.Any]:
        """As the cmdlets take it."""
        return {"ControllerType": self.controller, "ControllerNumber": self.number, "ControllerLocation": self.location}


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A wanted disk."""

    place: Place
    path: str
    size: int | None
    type: str | None
    parent: str | None


def place_of(row: Row) -> Place:
    """Where a drive was found."""
    return Place(str(row["ControllerType"]), int(row["ControllerNumber"]), int(row["ControllerLocation"]))


def wanted_disks(options: Options, name: str, generation: int, taken: Iterable[Place] = ()) -> list[Disk]:
    """The task's disks for one VM: those without a place come, in their order, on the first places that nothing else has.

    Raises HypervError when there are not so many places.
    """
    occupied = {Place(d.controller_type, d.controller_number, d.controller_location) for d in options.disks or () if d.controller_type}
    occupied |= set(taken)
    free = [place for place in _default_places(generation) if place not in occupied]
    placeless = sum(not disk.controller_type for disk in options.disks or ())
    if placeless > len(free):
        raise Refused(
            f"VM '{name}' has {len(free)} places for disks without a place, and the task has {placeless} of them",
            code="no_free_place",
            subject=name,
            fix="ask for fewer disks",
        )
    places = iter(free)
    return [
        Disk(
            place=Place(disk.controller_type, disk.controller_number, disk.controller_location) if disk.controller_type else next(places),
            path=filled(disk.path, name),
            size=disk.size,
            type=disk.type,
            parent=disk.parent and filled(disk.parent, name),
        )
        for disk in options.disks or ()
    ]


def _default_places(generation: int) -> Iterator[Place]:
    if generation == 1:
        # It boots from IDE only; the second IDE controller is the DVD drive's.
        yield from (Place("IDE", 0, 0), Place("IDE", 0, 1))
    yield from (Place("SCSI", 0, location) for location in range(64))


# --- reading ---


def drive_queries(names: Sequence[str]) -> tuple[Step, ...]:
    """The drives of VMs, saved as `drives` and `dvds`."""
    return (
        *component_queries(names, "Hyper-V\\Get-VMHardDiskDrive", "drives", DRIVE_FIELDS),
        *component_queries(names, "Hyper-V\\Get-VMDvdDrive", "dvds", DRIVE_FIELDS),
    )


def file_queries(options: Options) -> tuple[Step, ...]:
    """The wanted files and their parents, each on its own: one that is not there hides no other."""
    return tuple(
        Step("Hyper-V\\Get-VHD", {"Path": path}, save=f"file {index}", select=VHD_FIELDS, absent=NO_VHD)
        for index, path in enumerate(_wanted_files(options).values())
    )


def _wanted_files(options: Options) -> dict[str, str]:
    paths = [text for disk in options.disks or () for text in (disk.path, disk.parent) if text]
    return {file_key(path): path for text in paths for path in (filled(text, name) for name in options.vms)}


def chain_queries(vms: Sequence[str]) -> tuple[Step, ...]:
    """The files in the drives of the VMs that were saved under these names, and those below them.

    By VM, for a drive's path may be empty or the name of a physical disk, and one that is empty fails the call for all.
    """
    return tuple(
        Step("Hyper-V\\Get-VHD", which, save=_chain(level, saved), select=VHD_FIELDS, absent=NO_OBJECT | UNREADABLE)
        for saved in vms
        for level, which in enumerate(
            [
                {"VMId": From(save=saved, count=None, property="Id")},
                *(
                    {"Path": From(save=_chain(level, saved), where={"VhdType": "Differencing"}, count=None, property="ParentPath")}
                    for level in range(DEPTH)
                ),
            ]
        )
    )


def _chain(level: int, vms: str) -> str:
    return f"chain {level} {vms}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Virtual hard disks of the host by file_key; what is not here does not exist, or was not asked for."""

    rows: Mapping[str, Row]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> Files:
        """From the answers to file_queries and chain_queries."""
        chains = (_chain(level, vms) for level in range(DEPTH + 1) for vms in ("vms", "every_vm"))
        rows = {file_key(row["Path"]): row for saved in chains for row in answers.rows(saved)}
        for index, key in enumerate(_wanted_files(options)):
            row = answers.one(f"file {index}")
            # a cmdlet that reads [1] as a wildcard would answer with another file
            if row is not None and file_key(row["Path"]) == key:
                rows[key] = row
        return cls(rows=rows)

    def get(self, path: str) -> Row | None:
        """The file of that path."""
        return self.rows.get(file_key(path))

    def parent(self, path: str) -> str | None:
        """The file that a differencing one is based on."""
        row = self.get(path)
        return str(row["ParentPath"]) if row and row["ParentPath"] else None

    def below_checkpoints(self, path: str) -> str:
        """The disk that checkpoints of a VM have put differencing files on."""
        for _level in range(DEPTH + 1):
            below = self.parent(path) if _is_checkpoint(path) else None
            if below is None:
                return path
            path = below
        return path

    def unread(self, path: str) -> str | None:
        """The first file, of this one and those below it, that should be a disk and could not be read."""
        below: str | None = path
        for _level in range(DEPTH + 1):
            if below is None:
                return None
            if self.get(below) is None:
                return below if _is_file(below) else None
            below = self.parent(below)
        return below


def _is_checkpoint(path: str) -> bool:
    return path.lower().endswith((".avhdx", ".avhd"))


def _is_file(path: str) -> bool:
    """Neither an empty drive nor a physical disk."""
    return path.lower().endswith((".vhdx", ".vhd", ".vhds", ".avhdx", ".avhd"))


# --- who has it ---


def everybodys_queries() -> tuple[Step, ...]:
    """The drives of all VMs of the host, running or not."""
    return (
        Step("Hyper-V\\Get-VM", save="every_vm", select=("Id", "Name")),
        Step(
            "Hyper-V\\Get-VMHardDiskDrive",
            {"VM": From(save="every_vm", count=None)},
            save="every_drive",
            select=DRIVE_FIELDS,
            absent=NO_OBJECT,
        ),
    )


UNREAD = ""
"""The key in Users of a disk that could not be read, so that nobody knows what it is based on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Users:
    """Which VMs of the host need a file: as a disk of theirs, or as the parent of one as far as chain_queries read that."""

    by_file: Mapping[str, Mapping[str, tuple[str, str]]]
    """By file_key, then by the VM's id: the error code for taking the file away from it, and its name."""

    @classmethod
    def from_answers(cls, answers: Answers, files: Files) -> Users:
        """From the answers to everybodys_queries."""
        names = {str(row["Id"]): str(row["Name"]) for row in answers.rows("every_vm")}
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for row in answers.rows("every_drive"):
            vm_id, path = str(row["VMId"]), row["Path"]
            if not path:
                continue
            name = names.get(vm_id, "?")
            found.setdefault(file_key(path), {})[vm_id] = ("disk_shared", name)
            if files.unread(path):
                found.setdefault(UNREAD, {})[vm_id] = ("disk_unknown", name)
            for _level in range(DEPTH + 1):
                path = files.parent(path)
                if path is None:
                    break
                found.setdefault(file_key(path), {}).setdefault(vm_id, ("disk_is_parent", name))
        return cls(by_file=found)

    def other(self, path: str, vm_id: str) -> tuple[str, str] | None:
        """The code and the name of a VM other than this one that needs the file."""
        of_file = self.by_file.get(path and file_key(path), {})
        return next((use for user, use in of_file.items() if user != vm_id), None)

    def holder(self, path: str) -> str | None:
        """The name of a VM that has the file itself in a drive."""
        return next((name for code, name in self.by_file.get(file_key(path), {}).values() if code == "disk_shared"), None)


def shown_drives(drives: Sequence[Row], files: Files) -> list[dict[str, t.Any]]:
    """The disks of a VM as a result shows them."""
    return [
        {
            "path": row["Path"] or None,
            "controller_type": place.controller,
            "controller_number": place.number,
            "controller_location": place.location,
            **({"parent": files.parent(row["Path"])} if row["Path"] and files.get(row["Path"]) else {}),
        }
        for place, row in sorted((place_of(row), row) for row in drives)
    ]


# --- changing ---


@dataclass(frozen=True, kw_only=True, slots=True)
class DisksOfVm:
    """The disks that one VM has and shall have; one that is yet to be made has none."""

    label: str
    id: str = ""
    """Empty: yet to be made."""
    generation: int
    wanted: Sequence[Disk]
    files: Files
    users: Users
    drives: Sequence[Row] = ()
    dvds: Sequence[Place] = ()
    """The places that DVD drives have, or will have."""
    checkpoints: bool = False

    def at(self) -> dict[Place, Row]:
        """The hard disk drives by place."""
        return {place_of(row): row for row in self.drives}

    def has(self, disk: Disk) -> bool:
        """Whether the wanted disk is in its place, maybe under checkpoints."""
        row = self.at().get(disk.place)
        return row is not None and file_key(self.files.below_checkpoints(row["Path"] or "")) == file_key(disk.path)

    def missing(self) -> list[Disk]:
        """The wanted disks that are not in their places."""
        return [disk for disk in self.wanted if not self.has(disk)]

    def leaving(self) -> list[Row]:
        """The drives that have to go: another file where a wanted one belongs, and a wanted one that is elsewhere."""
        missing = self.missing()
        places, paths = {disk.place for disk in missing}, {file_key(disk.path) for disk in missing}
        return [row for place, row in self.at().items() if place in places or file_key(row["Path"] or "") in paths]


def disk_refusals(each: DisksOfVm) -> Iterator[HypervError]:
    """Why the wanted disks cannot be had; what is in its place already and as wanted is no reason."""
    for disk in each.wanted:
        yield from _file_refusals(each, disk)
    about = f"VM '{each.label}'"
    if each.generation == 2 and any(disk.place.controller == "IDE" for disk in each.missing()):
        fix = "use SCSI, or leave the place out"
        yield Refused(f"{about} is of generation 2, which has no IDE controllers", code="no_ide_controller", subject=each.label, fix=fix)
    taken = set(each.dvds) & {disk.place for disk in each.missing()}
    if taken:
        fix = "choose another place, or leave the place out: then a disk comes where nothing is"
        places = ", ".join(map(str, sorted(taken)))
        yield Refused(f"{about} has a DVD drive at {places}", code="place_taken", subject=each.label, fix=fix)
    for row in each.leaving():
        # of a checkpoint's file, which may well be the wanted disk
        unread = each.files.unread(row["Path"] or "") if _is_checkpoint(row["Path"] or "") else None
        if unread:
            yield Refused(
                f"{about}: nobody can say whether {row['Path']} at {place_of(row)} is the wanted disk, because {unread} cannot be read",
                code="disk_unknown",
                subject=each.label,
                fix="look at the file with Get-VHD, and repair it or remove the checkpoints",
            )
    if each.leaving() and each.checkpoints:
        places = ", ".join(str(place_of(row)) for row in each.leaving())
        yield Refused(
            f"{about} has checkpoints, and the disk at {places} would have to be taken out of it",
            code="vm_has_checkpoints",
            subject=each.label,
            fix="remove the checkpoints first (Get-VMSnapshot, Remove-VMSnapshot), or ask for the disk that is there",
        )


def _file_refusals(each: DisksOfVm, disk: Disk) -> Iterator[HypervError]:
    about, row = f"VM '{each.label}': the disk {disk.path}", each.files.get(disk.path)
    used = each.users.other(disk.path, each.id) if disk in each.missing() else None
    if used:
        what = "is a disk of" if used[0] == "disk_shared" else "is the parent of a disk of"
        fix = (
            "take it out of that VM first (Remove-VMHardDiskDrive), choose another path, or use a differencing disk on a parent of its own"
        )
        yield Refused(f"{about} {what} VM '{used[1]}'", code="disk_in_use", subject=each.label, fix=fix)
        return
    if row is None:
        if disk.parent and not each.files.get(disk.parent):
            fix = "check the path of the parent, or make it first"
            yield Refused(f"{about} has no parent: {disk.parent} does not exist", code="parent_missing", subject=each.label, fix=fix)
        elif disk.parent and each.users.holder(disk.parent):
            yield Refused(
                f"{about} would be based on {disk.parent}, which is a disk of VM '{each.users.holder(disk.parent)}':"
                " as soon as that VM writes to it, what is based on it is broken",
                code="parent_in_use",
                subject=each.label,
                fix="take it out of that VM first (Remove-VMHardDiskDrive), or copy the file and base the disk on the copy",
            )
        elif not disk.parent and not disk.size:
            fix = "check the path; or give size for a new disk, or parent for a differencing one"
            yield Refused(f"{about} does not exist", code="disk_missing", subject=each.label, fix=fix)
        return
    differs = _difference(disk, row)
    if differs:
        yield Refused(
            f"{about} exists and {differs}",
            code="disk_differs",
            subject=each.label,
            fix="ask for it as it is, choose another path, or change it with Resize-VHD or Convert-VHD while no VM uses it",
        )
    elif row["Attached"] and disk in each.missing() and not any(file_key(d["Path"] or "") == file_key(disk.path) for d in each.drives):
        fix = "dismount it (Dismount-VHD), or find out who uses it"
        yield Refused(f"{about} is in use, and by no drive of a VM", code="disk_in_use", subject=each.label, fix=fix)


def _difference(disk: Disk, row: Row) -> str:
    if disk.size and int(row["Size"]) != disk.size:
        return f"is of {show_size(int(row['Size']))}, not {show_size(disk.size)}"
    kind = str(row["VhdType"])
    if disk.type and kind.lower() != disk.type:
        return f"is {kind.lower()}, not {disk.type}"
    if disk.parent and file_key(row["ParentPath"] or "") != file_key(disk.parent):
        return f"has the parent {row['ParentPath']}, not {disk.parent}" if row["ParentPath"] else f"has no parent, not {disk.parent}"
    return ""


def new_file_steps(each: DisksOfVm) -> Iterator[Step]:
    """Make the wanted files that do not exist; the undo deletes what was made, and nothing else."""
    for disk in each.missing():
        if each.files.get(disk.path) is None:
            how: dict[str, t.Any] = {"ParentPath": disk.parent, "Differencing": True}
            if not disk.parent:
                how = {"SizeBytes": disk.size, ("Fixed" if disk.type == "fixed" else "Dynamic"): True}
            yield Step("Hyper-V\\New-VHD", {"Path": disk.path, **how}, undo=remove_file(disk.path))


def remove_file(path: str) -> Step:
    """Delete a file; -LiteralPath knows no wildcards."""
    return Step("Microsoft.PowerShell.Management\\Remove-Item", {"LiteralPath": path, "Force": True})


def add_step(disk: Disk, vm: From, key: str) -> Step:
    """Put a disk into its place; `key` tells VMs apart."""
    saved = f"disk {key} {disk.place}"
    undo = Step("Hyper-V\\Remove-VMHardDiskDrive", {"VMHardDiskDrive": From(save=saved, shown={**vm.shown, **disk.place.parameters})})
    parameters = {"VM": vm, **disk.place.parameters, "Path": disk.path, "Passthru": True}
    return Step("Hyper-V\\Add-VMHardDiskDrive", parameters, save=saved, undo=undo)


def disk_change(each: DisksOfVm, vm: Vm) -> Change:
    """Files first, then what has to leave its place, then what comes; not `real` when all is as wanted."""
    missing, leaving = each.missing(), each.leaving()
    before = {str(place): row["Path"] or None for place, row in each.at().items()}
    gone = {str(place_of(row)) for row in leaving}
    after = {place: path for place, path in before.items() if place not in gone} | {str(disk.place): disk.path for disk in missing}
    places = sorted({*gone, *(str(disk.place) for disk in missing)})
    return Change(
        subject=vm,
        attributes={f"disk {place}": (before.get(place), after.get(place)) for place in places},
        steps=(
            # New-VHD and Remove-VMHardDiskDrive do not say for which VM they are
            unchanged(vm.ref),
            *new_file_steps(each),
            *(_remove_step(vm, row) for row in leaving),
            *(add_step(disk, vm.again if leaving else vm.ref, vm.id) for disk in missing),
        ),
        # A running VM takes a disk on SCSI and nothing else of this.
        needs_off=bool(leaving) or vm.state != "Running" or any(disk.place.controller == "IDE" for disk in missing),
    )


def _remove_step(vm: Vm, row: Row) -> Step:
    place = place_of(row)
    drive = row.ref("VMId", *DRIVE_FIELDS[1:], shown={**vm.shown, **place.parameters})
    undo = Step("Hyper-V\\Add-VMHardDiskDrive", {"VM": vm.again, **place.parameters, "Path": row["Path"]})
    return Step("Hyper-V\\Remove-VMHardDiskDrive", {"VMHardDiskDrive": drive}, undo=undo)


# --- removing files ---


def removal_refusals(each: DisksOfVm) -> Iterator[HypervError]:
    """Why the disks of a VM must stay. A VM that goes in the same task counts like any other: its removal may fail."""
    about = f"VM '{each.label}'"
    if each.checkpoints and each.drives:
        yield Refused(
            f"{about} has checkpoints, which Hyper-V merges into its disks when the VM is removed; nobody can say when it is done",
            code="vm_has_checkpoints",
            subject=each.label,
            fix="remove the checkpoints first (Remove-VMSnapshot), or keep the disks (remove_disks=false)",
        )
    for row in each.drives:
        if _is_file(row["Path"] or "") and not each.files.get(row["Path"]):
            yield Refused(
                f"{about}: {row['Path']} cannot be read, so nobody can say what it is",
                code="disk_unknown",
                subject=each.label,
                fix="look at the file with Get-VHD; take the disk out of the VM (Remove-VMHardDiskDrive), or keep the disks"
                " (remove_disks=false)",
            )
    for path in removable(each):
        code, other = each.users.other(path, each.id) or each.users.other(UNREAD, each.id) or ("", "")
        if code:
            what, fix = _WHY_IT_STAYS[code]
            keep = "or keep the disks (remove_disks=false)"
            yield Refused(f"{about}: {path} {what} VM '{other}'", code=code, subject=each.label, fix=f"{fix.format(other)}, {keep}")


_WHY_IT_STAYS = {
    "disk_shared": ("is a disk of", "take it out of VM '{}', or remove that VM in a task of its own first"),
    "disk_is_parent": ("is the parent of a disk of", "remove the children in a task of their own first (VM '{}')"),
    "disk_unknown": ("may be the parent of a disk, not to be read, of", "repair or remove VM '{}' in a task of its own first"),
}
"""By error code: what the file is of another VM, and the way out."""


def removable(each: DisksOfVm) -> list[str]:
    """The files in a VM's drives, as far as they exist: not their parents, and no physical disk."""
    return [row["Path"] for row in each.drives if row["Path"] and each.files.get(row["Path"])]


def unchanged_steps(each: DisksOfVm) -> Iterator[Step]:
    """Fail the group unless the drives have the files that were planned on."""
    for row in each.drives:
        if row["Path"] and each.files.get(row["Path"]):
            drive = row.ref("VMId", *DRIVE_FIELDS[1:])
            yield Step("Hyper-V\\Get-VHD", {"Path": replace(drive, property="Path")}, poll=True)


def disks_by_vm(answers: Answers) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Hard disk drives and DVD drives by the id of their VM."""
    return by_vm(answers.rows("drives")), by_vm(answers.rows("dvds"))
