"""WinRS: a shell of cmd.exe and its commands. A command runs when its input has ended, and is done at once."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import typing as t
import uuid
from xml.sax.saxutils import escape

from . import runner_call
from .envelope import ABORTED, NAMESPACES, NO_SHELL, TIMED_OUT, WsmanFault, base64_text, from_base64

if t.TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Callable

    from .effects import Result
    from .envelope import Message

    Execute = Callable[[bytes], Result]

_STATE = NAMESPACES["rsp"] + "/CommandState/"


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What one Receive carries away; the exit code comes with the last of it."""

    chunks: list[tuple[str, bytes]]
    exit_code: int | None


class Output:
    """What a command has to say, until a Receive fetches it. With `whole`, chunks are PSRP fragments and never cut."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._chunks: collections.deque[tuple[str, bytes]] = collections.deque()
        self._exit_code: int | None = None
        self._aborted = False
        self._turn = 0
        self._news = asyncio.Event()

    def put(self, stream: str, data: bytes) -> None:
        """Let it be fetched."""
        if data:
            self._chunks.append((stream, data))
            self._news.set()

    def finish(self, exit_code: int) -> None:
        """There is no more."""
        self._exit_code = exit_code
        self._news.set()

    def abort(self) -> None:
        """The shell is gone, and whoever waits is told so."""
        self._aborted = True
        self._news.set()

    async def take(self, seconds: float, room: int) -> Taken:
        """Wait for something to fetch; the fault "timed out" says that there was nothing, and the client asks again."""
        self._turn += 1
        turn = self._turn
        self._news.set()  # pypsrp gives up on a silent Receive and sends another: the newest one gets the output
        try:
            async with asyncio.timeout(seconds):
                while not (self._chunks or self._aborted or self._exit_code is not None):
                    self._news.clear()
                    await self._news.wait()
                    if turn != self._turn:
                        raise WsmanFault(TIMED_OUT)
        except TimeoutError:
            raise WsmanFault(TIMED_OUT) from None
        if self._aborted:
            raise WsmanFault(ABORTED)
        chunks = self._fetch(room)
        return Taken(chunks, None if self._chunks else self._exit_code)

    def _fetch(self, room: int) -> list[tuple[str, bytes]]:
        fetched: list[tuple[str, bytes]] = []
        while self._chunks and room > 0:
            stream, data = self._chunks.popleft()
            if self._whole and fetched and len(data) > room:
                self._chunks.appendleft((stream, data))
                break
            head = data if self._whole else data[:room]
            if len(head) < len(data):
                self._chunks.appendleft((stream, data[len(head) :]))
            fetched.append((stream, head))
            room -= len(head)
        return fetched


class Command:
    """One command of a shell, or one pipeline of a runspace pool."""

    def __init__(self, *, whole: bool = False) -> None:
        self.output = Output(whole=whole)


class Process(Command):
    """A command line that cmd.exe was given. Only the runner reads its input; anything else is refused at once."""

    def __init__(self, line: str, execute: Execute) -> None:
        super().__init__()
        self._execute = execute
        self._input = bytearray()
        self._started = False
        refused = runner_call.refusal(line)
        if refused:
            self._end(refused)

    def send(self, data: bytes, *, last: bool) -> None:
        """Take some of its standard input."""
        self._input += data
        if last and not self._started:
            self._end(self._execute(bytes(self._input)))

    def _end(self, result: Result) -> None:
        self._started = True
        code, stdout, stderr = result
        self.output.put("stdout", stdout)
        self.output.put("stderr", stderr)
        self.output.finish(code)


class Shell:
    """A shell of cmd.exe."""

    def __init__(self, message: Message, execute: Execute) -> None:
        self.id = str(uuid.uuid4()).upper()
        self._resource = message.resource
        self._execute = execute
        self._commands: dict[str, Command] = {}

    def created(self) -> str:
        """The answer to Create."""
        resource = escape(self._resource)
        return (
            "<x:ResourceCreated><a:Address>http://remote-host/wsman</a:Address><a:ReferenceParameters>"
            f'<w:ResourceURI>{resource}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{self.id}</w:Selector></w:SelectorSet>'
            f"</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{self.id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{resource}</rsp:ResourceUri><rsp:InputStreams>stdin</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def command(self, message: Message) -> str:
        """The answer to Command."""
        line = message.need("rsp:CommandLine")
        command_id = (line.get("CommandId") or str(uuid.uuid4())).upper()
        words = [node.text or "" for path in ("rsp:Command", "rsp:Arguments") for node in line.findall(path, NAMESPACES)]
        self.start(message, command_id, words)
        return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"

    def start(self, message: Message, command_id: str, words: list[str]) -> None:
        """Begin a command."""
        self._commands[command_id] = Process(" ".join(words), self._execute)

    def send(self, message: Message) -> str:
        """The answer to Send."""
        for node in message.all("rsp:Send/rsp:Stream"):
            last = (node.get("End") or "").lower() in ("true", "1")
            self._process(node).send(from_base64(node.text), last=last)
        return "<rsp:SendResponse/>"

    def lose_input(self, message: Message) -> None:
        """Take half of what a Send brings, as the last of it."""
        for node in message.all("rsp:Send/rsp:Stream"):
            data = from_base64(node.text)
            self._process(node).send(data[: len(data) // 2], last=True)

    def _process(self, stream: ET.Element) -> Process:
        return t.cast("Process", self.find(stream.get("CommandId")))

    async def receive(self, message: Message, longest: float) -> str:
        """The answer to Receive, once there is one."""
        command_id = message.need("rsp:Receive/rsp:DesiredStream").get("CommandId")
        taken = await self.output(command_id).take(min(message.operation_timeout, longest), message.room)
        return _received(command_id, taken)

    def output(self, command_id: str | None) -> Output:
        """What a Receive fetches from."""
        return self.find(command_id).output

    def signal(self, message: Message) -> str:
        """The answer to Signal: the client wants no more of a command."""
        command = self._commands.pop(message.need("rsp:Signal").get("CommandId") or "", None)
        if command is not None:
            command.output.abort()
        return "<rsp:SignalResponse/>"

    def delete(self) -> None:
        """The shell ends, with all that still waits for it."""
        for command in self._commands.values():
            command.output.abort()

    def find(self, command_id: str | None) -> Command:
        """One of its commands."""
        command = self._commands.get(command_id or "")
        if command is None:
            raise WsmanFault(NO_SHELL)
        return command


def _received(command_id: str | None, taken: Taken) -> str:
    of = f' CommandId="{command_id}"' if command_id else ""
    streams = "".join(f'<rsp:Stream Name="{name}"{of}>{base64_text(data)}</rsp:Stream>' for name, data in taken.chunks)
    if command_id is None:
        state = ""
    elif taken.exit_code is None:
        state = f'<rsp:CommandState{of} State="{_STATE}Running"/>'
    else:
        ends = "".join(f'<rsp:Stream Name="{name}"{of} End="true"/>' for name in ("stdout", "stderr"))
        done = f'<rsp:CommandState{of} State="{_STATE}Done"><rsp:ExitCode>{taken.exit_code}</rsp:ExitCode></rsp:CommandState>'
        state = ends + done
    return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"
