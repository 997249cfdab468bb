# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: PowerShell's own cmdlets beside those of Hyper-V: deleting a file, letting time pass, and handing an object on."""

from __future__ import annotations

import typing as t

from .. import power
from ..lookup import as_list
from ..simulates import simulate
from .storage import find_disk

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..calls import Call


@simulate("Microsoft.PowerShell.Management\\Remove-Item", "LiteralPath Force")
def remove_item(call: Call) -> Iterable[t.Any]:
    """Deletes a file that the host knows; one that a VM holds stays. Ids and categories are general knowledge of PowerShell."""
    for path in as_list(call.values["LiteralPath"]):
        disk = find_disk(call.host, path)
        users = [vm for vm in call.host.vms if vm.state in power.ON and any(power.same_file(drive.path, path) for drive in vm.drives)]
        if disk is None:
            call.write_error(
                "PathNotFound", "ObjectNotFound", f"Cannot find path '{path}' because it does not exist.", "ItemNotFoundException"
            )
        elif users:
            message = f"Cannot remove item {path}: The process cannot access the file '{path}' because it is being used by another process."
            call.write_error("RemoveFileSystemItemIOError", "WriteError", message, "IOException")
        else:
            call.host.disks[:] = [one for one in call.host.disks if one is not disk]
    return []


@simulate("Microsoft.PowerShell.Utility\\Write-Output", "InputObject")
def write_output(call: Call) -> Iterable[t.Any]:
    """Gives back what it was given."""
    return as_list(call.values["InputObject"])


@simulate("Microsoft.PowerShell.Utility\\Start-Sleep", "Seconds")
def start_sleep(call: Call) -> Iterable[t.Any]:
    """Simulated time passes, real time does not."""
    power.wait(call.host, call.values["Seconds"])
    return []
