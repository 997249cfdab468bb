"""What a wire can do to a task: it is unreachable, or fails in plain words, never with a traceback; running it again converges."""

from __future__ import annotations

import dataclasses
import importlib
import re
import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients, envelope
from ansible_collections.hyperlab.nested.tests.remote_host.effects import (
    Drop,
    HalfReply,
    Html,
    Idle,
    LostInput,
    Refusal,
    Restart,
    SlowReply,
    Status,
)
from ansible_collections.hyperlab.nested.tests.wire.site import NOTHING_CHANGED, PROFILE, UNKNOWN, Site

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.tests.remote_host.effects import Effect, Result

pytestmark = pytest.mark.newest

REOPENS = hasattr(importlib.import_module("ansible.plugins.connection.winrm").Connection, "_winrm_run_command")
"""Whether this ansible-core's winrm opens a new shell when the old one may have no more operations."""
HTTP_WAYS = [way for way in clients.WAYS if way != clients.SSH]
ways = pytest.mark.parametrize("way", clients.WAYS)
http_ways = pytest.mark.parametrize("way", HTTP_WAYS)


# --- the connection drops at every request


@dataclasses.dataclass(frozen=True)
class Cut:
    """A place in a task, and how the connection ends there."""

    at: int
    verbs: list[str]
    effect: Effect

    @property
    def verb(self) -> str:
        return self.verbs[self.at - 1]

    @property
    def writing(self) -> bool:
        """Whether it strikes the second process of the task; psrp begins that one with a Signal for the first."""
        begun = sum(verb in ("Command", "Exec") for verb in self.verbs[: self.at])
        psrp = self.verbs[:2] == ["Create", "Receive"]
        return begun == 2 or (self.verb == "Signal" and psrp)

    def __str__(self) -> str:
        return f"{self.at}-{self.verb}-{'after' if self.effect.done else 'before'}-{type(self.effect).__name__}"


ENDS = (Drop(reset=True), Drop(done=True), HalfReply())


@ways
def test_the_connection_drops_at_every_request(site: t.Callable[[str], Site], way: str) -> None:
    hosts = site(way)
    pilot = hosts.host("pilot")
    hosts.play().succeeded()
    verbs = [verb for verb in pilot.verbs() if verb != "Logon"]
    cuts = [Cut(at, verbs, effect) for at in range(1, len(verbs) + 1) for effect in ENDS]
    for number, cut in enumerate(cuts):
        hosts.host(f"{number}").plan(cut.effect, nth=cut.at)
    played = hosts.play()
    for number, cut in enumerate(cuts):
        result = played.of("it", f"{number}")
        if cut.verb == "Delete" or (way == clients.WINRM and cut.verb == "Send" and cut.effect.done):
            # all was done, and its answer had come, or could still be fetched
            assert result.status == "changed", (cut, result.result)
            continue
        assert result.status == "unreachable", (cut, result.result)
        assert (UNKNOWN if cut.writing else NOTHING_CHANGED) in result.result["msg"], cut
        if not cut.writing:
            assert not hosts.lab(f"{number}").look("vms.l1-a.processor.expose_virtualization_extensions")
    hosts.converges()


# --- what the host answers instead


@dataclasses.dataclass(frozen=True)
class Trouble:
    """What is planned for one host, and what comes of it on each way."""

    effect: Effect
    verb: str
    says: str = ""
    process: int = 1
    """It strikes the first such request of the task's first or second process; Create belongs to the first."""
    times: int = 1
    ends: dict[str, str] = dataclasses.field(default_factory=dict)
    """Status by way ("winrm" stands for both); unreachable where nothing is said."""

    def nth(self, way: str) -> int:
        """psrp receives once for the runspace pool, before any process."""
        return self.process + (self.verb == "Receive" and way.startswith("psrp"))

    def status(self, way: str) -> str:
        return self.ends.get(way, self.ends.get(way.partition("-")[0], "unreachable"))


TROUBLES = {
    "401 when it connects": Trouble(Status(401), "Create", "credentials were rejected|authenticate"),
    "403 when it connects": Trouble(Status(403), "Create", "403"),
    "404 when it connects": Trouble(Status(404), "Create", "404"),
    "500 when it connects": Trouble(Status(500), "Create", "500"),
    "access denied when it connects": Trouble(Refusal(envelope.ACCESS_DENIED), "Create", "500|Access is denied"),
    "timed out when it connects": Trouble(Refusal(envelope.TIMED_OUT), "Create", ""),
    "a page when it connects": Trouble(Html(), "Create", ""),
    "401 in the task": Trouble(Status(401), "Command", "rejected|uthenticat", process=2),
    "403 in the task": Trouble(Status(403), "Command", "403", process=2),
    "404 in the task": Trouble(Status(404), "Command", "404", process=2),
    "413 in the task": Trouble(Status(413), "Send", "MaxEnvelopeSizekb|send_input failed", process=2),
    "500 in the task": Trouble(Status(500), "Receive", "500", process=2),
    "access denied in the task": Trouble(Refusal(envelope.ACCESS_DENIED), "Command", "Access is denied", process=2),
    "a page in the task": Trouble(Html(), "Command", "", process=2),
    "too many operations": Trouble(
        Refusal(envelope.TOO_MANY_OPERATIONS),
        "Command",
        "MaxConcurrentOperationsPerUser",
        process=2,
        ends={"winrm": "changed"} if REOPENS else {},
    ),
    "busy": Trouble(Refusal(envelope.BUSY), "Send", "in use|send_input failed", process=2),
    "a restart in between": Trouble(Restart(), "Command", "was restarted", process=2),
    "an aborted shell": Trouble(Refusal(envelope.ABORTED), "Receive", "aborted", process=2),
    "a slow command": Trouble(Refusal(envelope.TIMED_OUT), "Receive", process=2, times=20, ends={"winrm": "changed", "psrp": "changed"}),
    "a reply byte by byte": Trouble(SlowReply(), "Receive", times=9, ends={"winrm": "changed", "psrp": "changed"}),
}


@http_ways
def test_the_host_answers_something_else(site: t.Callable[[str], Site], way: str) -> None:
    hosts = site(way)
    for name, trouble in TROUBLES.items():
        hosts.host(name).plan(trouble.effect, trouble.verb, nth=trouble.nth(way), times=trouble.times)
    played = hosts.play()
    for name, trouble in TROUBLES.items():
        result = played.of("it", name)
        assert result.status == trouble.status(way), (name, result.result)
        if result.status == "unreachable":
            assert re.search(trouble.says, result.result["msg"]), (name, result.result)
            assert "safe to run the task again" in result.result["msg"], name
    hosts.converges()


@pytest.mark.parametrize(
    ("way", "status"), [("winrm", "changed"), ("psrp", "changed"), ("winrm-ntlm", "unreachable"), ("psrp-ntlm", "unreachable")]
)
def test_a_connection_that_was_idle_between_two_processes(site: t.Callable[[str], Site], way: str, status: str) -> None:
    hosts = site(way)
    hosts.host().plan(Idle(), "Signal" if way.startswith("winrm") else "Receive", nth=1 + way.startswith("psrp"))
    result = hosts.play().of("it")
    assert result.status == status, result.result
    if status == "unreachable":
        assert "The session is no longer valid" in result.result["msg"]
        assert UNKNOWN in result.result["msg"]
    hosts.converges()


# --- standard input


def test_winrm_loses_half_of_the_input_and_the_bootstrap_sees_it(site: t.Callable[[str], Site]) -> None:
    hosts = site(clients.WINRM)
    hosts.host().plan(LostInput(), "Send", nth=2)
    result = hosts.play().of("it")
    assert (result.status, result.result["error_code"]) == ("failed", "runner_refused_truncated")
    assert "did nothing" in result.result["msg"]
    assert hosts.lab().plain() == Lab(PROFILE).plain()
    hosts.converges()


@http_ways
def test_input_that_never_arrives_makes_the_host_unreachable(site: t.Callable[[str], Site], way: str) -> None:
    hosts = site(way)
    hosts.host().plan(Status(500), "Send", nth=2)
    result = hosts.play().of("it")
    assert result.status == "unreachable"
    assert UNKNOWN in result.result["msg"]
    assert hosts.lab().plain() == Lab(PROFILE).plain()
    hosts.converges()


def test_a_task_that_winrm_waits_for_in_vain_ends_by_its_timeout(site: t.Callable[[str], Site]) -> None:
    """A Send that "timed out" counts as sent for winrm, which then asks for output without end."""
    hosts = site(clients.WINRM)
    hosts.host().plan(Refusal(envelope.TIMED_OUT), "Send", nth=2)
    result = hosts.play(timeout=1).of("it")
    assert result.status == "failed"
    assert re.search("timed out|timeout|time frame", result.result["msg"], re.IGNORECASE)
    assert hosts.lab().plain() == Lab(PROFILE).plain()
    hosts.converges()


# --- the answer itself

CLIXML = (
    b"#< CLIXML\r\n"
    b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0"><TN RefId="0">'
    b'<T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS><I64 N="SourceId">1</I64>'
    b'<PR N="Record"><AV>Preparing modules for first use.</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC><T>Completed</T><SR>-1</SR><SD> </SD>'
    b"</PR></MS></Obj></Objs>"
)
SPOILS: dict[str, tuple[t.Callable[[Result], Result], str | None]] = {
    "cut in half": (lambda result: (0, result[1][: len(result[1]) // 2], b""), "reply_cut"),
    "empty": (lambda result: (0, b"", b""), "no_reply"),
    "an error of PowerShell instead": (lambda result: (1, b"", b"Out of memory."), "no_reply"),
    "text around it": (lambda result: (0, b"Welcome to HV01!\r\nPS C:\\> " + result[1] + b"Goodbye.\r\n", b""), None),
    "progress on stderr": (lambda result: (0, result[1], CLIXML), None),
    "noise on stderr, and an exit code": (lambda result: (3, result[1], b"WARNING: \xff\r\n"), None),
}


@ways
def test_what_arrives_is_not_all_or_not_only_the_answer(site: t.Callable[[str], Site], way: str) -> None:
    hosts = site(way)
    for name, (spoil, _code) in SPOILS.items():
        host = hosts.host(name)
        host.spoil = lambda result, host=host, spoil=spoil: spoil(result) if host.calls == 2 else result
    played = hosts.play()
    for name, (_spoil, code) in SPOILS.items():
        result = played.of("it", name)
        assert (result.status, result.result.get("error_code")) == ("failed" if code else "changed", code), (name, result.result)
        assert result.result["changed"]  # the host did its work, whatever became of the answer
        if code:
            assert result.result["fix"]
    hosts.converges()
