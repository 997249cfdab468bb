# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: Get-CimInstance for the few classes that tell what a host is."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta

from .. import tree
from ..calls import CmdletError, NotSimulated
from ..network_objects import CimInstance, Win32Instance, cim_names
from ..ping import PingStatus, ping
from ..simulates import refuse_unless, simulate

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..calls import Call
    from ..model import Host

BEGINNING = datetime(2026, 1, 1)
"""Simulated second 0."""

_SKUS = (("Datacenter", 8), ("Standard", 7), ("Enterprise", 4), ("Education", 121), ("Pro", 48), ("Home", 101))
_FILTER = re.compile(r"\s*Name\s*=\s*(?:'([^']*)'|\"([^\"]*)\")\s*", re.IGNORECASE)


def hypervisor_present(host: Host) -> bool:
    """Some hypervisor is below this Windows: its own, that of VBS, or the one whose VM it is (facts 7)."""
    return host.nested or tree.hypervisor_runs(host) or host.vbs_status == 2


def _sku(host: Host) -> int:
    return next((number for word, number in _SKUS if word in host.product), 48 if host.client else 7)


def _boot_time(self: Win32Instance) -> datetime:
    """Not to be relied upon to the millisecond (docs/simulator.md)."""
    return BEGINNING + timedelta(seconds=self.host.booted, microseconds=600 * (1 - self.host.processes % 2))


def _visible(self: Win32Instance) -> bool:
    """Windows sees the processor's virtualization only while no hypervisor of its own is below it (facts 7)."""
    if self.host.machine is not None:
        return tree.extensions_visible(self.host) and not tree.hypervisor_runs(self.host) and self.host.vbs_status != 2
    return not hypervisor_present(self.host)


class OperatingSystem(Win32Instance):
    """Win32_OperatingSystem."""

    type_names = cim_names("Win32_OperatingSystem", "root/cimv2")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Caption": lambda self: self.host.product,
        "BuildNumber": lambda self: str(self.host.build),
        "Version": lambda self: f"10.0.{self.host.build}",
        "ProductType": lambda self: 1 if self.host.client else 3,
        "OperatingSystemSKU": lambda self: _sku(self.host),
        "CSName": lambda self: self.host.name,
        "LastBootUpTime": _boot_time,
        "LocalDateTime": lambda self: BEGINNING + timedelta(seconds=self.host.clock),
        "TotalVisibleMemorySize": lambda self: self.host.memory // 1024,
    }


class Processor(Win32Instance):
    """Win32_Processor: one socket."""

    type_names = cim_names("Win32_Processor", "root/cimv2")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "DeviceID": lambda self: "CPU0",
        "Manufacturer": lambda self: "AuthenticAMD" if self.host.cpu.vendor == "AMD" else "GenuineIntel",
        "Name": lambda self: self.host.cpu.name,
        "NumberOfCores": lambda self: max(1, self.host.cpu.logical_processors // 2),
        "NumberOfLogicalProcessors": lambda self: self.host.cpu.logical_processors,
        "VirtualizationFirmwareEnabled": _visible,
        "SecondLevelAddressTranslationExtensions": _visible,
        "VMMonitorModeExtensions": _visible,
    }


class ComputerSystem(Win32Instance):
    """Win32_ComputerSystem."""

    type_names = cim_names("Win32_ComputerSystem", "root/cimv2")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Name": lambda self: self.host.name,
        "Manufacturer": lambda self: "Microsoft Corporation" if self.host.nested else "Contoso",
        "Model": lambda self: "Virtual Machine" if self.host.nested else "Simulated Server",
        "HypervisorPresent": lambda self: hypervisor_present(self.host),
        "TotalPhysicalMemory": lambda self: int(self.host.memory),
        "NumberOfProcessors": lambda self: 1,
        "NumberOfLogicalProcessors": lambda self: self.host.cpu.logical_processors,
    }


class DeviceGuard(Win32Instance):
    """Win32_DeviceGuard (facts 8)."""

    type_names = cim_names("Win32_DeviceGuard", "root/Microsoft/Windows/DeviceGuard")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "VirtualizationBasedSecurityStatus": lambda self: self.host.vbs_status,
        "SecurityServicesConfigured": lambda self: [1, 2] if self.host.vbs_status else [0],
        "SecurityServicesRunning": lambda self: [1, 2] if self.host.vbs_status == 2 else [0],
        "AvailableSecurityProperties": lambda self: [1, 2, 3, 5, 7],
        "RequiredSecurityProperties": lambda self: [1, 2] if self.host.vbs_status else [0],
        "CodeIntegrityPolicyEnforcementStatus": lambda self: 0,
        "UsermodeCodeIntegrityPolicyEnforcementStatus": lambda self: 0,
        "Version": lambda self: "1.0",
    }


class VmmsService(Win32Instance):
    """Win32_Service of the Virtual Machine Management Service."""

    type_names = cim_names("Win32_Service", "root/cimv2")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Name": lambda self: "vmms",
        "DisplayName": lambda self: "Hyper-V Virtual Machine Management",
        "State": lambda self: "Running" if tree.vmms_runs(self.host) else "Stopped",
        "Status": lambda self: "OK",
        "Started": lambda self: tree.vmms_runs(self.host),
        "StartMode": lambda self: "Auto",
    }


_CLASSES: Mapping[str, type[Win32Instance]] = {
    "win32_operatingsystem": OperatingSystem,
    "win32_processor": Processor,
    "win32_computersystem": ComputerSystem,
    "win32_service": VmmsService,
    "win32_deviceguard": DeviceGuard,
    "win32_pingstatus": PingStatus,
}
_NAMESPACES = {"win32_deviceguard": "root/microsoft/windows/deviceguard"}
_USUAL = "root/cimv2"


@simulate("CimCmdlets\\Get-CimInstance", "ClassName Namespace Filter Property OperationTimeoutSec Shallow KeyOnly QueryDialect")
def get_cim_instance(call: Call) -> Iterator[CimInstance]:
    """Only by class, with no filter but a service's name and what to ping."""
    refuse_unless(call, "KeyOnly", False)
    refuse_unless(call, "QueryDialect")
    asked = str(call.get("ClassName") or "")
    namespace = str(call.get("Namespace") or _USUAL).replace("\\", "/").strip("/").lower()
    kind = _CLASSES.get(asked.lower())
    if kind is None or namespace not in (_USUAL, *_NAMESPACES.values()):
        raise NotSimulated(f"the CIM class {asked} in {namespace}")
    if namespace != _NAMESPACES.get(asked.lower(), _USUAL):
        _cim_error(call, "0x80041010", "MetadataError", "Invalid class")
    if kind is DeviceGuard and call.host.rights != "administrator":
        # the class is for elevated users only (facts 8)
        _cim_error(call, "0x80041003", "PermissionDenied", "Access denied")
    if kind is VmmsService:
        yield from _service(call)
        return
    if kind is PingStatus:
        yield ping(call.host, str(call.get("Filter") or ""), _only(call))
        return
    refuse_unless(call, "Filter", "")
    yield kind(call.host, _only(call))


def _service(call: Call) -> Iterator[VmmsService]:
    asked = _FILTER.fullmatch(str(call.get("Filter") or ""))
    if not asked or (asked[1] or asked[2] or "").lower() != "vmms":
        raise NotSimulated(f"services with the filter {call.get('Filter')!r}: only Name='vmms'")
    if tree.hyperv_works(call.host):
        yield VmmsService(call.host, _only(call))


def _only(call: Call) -> frozenset[str] | None:
    given = call.get("Property")
    return frozenset(str(name).lower() for name in given) if given else None


def _cim_error(call: Call, code: str, category: str, message: str) -> t.NoReturn:
    raise CmdletError(call.record(f"HRESULT {code}", category, message, "CimException"))
