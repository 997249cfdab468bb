"""The restart of the inventory host, against a transport that plays a script. What comes of whole tasks, the cases show."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils import _restart
from ansible_collections.hyperlab.nested.plugins.module_utils._errors import AccessDenied, BadReply, HypervError, RunnerRefused
from ansible_collections.hyperlab.nested.plugins.module_utils._plan import Reboot, Thing
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Fault

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Step

HOST = Thing(id="features", label="HV01")
FAULT = Fault(id="PrivilegeNotEnabled,X", category="InvalidOperation", reason="InvalidOperationException", message="no")
CUT = BadReply("the answer was cut", code="reply_cut", fix="again")


class Lost(Exception):
    """The connection broke."""


@dataclass
class Script:
    """Plays what happens to one process after the other: an exception, or what it brings; time passes in sleep() alone."""

    plays: list[t.Any] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: float = 0.0
    lost: type[Exception] = Lost

    def run(self, steps: Sequence[Step]) -> Sequence[Answer]:
        self.done += [step.verb_noun for step in steps]
        return t.cast("Sequence[Answer]", self._next())

    def read(self) -> str:
        self.done.append("read")
        return t.cast("str", self._next())

    def _next(self) -> t.Any:
        what = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        if isinstance(what, Exception):
            raise what
        return what

    def reset(self) -> None:
        self.done.append("reset")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def say(self, text: str) -> None:
        self.said.append(text)


def reboot(seconds: float = 60) -> Reboot:
    """A state is a text here: "up" is what is waited for, anything else is the reason why not."""
    return Reboot(subject=HOST, before=False, after=True, seconds=seconds, unready=lambda state: None if state == "up" else state)


def test_the_host_is_asked_with_force() -> None:
    script = Script([[Answer()]])
    _restart.ask(reboot(), script)
    assert (script.done, _restart.RESTART.parameters) == (["Restart-Computer"], {"Force": True})


@pytest.mark.parametrize("what", [Lost("gone"), CUT])
def test_an_answer_that_is_lost_is_no_error(what: Exception) -> None:
    script = Script([what])
    _restart.ask(reboot(), script)
    assert script.said[-1].endswith(("gone", "cut"))


def test_a_refusal_is_one() -> None:
    with pytest.raises(AccessDenied) as error:
        _restart.ask(reboot(), Script([[Answer(faults=(FAULT,))]]))
    assert error.value.subject == "HV01"
    assert "right to shut down" in error.value.fix


def test_what_never_ran_is_one_too() -> None:
    with pytest.raises(RunnerRefused):
        _restart.ask(reboot(), Script([RunnerRefused("truncated", code="runner_refused_truncated", fix="again")]))


def test_it_looks_on_until_the_host_is_back_with_a_new_connection_each_time() -> None:
    script = Script(["not restarted yet", Lost("gone"), CUT, HypervError("vmms is away", code="x", fix="y"), "settling", "up"])
    assert _restart.wait(reboot(), script, script.read) == "up"
    assert script.done == ["reset", "read"] * 6
    for part in ("not restarted yet", "gone", "cut", "vmms is away", "settling"):
        assert any(part in text for text in script.said)
    assert script.said[-1] == "HV01 is back"


def test_each_look_waits_first() -> None:
    script = Script(["up"])
    _restart.wait(reboot(), script, script.read)
    assert script.now == _restart.PAUSE


@pytest.mark.parametrize("what", ["not restarted yet", Lost("gone"), CUT])
def test_the_deadline_is_ours_whatever_happens_until_then(what: t.Any) -> None:
    script = Script([what])
    with pytest.raises(HypervError) as error:
        _restart.wait(reboot(60), script, script.read)
    assert (error.value.code, error.value.subject, script.now) == ("restart_timed_out", "HV01", 60)
    assert "60 s later" in error.value.msg
    assert any(part in error.value.msg for part in ("not restarted yet", "gone", "cut"))
    assert "reboot_timeout" in error.value.fix


class Refused(Lost):
    """A logon that was refused: trying again may lock the account."""

    in_vain = True


def test_what_cannot_get_better_is_not_waited_for() -> None:
    script = Script([Lost("gone"), Refused("the password is wrong"), "up"])
    with pytest.raises(HypervError, match=r"10 s later it is not as it should be: .*the password is wrong"):
        _restart.wait(reboot(600), script, script.read)


def test_time_that_a_look_takes_counts() -> None:
    script = Script(["not restarted yet"])

    def slow() -> str:
        script.now += 100
        return script.read()

    with pytest.raises(HypervError):
        _restart.wait(reboot(60), script, slow)
    assert script.done.count("read") == 1
