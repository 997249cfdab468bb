# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: JSON as ConvertFrom-Json reads it: the errors E15 and E16 of binder-facts.md, and text that is no JSON."""

from __future__ import annotations

import json
import typing as t

from .conversions import fold

_SOURCE = "Microsoft.PowerShell.Commands.ConvertFromJsonCommand"


class PayloadError(Exception):
    """ConvertFrom-Json refuses the text, and with it the whole payload; the fields are those of its error record."""

    def __init__(self, *, id: str, category: str, reason: str, message: str, hresult: int) -> None:  # noqa: A002
        super().__init__(message)
        self.id = id
        self.category = category
        self.reason = reason
        self.message = message
        self.hresult = hresult


def parse_payload(text: str) -> t.Any:
    """The value of a JSON text; of one key twice the last counts, and a whole number may have any size.

    Stricter than ConvertFrom-Json, which also takes comments and single quotes: our wire sends neither.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        _check(value)
    except (ValueError, RecursionError) as error:
        raise PayloadError(
            id=f"System.ArgumentException,{_SOURCE}",
            category="NotSpecified",
            reason="ArgumentException",
            message=f"Conversion from JSON failed with error: {error}",
            hresult=-2147024809,
        ) from None
    return value


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check(value: t.Any) -> None:
    if isinstance(value, list):
        for one in value:
            _check(one)
    elif isinstance(value, dict):
        seen: dict[str, str] = {}
        for key, inner in value.items():
            _check_key(key, seen)
            _check(inner)


def _check_key(key: str, seen: dict[str, str]) -> None:
    if not key:
        raise _invalid(
            "EmptyKeyInJsonString",
            "The provided JSON includes a property whose name is an empty string, this is only supported using the -AsHashTable switch.",
        )
    before = seen.setdefault(fold(key), key)
    if before != key:
        raise _invalid(
            "KeysWithDifferentCasingInJsonString",
            "Cannot convert the JSON string because it contains keys with different casing. Please use the -AsHashTable switch instead. "
            f"The key that was attempted to be added to the existing key '{before}' was '{key}'.",
        )


def _invalid(error_id: str, message: str) -> PayloadError:
    return PayloadError(
        id=f"{error_id},{_SOURCE}",
        category="InvalidOperation",
        reason="InvalidOperationException",
        message=message,
        hresult=-2146233079,
    )
