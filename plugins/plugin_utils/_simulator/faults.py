# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what goes wrong on purpose: the profile's faults of cmdlets, and its events, which are other people's doing."""

from __future__ import annotations

import typing as t

from . import power, profiles, tree
from .calls import Live
from .schema import ProfileError, from_plain, to_plain
from .text import same_text

if t.TYPE_CHECKING:
    from .calls import Call
    from .model import Event, Fault, Host, Vm

PROCESS_SECONDS = 0.35
"""What starting a remote process costs of simulated time (measured: runner/README.md)."""

_BY_NAME = ("-VM", "-VMVersion", "-VMFile")
"""Ends of cmdlets whose -Name is a VM's (cmdlets.md 3)."""


def begin_process(host: Host) -> None:
    """Count a remote process and let happen what the profile's events say of it."""
    host.processes += 1
    host.asked.clear()
    power.wait(host, PROCESS_SECONDS)
    due = [(index, event) for index, event in enumerate(host.events) if event.process == host.processes and not event.done]
    for index, event in due:
        _happen(host, event, f"{tree.place(host)}events[{index}]")
        event.done = True
    if due:
        profiles.complete(host)


def intercept(call: Call) -> t.Literal["run", "failed", "silent"]:
    """Apply the profile's faults to a call; "run": what is left of the call has to be done still.

    A call that works on several VMs loses those that a fault names, and goes on with the rest.
    """
    fate: t.Literal["run", "failed", "silent"] = "run"
    for fault in call.host.faults:
        if fault.cmdlet.lower() == call.cmdlet.lower() and _concerns(fault, call) and _is_due(fault) and fate == "run":
            if not fault.silent:
                usual = "VirtualizationException" if call.error_source.startswith("Microsoft.HyperV.") else "CimException"
                call.write_error(fault.id, fault.category, fault.message, fault.reason or usual)
            if fault.vm is None or not _leave_out(fault.vm, call):
                fate = "silent" if fault.silent else "failed"
    return fate


def _is_due(fault: Fault) -> bool:
    fault.seen += 1
    failed = fault.seen - fault.after
    return failed > 0 and (fault.times is None or failed <= fault.times)


def _concerns(fault: Fault, call: Call) -> bool:
    return fault.vm is None or any(_is_vm(fault.vm, one, name, call) for name, value in call.values.items() for one in _items(value))


def _leave_out(vm: str, call: Call) -> bool:
    """Take a VM out of the call's lists; False: nothing is left of it then."""
    for name, value in call.values.items():
        rest = [one for one in _items(value) if not _is_vm(vm, one, name, call)]
        if not rest and _items(value):
            return False
        if isinstance(value, list):
            call.values[name] = rest
    return True


def _is_vm(vm: str, value: t.Any, parameter: str, call: Call) -> bool:
    if isinstance(value, Live):
        model: Vm | None = getattr(value, "vm", None)
        return model is not None and (same_text(model.name, vm) or same_text(model.id, vm))
    names_vm = parameter in {"VMName", "VMId"} or (parameter in {"Name", "Id"} and call.cmdlet.endswith(_BY_NAME))
    return names_vm and isinstance(value, str) and same_text(value, vm)


def _items(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else [value]


def _happen(host: Host, event: Event, place: str) -> None:
    if event.vm is None:
        changed = _changed(host, event.set, place)
        for name in {path.partition(".")[0] for path in event.set}:
            if name in host.derived():
                raise ProfileError(f"{place}.set.{name}: a guest has it from its VM")
            setattr(host, name, getattr(changed, name))
        return
    found = [index for index, vm in enumerate(host.vms) if same_text(vm.name, event.vm) or same_text(vm.id, event.vm)]
    if not found:
        raise ProfileError(f"{place}.vm: there is no VM {event.vm!r} (any more)")
    for index in found:
        changed_vm = _changed(host.vms[index], event.set, place)
        was, host.vms[index] = host.vms[index].state, changed_vm
        tree.link(host)
        if "state" in event.set:
            changed_vm.move = None
            changed_vm.started = host.clock if changed_vm.state == "Running" else None
            power.follow(host, changed_vm, was)


T = t.TypeVar("T")


def _changed(thing: T, values: dict[str, t.Any], place: str) -> T:
    """A copy with the dotted fields set, read as a profile is read: sizes may be texts."""
    plain = to_plain(thing)
    for path, value in values.items():
        _set(plain, path, value, f"{place}.set.{path}")
    return from_plain(type(thing), plain, f"{place}.set")


def _set(plain: t.Any, path: str, value: t.Any, place: str) -> None:
    *way, last = path.split(".")
    for word in way:
        plain = _item(plain, word, place) if isinstance(plain, list) else plain.setdefault(word, {})
    if isinstance(plain, list):
        _item(plain, last, place)
        plain[int(last)] = value
    elif isinstance(plain, dict):
        plain[last] = value
    else:
        raise ProfileError(f"{place}: no such field")


def _item(items: list[t.Any], index: str, place: str) -> t.Any:
    if not index.isdecimal() or int(index) >= len(items):
        raise ProfileError(f"{place}: the list has no item {index!r}")
    return items[int(index)]
