# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: turns the JSON or YAML of a profile or a state file into the model's dataclasses, and back."""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing as t
from fractions import Fraction

Size = t.NewType("Size", int)
"""Bytes. A profile may write "4GB", as PowerShell does: powers of 1,024."""

LINK: t.Final = {"link": True}
"""Metadata of a field that leads to an object which is written down elsewhere: it is no key, neither in profiles nor in state files."""

T = t.TypeVar("T")

_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


class ProfileError(Exception):
    """A profile or a state file that does not say a possible host; the text names the place."""


def from_plain(kind: type[T], plain: t.Any, place: str = "profile") -> T:
    """Build dataclass `kind` from plain data; an unknown key or a wrong type is an error that names its place."""
    if not isinstance(plain, dict):
        raise ProfileError(f"{place}: expected a mapping, found {plain!r}")
    fields = _fields(t.cast("t.Hashable", kind))
    unknown = [key for key in plain if key not in fields]
    if unknown:
        raise ProfileError(f"{place}: unknown key {unknown[0]!r}; known are {', '.join(sorted(fields))}")
    given = {key: _value(fields[key], value, f"{place}.{key}") for key, value in plain.items()}
    try:
        return kind(**given)
    except TypeError as error:
        raise ProfileError(f"{place}: {error}") from None


def to_plain(value: t.Any) -> t.Any:
    """The inverse; a field that has its default or derives from others is left out, so that a state file reads like a profile."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        derived = value.derived() if hasattr(value, "derived") else ()
        kept = [field for field in _kept(type(value)) if field.name not in derived and not _is_default(field, value)]
        return {field.name: to_plain(getattr(value, field.name)) for field in kept}
    if isinstance(value, list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def size(text: t.Any, place: str) -> int:
    """Bytes from a number of bytes or a text such as 1.5GB."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", str(text).strip(), re.IGNORECASE)
    if not found:
        raise ProfileError(f"{place}: {text!r} is not a size; write it like 4GB or 512MB")
    exact = Fraction(found[1]) * _UNITS[(found[2] or "").upper()]
    if exact.denominator != 1:
        raise ProfileError(f"{place}: {text!r} is not a whole number of bytes")
    return int(exact)


@functools.cache
def _fields(kind: t.Any) -> dict[str, t.Any]:
    hints = t.get_type_hints(kind)
    return {field.name: hints[field.name] for field in _kept(kind)}


@functools.cache
def _kept(kind: t.Any) -> tuple[dataclasses.Field[t.Any], ...]:
    return tuple(field for field in dataclasses.fields(kind) if not field.metadata.get("link"))


def _is_default(field: dataclasses.Field[t.Any], owner: t.Any) -> bool:
    value = getattr(owner, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and value == field.default


def _value(hint: t.Any, value: t.Any, place: str) -> t.Any:
    origin, arguments = t.get_origin(hint), t.get_args(hint)
    if origin in (t.Union, types.UnionType):
        return None if value is None else _value(next(kind for kind in arguments if kind is not types.NoneType), value, place)
    if origin in _CONTAINERS:
        return _contained(origin, arguments[-1], value, place)
    if origin is t.Literal:
        return _choice(arguments, value, place)
    if hint is Size:
        return size(value, place)
    if dataclasses.is_dataclass(hint):
        return from_plain(t.cast("type[t.Any]", hint), value, place)
    return value if hint is t.Any else _scalar(hint, value, place)


_CONTAINERS: dict[t.Any, str] = {list: "a list", dict: "a mapping"}


def _contained(kind: type, hint: t.Any, value: t.Any, place: str) -> t.Any:
    if not isinstance(value, kind):
        raise ProfileError(f"{place}: expected {_CONTAINERS[kind]}, found {value!r}")
    items: t.Any = value
    if kind is dict:
        return {key: _value(hint, item, f"{place}.{key}") for key, item in items.items()}
    return [_value(hint, item, f"{place}[{index}]") for index, item in enumerate(items)]


def _choice(choices: tuple[t.Any, ...], value: t.Any, place: str) -> t.Any:
    if value not in choices:
        raise ProfileError(f"{place}: {value!r} is none of {', '.join(map(str, choices))}")
    return value


def _scalar(hint: t.Any, value: t.Any, place: str) -> t.Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        quote = "; put it in quotes" if hint is str else ""
        raise ProfileError(f"{place}: expected {hint.__name__}, found {value!r}{quote}")
    return value
