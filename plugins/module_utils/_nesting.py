# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what Microsoft's guide demands of a host and of a VM before a VM can nest, with its numbers and their source.

https://learn.microsoft.com/windows-server/virtualization/hyper-v/enable-nested-virtualization
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ._steps import Answers, Step

if t.TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_BUILD = 14393
"""Windows Server 2016 and Windows 10 1607: the first release whose Set-VMProcessor can expose the extensions."""
FIRST_AMD_SERVER = 20348
"""Windows Server 2022."""
FIRST_AMD_CLIENT = 22000
"""Windows 11."""
MINIMUM_VERSION = {"Intel": (8, 0), "AMD": (9, 3)}
"""Lowest VM configuration version, by the vendor of the host's processor."""

MEMORY_ADVISED = 4 * 1024**3
"""What the guide of 2016 demanded of a nested host, and Microsoft's script still asks for; Hyper-V does not check it."""

MOST_PROCESSORS = 2048
"""Of a VM, on the newest Windows Server (2025, generation 2; Microsoft's "Plan for Hyper-V scalability"); a host may take fewer."""

_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}
WORKSTATION = 1
"""Win32_OperatingSystem.ProductType of client Windows."""

_CIM = "CimCmdlets\\Get-CimInstance"
_OS_FIELDS = ("CSName", "BuildNumber", "Caption", "ProductType", "OperatingSystemSKU", "LastBootUpTime", "LocalDateTime")
FLAGS = ("VirtualizationFirmwareEnabled", "SecondLevelAddressTranslationExtensions", "VMMonitorModeExtensions")
"""Properties of a processor by which Windows sees virtualization extensions; only while it runs on no hypervisor (facts 7)."""
QUERIES = (
    Step(_CIM, {"ClassName": "Win32_OperatingSystem"}, save="os", select=_OS_FIELDS),
    Step(_CIM, {"ClassName": "Win32_Processor"}, save="cpus", select=("Manufacturer", "Name", *FLAGS)),
)

_DEVICE_GUARD = {"ClassName": "Win32_DeviceGuard", "Namespace": "root\\Microsoft\\Windows\\DeviceGuard"}
_NO_CLASS = frozenset({"HRESULT 0x80041010", "HRESULT 0x8004100e"})
_VMMS = {"ClassName": "Win32_Service", "Filter": "Name='vmms'"}
# What the data exchange service tells a VM of itself; Microsoft's page on key-value pairs, and idx:1532477695, idx:10003500579.
_GUEST_KEY = "HKLM:\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest\\Parameters"
_GUEST_VALUES = ("PhysicalHostName", "VirtualMachineName")
_NO_KEY = frozenset({"PathNotFound"})
MACHINE_QUERIES = (
    Step(_CIM, {"ClassName": "Win32_ComputerSystem"}, save="system", select=("Name", "HypervisorPresent", "TotalPhysicalMemory", "Model")),
    Step("Microsoft.PowerShell.Management\\Get-ItemProperty", {"Path": _GUEST_KEY}, save="below", select=_GUEST_VALUES, absent=_NO_KEY),
    Step(_CIM, _DEVICE_GUARD, save="device_guard", select=("VirtualizationBasedSecurityStatus",), absent=_NO_CLASS),
    Step(_CIM, _VMMS, save="vmms", select=("State",)),
)
"""What Windows runs on, and the service of its own Hyper-V."""

VIRTUAL_MACHINE = "Virtual Machine"
"""Win32_ComputerSystem.Model of a VM of a Hyper-V host."""

SETTLING = 300
"""Seconds after a start of Windows in which its services may still be starting, a pending feature be worked on, and Windows restart
once more by itself: that installing the role in a guest commonly takes two restarts is known (facts 7), how long all that takes is a
guess."""
_WANDERING = 5
"""Seconds by which the same start of Windows may read later: milliseconds were seen (gh:elastic/beats#12591, where a second is what
counts, and gh:prometheus-community/windows_exporter#74), and more where a clock is set; that these are enough is a guess."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """The Windows and the processor of a host."""

    caption: str
    build: int
    client: bool
    vendor: str
    """Intel, AMD, or the manufacturer as the processor gives it."""
    cpu: str

    @classmethod
    def from_answers(cls, answers: Answers) -> Platform:
        """From the answers to QUERIES."""
        system: t.Any = answers.one("os") or {}
        cpu: t.Any = answers.one("cpus") or {}
        manufacturer = str(cpu.get("Manufacturer") or "")
        return cls(
            caption=str(system.get("Caption") or "Windows"),
            build=int(system.get("BuildNumber") or 0),
            client=system.get("ProductType") == WORKSTATION,
            vendor=_VENDORS.get(manufacturer, manufacturer),
            cpu=str(cpu.get("Name") or ""),
        )

    @property
    def title(self) -> str:
        """For messages: Windows and its build."""
        return f"{self.caption} (build {self.build})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """When Windows started."""

    text: str
    """As Windows said it; empty: it did not."""
    uptime: float | None
    """Seconds since then; None: it is not known."""

    @classmethod
    def from_answers(cls, answers: Answers) -> Start:
        """From the answers to QUERIES."""
        system: t.Any = answers.one("os") or {}
        start = str(system.get("LastBootUpTime") or "")
        return cls(text=start, uptime=_seconds(start, str(system.get("LocalDateTime") or "")))

    @property
    def recent(self) -> bool:
        """Whether Windows may still be busy with it."""
        return self.uptime is not None and self.uptime < SETTLING

    def has(self, moment: str) -> bool:
        """Whether something happened since then: at that moment, in the same form."""
        later = _seconds(self.text, moment)
        return later is not None and later >= -_WANDERING

    def is_after(self, before: Start) -> bool:
        """Whether Windows was restarted since it said that."""
        later = _seconds(before.text, self.text)
        return self.text != before.text if later is None else later > _WANDERING


def _seconds(start: str, end: str) -> float | None:
    """From one time to another, in the runner's form of a DateTime."""
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (TypeError, ValueError):
        return None


def place_below(answers: Answers) -> tuple[str, str] | None:
    """The Hyper-V host that this is a VM of and the VM's name there, as the data exchange service told; None: no VM, or not told."""
    row: t.Any = answers.one("below") or {}
    host, vm = (str(row.get(name) or "") for name in _GUEST_VALUES)
    return (host, vm) if host and vm else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocker:
    """A reason why nesting cannot work, with a stable code and the way out."""

    code: str
    msg: str
    fix: str


def host_blockers(platform: Platform) -> Iterator[Blocker]:
    """Why no VM of this host can nest."""
    if platform.build < FIRST_BUILD:
        yield Blocker(
            code="host_too_old",
            msg=f"the host runs {platform.title}, and nesting needs Windows Server 2016 or Windows 10 1607 (build {FIRST_BUILD})",
            fix="upgrade the host's Windows",
        )
    if platform.vendor == "AMD" and platform.build < (FIRST_AMD_CLIENT if platform.client else FIRST_AMD_SERVER):
        yield Blocker(
            code="amd_host_too_old",
            msg=f"the host's processor is AMD and it runs {platform.title}: there a VM with exposed extensions does not start;"
            " AMD needs Windows Server 2022 or Windows 11",
            fix="upgrade the host to Windows Server 2022 or Windows 11, or use a host with an Intel processor",
        )
    if platform.vendor and platform.vendor not in MINIMUM_VERSION:
        yield Blocker(
            code="cpu_unsupported",
            msg=f"the host's processor is made by {platform.vendor}, and nested virtualization needs an Intel or AMD x64 processor",
            fix="use a host with an Intel (VT-x and EPT) or AMD (EPYC or Ryzen) processor",
        )


def version_blocker(platform: Platform, version: str) -> Blocker | None:
    """Why a VM of this configuration version cannot nest on the host."""
    minimum = MINIMUM_VERSION.get(platform.vendor, MINIMUM_VERSION["Intel"])
    if as_version(version) >= minimum:
        return None
    return Blocker(
        code="version_too_low",
        msg=f"has configuration version {version}, and nesting on {platform.vendor or 'this host'} needs {minimum[0]}.{minimum[1]}",
        fix="set upgrade_version=true in hyperv_nested (Update-VMVersion; it cannot be undone), or make the VM anew",
    )


def as_version(text: str) -> tuple[int, ...]:
    """A configuration version for comparing; an empty one is the lowest."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
