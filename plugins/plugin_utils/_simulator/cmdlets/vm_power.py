# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: Start-VM, Stop-VM and their kin, on the simulated clock, and the jobs of -AsJob."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import power
from ..calls import CmdletError, NotSimulated
from ..lookup import CATEGORIES, as_list, fail, for_each, full_id, vms_of, wrong_state
from ..model import Move
from ..simulates import simulate
from ..vm_objects import Job, VirtualMachine

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..calls import Call
    from ..model import State, Vm

ALREADY: t.Final = "The virtual machine is already in the specified state."
GUEST_PATIENCE_SECONDS: t.Final = 300.0
"""How long a synchronous Stop-VM waits for a guest that does not shut down; a guess."""
_TRANSITIONAL: t.Final = frozenset({"Starting", "Stopping", "Saving", "Pausing", "Resuming"})
_VMS: t.Final = "Name VM AsJob Passthru"

Change = t.Callable[["Call", "Vm", "Job | None"], None]


def _powers(name: str, more: str = "") -> Callable[[Change], Change]:
    """Register what a cmdlet does to one VM; the job is None unless -AsJob was given."""

    def register(change: Change) -> Change:
        simulate(f"Hyper-V\\{name}", f"{_VMS} {more}")(lambda call: _run(call, change))
        return change

    return register


def _run(call: Call, change: Change) -> Iterable[t.Any]:
    vms = vms_of(call, "Name")
    if not call.get("AsJob"):
        return for_each(call, vms, lambda vm: change(call, vm, None), lambda vm: VirtualMachine(call.host, vm))
    call.host.made += 1
    job = Job(call.host, call.host.made, call.cmdlet)
    # cmdlets.md 6: errors stay inside the job
    inner = dataclasses.replace(call, errors=job.errors, warnings=[])
    job.errors += call.errors
    call.errors.clear()
    for_each(inner, vms, lambda vm: change(inner, vm, job))
    job.failed = bool(job.errors)
    return [job]


@_powers("Start-VM")
def start(call: Call, vm: Vm, _job: Job | None) -> None:
    """Off starts, Saved is restored, Paused goes on; Running is only a warning (facts 10.1, 10.3)."""
    if vm.state == "Running":
        call.warn(ALREADY)
    elif vm.state in ("Off", "Saved"):
        try:
            power.start(call.host, vm)
        except power.Unable as why:
            head = f"'{vm.name}' failed to {'restore' if vm.state == 'Saved' else 'start'}."
            parts = (head, str(why), f"{head} {full_id(vm)}", f"{why} {full_id(vm)}")
            call.fail(why.kind, CATEGORIES[why.kind], "\n\n".join(parts))
    elif vm.state == "Paused":
        power.arrive(call.host, vm, "Running")
    else:
        wrong_state(call, f"'{vm.name}' failed to start.")


@_powers("Stop-VM", "Save TurnOff Force")
def stop(call: Call, vm: Vm, job: Job | None) -> None:
    """A guest shutdown, unless -Save or -TurnOff says otherwise (facts 10.1)."""
    if call.get("Save") and call.get("TurnOff"):
        fail(call, "InvalidParameter", "The parameters Save and TurnOff cannot be used together.")
    if call.get("Save"):
        save(call, vm, job)
    elif call.get("TurnOff"):
        _change(call, vm, "Off", ("Running", "Paused", "Saved"), "turn off")
    elif vm.state == "Off":
        call.warn(ALREADY)
    elif vm.state in _TRANSITIONAL:
        wrong_state(call, f"'{vm.name}' failed to shut down.")
    elif vm.state == "Paused":
        _stop_paused(call, vm)
    elif power.shutdown_possible(call.host, vm):
        _shut_down(call, vm, job)
    elif call.get("Force"):
        power.arrive(call.host, vm, "Off")
    else:
        # the cmdlet asks whether to turn it off; in a remote process nobody can answer
        fail(call, "InvalidOperation", "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.")


def _stop_paused(call: Call, vm: Vm) -> None:
    try:
        wrong_state(call, f"'{vm.name}' failed to shut down.")
    except CmdletError as error:
        if not call.get("Force"):
            raise
        call.errors.append(error.record)
        power.arrive(call.host, vm, "Off")


def _shut_down(call: Call, vm: Vm, job: Job | None) -> None:
    host, guest, force = call.host, vm.guest, bool(call.get("Force"))
    seconds = None if guest.ignores_shutdown else guest.shutdown_seconds
    if force:
        seconds = power.FORCED_SHUTDOWN_SECONDS if seconds is None else min(seconds, power.FORCED_SHUTDOWN_SECONDS)
    if seconds is not None and (vm.move is None or vm.move.at > host.clock + seconds):
        vm.move = Move(state="Off", at=host.clock + seconds, graceful=not guest.ignores_shutdown and seconds == guest.shutdown_seconds)
    if job is not None:
        started = vm.started
        job.unfinished.append(lambda: vm.state == "Running" and vm.started == started)
        return
    power.wait(host, GUEST_PATIENCE_SECONDS if vm.move is None else max(0.0, vm.move.at - host.clock))
    if vm.state == "Running":
        fail(call, "OperationFailed", f"'{vm.name}' failed to shut down. {full_id(vm)}")


@_powers("Save-VM")
def save(call: Call, vm: Vm, _job: Job | None) -> None:
    """Running or Paused to Saved."""
    _change(call, vm, "Saved", ("Running", "Paused"), "save")


@_powers("Suspend-VM")
def suspend(call: Call, vm: Vm, _job: Job | None) -> None:
    """Running to Paused."""
    _change(call, vm, "Paused", ("Running",), "pause")


@_powers("Resume-VM")
def resume(call: Call, vm: Vm, _job: Job | None) -> None:
    """Paused to Running."""
    _change(call, vm, "Running", ("Paused",), "resume")


def _change(call: Call, vm: Vm, wanted: State, allowed: tuple[State, ...], verb: str) -> None:
    if vm.state == wanted:
        call.warn(ALREADY)
    elif vm.state not in allowed:
        wrong_state(call, f"'{vm.name}' failed to {verb}.")
    else:
        power.arrive(call.host, vm, wanted)


@_powers("Restart-VM", "Force Wait For Delay Timeout")
def restart(call: Call, vm: Vm, job: Job | None) -> None:
    """A hard reset; with -Wait until the guest's heartbeat or address is there (facts 10.4)."""
    if job is not None and call.get("Wait"):
        raise NotSimulated("Restart-VM -Wait -AsJob")
    if not call.get("Force"):
        # it asks whether to reset; ShouldContinue is no matter of ConfirmPreference
        fail(call, "InvalidOperation", "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.")
    if vm.state != "Running":
        wrong_state(call, f"'{vm.name}' failed to restart.")
    power.restart(call.host, vm, graceful=False)
    if call.get("Wait"):
        _wait_for(call, vm)


def _wait_for(call: Call, vm: Vm) -> None:
    there = power.addresses_known if call.get("For") == "IPAddress" else power.services_up
    timeout, delay = call.get("Timeout", 300), max(1, call.get("Delay", 5))
    longest = vm.guest.boot_seconds + vm.guest.address_seconds + 2 * delay
    began = call.host.clock
    while not there(call.host, vm):
        waited = call.host.clock - began
        if 0 <= timeout <= waited:
            fail(call, "OperationFailed", "The operation did not complete in the specified time.")
        if timeout < 0 and waited > longest:
            raise NotSimulated("Restart-VM -Wait that never ends")
        power.wait(call.host, delay)


@simulate("Microsoft.PowerShell.Core\\Receive-Job", "Job Keep")
def receive_job(call: Call) -> Iterable[t.Any]:
    """What the jobs have said: here nothing but errors, which come as non-terminating ones."""
    for job in as_list(call.get("Job")):
        call.errors += job.errors
        if not call.get("Keep"):
            job.errors.clear()
    return []


@simulate("Microsoft.PowerShell.Core\\Remove-Job", "Job Force")
def remove_job(call: Call) -> Iterable[t.Any]:
    """Forget jobs; one that runs needs -Force, and what it started goes on."""
    for job in as_list(call.get("Job")):
        if job.state == "Running" and not call.get("Force"):
            message = f"The command cannot remove the job with the job ID {job.number} because the job is not finished."
            call.write_error("InvalidOperation", "InvalidOperation", message, "ArgumentException")
    return []
