# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what PowerShell makes of values: text as its [string] cast writes it, and rows as the runner returns them."""

from __future__ import annotations

import functools
import itertools
import math
import typing as t
from datetime import datetime, timedelta

from . import conversions
from .calls import Live, NotSimulated

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def same_text(one: str, other: str) -> bool:
    """Whether .NET's OrdinalIgnoreCase holds two texts for equal."""
    return ordinal_upper(one) == ordinal_upper(other)


def ordinal_upper(text: str) -> str:
    """Upper case as OrdinalIgnoreCase compares it: each character for itself, and no length ever changes."""
    return text.upper() if text.isascii() else "".join(map(_upper, text))


@functools.lru_cache(maxsize=1024)
def _upper(character: str) -> str:
    upper = character.upper()
    if len(upper) != 1:
        # full mapping gives several characters where Unicode's simple mapping, which .NET uses, has one or none
        upper = character.title()
    # .NET never maps between ASCII and the rest: dotless i and long s stay what they are; beyond U+FFFF 5.1 maps nothing
    if len(upper) != 1 or upper.isascii() != character.isascii() or ord(character) > 0xFFFF:
        return character
    return upper


def to_text(value: t.Any) -> str:
    """PowerShell's [string] cast, which `where` compares with."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return conversions.text(value)
    if isinstance(value, timedelta):
        return _span_text(value)
    if isinstance(value, datetime):
        # the invariant culture's general format; the value as the property holds it, so nobody should compare with it
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, list | tuple):
        return " ".join(to_text(item) for item in value)
    if isinstance(value, Live):
        raise NotSimulated(f"the text of a {value.type_names[0]}: compare one of its properties instead")
    raise NotSimulated(f"the text of a {type(value).__name__}")


def to_plain(value: t.Any) -> t.Any:
    """ConvertTo-Plain of the runner: what JSON can hold exactly; any other type is named."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond:06d}0Z"
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Live):
        return {"$type": value.type_names[0]}
    raise NotSimulated(f"a {type(value).__name__} in an answer")


def has_property(thing: t.Any, name: str) -> bool:
    """Test-Key of the runner; null has no properties at all."""
    if thing is None:
        return False
    if isinstance(thing, Live):
        return any(known.lower() == name.lower() for known in thing.names())
    raise NotSimulated(f"properties of a {type(thing).__name__}")


def _span_text(value: timedelta) -> str:
    """The constant format of a TimeSpan: [-][d.]hh:mm:ss[.fffffff]."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    days = f"{value.days}." if value.days else ""
    rest = f".{value.microseconds:06d}0" if value.microseconds else ""
    return f"{sign}{days}{value.seconds // 3600:02d}:{value.seconds // 60 % 60:02d}:{value.seconds % 60:02d}{rest}"


def same_file(one: str | None, other: str | None) -> bool:
    """Windows paths compare without case, and both slashes separate."""
    return one is not None and other is not None and file_key(one) == file_key(other)


def file_key(path: str) -> str:
    """What two spellings of a Windows path have in common."""
    return path.replace("/", "\\").lower()


def first_free(stem: str, mark: str, names: Iterable[str]) -> str:
    """The stem, or the stem with the first number from 2 on that nobody has yet: "Ethernet 2", "Adapter #2"."""
    taken = {ordinal_upper(name) for name in names}
    candidates = itertools.chain([stem], (f"{stem}{mark}{number}" for number in itertools.count(2)))
    return next(name for name in candidates if ordinal_upper(name) not in taken)
