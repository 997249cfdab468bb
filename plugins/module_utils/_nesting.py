# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what Microsoft's guide demands of a host and of a VM before a VM can nest, with its numbers and their source.

https://learn.microsoft.com/windows-server/virtualization/hyper-v/enable-nested-virtualization
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

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
_WORKSTATION = 1
"""Win32_OperatingSystem.ProductType of client Windows."""

QUERIES = (
    Step(
        "CimCmdlets\\Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}, save="os", select=("BuildNumber", "Caption", "ProductType")
    ),
    Step(
        "CimCmdlets\\Get-CimInstance",
        {"ClassName": "Win32_Processor"},
        save="cpus",
        select=("Manufacturer", "Name", "VirtualizationFirmwareEnabled"),
    ),
)


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
            client=system.get("ProductType") == _WORKSTATION,
            vendor=_VENDORS.get(manufacturer, manufacturer),
            cpu=str(cpu.get("Name") or ""),
        )

    @property
    def title(self) -> str:
        """For messages: Windows and its build."""
        return f"{self.caption} (build {self.build})"


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
        fix="set upgrade_version=true (Update-VMVersion; it cannot be undone), or make the VM anew",
    )


def as_version(text: str) -> tuple[int, ...]:
    """A configuration version for comparing; an empty one is the lowest."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())
