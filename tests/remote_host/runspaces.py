"""PSRP: PowerShell remoting inside a WS-Management shell. psrpcore reads and writes it; here its messages meet Sends and Receives."""

from __future__ import annotations

import typing as t
import uuid

import psrpcore
from psrpcore.types import HostMethodIdentifier

from . import runner_call
from .envelope import POWERSHELL, from_base64
from .shells import Command, Output, Shell

if t.TYPE_CHECKING:
    from .effects import Result
    from .envelope import Message
    from .shells import Execute


class Pipeline(Command):
    """One script. Its input comes line by line, as objects."""

    def __init__(self, pool: psrpcore.ServerRunspacePool, command_id: str, execute: Execute) -> None:
        super().__init__(whole=True)
        self._core = psrpcore.ServerPipeline(pool, uuid.UUID(command_id))
        self._execute = execute
        self._script = ""
        self.lines: list[str] = []

    def begin(self, script: str, *, has_input: bool) -> None:
        """Take the script; without input it runs at once."""
        self._script = script
        if not has_input:
            self.end()

    def end(self) -> None:
        """All input is there: run, and write what Windows would."""
        code, stdout, stderr = self._result()
        self._core.start()
        text = stdout.decode("utf-8", "replace").removesuffix("\r\n")
        if text:
            self._core.write_output(text)
        for line in stderr.decode("utf-8", "replace").splitlines():
            self._core.host_call(HostMethodIdentifier.WriteErrorLine, [line])
        if code:
            self._core.host_call(HostMethodIdentifier.SetShouldExit, [code])
        self._core.complete()

    def _result(self) -> Result:
        if runner_call.is_bootstrap(self._script):
            return self._execute("\n".join(self.lines).encode())
        # psrp of ansible-core before 2.21 makes a script of a line that it does not know: PowerShell would start another one
        # whose input nobody writes
        word = self._script.partition(" ")[0]
        return (
            1,
            b"",
            f"The term '{word}' is not recognized as the name of a cmdlet, function, script file, or operable program.\r\n".encode(),
        )


class RunspacePool(Shell):
    """A PowerShell session."""

    def __init__(self, message: Message, execute: Execute) -> None:
        super().__init__(message, execute)
        creation = message.need(f"rsp:Shell/{{{POWERSHELL.removesuffix('/')}}}creationXml")
        self.id = (message.need("rsp:Shell").get("ShellId") or self.id).upper()
        self._pool = psrpcore.ServerRunspacePool()
        self._output = Output(whole=True)
        self._feed(message, creation.text)

    def start(self, message: Message, command_id: str, words: list[str]) -> None:
        # psrpcore wants the pipeline to be there before it reads of it
        self._commands[command_id] = Pipeline(self._pool, command_id, self._execute)
        self._feed(message, words[-1])

    def send(self, message: Message) -> str:
        for node in message.all("rsp:Send/rsp:Stream"):
            self._feed(message, node.text)
        return "<rsp:SendResponse/>"

    def lose_input(self, message: Message) -> None:
        raise NotImplementedError("LostInput over PSRP: half of a fragment is no input, and no end of it")

    def output(self, command_id: str | None) -> Output:
        return self._output if command_id is None else super().output(command_id)

    def delete(self) -> None:
        super().delete()
        self._output.abort()

    def _feed(self, message: Message, fragments: str | None) -> None:
        self._pool.receive_data(psrpcore.PSRPPayload(from_base64(fragments), psrpcore.StreamType.default, None))
        while (event := self._pool.next_event()) is not None:
            self._on(event)
        self._drain(message)

    def _on(self, event: t.Any) -> None:
        pipeline = self._commands.get(str(event.pipeline_id).upper())
        if not isinstance(pipeline, Pipeline):
            return
        if isinstance(event, psrpcore.CreatePipelineEvent):
            command = event.pipeline.commands[0]
            pipeline.begin(command.command_text, has_input=not event.pipeline.no_input)
        elif isinstance(event, psrpcore.PipelineInputEvent):
            pipeline.lines.append(str(event.data))
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            pipeline.end()

    def _drain(self, message: Message) -> None:
        """Bring what psrpcore has to say to where the client will ask for it."""
        while (payload := self._pool.data_to_send(message.room)) is not None:
            command = self._commands.get(str(payload.pipeline_id).upper())
            if payload.pipeline_id is None:
                self._output.put("stdout", payload.data)
            elif command is not None:
                command.output.put("stdout", payload.data)
