# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_nested_info: what a host and its VMs are, and everything that would stop nesting or make it pointless."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import HypervMissing
from .._nesting import MEMORY_ADVISED, QUERIES, Platform, host_blockers, version_blocker
from .._options import Option, Options, Spec, show_size, strings
from .._plan import Plan
from .._steps import Answers, Row, Step
from .._vms import VM_FIELDS, Vm, by_vm, component_queries, every_vm, look_up, vm_queries

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = Spec(vms=Option(type="raw", aliases=("vm",), convert=strings))

_CIM = "CimCmdlets\\Get-CimInstance"
_DEVICE_GUARD = {"ClassName": "Win32_DeviceGuard", "Namespace": "root\\Microsoft\\Windows\\DeviceGuard"}
_SERVICE = {"ClassName": "Win32_Service", "Filter": "Name='vmms'"}
# facts 2.5 and 9.3: the module is not installed, or its service does not answer; both become findings.
_NO_HYPERV = frozenset({"CommandNotFoundException", "CouldNotAutoLoadModule", "ObjectNotFound"})
_NO_CLASS = frozenset({"HRESULT 0x80041010", "HRESULT 0x8004100e"})
_HOME_EDITIONS = (100, 101)
"""Win32_OperatingSystem.OperatingSystemSKU of Home editions, which have no Hyper-V."""

_VM_FIELDS = (*VM_FIELDS, "Heartbeat", "MemoryAssigned", "Notes")
_ADAPTER_FIELDS = ("VMId", "Id", "Name", "MacAddress", "MacAddressSpoofing", "SwitchName", "IPAddresses", "Connected")
_MEMORY_FIELDS = ("VMId", "DynamicMemoryEnabled", "Startup", "Minimum", "Maximum", "Buffer", "Priority")
_SWITCH_FIELDS = ("Name", "Id", "SwitchType", "AllowManagementOS", "NetAdapterInterfaceDescription")
BLOCKER, WARNING, NOTE = "blocker", "warning", "note"
_ALL = ("*",)
"""Stands for the names when every VM is meant: component queries follow the VMs that were found, whatever their names."""


def queries(options: Options) -> tuple[Step, ...]:
    """The host, its networks, and the VMs with their processors, memory, adapters and security."""
    names = _ALL if options.vms is None else options.vms
    return (
        *QUERIES,
        Step(
            _CIM, {"ClassName": "Win32_ComputerSystem"}, save="system", select=("Name", "HypervisorPresent", "TotalPhysicalMemory", "Model")
        ),
        Step(_CIM, _DEVICE_GUARD, save="device_guard", select=("VirtualizationBasedSecurityStatus",), absent=_NO_CLASS),
        Step(_CIM, _SERVICE, save="vmms", select=("State",)),
        Step(
            "Hyper-V\\Get-VMHost",
            save="host",
            select=("Name", "LogicalProcessorCount", "MemoryCapacity", "SupportedVmVersions"),
            absent=_NO_HYPERV,
        ),
        Step("Hyper-V\\Get-VMHostSupportedVersion", {"Default": True}, save="default_version", select=("Version",), absent=_NO_HYPERV),
        Step("Hyper-V\\Get-VMSwitch", save="switches", select=_SWITCH_FIELDS, absent=_NO_HYPERV),
        Step("NetNat\\Get-NetNat", save="nats", select=("Name", "InternalIPInterfaceAddressPrefix"), absent=_NO_HYPERV),
        *_vm_queries(options),
        *component_queries(
            names, "Hyper-V\\Get-VMProcessor", "processors", ("VMId", "Count", "ExposeVirtualizationExtensions"), _NO_HYPERV
        ),
        *component_queries(names, "Hyper-V\\Get-VMMemory", "memory", _MEMORY_FIELDS, _NO_HYPERV),
        *component_queries(names, "Hyper-V\\Get-VMNetworkAdapter", "adapters", _ADAPTER_FIELDS, _NO_HYPERV),
        *component_queries(names, "Hyper-V\\Get-VMSecurity", "security", ("VirtualizationBasedSecurityOptOut",), _NO_HYPERV),
    )


def _vm_queries(options: Options) -> tuple[Step, ...]:
    if options.vms is None:
        return (Step("Hyper-V\\Get-VM", save="vms", select=_VM_FIELDS, absent=_NO_HYPERV),)
    return vm_queries(options.vms, _VM_FIELDS, absent=_NO_HYPERV)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that stops nesting (blocker), makes it pointless (warning), or is worth knowing (note)."""

    code: str
    severity: str
    subject: str
    msg: str
    fix: str

    def result(self) -> dict[str, str]:
        """The finding as the task's result shows it."""
        return {"code": self.code, "severity": self.severity, "subject": self.subject, "msg": self.msg, "fix": self.fix}


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """The host as it was read; None: this Windows does not tell."""

    name: str
    platform: Platform
    edition: int | None
    hyperv: bool
    vmms: bool
    hypervisor: bool | None
    firmware: bool | None
    """Whether the firmware has virtualization on; Windows can tell only while no hypervisor runs."""
    vbs: int | None
    memory: int | None
    logical_processors: int | None
    model: str
    supported_versions: tuple[str, ...]
    default_version: str
    switches: tuple[Row, ...]
    nats: tuple[Row, ...]

    def result(self) -> dict[str, t.Any]:
        """The host as the task's result shows it."""
        return {
            "name": self.name,
            "windows": self.platform.caption,
            "build": self.platform.build,
            "client": self.platform.client,
            "cpu_vendor": self.platform.vendor,
            "cpu": self.platform.cpu,
            "logical_processors": self.logical_processors,
            "memory": show_size(self.memory) if self.memory else None,
            "hyperv_installed": self.hyperv,
            "hypervisor_running": self.hypervisor,
            "vbs": {0: "off", 1: "enabled", 2: "running"}.get(self.vbs) if self.vbs is not None else None,
            "virtual_machine": self.model == "Virtual Machine",
            "supported_versions": list(self.supported_versions),
            "default_version": self.default_version or None,
            "switches": [_switch(row) for row in self.switches],
            "nats": [{"name": row["Name"], "prefix": row["InternalIPInterfaceAddressPrefix"]} for row in self.nats],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """A VM with everything that nesting is about."""

    vm: Vm
    processor: Row
    memory: Row
    adapters: tuple[Row, ...]
    vbs_opt_out: bool | None

    @property
    def exposed(self) -> bool:
        """Whether it can run Hyper-V."""
        return bool(self.processor.get("ExposeVirtualizationExtensions"))

    @property
    def spoofing(self) -> tuple[bool, ...]:
        """MAC address spoofing of each adapter."""
        return tuple(row["MacAddressSpoofing"] == "On" for row in self.adapters)

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
        memory = self.memory
        return {
            "name": self.vm.name,
            "id": self.vm.id,
            "power_state": self.vm.state.lower(),
            "version": self.vm.version,
            "generation": self.vm.generation,
            "processors": self.processor["Count"],
            "expose_virtualization_extensions": self.exposed,
            "vbs_opt_out": self.vbs_opt_out,
            "clustered": self.vm.clustered,
            "heartbeat": self.vm.row.get("Heartbeat"),
            "notes": self.vm.row.get("Notes") or "",
            "memory": {
                "dynamic": memory["DynamicMemoryEnabled"],
                **{name.lower(): show_size(memory[name]) for name in ("Startup", "Minimum", "Maximum")},
                "assigned": show_size(self.vm.row.get("MemoryAssigned") or 0),
                "buffer": memory["Buffer"],
                "priority": memory["Priority"],
            },
            "adapters": [_adapter(row) for row in self.adapters],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The host, its VMs, and what was found out about them."""

    host: Host
    guests: tuple[Guest, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows and findings; a VM that does not exist, and a host without Hyper-V, are findings."""
        host = _host(answers)
        vms, errors = (every_vm(answers), []) if options.vms is None else look_up(options.vms, answers)
        guests = tuple(_guests(vms, answers))
        findings = list(_of_host(host))
        if host.hyperv and host.vmms:
            findings += [Finding(code=e.code, severity=BLOCKER, subject=e.subject, msg=e.msg, fix=e.fix) for e in errors]
        for guest in guests:
            if options.vms is not None or guest.exposed:
                findings += _of_guest(host, guest)
        return cls(host=host, guests=guests, findings=tuple(findings))

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {
            "host": self.host.result(),
            "vms": [guest.result() for guest in self.guests],
            "findings": [finding.result() for finding in self.findings],
        }


def plan(options: Options, state: State) -> Plan:
    """Nothing ever changes."""
    del options, state
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
        hyperv=bool(host) or bool(service),
        vmms=bool(host),
        hypervisor=system.get("HypervisorPresent"),
        firmware=cpu.get("VirtualizationFirmwareEnabled"),
        vbs=guard.get("VirtualizationBasedSecurityStatus"),
        memory=host.get("MemoryCapacity") or system.get("TotalPhysicalMemory"),
        logical_processors=host.get("LogicalProcessorCount"),
        model=str(system.get("Model") or ""),
        supported_versions=tuple(map(str, host.get("SupportedVmVersions") or ())),
        default_version=str(default.get("Version") or ""),
        switches=tuple(answers.rows("switches")),
        nats=tuple(answers.rows("nats")),
    )


def _switch(row: Row) -> dict[str, t.Any]:
    return {
        "name": row["Name"],
        "id": str(row["Id"]),
        "type": str(row["SwitchType"]).lower(),
        "adapter": row.get("NetAdapterInterfaceDescription") or None,
    }


def _adapter(row: Row) -> dict[str, t.Any]:
    return {
        "name": row["Name"],
        "mac_address": row["MacAddress"],
        "mac_address_spoofing": row["MacAddressSpoofing"] == "On",
        "switch": row.get("SwitchName") or None,
        "ip_addresses": list(row.get("IPAddresses") or ()),
    }


def _guests(vms: list[Vm], answers: Answers) -> Iterator[Guest]:
    processors, memory, adapters = (by_vm(answers.rows(name)) for name in ("processors", "memory", "adapters"))
    opt_outs = _opt_outs(answers)
    for vm in vms:
        yield Guest(
            vm=vm,
            processor=processors[vm.id][0],
            memory=memory[vm.id][0],
            adapters=tuple(adapters.get(vm.id, ())),
            vbs_opt_out=opt_outs.get(vm.id),
        )


def _opt_outs(answers: Answers) -> dict[str, bool]:
    """VBS opt-out by VM id. A VMSecurity object does not say whose it is, so the order of the VMs has to do; only for showing."""
    found: dict[str, bool] = {}
    for kind in ("", "#id"):
        vms = [row for row in answers.rows("vms") if row.save == f"vms{kind}"]
        security = [row for row in answers.rows("security") if row.save == f"security{kind}"]
        if len(vms) == len(security):
            found |= {str(vm["Id"]): bool(row["VirtualizationBasedSecurityOptOut"]) for vm, row in zip(vms, security, strict=True)}
    return found


def _of_host(host: Host) -> Iterator[Finding]:
    for blocker in host_blockers(host.platform):
        yield Finding(code=blocker.code, severity=BLOCKER, subject=host.name, msg=blocker.msg, fix=blocker.fix)
    for code, severity, true, msg, fix in (
        (
            "edition_unsupported",
            BLOCKER,
            host.edition in _HOME_EDITIONS,
            f"{host.platform.caption} is a Home edition, and Hyper-V needs Pro, Enterprise, Education or a server",
            "upgrade the edition of Windows",
        ),
        (
            "hyperv_missing",
            BLOCKER,
            not host.hyperv,
            "Hyper-V or its PowerShell module is not installed",
            HypervMissing.fix,
        ),
        (
            "vmms_stopped",
            BLOCKER,
            host.hyperv and not host.vmms,
            "the Virtual Machine Management service (vmms) does not answer",
            "Start-Service vmms; its event log (Hyper-V-VMMS) says why it stopped",
        ),
        (
            "firmware_disabled",
            BLOCKER,
            host.hypervisor is False and host.firmware is False,
            "virtualization is switched off in the host's firmware",
            "switch on Intel VT-x or AMD-V in the firmware (BIOS/UEFI) and start the host again",
        ),
        (
            "hypervisor_not_running",
            BLOCKER,
            host.hyperv and host.hypervisor is False and host.firmware is not False,
            "the hypervisor does not run, so that no VM starts",
            "bcdedit /set hypervisorlaunchtype auto, then restart Windows (a shutdown with fast startup is not enough)",
        ),
        (
            "host_is_vm",
            NOTE,
            host.model == "Virtual Machine",
            "the host is a VM itself: its VMs run only while its own extensions are exposed on the host below",
            "see hyperv_nested_info of the host below",
        ),
        (
            "several_nats",
            WARNING,
            len(host.nats) > 1,
            f"the host has {len(host.nats)} NAT networks; Microsoft's guide says that one is supported",
            "use one NAT with a larger prefix when addresses do not get through",
        ),
    ):
        if true:
            yield Finding(code=code, severity=severity, subject=host.name, msg=msg, fix=fix)


def _of_guest(host: Host, guest: Guest) -> Iterator[Finding]:
    vm = guest.vm
    version = version_blocker(host.platform, vm.version)
    if version:
        yield Finding(code=version.code, severity=BLOCKER, subject=vm.label, msg=f"VM '{vm.label}' {version.msg}", fix=version.fix)
    startup = int(guest.memory["Startup"])
    for code, severity, true, msg, fix in (
        (
            "vm_critical",
            BLOCKER,
            vm.state.endswith("Critical"),
            f"is {vm.state}: it has lost its storage",
            "repair the VM's storage",
        ),
        (
            "extensions_hidden",
            NOTE,
            not guest.exposed,
            "hides the virtualization extensions, so it cannot run Hyper-V",
            "expose them with hyperv_nested",
        ),
        (
            "dynamic_memory",
            WARNING,
            bool(guest.memory["DynamicMemoryEnabled"]),
            "has dynamic memory: while Hyper-V runs inside, its memory does not move",
            "give it static memory with hyperv_vm_memory (dynamic=false)",
        ),
        (
            "little_memory",
            WARNING,
            startup < MEMORY_ADVISED,
            f"has {show_size(startup)} of memory; below {show_size(MEMORY_ADVISED)} its own VMs may not start",
            "give it more with hyperv_vm_memory",
        ),
        (
            "no_network_adapter",
            WARNING,
            not guest.adapters,
            "has no network adapter, so its own VMs reach no network",
            "add one and connect it to a switch",
        ),
        (
            "adapter_disconnected",
            WARNING,
            bool(guest.adapters) and not any(row.get("SwitchName") for row in guest.adapters),
            "is connected to no switch, so its own VMs reach no network",
            "connect its network adapter to a switch",
        ),
        (
            "mac_spoofing_off",
            NOTE,
            bool(guest.adapters) and not any(guest.spoofing),
            "has MAC address spoofing off: its own VMs reach the network only through a NAT inside it",
            "use hyperv_nat_switch inside the VM, or switch spoofing on with hyperv_mac_spoof",
        ),
        (
            "mac_spoofing_mixed",
            NOTE,
            any(guest.spoofing) and not all(guest.spoofing),
            "has MAC address spoofing on for some of its network adapters only",
            "name the adapters that are meant in hyperv_mac_spoof",
        ),
        (
            "vm_clustered",
            WARNING,
            vm.clustered,
            "is clustered; nested virtualization is not meant for failover clusters, and this collection does not power cycle it",
            "take it out of the cluster, or stop it with the cluster's tools before it is changed",
        ),
        (
            "vm_saved",
            WARNING,
            vm.state == "Saved",
            "is saved: nothing that needs it off can be changed without discarding the saved state",
            "start it and shut it down, or set discard_saved_state=true",
        ),
        (
            "no_heartbeat",
            NOTE,
            vm.state == "Running" and not str(vm.row.get("Heartbeat") or "").startswith("Ok"),
            "runs without a heartbeat: its guest is still starting, or has no integration services, and cannot be asked to shut down",
            "wait for the guest, or repair its integration services",
        ),
    ):
        if true:
            yield Finding(code=code, severity=severity, subject=vm.label, msg=f"VM '{vm.label}' {msg}", fix=fix)
