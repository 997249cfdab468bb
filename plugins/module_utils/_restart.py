# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the restart of the inventory host: ask for it, lose the connection, and wait until the host is back and settled."""

from __future__ import annotations

import typing as t

from ._errors import AccessDenied, BadReply, HypervError, RunnerRefused, from_fault
from ._steps import Step

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._nesting import Start
    from ._options import Options
    from ._plan import Reboot
    from ._steps import Answer

PAUSE = 5.0
"""Seconds between two looks at a host that is restarting."""
RESTART = Step("Microsoft.PowerShell.Management\\Restart-Computer", {"Force": True})
"""With -Force, because without it Windows refuses while somebody is logged on."""
GOING_DOWN = 120.0
"""Seconds in which a host that refuses to restart may turn out to be restarting already; how long it answers while it shuts down is a
guess."""

S = t.TypeVar("S")


class NotYet(Exception):
    """A host that answers is still starting; whoever has patience looks again."""


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


def patiently(seconds: float | None, transport: Transport, read: Callable[[bool], S]) -> S:
    """What was read, once the host answers; raises what the connection said last when it did not in so many seconds.

    `read` is told whether there is time left, in which it may raise NotYet.
    """
    deadline = transport.clock() + (seconds or 0)
    while True:
        try:
            return read(transport.clock() < deadline)
        except transport.lost as error:
            if transport.clock() >= deadline or getattr(error, "in_vain", False):
                raise
            why = str(error)
        except NotYet as error:
            why = str(error)
        left = max(0.0, deadline - transport.clock())
        transport.say(f"waiting for an answer, {round(left)} s left: {why}")
        transport.sleep(min(PAUSE, left))
        transport.reset()


def await_service(options: Options, start: Start, label: str) -> None:
    """For a plan on a host whose Hyper-V does not answer: raises NotYet while that may be because Windows has just started."""
    if options.get("patient") and start.recent:
        raise NotYet(f"Windows on {label} has just started, and its Virtual Machine Management service (vmms) does not answer yet")


def ask(reboot: Reboot, transport: Transport) -> HypervError | None:
    """Have the host restart. What it says when it refuses may be that it does so already, which its ids do not tell (docs/simulator.md).

    A host that goes down at once cannot answer: whether it did go down, its boot time tells.
    """
    label = reboot.subject.label
    transport.say(f"restarting {label}")
    try:
        answers = transport.run((RESTART,))
    except transport.lost as error:
        transport.say(f"the connection is gone, as it may be when a host restarts: {error}")
        return None
    except RunnerRefused:
        raise
    except BadReply as error:
        transport.say(f"the answer is lost, as it may be when a host restarts: {error.msg}")
        return None
    faults = [fault for answer in answers for fault in answer.faults]
    if not faults:
        return None
    refusal = from_fault(faults[0], "Restart-Computer", subject=label)
    refusal.fix = "see at its console what is in the way, restart it by hand, and run the task again"
    if isinstance(refusal, AccessDenied):
        refusal.fix = "restart it by hand, and run the task again; the connection's user needs the right to shut down the system"
        raise refusal
    transport.say(f"waiting whether it restarts already: {refusal.msg}")
    return refusal


def wait(reboot: Reboot, transport: Transport, read: Callable[[], S], refusal: HypervError | None = None) -> S:
    """The state that was read once the host had come back and settled; raises HypervError when it never did.

    A host that had refused is given up early, unless it is seen to go down all the same.
    """
    label, began = reboot.subject.label, transport.clock()
    deadline = began + reboot.seconds
    why = "nobody has looked yet"
    while transport.clock() < deadline:
        transport.sleep(PAUSE)
        transport.reset()
        try:
            state = read()
        except transport.lost as error:
            why, refusal = f"it does not answer ({error})", None
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
        if refusal and transport.clock() - began >= GOING_DOWN:
            break
        transport.say(f"waiting for {label}, {max(0, round(deadline - transport.clock()))} s left: {why}")
    if refusal:
        raise refusal
    raise HypervError(
        f"{label} was asked to restart, and {round(transport.clock() - began)} s later it is not as it should be: {why}",
        code="restart_timed_out",
        subject=label,
        fix="look at its console; when it is up, run the task again; raise reboot_timeout if it only needs longer",
    )
