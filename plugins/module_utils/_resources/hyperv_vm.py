# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_vm: VMs as a whole: made, changed, brought to a power state, removed."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._disk_options import DISK, absolute, check_paths
from .._disks import (
    DisksOfVm,
    Files,
    Users,
    chain_queries,
    everybodys_queries,
    file_queries,
    removable,
    removal_refusals,
    remove_file,
    unchanged_steps,
    wanted_disks,
)
from .._errors import HypervError, InvalidOptions, Refused, raise_all
from .._machine import (
    HEARTBEATS,
    Machine,
    WantedSwitch,
    machine_changes,
    machine_queries,
    machine_refusals,
    machines,
    switch_queries,
    wanted_switch,
)
from .._memory import MEMORY
from .._nesting import MOST_PROCESSORS
from .._new_vm import DVD_PLACES, GENERATION, creation, creation_refusals, version_queries
from .._options import POWER, VMS, Option, Options, Spec, choice, flag, number, ordinal, text
from .._plan import GONE, Change, Plan, Unmet, Wait, power_change
from .._steps import Answers, Step, Until
from .._vms import HOST, STOP_ACTIONS, as_id, look_up, power_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._vms import Vm

ENDS = {"running": "Running", "off": "Off", "saved": "Saved", "paused": "Paused"}
"""States of the option that are power states, in Hyper-V's words; present leaves the power state alone."""
_LOOK_AGAIN = 60.0
"""Seconds after which a wait for the heartbeat is looked at anew, because the VM may have stopped."""
_PAUSE = 5


def _version(name: str, value: str) -> str:
    if not re.fullmatch(r"[0-9]+\.[0-9]+", value):
        raise InvalidOptions(f"{name}: '{value}' is not a configuration version", fix='write it in quotes, like "9.0" or "10.0"')
    return value


def _iso(name: str, value: str) -> str:
    if value and not value.lower().endswith(".iso"):
        raise InvalidOptions(f"{name}: '{value}' does not end in .iso", fix="give the path of an ISO file, or '' for an empty drive")
    return value and absolute(name, value)


def _check(options: Options) -> None:
    check_paths(options)
    if options.wait_for and options.state not in ("present", "running"):
        raise InvalidOptions(f"wait_for={options.wait_for} needs a running VM, and state is {options.state}", fix="leave wait_for out")
    if options.generation == 1 and (options.secure_boot or options.secure_boot_template):
        raise InvalidOptions("a VM of generation 1 has no Secure Boot", fix="leave secure_boot and its template out, or set generation=2")


def _derive(options: Options) -> Options:
    """Who asks for a VM to be off asks for its shutdown."""
    return options.but(when_running=options.when_running or ("shutdown" if options.state == "off" else "fail"))


SPEC = Spec(
    VMS,
    POWER,
    check=_check,
    derive=_derive,
    state=choice("present", "absent", *ENDS, default="present"),
    generation=number(1, 2),
    version=Option(convert=_version),
    processors=number(1, MOST_PROCESSORS),
    memory=Option(type="dict", spec=MEMORY),
    disks=Option(type="list", elements="dict", spec=DISK),
    switch=text(blank=True),
    dvd=Option(convert=_iso),
    secure_boot=flag(),
    secure_boot_template=choice("MicrosoftWindows", "MicrosoftUEFICertificateAuthority", "OpenSourceShieldedVM"),
    automatic_checkpoints=flag(),
    automatic_stop_action=choice(*STOP_ACTIONS),
    notes=text(blank=True),
    path=Option(convert=absolute),
    remove_disks=flag(default=False),
    wait_for=choice("heartbeat", "address"),
    wait_timeout=number(1, 86_400, default=300),
    when_running=choice("fail", "shutdown", "turn_off"),
)


def queries(options: Options) -> tuple[Step, ...]:
    """The VMs with all their parts, and what is wanted of the host besides."""
    steps = [HOST, *machine_queries(options.vms), *power_queries(options)]
    if options.state == "absent":
        # Files that another VM needs must stay, so that all of them are followed down to what they are based on.
        return (*steps, *(everybodys_queries() + chain_queries(("every_vm",)) if options.remove_disks else ()))
    if options.disks:
        # The same for a wanted file: what another VM's disk is based on must not become a disk.
        steps += [*file_queries(options), *everybodys_queries(), *chain_queries(("every_vm",))]
    return (*steps, *switch_queries(options), *version_queries(options))


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The named VMs, as far as they exist, and what of the host they need."""

    machines: tuple[Machine, ...]
    missing: tuple[str, ...]
    files: Files
    users: Users
    """Who needs which file, when disks are asked for or are to be removed."""
    network: WantedSwitch | None
    versions: tuple[str, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when a name means several VMs, or cannot be that of a new one."""
        vms, errors = look_up(options.vms, answers)
        absent = {error.subject for error in errors if error.code == "vm_not_found"}
        raise_all([e for e in errors if e.subject not in absent or (as_id(e.subject) and options.state != "absent")])
        files = Files.from_answers(options, answers)
        return cls(
            machines=tuple(machines(options, vms, answers)),
            missing=tuple({ordinal(name): name for name in reversed(options.vms) if name in absent}.values())[::-1],
            files=files,
            users=Users.from_answers(answers, files),
            network=None if options.state == "absent" else wanted_switch(options, answers),
            versions=tuple(str(row["Version"]) for row in answers.rows("versions")),
        )

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {"vms": [each.result() for each in self.machines]}


def plan(options: Options, state: State) -> Plan:
    """Remove the VMs, or make those that are missing and correct what differs in the others."""
    if options.state == "absent":
        return _removal(options, state)
    end = ENDS.get(options.state)
    new = [_new_disks(options, state, name) for name in state.missing]
    errors = [error for each in state.machines for error in machine_refusals(options, each, state.network)]
    errors += [error for disks in new for error in creation_refusals(options, disks, state.versions)]
    raise_all(errors)
    changes = [change for each in state.machines for change in machine_changes(options, each, state.network)]
    changes += [power_change(each.vm, end) for each in state.machines if end]
    changes += [creation(options, disks, state.network, end) for disks in new]
    nested = [each.vm for each in state.machines if each.exposed]
    return Plan.of(changes, ends=[(each.vm, end) for each in state.machines if end], nested=nested, wait=_wait(options))


def _new_disks(options: Options, state: State, name: str) -> DisksOfVm:
    generation = options.generation or GENERATION
    dvds = DVD_PLACES[generation]
    wanted = wanted_disks(options, name, generation, dvds)
    return DisksOfVm(label=name, generation=generation, wanted=wanted, files=state.files, users=state.users, dvds=dvds)


# --- removing ---


def _removal(options: Options, state: State) -> Plan:
    errors: list[HypervError] = [
        Refused(
            f"VM '{each.vm.label}' is clustered: the cluster would still have its role",
            code="vm_clustered",
            subject=each.vm.label,
            fix="remove it with the cluster's own tools first (Remove-ClusterGroup)",
        )
        for each in state.machines
        if each.vm.clustered
    ]
    if options.remove_disks:
        errors += [error for each in state.machines for error in removal_refusals(each.disks)]
    changes = [change for each in state.machines for change in _removed(options, each)]
    return Plan.of(changes, errors=errors, ends=[(each.vm, GONE) for each in state.machines])


def _removed(options: Options, each: Machine) -> Iterator[Change]:
    vm, files = each.vm, removable(each.disks) if options.remove_disks else []
    guards = unchanged_steps(each.disks) if files else ()
    yield Change(
        subject=vm,
        attributes={"state": ("present", "absent")},
        steps=(*guards, Step("Hyper-V\\Remove-VM", {"VM": vm.ref, "Force": True})),
        # gh:microsoft/devhome#2868: a saved VM is removed as it is, its saved state with it
        needs_off=vm.state not in ("Off", "OffCritical", "Saved"),
    )
    if files:
        yield Change(subject=vm, attributes={"disks": (files, [])}, steps=tuple(map(remove_file, files)))


# --- waiting ---


def _wait(options: Options) -> Wait | None:
    """wait_for applies to every VM that runs at the end, whether this task started it or not."""
    if not options.wait_for:
        return None

    def unmet(state: State) -> Sequence[Unmet]:
        return [Unmet(subject=each.vm, error=_not_there(options, each)) for each in state.machines if _is_awaited(options, each)]

    def steps(state: State, left: float) -> tuple[Step, ...]:
        silent = tuple(each.vm.id for each in state.machines if _is_awaited(options, each) and _may_beat(each))
        if not silent:
            return (Step("Microsoft.PowerShell.Utility\\Start-Sleep", {"Seconds": int(min(_PAUSE, left)) or 1}, poll=True),)
        until = Until(seconds=min(left, _LOOK_AGAIN), where={"Heartbeat": HEARTBEATS})
        return (Step("Hyper-V\\Get-VM", where={"Id": silent}, until=until, poll=True),)

    return Wait(seconds=options.wait_timeout, unmet=unmet, steps=steps)


def _is_awaited(options: Options, each: Machine) -> bool:
    if each.vm.state != "Running" and options.state != "running":
        return False
    return not (each.reachable if options.wait_for == "address" else each.alive)


def _may_beat(each: Machine) -> bool:
    return not each.alive and each.heartbeat not in ("Disabled", "Paused")


def _not_there(options: Options, each: Machine) -> HypervError:
    vm: Vm = each.vm
    found = f"it is {vm.state}, its heartbeat is {each.heartbeat}, its addresses are {', '.join(each.addresses) or 'none'}"
    return HypervError(
        f"VM '{vm.label}' shows no {options.wait_for} within {options.wait_timeout} s: {found}",
        code="wait_timed_out",
        subject=vm.label,
        fix="look at the VM's console: a guest needs its integration services, and for an address a network; or raise wait_timeout",
    )
