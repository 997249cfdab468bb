# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: how a cmdlet registers itself with the parameters that it heeds: any other one is refused, never dropped."""

from __future__ import annotations

import functools
import typing as t

from .calls import NotSimulated, cmdlet
from .network_objects import CimInstance

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .calls import Call, Cmdlet

_WITHOUT_MEANING = frozenset(
    (
        *("Confirm", "Debug", "ErrorAction", "ErrorVariable", "InformationAction", "InformationVariable", "OutBuffer", "OutVariable"),
        *("PipelineVariable", "ThrottleLimit", "Verbose", "WarningAction", "WarningVariable", "WhatIf"),
    )
)
"""Parameters that change nothing here: the runner redirects the streams, and nothing prompts (ConfirmPreference is None)."""


def simulate(name: str, heeded: str) -> Callable[[Cmdlet], Cmdlet]:
    """Register a cmdlet that heeds these parameters (a text of names); with -WhatIf it does nothing."""
    known = frozenset(heeded.split()) | _WITHOUT_MEANING

    def register(function: Cmdlet) -> Cmdlet:
        @functools.wraps(function)
        def checked(call: Call) -> Iterable[t.Any]:
            for parameter in call.values:
                if parameter not in known:
                    raise NotSimulated(f"{call.cmdlet} -{parameter}")
            return () if call.get("WhatIf") else _settled(function(call))

        cmdlet(name)(checked)
        return function

    return register


def _settled(things: Iterable[t.Any]) -> Iterator[t.Any]:
    """A CIM instance is a copy of what was read, whatever the objects of the Hyper-V module are."""
    for thing in things:
        if isinstance(thing, CimInstance):
            thing.freeze()
        yield thing


def refuse_unless(call: Call, parameter: str, *harmless: t.Any) -> None:
    """Refuse a value that would change something the model does not hold; the harmless ones are how things are anyway."""
    value = call.get(parameter)
    if value is not None and value not in harmless:
        raise NotSimulated(f"{call.cmdlet} -{parameter} {value}")
