# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: guests and the disks that they lie on: which one a VM starts, and where it stays when the VM goes.

A guest is in one place only: on its disk until a VM starts from it, then in the VM until that or the disk is taken away.
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from . import profiles, tree
from .model import Guest
from .text import file_key

if t.TYPE_CHECKING:
    from .model import Disk, Drive, Host, Vm


def boot_drive(vm: Vm) -> Drive | None:
    """The first hard disk drive of the boot order."""
    hard = [drive for drive in vm.drives if drive.kind == "hard" and drive.path is not None]
    return min(hard, key=lambda drive: _boot_place(vm, drive), default=None)


def _boot_place(vm: Vm, drive: Drive) -> tuple[bool, str, int, int]:
    place = f"{drive.controller} {drive.number}:{drive.location}"
    return (place != vm.first_boot, drive.controller, drive.number, drive.location)


def _boot_disk(host: Host, vm: Vm) -> Disk | None:
    drive = boot_drive(vm)
    return None if drive is None else _disk_at(host, drive.path)


def _disk_at(host: Host, path: str | None) -> Disk | None:
    return next((disk for disk in host.disks if path is not None and file_key(disk.path) == file_key(path)), None)


def take(host: Host, vm: Vm) -> None:
    """The VM starts what its boot disk holds: the disk's own guest, or a copy of the one that the disk is based on."""
    own = disk = _boot_disk(host, vm)
    while disk is not None and disk.guest is None and disk.parent is not None:
        disk = _disk_at(host, disk.parent)
    if own is None or disk is None:
        return
    if disk.guest is None:
        vm.guest = Guest(installed=not disk.empty)
    elif disk is own:
        vm.guest, disk.guest = disk.guest, None
    else:
        vm.guest = copy.deepcopy(disk.guest)
    vm.guest.from_disk = True
    profiles.complete_inside(host, vm)


def expect(vm: Vm) -> None:
    """A VM that had no disk gets one: the next start looks what is on it."""
    if boot_drive(vm) is None and vm.guest.from_disk:
        vm.guest = Guest(installed=False, from_disk=True)


def leave(host: Host, vm: Vm) -> None:
    """The VM or its boot disk is taken away: the guest stays on the disk."""
    guest, disk = vm.guest, _boot_disk(host, vm)
    if disk is None or not guest.installed or not (guest.from_disk or guest.windows):
        return
    if guest.windows is not None:
        tree.unlink(guest.windows)
    plain = dataclasses.replace(guest, from_disk=False)
    disk.guest = None if plain == Guest() else plain
    vm.guest = Guest(installed=False, from_disk=True)
