"""What can be planned to go wrong with a request."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What happens to a request; `done` says whether the host does first what was asked."""

    done: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Effect):
    """What happens to the answer, or before it: the host does in any case what was asked."""

    done: bool = dataclasses.field(default=True, init=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Effect):
    """The connection ends without an answer: in good order, or by a reset."""

    reset: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Status(Effect):
    """An answer that is a status of HTTP and nothing else."""

    status: int


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal(Effect):
    """A WS-Management fault, by its number."""

    code: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Html(Effect):
    """A page with status 200, as a proxy between sends it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HalfReply(Answered):
    """Half of the answer, and then the end of the connection."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Answered):
    """The answer, and then the end of the connection, as of one that was idle for too long."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SlowReply(Answered):
    """The answer byte by byte."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Answered):
    """The machine has restarted since the last request: no shell is left, and the request is answered on that ground."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LostInput(Effect):
    """A Send of which the first half reaches the command, and then the end of its input; the client gets a status of HTTP."""

    status: int = 500


@dataclasses.dataclass(slots=True)
class _Plan:
    effect: Effect
    verb: str | None
    first: int
    times: int
    seen: int = 0

    def meets(self, verb: str) -> bool:
        if self.verb not in (None, verb):
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


class Plans:
    """What was planned for the requests to come."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def add(self, effect: Effect, verb: str | None = None, *, nth: int = 1, times: int = 1) -> None:
        """Let it happen to the nth request (of that verb) from now on, and to so many after it."""
        self._plans.append(_Plan(effect, verb, nth, times))

    def clear(self) -> None:
        """All goes well from now on."""
        self._plans.clear()

    def due(self, verb: str) -> Effect | None:
        """What happens to this request."""
        met = [plan.effect for plan in self._plans if plan.meets(verb)]
        return met[0] if met else None


Result = tuple[int, bytes, bytes]
Spoil = t.Callable[[Result], Result]
"""Makes of an exit code, stdout and stderr what the wire makes of them."""
