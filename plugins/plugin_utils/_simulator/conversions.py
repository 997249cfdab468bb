# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: how PowerShell turns one value into a .NET type (LanguagePrimitives.ConvertTo), measured in binder-facts.md.

Null and lists are not decided here: compiled cmdlets and functions treat them differently (binder.py).
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import ipaddress
import math
import re
import socket
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BOOLEAN = "System.Boolean"
OBJECT = frozenset({"System.Object", "System.Management.Automation.PSObject"})
STRING = "System.String"
SWITCH = "System.Management.Automation.SwitchParameter"
_SENSITIVE = frozenset({"System.Management.Automation.PSCredential", "System.Security.SecureString"})
"""Types whose errors do not show the value."""

RANGES: t.Final[Mapping[str, tuple[int, int]]] = {
    "System.Byte": (0, 2**8 - 1),
    "System.UInt16": (0, 2**16 - 1),
    "System.UInt32": (0, 2**32 - 1),
    "System.UInt64": (0, 2**64 - 1),
    "System.Int16": (-(2**15), 2**15 - 1),
    "System.Int32": (-(2**31), 2**31 - 1),
    "System.Int64": (-(2**63), 2**63 - 1),
}
_INT64 = RANGES["System.Int64"]


class Target(t.Protocol):
    """What a conversion has to know about the wanted type."""

    @property
    def full_name(self) -> str:
        """The .NET name; of a list, that of its elements."""

    @property
    def members(self) -> Mapping[str, int]:
        """An enum's names and numbers, ordered by number; empty for any other type."""

    @property
    def from_string(self) -> bool:
        """Whether the class has a constructor that takes a string."""


class ConversionError(Exception):
    """PowerShell cannot convert the value; the message is PowerShell's, without the name of the parameter."""

    def __init__(self, message: str, *, about_type: bool = False) -> None:
        super().__init__(message)
        self.about_type = about_type
        """No conversion between the two types exists, whatever the value: a function then names the list's type and nests nothing."""


@functools.lru_cache(maxsize=4096)  # each call looks its cmdlet up among the names of all
def fold(text: str) -> str:
    """The text as .NET's OrdinalIgnoreCase compares it: one letter for one, so that ß stays itself."""
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)


def dotnet_type(value: t.Any) -> str:
    """The full .NET name of a value's type; of numbers the type that ConvertFrom-Json of PowerShell 7 makes."""
    if hasattr(value, "type_names"):
        return str(value.type_names[0])
    if isinstance(value, int) and not isinstance(value, bool):
        return "System.Int64" if _INT64[0] <= value <= _INT64[1] else "System.Numerics.BigInteger"
    return _PYTHON_TYPES[type(value)]


_PYTHON_TYPES: t.Final[Mapping[type, str]] = {
    bool: BOOLEAN,
    float: "System.Double",
    str: STRING,
    list: "System.Object[]",
    tuple: "System.Object[]",
    dt.timedelta: "System.TimeSpan",
    dt.datetime: "System.DateTime",
}


def text(value: t.Any) -> str:
    """The value as text; of a live object its type's name, which is .NET's ToString() where a class has no own."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _double_text(value)
    if hasattr(value, "type_names"):
        return dotnet_type(value)
    return str(value)


def _double_text(value: float) -> str:
    """.NET changes to exponents at 1E+15, and below 0.0001."""
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return str(value)  # infinity and not-a-number cannot come from JSON
    power = len(digits) + exponent - 1
    if -5 < power < 15:
        return format(decimal.Decimal(repr(value)).normalize(), "f")
    fraction = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(fraction)}{fraction}E{power:+03}"


def convert(value: t.Any, target: Target) -> t.Any:
    """A value, neither null nor a list, as the wanted type; raises ConversionError."""
    if target.members:
        return to_enum(value, target)
    if hasattr(value, "type_names"):
        return _from_object(value, target)
    return _CONVERTERS.get(target.full_name, _to_object)(value, target)


def no_conversion(value: t.Any, full_name: str) -> ConversionError:
    """No conversion exists between the two types."""
    if full_name in _SENSITIVE:
        return ConversionError(f'Cannot convert the value of type "{dotnet_type(value)}" to type "{full_name}".', about_type=True)
    shown = dotnet_type(value) if isinstance(value, (list, tuple)) else text(value)
    return ConversionError(f'Cannot convert the "{shown}" value of type "{dotnet_type(value)}" to type "{full_name}".', about_type=True)


def null_refusal(target: Target) -> ConversionError:
    """Null for a value type."""
    return ConversionError(f'Cannot convert null to type "{target.full_name}"' + (_not_a_value(target) if target.members else "."))


def _invalid(value: t.Any, target: Target, error: str) -> ConversionError:
    return ConversionError(f'Cannot convert value "{text(value)}" to type "{target.full_name}". Error: "{error}"')


def _from_object(value: t.Any, target: Target) -> t.Any:
    if target.full_name in value.type_names or target.full_name in OBJECT:
        return value
    if target.full_name == STRING:
        return text(value)
    raise no_conversion(value, target.full_name)


def _to_object(value: t.Any, target: Target) -> t.Any:
    if target.from_string and isinstance(value, (str, int, float)):
        return text(value)
    raise no_conversion(value, target.full_name)


# --- enums ---


def to_enum(value: t.Any, target: Target) -> str:
    """The member's name; takes a list too, which is or-ed like text with commas, for any enum (binder-facts.md)."""
    if isinstance(value, bool):
        error = f"Invalid cast from 'System.Boolean' to '{target.full_name}'."
        raise ConversionError(f'Cannot convert value "{text(value)}" to type "{target.full_name}". Error: "{error}"', about_type=True)
    if value is None:
        raise null_refusal(target)
    if isinstance(value, (list, tuple)):
        return _enum_of_text(",".join(one if isinstance(one, str) else to_enum(one, target) for one in value), target)
    if isinstance(value, (str, float)):
        return _enum_of_text(text(value), target)
    if isinstance(value, int):
        return _enum_of_number(value, value, target)
    raise no_conversion(value, target.full_name)


def _enum_of_number(number: int, value: t.Any, target: Target) -> str:
    for name, known in target.members.items():
        if known == number:
            return name
    raise ConversionError(f'Cannot convert value "{text(value)}" to type "{target.full_name}"{_not_a_value(target)}')


def _not_a_value(target: Target) -> str:
    return (
        " due to enumeration values that are not valid. Specify one of the following enumeration values and try again. "
        f'The possible enumeration values are "{",".join(target.members)}".'
    )


def _enum_of_text(value: str, target: Target) -> str:
    if re.fullmatch(r"\s*[+-]?[0-9]+\s*", value, re.ASCII):
        return _enum_of_number(int(value), value, target)
    numbers = {fold(name): number for name, number in target.members.items()}
    words = [fold(word.strip()) for word in value.split(",")]
    if all(word in numbers for word in words):
        number = 0
        for word in words:
            number |= numbers[word]
        return _enum_of_number(number, value, target)
    return _enum_beginning(value, target)


def _enum_beginning(value: str, target: Target) -> str:
    fits = [name for name in target.members if fold(name).startswith(fold(value))]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise _invalid(
            value,
            target,
            f"The identifier name {value} cannot be processed because it is either too similar or identical to the following "
            f"enumerator names: {', '.join(fits)}. Use a more specific identifier name.",
        )
    raise _invalid(
        value,
        target,
        f"Unable to match the identifier name {value} to a valid enumerator name. "
        f"Specify one of the following enumerator names and try again:\n{', '.join(target.members)}",
    )


# --- numbers ---

_MULTIPLIERS: t.Final[Mapping[str, int]] = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_NUMBER = re.compile(r"([+-]?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([KMGTP]B)?", re.ASCII | re.IGNORECASE)


def _to_number(value: t.Any, target: Target) -> int:
    if isinstance(value, str):
        return _number_of_text(value, target)
    if not isinstance(value, (int, float)):
        raise no_conversion(value, target.full_name)
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid(value, target, _too_large(target.full_name))
    number = round(value)  # Python rounds halves to even, as .NET does
    low, high = RANGES[target.full_name]
    if low <= number <= high:
        return number
    # a BigInteger reaches the small types by way of Int32
    small = dotnet_type(value) == "System.Numerics.BigInteger" and high < 2**31
    raise _invalid(value, target, _too_large("System.Int32" if small else target.full_name))


def _number_of_text(value: str, target: Target) -> int:
    plain = value.strip()
    low, high = RANGES[target.full_name]
    if not plain:
        return 0
    if re.fullmatch(r"[+-]?[0-9]+|0[xX][0-9a-fA-F]+", plain, re.ASCII):
        number = int(plain, 16 if "x" in plain.lower() else 10)
        if not low <= number <= high:
            raise _invalid(value, target, _too_large(target.full_name))
        return number
    found = _NUMBER.fullmatch(plain)
    # Beyond the whole numbers PowerShell's own reader tries; when its number does not fit either, the first error stands.
    other = round(decimal.Decimal(found[1].replace(",", "")) * _MULTIPLIERS[(found[2] or "").upper()]) if found else high + 1
    if not low <= other <= high:
        raise _invalid(value, target, f"The input string '{value}' was not in a correct format.")
    return other


def _too_large(full_name: str) -> str:
    name = full_name.removeprefix("System.")
    shown = "an unsigned byte" if name == "Byte" else f"{'an' if name.startswith('I') else 'a'} {name}"
    return f"Value was either too large or too small for {shown}."


# --- texts with a form ---

_DASHED = r"H{8}-H{4}-H{4}-H{4}-H{12}"
_GUID = re.compile(rf"\{{{_DASHED}\}}|\({_DASHED}\)|{_DASHED}|H{{32}}".replace("H", "[0-9a-fA-F]"))
NULL_GUID = "00000000-0000-0000-0000-000000000000"


def _to_guid(value: t.Any, target: Target) -> str:
    if not _GUID.fullmatch(text(value).strip()):
        raise _invalid(value, target, "Unrecognized Guid format.")
    digits = re.sub("[^0-9a-f]", "", text(value).lower())
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _to_version(value: t.Any, target: Target) -> str:
    parts = text(value).split(".")
    if not 2 <= len(parts) <= 4:
        raise _invalid(value, target, "Version string portion was too short or too long. (Parameter 'input')")
    for part in parts:
        if not re.fullmatch(r"\s*\+?[0-9]+\s*", part, re.ASCII):
            raise _invalid(value, target, f"The input string '{part}' was not in a correct format.")
    return ".".join(str(int(part)) for part in parts)


def _to_address(value: t.Any, target: Target) -> str:
    if isinstance(value, int):
        return str(ipaddress.IPv4Address((value & 0xFFFFFFFF).to_bytes(4, "little")))  # the constructor takes network order
    written = text(value)
    try:
        if ":" in written:
            return str(ipaddress.IPv6Address(written))
        if re.fullmatch(r"[0-9a-fA-FxX.]+", written, re.ASCII):
            return socket.inet_ntoa(socket.inet_aton(written))  # short and octal forms, as .NET reads them
    except (OSError, ValueError):
        pass
    raise _invalid(value, target, "An invalid IP address was specified.")


_CLOCK = r"(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,7}))?)?"
_TIME_SPANS = tuple(
    re.compile(rf"\s*(?P<sign>-)?{form}\s*", re.ASCII)
    for form in (r"(?P<days>\d+)", rf"(?:(?P<days>\d+)\.)?{_CLOCK}", rf"(?P<days>\d+):{_CLOCK}")
)
_LARGEST = {"days": 10675199, "hours": 23, "minutes": 59, "seconds": 59}


def _to_time_span(value: t.Any, target: Target) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return dt.timedelta(microseconds=value // 10)  # ticks of 100 ns; what Python cannot hold is cut
    found = [match for match in (form.fullmatch(text(value)) for form in _TIME_SPANS) if match]
    for match in found:
        span = _span(match.groupdict())
        if span is not None:
            return span
    if found:
        error = "could not be parsed because at least one of the numeric components is out of range or contains too many digits."
        raise _invalid(value, target, f"The TimeSpan string '{text(value)}' {error}")
    raise _invalid(value, target, f"String '{text(value)}' was not recognized as a valid TimeSpan.")


def _span(parts: Mapping[str, str | None]) -> dt.timedelta | None:
    """None when a part is out of range: then "24:00:00" is read again, as 24 days."""
    numbers = {name: int(parts.get(name) or 0) for name in _LARGEST}
    if any(numbers[name] > largest for name, largest in _LARGEST.items()):
        return None
    ticks = int(((parts.get("fraction") or "") + "0000000")[:7])
    span = dt.timedelta(**numbers, microseconds=ticks // 10)
    return -span if parts["sign"] else span


def _to_date(value: t.Any, target: Target) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _FIRST_DAY + dt.timedelta(microseconds=value // 10)
    try:
        return dt.datetime.fromisoformat(text(value))
    except ValueError:
        found = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", text(value), re.ASCII)
    try:
        if found:
            return dt.datetime(int(found[3]), int(found[1]), int(found[2]))  # of .NET's kind Unspecified
    except ValueError:
        pass
    raise _invalid(value, target, f"String '{text(value)}' was not recognized as a valid DateTime.")


def _to_text(value: t.Any, target: Target) -> str:  # noqa: ARG001 - the converters' common shape
    return text(value)


def _unchanged(value: t.Any, target: Target) -> t.Any:  # noqa: ARG001
    return value


_CONVERTERS: t.Final[Mapping[str, Callable[[t.Any, Target], t.Any]]] = {
    **dict.fromkeys(RANGES, _to_number),
    **dict.fromkeys(OBJECT, _unchanged),
    STRING: _to_text,
    "System.Uri": _to_text,  # absolute or relative: any text is one
    "System.Guid": _to_guid,
    "System.Version": _to_version,
    "System.Net.IPAddress": _to_address,
    "System.TimeSpan": _to_time_span,
    "System.DateTime": _to_date,
}

_FIRST_DAY = dt.datetime.min

NULLS: t.Final[Mapping[str, t.Any]] = {
    **dict.fromkeys(RANGES, 0),
    BOOLEAN: False,
    SWITCH: False,
    "System.Guid": NULL_GUID,
    "System.TimeSpan": dt.timedelta(),
    "System.DateTime": _FIRST_DAY,
}
"""The value types, enums aside, and what an array of them holds where nothing was put."""


def is_value_type(target: Target) -> bool:
    """Whether null is no value of the type."""
    return bool(target.members) or target.full_name in NULLS
