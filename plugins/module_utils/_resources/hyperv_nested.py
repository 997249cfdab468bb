# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_nested: VMs that expose the virtualization extensions to their guests, or hide them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import HypervError, Refused
from .._nesting import MOST_PROCESSORS, QUERIES, Blocker, Platform, as_version, host_blockers, version_blocker
from .._options import POWER, VMS, Options, Spec, choice, flag, number
from .._plan import Change, Plan, unchanged
from .._steps import BY_ID, Answers, From, Row, Step
from .._vms import HOST, NO_OBJECT, VM_FIELDS, Vm, as_id, by_vm, component_queries, find_vms, power_queries, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPEC = Spec(
    VMS,
    POWER,
    state=choice("enabled", "disabled", default="enabled"),
    processors=number(1, MOST_PROCESSORS),
    vbs_opt_out=flag(),
    upgrade_version=flag(default=False),
)

FIELDS = (*VM_FIELDS, "DynamicMemoryEnabled")
SECURITY_FIELDS = ("VirtualizationBasedSecurityOptOut",)
PROCESSOR_FIELDS = ("VMId", "Count", "ExposeVirtualizationExtensions")
# VMSecurity objects do not say whose they are (module 2.0.0.0), so each VM is asked on its own; an ambiguous or a
# missing name is found out by find_vms().
_NOT_ONE = NO_OBJECT | {"Hyperlab.WrongCount"}


def queries(options: Options) -> tuple[Step, ...]:
    """The host, the VMs, their processors, and what the given options need besides."""
    steps = [HOST, *QUERIES, *vm_queries(options.vms, FIELDS)]
    steps += component_queries(options.vms, "Hyper-V\\Get-VMProcessor", "processors", PROCESSOR_FIELDS)
    if options.vbs_opt_out is not None:
        steps += _security_queries(options.vms)
    if options.upgrade_version:
        steps.append(Step("Hyper-V\\Get-VMHostSupportedVersion", {"Default": True}, save="default_version", select=("Version",)))
    return (*steps, *power_queries(options))


def _security_queries(names: Sequence[str]) -> Iterator[Step]:
    """By the place of the name in the option, because a name may hold anything."""
    for index, name in enumerate(names):
        lookups = {"": From(save="vms", where={"Name": name})}
        vm_id = as_id(name)
        if vm_id:
            lookups[BY_ID] = From(save=f"vms{BY_ID}", where={"Id": vm_id})
        for kind, vm in lookups.items():
            yield Step("Hyper-V\\Get-VMSecurity", {"VM": vm}, save=f"security {index}{kind}", select=SECURITY_FIELDS, absent=_NOT_ONE)


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedVm:
    """A VM with what nesting is about."""

    vm: Vm
    processor: Row
    count: int
    exposed: bool | None
    """None: the host's Hyper-V has no such setting."""
    dynamic_memory: bool
    vbs_opt_out: bool | None
    """None: not read."""

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
        shown = {
            "name": self.vm.name,
            "id": self.vm.id,
            "power_state": self.vm.state.lower(),
            "version": self.vm.version,
            "processors": self.count,
            "expose_virtualization_extensions": bool(self.exposed),
            "dynamic_memory": self.dynamic_memory,
        }
        return shown if self.vbs_opt_out is None else {**shown, "vbs_opt_out": self.vbs_opt_out}


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The host's platform and the named VMs."""

    platform: Platform
    default_version: str
    vms: tuple[NestedVm, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when a name means no VM or several."""
        processors = by_vm(answers.rows("processors"))
        security = _security(options, answers)
        default: t.Any = answers.one("default_version") or {}
        return cls(
            platform=Platform.from_answers(answers),
            default_version=str(default.get("Version") or ""),
            vms=tuple(_nested_vm(vm, processors[vm.id][0], security) for vm in find_vms(options.vms, answers)),
        )

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {"vms": [each.result() for each in self.vms]}


def _security(options: Options, answers: Answers) -> dict[str, bool]:
    """The VBS opt-out by the text that named the VM."""
    rows = {name: answers.one(f"security {index}") for index, name in enumerate(options.vms)}
    return {name: bool(row["VirtualizationBasedSecurityOptOut"]) for name, row in rows.items() if row}


def _nested_vm(vm: Vm, processor: Row, security: Mapping[str, bool]) -> NestedVm:
    return NestedVm(
        vm=vm,
        processor=processor,
        count=int(processor["Count"]),
        exposed=processor.get("ExposeVirtualizationExtensions"),
        dynamic_memory=bool(vm.row.get("DynamicMemoryEnabled")),
        vbs_opt_out=next((value for name, value in security.items() if vm.is_called(name)), None),
    )


def plan(options: Options, state: State) -> Plan:
    """Upgrade, opt out of VBS, then expose: in this order where they are asked for."""
    errors = [error for each in state.vms for error in _refusals(options, state, each)]
    changes = [change for each in state.vms for change in _changes(options, state, each)]
    return Plan.of(changes, warnings=_warnings(options, state), errors=errors, nested=[each.vm for each in state.vms if each.exposed])


def _changes(options: Options, state: State, each: NestedVm) -> Iterator[Change]:
    vm = each.vm
    if options.upgrade_version and as_version(vm.version) < as_version(state.default_version):
        # One way: what is not asked for is never upgraded, and there is no undo.
        step = Step("Hyper-V\\Update-VMVersion", {"VM": vm.ref, "Force": True})
        yield Change(subject=vm, attributes={"version": (vm.version, state.default_version)}, steps=(step,), needs_off=True)
    if options.vbs_opt_out is not None:
        yield Change(
            subject=vm,
            attributes={"vbs_opt_out": (each.vbs_opt_out, options.vbs_opt_out)},
            steps=(_set(each, "Set-VMSecurity", {"VirtualizationBasedSecurityOptOut": (each.vbs_opt_out, options.vbs_opt_out)}),),
            needs_off=True,
        )
    guard = (unchanged(each.processor.ref("VMId", "Count")),) if options.processors not in (None, each.count) else ()
    exposed = (bool(each.exposed), options.state == "enabled")
    count = (each.count, options.processors or each.count)
    wanted = {"ExposeVirtualizationExtensions": exposed, "Count": count}
    yield Change(
        subject=vm,
        attributes={"expose_virtualization_extensions": exposed, "processors": count},
        steps=(*guard, _set(each, "Set-VMProcessor", {name: pair for name, pair in wanted.items() if pair[0] != pair[1]})),
        needs_off=True,
    )


def _set(each: NestedVm, cmdlet: str, pairs: Mapping[str, tuple[t.Any, t.Any]]) -> Step:
    """One call that sets what differs, on the VM in the power state that was planned on, and its undo."""
    vm = each.vm
    undo = Step(f"Hyper-V\\{cmdlet}", {"VM": vm.again, **{name: before for name, (before, _after) in pairs.items()}})
    return Step(f"Hyper-V\\{cmdlet}", {"VM": vm.ref, **{name: after for name, (_before, after) in pairs.items()}}, undo=undo)


def _refusals(options: Options, state: State, each: NestedVm) -> Iterator[HypervError]:
    """By what would change: a VM that exposes its extensions already is left alone."""
    if options.vbs_opt_out is not None and each.vbs_opt_out is None:
        yield Refused(
            f"VM '{each.vm.label}': its security settings could not be read",
            code="vbs_unreadable",
            subject=each.vm.label,
            fix="leave vbs_opt_out out, or see what Get-VMSecurity says of the VM",
        )
    if options.state == "disabled" or each.exposed:
        return
    for blocker in _blockers(options, state, each):
        yield Refused(f"VM '{each.vm.label}': {blocker.msg}", code=blocker.code, fix=blocker.fix, subject=each.vm.label)


def _blockers(options: Options, state: State, each: NestedVm) -> Iterator[Blocker]:
    host = list(host_blockers(state.platform))
    yield from host
    if each.exposed is None and not host:
        yield Blocker(
            code="exposing_unavailable",
            msg="the host's Hyper-V module knows no ExposeVirtualizationExtensions",
            fix="upgrade the host to Windows Server 2016 or Windows 10 1607 or later, and its Hyper-V module with it",
        )
    version = max(each.vm.version, state.default_version, key=as_version) if options.upgrade_version else each.vm.version
    too_low = version_blocker(state.platform, version)
    if too_low:
        yield too_low


def _warnings(options: Options, state: State) -> Iterator[str]:
    if options.state == "disabled":
        return
    for each in state.vms:
        if each.dynamic_memory:
            yield (
                f"VM '{each.vm.label}' has dynamic memory: it starts and nests, but while Hyper-V runs inside, its memory stays as at"
                " the start; give it static memory with hyperv_vm_memory (dynamic=false)"
            )
        if each.exposed:
            for blocker in _blockers(options, state, each):
                yield f"VM '{each.vm.label}' exposes its extensions already, and cannot nest: {blocker.msg}. Way out: {blocker.fix}"
