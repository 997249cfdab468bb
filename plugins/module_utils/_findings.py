# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what was read of a host and its VMs, and the rules by which something of it is a finding."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import HypervMissing
from ._memory import shown_memory
from ._nesting import MEMORY_ADVISED, VIRTUAL_MACHINE, Blocker, Platform, host_blockers, version_blocker
from ._options import show_size
from ._vms import shown_stop_action

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._steps import Row
    from ._vms import Vm

BLOCKER, WARNING, NOTE = "blocker", "warning", "note"
_HOME_EDITIONS = (100, 101)
"""Win32_OperatingSystem.OperatingSystemSKU of Home editions, which have no Hyper-V."""


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
    below: tuple[str, str] | None
    """The Hyper-V host that it is a VM of and the VM's name there, as the data exchange service told; None: no VM, or not told."""
    supported_versions: tuple[str, ...]
    default_version: str
    switches: tuple[Row, ...]
    nats: tuple[Row, ...]

    @property
    def is_vm(self) -> bool:
        """Whether it is a VM of a Hyper-V host."""
        return self.model == VIRTUAL_MACHINE

    @property
    def place_below(self) -> str:
        """Its Hyper-V host, for messages."""
        return f"{self.below[0]}, where it is VM '{self.below[1]}'" if self.below else "the host below"

    @property
    def bridges(self) -> tuple[str, ...]:
        """Its external switches."""
        return tuple(f"'{row['Name']}'" for row in self.switches if row["SwitchType"] == "External")

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
            "virtual_machine": self.is_vm,
            "hyperv_host": self.below[0] if self.below else None,
            "vm_name": self.below[1] if self.below else None,
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
    def startup(self) -> int:
        """Its startup memory in bytes."""
        return int(self.memory["Startup"])

    @property
    def spoofing(self) -> tuple[bool, ...]:
        """MAC address spoofing of each adapter."""
        return tuple(row["MacAddressSpoofing"] == "On" for row in self.adapters)

    def result(self) -> dict[str, t.Any]:
        """The VM as the task's result shows it."""
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
            "checkpoints": bool(self.vm.row.get("ParentSnapshotId")),
            "automatic_stop_action": shown_stop_action(self.vm.row),
            "notes": self.vm.row.get("Notes") or "",
            "memory": {**shown_memory(self.memory), "assigned": show_size(self.vm.row.get("MemoryAssigned") or 0)},
            "adapters": [_adapter(row) for row in self.adapters],
        }


Subject = t.TypeVar("Subject", Host, Guest)


@dataclass(frozen=True, kw_only=True)
class Rule(t.Generic[Subject]):
    """When something about a host or a VM is a finding, and what is said then."""

    code: str
    severity: str
    applies: Callable[[Subject], bool]
    msg: str | Callable[[Subject], str]
    fix: str | Callable[[Subject], str]

    def finding(self, subject: Subject, label: str, begin: str = "") -> Finding:
        """What the rule says about the subject that it applies to."""
        msg, fix = (text if isinstance(text, str) else text(subject) for text in (self.msg, self.fix))
        return Finding(code=self.code, severity=self.severity, subject=label, msg=begin + msg, fix=fix)


HOST_RULES: tuple[Rule[Host], ...] = (
    Rule(
        code="edition_unsupported",
        severity=BLOCKER,
        applies=lambda host: host.edition in _HOME_EDITIONS,
        msg=lambda host: f"{host.platform.caption} is a Home edition, and Hyper-V needs Pro, Enterprise, Education or a server",
        fix="upgrade the edition of Windows",
    ),
    Rule(
        code="hyperv_missing",
        severity=BLOCKER,
        applies=lambda host: not host.hyperv,
        msg="Hyper-V or its PowerShell module is not installed",
        fix=HypervMissing.fix,
    ),
    Rule(
        code="vmms_stopped",
        severity=BLOCKER,
        applies=lambda host: host.hyperv and not host.vmms,
        msg="the Virtual Machine Management service (vmms) does not answer",
        fix="Start-Service vmms; its event log (Hyper-V-VMMS) says why it stopped",
    ),
    Rule(
        code="firmware_disabled",
        severity=BLOCKER,
        applies=lambda host: host.hypervisor is False and host.firmware is False,
        msg="virtualization is switched off in the host's firmware",
        fix="switch on Intel VT-x or AMD-V in the firmware (BIOS/UEFI) and start the host again",
    ),
    Rule(
        code="hypervisor_not_running",
        severity=BLOCKER,
        applies=lambda host: host.hyperv and host.hypervisor is False and host.firmware is not False,
        msg="the hypervisor does not run, so that no VM starts",
        fix="bcdedit /set hypervisorlaunchtype auto, then restart Windows (a shutdown with fast startup is not enough)",
    ),
    Rule(
        code="host_is_vm",
        severity=NOTE,
        applies=lambda host: host.is_vm,
        msg="the host is a VM itself: its VMs run only while its own extensions are exposed on the host below",
        fix=lambda host: f"see hyperv_nested_info of {host.place_below}",
    ),
    Rule(
        code="bridge_in_vm",
        severity=NOTE,
        applies=lambda host: host.is_vm and bool(host.bridges),
        msg=lambda host: (
            f"the host is a VM itself and has external switch {' and '.join(host.bridges)}: what its VMs send and"
            " receive there passes the host below only with MAC address spoofing on this VM's network adapter"
        ),
        fix=lambda host: f"switch spoofing on with hyperv_mac_spoof on {host.place_below}; or use hyperv_nat_switch here instead",
    ),
    Rule(
        code="several_nats",
        severity=WARNING,
        applies=lambda host: len(host.nats) > 1,
        msg=lambda host: f"the host has {len(host.nats)} NAT networks; Microsoft's guide says that one is supported",
        fix="use one NAT with a larger prefix when addresses do not get through",
    ),
)

GUEST_RULES: tuple[Rule[Guest], ...] = (
    Rule(
        code="vm_critical",
        severity=BLOCKER,
        applies=lambda guest: guest.vm.state.endswith("Critical"),
        msg=lambda guest: f"is {guest.vm.state}: it has lost its storage",
        fix="repair the VM's storage",
    ),
    Rule(
        code="extensions_hidden",
        severity=NOTE,
        applies=lambda guest: not guest.exposed,
        msg="hides the virtualization extensions, so it cannot run Hyper-V",
        fix="expose them with hyperv_nested",
    ),
    Rule(
        code="dynamic_memory",
        severity=WARNING,
        applies=lambda guest: bool(guest.memory["DynamicMemoryEnabled"]),
        msg="has dynamic memory: while Hyper-V runs inside, its memory does not move",
        fix="give it static memory with hyperv_vm_memory (dynamic=false)",
    ),
    Rule(
        code="little_memory",
        severity=WARNING,
        applies=lambda guest: guest.startup < MEMORY_ADVISED,
        msg=lambda guest: f"has {show_size(guest.startup)} of memory; below {show_size(MEMORY_ADVISED)} its own VMs may not start",
        fix="give it more with hyperv_vm_memory",
    ),
    Rule(
        code="no_network_adapter",
        severity=WARNING,
        applies=lambda guest: not guest.adapters,
        msg="has no network adapter, so its own VMs reach no network",
        fix="add one and connect it to a switch",
    ),
    Rule(
        code="adapter_disconnected",
        severity=WARNING,
        applies=lambda guest: bool(guest.adapters) and not any(row.get("SwitchName") for row in guest.adapters),
        msg="is connected to no switch, so its own VMs reach no network",
        fix="connect its network adapter to a switch",
    ),
    Rule(
        code="mac_spoofing_off",
        severity=NOTE,
        applies=lambda guest: bool(guest.adapters) and not any(guest.spoofing),
        msg="has MAC address spoofing off: its own VMs reach the network only through a NAT inside it",
        fix="use hyperv_nat_switch inside the VM, or switch spoofing on with hyperv_mac_spoof",
    ),
    Rule(
        code="mac_spoofing_mixed",
        severity=NOTE,
        applies=lambda guest: any(guest.spoofing) and not all(guest.spoofing),
        msg="has MAC address spoofing on for some of its network adapters only",
        fix="name the adapters that are meant in hyperv_mac_spoof",
    ),
    Rule(
        code="vm_clustered",
        severity=WARNING,
        applies=lambda guest: guest.vm.clustered,
        msg="is clustered; nested virtualization is not meant for failover clusters, and this collection does not power cycle it",
        fix="take it out of the cluster, or stop it with the cluster's tools before it is changed",
    ),
    Rule(
        code="vm_saved",
        severity=WARNING,
        applies=lambda guest: guest.vm.state == "Saved",
        msg=lambda guest: (
            "is saved: nothing that needs it off can be changed without discarding the saved state"
            + (", and the VMs that ran inside would lose their power with it" if guest.exposed else "")
        ),
        fix="start it and shut it down, or set discard_saved_state=true",
    ),
    Rule(
        code="power_cut_with_host",
        severity=WARNING,
        applies=lambda guest: guest.exposed and guest.vm.row.get("AutomaticStopAction") == "TurnOff",
        msg="is turned off when its host shuts down, and the VMs inside lose their power with it",
        fix="set automatic_stop_action=shutdown (or save) with hyperv_vm",
    ),
    Rule(
        code="checkpoints",
        severity=NOTE,
        applies=lambda guest: guest.exposed and bool(guest.vm.row.get("ParentSnapshotId")),
        msg="has checkpoints: whoever applies one has extensions, processors, memory and all VMs inside back as they were then",
        fix="play the tasks for it again afterwards, or remove checkpoints that are not needed (Remove-VMSnapshot)",
    ),
    Rule(
        code="no_heartbeat",
        severity=NOTE,
        applies=lambda guest: guest.vm.state == "Running" and not str(guest.vm.row.get("Heartbeat") or "").startswith("Ok"),
        msg="runs without a heartbeat: its guest is still starting, or has no integration services, and cannot be asked to shut down",
        fix="wait for the guest, or repair its integration services",
    ),
)
"""Their messages follow the name of the VM."""


def of_host(host: Host) -> Iterator[Finding]:
    """What is in the way on the host, for all VMs."""
    for blocker in host_blockers(host.platform):
        yield _of_blocker(blocker, host.name)
    for rule in HOST_RULES:
        if rule.applies(host):
            yield rule.finding(host, host.name)


def of_guest(host: Host, guest: Guest) -> Iterator[Finding]:
    """What is in the way with one VM."""
    label = guest.vm.label
    begin = f"VM '{label}' "
    version = version_blocker(host.platform, guest.vm.version)
    if version:
        yield _of_blocker(version, label, begin)
    for rule in GUEST_RULES:
        if rule.applies(guest):
            yield rule.finding(guest, label, begin)


def _of_blocker(blocker: Blocker, label: str, begin: str = "") -> Finding:
    return Finding(code=blocker.code, severity=BLOCKER, subject=label, msg=begin + blocker.msg, fix=blocker.fix)


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
