"""The small Hyper-V module that the transcripts of the real runner were made with, told from what they show."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import steps, wildcards
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.binder import Parameter, Signature
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import Call, CmdletError, Live, Record
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host

if t.TYPE_CHECKING:
    from collections.abc import Iterator

IDS = {
    "l1-a": "cd708761-3215-ba4c-07f4-e94e305e62cd",
    "l1-b": "1cd11bab-b0a1-32e2-11ca-80b9bb1c088c",
    "web[1]": "44a4c24c-0693-c8f6-12d3-d51284a8181a",
    "café 日本": "d990c159-ebf1-e9e4-3b59-d54510b3d48c",
    "2026-11-21T10:00:00Z": "e7c8ce07-a605-38d8-93eb-f93884a465d5",
    "it's $(x)": "1968d17f-a31d-8cad-a796-51868faa1304",
}


class Odd(Live):
    type_names = ("System.Text.StringBuilder",)
    properties: t.ClassVar = {}


class VM(Live):
    type_names = ("Microsoft.HyperV.PowerShell.VirtualMachine", "System.Object")
    properties: t.ClassVar = {
        "Id": lambda self: IDS[self.name],
        "Name": lambda self: self.name,
        "State": lambda self: self.state,
        "Uptime": lambda self: datetime.timedelta(seconds=90.5),
        "MemoryStartup": lambda self: 8 * 1024**3,
        "Version": lambda self: "9.0",
        "CreationTime": lambda self: datetime.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a Live's times are naive UTC
        "Items": lambda self: [],
        "Addresses": lambda self: ["192.168.0.2"],
        "Odd": lambda self: Odd(self.host),
        "Notes": lambda self: self.notes,
        "Big": lambda self: 2**64 - 1,
    }

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host)
        self.name, self.state, self.notes = name, "Off", None


def _getter_fails(_self: t.Any) -> t.NoReturn:
    message = 'Exception calling "get_Value" with "0" argument(s): "Exception getting "Throws": "gone""'
    raise CmdletError(
        Record(
            id="GetValueInvocationException",
            category="NotSpecified",
            reason="MethodInvocationException",
            message=message,
            hresult=-2146233087,
        )
    )


class Broken(Live):
    type_names = ("Broken",)
    properties: t.ClassVar = {"Fine": lambda self: 1, "Throws": _getter_fails}


class Vhd(Live):
    type_names = ("Vhd",)
    properties: t.ClassVar = {
        "Path": lambda self: self.call.get("Path"),
        "Size": lambda self: self.call.get("SizeBytes"),
        "User": lambda self: self.call.get("Credential").user,
        "Password": lambda self: self.call.get("Credential").secret.plain,
    }

    def __init__(self, call: Call) -> None:
        super().__init__(call.host)
        self.call = call


def _write_error(call: Call, kind: str, category: str, message: str) -> None:
    record = call.record(kind, category, message, "WriteErrorException")
    call.errors.append(Record(id=record.id, category=category, reason=record.reason, message=message, hresult=-2146233087))


class Module:
    """The module in one process."""

    def __init__(self) -> None:
        self.host = Host()
        self.vms = [VM(self.host, name) for name in IDS]
        self.cmdlets = {
            f"Hyper-V\\{name}": function
            for name, function in {
                "Get-VM": self.get_vm,
                "Set-VMProcessor": self.set_processor,
                "Start-VM": self.start,
                "Stop-VM": self.stop,
                "New-VHD": lambda call: [Vhd(call)],
                "Get-Nothing": lambda call: [None, None],
                "Get-Broken": lambda call: [Broken(call.host)],
            }.items()
        }

    def get_vm(self, call: Call) -> Iterator[VM]:
        for name in call.get("Name", ["*"]):
            found = [vm for vm in self.vms if wildcards.matcher(name)(vm.name)]
            if not found and not wildcards.has_wildcards(name):
                _write_error(call, "InvalidParameter", "InvalidArgument", f"no {name}")
            yield from found

    def set_processor(self, call: Call) -> Iterator[VM]:
        for vm in call.values["VM"]:
            if vm.state == "Running":
                _write_error(call, "InvalidState", "InvalidOperation", "running")
                continue
            vm.notes = f"expose={call.get('ExposeVirtualizationExtensions')} count={call.get('Count', 0)}"
            call.warn(f"changed {vm.name}")
            if call.get("Passthru"):
                yield vm

    def start(self, call: Call) -> list[VM]:
        for vm in call.values["VM"]:
            vm.state = "Running"
        return []

    def stop(self, call: Call) -> list[VM]:
        if not call.get("TurnOff"):
            record = call.record("NoGuest", "ResourceUnavailable", "guest does not answer", "InvalidOperationException")
            raise CmdletError(
                Record(id=record.id, category=record.category, reason=record.reason, message=record.message, hresult=-2146233079)
            )
        for vm in call.values["VM"]:
            vm.state = "Off"
        return []


_TYPES = {
    "VirtualMachine": VM.type_names[0],
    "PSCredential": "System.Management.Automation.PSCredential",
    "SecureString": "System.Security.SecureString",
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
}


def _signature(name: str, default: str | None, sets: dict[str, str], **types: str) -> tuple[str, Signature]:
    parameters = {
        key: Parameter(name=key, type=kind, full_name=_TYPES.get(kind.removesuffix("[]"), f"System.{kind.removesuffix('[]')}"))
        for key, kind in types.items()
    }
    return f"Hyper-V\\{name}", Signature(
        name=name,
        module="Hyper-V",
        compiled=False,
        class_name=name,
        default_set=default,
        sets={key: {one.rstrip("*"): one.endswith("*") for one in members.split()} for key, members in sets.items()},
        parameters=parameters,
    )


_PROCESSOR = "ExposeVirtualizationExtensions Count Passthru"
SIGNATURES = dict(
    [
        _signature("Get-VM", "Name", {"Name": "Name"}, Name="String[]"),
        _signature(
            "Set-VMProcessor",
            None,
            {"VM": f"VM* {_PROCESSOR}", "VMName": f"VMName* {_PROCESSOR}"},
            VM="VirtualMachine[]",
            VMName="String[]",
            ExposeVirtualizationExtensions="Boolean",
            Count="Int64",
            Passthru="SwitchParameter",
        ),
        _signature("Start-VM", "VM", {"VM": "VM*"}, VM="VirtualMachine[]"),
        _signature("Stop-VM", "VM", {"VM": "VM* TurnOff"}, VM="VirtualMachine[]", TurnOff="SwitchParameter"),
        _signature(
            "New-VHD",
            "All",
            {"All": "Path SizeBytes Credential Secret"},
            Path="String",
            SizeBytes="UInt64",
            Credential="PSCredential",
            Secret="SecureString",
        ),
        _signature("Get-Nothing", "All", {"All": ""}),
        _signature("Get-Broken", "All", {"All": ""}),
    ]
)


class Session(steps.Session):
    """A session of the stand-in, whose guests are such hosts themselves, as they were for the transcripts."""

    def __init__(self, secrets: list[str | None]) -> None:
        module = Module()
        super().__init__(module.host, secrets, module.cmdlets, SIGNATURES)

    def inside(self, values: dict[str, t.Any], payload: str, secrets: t.Sequence[str | None]) -> list[t.Any]:
        assert set(values) == {"VMId", "Credential"}
        assert values["VMId"] in IDS.values()
        return [Session(list(secrets)).answer(payload)]
