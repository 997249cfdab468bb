# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the restart of the inventory host: ask for it, lose the connection, and wait until the host is back and settled."""

from __future__ import annotations

import typing as t

from ._errors import BadReply, HypervError, RunnerRefused, from_fault
from ._steps import Step

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._plan import Reboot
    from ._steps import Answer

PAUSE = 5.0
"""Seconds between two looks at a host that is restarting."""
RESTART = Step("Microsoft.PowerShell.Management\\Restart-Computer", {"Force": True})
"""With -Force, because without it Windows refuses while somebody is logged on."""

S = t.TypeVar("S")


class Transport(t.Protocol):
    """Carries steps to a host; what a restart needs of it beside `run` is here, so that nothing else knows a connection."""

    @property
    def lost(self) -> type[Exception]:
        """What `run` raises when the connection broke."""

    def run(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """One remote process: executes the steps in order."""

    def reset(self) -> None:
        """Forget the connection, so that the next process opens a new one."""

    def sleep(self, seconds: float) -> None:
        """Let time pass on the host."""

    def clock(self) -> float:
        """Seconds, for measuring how long something took."""

    def say(self, text: str) -> None:
        """Tell whoever watches how far it is."""


def patiently(seconds: float | None, transport: Transport, read: Callable[[], S]) -> S:
    """What was read, once the host answers; raises what the connection said last when it did not in so many seconds."""
    deadline = transport.clock() + (seconds or 0)
    while True:
        try:
            return read()
        except transport.lost as error:
            left = deadline - transport.clock()
            if left <= 0 or getattr(error, "in_vain", False):
                raise
            transport.say(f"waiting for an answer, {round(left)} s left: {error}")
        transport.sleep(min(PAUSE, left))
        transport.reset()


def ask(reboot: Reboot, transport: Transport) -> None:
    """Have the host restart; raises HypervError when it refuses.

    A host that goes down at once cannot answer: whether it did go down, its boot time tells.
    """
    label = reboot.subject.label
    transport.say(f"restarting {label}")
    try:
        answers = transport.run((RESTART,))
    except transport.lost as error:
        transport.say(f"the connection is gone, as it may be when a host restarts: {error}")
        return
    except RunnerRefused:
        raise
    except BadReply as error:
        transport.say(f"the answer is lost, as it may be when a host restarts: {error.msg}")
        return
    faults = [fault for answer in answers for fault in answer.faults]
    if faults:
        refusal = from_fault(faults[0], "Restart-Computer", subject=label)
        refusal.fix = "restart it by hand, and run the task again; the connection's user needs the right to shut down the system"
        raise refusal


def wait(reboot: Reboot, transport: Transport, read: Callable[[], S]) -> S:
    """The state that was read once the host had come back and settled; raises HypervError when it never did."""
    label, began = reboot.subject.label, transport.clock()
    deadline = began + reboot.seconds
    why = "nobody has looked yet"
    while transport.clock() < deadline:
        transport.sleep(PAUSE)
        transport.reset()
        try:
            state = read()
        except transport.lost as error:
            why = f"it does not answer ({error})"
            if getattr(error, "in_vain", False):
                break
        except HypervError as error:
            why = error.msg
        else:
            unready = reboot.unready(state)
            if unready is None:
                transport.say(f"{label} is back")
                return state
            why = unready
        transport.say(f"waiting for {label}, {max(0, round(deadline - transport.clock()))} s left: {why}")
    raise HypervError(
        f"{label} was asked to restart, and {round(transport.clock() - began)} s later it is not as it should be: {why}",
        code="restart_timed_out",
        subject=label,
        fix="look at its console; when it is up, run the task again; raise reboot_timeout if it only needs longer",
    )
