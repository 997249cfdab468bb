# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: Win32_PingStatus: an instance is one echo request, and its key is what was asked."""

from __future__ import annotations

import re
import typing as t

from . import power, reach
from .calls import NotSimulated
from .network_objects import Win32Instance, cim_names

if t.TYPE_CHECKING:
    import ipaddress
    from collections.abc import Callable, Mapping

    from .model import Host

_TERM = re.compile(r"\s*(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(\d+))\s*")
_NOT_FOUND = 11001
"""WSAHOST_NOT_FOUND: the name has no address."""
_TIMED_OUT, _UNREACHABLE, _GENERAL_FAILURE = 11010, 11003, 11050
_AT_ONCE: Mapping[str, int] = {
    "no_route": _GENERAL_FAILURE,
    "no_address": _GENERAL_FAILURE,
    "no_neighbour": _UNREACHABLE,
    "no_spoofing": _UNREACHABLE,
}
"""What the host itself knows: a packet that it cannot send, and one for which nobody answers on the link. Others are lost."""


class PingStatus(Win32Instance):
    """One echo request and what came of it."""

    type_names = cim_names("Win32_PingStatus", "root/cimv2")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Address": lambda self: self.asked,
        "Timeout": lambda self: self.timeout,
        "StatusCode": lambda self: self.code,
        "PrimaryAddressResolutionStatus": lambda self: 0 if self.target else _NOT_FOUND,
        "ProtocolAddress": lambda self: str(self.target) if self.code == 0 else "",
        "ResponseTime": lambda self: 1 if self.code == 0 else None,
    }

    def __init__(self, host: Host, asked: str, timeout: int, only: frozenset[str] | None) -> None:
        super().__init__(host, only)
        self.asked = asked
        self.timeout = timeout
        self.target = reach.address_of(host, asked)
        self.code = None if self.target is None else _status(host, self.target)


def _status(host: Host, target: ipaddress.IPv4Address) -> int:
    trip, replied = reach.answers_ping(host, target)
    if replied:
        return 0
    return _AT_ONCE.get(trip.stop or "", _TIMED_OUT) if trip.hops == 0 else _TIMED_OUT


def ping(host: Host, condition: str, only: frozenset[str] | None) -> PingStatus:
    """The instance that a filter describes: Address, and Timeout in milliseconds."""
    terms = [_TERM.fullmatch(term) for term in re.split(r"\sAND\s", condition, flags=re.IGNORECASE)]
    given = {found[1].lower(): found[2] or found[3] or found[4] or "" for found in terms if found}
    if len(given) != len(terms) or not given.get("address") or given.keys() - {"address", "timeout"}:
        raise NotSimulated(f"Win32_PingStatus with the filter {condition!r}: only Address='…' AND Timeout=…")
    answer = PingStatus(host, given["address"], int(given.get("timeout", 1000)), only)
    if answer.code != 0:
        power.wait(host, answer.timeout / 1000)
    return answer
