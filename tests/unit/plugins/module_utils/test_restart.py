"""The restart of the inventory host, against a transport that plays a script. What comes of whole tasks, the cases show."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils import _restart
from ansible_collections.hyperlab.nested.plugins.module_utils._errors import AccessDenied, BadReply, HypervError, RunnerRefused
from ansible_collections.hyperlab.nested.plugins.module_utils._nesting import Start
from ansible_collections.hyperlab.nested.plugins.module_utils._options import Options
from ansible_collections.hyperlab.nested.plugins.module_utils._plan import Reboot, Thing
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Fault

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Step

HOST = Thing(id="features", label="HV01")
FAULT = Fault(id="PrivilegeNotEnabled,X", category="InvalidOperation", reason="InvalidOperationException", message="no")
BUSY = Fault(id="RestartcomputerFailed,X", category="OperationStopped", reason="InvalidOperationException", message="no")
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
    assert _restart.ask(reboot(), script) is None
    assert (script.done, _restart.RESTART.parameters) == (["Restart-Computer"], {"Force": True})


@pytest.mark.parametrize("what", [Lost("gone"), CUT])
def test_an_answer_that_is_lost_is_no_error(what: Exception) -> None:
    script = Script([what])
    assert _restart.ask(reboot(), script) is None
    assert script.said[-1].endswith(("gone", "cut"))


def test_a_user_without_the_right_is_one() -> None:
    with pytest.raises(AccessDenied) as error:
        _restart.ask(reboot(), Script([[Answer(faults=(FAULT,))]]))
    assert error.value.subject == "HV01"
    assert "right to shut down" in error.value.fix


def refused() -> HypervError:
    refusal = _restart.ask(reboot(), Script([[Answer(faults=(BUSY,))]]))
    assert refusal
    return refusal


def test_any_other_refusal_may_mean_that_it_restarts_already() -> None:
    assert (refused().code, refused().subject) == ("host_refused", "HV01")


@pytest.mark.parametrize("plays", [["not restarted yet", "up"], ["not restarted yet", Lost("gone"), "settling", "up"]])
def test_a_host_that_refused_and_restarts_all_the_same_is_back(plays: list[t.Any]) -> None:
    script = Script(plays)
    assert _restart.wait(reboot(), script, script.read, refused()) == "up"


def test_a_host_that_refused_and_stays_up_is_given_up_early() -> None:
    script = Script(["not restarted yet"])
    with pytest.raises(HypervError) as error:
        _restart.wait(reboot(1200), script, script.read, refused())
    assert (error.value.code, script.now) == ("host_refused", _restart.GOING_DOWN)


def test_a_short_timeout_ends_that_too() -> None:
    script = Script(["not restarted yet"])
    with pytest.raises(HypervError, match="RestartcomputerFailed"):
        _restart.wait(reboot(30), script, script.read, refused())
    assert script.now == 30


def test_a_host_that_refused_and_went_down_has_all_the_time() -> None:
    script = Script([Lost("gone")])
    with pytest.raises(HypervError) as error:
        _restart.wait(reboot(1200), script, script.read, refused())
    assert (error.value.code, script.now) == ("restart_timed_out", 1200)


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


def asked_by(script: Script) -> t.Callable[[bool], str]:
    def read(patient: bool) -> str:
        script.done.append("patient" if patient else "at last")
        return t.cast("str", script._next())

    return read


STARTING = _restart.NotYet("vmms does not answer yet")


def test_with_patience_a_host_that_is_still_starting_is_asked_again() -> None:
    script = Script([Lost("gone"), STARTING, STARTING, "up"])
    assert _restart.patiently(60, script, asked_by(script)) == "up"
    assert script.done == ["patient", "reset"] * 3 + ["patient"]
    assert [text.rpartition(": ")[2] for text in script.said] == ["gone", *["vmms does not answer yet"] * 2]


def test_when_the_patience_ends_it_is_taken_as_it_is() -> None:
    script = Script([STARTING, STARTING, STARTING, "half"])
    assert _restart.patiently(12, script, asked_by(script)) == "half"
    assert (script.done[-1], script.now) == ("at last", 12)


@pytest.mark.parametrize("seconds", [None, 0])
def test_without_patience_it_is_asked_once(seconds: float | None) -> None:
    script = Script([Lost("gone"), "up"])
    with pytest.raises(Lost):
        _restart.patiently(seconds, script, asked_by(script))
    assert script.done == ["at last"]


@pytest.mark.parametrize(("patient", "uptime", "waits"), [(True, 20, True), (False, 20, False), (True, 20_000, False), (True, None, False)])
def test_only_right_after_a_start_a_silent_service_is_waited_for(patient: bool, uptime: float | None, waits: bool) -> None:
    start = Start(text="", uptime=uptime)
    with pytest.raises(_restart.NotYet, match="HV01") if waits else contextlib.nullcontext():
        _restart.await_service(Options({"patient": patient}), start, "HV01")
