# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the host's switches, network adapters and IP addresses, as every resource of the network reads them.

A switch's management adapter is found by the switch's id and the adapter's device id, never by name: `vEthernet (NAME)` may be
another's, and gets a number when it is taken (facts 5.2).
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from ._errors import HypervError, Refused
from ._options import ordinal
from ._render import Verbatim, is_pattern
from ._steps import Answers, From, Row, Step

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._steps import Plain

IPAddress: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

DEFAULT_SWITCH_ID = "c08cb7b8-9b3c-408e-8e30-5e16a3aeb444"
"""The client's own Default Switch: ICS has the NAT there, and nothing about it can be changed (facts 5.1)."""

MANAGEMENT = Step(
    "Hyper-V\\Get-VMNetworkAdapter", {"ManagementOS": True}, save="management", select=("Name", "DeviceId", "SwitchId", "SwitchName")
)
ADAPTERS = Step(
    "NetAdapter\\Get-NetAdapter",
    {"IncludeHidden": True},
    save="adapters",
    select=("Name", "InterfaceDescription", "InterfaceIndex", "DeviceID", "Status", "Hidden"),
)
ADDRESSES = Step(
    "NetTCPIP\\Get-NetIPAddress",
    save="addresses",
    select=("IPAddress", "PrefixLength", "InterfaceIndex", "InterfaceAlias", "PrefixOrigin", "AddressState"),
)
_NOT_FOUND = "CmdletizationQuery_NotFound"
IPV4 = Step(
    ADDRESSES.cmdlet,
    {"AddressFamily": "IPv4"},
    save=ADDRESSES.save,
    select=ADDRESSES.select,
    absent=frozenset({f"{_NOT_FOUND}_AddressFamily"}),
)
"""The IPv4 addresses that hold now."""
KEPT = Step(
    ADDRESSES.cmdlet,
    {"AddressFamily": "IPv4", "PolicyStore": "PersistentStore"},
    save="kept",
    select=("IPAddress", "InterfaceIndex"),
    # whether the store counts as a filter beside the family, so that the error names no property, no source says (ledger)
    absent=IPV4.absent | {_NOT_FOUND},
)
"""The IPv4 addresses that are there again after a restart of Windows."""
DEFAULT_ROUTE = "0.0.0.0/0"
DEFAULT_ROUTES = Step(
    "NetTCPIP\\Get-NetRoute",
    {"DestinationPrefix": DEFAULT_ROUTE},
    save="routes",
    select=("DestinationPrefix", "NextHop", "InterfaceIndex", "InterfaceAlias", "RouteMetric"),
    absent=frozenset({f"{_NOT_FOUND}_DestinationPrefix"}),
)
"""The IPv4 default routes that hold now."""
KEPT_ROUTES = replace(
    DEFAULT_ROUTES,
    parameters={**DEFAULT_ROUTES.parameters, "PolicyStore": "PersistentStore"},
    save="kept routes",
    absent=DEFAULT_ROUTES.absent | {_NOT_FOUND},
)
"""Those that are there again after a restart of Windows."""
CONNECTED = Step(
    "Hyper-V\\Get-VMNetworkAdapter",
    {"All": True},
    save="connected",
    where={"IsManagementOs": "False"},
    select=("VMName", "VMId", "SwitchId"),
)
"""The adapters of all VMs: asked only where a switch is to be removed."""


def switches(*fields: str) -> Step:
    """All switches of the host."""
    return Step("Hyper-V\\Get-VMSwitch", save="switches", select=("Id", "Name", "SwitchType", *fields))


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A virtual switch as it was read."""

    row: Row
    id: str
    name: str
    type: str
    """external, internal or private."""

    @property
    def shown(self) -> Mapping[str, Plain]:
        """How commands name it: by id where a cmdlet would read the name as a wildcard."""
        if is_pattern(self.name):
            return {"VMSwitch": Verbatim(f"(Get-VMSwitch -Id {self.id})")}
        return {"Name": self.name}

    def ref(self, *names: str) -> From:
        """The switch, provided that its name, its type and the named properties are as they were read."""
        return self.row.ref("Id", "Name", "SwitchType", *names, shown=self.shown)

    @property
    def again(self) -> From:
        """The switch in whatever state it is by then."""
        return self.row.ref("Id", shown=self.shown)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostAdapter:
    """A network adapter of the host; `switch_id` is that of the switch whose management adapter it is."""

    row: Row
    name: str
    description: str
    index: int
    status: str
    hidden: bool
    management: Row | None

    @property
    def switch_id(self) -> str | None:
        """None: no management adapter."""
        return str(self.management["SwitchId"]) if self.management else None

    def index_of(self, switch: Switch) -> From:
        """Its interface index, provided that it is still that switch's management adapter, and the switch is as it was read."""
        if self.management is None:
            raise ValueError(f"{self.name} is no management adapter")
        on_switch = self.management.ref("DeviceId", SwitchId=replace(switch.ref(), property="Id"))
        same = From(save=self.row.save, where={"DeviceID": replace(on_switch, property="DeviceId")})
        return replace(same, property="InterfaceIndex", shown={"InterfaceAlias": self.name})

    @property
    def index_again(self) -> From:
        """Its interface index, whatever it belongs to by then."""
        return replace(self.row.ref("DeviceID"), property="InterfaceIndex", shown={"InterfaceAlias": self.name})


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """An IP address of one of the host's network adapters."""

    row: Row
    ip: IPAddress
    length: int
    index: int
    """The interface index of its adapter."""
    alias: str
    origin: str
    state: str

    def __str__(self) -> str:
        return f"{self.ip}/{self.length}"

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The network that it says is on its link."""
        return ipaddress.ip_network(f"{str(self.ip).partition('%')[0]}/{self.length}", strict=False)

    @property
    def static(self) -> bool:
        """Set by somebody: neither leased nor made up by Windows (facts 6.1)."""
        return self.origin == "Manual"

    @property
    def removal(self) -> str:
        """The command that removes it, for a message."""
        return f"Remove-NetIPAddress -InterfaceIndex {self.index} -IPAddress {self.ip}"

    @property
    def index_if_there(self) -> From:
        """The interface index of its adapter, provided that the address is still there as it was read."""
        there = self.row.ref("IPAddress", "PrefixLength", "InterfaceIndex", shown={"InterfaceIndex": self.index})
        return replace(there, property="InterfaceIndex")


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """All that was read of the host's network."""

    switches: tuple[Switch, ...]
    adapters: tuple[HostAdapter, ...]
    addresses: tuple[Address, ...]
    connected: tuple[Row, ...]

    @classmethod
    def from_answers(cls, answers: Answers) -> Network:
        """From the answers to the queries above."""
        management = {ordinal(str(row["DeviceId"])): row for row in answers.rows("management") if row["SwitchId"]}
        return cls(
            switches=tuple(_switch(row) for row in answers.rows("switches")),
            adapters=tuple(_adapter(row, management.get(ordinal(str(row["DeviceID"])))) for row in answers.rows("adapters")),
            addresses=tuple(_address(row) for row in answers.rows("addresses")),
            connected=tuple(answers.rows("connected")),
        )

    def called(self, name: str) -> Switch | None:
        """The one switch of that name, or None; two of a name are an error, for nobody could say which is meant."""
        found = [switch for switch in self.switches if ordinal(switch.name) == ordinal(name)]
        if len(found) > 1:
            raise Refused(
                f"{len(found)} switches are called '{name}': {', '.join(switch.id for switch in found)}",
                code="switch_ambiguous",
                subject=name,
                fix="rename or remove one of them: Get-VMSwitch -Id ID | Rename-VMSwitch -NewName NAME",
            )
        return found[0] if found else None

    def managing(self, switch: Switch) -> list[HostAdapter]:
        """The host's own adapters on a switch."""
        return [adapter for adapter in self.adapters if adapter.switch_id == switch.id]

    def on(self, adapter: HostAdapter) -> list[Address]:
        """The IP addresses of an adapter."""
        return [address for address in self.addresses if address.index == adapter.index]

    def vms_on(self, switch: Switch) -> list[str]:
        """The names of the VMs that are connected to a switch, each VM once."""
        return list({row["VMId"]: str(row["VMName"]) for row in self.connected if str(row["SwitchId"]) == switch.id}.values())


def new_address(address: ipaddress.IPv4Interface, index: From, index_again: From) -> Step:
    """New-NetIPAddress; its default length of 32 would leave everybody else without a route (facts 5.6)."""
    ip = str(address.ip)
    return Step(
        "NetTCPIP\\New-NetIPAddress",
        {"IPAddress": ip, "PrefixLength": address.network.prefixlen, "InterfaceIndex": index},
        undo=Step("NetTCPIP\\Remove-NetIPAddress", {"IPAddress": ip, "InterfaceIndex": index_again, "Confirm": False}),
    )


def made_anew(adapter: HostAdapter, address: Address, index: From, new: Sequence[Step]) -> tuple[Step, ...]:
    """For an address of the active store only: it goes, and the `new` one is written to both stores.

    New-NetIPAddress takes no address that is there, and without its last one an interface may fall back to DHCP, and then takes no
    other (facts 5.6, 6.1). That has no undo: beside a static address DHCP was off, or a step before has turned it off.
    """
    return (remove_address(adapter, address, store="ActiveStore"), switch_dhcp(index, on=False), *new)


def switch_dhcp(index: From, *, on: bool) -> Step:
    """Named by index: an object of the interface would carry all its other settings, too."""
    word = "Enabled" if on else "Disabled"
    return Step("NetTCPIP\\Set-NetIPInterface", {"InterfaceIndex": index, "AddressFamily": "IPv4", "Dhcp": word})


def set_length(adapter: HostAdapter, address: Address, length: int) -> Step:
    """Set-NetIPAddress can change nothing else of an address, but this it can (cmdlets.md 9)."""

    def to(index: From, value: int) -> dict[str, t.Any]:
        return {"IPAddress": str(address.ip), "InterfaceIndex": index, "PrefixLength": value}

    undo = Step("NetTCPIP\\Set-NetIPAddress", to(adapter.index_again, address.length))
    return Step("NetTCPIP\\Set-NetIPAddress", to(address.index_if_there, length), undo=undo)


def remove_address(adapter: HostAdapter, address: Address, store: str | None = None) -> Step:
    """By address and interface and not by object: so it goes from both stores (cmdlets.md 9), and the object is the guard.

    `store` is the one that it comes back to if this is taken back; None: both.
    """
    back: dict[str, t.Any] = {"IPAddress": str(address.ip), "PrefixLength": address.length, "InterfaceIndex": adapter.index_again}
    back |= {"PolicyStore": store} if store else {}
    return Step(
        "NetTCPIP\\Remove-NetIPAddress",
        {"IPAddress": str(address.ip), "InterfaceIndex": address.index_if_there, "Confirm": False},
        undo=Step("NetTCPIP\\New-NetIPAddress", back),
    )


def carries(network: Network, adapter: HostAdapter, connection: str | None, *, outward: bool) -> str | None:
    """Why this adapter must be taken to carry the connection; None: it does not.

    The connection's address proves it, or proves the contrary when another adapter of the host has it. A name or an address
    that the host does not have (a name server, port forwarding) proves nothing: then each adapter to the outside with an
    address may be the one. A connection without an address needs no network.
    """
    if connection is None:
        return None
    target = _literal(connection)
    own = network.on(adapter)
    if target is not None and any(address.ip == target for address in own):
        return f"adapter '{adapter.name}' has the address {target}, to which Ansible is connected"
    usable = [address for address in own if not (address.ip.is_link_local or address.ip.is_loopback)]
    elsewhere = target is not None and any(address.ip == target for address in network.addresses)
    if not outward or not usable or elsewhere:
        return None
    return f"adapter '{adapter.name}' has the address {usable[0].ip}, and Ansible is connected to '{connection}', which may be the same"


def _literal(connection: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(connection.strip("[]"))
    except ValueError:
        return None


def is_default(switch: Switch) -> bool:
    """Whether it is the client's Default Switch."""
    return switch.id.lower() == DEFAULT_SWITCH_ID


def refuse_default(switch: Switch) -> HypervError:
    """Nothing about the Default Switch can be changed."""
    return Refused(
        f"switch '{switch.name}' is Windows' own Default Switch, which cannot be changed or removed",
        code="default_switch",
        subject=switch.name,
        fix="choose another name",
    )


def refuse_connected(switch: Switch, vms: Sequence[str]) -> HypervError:
    """VMs would lose their network without anybody having said so."""
    return Refused(
        f"switch '{switch.name}' is in use: {', '.join(repr(name) for name in vms)} {'is' if len(vms) == 1 else 'are'} connected to it,"
        " and it can be removed only when no VM is",
        code="switch_in_use",
        subject=switch.name,
        fix="connect the VMs to another switch (Connect-VMNetworkAdapter) or disconnect them (Disconnect-VMNetworkAdapter) first",
    )


def _switch(row: Row) -> Switch:
    return Switch(row=row, id=str(row["Id"]), name=str(row["Name"]), type=str(row["SwitchType"]).lower())


def _adapter(row: Row, management: Row | None) -> HostAdapter:
    return HostAdapter(
        row=row,
        name=str(row["Name"]),
        description=str(row["InterfaceDescription"]),
        index=int(row["InterfaceIndex"]),
        status=str(row["Status"]),
        hidden=bool(row.get("Hidden")),
        management=management,
    )


def _address(row: Row) -> Address:
    return Address(
        row=row,
        ip=ipaddress.ip_address(str(row["IPAddress"])),
        length=int(row["PrefixLength"]),
        index=int(row["InterfaceIndex"]),
        alias=str(row.get("InterfaceAlias") or f"interface {row['InterfaceIndex']}"),
        origin=str(row["PrefixOrigin"]),
        state=str(row.get("AddressState") or ""),
    )
