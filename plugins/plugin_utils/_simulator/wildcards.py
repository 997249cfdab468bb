# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: PowerShell's wildcards: * ? [a-c], and the backtick that takes a character as it is."""

from __future__ import annotations

import functools
import re
import typing as t

from .calls import NotSimulated
from .text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def has_wildcards(pattern: str) -> bool:
    """As WildcardPattern.ContainsWildcardCharacters: an escaped one does not count."""
    return re.search(r"[*?\[]", re.sub(r"`.", "", pattern, flags=re.DOTALL)) is not None


@functools.lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A test for the pattern; case does not count, and a pattern without special characters is the text itself."""
    if not has_wildcards(pattern):
        wanted = re.sub(r"`(.)", r"\1", pattern, flags=re.DOTALL)
        return lambda text: same_text(text, wanted)
    compiled = re.compile("".join(_pieces(pattern)), re.IGNORECASE | re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _pieces(pattern: str) -> Iterator[str]:
    characters = iter(pattern)
    for character in characters:
        if character == "`":
            yield re.escape(next(characters, "`"))
        elif character == "*":
            yield ".*"
        elif character == "?":
            yield "."
        elif character == "[":
            yield _set(characters, pattern)
        else:
            yield re.escape(character)


def _set(characters: Iterator[str], pattern: str) -> str:
    # there is no negation in PowerShell's sets
    inside = ""
    for character in characters:
        if character == "]" and inside:
            return f"[{inside}]"
        inside += "-" if character == "-" else re.escape(character)
    raise NotSimulated(f"the wildcard pattern {pattern!r}, which has no end")
