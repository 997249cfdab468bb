# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: forwards, which NetNat calls static mappings: ports of the host behind which a NAT lets one in (facts 5.5).

A mapping cannot be changed, only removed by its number and added again.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, replace

from ._errors import NO_MODULE, InvalidOptions
from ._options import Option, Options, Spec, choice, ipv4_address, number, refuse_ends
from ._render import Verbatim, literal
from ._steps import From, Row, Step, Until

if t.TYPE_CHECKING:
    import ipaddress
    from collections.abc import Iterable, Sequence

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - NetNat's word for all of the host's addresses
_EVERYBODY = "0.0.0.0/0"

MAPPINGS = Step(
    "NetNat\\Get-NetNatStaticMapping",
    save="mappings",
    select=(
        *("StaticMappingID", "NatName", "Protocol", "ExternalIPAddress", "ExternalPort"),
        *("InternalIPAddress", "InternalPort", "RemoteExternalIPAddressPrefix"),
    ),
    absent=NO_MODULE,
)

_ADD = "NetNat\\Add-NetNatStaticMapping"
_SETTLED = tuple(f"Windows System Error {code},Add-NetNatStaticMapping" for code in (5, 32, 87, 1168))
_AGAIN = Until(seconds=1.5, every=0.5, stop=(*_SETTLED, "Hyperlab.NoObject", "Hyperlab.WrongCount", "CommandNotFoundException"))
"""Error 52 also comes while something else writes to WinNAT, and is gone a moment later: others ask three times more, within 1.75 s.
Error 32 means a reserved port, and stays (both: idx:56294667643)."""


def _with_internal_port(forward: Options) -> Options:
    return forward if forward.internal_port else forward.but(internal_port=forward.external_port)


FORWARD = Spec(
    derive=_with_internal_port,
    protocol=choice("tcp", "udp", default="tcp"),
    external_port=replace(number(1, 65535), required=True),
    internal_address=Option(required=True, convert=ipv4_address),
    internal_port=number(1, 65535),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forward:
    """A port of the host, and where a NAT forwards it to."""

    protocol: str
    """tcp or udp."""
    external_port: int
    internal_address: str
    internal_port: int
    external_address: str = EVERY_ADDRESS
    remote: str = _EVERYBODY
    """The prefix of those for whom it is there."""

    def __str__(self) -> str:
        address = "" if self.external_address == EVERY_ADDRESS else f"{self.external_address}:"
        remote = "" if self.remote == _EVERYBODY else f" for {self.remote}"
        return f"{self.protocol} {address}{self.external_port} -> {self.internal_address}:{self.internal_port}{remote}"

    @property
    def port(self) -> str:
        """The port of the host, with its protocol."""
        return f"{self.protocol} port {self.external_port}"

    def meets(self, other: Forward) -> bool:
        """Whether both want the same port of one of the host's addresses."""
        addresses = {self.external_address, other.external_address}
        return self.port == other.port and (len(addresses) == 1 or EVERY_ADDRESS in addresses)

    def parameters(self, nat: str | From) -> dict[str, t.Any]:
        """Of Add-NetNatStaticMapping."""
        remote = {} if self.remote == _EVERYBODY else {"RemoteExternalIPAddressPrefix": self.remote}
        return {
            "NatName": nat,
            "Protocol": self.protocol.upper(),
            "ExternalIPAddress": self.external_address,
            "ExternalPort": self.external_port,
            "InternalIPAddress": self.internal_address,
            "InternalPort": self.internal_port,
            **remote,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """A forward that is there."""

    row: Row
    nat_name: str
    forward: Forward

    @classmethod
    def from_row(cls, row: Row) -> Mapping:
        """From a row of Get-NetNatStaticMapping."""
        forward = Forward(
            protocol=str(row["Protocol"]).lower(),
            external_port=int(row["ExternalPort"]),
            internal_address=str(row["InternalIPAddress"]),
            internal_port=int(row["InternalPort"]),
            external_address=str(row["ExternalIPAddress"]),
            remote=str(row.get("RemoteExternalIPAddressPrefix") or _EVERYBODY),
        )
        return cls(row=row, nat_name=str(row["NatName"]), forward=forward)

    @property
    def number(self) -> int:
        """By which it is removed."""
        return int(self.row["StaticMappingID"])

    @property
    def removal(self) -> str:
        """The command that removes it."""
        return f"Remove-NetNatStaticMapping -NatName {literal(self.nat_name)} -StaticMappingID {self.number}"

    @property
    def ref(self) -> From:
        """The mapping, provided that it is as it was read."""
        return self.row.ref(*self.row, shown={"NatName": self.nat_name, "StaticMappingID": self.number})


def check_forwards(forwards: Iterable[Options], prefix: ipaddress.IPv4Network) -> None:
    """Raise InvalidOptions for what no NAT with that prefix can have."""
    given = list(forwards)
    for forward in given:
        address = forward.internal_address
        fix = f"give the address of a guest, such as {prefix[2]}"
        if address not in prefix:
            raise InvalidOptions(f"forwards: {address} does not lie in the prefix {prefix}", fix=fix)
        refuse_ends("forwards", address, prefix, fix=fix)
    twice = [port for port, count in Counter((forward.protocol, forward.external_port) for forward in given).items() if count > 1]
    if twice:
        protocol, port = twice[0]
        raise InvalidOptions(f"forwards: {protocol} port {port} is there twice", fix="a port leads to one guest only; remove one of them")


def wanted_forwards(forwards: Iterable[Options]) -> tuple[Forward, ...]:
    """The forwards that were asked for."""
    return tuple(
        Forward(
            protocol=forward.protocol,
            external_port=forward.external_port,
            internal_address=str(forward.internal_address),
            internal_port=forward.internal_port,
        )
        for forward in forwards
    )


def shown(forwards: Iterable[Forward]) -> list[str]:
    """For people, in an order that does not depend on who made them when."""
    return [str(forward) for forward in sorted(forwards, key=lambda forward: (forward.protocol, forward.external_port, str(forward)))]


def removals(mappings: Sequence[Mapping]) -> tuple[Step, ...]:
    """The steps that take mappings away."""
    return tuple(
        Step(
            "NetNat\\Remove-NetNatStaticMapping",
            {"InputObject": mapping.ref, "Confirm": False},
            undo=Step(_ADD, mapping.forward.parameters(mapping.nat_name), until=_AGAIN),
        )
        for mapping in mappings
    )


def additions(forwards: Sequence[Forward], nat: From, nat_name: str) -> tuple[Step, ...]:
    """The steps that make forwards on a NAT, which may be made by a step before them."""
    name = replace(nat, property="Name", shown={"NatName": nat_name})
    return tuple(_addition(forward, name, nat_name) for forward in forwards)


def _addition(forward: Forward, name: From, nat_name: str) -> Step:
    save = f"made {forward.port}"
    found = f"Get-NetNatStaticMapping -NatName {literal(nat_name)} | Where-Object ExternalPort -EQ {forward.external_port}"
    made = From(save=save, shown={"InputObject": Verbatim(f"({found} | Where-Object Protocol -EQ {forward.protocol.upper()})")})
    return Step(
        _ADD,
        forward.parameters(name),
        save=save,
        until=_AGAIN,
        undo=Step("NetNat\\Remove-NetNatStaticMapping", {"InputObject": made, "Confirm": False}),
        hint="see that no other program uses the port (netstat -ano), and that the NAT is as Get-NetNat should show it",
    )
