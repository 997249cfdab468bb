"""WS-Management over HTTP and HTTPS: h11 reads and writes, this door logs on, answers, and breaks where that is planned."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import traceback
import typing as t

import h11

from . import effects, envelope
from .logon import BadBody, Denied, Logon
from .seen import Request

if t.TYPE_CHECKING:
    import ssl

    from .host import RemoteHost

LARGEST_BODY = 512_000 + 8_192
"""MaxEnvelopeSizekb is 500 by default; a larger request is 413."""


class HttpDoor:
    """A listening port."""

    def __init__(
        self, host: RemoteHost, name: t.Literal["http", "https"], schemes: tuple[str, ...], tls: ssl.SSLContext | None = None
    ) -> None:
        self.host = host
        self.name: t.Literal["http", "https"] = name
        self.schemes = schemes
        self.tls = tls
        self.port = 0
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, listening: socket.socket) -> None:
        """Accept connections."""
        self._socket, self.port = listening, listening.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listening, ssl=self.tls)

    async def close(self) -> None:
        """Hang up."""
        if self._server is None or self._socket is None:
            return
        # a fork of this process holds the socket, too: closing it alone would leave a port that nobody answers at
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = t.cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        try:
            await Conversation(self, reader, writer).hold()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or the host did
        except Exception:  # noqa: BLE001 - shown to the test, instead of a silent host
            self.host.errors.append(traceback.format_exc())
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


class _HungUp(Exception):
    """There is no answer, and no connection any more."""


class Conversation:
    """One connection, and the requests that come over it one by one."""

    def __init__(self, door: HttpDoor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._door = door
        self._host = door.host
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._logon = Logon(self._host.network.accounts, door.schemes, tls=door.tls is not None)
        self._number = self._host.new_connection()
        self._slow = False

    async def hold(self) -> None:
        """Until one side has had enough."""
        with contextlib.suppress(_HungUp):
            while (request := await self._next()) is not None:
                await self._take(request)
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()

    async def _next(self) -> h11.Request | None:
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    async def _event(self) -> t.Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(1 << 16))
        return event

    async def _take(self, request: h11.Request) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        length = int(headers.get("content-length", "0"))
        if length > LARGEST_BODY:
            await self._answer("Send", length, 413)
            return
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
        try:
            challenge = self._logon.check(headers.get("authorization", ""))
            if not body:
                await self._answer("Logon", 0, 200, challenges=(challenge,) if challenge else ())
                return
            clear, sealed = self._logon.opened(bytes(body), headers.get("content-type", ""))
            message = envelope.parse(clear)
        except Denied as denied:
            await self._answer("Logon", length, 401, challenges=denied.challenges)
            return
        except (BadBody, ValueError):
            await self._answer("Logon", length, 400)
            return
        status, answer = await self._reply(message, length)
        await self._answer(message.verb, length, status, answer, (challenge,) if challenge else (), sealed=sealed)

    async def _reply(self, message: envelope.Message, length: int) -> tuple[int, bytes]:
        """The status and the body of the answer, with what was planned for this request."""
        effect = self._host.plans.due(message.verb)
        if effect is None:
            return await self._done(message)
        if isinstance(effect, effects.Restart):
            self._host.forget_shells()
        elif isinstance(effect, effects.LostInput):
            self._host.lose_input(message)
        if effect.done or isinstance(effect, effects.Restart):
            status, answer = await self._done(message)
        else:
            status, answer = 0, b""
        return await self._spoiled(effect, message, length, (status, answer))

    async def _spoiled(self, effect: effects.Effect, message: envelope.Message, length: int, reply: tuple[int, bytes]) -> tuple[int, bytes]:
        match effect:
            case effects.Drop():
                self._note(message.verb, 0, length, 0)
                self._hang_up(reset=effect.reset)
            case effects.HalfReply():
                self._note(message.verb, 0, length, len(reply[1]) // 2)
                await self._write_half(reply[1])
            case effects.Status() | effects.LostInput():
                return effect.status, b""
            case effects.Refusal():
                return 500, envelope.fault(message, envelope.WsmanFault(effect.code))
            case effects.Html():
                return 200, b"<html><body>A proxy says hello.</body></html>"
            case effects.SlowReply():
                self._slow = True
        return reply

    async def _done(self, message: envelope.Message) -> tuple[int, bytes]:
        try:
            return 200, envelope.reply(message, await self._host.answer(message))
        except envelope.WsmanFault as error:
            return 500, envelope.fault(message, error)

    async def _write_half(self, body: bytes) -> None:
        head = self._http.send(_head(200, len(body), ()))
        self._writer.write((head or b"") + body[: len(body) // 2])
        await self._writer.drain()
        self._hang_up(reset=False)

    def _hang_up(self, *, reset: bool) -> t.NoReturn:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
        else:
            self._writer.close()
        raise _HungUp

    async def _answer(
        self, verb: str, received: int, status: int, body: bytes = b"", challenges: tuple[str, ...] = (), *, sealed: bool = False
    ) -> None:
        content_type = "application/soap+xml;charset=UTF-8"
        if body and sealed:
            content_type, body = self._logon.sealed(body)
        head = self._http.send(_head(status, len(body), challenges, content_type))
        data = (head or b"") + (self._http.send(h11.Data(data=body)) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self._note(verb, status, received, len(body))  # before it goes out: a test may count as soon as it has its answer
        for piece in (data[at : at + 1] for at in range(len(data))) if self._slow else (data,):
            self._writer.write(piece)
            await self._writer.drain()
            if self._slow:
                await asyncio.sleep(0)  # lets the piece go out alone
        self._slow = False

    def _note(self, verb: str, status: int, received: int, sent: int) -> None:
        self._host.requests.append(
            Request(door=self._door.name, verb=verb, status=status, received=received, sent=sent, connection=self._number)
        )


def _head(status: int, length: int, challenges: tuple[str, ...], content_type: str = "text/html") -> h11.Response:
    headers = [("Content-Length", str(length)), ("Server", "Microsoft-HTTPAPI/2.0")]
    headers += [("WWW-Authenticate", challenge) for challenge in challenges]
    if length:
        headers.append(("Content-Type", content_type))
    return h11.Response(status_code=status, headers=headers)
