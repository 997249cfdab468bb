# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: every error that this collection reports, one class and one error_code each.

HypervError
├── InvalidOptions         invalid_options          the task's options cannot be meant so
├── Unsupported            unsupported_task         become, async, a connection that is not to Windows
├── Refused                one code each            planning found a reason not to begin
├── SeveralErrors          one code each            more than one of them, reported together
├── HostFault              host_refused             the host refused a call
│   ├── AccessDenied       access_denied
│   ├── HypervMissing      hyperv_missing
│   ├── VmmsUnreachable    vmms_unreachable
│   ├── ChangedMeanwhile   changed_meanwhile
│   ├── WrongState         wrong_state
│   ├── OutOfMemory        out_of_memory
│   ├── NatRefused         nat_refused              WinNAT knows a reason that Get-NetNat does not show
│   ├── PortTaken          port_taken               another NAT forwards the port
│   ├── PortReserved       port_reserved            Windows has the port reserved, or something uses it
│   ├── AddressExists      address_in_use
│   ├── AddressRefused     address_refused          Windows has one error for all that speaks against an address
│   ├── StartFailed        start_failed
│   └── TimedOut           timed_out
├── NotApplied             not_applied              the host said yes, and the state says no
└── BadReply               one code each            the runner's answer is missing, cut or not ours
    └── RunnerRefused      one code each            the bootstrap ran nothing

Faults of the host are recognised by id and category alone.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ._steps import Fault


class HypervError(Exception):
    """An error with a stable code, a message (object, present state, needed state) and the way out."""

    code = "error"
    fix = ""

    def __init__(self, msg: str, *, fix: str | None = None, code: str | None = None, subject: str = "") -> None:
        super().__init__(msg)
        self.msg = msg
        self.fix = self.fix if fix is None else fix
        self.code = code or self.code
        self.subject = subject
        """The label of what it is about; empty: the whole task."""

    def as_dict(self) -> dict[str, t.Any]:
        """The error as a result shows it."""
        return {"error_code": self.code, "msg": self.msg, "fix": self.fix}


class InvalidOptions(HypervError):
    """The task's options cannot be meant so; found before anything was read."""

    code = "invalid_options"


class Unsupported(HypervError):
    """Something that Ansible offers and this collection cannot honour."""

    code = "unsupported_task"


class Refused(HypervError):
    """Planning found a reason not to begin; nothing was changed. The code says which."""


class SeveralErrors(HypervError):
    """More than one reason not to begin: all are reported at once."""

    def __init__(self, errors: Sequence[HypervError]) -> None:
        first = errors[0]
        super().__init__("; ".join(error.msg for error in errors), fix=first.fix, code=first.code)
        self.errors = tuple(errors)


class HostFault(HypervError):
    """The host refused a call, and nothing more precise is known than its own words."""

    code = "host_refused"
    fix = "read the host's own words above, and its event log (Hyper-V-VMMS, Admin)"


class AccessDenied(HostFault):
    """The user may not do this on the host."""

    code = "access_denied"
    fix = "connect as a member of the host's Hyper-V Administrators (S-1-5-32-578) or Administrators group, with an elevated session"


class HypervMissing(HostFault):
    """The Hyper-V PowerShell module or a cmdlet is not there."""

    code = "hyperv_missing"
    fix = (
        "install it with hyperv_feature (reboot=true); by hand: Install-WindowsFeature Hyper-V -IncludeManagementTools -Restart on"
        " Windows Server, Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All on a client"
    )


class VmmsUnreachable(HostFault):
    """The Hyper-V module is there, and the Virtual Machine Management service does not answer."""

    code = "vmms_unreachable"
    fix = "see that the service vmms runs (Start-Service vmms) and that the user is a Hyper-V administrator"


class ChangedMeanwhile(HostFault):
    """Between reading and writing somebody else changed the object; it was left as it is."""

    code = "changed_meanwhile"
    fix = "run the task again: it plans on what is there now"


class WrongState(HostFault):
    """The object is in a state in which the host refuses this."""

    code = "wrong_state"
    fix = "run the task again when no other tool works on it"


class OutOfMemory(HostFault):
    """The host has too little memory for this."""

    code = "out_of_memory"
    fix = "stop other VMs or give this one less startup memory"


class StartFailed(HostFault):
    """The VM did not start."""

    code = "start_failed"
    fix = (
        "read the host's own words above, and its event log (Hyper-V-Worker, Admin); of a VM that exposes its virtualization extensions"
        " hyperv_nested_info tells whether host and configuration version allow that"
    )


class NatRefused(HostFault):
    """WinNAT refused a NAT although nothing that can be read speaks against it (facts 5.3, 5.4)."""

    code = "nat_refused"
    fix = (
        "something that Get-NetNat does not list has that name or prefix, or has the NAT of this host: look at container networks"
        " (Get-HnsNetwork, docker network ls), Internet Connection Sharing and RRAS; remove it, or choose another nat_name and prefix"
    )


class PortTaken(HostFault):
    """WinNAT refused a forward although no mapping that can be read has the port (facts 5.5)."""

    code = "port_taken"
    fix = (
        "something that Get-NetNatStaticMapping does not list forwards that port: look at containers (docker ps, Get-HnsEndpoint);"
        " stop it, or choose another external_port"
    )


class PortReserved(HostFault):
    """Windows does not give the port away; the words about a file and another process mean no file (facts 5.5)."""

    code = "port_reserved"
    fix = (
        "the port is reserved, or a program listens on it: see netsh interface ipv4 show excludedportrange protocol=tcp (or udp) and"
        " netstat -ano, and choose an external_port below 49152 that neither shows"
    )


class AddressExists(HostFault):
    """The address is on this adapter or on another one, be it only in the persistent store (facts 5.6)."""

    code = "address_in_use"
    fix = "look for it with Get-NetIPAddress -IPAddress ADDRESS -PolicyStore PersistentStore, and remove it or choose another one"


class AddressRefused(HostFault):
    """Error 87 has many causes, and only its words, which are localised, tell them apart (facts 5.6, 6.1)."""

    code = "address_refused"
    fix = (
        "the address is there already, be it only for after a restart (Get-NetIPAddress -IPAddress ADDRESS -PolicyStore PersistentStore),"
        " DHCP is still on (Get-NetIPInterface -AddressFamily IPv4), or the adapter has no link (Get-NetAdapter): look at these,"
        " and mend what it is"
    )


class TimedOut(HostFault):
    """Something was waited for, and did not come."""

    code = "timed_out"
    fix = "look at the VM's console, then run the task again"


class NotApplied(HypervError):
    """The host accepted the change, and reading it back shows something else."""

    code = "not_applied"
    fix = "look at the host's event log (Hyper-V-VMMS); another tool or a policy may set the value back"


class BadReply(HypervError):
    """The answer of the runner is missing, cut, or not ours. The code says which."""


class RunnerRefused(BadReply):
    """The bootstrap ran nothing, and said so."""


def raise_all(errors: Sequence[HypervError]) -> None:
    """Raise what was collected, if anything."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)


NO_MODULE = frozenset({"CommandNotFoundException", "CouldNotAutoLoadModule"})
"""Kinds of fault of a cmdlet whose module is not installed (facts 2.5)."""
NO_HYPERV = NO_MODULE | {"ObjectNotFound"}
"""The same of Hyper-V's cmdlets, or their service does not answer (facts 2.5, 9.3)."""

# facts 2.2, 2.5, 10.3 and the runner's own ids (reference/runner/README.md); issue PlagueHO/LabBuilder#203 for vmms.
_BY_KIND: dict[str, type[HostFault]] = {
    "AccessDenied": AccessDenied,
    "CommandNotFoundException": HypervMissing,
    "CouldNotAutoLoadModule": HypervMissing,
    "HyperVModuleNotAvailable": HypervMissing,
    "Hyperlab.NoObject": ChangedMeanwhile,
    "Hyperlab.WrongCount": ChangedMeanwhile,
    "Hyperlab.Timeout": TimedOut,
    "InvalidState": WrongState,
    "OutOfMemory": OutOfMemory,
    "PrivilegeNotEnabled": AccessDenied,
}
# Where the kind says nothing more than that it failed, the cmdlet does.
_BY_CMDLET: dict[str, type[HostFault]] = {"StartVM": StartFailed}
# Net* cmdlets have one kind for a Windows error whatever it is about, so the cmdlet counts, too (facts 5.4, 5.6).
_BY_ID: dict[str, type[HostFault]] = {
    "Windows System Error 52,New-NetNat": NatRefused,
    "Windows System Error 87,New-NetNat": NatRefused,
    "Windows System Error 52,Add-NetNatStaticMapping": PortTaken,
    "Windows System Error 32,Add-NetNatStaticMapping": PortReserved,
    "Windows System Error 87,New-NetIPAddress": AddressRefused,
    "Windows System Error 5010,New-NetIPAddress": AddressExists,
}
_BY_CATEGORY: dict[str, type[HostFault]] = {"PermissionDenied": AccessDenied}
# DISM's errors have no kind; this one is Windows's ERROR_ELEVATION_REQUIRED.
_BY_HRESULT: dict[int, type[HostFault]] = {-2147024156: AccessDenied}
MAPPED = frozenset(_BY_KIND)


def from_fault(fault: Fault, doing: str, *, subject: str = "", reading: bool = False, reached: bool = False) -> HostFault:
    """The error for a fault; `doing` is the cmdlet or the command that met it.

    While reading, ObjectNotFound is how the Hyper-V module says that it does not reach vmms, or, when it has been `reached`
    by an earlier query, that an object vanished.
    """
    about = f"{subject}: " if subject else ""
    if reading and reached and fault.kind == "ObjectNotFound":
        return ChangedMeanwhile(f"{about}something was removed while {doing} read it [{fault.id}]", subject=subject)
    cmdlet = fault.id.rpartition(".")[2]
    kind = _BY_ID.get(fault.id) or _BY_KIND.get(fault.kind) or _BY_HRESULT.get(fault.hresult)
    kind = kind or _BY_CATEGORY.get(fault.category) or _BY_CMDLET.get(cmdlet) or HostFault
    if reading and fault.kind == "ObjectNotFound":
        kind = VmmsUnreachable
    if kind is ChangedMeanwhile:
        return kind(f"{about}it is no longer as it was when the change was planned, so {doing} was not run on it", subject=subject)
    return kind(f"{about}{doing} failed: {fault.message.strip()} [{fault.id}]", subject=subject)
