# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_vm_memory: how much memory VMs have, and whether it is static or dynamic."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InvalidOptions
from .._memory import (
    EXPOSED_FIELDS,
    MEMORY,
    MEMORY_VM_FIELDS,
    SETTINGS,
    memory_change,
    memory_of,
    memory_queries,
    memory_refusals,
    shown_memory,
)
from .._options import POWER, VMS, Options, Spec
from .._plan import Plan
from .._vms import HOST, VM_FIELDS, Vm, by_vm, component_queries, find_vms, power_queries, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .._steps import Answers, Row, Step


def _check(options: Options) -> None:
    if all(options[name] is None for name in SETTINGS):
        raise InvalidOptions("nothing about memory is asked for", fix=f"give at least one of {', '.join(SETTINGS)}")


SPEC = Spec(VMS, MEMORY, POWER, check=_check)


def queries(options: Options) -> tuple[Step, ...]:
    """The VMs, their memory, and whether Hyper-V could be running in them."""
    return (
        HOST,
        *vm_queries(options.vms, (*VM_FIELDS, *MEMORY_VM_FIELDS)),
        *memory_queries(options.vms),
        *component_queries(options.vms, "Hyper-V\\Get-VMProcessor", "processors", EXPOSED_FIELDS),
        *power_queries(options),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class VmMemory:
    """A VM with its memory."""

    vm: Vm
    memory: Row
    exposed: bool

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
        return {"name": self.vm.name, "id": self.vm.id, "power_state": self.vm.state.lower(), **shown_memory(self.memory)}


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The named VMs."""

    vms: tuple[VmMemory, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows; raises HypervError when a name means no VM or several."""
        vms = find_vms(options.vms, answers)
        memory, processors = by_vm(answers.rows("memory")), by_vm(answers.rows("processors"))
        return cls(
            vms=tuple(
                VmMemory(vm=vm, memory=memory[vm.id][0], exposed=bool(processors[vm.id][0].get("ExposeVirtualizationExtensions")))
                for vm in vms
            )
        )

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {"vms": [each.result() for each in self.vms]}


def plan(options: Options, state: State) -> Plan:
    """One Set-VMMemory for each VM that differs."""
    errors = [error for each in state.vms for error in memory_refusals(each.vm, each.memory, options)]
    changes = [memory_change(each.vm, each.memory, options, exposed=each.exposed) for each in state.vms]
    return Plan.of(changes, warnings=_warnings(options, state), errors=errors, nested=[each.vm for each in state.vms if each.exposed])


def _warnings(options: Options, state: State) -> Iterator[str]:
    for each in state.vms:
        dynamic = memory_of(each.memory)["dynamic"] if options.dynamic is None else options.dynamic
        if dynamic and each.exposed:
            yield (
                f"VM '{each.vm.label}' exposes virtualization extensions: while Hyper-V runs inside, its dynamic memory stays as at"
                " the start; static memory (dynamic=false) is what nesting is meant for"
            )
