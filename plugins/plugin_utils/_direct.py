# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the way into a guest by PowerShell Direct, without a connection: what its host is asked, and what the answer means.

The host's own errors are known by reason and id (reference/hyperv-facts.md 6.4), never by text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleConnectionFailure

from ..module_utils._errors import BadReply, HypervError, RunnerRefused, from_fault
from ..module_utils._steps import Answers, Credential, From
from ..module_utils._vms import HOST, VM_FIELDS, find_vms, vm_queries
from ._reply import Printed, checked_reply, decode, decode_command, decode_inside
from ._request import VISIT, inside, to_request
from ._wire import GuestLost

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..module_utils._steps import Answer, Fault, Step
    from ..module_utils._vms import Vm
    from ._request import Request

_FIELDS = (*VM_FIELDS, "Heartbeat")
_STATES = {"Off": "off", "Saved": "saved", "Paused": "paused"}


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a connection leads to."""

    host: str
    """The inventory host that is its Hyper-V host."""
    vm: str
    """The VM's name or id there."""
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"VM '{self.vm}' on host '{self.host}'"

    @property
    def who(self) -> str:
        """The operating system in it."""
        return f"the guest of {self}"


class LogonRefused(GuestLost):
    """The guest did not let the user in. Trying again with the same password may lock the account."""

    in_vain = True

    def __init__(self, message: str) -> None:
        super().__init__(message, nothing_ran=True)


class SessionLost(GuestLost):
    """The session in the guest did not open, or ended. The next one may do better."""


def lost(message: str, fix: str, *, nothing_ran: bool = True) -> GuestLost:
    """The error with its way out."""
    return GuestLost(f"{message}. Way out: {fix}", nothing_ran=nothing_ran)


def broken(guest: Guest, error: Exception, *, nothing_ran: bool = False) -> GuestLost:
    """What the host's own connection said, in its own words."""
    known = isinstance(error, AnsibleConnectionFailure)
    said = str(error).strip().rstrip(".:") if known else f"{type(error).__name__}: {error}"
    nothing_ran = nothing_ran or (isinstance(error, GuestLost) and error.nothing_ran)
    return GuestLost(f"the way to {guest} broke at that host: {said}", nothing_ran=nothing_ran)


def look(guest: Guest, known: Vm | None) -> Request:
    """The request that only looks at the VM, from outside."""
    return to_request(_lookup(guest, known))


def visit(guest: Guest, known: Vm | None, request: Request) -> Request:
    """The request to the host that takes this one into the guest.

    A session to a paused VM would hang (facts 6.4), and of two VMs with the name neither is meant, whatever their states.
    """
    *_host, step = lookup = _lookup(guest, known)
    save = t.cast("str", step.save)
    the_one = From(save=save, property="Id")
    running = From(save=save, where={"Id": the_one, "State": "Running"}, property="Id")
    return inside(request, lookup, {"VMId": running, "Credential": Credential(user=guest.user, password=guest.password)})


def _lookup(guest: Guest, known: Vm | None) -> tuple[Step, ...]:
    """Get-VM for the one VM. Once it is known it is its id; its name comes along so that Get-VM need not list the whole host."""
    if known is None:
        step = vm_queries((guest.vm,), _FIELDS)[-1]
    else:
        by_name = vm_queries((known.name,), _FIELDS)[0]
        step = dataclasses.replace(by_name, where={**by_name.where, "Id": known.id})
    return dataclasses.replace(HOST, group=VISIT), dataclasses.replace(step, group=VISIT)


def seen(guest: Guest, known: Vm | None, printed: Printed) -> Vm:
    """The VM that `look` found; GuestLost when there is not just one."""
    lookup = _lookup(guest, known)
    with _naming(f"host '{guest.host}'"):
        return _found(guest, known, lookup, decode(lookup, printed))


def visited(guest: Guest, known: Vm | None, printed: Printed) -> tuple[Vm, str]:
    """The VM, and the line that the guest answered to what `visit` took there; GuestLost when it did not."""
    lookup = _lookup(guest, known)
    with _naming(f"host '{guest.host}'"):
        answers, came = decode_inside(lookup, printed)
    with _naming(f"host '{guest.host}'", nothing_ran=not came.lines):
        vm = _found(guest, known, lookup, answers)
    if came.faults:
        raise _turned_away(guest, vm, came.faults[0])
    with _naming(guest.who):
        line = "\n".join(came.lines)
        checked_reply(Printed(line, who="it"))
    return vm, line


def answered(guest: Guest, request: Request, line: str) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a command line that ran in the guest."""
    with _naming(guest.who):
        return decode_command(request, Printed(line, who="it"))


@contextlib.contextmanager
def _naming(who: str, *, nothing_ran: bool = True) -> Iterator[None]:
    """Every error becomes one that says whom it is about."""
    try:
        yield
    except HypervError as error:
        nothing_ran = nothing_ran and (not isinstance(error, BadReply) or isinstance(error, RunnerRefused))
        raise lost(f"{who}: {error.msg}", error.fix, nothing_ran=nothing_ran) from error


def _found(guest: Guest, known: Vm | None, lookup: Sequence[Step], answers: Sequence[Answer]) -> Vm:
    for step, answer in zip(lookup, answers, strict=True):
        for fault in answer.faults:
            if fault.kind not in step.absent or answer.rows:
                raise from_fault(fault, step.verb_noun, reading=True)
    [vm] = find_vms((known.name if known else guest.vm,), Answers(lookup, answers))
    return vm


def check_started(guest: Guest, vm: Vm) -> None:
    """Raise GuestLost as long as the heartbeat says that the guest is not up; nobody logs on for this.

    A heartbeat that was switched off says nothing, so the logon has to.
    """
    if vm.state != "Running":
        raise _not_running(guest, vm)
    if _heartbeat(vm) != "Disabled" and not _heartbeat(vm).startswith("Ok"):
        raise _no_answer(guest, vm)


def _heartbeat(vm: Vm) -> str:
    """Ok... for a guest that is up: VMHeartbeatStatus (facts 9.1)."""
    return str(vm.row.get("Heartbeat") or "NoContact")


def _not_running(guest: Guest, vm: Vm) -> GuestLost:
    said = f"{guest} is {_STATES.get(vm.state, vm.state)}; PowerShell Direct needs it running"
    if vm.state not in _STATES:
        return lost(said, "wait until it is through with that, or look at its host's event log (Hyper-V-VMMS, Admin)")
    return lost(
        said, "start or resume it on its host (hyperlab.nested.hyperv_vm with state=running), then ansible.builtin.wait_for_connection"
    )


def _turned_away(guest: Guest, vm: Vm, fault: Fault) -> GuestLost:
    """What the host's own error means, after it saw the VM (facts 6.4)."""
    if fault.reason == "PSDirectException":
        return LogonRefused(
            f"{guest.who} refused the logon of '{guest.user}' ({fault.message.strip()}). Way out: correct ansible_user (a local account:"
            " its name, or .\\name) and ansible_password, and see that the account is enabled and not locked; a guest that was just made"
            " from a generalised image refuses everybody until its set-up has ended, then play again; this task does not try again"
        )
    if fault.reason == "PSRemotingDataStructureException":
        return _no_answer(guest, vm)
    if fault.kind in ("InvalidVMState", "InvalidVMIdNotSingle", "Hyperlab.NoObject"):
        if vm.state != "Running":
            return _not_running(guest, vm)
        return lost(f"{guest} went off or away just now", "run the task again when no other tool works on it")
    if fault.kind == "HyperVModuleNotAvailable":
        error = from_fault(fault, "Invoke-Command")
        return lost(f"host '{guest.host}': {error.msg}", error.fix)
    said = f"{fault.message.strip()} [{fault.id}, {fault.reason}]"
    if _never_opened(fault):
        return SessionLost(f"the session in {guest.who} did not open: {said}. Way out: run the task again", nothing_ran=True)
    ended = f"the session in {guest.who} ended or could not be used: {said}"
    fix = "see that the guest does not restart or go off meanwhile, then run the task again"
    if fault.reason == "PSRemotingTransportException":
        return SessionLost(f"{ended}. Way out: {fix}")
    return lost(ended, fix, nothing_ran=False)


def _never_opened(fault: Fault) -> bool:
    """Whether Invoke-Command failed by itself while it opened the session, as it does now and then on a host that is a guest (facts 6.4).

    An exception of the same kind that a script in the guest throws comes with another id.
    """
    own = fault.kind == "PSSessionStateBroken" or fault.id.endswith(".InvokeCommandCommand")
    return fault.reason == "NullReferenceException" and own


def _no_answer(guest: Guest, vm: Vm) -> GuestLost:
    """Nobody opens the guest's end of the channel. An open session that breaks may look the same, so something may have run."""
    heartbeat = _heartbeat(vm)
    if heartbeat.startswith("Ok"):
        return lost(
            f"{guest.who} has started (heartbeat {heartbeat}), and does not answer PowerShell Direct",
            "right after a start give it some more seconds (ansible.builtin.wait_for_connection); else see that the guest is Windows 10,"
            " Windows Server 2016 or later, that its service vmicvmsession runs, and that the VM is not shielded",
            nothing_ran=False,
        )
    if heartbeat == "Disabled":
        return lost(
            f"{guest.who} does not answer PowerShell Direct, and whether it has started is not known: its heartbeat service is disabled",
            "wait if it was just started; switch the heartbeat on (Enable-VMIntegrationService), or look at the VM's console",
            nothing_ran=False,
        )
    return lost(
        f"{guest.who} gives no heartbeat ({heartbeat}): it is still starting, hangs, or has no integration services",
        "wait for it with ansible.builtin.wait_for_connection; if it never comes, look at the VM's console",
    )
