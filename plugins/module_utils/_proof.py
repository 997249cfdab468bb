# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the proof that a host works at its level: a hypervisor of its own runs, and gateway, DNS and the outside are reached.

No property of Windows says of a VM that a hypervisor of its own runs: HypervisorPresent is true in every VM, and the processor's flags
are false with such a hypervisor as well as without any extensions (facts 7). A VM that runs on it is a proof (facts 10.3), and so is
the event with which Windows has launched it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._errors import NO_HYPERV, NO_MODULE, InvalidOptions
from ._findings import WARNING, Finding
from ._nesting import Start
from ._network import DEFAULT_ROUTES
from ._options import Option, Options, Spec, flag, number, text
from ._steps import Answers, From, Step, Until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ._findings import Host
    from ._steps import Row, Value


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

_ON_LINK = "0.0.0.0"  # noqa: S104 - what a route without a gateway has for its next hop
_ON = ("Running", "Paused")
# The states are RFC 4861's, whose words Windows uses. Reachable: it has answered just now. Permanent: somebody has set it by hand, and
# Windows never asks. Stale, Delay and Probe say no more than that it has answered once.
_ANSWERS = ("Reachable", "Permanent")
_SETTLED = (*_ANSWERS, "Unreachable")
_SETTLING = Until(seconds=10, every=1, where={"State": _SETTLED}, stop=("Hyperlab.NoObject",))
"""How long a neighbour is waited for: RFC 4861 delays the first probe of a stale one by 5 s, and sends three, a second apart."""
_NO_NEIGHBOUR = frozenset({"CmdletizationQuery_NotFound_IPAddress", "Hyperlab.NoObject", "Hyperlab.Timeout"})
_NO_ECHO = frozenset({"TestConnectionException", "Hyperlab.NoObject"})
# Of every name that was not found, every server that failed and every nonsense: idx:69054937707, 19072401809, 43628212765; of silence
# gh:MultiPoolMiner/MultiPoolMiner#439. The ids are as many as DNS has errors, and one has several forms.
_NO_ANSWER = frozenset({"ResourceUnavailable", "OperationTimeout"})
# The event "Hypervisor successfully started" (libyal/winevt-kb's messages of hvservice.sys; the next event of that launch and the log
# are in Microsoft's "Manage Hyper-V hypervisor scheduler types"), and how Get-WinEvent says that there is none, and that the log is
# closed to this user (idx:63120574703).
_LAUNCH = "*[System[Provider[@Name='Microsoft-Windows-Hyper-V-Hypervisor'] and EventID=1]]"
_NO_EVENT = frozenset({"NoMatchingEventsFound"})
_EVENT_LOG = "System.Diagnostics.Eventing.Reader.EventLog"
_NO_LOG = NO_MODULE | {
    *("System.UnauthorizedAccessException", "LogInfoUnavailable", "NoMatchingLogsFound"),
    *(f"{_EVENT_LOG}{kind}Exception" for kind in ("", "NotFound")),
}


def proof_queries(options: Options) -> tuple[Step, ...]:
    """What has to be asked."""
    wanted = options.get("proof")
    return tuple(_queries(wanted)) if wanted else ()


def _queries(wanted: Options) -> Iterator[Step]:
    if wanted.hypervisor:
        yield Step("Hyper-V\\Get-VM", save="proof vms", select=("Name", "State"), absent=NO_HYPERV)
        newest: dict[str, Value] = {"LogName": "System", "FilterXPath": _LAUNCH, "MaxEvents": 1}
        event_log = "Microsoft.PowerShell.Diagnostics\\Get-WinEvent"
        yield Step(event_log, newest, save="proof launch", select=("TimeCreated",), absent=_NO_EVENT | _NO_LOG)
    if wanted.dns:
        asked = {"Name": wanted.dns, "Type": "A", "DnsOnly": True, "NoHostsFile": True, "QuickTimeout": True}
        yield Step("DnsClient\\Resolve-DnsName", asked, save="proof dns", select=("IPAddress",), absent_categories=_NO_ANSWER)
    if wanted.outside:
        asked = {"ComputerName": wanted.outside, **({"Port": wanted.port} if wanted.port else {})}
        fields = ("RemoteAddress", "PingSucceeded", "TcpTestSucceeded")
        yield Step("NetTCPIP\\Test-NetConnection", asked, save="proof outside", select=fields)
    if wanted.gateway:
        yield from _gateway_queries()


def _gateway_queries() -> Iterator[Step]:
    """The default gateways, an echo request to each, and what Windows knows of them then.

    They need not reply: sending makes Windows ask for them on the link, which a firewall does not stop.
    """
    yield replace(DEFAULT_ROUTES, save="proof routes")
    hops, adapters = (From(save="proof routes", count=None, property=name) for name in ("NextHop", "InterfaceIndex"))
    echo: dict[str, Value] = {"ComputerName": hops, "Count": 1, "Quiet": True}
    # whatever becomes of the request, the neighbours tell
    spared = frozenset({"ResourceUnavailable", "PermissionDenied"})
    yield Step("Microsoft.PowerShell.Management\\Test-Connection", echo, save="proof echo", absent=_NO_ECHO, absent_categories=spared)
    yield Step(
        "NetTCPIP\\Get-NetNeighbor",
        {"IPAddress": hops},
        save="proof neighbours",
        where={"InterfaceIndex": adapters},
        select=("IPAddress", "InterfaceIndex", "State"),
        absent=_NO_NEIGHBOUR,
        until=_SETTLING,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was asked for, and what came of it; None: it was not asked for."""

    label: str
    way: str
    """What its frames need where it is a VM, or how to find out."""
    hypervisor: bool | None
    """Whether a hypervisor of its own runs; None: Windows does not tell, or it was not asked for."""
    running: tuple[str, ...] | None
    """The VMs that run, which needs one."""
    launched: str | None
    """When Windows has launched a hypervisor since it started; empty: its log tells of none; None: it cannot be read, or was not asked."""
    extensions_seen: bool | None
    """Whether Windows has virtualization extensions to run one on; None: it does not tell, or it was not asked for."""
    gateways: dict[str, bool] | None
    """Each default gateway, and whether it answers."""
    dns: dict[str, t.Any] | None
    dns_words: str
    """What Windows says of a name for which it got no address."""
    outside: dict[str, t.Any] | None

    @classmethod
    def from_answers(cls, options: Options, answers: Answers, host: Host) -> Proof | None:
        """None: the task asks for no proof."""
        wanted = options.get("proof")
        if wanted is None:
            return None
        running = tuple(str(row["Name"]) for row in answers.rows("proof vms") if row["State"] in _ON) if wanted.hypervisor else None
        launched = _launched(answers) if wanted.hypervisor else None
        hypervisor = _hypervisor(host, running, launched)
        return cls(
            label=host.name,
            way=_way(host),
            hypervisor=hypervisor,
            running=running,
            launched=launched,
            extensions_seen=_extensions_seen(host, hypervisor, launched) if wanted.hypervisor else None,
            gateways=_gateways(answers) if wanted.gateway else None,
            dns=_dns(wanted, answers) if wanted.dns else None,
            dns_words=answers.words("proof dns"),
            outside=_outside(wanted, answers) if wanted.outside else None,
        )

    def findings(self) -> Iterator[Finding]:
        """What is missing, with the way out."""
        if self.running is not None and not self.hypervisor:
            yield self._missing(
                "hypervisor_unproven",
                f"no hypervisor of its own is seen to run: {self._why_unproven}",
                "run hyperv_feature there, with the extensions exposed on the host below, and start a VM on it;"
                " why a launch failed says Get-WinEvent -ProviderName Microsoft-Windows-Hyper-V-Hypervisor -MaxEvents 5",
            )
        if self.gateways is not None and not any(self.gateways.values()):
            silent = ", ".join(self.gateways)
            yield self._missing(
                "gateway_unreached",
                f"its default gateway {silent} does not answer" if silent else "it has no default gateway",
                f"{self.way}; set the gateway with hyperv_guest_network",
            )
        if self.dns and not self.dns["reached"]:
            words = f": {self.dns_words}" if self.dns_words else ""
            fix = "set the DNS servers with hyperv_guest_network"
            yield self._missing("dns_unreached", f"DNS does not know {self.dns['name']}{words}", fix)
        if self.outside and not self.outside["reached"]:
            port = f", port {self.outside['port']}" if self.outside["port"] else ""
            yield self._missing("outside_unreached", f"{self.outside['target']}{port} does not answer", self.way)

    @property
    def _why_unproven(self) -> str:
        if self.hypervisor is False:
            return "it does not run"
        log = "cannot be read" if self.launched is None else "tells of no launch since Windows started"
        return f"none of its VMs runs, and its System log {log}"

    def _missing(self, code: str, msg: str, fix: str) -> Finding:
        return Finding(code=code, severity=WARNING, subject=self.label, msg=f"{self.label}: {msg}", fix=fix)

    def result(self) -> dict[str, t.Any]:
        """The proof as the task's result shows it."""
        gateways = self.gateways
        return {
            "proven": not any(self.findings()),
            "hypervisor": self.hypervisor,
            "running_vms": None if self.running is None else list(self.running),
            "launched": self.launched,
            "extensions_seen": self.extensions_seen,
            "gateway": None if gateways is None else {"addresses": list(gateways), "reached": any(gateways.values())},
            "dns": self.dns,
            "outside": self.outside,
        }


def _way(host: Host) -> str:
    if not host.is_vm:
        return "see Get-NetAdapter and Get-NetIPConfiguration on it"
    return (
        f"see its switch on {host.place_below}: it needs a NAT (hyperv_nat_switch), or to be external and then, where that host is a VM"
        " itself, MAC address spoofing on the network adapter of that VM (hyperv_mac_spoof on the host below), on every level"
    )


def _launched(answers: Answers) -> str | None:
    if answers.faults("proof launch") - _NO_EVENT:
        return None
    row: t.Any = answers.one("proof launch") or {}
    moment = str(row.get("TimeCreated") or "")
    return moment if Start.from_answers(answers).has(moment) else ""


def _hypervisor(host: Host, running: tuple[str, ...] | None, launched: str | None) -> bool | None:
    if running is None:
        return None
    if running or not host.hyperv:
        return bool(running)
    if host.firmware:
        return False  # the flags show only where no hypervisor has taken the processor
    if launched:
        return True
    return None if host.is_vm else host.hypervisor


def _extensions_seen(host: Host, hypervisor: bool | None, launched: str | None) -> bool | None:
    """A hypervisor has taken what it runs on, and hides it; it need not be Hyper-V's (VBS, WSL 2: facts 7, 8)."""
    if host.firmware or hypervisor or launched:
        return True
    taken = launched is None or hypervisor is None or host.vbs == 2 or (host.hypervisor and not host.is_vm)
    return None if taken else False


def _gateways(answers: Answers) -> dict[str, bool]:
    answered = {_key(row, "IPAddress") for row in answers.rows("proof neighbours") if row["State"] in _ANSWERS}
    routes = [row for row in answers.rows("proof routes") if row["NextHop"] != _ON_LINK]
    reached = {str(row["NextHop"]) for row in routes if _key(row, "NextHop") in answered}
    return {hop: hop in reached for hop in (str(row["NextHop"]) for row in routes)}


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
