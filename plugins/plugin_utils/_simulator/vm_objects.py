# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the objects of VMs, their devices, hosts and disks that cmdlets return: the properties of facts 9.2.

What the model does not hold has the product's default, so that no property seems to be missing on this Windows.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from types import MappingProxyType

from . import ids, network_objects, power
from .calls import Live
from .model import GB, MB
from .text import file_key, same_file

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Record
    from .model import Checkpoint, Disk, Drive, Host, Vm

SPACE: t.Final = "Microsoft.HyperV.PowerShell"
NO_ID: t.Final = "00000000-0000-0000-0000-000000000000"
_LONG_AGO: t.Final = datetime(2026, 1, 1)

Properties = t.Mapping[str, t.Callable[[t.Any], t.Any]]


def _types(*names: str) -> tuple[str, ...]:
    return (*(f"{SPACE}.{name}" for name in names), "System.Object")


def _all(*parts: Properties | dict[str, t.Any]) -> Properties:
    """Properties of several parts; one that is no function is the same for each object."""
    together: dict[str, t.Any] = {}
    for part in parts:
        for name, value in part.items():
            together[name] = value if callable(value) else _always(value)
    return MappingProxyType(together)


def _always(value: t.Any) -> Callable[[t.Any], t.Any]:
    return lambda _live: list(value) if isinstance(value, list) else value


def _on_off(on: bool) -> str:
    return "On" if on else "Off"


class CimSession(Live):
    """The connection that an object came over."""

    type_names = ("Microsoft.Management.Infrastructure.CimSession",)
    properties: t.ClassVar[Properties] = _all({"ComputerName": lambda live: live.host.name})


_TAIL: t.Final = _all(
    {
        "CimSession": lambda live: CimSession(live.host),
        "ComputerName": lambda live: live.host.name,
        "IsDeleted": lambda live: live.deleted,
    }
)


class VmLive(Live):
    """An object that belongs to a VM."""

    def __init__(self, host: Host, vm: Vm) -> None:
        super().__init__(host)
        self.vm = vm

    @property
    def deleted(self) -> bool:
        return all(vm is not self.vm for vm in self.host.vms)


class DeviceLive(VmLive):
    """A device of a VM."""

    device_id: t.ClassVar[str] = ""
    """What follows the VM's id in the device's Id."""
    device_name: t.ClassVar[str] = ""

    @property
    def id(self) -> str:
        return f"Microsoft:{self.vm.id.upper()}\\{self.device_id}"

    @property
    def name(self) -> str:
        return self.device_name


_OF_A_VM: t.Final = {
    "VMId": lambda live: live.vm.id,
    "VMName": lambda live: live.vm.name,
    "VMSnapshotId": NO_ID,
    "VMSnapshotName": "",
}
_DEVICE: t.Final = _all({"Name": lambda live: live.name, "Id": lambda live: live.id}, _OF_A_VM, _TAIL)

_STATUS: t.Final[Mapping[str, str]] = {
    "en-US": "Operating normally",
    "de-DE": "Normaler Betrieb",
    "fr-FR": "Fonctionnement normal",
    "ja-JP": "正常稼働中",
    "zh-CN": "正常运行",
}

_CONFIGURATION: t.Final = _all(
    {
        "ComPort1": None,
        "ComPort2": None,
        "DVDDrives": lambda live: [DvdDrive(live.host, live.vm, drive) for drive in live.vm.drives if drive.kind == "dvd"],
        "FibreChannelHostBusAdapters": [],
        "FloppyDrive": None,
        "HardDrives": lambda live: [HardDiskDrive(live.host, live.vm, drive) for drive in live.vm.drives if drive.kind == "hard"],
        "RemoteFxAdapter": None,
        "VMIntegrationService": lambda live: integration_services(live.host, live.vm),
        "NetworkAdapters": lambda live: adapters(live.host, live.vm),
        "DynamicMemoryEnabled": lambda live: live.vm.memory.dynamic,
        "MemoryMaximum": lambda live: live.vm.memory.maximum,
        "MemoryMinimum": lambda live: live.vm.memory.minimum,
        "MemoryStartup": lambda live: live.vm.memory.startup,
        "ProcessorCount": lambda live: live.vm.processor.count,
        "BatteryPassthroughEnabled": False,
        "Generation": lambda live: live.vm.generation,
        "IsClustered": lambda live: live.vm.clustered,
        "Path": lambda live: live.vm.path or live.host.virtual_machine_path,
        "SizeOfSystemFiles": 4 * MB,
        "GuestControlledCacheTypes": False,
        "LowMemoryMappedIoSpace": 128 * MB,
        "HighMemoryMappedIoSpace": 512 * MB,
        "LockOnDisconnect": "Off",
        "Version": lambda live: live.vm.version,
    }
)


def adapters(host: Host, vm: Vm) -> list[Live]:
    """The network adapters of a VM."""
    return [network_objects.VMNetworkAdapter(host, vm, adapter) for adapter in vm.adapters]


def _parent(live: t.Any) -> Checkpoint | None:
    return live.vm.checkpoints[-1] if live.vm.checkpoints else None


class VirtualMachine(VmLive):
    """Get-VM."""

    type_names = _types("VirtualMachine", "VirtualMachineBase", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "Name": lambda live: live.vm.name,
            "Id": lambda live: live.vm.id,
            "VMName": lambda live: live.vm.name,
            "VMId": lambda live: live.vm.id,
            "State": lambda live: live.vm.state,
            "Status": lambda live: _STATUS[live.host.language],
            "OperationalStatus": ["Ok"],
            "PrimaryOperationalStatus": "Ok",
            "SecondaryOperationalStatus": None,
            "StatusDescriptions": lambda live: [_STATUS[live.host.language]],
            "PrimaryStatusDescription": lambda live: _STATUS[live.host.language],
            "SecondaryStatusDescription": None,
            "CPUUsage": 0,
            "MemoryAssigned": lambda live: power.assigned_memory(live.vm),
            "MemoryDemand": lambda live: power.assigned_memory(live.vm) if power.services_up(live.host, live.vm) else 0,
            "MemoryStatus": "",
            "NumaAligned": lambda live: True if live.vm.state in power.ON else None,
            "NumaNodesCount": 1,
            "NumaSocketCount": 1,
            "Heartbeat": lambda live: power.heartbeat(live.host, live.vm),
            "IntegrationServicesState": "",
            "IntegrationServicesVersion": "0.0",
            "Uptime": lambda live: timedelta(seconds=power.uptime(live.host, live.vm)),
            "CreationTime": _LONG_AGO,
            "ReplicationHealth": "NotApplicable",
            "ReplicationMode": "None",
            "ReplicationState": "Disabled",
            "ResourceMeteringEnabled": False,
            "CheckpointType": lambda live: live.vm.checkpoint_type,
            "AutomaticCheckpointsEnabled": lambda live: automatic_checkpoints(live.host, live.vm),
            "AutomaticStartAction": lambda live: live.vm.automatic_start_action,
            "AutomaticStartDelay": 0,
            "AutomaticStopAction": lambda live: live.vm.automatic_stop_action,
            "AutomaticCriticalErrorAction": "Pause",
            "AutomaticCriticalErrorActionTimeout": 30,
            "EnhancedSessionTransportType": "VMBus",
            "Groups": [],
            "VirtualMachineType": "RealizedVirtualMachine",
            "VirtualMachineSubType": lambda live: f"Generation{live.vm.generation}",
            "Notes": lambda live: live.vm.notes,
            "ParentSnapshotId": lambda live: parent.id if (parent := _parent(live)) else None,
            "ParentSnapshotName": lambda live: parent.name if (parent := _parent(live)) else None,
            "ParentCheckpointId": lambda live: parent.id if (parent := _parent(live)) else None,
            "ParentCheckpointName": lambda live: parent.name if (parent := _parent(live)) else None,
            "ConfigurationLocation": lambda live: live.vm.path or live.host.virtual_machine_path,
            "SnapshotFileLocation": lambda live: live.vm.path or live.host.virtual_machine_path,
            "CheckpointFileLocation": lambda live: live.vm.path or live.host.virtual_machine_path,
            "SmartPagingFilePath": lambda live: live.vm.path or live.host.virtual_machine_path,
            "SmartPagingFileInUse": False,
        },
        _CONFIGURATION,
        _TAIL,
    )


def automatic_checkpoints(host: Host, vm: Vm) -> bool:
    """AutomaticCheckpointsEnabled: unless set, on for client Windows only (model.Vm)."""
    return host.client if vm.automatic_checkpoints is None else vm.automatic_checkpoints


class VMProcessor(DeviceLive):
    """Get-VMProcessor."""

    type_names = _types("VMProcessor", "VMDevice", "VMComponentObject", "VirtualizationObject")
    device_id = "B637F346-6A0E-4DEC-AF52-BD70CB80A21D\\0"
    device_name = "Processor"
    properties: t.ClassVar[Properties] = _all(
        {
            "ResourcePoolName": "Primordial",
            "Count": lambda live: live.vm.processor.count,
            "CompatibilityForMigrationEnabled": False,
            "CompatibilityForOlderOperatingSystemsEnabled": False,
            # facts 2.1: 2016 has no 0, which means "as the host"
            "HwThreadCountPerCore": lambda live: 1 if live.host.windows == "2016" else 0,
            "ExposeVirtualizationExtensions": lambda live: live.vm.processor.expose_virtualization_extensions,
            "EnablePerfmonPmu": False,
            "EnablePerfmonLbr": False,
            "EnablePerfmonPebs": False,
            "EnablePerfmonIpt": False,
            "EnableLegacyApicMode": False,
            "AllowACountMCount": True,
            "Maximum": 100,
            "Reserve": 0,
            "RelativeWeight": 100,
            "MaximumCountPerNumaNode": lambda live: live.host.cpu.logical_processors,
            "MaximumCountPerNumaSocket": 1,
            "EnableHostResourceProtection": False,
            "OperationalStatus": ["Ok"],
            "StatusDescription": lambda live: [_STATUS[live.host.language]],
        },
        _DEVICE,
    )


class VMMemory(DeviceLive):
    """Get-VMMemory."""

    type_names = _types("VMMemory", "VMDevice", "VMComponentObject", "VirtualizationObject")
    device_id = "4764334D-E001-4176-82EE-5594EC9B530E"
    device_name = "Memory"
    properties: t.ClassVar[Properties] = _all(
        {
            "ResourcePoolName": "Primordial",
            "Buffer": lambda live: live.vm.memory.buffer,
            "DynamicMemoryEnabled": lambda live: live.vm.memory.dynamic,
            "Maximum": lambda live: live.vm.memory.maximum,
            "MaximumPerNumaNode": lambda live: live.host.memory // MB,
            "Minimum": lambda live: live.vm.memory.minimum,
            "Priority": lambda live: live.vm.memory.priority,
            "Startup": lambda live: live.vm.memory.startup,
        },
        _DEVICE,
    )


class VMSecurity(VmLive):
    """Get-VMSecurity; this type does not say whose it is (facts 8)."""

    type_names = _types("VMSecurity", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "TpmEnabled": lambda live: live.vm.tpm,
            "KsdEnabled": False,
            "Shielded": lambda live: live.vm.shielded,
            "EncryptStateAndVmMigrationTraffic": lambda live: live.vm.shielded,
            "VirtualizationBasedSecurityOptOut": lambda live: live.vm.vbs_opt_out,
            "BindToHostTpm": False,
        },
        _TAIL,
    )


TEMPLATES: t.Final[Mapping[str, str]] = {
    "MicrosoftWindows": "1734c6e8-3154-4dda-ba5f-a874cc483422",
    "MicrosoftUEFICertificateAuthority": "272e7447-90a4-4563-a4b9-8e4ab00526ce",
    "OpenSourceShieldedVM": "4292ae2b-ee2c-42b5-a969-dd8f8689f6f3",
}
"""Secure Boot templates and their ids."""


class VMBootSource(VmLive):
    """An entry of a boot order."""

    type_names = _types("VMBootSource", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "BootType": lambda live: "Drive" if isinstance(live.device, DriveLive) else "Network",
            "Description": lambda live: "EFI SCSI Device" if isinstance(live.device, DriveLive) else "EFI Network",
            "Device": lambda live: live.device,
            "FirmwarePath": "",
        },
        _OF_A_VM,
        _TAIL,
    )

    def __init__(self, host: Host, vm: Vm, device: Live) -> None:
        super().__init__(host, vm)
        self.device = device


class VMFirmware(VmLive):
    """Get-VMFirmware; generation 2 only."""

    type_names = _types("VMFirmware", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "BootOrder": lambda live: boot_order(live.host, live.vm),
            "PreferredNetworkBootProtocol": "IPv4",
            "SecureBoot": lambda live: _on_off(live.vm.secure_boot),
            "SecureBootTemplateId": lambda live: TEMPLATES.get(live.vm.secure_boot_template),
            "SecureBootTemplate": lambda live: live.vm.secure_boot_template,
            "ConsoleMode": "Default",
            "PauseAfterBootFailure": "Off",
        },
        _OF_A_VM,
        _TAIL,
    )


def drive_place(drive: Drive) -> str:
    """How Vm.first_boot names a drive."""
    return f"{drive.controller} {drive.number}:{drive.location}"


def boot_order(host: Host, vm: Vm) -> list[Live]:
    """The devices of a generation-2 VM; what Vm.first_boot names comes first."""
    devices = [(drive_place(drive), drive_object(host, vm, drive)) for drive in vm.drives]
    if vm.adapters:
        devices += [(adapter.id, device) for adapter, device in zip(vm.adapters, adapters(host, vm), strict=True)]
    devices.sort(key=lambda pair: pair[0] != vm.first_boot)
    return [VMBootSource(host, vm, device) for _place, device in devices]


class VMIntegrationComponent(DeviceLive):
    """One of Get-VMIntegrationService."""

    type_names = _types("VMIntegrationComponent", "VMDevice", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "Enabled": lambda live: live.service not in live.vm.disabled_services,
            "OperationalStatus": lambda live: [live.status] if live.status else [],
            "PrimaryOperationalStatus": lambda live: live.status,
            "PrimaryStatusDescription": lambda live: live.description,
            "SecondaryOperationalStatus": None,
            "SecondaryStatusDescription": None,
            "StatusDescription": lambda live: [live.description] if live.description else [],
        },
        _DEVICE,
    )

    def __init__(self, host: Host, vm: Vm, service: str) -> None:
        super().__init__(host, vm)
        self.service = service

    @property
    def id(self) -> str:
        return f"Microsoft:{self.vm.id.upper()}\\{SERVICES[self.service]}"

    @property
    def name(self) -> str:
        return service_name(self.host, self.service)

    @property
    def status(self) -> str | None:
        if self.vm.state not in power.ON:
            return None
        return "Ok" if power.services_up(self.host, self.vm) else "NoContact"

    @property
    def description(self) -> str | None:
        return _CONTACT[self.host.language][self.status] if self.status else None


SERVICES: t.Final[Mapping[str, str]] = {
    "files": "6C09BB55-D683-4DA0-8931-C9BF705F6480",
    "heartbeat": "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47",
    "kvp": "2A34B1C2-FD73-4043-8A5B-DD2159BC743F",
    "shutdown": "9F8233AC-BE49-4C79-8EE3-E7E1985B2077",
    "time": "2497F4DE-E9FA-4204-80E4-4B75C46419C0",
    "vss": "5CED1297-4598-4915-A5FC-AD21BB4D02A4",
}
"""Integration services by the names of Vm.disabled_services, in Get-VMIntegrationService's order."""

_SERVICE_NAMES: t.Final[Mapping[str, tuple[str, ...]]] = {
    "en-US": ("Guest Service Interface", "Heartbeat", "Key-Value Pair Exchange", "Shutdown", "Time Synchronization", "VSS"),
    "de-DE": ("Gastdienstschnittstelle", "Takt", "Austausch von Schlüsselwertepaaren", "Herunterfahren", "Zeitsynchronisierung", "VSS"),
    "fr-FR": (
        "Interface de services d\u2019invité",
        "Pulsation",
        "Échange de paires clé-valeur",
        "Arrêt",
        "Synchronisation date/heure",
        "VSS",
    ),
    "ja-JP": ("ゲスト サービス インターフェイス", "ハートビート", "キー値ペア交換", "シャットダウン", "時刻の同期", "VSS"),
    "zh-CN": ("来宾服务接口", "检测信号", "键值对交换", "关闭", "时间同步", "VSS"),
}
_CONTACT: t.Final[Mapping[str, Mapping[str, str]]] = {
    "en-US": {"Ok": "OK", "NoContact": "No Contact"},
    "de-DE": {"Ok": "OK", "NoContact": "Kein Kontakt"},
    "fr-FR": {"Ok": "OK", "NoContact": "Aucun contact"},
    "ja-JP": {"Ok": "OK", "NoContact": "接続なし"},
    "zh-CN": {"Ok": "确定", "NoContact": "无联系"},
}


def service_name(host: Host, service: str) -> str:
    """An integration service's name as this Windows shows it: it is localised, its id is not."""
    return dict(zip(SERVICES, _SERVICE_NAMES[host.language], strict=True))[service]


def integration_services(host: Host, vm: Vm) -> list[VMIntegrationComponent]:
    """All integration services of a VM."""
    return [VMIntegrationComponent(host, vm, service) for service in SERVICES]


class DriveLive(DeviceLive):
    """A drive of a VM."""

    def __init__(self, host: Host, vm: Vm, drive: Drive) -> None:
        super().__init__(host, vm)
        self.drive = drive

    @property
    def id(self) -> str:
        kind = "D" if self.drive.kind == "dvd" else "L"
        place = f"{self.drive.number}\\{self.drive.location}"
        return f"Microsoft:{self.vm.id.upper()}\\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\\{place}\\{kind}"

    @property
    def name(self) -> str:
        drive = self.drive
        return f"{self.device_name} on {drive.controller} controller number {drive.number} at location {drive.location}"

    @property
    def deleted(self) -> bool:
        return super().deleted or all(drive is not self.drive for drive in self.vm.drives)


_DRIVE: t.Final = _all(
    {
        "Path": lambda live: live.drive.path or "",
        "ControllerType": lambda live: live.drive.controller,
        "ControllerNumber": lambda live: live.drive.number,
        "ControllerLocation": lambda live: live.drive.location,
        "PoolName": "Primordial",
    },
    _DEVICE,
)


class HardDiskDrive(DriveLive):
    """One of Get-VMHardDiskDrive."""

    type_names = _types("HardDiskDrive", "Drive", "VMDevice", "VMComponentObject", "VirtualizationObject")
    device_name = "Hard Drive"
    properties: t.ClassVar[Properties] = _all(
        {
            "DiskNumber": None,
            "MaximumIOPS": 0,
            "MinimumIOPS": 0,
            "QoSPolicyID": NO_ID,
            "SupportPersistentReservations": False,
            "WriteHardeningMethod": "Default",
        },
        _DRIVE,
    )


class DvdDrive(DriveLive):
    """One of Get-VMDvdDrive."""

    type_names = _types("DvdDrive", "Drive", "VMDevice", "VMComponentObject", "VirtualizationObject")
    device_name = "DVD Drive"
    properties: t.ClassVar[Properties] = _all({"DvdMediaType": lambda live: "ISO" if live.drive.path else "None"}, _DRIVE)


def drive_object(host: Host, vm: Vm, drive: Drive) -> Live:
    """The object of a drive of either kind."""
    return (DvdDrive if drive.kind == "dvd" else HardDiskDrive)(host, vm, drive)


class VMSnapshot(VmLive):
    """One of Get-VMSnapshot; its configuration is the VM's present one, because the model keeps no other."""

    type_names = _types("VMSnapshot", "VirtualMachineBase", "VMComponentObject", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "Name": lambda live: live.checkpoint.name,
            "Id": lambda live: live.checkpoint.id,
            "VMId": lambda live: live.vm.id,
            "VMName": lambda live: live.vm.name,
            "SnapshotType": lambda live: "Recovery" if live.checkpoint.type == "Recovery" else "Standard",
            "IsAutomaticCheckpoint": lambda live: live.checkpoint.automatic,
            "State": "Off",
            "Notes": "",
            "ParentSnapshotId": lambda live: live.parent.id if live.parent else None,
            "ParentSnapshotName": lambda live: live.parent.name if live.parent else None,
            "CreationTime": lambda live: _LONG_AGO + timedelta(minutes=live.place),
        },
        _CONFIGURATION,
        _TAIL,
    )

    def __init__(self, host: Host, vm: Vm, checkpoint: Checkpoint) -> None:
        super().__init__(host, vm)
        self.checkpoint = checkpoint

    @property
    def place(self) -> int:
        return next((place for place, one in enumerate(self.vm.checkpoints) if one is self.checkpoint), -1)

    @property
    def parent(self) -> Checkpoint | None:
        return self.vm.checkpoints[self.place - 1] if self.place > 0 else None

    @property
    def deleted(self) -> bool:
        return super().deleted or self.place < 0


class HostLive(Live):
    """An object that belongs to the host, not to a VM."""

    deleted = False


class VMHost(HostLive):
    """Get-VMHost."""

    type_names = _types("VMHost", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "Name": lambda live: live.host.name,
            "FullyQualifiedDomainName": lambda live: live.host.name,
            "LogicalProcessorCount": lambda live: live.host.cpu.logical_processors,
            "MemoryCapacity": lambda live: live.host.memory,
            "VirtualMachinePath": lambda live: live.host.virtual_machine_path,
            "VirtualHardDiskPath": lambda live: live.host.virtual_hard_disk_path,
            "SupportedVmVersions": lambda live: list(live.host.supported_versions),
            "SecureBootTemplates": [],
            "MacAddressMinimum": "00155D000000",
            "MacAddressMaximum": "00155DFFFFFF",
            "EnableEnhancedSessionMode": lambda live: live.host.client,
            "ResourceMeteringSaveInterval": timedelta(hours=1),
            "HostNumaStatus": [],
            "NumaStatus": [],
            "NumaSpanningEnabled": True,
            "IovSupport": False,
            "IovSupportReasons": [],
            "InternalNetworkAdapters": [],
            "ExternalNetworkAdapters": [],
            "FibreChannelWwnn": "C003FF0000FFFF00",
            "FibreChannelWwpnMinimum": "C003FF0000000000",
            "FibreChannelWwpnMaximum": "C003FF000000FFFF",
            "MaximumStorageMigrations": 2,
            "MaximumVirtualMachineMigrations": 2,
            "UseAnyNetworkForMigration": False,
            "VirtualMachineMigrationAuthenticationType": "CredSSP",
            "VirtualMachineMigrationEnabled": False,
            "VirtualMachineMigrationPerformanceOption": "Compression",
        },
        _TAIL,
    )


_WINDOWS: t.Final[Mapping[str, str]] = {
    "5.0": "Microsoft Windows 8.1/Server 2012 R2",
    "8.0": "Microsoft Windows 10 Anniversary Update/Server 2016",
    "8.1": "Microsoft Windows 10 Creators Update",
    "8.2": "Microsoft Windows 10 Fall Creators Update/Server 1709",
    "8.3": "Microsoft Windows 10 April 2018 Update/Server 1803",
    "9.0": "Microsoft Windows 10 October 2018 Update/Server 2019",
    "9.1": "Microsoft Windows 10 May 2019 Update/Server 1903",
    "9.2": "Microsoft Windows 10 May 2020 Update/Server 2003",
}
"""The names that are known (gh:MicrosoftDocs/windowsserverdocs#5354)."""


class VMHostSupportedVersion(HostLive):
    """One of Get-VMHostSupportedVersion."""

    type_names = _types("VMHostSupportedVersion", "VirtualizationObject")
    properties: t.ClassVar[Properties] = _all(
        {
            "Name": lambda live: _WINDOWS.get(live.version, f"Configuration version {live.version}"),
            "Version": lambda live: live.version,
            "IsDefault": lambda live: live.version == live.host.default_version,
        },
        _TAIL,
    )

    def __init__(self, host: Host, version: str) -> None:
        super().__init__(host)
        self.version = version


class VHD(Live):
    """Get-VHD."""

    type_names = ("Microsoft.Vhd.PowerShell.VirtualHardDisk",)
    properties: t.ClassVar[Properties] = _all(
        {
            "ComputerName": lambda live: live.host.name,
            "Path": lambda live: live.disk.path,
            "VhdFormat": lambda live: "VHDX" if live.disk.path.lower().endswith("x") else "VHD",
            "VhdType": lambda live: live.disk.type,
            "FileSize": lambda live: live.disk.size + 4 * MB if live.disk.type == "Fixed" else 4 * MB,
            "Size": lambda live: live.disk.size,
            "MinimumSize": None,
            "LogicalSectorSize": 512,
            "PhysicalSectorSize": 4096,
            "BlockSize": lambda live: 0 if live.disk.type == "Fixed" else 32 * MB,
            "ParentPath": lambda live: live.disk.parent or "",
            "DiskIdentifier": lambda live: ids.guid(live.host, "disk", file_key(live.disk.path)).upper(),
            "FragmentationPercentage": None,
            "Alignment": 1,
            "Attached": lambda live: live.attached,
            "DiskNumber": None,
            "IsPMEMCompatible": False,
            "AddressAbstractionType": "None",
        }
    )

    def __init__(self, host: Host, disk: Disk) -> None:
        super().__init__(host)
        self.disk = disk

    @property
    def attached(self) -> bool:
        """Whether a VM that is on holds the file."""
        return any(vm.state in power.ON and any(same_file(drive.path, self.disk.path) for drive in vm.drives) for vm in self.host.vms)


class Job(Live):
    """What -AsJob returns; it lives as long as the remote process, and keeps its errors for Receive-Job."""

    type_names = (f"{SPACE}.Commands.VMJob", "System.Management.Automation.Job")
    properties: t.ClassVar[Properties] = _all(
        {
            "Id": lambda live: live.number,
            "Name": lambda live: f"Job{live.number}",
            "InstanceId": lambda live: ids.guid(live.host, "job", live.number),
            "State": lambda live: live.state,
            "HasMoreData": lambda live: bool(live.errors),
            "StatusMessage": "",
            "Location": lambda live: live.host.name,
            "Command": lambda live: live.command,
            "PSJobTypeName": "",
            "ChildJobs": [],
        }
    )

    def __init__(self, host: Host, number: int, command: str) -> None:
        super().__init__(host)
        self.number = number
        self.command = command
        self.errors: list[Record] = []
        self.failed = False
        self.unfinished: list[Callable[[], bool]] = []
        """What the job still waits for: each answers whether it is not done yet."""

    def freeze(self) -> None:
        """Nothing: a job is live on every Windows."""

    @property
    def state(self) -> str:
        """JobState: Running until all its VMs have arrived."""
        if any(pending() for pending in self.unfinished):
            return "Running"
        return "Failed" if self.failed else "Completed"


LARGEST_MEMORY: t.Final = {1: 1024 * GB, 2: 12 * 1024 * GB}
"""By generation; 2016 (facts 3.2: later Windows allows more in generation 2)."""
