# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the proof that a host works at its level: a hypervisor of its own runs, and gateway, DNS and the outside are reached.

Nothing in Windows says of a VM that a hypervisor of its own runs: HypervisorPresent is true in every VM, and the processor's flags
are false with such a hypervisor as well as without any extensions (facts 7). A VM that runs on it is the proof (facts 10.3).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import InvalidOptions
from ._findings import WARNING, Finding
from ._options import Option, Options, Spec, flag, number, text
from ._steps import Answers, Step

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ._findings import Host
    from ._steps import Row


def _check(options: Options) -> None:
    if options.port is not None and options.outside is None:
        raise InvalidOptions("proof.port says how outside is reached, and proof.outside is not given", fix="give proof.outside, too")


PROOF = Option(
    type="dict",
    spec=Spec(
        check=_check,
        hypervisor=flag(default=False),
        gateway=flag(default=True),
        dns=text(),
        outside=text(),
        port=number(1, 65_535),
    ),
)

_DEFAULT = "0.0.0.0/0"
_ON_LINK = "0.0.0.0"  # noqa: S104 - what a route without a gateway has for its next hop
_ON = ("Running", "Paused")
# A neighbour in one of these states has answered once, or was set by hand (RFC 4861, whose words Windows uses; no other source).
_ANSWERED = ("Reachable", "Stale", "Delay", "Probe", "Permanent")
_NO_ROUTE = frozenset({"CmdletizationQuery_NotFound_DestinationPrefix"})
_NO_NEIGHBOUR = frozenset({"CmdletizationQuery_NotFound_AddressFamily"})
_NO_ANSWER = frozenset({"ERROR_TIMEOUT", "DNS_ERROR_RCODE_NAME_ERROR", "RCODE_SERVER_FAILURE", "DNS_ERROR_NO_DNS_SERVERS"})
_NO_HYPERV = frozenset({"CommandNotFoundException", "CouldNotAutoLoadModule", "ObjectNotFound"})


def proof_queries(options: Options) -> tuple[Step, ...]:
    """What has to be asked. The neighbours come last: whoever was asked before has made Windows look for its gateway."""
    wanted = options.get("proof")
    return tuple(_queries(wanted)) if wanted else ()


def _queries(wanted: Options) -> Iterator[Step]:
    if wanted.hypervisor:
        yield Step("Hyper-V\\Get-VM", save="proof vms", select=("Name", "State"), absent=_NO_HYPERV)
    if wanted.dns:
        asked = {"Name": wanted.dns, "Type": "A", "DnsOnly": True, "NoHostsFile": True, "QuickTimeout": True}
        yield Step("DnsClient\\Resolve-DnsName", asked, save="proof dns", select=("IPAddress",), absent=_NO_ANSWER)
    if wanted.outside:
        asked = {"ComputerName": wanted.outside, **({"Port": wanted.port} if wanted.port else {})}
        fields = ("RemoteAddress", "PingSucceeded", "TcpTestSucceeded")
        yield Step("NetTCPIP\\Test-NetConnection", asked, save="proof outside", select=fields)
    if wanted.gateway:
        route, neighbour = ("NextHop", "InterfaceIndex"), ("IPAddress", "InterfaceIndex", "State")
        yield Step("NetTCPIP\\Get-NetRoute", {"DestinationPrefix": _DEFAULT}, save="proof routes", select=route, absent=_NO_ROUTE)
        ipv4 = {"AddressFamily": "IPv4"}
        yield Step("NetTCPIP\\Get-NetNeighbor", ipv4, save="proof neighbours", select=neighbour, absent=_NO_NEIGHBOUR)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was asked for, and what came of it; None: it was not asked for."""

    label: str
    hypervisor: bool | None
    """Whether a hypervisor of its own runs; None: Windows does not tell, or it was not asked for."""
    running: tuple[str, ...] | None
    """The VMs that run, which needs one."""
    gateways: dict[str, bool] | None
    """Each default gateway, and whether it answers."""
    dns: dict[str, t.Any] | None
    outside: dict[str, t.Any] | None

    @classmethod
    def from_answers(cls, options: Options, answers: Answers, host: Host) -> Proof | None:
        """None: the task asks for no proof."""
        wanted = options.get("proof")
        if wanted is None:
            return None
        running = tuple(str(row["Name"]) for row in answers.rows("proof vms") if row["State"] in _ON) if wanted.hypervisor else None
        return cls(
            label=host.name,
            hypervisor=_hypervisor(host, running),
            running=running,
            gateways=_gateways(answers) if wanted.gateway else None,
            dns=_dns(wanted, answers) if wanted.dns else None,
            outside=_outside(wanted, answers) if wanted.outside else None,
        )

    def findings(self) -> Iterator[Finding]:
        """What is missing, with the way out."""
        if self.running is not None and not self.hypervisor:
            yield self._missing(
                "hypervisor_unproven",
                "no hypervisor of its own is seen to run: " + ("it does not run" if self.hypervisor is False else "none of its VMs runs"),
                "run hyperv_feature there, with the extensions exposed on the host below, and start a VM on it",
            )
        if self.gateways is not None and not any(self.gateways.values()):
            silent = ", ".join(self.gateways)
            yield self._missing(
                "gateway_unreached",
                f"its default gateway {silent} does not answer" if silent else "it has no default gateway",
                f"{_FRAMES}; set the gateway with hyperv_guest_network",
            )
        if self.dns and not self.dns["reached"]:
            yield self._missing("dns_unreached", f"DNS does not know {self.dns['name']}", "set the DNS servers with hyperv_guest_network")
        if self.outside and not self.outside["reached"]:
            port = f", port {self.outside['port']}" if self.outside["port"] else ""
            yield self._missing("outside_unreached", f"{self.outside['target']}{port} does not answer", _FRAMES)

    def _missing(self, code: str, msg: str, fix: str) -> Finding:
        return Finding(code=code, severity=WARNING, subject=self.label, msg=f"{self.label}: {msg}", fix=fix)

    def result(self) -> dict[str, t.Any]:
        """The proof as the task's result shows it."""
        gateways = self.gateways
        return {
            "proven": not any(self.findings()),
            "hypervisor": self.hypervisor,
            "running_vms": None if self.running is None else list(self.running),
            "gateway": None if gateways is None else {"addresses": list(gateways), "reached": any(gateways.values())},
            "dns": self.dns,
            "outside": self.outside,
        }


_FRAMES = (
    "in a nested VM, give each level that its frames pass either a NAT (hyperv_nat_switch inside) or MAC address spoofing"
    " (hyperv_mac_spoof on the host below)"
)


def _hypervisor(host: Host, running: tuple[str, ...] | None) -> bool | None:
    if running is None:
        return None
    if running or not host.hyperv:
        return bool(running)
    if host.firmware:
        return False  # the flags show only where no hypervisor has taken the processor
    return None if host.model == "Virtual Machine" else host.hypervisor


def _gateways(answers: Answers) -> dict[str, bool]:
    answered = {_key(row, "IPAddress") for row in answers.rows("proof neighbours") if row["State"] in _ANSWERED}
    routes = [row for row in answers.rows("proof routes") if row["NextHop"] != _ON_LINK]
    return {str(row["NextHop"]): _key(row, "NextHop") in answered for row in routes}


def _key(row: Row, address: str) -> tuple[str, int]:
    return str(row[address]), int(row["InterfaceIndex"])


def _dns(wanted: Options, answers: Answers) -> dict[str, t.Any]:
    # a name that leads to another one comes with that one's record, which has no address
    addresses = [str(row["IPAddress"]) for row in answers.rows("proof dns") if row.get("IPAddress")]
    return {"name": wanted.dns, "addresses": addresses, "reached": bool(addresses)}


def _outside(wanted: Options, answers: Answers) -> dict[str, t.Any]:
    row: t.Any = answers.one("proof outside") or {}
    address = row.get("RemoteAddress")
    succeeded = row.get("TcpTestSucceeded" if wanted.port else "PingSucceeded")
    return {"target": wanted.outside, "port": wanted.port, "address": str(address) if address else None, "reached": bool(succeeded)}
