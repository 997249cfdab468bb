# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: paths on the host, and the options of a virtual hard disk: all that can be said of them without the host."""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from ._errors import InvalidOptions
from ._options import MB, Option, Options, Spec, choice, number, ordinal, size
from ._vms import as_id

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]|[\\/]{2}[^\\/]")
_NOT_IN_A_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]|\.\.')
_NOT_IN_A_PATH = re.compile(r'[<>:"|?*\x00-\x1f]')
_LOCATIONS = {"IDE": 2, "SCSI": 64}
_CONTROLLERS = {"IDE": 2, "SCSI": 1}
"""A VM begins with SCSI 0, and none of the cmdlets that this collection calls adds a controller, or says which there are."""


def absolute(name: str, value: str) -> str:
    """A path from a drive letter or a share on: a remote process has no folder of its own."""
    if not _ABSOLUTE.match(value):
        raise InvalidOptions(f"{name}: '{value}' is not an absolute path", fix=f"write it like D:\\VMs\\{value}")
    start = 3 if value[1] == ":" else 2
    parts = re.split(r"[\\/]", value[start:])
    if "" in parts[:-1] or {".", ".."} & set(parts):
        # Two ways to write one path would be two disks.
        tidy = "\\".join(part for part in parts if part not in ("", ".", ".."))
        raise InvalidOptions(f"{name}: '{value}' is not the plain way to write that path", fix=f"did you mean {value[:start]}{tidy}?")
    wrong = _NOT_IN_A_PATH.search(value[2:])
    if wrong:
        raise InvalidOptions(f"{name}: '{value}' has a character that no path has: {wrong[0]!r}", fix="give the path of one file or folder")
    return value


def _disk_path(name: str, value: str) -> str:
    if not value.lower().endswith((".vhd", ".vhdx")):
        raise InvalidOptions(f"{name}: '{value}' does not end in .vhdx or .vhd", fix=f"did you mean {value}.vhdx?")
    return absolute(name, value)


def _check_disk(disk: Options) -> None:
    if disk.parent and (disk.size or disk.type):
        raise InvalidOptions(
            f"the disk {disk.path} has a parent, from which it gets its size, and is neither dynamic nor fixed",
            fix="leave out size and type, or parent",
        )
    if disk.type and not disk.size:
        raise InvalidOptions(f"the disk {disk.path} has a type and no size", fix="add size, or leave type out for a disk that exists")
    given = [disk[name] is not None for name in _PLACE]
    if any(given) and not all(given):
        raise InvalidOptions(f"the disk {disk.path} has half a place", fix=f"give {', '.join(_PLACE)}, or none of them")
    if all(given):
        kind = disk.controller_type
        if disk.controller_number >= _CONTROLLERS[kind] or disk.controller_location >= _LOCATIONS[kind]:
            raise InvalidOptions(
                f"there is no place {_explicit(disk)}",
                fix="IDE has the controllers 0 and 1 with the locations 0 and 1, and SCSI has the controller 0 with the locations 0 to 63"
                " (controllers that were added to a VM are not managed)",
            )


_PLACE = ("controller_type", "controller_number", "controller_location")
DISK = Spec(
    check=_check_disk,
    path=Option(required=True, convert=_disk_path),
    size=size(multiple=4096, minimum=3 * MB),
    type=choice("dynamic", "fixed"),
    parent=Option(convert=_disk_path),
    controller_type=choice("SCSI", "IDE"),
    controller_number=number(0),
    controller_location=number(0),
)
"""The options of one disk."""


def check_paths(options: Options) -> None:
    """Raise InvalidOptions when VMs or disks of the task would share a file, or {vm} would lead out of its folder."""
    disks: Sequence[Options] = options.disks or ()
    for many, what in ((_twice(file_key(disk.path) for disk in disks), "file"), (_twice(map(_explicit, disks)), "place")):
        if many:
            raise InvalidOptions(f"two disks of one VM have the same {what}, {many}", fix=f"give each disk a {what} of its own")
    names = {ordinal(name): name for name in options.vms}
    own = {file_key(filled(disk.path, name)) for disk in disks for name in names.values()}
    for disk in disks:
        if disk.parent and any(file_key(filled(disk.parent, name)) in own for name in names.values()):
            raise InvalidOptions(
                f"{disk.parent} would be a disk of a VM and the parent of the disk {disk.path}: a parent must not be written to",
                fix="leave the parent out of the disks; give each VM a differencing disk on it",
            )
    fixed = [disk.path for disk in disks if "{vm}" not in disk.path]
    if len(names) > 1 and fixed:
        raise InvalidOptions(
            f"{len(names)} VMs would share the disk {fixed[0]}", fix="put {vm} into the path: it stands for the name of the VM"
        )
    places = [text for disk in disks for text in (disk.path, disk.parent)] + [options.path, options.dvd]
    for text in filter(None, places):
        for name in names.values() if "{vm}" in text else ():
            _check_name(name, text)


def _check_name(name: str, path: str) -> None:
    if as_id(name):
        raise InvalidOptions(f"{{vm}} in {path} stands for a name, and {name} is an id", fix="name the VM, or write the path out")
    wrong = _NOT_IN_A_FILE_NAME.search(name)
    if wrong or name != name.strip() or name.endswith("."):
        what = f"holds {wrong[0]!r}" if wrong else "begins or ends with a blank or a dot"
        raise InvalidOptions(
            f"the VM's name '{name}' {what}, so that it cannot stand in the path {path}", fix="write the path out for this VM"
        )


def _explicit(disk: Options) -> str:
    return "" if disk.controller_type is None else f"{disk.controller_type} {disk.controller_number}:{disk.controller_location}"


def _twice(values: Iterable[str]) -> str:
    return next((value for value, times in Counter(values).items() if value and times > 1), "")


def filled(text: str, name: str) -> str:
    """A path with the VM's name in it."""
    return text.replace("{vm}", name)


def file_key(path: str) -> str:
    """What two spellings of a Windows path have in common."""
    return ordinal(path.replace("/", "\\"))
