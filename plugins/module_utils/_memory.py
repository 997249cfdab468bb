# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the memory of a VM: its options, what Hyper-V has to say about them, and the change that brings it about.

Wanted memory is a mapping of the names in SETTINGS to values; None, or no such name, means not managed. Sizes are bytes.
Facts are those of reference/hyperv-facts.md, section 3.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ._errors import HypervError, InvalidOptions, Refused
from ._nesting import as_version
from ._options import MB, Options, Spec, flag, number, show_size, size
from ._plan import Change, unchanged
from ._steps import Row, Step
from ._vms import component_queries

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ._vms import Vm


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One of the settings of a VM's memory."""

    property: str
    """Of Get-VMMemory's object."""
    parameter: str
    """Of Set-VMMemory."""
    show: Callable[[t.Any], t.Any]
    """As results show it."""
    while_running: Callable[[t.Any, t.Any], bool]
    """With dynamic memory: whether a running VM takes this change, from and to (facts 3.1)."""


def _never(_before: t.Any, _after: t.Any) -> bool:
    return False


def _always(_before: t.Any, _after: t.Any) -> bool:
    return True


SETTINGS: Mapping[str, Setting] = {
    "dynamic": Setting(property="DynamicMemoryEnabled", parameter="DynamicMemoryEnabled", show=bool, while_running=_never),
    "startup": Setting(property="Startup", parameter="StartupBytes", show=show_size, while_running=_never),
    "minimum": Setting(property="Minimum", parameter="MinimumBytes", show=show_size, while_running=lambda before, after: after < before),
    "maximum": Setting(property="Maximum", parameter="MaximumBytes", show=show_size, while_running=lambda before, after: after > before),
    "buffer": Setting(property="Buffer", parameter="Buffer", show=int, while_running=_always),
    "priority": Setting(property="Priority", parameter="Priority", show=int, while_running=_always),
}
ORDERED = ("minimum", "startup", "maximum")
"""None of them may be above the next (facts 3.2)."""
ONLY_DYNAMIC = ("minimum", "maximum", "buffer")
"""A VM with static memory remembers them, and they mean nothing then (facts 3.1)."""
HOT_RESIZE = (6, 2)
"""Lowest configuration version whose static memory can change while the VM runs; hosts that know it can do it (facts 1.2, 3.1)."""
_GRANULARITY = 2 * MB
_SMALLEST = 32 * MB

MEMORY_FIELDS = ("VMId", *(setting.property for setting in SETTINGS.values()))
EXPOSED_FIELDS = ("VMId", "ExposeVirtualizationExtensions")
MEMORY_VM_FIELDS = ("Heartbeat",)
"""What Get-VM has to return besides VM_FIELDS."""


def check_memory(options: Options) -> None:
    """Raise InvalidOptions when the options contradict each other, whatever the VM has."""
    useless = _given(options, ONLY_DYNAMIC)
    if options.dynamic is False and useless:
        raise InvalidOptions(
            f"{_listed(useless)} can be set for dynamic memory only, and dynamic is false",
            fix=f"leave {_listed(useless)} out (startup is all the memory that a VM with static memory has), or set dynamic=true",
        )
    wrong = _disorder(options)
    if wrong:
        lower, upper = wrong
        raise InvalidOptions(
            f"{lower} {show_size(options[lower])} is above {upper} {show_size(options[upper])}",
            fix=f"give {upper}={show_size(options[lower])} or more, or {lower}={show_size(options[upper])} or less:"
            " Hyper-V needs minimum <= startup <= maximum",
        )


MEMORY = Spec(
    check=check_memory,
    dynamic=flag(),
    startup=size(multiple=_GRANULARITY, minimum=_SMALLEST),
    minimum=size(multiple=_GRANULARITY, minimum=_SMALLEST),
    maximum=size(multiple=_GRANULARITY, minimum=_SMALLEST),
    buffer=number(5, 2000),
    priority=number(0, 100),
)
"""The options of memory, for a module of its own and as the suboptions of one."""


def memory_queries(names: Sequence[str]) -> tuple[Step, ...]:
    """What memory_change has to know of each VM: its memory, saved as `memory`."""
    return component_queries(names, "Hyper-V\\Get-VMMemory", "memory", MEMORY_FIELDS)


def memory_of(row: Row) -> dict[str, t.Any]:
    """All settings as Get-VMMemory read them, sizes in bytes."""
    return {name: row[setting.property] for name, setting in SETTINGS.items()}


def shown_memory(row: Row) -> dict[str, t.Any]:
    """All settings as a result shows them."""
    return {name: SETTINGS[name].show(value) for name, value in memory_of(row).items()}


def memory_parameters(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Set-VMMemory's parameters for these values; what the host refuses beside static memory must not be among them."""
    return {SETTINGS[name].parameter: value for name, value in values.items() if name in SETTINGS and value is not None}


def memory_refusals(vm: Vm, row: Row, wanted: Mapping[str, t.Any]) -> list[HypervError]:
    """Why this VM cannot have the wanted memory in whatever power state; empty when it can. See memory_change."""
    return list(_refusals(vm, memory_of(row), wanted))


def memory_change(vm: Vm, row: Row, wanted: Mapping[str, t.Any], *, exposed: bool) -> Change:
    """The one Set-VMMemory that gives the VM the wanted memory; not `real` when it has it already.

    `row` is the VM's row of memory_queries; `exposed`: whether the VM exposes the virtualization extensions. What differs
    is written and nothing else, for the cmdlet judges what is given and not what it changes (facts 3.1). needs_off says
    whether any of it cannot change in the VM's power state. memory_refusals must have been empty.
    """
    found = memory_of(row)
    differing = {name: (found[name], wanted[name]) for name in _given(wanted, SETTINGS) if wanted[name] != found[name]}
    now = _taken_now(vm, found, differing, exposed)
    before = {name: pair[0] for name, pair in differing.items()}
    if found["dynamic"] and "dynamic" in differing:
        # Whether a VM whose dynamic memory is turned off keeps these is not documented.
        before |= {name: found[name] for name in ONLY_DYNAMIC}
    elif "dynamic" in differing:
        before = {name: value for name, value in before.items() if name not in ONLY_DYNAMIC}
    after = memory_parameters({name: pair[1] for name, pair in differing.items()})
    step = Step(
        "Hyper-V\\Set-VMMemory",
        {"VM": vm.ref, **after},
        undo=Step("Hyper-V\\Set-VMMemory", {"VM": vm.again, **memory_parameters(before)}),
        hint=_HINT if now else "",
    )
    return Change(
        subject=vm,
        attributes={name: (SETTINGS[name].show(pair[0]), SETTINGS[name].show(pair[1])) for name, pair in differing.items()},
        steps=(unchanged(row.ref("VMId", *_relied_on(differing))), step),
        needs_off=not now,
        what=_RESIZING if exposed and not found["dynamic"] and set(differing) == {"startup"} else "this change",
    )


_RESIZING = "resizing its memory while Hyper-V may run inside"
_HINT = "the guest has to take part while the VM runs: shut the VM down and run the task again, or ask for less"


def _taken_now(vm: Vm, found: Mapping[str, t.Any], differing: Mapping[str, tuple[t.Any, t.Any]], exposed: bool) -> bool:
    """Whether a VM that is not off takes all of this as it is (facts 3.1 speaks of running ones only)."""
    if vm.state != "Running" or "dynamic" in differing:
        return False
    if found["dynamic"]:
        return all(SETTINGS[name].while_running(*pair) for name, pair in differing.items())
    # Nobody outside sees whether Hyper-V runs in a VM that could run it, and while it does, the host refuses.
    return set(differing) <= {"startup"} and as_version(vm.version) >= HOT_RESIZE and not exposed and _answers(vm)


def _answers(vm: Vm) -> bool:
    """Whether the guest may be there to take memory or give it back; what was not read counts as yes."""
    return vm.row.get("Heartbeat") not in ("NoContact", "LostCommunication")


def _relied_on(differing: Mapping[str, t.Any]) -> list[str]:
    """The properties that must still be as they were read: what is overwritten, and what it was compared with."""
    sizes = ORDERED if {"dynamic", *ORDERED} & set(differing) else ()
    return [setting.property for name, setting in SETTINGS.items() if name in {"dynamic", *sizes, *differing}]


def _refusals(vm: Vm, found: Mapping[str, t.Any], wanted: Mapping[str, t.Any]) -> Iterator[HypervError]:
    after = {name: found[name] if wanted.get(name) is None else wanted[name] for name in SETTINGS}
    if not after["dynamic"]:
        # Refused even where the remembered value is the wanted one: it is not in force.
        useless = _given(wanted, ONLY_DYNAMIC)
        if useless:
            yield Refused(
                f"VM '{vm.label}' has static memory, and {_listed(useless)} can be set for dynamic memory only",
                code="memory_is_static",
                subject=vm.label,
                fix=f"set dynamic=true as well, or leave {_listed(useless)} out",
            )
        return
    wrong = _disorder(after) if after != found else None
    if wrong:
        lower, upper = wrong
        values = " <= ".join(f"{name} {show_size(after[name])}{'' if wanted.get(name) else ' (as it is)'}" for name in ORDERED)
        yield Refused(
            f"VM '{vm.label}' would have {lower} {show_size(after[lower])} above {upper} {show_size(after[upper])};"
            f" Hyper-V needs minimum <= startup <= maximum, and this would be {values}",
            code="memory_out_of_order",
            subject=vm.label,
            fix=f"set {upper} to {show_size(after[lower])} or more, or {lower} to {show_size(after[upper])} or less, in the same task",
        )


def _disorder(sizes: Mapping[str, t.Any]) -> tuple[str, str] | None:
    """The first two of ORDERED, among those given, of which the former is above the latter."""
    pairs = itertools.pairwise(_given(sizes, ORDERED))
    return next(((lower, upper) for lower, upper in pairs if sizes[lower] > sizes[upper]), None)


def _given(wanted: Mapping[str, t.Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if wanted.get(name) is not None]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
