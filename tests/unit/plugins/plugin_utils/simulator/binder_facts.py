# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that tests/data/binder-facts.json was measured with, and the form in which its values are written."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import re
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.binder import Parameter, Signature
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.payload import parse_payload

FACTS: list[dict[str, t.Any]] = json.loads(
    pathlib.Path(__file__).parents[4].joinpath("data", "binder-facts.json").read_text(encoding="utf-8")
)

ON_OFF = {"On": 0, "Off": 1}
CHECKPOINT = {"Disabled": 2, "Production": 3, "ProductionOnly": 4, "Standard": 5}
_NAMES = {
    "Vm": "Facts.Vm",
    "Named": "Facts.Named",
    "OnOffState": "Facts.OnOffState",
    "CheckpointType": "Facts.CheckpointType",
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
    "PSCredential": "System.Management.Automation.PSCredential",
    "SecureString": "System.Security.SecureString",
    "IPAddress": "System.Net.IPAddress",
}
_MEMBERS = {"OnOffState": ON_OFF, "CheckpointType": CHECKPOINT}


def parameter(name: str, kind: str, **more: t.Any) -> Parameter:
    short = kind.removesuffix("[]")
    full_name = _NAMES.get(short, f"System.{short}")
    return Parameter(name=name, type=kind, full_name=full_name, members=_MEMBERS.get(short, {}), from_string=short == "Named", **more)


_INTERNAL_PRIVATE = ("Internal", "Private")
_MEASURED = [
    *(parameter(name, name) for name in ("Byte", "UInt16", "Int16", "Int32", "UInt32", "Int64", "UInt64")),
    *(parameter(name, name) for name in ("Guid", "TimeSpan", "Version", "IPAddress", "Uri", "DateTime", "String", "Object", "Vm", "Named")),
    parameter("Bool", "Boolean"),
    parameter("Bools", "Boolean[]"),
    parameter("Bytes", "Byte[]"),
    parameter("Credential", "PSCredential"),
    parameter("Guids", "Guid[]"),
    parameter("Int64s", "Int64[]"),
    parameter("Mode", "CheckpointType"),
    parameter("NullBool", "Boolean", nullable=True),
    parameter("NullInt64", "Int64", nullable=True),
    parameter("NullOnOff", "OnOffState", nullable=True),
    parameter("OnOff", "OnOffState"),
    parameter("OnOffs", "OnOffState[]"),
    parameter("Range", "Int32", range=(1, 100)),
    parameter("Secure", "SecureString"),
    parameter("SetInt16", "Int16", accepted=("1", "2")),
    parameter("SetOnOff", "OnOffState", accepted=("On",)),
    parameter("SetString", "String", accepted=_INTERNAL_PRIVATE),
    parameter("SetStrings", "String[]", accepted=_INTERNAL_PRIVATE),
    parameter("Strings", "String[]"),
    parameter("Switch", "SwitchParameter"),
    parameter("UInt32s", "UInt32[]"),
    parameter("Vms", "Vm[]"),
]
_MANDATORY = [
    parameter("EmptyString", "String", allow_empty=True),
    parameter("FullString", "String", not_empty=True),
    parameter("FullStrings", "String[]", not_empty=True),
    parameter("MustString", "String"),
    parameter("MustStrings", "String[]"),
    parameter("MustVms", "Vm[]"),
]
_VALUES = {one.name: one for one in (*_MEASURED, *_MANDATORY)}
_CALLS = {
    one.name: one
    for one in (
        parameter("VM", "Vm[]"),
        parameter("Name", "String[]", aliases=("VMName",)),
        parameter("Count", "Int64"),
        parameter("Weight", "Int32", range=(0, 100)),
        parameter("MemoryMinimumBytes", "Int64"),
        parameter("MemoryMaximumBytes", "Int64"),
        parameter("ExposeVirtualizationExtensions", "Boolean"),
    )
}
_SHARED = dict.fromkeys(("Count", "Weight", "MemoryMinimumBytes", "MemoryMaximumBytes", "ExposeVirtualizationExtensions"), False)


def values_command(kind: str) -> Signature:
    """The command with one set for each parameter."""
    mandatory = {one.name for one in _MANDATORY}
    return _command(kind, "Test", _VALUES, {name: {name: name in mandatory} for name in _VALUES}, None)


def calls_command(kind: str) -> Signature:
    """The command of "Whole calls"."""
    return _command(kind, "Set", _CALLS, {"Name": {"Name": True, **_SHARED}, "VM": {"VM": True, **_SHARED}}, "Name")


def _command(kind: str, verb: str, parameters: dict[str, Parameter], sets: dict[str, dict[str, bool]], default: str | None) -> Signature:
    compiled = kind == "compiled"
    return Signature(
        name=f"{verb}-{kind.capitalize()}",
        module="Facts",
        compiled=compiled,
        class_name=f"Facts.{verb}Compiled" if compiled else f"{verb}-Function",
        default_set=default,
        sets=sets,
        parameters=parameters,
        should_process=True,
    )


class Thing:
    """A live object."""

    def __init__(self, *type_names: str, shown: str = "") -> None:
        self.type_names = type_names
        self.shown = shown


VM1, VM2 = Thing("Facts.Vm", shown="VM vm1"), Thing("Facts.Vm", shown="VM vm2")
_STAND_INS = {
    "1": VM1,
    "2": [VM1, VM2],
    "credential": Thing(_NAMES["PSCredential"], shown=_NAMES["PSCredential"]),
    "secret": Thing(_NAMES["SecureString"], shown=_NAMES["SecureString"]),
}


def read(text: str) -> t.Any:
    """A row's JSON, in which $1, $2, $credential and $secret stand for live objects."""
    return _put(parse_payload(re.sub(r'(?<!")\$(1|2|credential|secret)\b', r'{"$from": "\1"}', text)))


def _put(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return [_put(one) for one in value]
    if isinstance(value, dict):
        return _STAND_INS[value["$from"]] if list(value) == ["$from"] else {key: _put(one) for key, one in value.items()}
    return value


def written(value: t.Any, kind: str) -> str:
    """A converted value of a type as the measurement wrote it."""
    short = kind.removesuffix("[]")
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(written(one, short if short != 'Object' else _kind_of(one)) for one in value)}]"
    if isinstance(value, Thing):
        return value.shown
    if isinstance(value, dt.timedelta):
        return _written_span(value)
    if isinstance(value, dt.datetime):
        return f"{value.isoformat(timespec='microseconds')[:26]}0{'+00:00 Local' if value.tzinfo else ' Unspecified'}"
    return {"String": f'"{value}"', "Named": f"Named {value}"}.get(short, str(value))


def _kind_of(value: t.Any) -> str:
    return "String" if isinstance(value, str) else "Int64"


def _written_span(span: dt.timedelta) -> str:
    seconds, micro = divmod(abs(span) // dt.timedelta(microseconds=1), 10**6)
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    sign = "-" if span < dt.timedelta() else ""
    return f"{sign}{f'{days}.' if days else ''}{clock}{f'.{micro:06}0' if micro else ''}"
