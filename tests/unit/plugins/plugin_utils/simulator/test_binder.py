# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The binder says what PowerShell said: every measured row, and every documented signature."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder, conversions
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.binder import BindingError, bind, find, load_signatures
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.payload import PayloadError, parse_payload
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import binder_facts
from ansible_collections.hyperlab.nested.tools import update_signatures

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

VERSIONS = ("2016", "2019", "2022", "2025")
Row = dict[str, t.Any]

# Values that Python's types cannot hold exactly: they count microseconds, .NET counts tenths of one.
CUT_VALUES = {
    ("TimeSpan", '"10675199.02:48:05.4775807"'): "10675199.02:48:05.4775800",
    ("DateTime", "5"): "0001-01-01T00:00:00.0000000 Unspecified",
}
# Messages that name the second of two spellings, which is whichever the hashtable gave second that day; ours keep the order of writing.
OTHER_ORDER = {
    "two errors, either comes (order of a hashtable): name twice, bad value": ("'Name'", "'VMName'"),
    "two errors: name twice, unknown": ("'Name'", "'VMName'"),
}


def rows(*, value: bool, ok: bool) -> list[t.Any]:
    picked = [row for row in binder_facts.FACTS if ("parameter" in row) == value and row["ok"] == ok and not row.get("whole_payload")]
    return [pytest.param(row, id=f"{row['kind']} {row.get('parameter') or row['call']} {row['json']}") for row in picked]


def outcome(error: BindingError | PayloadError) -> Row:
    return {"id": error.id, "category": error.category, "reason": error.reason, "message": error.message}


def failure(signature: binder.Signature, given: dict[str, t.Any]) -> Row:
    with pytest.raises(BindingError) as caught:
        bind(signature, given)
    return outcome(caught.value) | {"prompt": caught.value.prompt}


def measured(row: Row) -> Row:
    message = row["message"]
    for measured_name, ours in [OTHER_ORDER[row["call"]]] if row.get("call") in OTHER_ORDER else []:
        message = message.replace(measured_name, ours)
    prompt = row.get("prompt", "").replace(" / ", "\n")
    return {"id": row["id"], "category": row["category"], "reason": row["reason"], "message": message, "prompt": prompt}


def test_no_row_is_left_out() -> None:
    replayed = [*rows(value=True, ok=True), *rows(value=True, ok=False), *rows(value=False, ok=True), *rows(value=False, ok=False)]
    assert len(replayed) + len(WHOLE_PAYLOAD) == len(binder_facts.FACTS) == 1296


@pytest.mark.parametrize("row", rows(value=True, ok=True))
def test_a_value_is_converted(row: Row) -> None:
    signature = binder_facts.values_command(row["kind"])
    parameter = signature.parameters[row["parameter"]]
    value = bind(signature, {parameter.name: binder_facts.read(row["json"])}).values[parameter.name]
    kind = row["type"] if parameter.type == "Object" else parameter.type
    assert binder_facts.written(value, kind) == CUT_VALUES.get((parameter.name, row["json"]), row["value"])
    assert row["type"] in {kind, "null"}
    assert (value is None) == (row["type"] == "null")


@pytest.mark.parametrize("row", rows(value=True, ok=False))
def test_a_value_is_refused(row: Row) -> None:
    signature = binder_facts.values_command(row["kind"])
    assert failure(signature, {row["parameter"]: binder_facts.read(row["json"])}) == measured(row)


@pytest.mark.parametrize("row", rows(value=False, ok=True))
def test_a_call_is_bound(row: Row) -> None:
    bound = bind(binder_facts.calls_command(row["kind"]), binder_facts.read(row["json"]))
    assert bound.parameter_set == row["type"]
    assert " ".join(sorted(bound.values)) == row["value"]


@pytest.mark.parametrize("row", rows(value=False, ok=False))
def test_a_call_is_refused(row: Row) -> None:
    assert failure(binder_facts.calls_command(row["kind"]), binder_facts.read(row["json"])) == measured(row)


WHOLE_PAYLOAD = [row for row in binder_facts.FACTS if row.get("whole_payload")]


@pytest.mark.parametrize("row", WHOLE_PAYLOAD, ids=lambda row: f"{row['kind']} {row['call']}")
def test_a_payload_is_refused(row: Row) -> None:
    with pytest.raises(PayloadError) as caught:
        binder_facts.read(row["json"])
    assert outcome(caught.value) == {key: row[key] for key in ("id", "category", "reason", "message")}


def test_a_payload_is_searched_to_its_bottom() -> None:
    with pytest.raises(PayloadError, match="existing key 'a' was 'A'"):
        parse_payload('{"steps": [1, {"parameters": {"a": 1, "A": 2}}]}')
    assert parse_payload('{"a": {"b": 1}, "c": [{"B": 18446744073709551616}], "c": []}') == {"a": {"b": 1}, "c": []}


@pytest.mark.parametrize("text", ["{", "", "NaN", "[" * 100000])
def test_a_payload_that_is_no_json(text: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_payload(text)
    assert (caught.value.id, caught.value.category, caught.value.reason, caught.value.hresult) == (
        "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
        "NotSpecified",
        "ArgumentException",
        -2147024809,
    )


# --- the documented signatures ---


class Live:
    """An object of a class and its bases."""

    def __init__(self, *names: str) -> None:
        self.type_names = names


def fitting(parameter: binder.Parameter) -> t.Any:
    """A value that the parameter takes."""
    if parameter.accepted or parameter.members:
        return (parameter.accepted or tuple(parameter.members))[0]
    if parameter.range:
        return parameter.range[0]
    plain = {
        "System.Boolean": True,
        "System.Guid": "07e355e2-82ee-4e61-82c8-9654b0c77614",
        "System.Management.Automation.SwitchParameter": True,
        "System.String": "x",
        "System.TimeSpan": "0.00:01:00",
        "System.Uri": "http://x/",
        "System.Version": "9.0",
    }
    number = 1 if parameter.full_name in conversions.RANGES else None
    thing = Live(f"{parameter.full_name}#root/StandardCimv2/{parameter.cim_class}", parameter.full_name)
    return plain.get(parameter.full_name, number or thing)


def every_set() -> Iterator[t.Any]:
    for version in VERSIONS:
        for name, signature in load_signatures(version).items():
            for parameter_set in signature.sets:
                yield pytest.param(version, name, parameter_set, id=f"{version} {name} {parameter_set}")


# Sets that nothing mandatory tells apart (signature-doubts.md): what their mandatory parameters bind to instead, or the error.
WITHOUT_A_MARK = {
    ("Hyper-V\\Move-VM", "VMMultipleDestinations"): "AmbiguousParameterSet",
    ("Hyper-V\\Move-VM", "VMSingleDestination"): "AmbiguousParameterSet",
    ("Hyper-V\\Move-VM", "NameMultipleDestinations"): "NameSingleDestination",
    ("Hyper-V\\Add-VMNetworkAdapter", "ManagementOS"): "MissingMandatoryParameter",
    ("Hyper-V\\Get-VM", "Id"): "Name",
    ("Hyper-V\\Get-VMSwitch", "Id"): "Name",
    ("NetTCPIP\\Get-NetIPInterface", "ByAdapter"): "ByName",
    ("NetTCPIP\\Get-NetIPInterface", "ByIPAddress"): "ByName",
    ("NetTCPIP\\Get-NetIPInterface", "ByNeighbor"): "ByName",
    ("NetTCPIP\\Get-NetIPInterface", "ByRoute"): "ByName",
    ("ServerManager\\Uninstall-WindowsFeature", "VhdPath"): "RunningComputer",
    ("Microsoft.PowerShell.Management\\Test-Connection", "Quiet"): "Default",
}


def set_or_error(signature: binder.Signature, given: dict[str, t.Any]) -> str:
    try:
        return bind(signature, given).parameter_set
    except BindingError as error:
        return error.id.removesuffix(f",{signature.class_name}")


@pytest.mark.parametrize(("version", "name", "parameter_set"), list(every_set()))
def test_each_set_binds_with_what_is_mandatory(version: str, name: str, parameter_set: str) -> None:
    signature = load_signatures(version)[name]
    given = {key: fitting(signature.parameters[key]) for key, mandatory in signature.sets[parameter_set].items() if mandatory}
    assert set_or_error(signature, given) == WITHOUT_A_MARK.get((name, parameter_set), parameter_set)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_parameter_takes_a_fitting_value(version: str) -> None:
    for signature in load_signatures(version).values():
        for parameter in signature.parameters.values():
            value = binder._value(signature, parameter, fitting(parameter))
            assert value is not None
            assert isinstance(value, list) == parameter.is_list, (signature.name, parameter.name)


def test_the_book_is_complete() -> None:
    modules: dict[str, int] = {}
    for signature in load_signatures("2025").values():
        modules[signature.module] = modules.get(signature.module, 0) + 1
    assert modules == {
        "Hyper-V": 54,
        "NetTCPIP": 11,
        "NetNat": 7,
        "Dism": 3,
        "ServerManager": 3,
        "NetAdapter": 2,
        "DnsClient": 3,
        "CimCmdlets": 2,
        "Microsoft.PowerShell.Core": 2,
        "Microsoft.PowerShell.Diagnostics": 1,
        "Microsoft.PowerShell.Management": 6,
        "Microsoft.PowerShell.Utility": 2,
    }
    with pytest.raises(ValueError, match="no signatures of version '2012'"):
        load_signatures("2012")


@pytest.mark.parametrize(
    ("cmdlet", "class_name", "compiled"),
    [
        ("Hyper-V\\Set-VM", "Microsoft.HyperV.PowerShell.Commands.SetVM", True),
        ("Dism\\Enable-WindowsOptionalFeature", "Microsoft.Dism.Commands.EnableWindowsOptionalFeatureCommand", True),
        ("ServerManager\\Install-WindowsFeature", "Microsoft.Windows.ServerManager.Commands.AddWindowsFeatureCommand", True),
        ("ServerManager\\Get-WindowsFeature", "Microsoft.Windows.ServerManager.Commands.GetWindowsFeatureCommand", True),
        ("CimCmdlets\\Get-CimInstance", "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand", True),
        ("Microsoft.PowerShell.Core\\Receive-Job", "Microsoft.PowerShell.Commands.ReceiveJobCommand", True),
        ("NetNat\\New-NetNat", "New-NetNat", False),
        ("DnsClient\\Set-DnsClientServerAddress", "Set-DnsClientServerAddress", False),
        ("DnsClient\\Resolve-DnsName", "Microsoft.DnsClient.Commands.ResolveDnsName", True),
    ],
)
def test_whose_error_it_is(cmdlet: str, class_name: str, compiled: bool) -> None:
    signature = find(load_signatures("2022"), cmdlet.upper())
    assert signature is not None
    assert (signature.class_name, signature.compiled) == (class_name, compiled)


def test_versions_differ() -> None:
    given = {"Name": "a", "GuestStateIsolationType": "vbs"}
    assert call("Hyper-V\\New-VM", given, "2025").values == {"Name": "a", "GuestStateIsolationType": "VBS"}
    assert refused("Hyper-V\\New-VM", given, "2022").startswith("NamedParameterNotFound,")
    assert refused("NetTCPIP\\Get-NetRoute", {"InterfaceMetric": 1}, "2019").startswith("NamedParameterNotFound,")
    assert call("NetTCPIP\\Get-NetRoute", {"InterfaceMetric": 1}, "2022").values == {"InterfaceMetric": [1]}


# --- Hyper-V's own ---

SPACE = "Microsoft.HyperV.PowerShell"
VM = Live(f"{SPACE}.VirtualMachine", f"{SPACE}.VirtualMachineBase")
ADAPTER = Live(f"{SPACE}.VMNetworkAdapter", f"{SPACE}.VMNetworkAdapterBase")
SNAPSHOT = Live(f"{SPACE}.VMSnapshot", f"{SPACE}.VirtualMachineBase")


def call(cmdlet: str, given: dict[str, t.Any], version: str = "2025") -> binder.Bound:
    signature = find(load_signatures(version), cmdlet)
    assert signature is not None
    return bind(signature, given)


def refused(cmdlet: str, given: dict[str, t.Any], version: str = "2025") -> str:
    with pytest.raises(BindingError) as caught:
        call(cmdlet, given, version)
    return caught.value.id


def test_what_is_not_in_the_book() -> None:
    assert find(load_signatures("2025"), "Hyper-V\\Wait-VM") is None
    assert find(load_signatures("2025"), "Get-VM") is None


@pytest.mark.parametrize(
    ("cmdlet", "given", "error"),
    [
        # single in this cmdlet alone, while its siblings take lists
        ("Set-VMNetworkAdapter", {"VMNetworkAdapter": [ADAPTER, ADAPTER], "MacAddressSpoofing": "On"}, "CannotConvertArgument"),
        ("Set-VMNetworkAdapter", {"VMNetworkAdapter": ADAPTER, "MacAddressSpoofing": True}, "CannotConvertArgumentNoMessage"),
        ("Set-VMNetworkAdapter", {"VMNetworkAdapter": VM, "MacAddressSpoofing": "On"}, "CannotConvertArgumentNoMessage"),
        ("Set-VMProcessor", {"VM": VM, "Count": "x"}, "CannotConvertArgumentNoMessage"),
        ("Set-VMProcessor", {"VM": "l1", "Count": 2}, "CannotConvertArgumentNoMessage"),
        ("Set-VMProcessor", {"VM": SNAPSHOT, "Count": 2}, "CannotConvertArgumentNoMessage"),
        ("Set-VMProcessor", {"VM": VM, "Count": None}, "ParameterBindingFailed"),
        ("Set-VMProcessor", {"VM": VM, "RelativeWeight": 0}, "ParameterArgumentValidationError"),
        ("Set-VMProcessor", {"VM": VM, "Reserve": 101}, "ParameterArgumentValidationError"),
        ("Set-VMProcessor", {"VM": VM, "ExposeVirtualizationExtensions": "true"}, "CannotConvertArgument"),
        ("Set-VMProcessor", {"VM": VM, "Perfmon": "IPT"}, "AmbiguousParameterSet"),
        ("Set-VMProcessor", {"VM": VM, "CompatibilityForMigrationMode": "MinimumFeatureSet"}, "NamedParameterNotFound"),
        ("Set-VMProcessor", {"VM": VM, "VMId": "07e355e2-82ee-4e61-82c8-9654b0c77614"}, "NamedParameterNotFound"),
        ("Set-VMMemory", {"VM": VM, "Buffer": 4}, "ParameterArgumentValidationError"),
        ("Get-VM", {"Name": ""}, "ParameterArgumentValidationError"),
        ("New-VMSwitch", {"Name": "nat", "SwitchType": "External"}, "ParameterArgumentValidationError"),
        ("New-VMSwitch", {"Name": "nat", "SwitchType": "Internal", "NetAdapterName": "a"}, "AmbiguousParameterSet"),
        ("Add-VMNetworkAdapter", {}, "MissingMandatoryParameter"),
        ("Get-VMHost", {"WhatIf": True}, "NamedParameterNotFound"),
    ],
)
def test_hyper_v_refuses(cmdlet: str, given: dict[str, t.Any], error: str) -> None:
    assert refused(f"Hyper-V\\{cmdlet}", given) == f"{error},Microsoft.HyperV.PowerShell.Commands.{cmdlet.replace('-', '')}"


@pytest.mark.parametrize(
    ("cmdlet", "given", "parameter_set", "values"),
    [
        ("Set-VMNetworkAdapter", {"VMNetworkAdapter": ADAPTER, "macaddressspoofing": "on"}, "ResourceObject", {"MacAddressSpoofing": "On"}),
        ("Set-VMNetworkAdapter", {"VMNetworkAdapter": ADAPTER, "MacAddressSpoofing": None}, "ResourceObject", {"MacAddressSpoofing": None}),
        ("Get-VMSnapshot", {"VM": VM, "SnapshotType": 2}, "VMObject", {"SnapshotType": "Planned"}),
        ("Set-VM", {"VM": VM, "AutomaticStopAction": "shut"}, "VMObject", {"AutomaticStopAction": "ShutDown"}),
        ("New-VMSwitch", {"Name": "nat", "SwitchType": "Internal"}, "SwitchType", {"SwitchType": "Internal"}),
        ("Stop-VM", {"VM": [VM, VM], "Confirm": False, "Verb": True}, "VMObject", {"VM": [VM, VM], "Confirm": False, "Verbose": True}),
        ("New-VM", {"Name": "a", "Ver": "9.0"}, "No VHD", {"Version": "9.0"}),
        ("Set-VMFirmware", {"VM": VM, "EnableSecureBoot": 1}, "VMObject", {"EnableSecureBoot": "Off"}),
    ],
)
def test_hyper_v_takes(cmdlet: str, given: dict[str, t.Any], parameter_set: str, values: dict[str, t.Any]) -> None:
    bound = call(f"Hyper-V\\{cmdlet}", given)
    assert bound.parameter_set == parameter_set
    assert bound.values | values == bound.values


def test_a_base_class_is_a_type_of_the_object() -> None:
    assert call("Hyper-V\\Get-VMSnapshot", {"ParentOf": SNAPSHOT}).parameter_set == "Parent"


def test_cdxml_objects_are_of_one_class() -> None:
    cim = "Microsoft.Management.Infrastructure.CimInstance"
    nat, route = (Live(f"{cim}#root/StandardCimv2/{name}", cim) for name in ("MSFT_NetNat", "MSFT_NetRoute"))
    assert call("NetNat\\Remove-NetNat", {"InputObject": [nat]}).values == {"InputObject": [nat]}
    assert refused("NetNat\\Remove-NetNat", {"InputObject": [nat, route]}) == "MismatchedPSTypeName,Remove-NetNat"
    assert refused("NetNat\\Remove-NetNat", {"InputObject": VM}) == "ParameterArgumentTransformationError,Remove-NetNat"


def test_null_in_a_list_of_an_enum_is_its_zero() -> None:
    """Not measured; a zero Guid and a zero number were."""
    assert call("Hyper-V\\Get-VMSwitch", {"SwitchType": ["External", None]}).values == {"SwitchType": ["External", "Private"]}


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_beyond_int64_is_no_boolean(number: int) -> None:
    """Not measured; PowerShell counts a BigInteger among the objects."""
    error = refused("Hyper-V\\Set-VMProcessor", {"VM": VM, "ExposeVirtualizationExtensions": number})
    assert error.startswith("CannotConvertArgument,")


def test_jobs_are_collected() -> None:
    job = Live(f"{SPACE}.VMJob", "System.Management.Automation.Job")
    assert call("Microsoft.PowerShell.Core\\Receive-Job", {"Job": job, "Keep": True}).values == {"Job": [job], "Keep": True}
    assert call("Microsoft.PowerShell.Core\\Remove-Job", {"Job": [job], "Force": True}).parameter_set == "JobParameterSet"


def test_features_are_made_from_names() -> None:
    assert call("ServerManager\\Install-WindowsFeature", {"Name": ["Hyper-V"]}).values == {"Name": ["Hyper-V"]}


def test_letters_are_compared_one_by_one() -> None:
    assert refused("Hyper-V\\Get-VM", {"ComputerName\u00df": "x"}).startswith("NamedParameterNotFound,")
    assert conversions.fold("stra\u00dfe") != conversions.fold("STRASSE")


# --- the tool that makes the book ---


def page(**more: t.Any) -> dict[str, t.Any]:
    """A documented cmdlet with one parameter, of type and set as given."""
    about = {"type": "Int64", "aliases": [], "accepted_values": None, "versions": list(VERSIONS)} | more.pop("parameter", {})
    sets = {version: {"All": ["Size*"] if version in about["versions"] else []} for version in VERSIONS}
    return {
        "module": "Hyper-V",
        "versions": list(VERSIONS),
        "supports_should_process": True,
        "default_set": "All",
        "parameter_sets": sets,
        "parameters": {"Size": about},
    } | more


def built(**more: t.Any) -> tuple[t.Any, t.Any]:
    """The entry of the parameter, and the types, in the book of one page."""
    book = update_signatures.build({"Set-Thing": page(**more)})
    (entry,) = (entry for name, entry in book["cmdlets"].items() if name.endswith("\\Set-Thing"))
    return entry["parameters"]["Size"], book["types"]


@pytest.mark.parametrize(
    ("parameter", "entry"),
    [
        ({}, "Int64"),
        ({"aliases": ["S"]}, {"type": "Int64", "aliases": ["S"]}),
        ({"accepted_values": ["1", "2"]}, {"type": "Int64", "accepted": ["1", "2"]}),
        ({"type": "Colour[]", "accepted_values": ["Red", "Blue"]}, "Colour[]"),
        ({"versions": ["2022", "2025"]}, {"type": "Int64", "versions": ["2022", "2025"]}),
    ],
)
def test_a_page_becomes_an_entry(parameter: dict[str, t.Any], entry: t.Any) -> None:
    assert built(parameter=parameter)[0] == entry


def test_enums_count_from_0_unless_known() -> None:
    _entry, types = built(parameter={"type": "Colour", "accepted_values": ["Red", "Blue"]})
    assert types["Colour"] == {"name": "Microsoft.HyperV.PowerShell.Colour", "members": {"Red": 0, "Blue": 1}}
    _entry, types = built(parameter={"type": "StopAction", "accepted_values": ["ShutDown", "Save", "TurnOff"]})
    assert list(types["StopAction"]["members"].items()) == [("TurnOff", 2), ("Save", 3), ("ShutDown", 4)]


def test_cdxml_types_are_below_their_noun() -> None:
    entry, types = built(module="NetNat", parameter={"type": "Colour[]", "accepted_values": ["Red"]})
    assert entry == "Thing.Colour[]"
    assert types["Thing.Colour"]["name"] == "Microsoft.PowerShell.Cmdletization.GeneratedTypes.Thing.Colour"


def test_versions_that_differ_otherwise_are_an_error() -> None:
    sets = {version: {"All": ["Size*"]} for version in VERSIONS} | {"2016": {"All": ["Size"]}}
    with pytest.raises(ValueError, match="Set-Thing: the sets of 2016 differ"):
        built(parameter_sets=sets)


def test_one_name_for_two_types_is_an_error() -> None:
    pages = {f"Set-{values[0]}": page(parameter={"type": "Colour", "accepted_values": values}) for values in (["Red"], ["Blue"])}
    with pytest.raises(ValueError, match="two different types are called Colour"):
        update_signatures.build(pages)


def test_check_says_whether_the_file_is_up_to_date(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "cmdlets.json", tmp_path / "signatures.json"
    source.write_text(json.dumps({"Set-Thing": page()}))
    arguments = [str(source), "--target", str(target)]
    assert update_signatures.main([*arguments, "--check"]) == 1
    assert not target.exists()
    assert update_signatures.main(arguments) == 0
    before = target.read_text()
    assert update_signatures.main([*arguments, "--check"]) == 0
    source.write_text(json.dumps({"Set-Thing": page(parameter={"type": "Int32"})}))
    assert update_signatures.main([*arguments, "--check"]) == 1
    assert target.read_text() == before
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        f"differs from {source}",
        "up to date",
        f"differs from {source}",
    ]


def test_the_file_is_as_the_tool_writes_it() -> None:
    text = update_signatures.TARGET.read_text(encoding="utf-8")
    assert update_signatures.render(json.loads(text)) == text


def test_what_is_added_by_hand_is_in_the_file() -> None:
    written = json.loads(update_signatures.TARGET.read_text(encoding="utf-8"))["cmdlets"]
    for name, entry in update_signatures.build({})["cmdlets"].items():
        assert written[name] == entry
