# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_nested_info: what a host and its VMs are, and everything that would stop nesting or make it pointless."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import NO_HYPERV, NO_MODULE
from .._findings import BLOCKER, Finding, Guest, Host, of_guest, of_host
from .._memory import MEMORY_FIELDS
from .._nesting import MACHINE_QUERIES, QUERIES, Platform, Start, place_below
from .._options import Option, Options, Spec, number, strings
from .._plan import Plan
from .._proof import PROOF, Proof, proof_queries
from .._restart import await_service
from .._steps import Answers, Step
from .._vms import VM_FIELDS, Vm, by_vm, component_queries, every_vm, look_up, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .._errors import HypervError

SPEC = Spec(
    vms=Option(type="raw", aliases=("vm",), convert=strings),
    proof=PROOF,
    answer_timeout=number(1, 86_400),
)

# facts 2.5: of a VM's components ObjectNotFound means that the VM has been removed since Get-VM found it.
_GONE = NO_HYPERV

_VM_FIELDS = (*VM_FIELDS, "Heartbeat", "MemoryAssigned", "Notes", "AutomaticStopAction", "ParentSnapshotId")
_ADAPTER_FIELDS = ("VMId", "Id", "Name", "MacAddress", "MacAddressSpoofing", "SwitchName", "IPAddresses", "Connected")
_SWITCH_FIELDS = ("Name", "Id", "SwitchType", "AllowManagementOS", "NetAdapterInterfaceDescription")
_ALL = ("*",)
"""Stands for the names when every VM is meant: component queries follow the VMs that were found, whatever their names."""


def queries(options: Options) -> tuple[Step, ...]:
    """The host, its networks, and the VMs with their processors, memory, adapters and security."""
    names = _ALL if options.vms is None else options.vms
    return (
        *QUERIES,
        *MACHINE_QUERIES,
        Step(
            "Hyper-V\\Get-VMHost",
            save="host",
            select=("Name", "LogicalProcessorCount", "MemoryCapacity", "SupportedVmVersions"),
            absent=NO_HYPERV,
        ),
        Step("Hyper-V\\Get-VMHostSupportedVersion", {"Default": True}, save="default_version", select=("Version",), absent=NO_HYPERV),
        Step("Hyper-V\\Get-VMSwitch", save="switches", select=_SWITCH_FIELDS, absent=NO_HYPERV),
        Step("NetNat\\Get-NetNat", save="nats", select=("Name", "InternalIPInterfaceAddressPrefix"), absent=NO_HYPERV),
        *_vm_queries(options),
        *component_queries(names, "Hyper-V\\Get-VMProcessor", "processors", ("VMId", "Count", "ExposeVirtualizationExtensions"), _GONE),
        *component_queries(names, "Hyper-V\\Get-VMMemory", "memory", MEMORY_FIELDS, _GONE),
        *component_queries(names, "Hyper-V\\Get-VMNetworkAdapter", "adapters", _ADAPTER_FIELDS, _GONE),
        *component_queries(names, "Hyper-V\\Get-VMSecurity", "security", ("VirtualizationBasedSecurityOptOut",), _GONE),
        *proof_queries(options),
    )


def _vm_queries(options: Options) -> tuple[Step, ...]:
    if options.vms is None:
        return (Step("Hyper-V\\Get-VM", save="vms", select=_VM_FIELDS, absent=NO_HYPERV),)
    return vm_queries(options.vms, _VM_FIELDS, absent=NO_HYPERV)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The host, its VMs, and what was found out about them."""

    host: Host
    guests: tuple[Guest, ...]
    findings: tuple[Finding, ...]
    proof: Proof | None
    """None: the task asks for none."""
    start: Start

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows and findings; a VM that does not exist, and a host without Hyper-V, are findings."""
        host = _host(answers)
        vms, errors = (every_vm(answers), []) if options.vms is None else look_up(options.vms, answers)
        guests = tuple(_guests(vms, answers))
        findings = list(of_host(host))
        if host.hyperv and host.vmms:
            errors += _vanished(options, vms, guests)
            findings += [Finding(code=e.code, severity=BLOCKER, subject=e.subject, msg=e.msg, fix=e.fix) for e in errors]
        for guest in guests:
            if options.vms is not None or guest.exposed:
                findings += of_guest(host, guest)
        proof = Proof.from_answers(options, answers, host)
        if proof:
            findings += proof.findings()
        return cls(host=host, guests=guests, findings=tuple(findings), proof=proof, start=Start.from_answers(answers))

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        found = {
            "host": self.host.result(),
            "vms": [guest.result() for guest in self.guests],
            "findings": [finding.result() for finding in self.findings],
        }
        return {**found, "proof": self.proof.result()} if self.proof else found


def plan(options: Options, state: State) -> Plan:
    """Nothing ever changes; but a host that is still starting may be waited for."""
    if state.host.hyperv and not state.host.vmms:
        await_service(options, state.start, state.host.name)
    return Plan()


def _host(answers: Answers) -> Host:
    system: t.Any = answers.one("system") or {}
    guard: t.Any = answers.one("device_guard") or {}
    service: t.Any = answers.one("vmms") or {}
    host: t.Any = answers.one("host") or {}
    default: t.Any = answers.one("default_version") or {}
    cpu: t.Any = answers.one("cpus") or {}
    os: t.Any = answers.one("os") or {}
    return Host(
        name=str(host.get("Name") or system.get("Name") or ""),
        platform=Platform.from_answers(answers),
        edition=os.get("OperatingSystemSKU"),
        hyperv=bool(host) or (bool(service) and not answers.faults("host") & NO_MODULE),
        vmms=bool(host),
        hypervisor=system.get("HypervisorPresent"),
        firmware=cpu.get("VirtualizationFirmwareEnabled"),
        vbs=guard.get("VirtualizationBasedSecurityStatus"),
        memory=host.get("MemoryCapacity") or system.get("TotalPhysicalMemory"),
        logical_processors=host.get("LogicalProcessorCount"),
        model=str(system.get("Model") or ""),
        below=place_below(answers),
        supported_versions=tuple(map(str, host.get("SupportedVmVersions") or ())),
        default_version=str(default.get("Version") or ""),
        switches=tuple(answers.rows("switches")),
        nats=tuple(answers.rows("nats")),
    )


def _guests(vms: list[Vm], answers: Answers) -> Iterator[Guest]:
    processors, memory, adapters = (by_vm(answers.rows(name)) for name in ("processors", "memory", "adapters"))
    opt_outs = _opt_outs(answers)
    for vm in vms:
        if vm.id not in processors or vm.id not in memory:
            continue  # it was removed while the host was read
        yield Guest(
            vm=vm,
            processor=processors[vm.id][0],
            memory=memory[vm.id][0],
            adapters=tuple(adapters.get(vm.id, ())),
            vbs_opt_out=opt_outs.get(vm.id),
        )


def _vanished(options: Options, vms: list[Vm], guests: tuple[Guest, ...]) -> list[HypervError]:
    """The errors of named VMs that were removed while the host was read: they do not exist any more."""
    there = {guest.vm.id for guest in guests}
    gone = [vm for vm in vms if vm.id not in there]
    return look_up([name for name in options.vms or () if any(vm.is_called(name) for vm in gone)], Answers((), ()))[1]


def _opt_outs(answers: Answers) -> dict[str, bool]:
    """VBS opt-out by VM id. A VMSecurity object does not say whose it is, so the order of the VMs has to do; only for showing."""
    found: dict[str, bool] = {}
    for kind in ("", "#id"):
        vms = [row for row in answers.rows("vms") if row.save == f"vms{kind}"]
        security = [row for row in answers.rows("security") if row.save == f"security{kind}"]
        if len(vms) == len(security):
            found |= {str(vm["Id"]): bool(row["VirtualizationBasedSecurityOptOut"]) for vm, row in zip(vms, security, strict=True)}
    return found
