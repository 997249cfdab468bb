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
from .seen import UNREAD, Request

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

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
        self._tasks: set[asyncio.Task[None]] = set()
        """What accepts connections, and one for each of them from before its handshake: all that has to end with the door."""

    async def open(self, listening: socket.socket) -> None:
        """Accept connections."""
        self._socket, self.port = listening, listening.getsockname()[1]
        self._socket.setblocking(False)
        self._start(self._accept(self._socket))

    async def close(self) -> None:
        """Hang up."""
        if self._socket is None:
            return
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # a fork of this process holds the socket, too: closing it alone would leave a port that nobody answers at
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _start(self, work: Coroutine[t.Any, t.Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _address = await asyncio.get_running_loop().sock_accept(listening)
            self._start(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        try:
            reader, writer = await _streams(connection, self.tls)
            try:
                await Conversation(self, reader, writer).hold()
            finally:
                writer.transport.abort()
        except (OSError, h11.RemoteProtocolError):
            pass  # the client went away, or did not like the certificate
        except Exception:  # noqa: BLE001 - shown to the test, instead of a silent host
            self.host.errors.append(traceback.format_exc())


async def _streams(connection: socket.socket, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # as asyncio.start_server does, which forgets a connection until its handshake is done
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _protocol = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


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
        self._manner: effects.Effect | None = None
        """How the answer goes out, where that was planned."""

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

    async def _body(self) -> bytes:
        """All of it, also when it is too much: a client that still writes would not hear the answer."""
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
        return bytes(body)

    async def _take(self, request: h11.Request) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        body = await self._body()
        length = len(body)
        if not request.target.startswith(b"/wsman"):
            await self._answer(UNREAD, length, 404)
            return
        if length > LARGEST_BODY:
            await self._answer(UNREAD, length, 413)
            return
        try:
            challenge = self._logon.check(headers.get("authorization", ""))
            if not body:
                await self._answer("Logon", 0, 200, challenges=(challenge,) if challenge else ())
                return
            clear, sealed = self._logon.opened(body, headers.get("content-type", ""))
            message = envelope.parse(clear)
        except Denied as denied:
            await self._answer("Logon", length, 401, challenges=denied.challenges)
            return
        except (BadBody, ValueError):
            await self._answer(UNREAD, length, 400)
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
        reply = await self._done(message) if effect.done else (0, b"")
        return await self._spoiled(effect, message, length, reply)

    async def _spoiled(self, effect: effects.Effect, message: envelope.Message, length: int, reply: tuple[int, bytes]) -> tuple[int, bytes]:
        match effect:
            case effects.Drop():
                self._note(message.verb, 0, length, 0)
                await self._hang_up(reset=effect.reset)
            case effects.Status() | effects.LostInput():
                return effect.status, b""
            case effects.Refusal():
                return 500, envelope.fault(message, envelope.WsmanFault(effect.code))
            case effects.Html():
                self._manner = effect
                return 200, b"<html><body>A proxy says hello.</body></html>"
            case effects.HalfReply() | effects.SlowReply() | effects.Idle():
                self._manner = effect
        return reply

    async def _done(self, message: envelope.Message) -> tuple[int, bytes]:
        try:
            return 200, envelope.reply(message, await self._host.answer(message))
        except envelope.WsmanFault as error:
            return 500, envelope.fault(message, error)

    async def _hang_up(self, *, reset: bool = False) -> t.NoReturn:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
        else:
            self._writer.close()
            await self._writer.wait_closed()
        raise _HungUp

    async def _answer(
        self, verb: str, received: int, status: int, body: bytes = b"", challenges: tuple[str, ...] = (), *, sealed: bool = False
    ) -> None:
        manner, self._manner = self._manner, None
        content_type = "application/soap+xml;charset=UTF-8"
        if isinstance(manner, effects.Html):
            content_type = "text/html"  # a proxy has no keys to seal it with
        elif body and sealed:
            content_type, body = self._logon.sealed(body)
        head = self._http.send(_head(status, len(body), challenges, content_type))
        data = (head or b"") + (self._http.send(h11.Data(data=body)) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self._note(verb, status, received, len(body))  # before it goes out: a test may count as soon as it has its answer
        if isinstance(manner, effects.HalfReply):
            data = data[: len(data) - (len(body) + 1) // 2]
        size = 1 if isinstance(manner, effects.SlowReply) else len(data)
        wire = self._writer.get_extra_info("socket")
        if isinstance(manner, effects.Idle):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # the answer and the end go out together: the client finds both
        for at in range(0, len(data), size):
            self._writer.write(data[at : at + size])
            if isinstance(manner, effects.Idle):
                wire.shutdown(socket.SHUT_WR)
            await self._writer.drain()
            await asyncio.sleep(0)  # the piece goes out alone
        if isinstance(manner, effects.HalfReply | effects.Idle):
            await self._hang_up()

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
