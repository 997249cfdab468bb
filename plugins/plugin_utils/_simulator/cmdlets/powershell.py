# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: PowerShell's own cmdlets beside those of Hyper-V: files, time, handing an object on, and the restart of Windows."""

from __future__ import annotations

import typing as t

from .. import power
from ..calls import Live, NotSimulated
from ..lookup import as_list
from ..simulates import simulate
from ..text import same_file, same_text
from .storage import find_disk

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..calls import Call
    from ..model import Host


@simulate("Microsoft.PowerShell.Management\\Remove-Item", "LiteralPath Force")
def remove_item(call: Call) -> Iterable[t.Any]:
    """Deletes a file that the host knows; one that a VM holds stays. Ids and categories are general knowledge of PowerShell."""
    for path in as_list(call.values["LiteralPath"]):
        disk = find_disk(call.host, path)
        if disk is None:
            call.write_error(
                "PathNotFound", "ObjectNotFound", f"Cannot find path '{path}' because it does not exist.", "ItemNotFoundException"
            )
        elif _is_held(call.host, path):
            message = f"Cannot remove item {path}: The process cannot access the file '{path}' because it is being used by another process."
            call.write_error("RemoveFileSystemItemIOError", "WriteError", message, "IOException")
        else:
            call.host.disks[:] = [one for one in call.host.disks if one is not disk]
    return []


def _is_held(host: Host, path: str) -> bool:
    """Whether a VM that is on has the file in a drive, or a disk in it is based on the file."""
    drives = [drive for vm in host.vms if vm.state in power.ON for drive in vm.drives]
    return any(same_file(file, path) for drive in drives for file in power.chain(host, drive.path))


@simulate("Microsoft.PowerShell.Utility\\Write-Output", "InputObject")
def write_output(call: Call) -> Iterable[t.Any]:
    """Gives back what it was given."""
    return as_list(call.values["InputObject"])


@simulate("Microsoft.PowerShell.Utility\\Start-Sleep", "Seconds")
def start_sleep(call: Call) -> Iterable[t.Any]:
    """Simulated time passes, real time does not."""
    power.wait(call.host, call.values["Seconds"])
    return []


class ServiceController(Live):
    """The driver that NATs need, which Get-Service shows as a service."""

    type_names = (
        "System.ServiceProcess.ServiceController",
        "System.ComponentModel.Component",
        "System.MarshalByRefObject",
        "System.Object",
    )
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Name": lambda self: "WinNat",
        "DisplayName": lambda self: "Windows NAT Driver",
        "Status": lambda self: "Running" if self.host.winnat_running else "Stopped",
    }


def _only_winnat(call: Call) -> None:
    if any(not same_text(name, "winnat") for name in as_list(call.values.get("Name", ()))) or "Name" not in call.values:
        raise NotSimulated(f"{call.cmdlet} for another service than winnat")


@simulate("Microsoft.PowerShell.Management\\Get-Service", "Name")
def get_service(call: Call) -> Iterable[t.Any]:
    """One service is all there is."""
    _only_winnat(call)
    return [ServiceController(call.host)]


@simulate("Microsoft.PowerShell.Management\\Start-Service", "Name")
def start_service(call: Call) -> Iterable[t.Any]:
    """One that runs already is left alone."""
    _only_winnat(call)
    if call.host.rights != "administrator":
        message = "Service 'winnat (winnat)' cannot be started due to the following error: Cannot open winnat service on computer '.'."
        call.write_error("CouldNotStartService", "OpenError", message, "ServiceCommandException")
    else:
        call.host.winnat_running = True
    return []


RESTART_SECONDS = 2.0
"""From Restart-Computer until Windows goes down: its answer still comes."""


@simulate("Microsoft.PowerShell.Management\\Restart-Computer", "Force")
def restart_computer(call: Call) -> Iterable[t.Any]:
    """Windows goes down a little later, so that the call still returns; who asks meanwhile is refused."""
    host = call.host
    if host.rights != "administrator":
        call.write_error("PrivilegeNotEnabled", "InvalidOperation", "Cannot enable the privilege to restart.", "InvalidOperationException")
    elif host.restart_at is not None and host.restart_at <= host.clock + RESTART_SECONDS:
        message = f"Failed to restart the computer {host.name} with the following error message: A system shutdown is in progress."
        call.write_error("RestartcomputerFailed", "OperationStopped", message, "InvalidOperationException")
    else:
        host.restart_at = host.clock + RESTART_SECONDS
    return []
