# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: which VMs a cmdlet works on, and the errors of the Hyper-V module."""

from __future__ import annotations

import re
import typing as t

from .calls import CmdletError, Live, NotSimulated
from .text import ordinal_upper
from .wildcards import has_wildcards, matcher

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .calls import Call
    from .model import Host, Vm

T = t.TypeVar("T")


def as_list(value: t.Any) -> list[t.Any]:
    """A parameter's value, whether its type is an array or not; nothing given is an empty list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def vms_called(host: Host, names: Iterable[str]) -> Iterator[tuple[str, list[Vm]]]:
    """Each name or pattern with the VMs that it means; VM names are not unique (facts 11)."""
    by_name: dict[str, list[Vm]] = {}
    for vm in host.vms:
        by_name.setdefault(ordinal_upper(vm.name), []).append(vm)
    for name in names:
        if has_wildcards(name):
            fits = matcher(name)
            yield name, [vm for vm in host.vms if fits(vm.name)]
        else:
            # facts 11: an escaped name finds the VM
            yield name, by_name.get(ordinal_upper(re.sub(r"`(.)", r"\1", name, flags=re.DOTALL)), [])


def unique(vms: Iterable[Vm]) -> list[Vm]:
    """Each VM once, in the order of its first appearance."""
    return list({id(vm): vm for vm in vms}.values())


def vms_of(call: Call, names: str = "VMName") -> list[Vm]:
    """The VMs that `-VM` or the parameter of that name means; one that is not there is a non-terminating error (facts 2.5)."""
    if "VM" in call.values:
        present = {id(vm) for vm in call.host.vms}
        found = []
        for live in as_list(call.values["VM"]):
            vm = vm_of(live)
            if id(vm) in present:
                found.append(vm)
            else:
                vm_not_found(call, vm.name)
        return found
    found = []
    for name, vms in vms_called(call.host, as_list(call.get(names))):
        if not vms and not has_wildcards(name):
            vm_not_found(call, name)
        found.extend(vms)
    return unique(found)


def vm_of(live: t.Any) -> Vm:
    """The VM that an object belongs to."""
    vm = getattr(live, "vm", None)
    if not isinstance(live, Live) or vm is None:
        raise NotSimulated(f"{live!r} where an object of a VM should be")
    return t.cast("Vm", vm)


def vm_not_found(call: Call, name: str) -> None:
    """The error of facts 2.5: everything but Get-VM says ObjectNotFound."""
    call.write_error("ObjectNotFound", "ObjectNotFound", f'Hyper-V was unable to find a virtual machine with name "{name}".')


def for_each(call: Call, targets: Iterable[T], act: Callable[[T], object], passthru: Callable[[T], t.Any] | None = None) -> list[t.Any]:
    """Do `act` for each target: an error of one does not stop the others. -Passthru returns what `passthru` makes of it."""
    results: list[t.Any] = []
    for target in targets:
        try:
            act(target)
        except CmdletError as error:
            call.errors.append(error.record)
            continue
        if passthru is not None and call.get("Passthru"):
            results.append(passthru(target))
    return results


def get_each(call: Call, targets: Iterable[T], make: Callable[[T], Iterable[t.Any]]) -> list[t.Any]:
    """The objects that a Get- cmdlet makes of its targets."""
    results: list[t.Any] = []
    for target in targets:
        try:
            results += make(target)
        except CmdletError as error:
            call.errors.append(error.record)
    return results


def full_id(vm: Vm) -> str:
    """How messages name a VM's id: upper case, without braces (facts 2.2)."""
    return f"(Virtual machine ID {vm.id.upper()})"


def device_failure(call: Call, vm: Vm, device: str, kind: str, reason: str, long_reason: str = "", verb: str = "modify") -> t.NoReturn:
    """The four-part error of a device that could not be changed (facts 2.2)."""
    short = f"Failed to {verb} device '{device}'."
    own = f"'{vm.name}' failed to {verb} device '{device}'. {full_id(vm)}"
    long = f"{long_reason or reason} {full_id(vm)}" if reason else ""
    call.fail(kind, CATEGORIES[kind], "\n\n".join(filter(None, (short, reason, own, long))))


WRONG_STATE: t.Final = "The operation cannot be performed while the object is in its current state."
CATEGORIES: t.Final = {
    "InvalidState": "InvalidOperation",
    "InvalidOperation": "InvalidOperation",
    "NotSupported": "InvalidOperation",
    "ObjectNotFound": "ObjectNotFound",
    "InvalidParameter": "InvalidArgument",
    "AccessDenied": "PermissionDenied",
    "OperationFailed": "NotSpecified",
    "OutOfMemory": "NotSpecified",
    "Unspecified": "NotSpecified",
}
"""facts 2.2: the category that goes with a failure kind."""


def fail(call: Call, kind: str, message: str) -> t.NoReturn:
    """An error of the Hyper-V module, with the category that goes with its kind."""
    call.fail(kind, CATEGORIES[kind], message)


def wrong_state(call: Call, message: str = "") -> t.NoReturn:
    """The error of facts 2.3."""
    fail(call, "InvalidState", f"{message}\n\n{WRONG_STATE}" if message else WRONG_STATE)
