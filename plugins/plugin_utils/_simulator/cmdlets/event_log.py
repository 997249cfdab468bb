# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the one thing that is asked of the System log: when a hypervisor was launched."""

from __future__ import annotations

import re
import typing as t
from datetime import timedelta

from .. import tree
from ..calls import Live, NotSimulated
from ..lookup import as_list
from ..simulates import simulate
from ..text import same_text
from .cim import BEGINNING

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..calls import Call
    from ..model import Host

_PROVIDER = "Microsoft-Windows-Hyper-V-Hypervisor"
_LAUNCHES = re.compile(rf"\*\[System\[Provider\[@Name='{_PROVIDER}'\] and EventID=1\]\]")
_LAUNCH_SECONDS = 4.0
"""From the start of Windows until the event is written."""


class EventLogRecord(Live):
    """The event of a launch that went well."""

    type_names = (
        "System.Diagnostics.Eventing.Reader.EventLogRecord",
        "System.Diagnostics.Eventing.Reader.EventRecord",
        "System.Object",
    )
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Id": lambda self: 1,
        "LogName": lambda self: "System",
        "ProviderName": lambda self: _PROVIDER,
        "MachineName": lambda self: self.host.name,
        "TimeCreated": lambda self: BEGINNING + timedelta(seconds=self.second),
    }

    def __init__(self, host: Host, second: float) -> None:
        super().__init__(host)
        self.second = second
        self.freeze()


@simulate("Microsoft.PowerShell.Diagnostics\\Get-WinEvent", "LogName FilterXPath MaxEvents")
def get_win_event(call: Call) -> Iterator[EventLogRecord]:
    """Launches of a hypervisor, the newest first."""
    logs, wanted = as_list(call.get("LogName")), str(call.get("FilterXPath") or "")
    if len(logs) != 1 or not same_text(logs[0], "System") or not _LAUNCHES.fullmatch(wanted):
        raise NotSimulated(f"{call.cmdlet} for {wanted!r} of {logs}: only launches of the hypervisor")
    if call.host.rights != "administrator":
        message = "Attempted to perform an unauthorized operation."
        call.fail("System.UnauthorizedAccessException", "NotSpecified", message, "UnauthorizedAccessException")
    found = [EventLogRecord(call.host, second) for second in _launches(call.host)][: call.get("MaxEvents")]
    if not found:
        message = "No events were found that match the specified selection criteria."
        call.write_error("NoMatchingEventsFound", "ObjectNotFound", message, "Exception")
    yield from found


def _launches(host: Host) -> Iterator[float]:
    by_vbs = host.vbs_status == 2 and tree.extensions_visible(host)
    if tree.hypervisor_runs(host) or by_vbs:
        yield host.booted + _LAUNCH_SECONDS
    if host.launched_before is not None:
        yield host.launched_before
