# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: PowerShell Direct: whom Invoke-Command finds, who may log on, and the errors on the way (facts 6.4)."""

from __future__ import annotations

import dataclasses
import typing as t

from . import faults, power, tree
from .binder import Parameter, Signature
from .calls import CmdletError, NotSimulated, Record
from .text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .calls import Call, Live
    from .model import Host, Vm

_ENDED = "An error has occurred which Windows PowerShell cannot handle. A remote session might have ended."
_HRESULT = -2146233087
"""COR_E_SYSTEM, as the exceptions of PowerShell's remoting have it."""
_BAD_ARGUMENT = -2147024809
"""E_INVALIDARG, an ArgumentException's."""

SIGNATURE: t.Final = Signature(
    name="Invoke-Command",
    module="Microsoft.PowerShell.Core",
    compiled=True,
    class_name="Microsoft.PowerShell.Commands.InvokeCommandCommand",
    default_set=None,
    sets={"VMId": {"VMId": True, "Credential": True}, "VMName": {"VMName": True, "Credential": True}},
    parameters={
        "VMId": Parameter(name="VMId", type="Guid[]", full_name="System.Guid", aliases=("VMGuid",), not_empty=True),
        "VMName": Parameter(name="VMName", type="String[]", full_name="System.String", not_empty=True),
        "Credential": Parameter(name="Credential", type="PSCredential", full_name="System.Management.Automation.PSCredential"),
    },
)
"""The two ways into a guest; the runner gives the script block and its arguments by itself."""


class SessionLost(Exception):
    """The VM went off, or Windows started again, while a session was open in it."""


@dataclasses.dataclass(frozen=True)
class Visit:
    """A session in Windows: it lasts until that starts again; one in a guest needs a VM that runs, too."""

    host: Host
    booted: float
    guest: bool = True

    def check(self) -> None:
        """End the session if its Windows is gone."""
        vm = self.host.machine
        if self.host.booted != self.booted or (self.guest and (vm is None or vm.state != "Running")):
            raise SessionLost


def refuse_unknown(values: t.Mapping[str, t.Any]) -> None:
    """Invoke-Command has many other uses, none of them ours."""
    known = {"vmid", "vmguid", "vmname", "credential"}
    other = next((name for name in values if name.lower() not in known), None)
    if other is not None or not {name.lower() for name in values} & (known - {"credential"}):
        raise NotSimulated(f"Invoke-Command {f'-{other}' if other else 'without -VMId or -VMName'}")


def find(call: Call, get_vm: Callable[[str, str], list[Live]]) -> Vm:
    """The one running VM that is meant: Invoke-Command itself asks Get-VM, whose own errors it does not show."""
    parameter = "VMId" if "VMId" in call.values else "VMName"
    given = call.values[parameter]
    if len(given) != 1:
        raise NotSimulated(f"Invoke-Command for {len(given)} VMs at once")
    found = [t.cast("Vm", getattr(live, "vm")) for live in get_vm(parameter.removeprefix("VM"), given[0])]  # noqa: B009 - a Live of a VM
    if len(found) != 1:
        text = f"The input {parameter} {given[0]} does not resolve to a single virtual machine."
        raise _refused(call, f"Invalid{parameter}NotSingle", "InvalidArgument", text)
    [vm] = found
    if vm.state == "Paused":
        raise NotSimulated(f"PowerShell Direct to the paused VM {vm.name}: it hangs")
    if vm.state != "Running":
        raise _refused(call, "InvalidVMState", "InvalidArgument", f"The virtual machine {vm.name} is not in running state.")
    return vm


def module_missing(call: Call) -> CmdletError:
    """There is no Get-VM to ask."""
    text = "The Hyper-V Module for Windows PowerShell is not available on this machine."
    return _refused(call, "HyperVModuleNotAvailable", "NotInstalled", text)


def _refused(call: Call, kind: str, category: str, message: str) -> CmdletError:
    return CmdletError(dataclasses.replace(call.record(kind, category, message, "ArgumentException"), hresult=_BAD_ARGUMENT))


def mishap(call: Call, vm: Vm) -> bool:
    """Whether a fault of the profile keeps the call from doing anything; one that is not silent is raised."""
    call.values |= {"VMName": vm.name, "VMId": vm.id}
    fate = faults.intercept(call)
    if fate == "failed":
        raise CmdletError(call.errors.pop())
    return fate == "silent"


def enter(host: Host, vm: Vm, user: str, password: str) -> Visit:
    """Open a session, if the guest answers and lets this user in."""
    inside = vm.guest.windows
    if not power.direct_possible(host, vm):
        raise _broken("PSRemotingDataStructureException", _ENDED)
    if inside is None:
        raise NotSimulated(f"the inside of VM {vm.name}, whose profile has no guest.windows")
    _log_on(inside, vm, user, password)
    tree.refresh(inside)
    return Visit(inside, inside.booted)


def _log_on(inside: Host, vm: Vm, user: str, password: str) -> None:
    if not user:
        raise _broken("PSDirectException", "The input username cannot be empty.")
    known = next((right for name, right in vm.guest.users.items() if same_text(name, _account(inside, user))), None)
    # Windows refuses blank passwords to everything but the console
    if not password or known != password:
        raise _broken("PSDirectException", "The credential is invalid.")


def _account(inside: Host, user: str) -> str:
    """A user's name without the computer's, where that stands before it."""
    domain, slash, name = user.partition("\\")
    return name if slash and (domain == "." or same_text(domain, inside.name)) else user


def ended() -> CmdletError:
    """The error of a session that was open, and is no more."""
    return _broken("PSRemotingTransportException", "The Hyper-V socket target process has ended.", "2100,PSSessionStateBroken")


def _broken(reason: str, message: str, kind: str = "PSSessionStateBroken") -> CmdletError:
    return CmdletError(Record(id=kind, category="OpenError", reason=reason, message=message, hresult=_HRESULT))
