"""The remote host itself, asked by the libraries that Ansible uses, and by hand: what it runs, refuses and forgets, and how it breaks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import functools
import http.client
import os
import socket
import ssl
import subprocess
import threading
import typing as t
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import asyncssh
import pypsrp.exceptions
import pytest
import requests
import winrm.exceptions
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import PREFIX, command_line
from ansible_collections.hyperlab.nested.tests.remote_host import clients, envelope, runner_call
from ansible_collections.hyperlab.nested.tests.remote_host.effects import (
    Drop,
    HalfReply,
    Html,
    Idle,
    LostInput,
    Plans,
    Refusal,
    Restart,
    SlowReply,
    Status,
)
from ansible_collections.hyperlab.nested.tests.remote_host.network import PASSWORD, USER, Network

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.hyperlab.nested.tests.remote_host.effects import Effect, Result
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost

pytestmark = pytest.mark.newest

FOR_EVER = 3600.0
"""Patience that no client has: what should come at once and does not, ends in the client's own timeout, and the test fails."""
CLIENTS_PATIENCE = 20
HUNG_UP = (ConnectionError, ssl.SSLError)
"""What a connection raises that has ended; which one, depends on the Python."""


class Machine:
    """Keeps what it was sent, and answers what it was told to."""

    def __init__(self, stdout: bytes = b"an answer", stderr: bytes = b"", code: int = 0) -> None:
        self.result: Result = code, stdout, stderr
        self.sent: list[bytes] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Result:
        assert cmd == command_line()
        self.sent.append(in_data or b"")
        return self.result


class Broken(Machine):
    """A mistake of the test's own."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Result:
        raise ZeroDivisionError("on purpose")


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def host(network: Network, machine: Machine) -> RemoteHost:
    return network.host(machine)


# --- the libraries


@contextlib.contextmanager
def pywinrm(host: RemoteHost, *, ntlm: bool = False, user: str = USER, password: str = PASSWORD, **more: t.Any) -> Iterator[Protocol]:
    door = "http" if ntlm else "https"
    protocol = Protocol(
        f"{door}://127.0.0.1:{host.ports[door]}/wsman",
        **{"transport": "ntlm" if ntlm else "basic"} | more,
        username=user,
        password=password,
        ca_trust_path=str(host.network.folder / "ca.pem"),
        read_timeout_sec=CLIENTS_PATIENCE,
        operation_timeout_sec=CLIENTS_PATIENCE - 1,
        proxy=None,
    )
    try:
        yield protocol
    finally:
        protocol.transport.close_session()


@contextlib.contextmanager
def pypsrp_wsman(host: RemoteHost, *, ntlm: bool = False, user: str = USER, password: str = PASSWORD, **more: t.Any) -> Iterator[WSMan]:
    with WSMan(
        "127.0.0.1",
        port=host.ports["http" if ntlm else "https"],
        ssl=not ntlm,
        auth="ntlm" if ntlm else "basic",
        username=user,
        password=password,
        cert_validation=t.cast("t.Any", str(host.network.folder / "ca.pem")),  # or a file, says its documentation
        read_timeout=CLIENTS_PATIENCE,
        no_proxy=True,
        **more,
    ) as wsman:
        yield wsman


def over_winrm(host: RemoteHost, line: str, payload: bytes = b"{}", *, ntlm: bool = False) -> Result:
    with pywinrm(host, ntlm=ntlm) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, line, console_mode_stdin=False)
        protocol.send_command_input(shell, command, payload, end=True)
        stdout, stderr, code = protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell)
        return code, stdout, stderr


def over_psrp(host: RemoteHost, script: str, payload: bytes = b"{}", *, ntlm: bool = False, **more: t.Any) -> Result:
    screen = PSHostUserInterface()
    caller = PSHost(None, None, False, None, None, screen, "1.0")
    with pypsrp_wsman(host, ntlm=ntlm, **more) as wsman, RunspacePool(wsman, host=caller) as pool:
        pipeline = PowerShell(pool)
        pipeline.add_script(script)
        output = pipeline.invoke(t.cast("t.Any", payload.decode().splitlines()))  # a list is what Ansible gives it
        return caller.rc or int(pipeline.had_errors), "\r\n".join(output).encode(), "".join(screen.stderr).encode()


def ssh_to(host: RemoteHost) -> list[str]:
    """OpenSSH's client, with what an inventory says."""
    given = clients.variables(host, clients.SSH)
    key, port = given["ansible_ssh_private_key_file"], given["ansible_port"]
    return ["ssh", *given["ansible_ssh_args"].split(), "-o", "BatchMode=yes", "-T", "-i", key, "-p", str(port), f"{USER}@127.0.0.1"]


def over_ssh(host: RemoteHost, line: str, payload: bytes = b"{}") -> Result:
    done = subprocess.run([*ssh_to(host), line], input=payload, capture_output=True, check=False, timeout=CLIENTS_PATIENCE)
    return done.returncode, done.stdout, done.stderr


LINES: dict[str, t.Callable[..., Result]] = {
    clients.WINRM: over_winrm,
    clients.WINRM_NTLM: functools.partial(over_winrm, ntlm=True),
    clients.SSH: over_ssh,
}
"""The ways that send a line; psrp sends a script."""
SCRIPTS: dict[str, t.Callable[..., Result]] = {
    clients.PSRP: over_psrp,
    clients.PSRP_NTLM: functools.partial(over_psrp, ntlm=True),
}
line_ways = pytest.mark.parametrize("way", LINES)
script_ways = pytest.mark.parametrize("way", SCRIPTS)
ways = pytest.mark.parametrize("way", clients.WAYS)


def call(host: RemoteHost, way: str, payload: bytes = b"{}") -> Result:
    """A runner call."""
    if way in SCRIPTS:
        return SCRIPTS[way](host, runner_call.bootstrap(), payload)
    return LINES[way](host, command_line(), payload)


# --- HTTP by hand


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def fault(self) -> int:
        """The number of the fault in it, or 0."""
        return next((int(node.get("Code", "0")) for node in self.all("f:WSManFault")), 0)

    def all(self, name: str) -> list[ET.Element]:
        """The elements of that name."""
        return ET.fromstring(self.body).findall(f".//{name}", envelope.NAMESPACES) if self.body else []  # noqa: S314 - ours

    def text(self, name: str) -> str:
        """What the only element of that name says."""
        [found] = self.all(name)
        return found.text or ""

    def streams(self) -> bytes:
        return b"".join(base64.b64decode(node.text or "") for node in self.all("rsp:Stream"))

    def is_last(self) -> bool:
        return b"CommandState/Done" in self.body


class ByHand:
    """One connection, and Basic."""

    def __init__(self, host: RemoteHost, door: t.Literal["http", "https"] = "https") -> None:
        port = host.ports[door]
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CLIENTS_PATIENCE)
        if door == "https":
            trust = ssl.create_default_context(cafile=str(host.network.folder / "ca.pem"))
            self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=CLIENTS_PATIENCE, context=trust)
        self._authorization = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def post(self, body: str | bytes, path: str = "/wsman", **headers: str) -> None:
        said = {"Content-Type": "application/soap+xml;charset=UTF-8", "Authorization": self._authorization}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = body.encode() if isinstance(body, str) else body
        self._connection.request("POST", path, sent, {name: value for name, value in said.items() if value})

    def reply(self) -> Reply:
        found = self._connection.getresponse()
        return Reply(found.status, found.headers, found.read())

    def ask(self, body: str | bytes, path: str = "/wsman", **headers: str) -> Reply:
        self.post(body, path, **headers)
        return self.reply()

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def by_hand(host: RemoteHost, door: t.Literal["http", "https"] = "https") -> Iterator[ByHand]:
    connection = ByHand(host, door)
    try:
        yield connection
    finally:
        connection.close()


def request(verb: str, body: str = "", *, shell_id: str = "", timeout: str = "PT60S", max_envelope: int = 153_600) -> str:
    """A message of WS-Management."""
    uri = envelope.NAMESPACES["x" if verb in ("Create", "Delete") else "rsp"]
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in envelope.NAMESPACES.items())
    selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>' if shell_id else ""
    return (
        f"<s:Envelope {names}><s:Header><a:Action>{uri}/{verb}</a:Action><a:MessageID>uuid:1</a:MessageID>{selectors}"
        f"<w:OperationTimeout>{timeout}</w:OperationTimeout><w:MaxEnvelopeSize>{max_envelope}</w:MaxEnvelopeSize>"
        f"<w:ResourceURI>{envelope.NAMESPACES['rsp']}/cmd</w:ResourceURI></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


CREATE = request("Create", "<rsp:Shell/>")


@dataclasses.dataclass(frozen=True)
class Running:
    """A runner call that waits for its input, and the messages that are about it."""

    shell: str
    id: str

    def send(self, data: bytes, *, last: bool = True) -> str:
        text = envelope.base64_text(data)
        stream = f'<rsp:Stream Name="stdin" CommandId="{self.id}" End="{str(last).lower()}">{text}</rsp:Stream>'
        return request("Send", f"<rsp:Send>{stream}</rsp:Send>", shell_id=self.shell)

    def receive(self, **more: t.Any) -> str:
        stream = f'<rsp:DesiredStream CommandId="{self.id}">stdout stderr</rsp:DesiredStream>'
        return request("Receive", f"<rsp:Receive>{stream}</rsp:Receive>", shell_id=self.shell, **more)

    def signal(self) -> str:
        return request("Signal", f'<rsp:Signal CommandId="{self.id}"><rsp:Code>terminate</rsp:Code></rsp:Signal>', shell_id=self.shell)

    def delete(self) -> str:
        return request("Delete", shell_id=self.shell)


def opened(connection: ByHand) -> str:
    return connection.ask(CREATE).text("rsp:ShellId")


def command(line: str) -> str:
    return f"<rsp:CommandLine><rsp:Command>{escape(line)}</rsp:Command></rsp:CommandLine>"


def started(connection: ByHand) -> Running:
    shell = opened(connection)
    return Running(shell, connection.ask(request("Command", command(command_line()), shell_id=shell)).text("rsp:CommandId"))


# --- what runs


@ways
def test_a_runner_call_is_run_with_its_whole_input(host: RemoteHost, machine: Machine, way: str) -> None:
    machine.result = 3, b"said", b"complained"
    code, stdout, stderr = call(host, way, payload := b'{"x": "' + b"y" * 300_000 + b'"}\nc2VjcmV0')
    assert (code, stdout, stderr.strip()) == machine.result
    assert machine.sent == [payload]
    assert host.calls == 1
    assert not host.shells


def encoded(script: str) -> str:
    """The line that runs a script."""
    return PREFIX + base64.b64encode(script.encode("utf-16-le")).decode()


TWICE = encoded(command_line())


@line_ways
def test_a_line_may_be_encoded_twice(host: RemoteHost, way: str) -> None:
    assert LINES[way](host, TWICE) == (0, b"an answer", b"")
    assert host.calls == 1


OTHER_LINES = {
    "another prefix": command_line().replace("Unrestricted", "RemoteSigned"),
    "a shorter prefix": command_line().replace(" -NonInteractive", ""),
    "something before it": "cmd /c " + command_line(),
    "another script": encoded("Get-Date"),
    "more script": encoded(runner_call.bootstrap() + "\nGet-Date"),
    "no base64": PREFIX + "Get-Date",
    "half a letter": PREFIX + "AAAA",
    "no line at all": "whoami",
}


@line_ways
def test_any_other_line_is_refused(host: RemoteHost, way: str) -> None:
    for name, line in OTHER_LINES.items():
        code, stdout, stderr = LINES[way](host, line)
        assert (code, stdout) == (1, b""), name
        assert stderr.startswith(f"'{line.partition(' ')[0]}' is not recognized as an internal or external command".encode()), name
    assert host.calls == 0


@line_ways
def test_a_line_that_is_too_long_is_refused(host: RemoteHost, way: str) -> None:
    assert LINES[way](host, command_line().ljust(8_191)) == (0, b"an answer", b"")
    assert LINES[way](host, command_line().ljust(8_192)) == (1, b"", b"The command line is too long.\r\n")
    assert host.calls == 1


def test_a_refused_line_does_not_wait_for_input(host: RemoteHost) -> None:
    with pywinrm(host) as protocol:
        shell = protocol.open_shell()
        assert protocol.get_command_output(shell, protocol.run_command(shell, "whoami"))[2] == 1
        protocol.close_shell(shell)
    end_for_ssh, other_end = os.pipe()
    try:
        done = subprocess.run([*ssh_to(host), "whoami"], stdin=end_for_ssh, capture_output=True, check=False, timeout=CLIENTS_PATIENCE)
    finally:
        os.close(end_for_ssh)
        os.close(other_end)
    assert done.returncode == 1
    assert host.calls == 0


@pytest.mark.parametrize(("shell", "other"), [("powershell", "cmd"), ("cmd", "powershell")])
def test_what_ansible_puts_before_a_line_for_ssh_is_for_one_shell(
    host: RemoteHost, shell: t.Literal["powershell", "cmd"], other: t.Literal["powershell", "cmd"]
) -> None:
    prefixes = {"powershell": "chcp.com 65001 > $null ; ", "cmd": "chcp.com 65001 >nul 2>&1 && "}
    right, wrong = prefixes[shell], prefixes[other]
    host.default_shell = shell
    assert over_ssh(host, right + command_line()) == (0, b"an answer", b"")
    assert over_ssh(host, wrong + command_line())[0] == 1
    assert host.calls == 1


OTHER_SCRIPTS = {
    "the line": command_line(),
    "the line in lower case": command_line().replace("PowerShell", "powershell"),
    "encoded twice": TWICE,
    "more script": runner_call.bootstrap() + "\nGet-Date",
    "another script": "Get-Date",
}


@script_ways
def test_psrp_runs_the_bootstrap_as_it_is_and_no_other_script(host: RemoteHost, way: str) -> None:
    for name, script in OTHER_SCRIPTS.items():
        code, stdout, stderr = SCRIPTS[way](host, script)
        assert (code, stdout) == (1, b""), name
        assert stderr.startswith(f"The term '{script.partition(' ')[0]}' is not recognized".encode()), name
    assert host.calls == 0


LARGEST = 512_000 + 8_192


@pytest.mark.parametrize("ntlm", [False, True])
def test_an_envelope_over_the_limit_is_413(host: RemoteHost, ntlm: bool) -> None:
    with pywinrm(host, ntlm=ntlm) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, command_line())
        protocol.send_command_input(shell, command, b"x" * 380_000)
        with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
            protocol.send_command_input(shell, command, b"x" * 450_000, end=True)
    assert caught.value.code == 413
    assert host.calls == 0


def test_the_limit_is_met_to_the_byte(host: RemoteHost) -> None:
    with by_hand(host) as connection:
        assert connection.ask(CREATE.ljust(LARGEST)).status == 200
        assert connection.ask(CREATE.ljust(LARGEST + 1)).status == 413
        assert connection.ask(CREATE.ljust(10 * LARGEST)).status == 413
    assert len(host.shells) == 1


# --- who may talk


@pytest.mark.parametrize("ntlm", [False, True])
@pytest.mark.parametrize("logon", [{"password": "wrong"}, {"user": "nobody"}, {"user": "nobody", "password": "wrong"}], ids=str)
def test_who_is_not_known_gets_no_shell(host: RemoteHost, ntlm: bool, logon: dict[str, str]) -> None:
    with pywinrm(host, ntlm=ntlm, **logon) as protocol, pytest.raises(winrm.exceptions.InvalidCredentialsError):
        protocol.open_shell()
    with pypsrp_wsman(host, ntlm=ntlm, **logon) as wsman, pytest.raises(pypsrp.exceptions.AuthenticationError):
        RunspacePool(wsman).open()
    assert {request.status for request in host.requests} == {401}
    assert not host.shells


def ssh_connection(host: RemoteHost, **logon: t.Any) -> t.AsyncContextManager[asyncssh.SSHClientConnection]:
    return asyncssh.connect("127.0.0.1", host.ports["ssh"], known_hosts=None, config=None, agent_path=None, **logon)


def ssh_logon(host: RemoteHost, **logon: t.Any) -> None:
    async def connected() -> None:
        async with ssh_connection(host, **logon):
            pass

    asyncio.run(connected())


def test_ssh_lets_in_by_the_key_or_the_password(host: RemoteHost) -> None:
    key = host.network.user_key
    ssh_logon(host, username=USER, client_keys=[key])
    ssh_logon(host, username=USER, client_keys=None, password=PASSWORD)
    for logon in (
        {"username": USER, "client_keys": [asyncssh.generate_private_key("ssh-ed25519")]},
        {"username": USER, "client_keys": None, "password": "wrong"},
        {"username": USER, "client_keys": None},
        {"username": "nobody", "client_keys": [key]},
        {"username": "nobody", "client_keys": None, "password": PASSWORD},
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            ssh_logon(host, **logon)
    assert not host.requests


def offered(reply: Reply) -> set[str]:
    return {value.partition(" ")[0] for value in reply.headers.get_all("WWW-Authenticate", [])}


AUTHORIZATIONS = {
    "none": "",
    "no scheme that is offered": "Bearer b3BlcmF0b3I=",
    "no base64": "Basic %%%",
    "a token of nobody": "Negotiate AAAA",
    "a token of nobody, for NTLM": "NTLM AAAA",
    "half a token": "NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0").decode(),
    "an answer without a question": "NTLM " + base64.b64encode(b"NTLMSSP\0\3\0\0\0".ljust(88, b"\0")).decode(),
    "letters that are not ASCII": "Basic \xe9",
}


@pytest.mark.parametrize("authorization", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_without_a_logon_there_is_only_401(host: RemoteHost, authorization: str) -> None:
    for door, schemes in (("http", {"Negotiate", "NTLM"}), ("https", {"Negotiate", "NTLM", "Basic"})):
        with by_hand(host, t.cast("t.Any", door)) as connection:
            reply = connection.ask(CREATE, Authorization=authorization)
            assert (reply.status, reply.body, offered(reply)) == (401, b"", schemes)
            assert connection.ask(CREATE, Authorization=authorization).status == 401
    assert not host.shells


def test_basic_is_not_offered_over_http(host: RemoteHost) -> None:
    with by_hand(host, "http") as connection:
        assert connection.ask(CREATE).status == 401
    assert not host.shells


def test_ntlm_over_http_wants_encrypted_messages(host: RemoteHost) -> None:
    with (
        pywinrm(host, ntlm=True, message_encryption="never") as protocol,
        pytest.raises(winrm.exceptions.WinRMTransportError) as caught,
    ):
        protocol.open_shell()
    assert caught.value.code == 400
    assert not host.shells


def test_ntlm_over_https_does_not(host: RemoteHost) -> None:
    with pywinrm(host, transport="ntlm") as protocol:
        protocol.close_shell(protocol.open_shell(), close_session=False)
    with pywinrm(host, transport="ntlm", message_encryption="always") as protocol:
        protocol.close_shell(protocol.open_shell(), close_session=False)
    assert host.verbs().count("Delete") == 2
    assert {request.door for request in host.requests} == {"https"}


def test_a_body_that_another_connection_sealed_is_400(host: RemoteHost) -> None:
    with pywinrm(host, ntlm=True) as one, pywinrm(host, ntlm=True) as other:
        shell, _not_used = one.open_shell(), other.open_shell()
        t.cast("t.Any", one.transport.encryption).session = other.transport.session
        with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
            one.close_shell(shell, close_session=False)
        assert caught.value.code == 400
        assert shell in host.shells


def test_the_keys_end_with_their_connection(host: RemoteHost) -> None:
    with pywinrm(host, ntlm=True) as protocol:
        shell = protocol.open_shell()
        host.network.restart(host)
        with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
            protocol.close_shell(shell)
        assert caught.value.code == 400


def test_a_sealed_body_that_is_none_is_400(host: RemoteHost) -> None:
    with pywinrm(host, ntlm=True) as protocol:
        protocol.open_shell()
        session, encryption = protocol.transport.session, protocol.transport.encryption
        assert session is not None
        assert encryption is not None
        sealed = encryption.prepare_encrypted_request(session, protocol.transport.endpoint, CREATE.encode())
        whole = t.cast("bytes", sealed.body)
        at = whole.index(b"octet-stream\r\n") + len(b"octet-stream\r\n")
        for body in (b"hello", whole[:at], whole[:at] + b"--Encrypted Boundary--\r\n", whole[: at + 8] + b"--Encrypted Boundary--\r\n"):
            reply = session.post(protocol.transport.endpoint, body, headers=t.cast("t.Any", sealed.headers), timeout=CLIENTS_PATIENCE)
            assert (reply.status_code, reply.content) == (400, b"")
    assert len(host.shells) == 1


def test_a_sealed_body_without_keys_is_400(host: RemoteHost) -> None:
    with by_hand(host) as connection:
        body = "Length=4\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\nseal--Encrypted Boundary--\r\n"
        assert connection.ask(body, Content_Type="multipart/encrypted").status == 400
    assert not host.shells


# --- what is no request


NO_MESSAGES = {
    "no XML": "Hello.",
    "half of one": CREATE[:-20],
    "another document": "<html/>",
    "no body": CREATE.replace("s:Body", "s:Butt"),
    "no number": CREATE.replace("153600", "many"),
    "not UTF-8": b"\xff\xfe\xff",
}


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_is_no_message_is_400(host: RemoteHost, body: str | bytes) -> None:
    with by_hand(host) as connection:
        reply = connection.ask(body)
        assert (reply.status, reply.body) == (400, b"")
        assert connection.ask(CREATE).status == 200


def test_another_path_is_404(host: RemoteHost) -> None:
    with by_hand(host) as connection:
        assert connection.ask(CREATE, "/").status == 404
        assert connection.ask(CREATE.ljust(LARGEST), "/powershell").status == 404
        assert connection.ask(CREATE).status == 200
    assert len(host.shells) == 1


FAULTS = {
    "unknown action": (request("Enumerate"), 2150858753),
    "unknown action on a shell": (request("Disconnect", shell_id="THE-SHELL"), 2150858753),
    "no shell": (request("Command", command("whoami")), 2150858843),
    "unknown shell": (request("Command", command("whoami"), shell_id="STRANGER"), 2150858843),
    "unknown command to send to": (Running("THE-SHELL", "STRANGER").send(b""), 2150858843),
    "unknown command to receive from": (Running("THE-SHELL", "STRANGER").receive(), 2150858843),
    "no command to receive from": (Running("THE-SHELL", "").receive(), 2150858843),
    "unknown shell to delete": (Running("STRANGER", "").delete(), 2150858843),
    "no command line": (request("Command", shell_id="THE-SHELL"), 2150858817),
    "no stream": (request("Receive", "<rsp:Receive/>", shell_id="THE-SHELL"), 2150858817),
    "nothing to signal to": (request("Signal", shell_id="THE-SHELL"), 2150858817),
}


@pytest.mark.parametrize(("message", "number"), FAULTS.values(), ids=FAULTS)
def test_faults(host: RemoteHost, message: str, number: int) -> None:
    with by_hand(host) as connection:
        reply = connection.ask(message.replace("THE-SHELL", opened(connection)))
        assert (reply.status, reply.fault) == (500, number)
        assert reply.text("a:RelatesTo") == "uuid:1"


def test_input_that_is_no_base64(host: RemoteHost) -> None:
    with by_hand(host) as connection:
        running = started(connection)
        reply = connection.ask(running.send(b"abc").replace("YWJj", "Y"))
    assert (reply.status, reply.fault) == (500, 2150858817)
    assert host.calls == 0


def test_a_runspace_pool_that_is_none(host: RemoteHost) -> None:
    with by_hand(host) as connection:
        reply = connection.ask(CREATE.replace(f"{envelope.NAMESPACES['rsp']}/cmd", envelope.POWERSHELL + "Microsoft.PowerShell"))
    assert (reply.status, reply.fault) == (500, 2150858817)
    assert not host.shells


def test_the_libraries_read_the_faults(host: RemoteHost) -> None:
    with pywinrm(host) as protocol:
        shell = protocol.open_shell()
        for ask in (
            lambda: protocol.run_command("A-SHELL", "whoami"),
            lambda: protocol.get_command_output(shell, "A-COMMAND"),
            lambda: protocol.close_shell("A-SHELL"),
        ):
            with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
                ask()
            assert (caught.value.code, caught.value.wsman_fault_code) == (500, 2150858843)
    with pypsrp_wsman(host) as wsman, pytest.raises(pypsrp.exceptions.WSManFaultError) as found:
        wsman.get_server_config()
    assert found.value.code == 2150858753


# --- replies


def everything(connection: ByHand, running: Running, max_envelope: int) -> list[Reply]:
    replies = [connection.ask(running.receive(max_envelope=max_envelope))]
    while not replies[-1].is_last():
        replies.append(connection.ask(running.receive(max_envelope=max_envelope)))
    return replies


@pytest.mark.parametrize("max_envelope", [8_192, 153_600, 512_000])
@pytest.mark.parametrize("size", [0, 1, 8_192, 600_000])
def test_replies_are_cut_and_come_whole(host: RemoteHost, machine: Machine, max_envelope: int, size: int) -> None:
    machine.result = 7, os.urandom(size), b"complained"
    with by_hand(host) as connection:
        running = started(connection)
        connection.ask(running.send(b"{}"))
        replies = everything(connection, running, max_envelope)
    assert {reply.status for reply in replies} == {200}
    assert max(len(reply.body) for reply in replies) <= max_envelope
    assert len(replies) <= 1 + size // ((max_envelope - 2_048) * 3 // 4)
    assert b"".join(reply.streams() for reply in replies) == machine.result[1] + machine.result[2]
    assert b"<rsp:ExitCode>7</rsp:ExitCode>" in replies[-1].body


@pytest.mark.parametrize("ntlm", [False, True])
def test_replies_of_a_runspace_are_cut_and_come_whole(host: RemoteHost, machine: Machine, ntlm: bool) -> None:
    machine.result = 0, b"0123456789" * 60_000, b""
    assert over_psrp(host, runner_call.bootstrap(), ntlm=ntlm, max_envelope_size=153_600) == machine.result
    assert sum(request.verb == "Receive" for request in host.requests) > 2
    assert max(request.sent for request in host.requests) <= 512_000  # pypsrp raises the limit once it knows the host


# --- waiting


def test_a_command_that_waits_for_input_has_nothing_to_say(host: RemoteHost) -> None:
    host.patience = 0.01
    with pywinrm(host) as protocol:
        shell = protocol.open_shell()
        running = protocol.run_command(shell, command_line())
        protocol.send_command_input(shell, running, b"{")
        with pytest.raises(winrm.exceptions.WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, running)
        protocol.send_command_input(shell, running, b"}", end=True)
        assert protocol.get_command_output_raw(shell, running) == (b"an answer", b"", 0, True)
        protocol.close_shell(shell)


@pytest.mark.parametrize(("timeout", "patience"), [("PT0.01S", FOR_EVER), ("PT1H", 0.01)])
def test_a_receive_waits_as_long_as_the_client_says_and_the_host_lets_it(host: RemoteHost, timeout: str, patience: float) -> None:
    host.patience = patience
    with by_hand(host) as connection:
        reply = connection.ask(started(connection).receive(timeout=timeout))
    assert (reply.status, reply.fault) == (500, 2150858793)


@contextlib.contextmanager
def waiting(host: RemoteHost, running: Running) -> Iterator[ByHand]:
    """A connection whose Receive has reached the host and is not answered yet."""
    with by_hand(host) as connection, by_hand(host) as other:
        connection.post(running.receive(timeout="PT1H"))
        other.ask(CREATE)  # the host reads its connections in turn: with this answered, it has read the other
        yield connection


def test_the_newest_receive_gets_the_output(host: RemoteHost) -> None:
    host.patience = FOR_EVER
    with by_hand(host) as connection:
        running = started(connection)
        with waiting(host, running) as first, waiting(host, running) as second:
            assert first.reply().fault == 2150858793
            with waiting(host, running) as third:
                assert second.reply().fault == 2150858793
                connection.ask(running.send(b"{}"))
                assert third.reply().streams() == b"an answer"


def test_a_receive_that_waits_gets_the_output_at_once(host: RemoteHost) -> None:
    host.patience = FOR_EVER
    with by_hand(host) as connection:
        running = started(connection)
        with waiting(host, running) as receiver:
            connection.ask(running.send(b"{}"))
            reply = receiver.reply()
    assert (reply.streams(), reply.is_last()) == (b"an answer", True)


@pytest.mark.parametrize("verb", ["delete", "signal"])
def test_the_end_of_a_shell_or_command_aborts_a_receive(host: RemoteHost, verb: str) -> None:
    host.patience = FOR_EVER
    with by_hand(host) as connection:
        running = started(connection)
        with waiting(host, running) as receiver:
            assert connection.ask(getattr(running, verb)()).status == 200
            reply = receiver.reply()
    assert (reply.status, reply.fault) == (500, 995)
    assert host.calls == 0


def test_the_end_of_a_runspace_pool_aborts_a_receive(host: RemoteHost) -> None:
    host.patience = FOR_EVER
    with pypsrp_wsman(host) as wsman, by_hand(host) as connection:
        pool = RunspacePool(wsman)
        pool.open()
        shell = next(iter(host.shells))
        connection.post(request("Receive", "<rsp:Receive><rsp:DesiredStream>stdout</rsp:DesiredStream></rsp:Receive>", shell_id=shell))
        pool.close()
        assert connection.reply().fault in (995, 2150858843)


# --- several hosts, and restarts


@ways
def test_two_hosts_on_one_network_do_not_mix(network: Network, way: str) -> None:
    machines = [Machine(b"the first"), Machine(b"the second")]
    hosts = [network.host(machine) for machine in machines]
    assert len({port for host in hosts for port in host.ports.values()}) == 6
    for number, (host, machine) in enumerate(zip(hosts, machines, strict=True)):
        assert call(host, way, f"for {number}".encode())[1] == machine.result[1]
    assert [machine.sent for machine in machines] == [[b"for 0"], [b"for 1"]]
    assert [host.calls for host in hosts] == [1, 1]
    assert hosts[0].verbs() == hosts[1].verbs()


def test_a_shell_is_known_on_its_own_host_only(network: Network) -> None:
    one, other = (network.host(Machine()) for _number in range(2))
    one.plan(Status(503))
    with by_hand(one) as connection, by_hand(other) as stranger:
        running = started(stranger)
        assert connection.ask(CREATE).status == 503
        assert connection.ask(running.send(b"{}")).fault == 2150858843
        assert stranger.ask(running.send(b"{}")).status == 200
    assert (one.calls, other.calls) == (0, 1)


@ways
def test_a_restart_keeps_the_ports_and_nothing_else(network: Network, host: RemoteHost, way: str) -> None:
    ports = dict(host.ports)
    host.patience = FOR_EVER
    with by_hand(host) as connection:
        running = started(connection)
        with waiting(host, running) as receiver:
            network.restart(host)
            with pytest.raises(HUNG_UP):
                receiver.reply()
        with pytest.raises(HUNG_UP):
            connection.ask(running.send(b"{}"))
    assert not host.shells
    assert host.ports == ports
    with by_hand(host) as connection:
        assert connection.ask(running.send(b"{}")).fault == 2150858843
    assert call(host, way) == (0, b"an answer", b"")
    assert host.calls == 1


def test_a_restart_ends_sessions_of_ssh(network: Network, host: RemoteHost) -> None:
    async def cut() -> None:
        async with ssh_connection(host, username=USER, client_keys=[network.user_key]) as connection:
            process = await connection.create_process(command_line())
            network.restart(host)
            await process.wait_closed()
            assert process.exit_status is None
            with pytest.raises(asyncssh.Error):
                await connection.create_process(command_line())

    asyncio.run(cut())
    assert host.calls == 0
    assert call(host, clients.SSH) == (0, b"an answer", b"")


@pytest.mark.parametrize("before", [None, "elsewhere"])
def test_a_network_leaves_nothing(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before is None:
        monkeypatch.delenv("NTLM_USER_FILE", raising=False)
    else:
        monkeypatch.setenv("NTLM_USER_FILE", before)
    threads = set(threading.enumerate())
    with contextlib.ExitStack() as clients_of_it:
        with Network() as network:
            host = network.host(Machine())
            for way in clients.WAYS:
                assert call(host, way) == (0, b"an answer", b"")
            # and some that are still there at the end: before the handshake, before a request, before an answer
            silent = [clients_of_it.enter_context(socket.create_connection(("127.0.0.1", port))) for port in host.ports.values()]
            connection = clients_of_it.enter_context(by_hand(host))
            clients_of_it.enter_context(waiting(host, started(connection)))
            network.run(asyncio.to_thread(int))  # asyncssh may have its loop start a thread, too
            assert os.environ["NTLM_USER_FILE"].startswith(str(network.folder))
        assert set(threading.enumerate()) == threads
        assert os.environ.get("NTLM_USER_FILE") == before
        assert not network.folder.exists()
        assert not network.hosts
        assert not host.errors
        assert not asyncio.all_tasks(network._loop)
        for client in silent:
            client.settimeout(CLIENTS_PATIENCE)
            while client.recv(4_096):  # SSH greets
                pass
        for port in host.ports.values():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))


# --- mistakes of a test's own


@ways
def test_a_machine_that_fails_is_no_silent_host(network: Network, way: str) -> None:
    host = network.host(Broken())
    code, stdout, stderr = call(host, way)
    assert (code, stdout) == (70, b"")
    assert b"the test host failed: ZeroDivisionError('on purpose')" in stderr
    [error] = host.errors
    assert error.startswith("Traceback")
    assert "on purpose" in error
    host.errors.clear()


@ways
def test_a_host_that_fails_says_so(host: RemoteHost, way: str) -> None:
    def spoil(_result: Result) -> Result:
        raise ZeroDivisionError("on purpose")

    host.spoil = spoil
    if way == clients.SSH:
        assert call(host, way)[0] == 255
    else:
        # the second one is the close of psrp's pool, over a connection that has no keys yet
        with pytest.raises((requests.ConnectionError, pypsrp.exceptions.WinRMTransportError)):
            call(host, way)
    [error] = host.errors
    assert "on purpose" in error
    host.errors.clear()


@ways
def test_what_a_runner_call_says_can_be_spoiled(host: RemoteHost, way: str) -> None:
    host.spoil = lambda result: (result[0] + 5, result[1].upper(), b"noise")
    code, stdout, stderr = call(host, way)
    assert (code, stdout, stderr.strip()) == (5, b"AN ANSWER", b"noise")


# --- what is planned to go wrong


def test_plans_are_for_the_nth_request_of_a_verb_and_some_after_it() -> None:
    plans = Plans()
    plans.add(Drop(), "Send", nth=2, times=2)
    plans.add(Html(), nth=6)
    asked = ["Send", "Receive", "Send", "Send", "Send", "Create", "Create"]
    assert [plans.due(verb) for verb in asked] == [None, None, Drop(), Drop(), None, Html(), None]
    plans.add(Drop())
    plans.clear()
    assert plans.due("Send") is None


@pytest.mark.parametrize(
    ("effect", "error", "shells"),
    [
        (Drop(), http.client.RemoteDisconnected, 0),
        (Drop(done=True), http.client.RemoteDisconnected, 1),
        (Drop(reset=True), ConnectionError, 0),
        (Drop(reset=True, done=True), ConnectionError, 1),
        (HalfReply(), http.client.IncompleteRead, 1),
    ],
    ids=str,
)
def test_the_connection_ends_instead_of_an_answer(host: RemoteHost, effect: Effect, error: type[Exception], shells: int) -> None:
    host.plan(effect, "Create")
    with by_hand(host) as connection, pytest.raises(error):
        connection.ask(CREATE)
    assert len(host.shells) == shells
    with by_hand(host) as connection:
        assert connection.ask(CREATE).status == 200


def test_a_connection_that_is_not_reset_ends_in_good_order(host: RemoteHost) -> None:
    host.plan(Drop())
    trust = ssl.create_default_context(cafile=str(host.network.folder / "ca.pem"))
    address = "127.0.0.1", host.ports["https"]
    with trust.wrap_socket(
        socket.create_connection(address, CLIENTS_PATIENCE), server_hostname=address[0], suppress_ragged_eofs=False
    ) as connection:
        logon = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        head = f"POST /wsman HTTP/1.1\r\nHost: hv\r\nAuthorization: Basic {logon}\r\nContent-Length: {len(CREATE)}\r\n\r\n"
        connection.sendall((head + CREATE).encode())
        assert connection.recv(4_096) == b""


def test_a_reset_is_one(host: RemoteHost) -> None:
    host.plan(Drop(reset=True))
    with by_hand(host) as connection:
        connection.post(CREATE)
        tls = t.cast("ssl.SSLSocket", connection._connection.sock)
        with socket.socket(fileno=os.dup(tls.fileno())) as below:
            below.settimeout(CLIENTS_PATIENCE)
            with pytest.raises(ConnectionResetError):
                list(iter(functools.partial(below.recv, 4_096), b""))


@pytest.mark.parametrize("effect", [Drop(), Drop(done=True), Drop(reset=True), HalfReply()], ids=str)
def test_the_connection_ends_instead_of_a_sealed_answer(host: RemoteHost, effect: Effect) -> None:
    host.plan(effect, "Create")
    with pywinrm(host, ntlm=True) as protocol:
        with pytest.raises(requests.RequestException) as caught:
            protocol.open_shell()
        assert isinstance(caught.value, requests.exceptions.ChunkedEncodingError if effect == HalfReply() else requests.ConnectionError)
    assert len(host.shells) == effect.done


def test_half_a_reply_is_half_of_the_right_one(host: RemoteHost) -> None:
    host.plan(HalfReply(), "Create")
    with by_hand(host) as connection, pytest.raises(http.client.IncompleteRead) as caught:
        connection.ask(CREATE)
    [shell] = host.shells
    assert caught.value.expected in (len(caught.value.partial), len(caught.value.partial) + 1)
    assert caught.value.partial.startswith(b"<s:Envelope")
    assert shell.encode() not in caught.value.partial[:100]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(
    ("effect", "status", "fault"),
    [(Status(401), 401, 0), (Status(503), 503, 0), (Refusal(170), 500, 170), (Refusal(2150859174), 500, 2150859174)],
    ids=str,
)
def test_another_answer(host: RemoteHost, effect: Effect, status: int, fault: int, done: bool) -> None:
    host.plan(dataclasses.replace(effect, done=done), "Create")
    with by_hand(host) as connection:
        reply = connection.ask(CREATE)
        assert (reply.status, reply.fault, bool(reply.body)) == (status, fault, bool(fault))
        assert len(host.shells) == done
        assert connection.ask(CREATE).status == 200


def test_too_many_operations_is_told_as_ansible_looks_for_it(host: RemoteHost) -> None:
    host.plan(Refusal(envelope.TOO_MANY_OPERATIONS))
    with pywinrm(host) as protocol, pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.open_shell()
    assert caught.value.wmierror_code == 0x803381A6


@pytest.mark.parametrize("ntlm", [False, True])
def test_a_page_of_a_proxy_is_clear_and_html(host: RemoteHost, ntlm: bool) -> None:
    seen: list[requests.Response] = []
    host.plan(Html(), "Create")
    with pywinrm(host, ntlm=ntlm) as protocol:
        session = protocol.transport.build_session()
        session.hooks["response"].append(lambda response, **_more: seen.append(response))
        with pytest.raises(StopIteration):  # pywinrm looks for a shell in the page
            protocol.open_shell()
    assert (seen[-1].status_code, seen[-1].headers["Content-Type"]) == (200, "text/html")
    assert b"A proxy says hello." in seen[-1].content
    assert not host.shells


@pytest.mark.parametrize("way", [way for way in clients.WAYS if way != clients.SSH])
def test_a_slow_answer_is_the_same_answer(host: RemoteHost, way: str) -> None:
    host.plan(SlowReply(), times=99)
    assert call(host, way) == (0, b"an answer", b"")
    assert not host.shells


def test_a_slow_answer_comes_byte_by_byte(host: RemoteHost) -> None:
    host.plan(SlowReply(), "Create")
    with by_hand(host) as connection:
        connection.post(CREATE)
        sock = t.cast("ssl.SSLSocket", connection._connection.sock)
        assert [len(sock.recv(4_096)) for _time in range(20)] == [1] * 20  # each is a record of its own in TLS


def test_after_an_idle_answer_the_connection_is_over(host: RemoteHost, machine: Machine) -> None:
    host.plan(Idle(), "Receive")
    machine.result = 0, b"x" * 370_000, b""
    with by_hand(host) as connection:
        running = started(connection)
        connection.ask(running.send(b"{}"))
        reply = connection.ask(running.receive(max_envelope=512_000))
        assert (reply.streams(), reply.is_last()) == (machine.result[1], True)
        with pytest.raises(HUNG_UP):
            connection.ask(CREATE)
    assert list(host.shells) == [running.shell]


def test_a_restart_in_between_leaves_no_shell(host: RemoteHost) -> None:
    host.plan(Restart(), "Send")
    with by_hand(host) as connection:
        assert connection.ask(started(connection).send(b"{}")).fault == 2150858843
        assert not host.shells
        assert connection.ask(CREATE).status == 200
    assert host.calls == 0


@pytest.mark.parametrize("ntlm", [False, True])
def test_lost_input_is_the_first_half_and_an_end(host: RemoteHost, machine: Machine, ntlm: bool) -> None:
    host.plan(LostInput(status=502), "Send", nth=2)
    with pywinrm(host, ntlm=ntlm) as protocol:
        shell = protocol.open_shell()
        running = protocol.run_command(shell, command_line())
        protocol.send_command_input(shell, running, b"0123")
        with pytest.raises(winrm.exceptions.WinRMTransportError) as caught:
            protocol.send_command_input(shell, running, b"456789", end=True)
        assert caught.value.code == 502
        assert machine.sent == [b"0123456"]
        assert protocol.get_command_output(shell, running) == (b"an answer", b"", 0)
        protocol.close_shell(shell)


@pytest.mark.parametrize(("effect", "calls", "stdout"), [(Drop(), 0, b""), (Drop(done=True), 1, b""), (HalfReply(), 1, b"an a")], ids=str)
def test_ssh_drops_the_connection(host: RemoteHost, effect: Effect, calls: int, stdout: bytes) -> None:
    host.plan(effect)
    code, received, _stderr = over_ssh(host, command_line())
    assert (code, received) == (255, stdout)
    assert host.calls == calls
    assert call(host, clients.SSH) == (0, b"an answer", b"")
    assert host.verbs() == ["Exec", "Exec"]
    assert host.calls == calls + 1


@pytest.mark.parametrize("effect", [Status(500), Refusal(170), Html(), SlowReply(), Idle(), Restart(), LostInput()], ids=str)
def test_what_ssh_does_not_have_cannot_be_planned_for_it(host: RemoteHost, effect: Effect) -> None:
    host.plan(effect)
    assert over_ssh(host, command_line())[0] == 255
    [error] = host.errors
    assert "over SSH" in error
    assert host.calls == 0
    host.errors.clear()
