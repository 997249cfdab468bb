"""What is sent to the runner, and what is made of its answers: never a success of anything that is not whole."""

from __future__ import annotations

import base64
import copy
import json
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.module_utils._errors import BadReply, HypervError, Unsupported
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Credential, From, Step, Until
from ansible_collections.hyperlab.nested.plugins.plugin_utils._reply import MARKER, Printed, decode
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import VISIT, command, command_line, inside, to_request
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import ConnectionTransport

TRANSCRIPTS = json.loads((pathlib.Path(__file__).parents[3] / "data" / "transcripts.json").read_text(encoding="utf-8"))
CANARY = "cänary-5d2e"
Json = dict[str, t.Any]


# --- what is sent


def sent_step(step: Step) -> Json:
    [plain] = json.loads(to_request([step]).payload)["steps"]
    return t.cast("Json", plain)


def test_a_step_needs_no_more_than_a_cmdlet() -> None:
    assert sent_step(Step("Hyper-V\\Get-VM")) == {"cmdlet": "Hyper-V\\Get-VM", "parameters": {}}


@pytest.mark.parametrize(
    ("cmdlets", "reads"),
    [
        (["Hyper-V\\Get-VM", "NetTCPIP\\Test-NetConnection", "DnsClient\\Resolve-DnsName"], True),
        (["Hyper-V\\Get-VM", "Hyper-V\\Set-VM"], False),
        (["M\\Getter-VM"], False),
    ],
)
def test_a_request_knows_whether_it_only_reads(cmdlets: list[str], reads: bool) -> None:
    request = to_request([Step(cmdlet) for cmdlet in cmdlets])
    look = Step("Hyper-V\\Get-VM", save="vms", group=VISIT)
    assert request.only_reads == reads
    assert inside(request, [look], {}).only_reads == reads
    assert inside(inside(request, [look], {}), [look], {}).only_reads == reads
    assert not inside(request, [Step("Hyper-V\\Start-VM", group=VISIT)], {}).only_reads


def test_a_command_line_may_do_anything() -> None:
    assert not command("Get-Date", b"").only_reads
    assert not command("Get-Date", b"x").only_reads


def test_a_step_with_everything() -> None:
    undo = Step("Hyper-V\\Start-VM", {"VM": From(save="vms")})
    until = Until(seconds=300, every=2, where={"State": "Off"}, stop=("PSDirectException",))
    step = Step("Hyper-V\\Stop-VM", {"Force": True}, save="s", where={"Id": ("a", "b")}, select=("Id",), group="g", undo=undo, until=until)
    assert sent_step(step) == {
        "cmdlet": "Hyper-V\\Stop-VM",
        "parameters": {"Force": True},
        "as": "s",
        "where": {"Id": ["'a", "'b"]},
        "select": ["Id"],
        "group": "g",
        "undo": {"cmdlet": "Hyper-V\\Start-VM", "parameters": {"VM": {"$from": "vms", "count": 1}}},
        "until": {"seconds": 300, "every": 2, "where": {"State": ["'Off"]}, "stop": ["'PSDirectException"]},
    }


def test_what_only_the_planner_knows_stays_here() -> None:
    shown = From(save="vms", shown={"VMName": "l1-a"})
    assert "l1-a" not in to_request([Step("Hyper-V\\Get-VM", {"VM": shown}, absent=frozenset({"l1-a"}), poll=True)]).payload


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("2026-11-21T10:00:00Z", "'2026-11-21T10:00:00Z"),
        ("'quoted", "''quoted"),
        ("", "'"),
        (4, 4),
        (0.5, 0.5),
        (False, False),
        (None, None),
        (("a", 1, None), ["'a", 1, None]),
        (("a",), ["'a"]),
        ((), []),
        (From(save="vms", count=None), {"$from": "vms"}),
        (From(save="vms", where={"Id": "x"}, property="Id"), {"$from": "vms", "where": {"Id": ["'x"]}, "count": 1, "property": "Id"}),
        (
            From(save="a", where={"Id": From(save="b", property="VMId")}),
            {"$from": "a", "where": {"Id": [{"$from": "b", "count": 1, "property": "VMId"}]}, "count": 1},
        ),
    ],
)
def test_values(value: t.Any, wire: t.Any) -> None:
    assert sent_step(Step("M\\Get-X", {"P": value}))["parameters"] == {"P": wire}


def test_secrets_go_beside_the_payload_in_the_order_of_their_numbers() -> None:
    undo = Step("M\\Set-X", {"B": Credential(user="u2", password="two")})
    nested = Step("M\\Set-X", {"A": Credential(user="u1", password="one")}, undo=undo)
    request = to_request([nested, Step("M\\Set-X", {"A": Credential(user="u3", password=CANARY)})])
    first, second = json.loads(request.payload)["steps"]
    assert first["parameters"] == {"A": {"$credential": "'u1", "secret": 0}}
    assert first["undo"]["parameters"] == {"B": {"$credential": "'u2", "secret": 1}}
    assert second["parameters"]["A"] == {"$credential": "'u3", "secret": 2}
    assert request.secrets == ("one", "two", CANARY)


def test_standard_input() -> None:
    steps = [
        Step("M\\Set-X", {"日本": "ß", "C": Credential(user="u", password=CANARY)}),
        Step("M\\Set-Y", {"C": Credential(user="v", password="")}),
    ]
    text = to_request(steps).to_bytes().decode("ascii")
    count, _blank, body = text.partition(" ")
    lines = body.split("\n")
    assert text.endswith("\n")
    assert int(count) == len(body) - 1
    assert [base64.b64decode(line).decode() for line in lines[1:-1]] == [CANARY, ""]
    sent = json.loads(lines[0])
    assert sorted(sent) == ["payload", "runner"]
    assert json.loads(sent["payload"])["protocol"] == 1
    assert json.loads(sent["payload"])["steps"][0]["parameters"]["日本"] == "'ß"
    for secret in (CANARY, json.dumps(CANARY)[1:-1], base64.b64encode(CANARY.encode()).decode()):
        assert secret not in lines[0]


def test_the_command_line_fits_everywhere() -> None:
    prefix = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
    assert command_line().startswith(prefix)
    bootstrap = base64.b64decode(command_line().removeprefix(prefix)).decode("utf-16-le")
    assert len(bootstrap) < 1_100
    twice = base64.b64encode(command_line().encode("utf-16-le"))  # what ansible-core 2.16 to 2.18 make of it on winrm
    assert len(prefix) + len(twice) < 8_191


def test_a_password_is_in_no_repr() -> None:
    assert CANARY not in repr(Step("M\\Set-X", {"C": Credential(user="u", password=CANARY)}))


# --- what comes back

FAULT = {
    "id": "InvalidState,X",
    "category": "InvalidOperation",
    "reason": "VirtualizationException",
    "message": 'ça {"hyperlab": }',
    "hresult": -5,
}
STEPS = (
    Step("Hyper-V\\Get-VM", save="vms", select=("Name",)),
    Step("Hyper-V\\Stop-VM", group="a", undo=Step("Hyper-V\\Start-VM")),
    Step("Hyper-V\\Set-VM", group="a"),
    Step("Hyper-V\\Start-VM", group="a"),
)


def ran(*rows: Json, errors: t.Sequence[Json] = (), warnings: t.Sequence[str] = (), **more: t.Any) -> Json:
    return {"output": list(rows), "errors": list(errors), "warnings": list(warnings), "seconds": 0.25, **more}


GOOD: Json = {
    "hyperlab": {
        "protocol": 1,
        "steps": [
            ran({"Name": 'l1-{"hyperlab":a', "Notes": None}, {"Name": "]}}", "List": [1, {"$type": "X"}]}),
            ran(undo=ran(errors=[FAULT], warnings=["again"])),
            ran(errors=[FAULT], warnings=["careful"]),
            {"skipped": True},
        ],
    }
}
LINE = json.dumps(GOOD)


def decoded(stdout: str, stderr: str = "", code: int = 0) -> list[Answer]:
    return decode(STEPS, Printed(stdout, stderr, code))


def plain(answers: t.Sequence[Answer]) -> list[t.Any]:
    """Answers as values that can be compared: a Row is what it holds."""
    return [
        [[dict(row) for row in each.rows], each.faults, each.warnings, each.skipped, plain([each.undo] if each.undo else [])]
        for each in answers
    ]


WHOLE = plain(decoded(LINE))


def refusal(stdout: str, stderr: str = "", code: int = 0, *, steps: t.Sequence[Step] = STEPS, windows: bool = True) -> HypervError:
    with pytest.raises(HypervError) as caught:
        decode(steps, Printed(stdout, stderr, code, windows=windows))
    assert caught.value.msg
    assert caught.value.fix
    return caught.value


def test_a_whole_answer() -> None:
    read, stopped, failed, skipped = decoded(LINE)
    assert [row["Name"] for row in read.rows] == ['l1-{"hyperlab":a', "]}}"]
    assert read.rows[0].save == "vms"
    assert stopped.undo is not None
    assert stopped.undo.faults[0].kind == "InvalidState"
    assert stopped.undo.warnings == ("again",)
    assert not stopped.faults
    assert (failed.faults[0].category, failed.faults[0].hresult, failed.warnings) == ("InvalidOperation", -5, ("careful",))
    assert skipped.skipped
    assert not any(answer.skipped for answer in (read, stopped, failed))


@pytest.mark.parametrize(
    "stdout",
    [
        f"PS C:\\> {LINE}",
        f"Loading personal profile\r\nWARNING: {{x}}\r\n{LINE}\r\nbye",
        f"{LINE}{{",
        f'say {MARKER} and go on\r\n{MARKER} "not ours"}}\r\n{LINE}',
        f"{LINE[:90]}\r\n{LINE}",
        f"{LINE[:90]}{LINE}",
        f"\ufeff{LINE}",
    ],
    ids=["prompt", "lines", "behind", "marker in noise", "cut, then whole", "cut on its line", "byte order mark"],
)
def test_noise_is_no_harm(stdout: str) -> None:
    assert plain(decoded(stdout, "#< CLIXML\r\n<Objs></Objs>", 1)) == WHOLE


def test_bytes_and_text_are_the_same() -> None:
    class Texts:
        transport = "psrp"

        def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, t.Any, t.Any]:
            return 0, LINE, ""

    assert plain(ConnectionTransport(Texts()).run(STEPS)) == WHOLE


@pytest.mark.parametrize("stdout", ["", "\r\n", "hyperlab", '{"hyperlab" : {}}', f"{MARKER}3}}", f"{MARKER}[]}}", f"{MARKER}null}}"])
def test_no_answer(stdout: str) -> None:
    assert refusal(stdout).code == "no_reply"


def test_what_the_host_said_instead_is_shown() -> None:
    assert "it said: Access is denied." in refusal("", "Access is\r\n denied.", 5).msg
    assert "exit code 5" in refusal("", "Access is denied.", 5).msg
    assert "it said: whoami" in refusal("whoami").msg
    assert "it said: nothing" in refusal("").msg
    assert len(refusal("x" * 100_000).msg) < 500


def test_a_host_that_is_not_windows() -> None:
    error = refusal("", "/bin/sh: 1: PowerShell: not found", 127, windows=False)
    assert isinstance(error, Unsupported)
    assert error.code == "not_windows"
    assert "PowerShell: not found" in error.msg


@pytest.mark.parametrize("stdout", [f"{MARKER}", LINE[:-1], LINE[:-2], f"{MARKER}{'[' * 200_000}", LINE.replace("0.25", "0.25\n\x00", 1)])
def test_a_cut_answer(stdout: str) -> None:
    assert refusal(stdout).code == "reply_cut"


@given(st.integers(0, len(LINE) - 1), st.text(alphabet='{}[]",:hyperlab \r\n>', max_size=20))
def test_cut_anywhere_is_an_error(end: int, noise: str) -> None:
    refusal(noise + LINE[:end])


@given(st.integers(1, len(LINE)))
def test_without_its_beginning_it_is_an_error(start: int) -> None:
    refusal(LINE[start:])


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, len(LINE)))
def test_whatever_stands_around_it_is_no_harm(before: str, behind: str, cut: int) -> None:
    assert plain(decoded(f"{before}{LINE[:cut]}{before}{LINE}{behind}")) == WHOLE


@given(st.integers(0, len(LINE)), st.text(min_size=1, max_size=8))
def test_noise_inside_it_never_hides_a_failure(at: int, noise: str) -> None:
    """Inside of a text no one could tell; what is a fault stays a fault, and what was skipped was not done."""
    try:
        answers = decoded(LINE[:at] + noise + LINE[at:])
    except HypervError:
        return
    assert [(len(answer.faults), answer.skipped) for answer in answers] == [(0, False), (0, False), (1, False), (0, True)]


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The way to each part of the answer but the rows' values, which may be anything."""
    yield path
    if path and path[-1] == "output":
        yield from ((*path, index) for index in range(len(value)))
    elif isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


OTHERS: tuple[t.Any, ...] = (None, True, False, 7, 0.5, "", "text", [], ["text"], {}, {"id": 1})
PLACES = [path for path in places(GOOD["hyperlab"]) if path and path[-1] != "seconds"]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_another_type_in_any_field_is_an_error(path: tuple[t.Any, ...]) -> None:
    for other in OTHERS:
        good = at(GOOD["hyperlab"], path)
        if type(other) is type(good) or other == good or (path[-1] == "undo" and other is None):
            continue
        reply = copy.deepcopy(GOOD)
        at(reply["hyperlab"], path[:-1])[path[-1]] = other
        assert refusal(json.dumps(reply)).code in {"reply_malformed", "protocol_mismatch"}, other


@pytest.mark.parametrize(
    "path", [path for path in PLACES if isinstance(path[-1], str) and path[-1] != "undo"], ids=lambda p: ".".join(map(str, p))
)
def test_each_field_must_be_there(path: tuple[t.Any, ...]) -> None:
    reply = copy.deepcopy(GOOD)
    del at(reply["hyperlab"], path[:-1])[path[-1]]
    assert refusal(json.dumps(reply)).code in {"reply_malformed", "protocol_mismatch"}


def at(value: t.Any, path: t.Sequence[t.Any]) -> t.Any:
    for key in path:
        value = value[key]
    return value


@pytest.mark.parametrize("count", [0, 3, 5])
def test_as_many_answers_as_steps(count: int) -> None:
    answers = (GOOD["hyperlab"]["steps"] * 2)[:count]
    error = refusal(json.dumps({"hyperlab": {"protocol": 1, "steps": answers}}))
    assert error.code == "reply_incomplete"
    assert f"{count} steps of 4" in error.msg


def test_only_a_step_of_a_group_can_be_skipped() -> None:
    steps = [{"skipped": True}, *GOOD["hyperlab"]["steps"][1:]]
    assert refusal(json.dumps({"hyperlab": {"protocol": 1, "steps": steps}})).code == "reply_malformed"


@pytest.mark.parametrize("protocol", [0, 2, "1", None])
def test_another_protocol(protocol: t.Any) -> None:
    error = refusal(json.dumps({"hyperlab": {**GOOD["hyperlab"], "protocol": protocol}}))
    assert error.code == "protocol_mismatch"
    assert repr(protocol) in error.msg


@pytest.mark.parametrize(
    ("why", "says", "fix"),
    [
        ("truncated", "only a part", "run the task again"),
        ("language_mode", "nothing was done", "full language mode"),
        ("secret_too_long", "65,536", "shorter"),
        ("something new", "something new", "report"),
        (["truncated"], "truncated", "report"),
        (False, "False", "report"),
    ],
)
def test_refused_by_the_bootstrap(why: t.Any, says: str, fix: str) -> None:
    error = refusal(json.dumps({"hyperlab": {"refused": why}}))
    assert error.code == f"runner_refused_{why}"
    assert says in error.msg
    assert fix in error.fix


def test_refused_stays_refused_whatever_stands_beside_it() -> None:
    assert refusal(json.dumps({"hyperlab": {**GOOD["hyperlab"], "refused": "truncated"}})).code == "runner_refused_truncated"


def test_an_error_of_the_runner_itself_says_how_far_it_came() -> None:
    for count in range(5):
        reply = {"hyperlab": {"protocol": 1, "steps": GOOD["hyperlab"]["steps"][:count], "error": FAULT}}
        error = refusal(json.dumps(reply))
        assert isinstance(error, BadReply)
        assert error.code == "payload_refused"
        assert f"after {count} of 4 steps" in error.msg
        assert "InvalidState,X" in error.msg
    assert refusal(json.dumps({"hyperlab": {**GOOD["hyperlab"], "error": "text"}})).code == "reply_malformed"


def as_steps(payload: t.Any) -> list[Step]:
    """The steps of a transcript, as far as reading its answer needs them."""
    plains = payload.get("steps", []) if isinstance(payload, dict) else []
    return [Step("M\\Get-X", save=p.get("as"), group=p.get("group"), undo=Step("M\\Get-X") if "undo" in p else None) for p in plains]


@pytest.mark.parametrize("name", [name for name, seen in TRANSCRIPTS.items() if "inside" not in json.dumps(seen["payload"])])
def test_what_a_real_powershell_answered(name: str) -> None:
    """The runner's own answers, which nothing here may find malformed."""
    seen = TRANSCRIPTS[name]
    steps, reply = as_steps(seen["payload"]), json.loads(seen["stdout"][seen["stdout"].index(MARKER) :])["hyperlab"]
    if "error" in reply:
        assert refusal(seen["stdout"], seen["stderr"], seen["rc"], steps=steps).code == "payload_refused"
        return
    answers = decode(steps, Printed(seen["stdout"], seen["stderr"], seen["rc"]))
    assert [len(answer.faults) for answer in answers] == [len(each.get("errors", ())) for each in reply["steps"]]
    assert [answer.skipped for answer in answers] == ["skipped" in each for each in reply["steps"]]
    assert [bool(answer.undo) for answer in answers] == ["undo" in each for each in reply["steps"]]


# --- the connection


class Raises:
    """A connection that breaks."""

    transport = "winrm"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        raise self.error


class ReadTimeout(OSError):
    """What requests' errors are."""


class TaskTimeout(BaseException):
    """What ansible raises when a task's `timeout` is over."""


def test_how_the_connection_is_used() -> None:
    calls: list[t.Any] = []
    log: list[str] = []

    class Connection:
        transport = "ssh"

        def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
            calls.append((cmd, in_data, sudoable))
            return 0, LINE.encode(), b""

    transport = ConnectionTransport(Connection(), log.append)
    transport.run(STEPS)
    transport.run(STEPS)
    sent = to_request(STEPS).to_bytes()
    assert calls == [(command_line(), sent, False)] * 2
    assert log == [f"remote process {number}: 4 steps, {len(sent)} bytes" for number in (1, 2)]


class Numbered(Exception):
    """As pywinrm's and pypsrp's errors are, which need not be installed."""

    def __init__(self, **numbers: int | str) -> None:
        super().__init__("it broke")
        vars(self).update(numbers)


@pytest.mark.parametrize(
    "error", [AnsibleError("standard input was lost"), ReadTimeout("timed out"), OSError("broken pipe"), ValueError("bad SOAP")], ids=repr
)
def test_a_connection_that_broke_is_a_connection_failure(error: Exception) -> None:
    with pytest.raises(AnsibleConnectionFailure, match=r"is unknown; it is safe to run the task again") as caught:
        ConnectionTransport(Raises(error)).run(STEPS)
    assert str(error) in str(caught.value)
    assert type(error).__name__ in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (AnsibleConnectionFailure("basic: the credentials were rejected"), "basic: the credentials were rejected. The host was only"),
        (AnsibleConnectionFailure("basic: "), "basic. The host was only"),
        (AnsibleConnectionFailure(" "), "the connection failed. The host was only"),
        (Numbered(wsman_fault_code=995), "The remote shell was aborted"),
        (Numbered(code=2150858843), "The remote shell is gone"),
        (Numbered(code=413), "(WinRM's MaxEnvelopeSizekb). The host was only"),
        (Numbered(code="EPIPE"), "(Numbered: it broke). The host was only"),
    ],
    ids=repr,
)
def test_what_was_lost_while_reading_says_why_and_that_nothing_happened(error: Exception, says: str) -> None:
    with pytest.raises(AnsibleConnectionFailure) as caught:
        ConnectionTransport(Raises(error)).run([Step("Hyper-V\\Get-VM")])
    assert says in str(caught.value)
    assert str(caught.value).endswith("so nothing was changed; it is safe to run the task again")


@pytest.mark.parametrize("error", [TaskTimeout("60 s"), KeyboardInterrupt()], ids=repr)
def test_what_is_no_exception_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        ConnectionTransport(Raises(error)).run(STEPS)
    assert caught.value is error


class Silent:
    """Something that answers, and not as PowerShell."""

    def __init__(self, transport: str, windows_shell: bool | None) -> None:
        self.transport = transport
        if windows_shell is not None:
            self._shell = type("Shell", (), {"_IS_WINDOWS": windows_shell})()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        return 127, b"", b"not found \xff"


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        (Silent("ssh", windows_shell=False), "not_windows"),
        (Silent("docker", windows_shell=None), "not_windows"),
        (Silent("ssh", windows_shell=True), "no_reply"),
        (Silent("winrm", windows_shell=None), "no_reply"),
        (Silent("psrp", windows_shell=None), "no_reply"),
    ],
    ids=["ssh", "no shell", "ssh to windows", "winrm", "psrp"],
)
def test_whether_it_should_have_been_windows(connection: Silent, code: str) -> None:
    with pytest.raises(HypervError) as caught:
        ConnectionTransport(connection).run(STEPS)
    assert caught.value.code == code
