"""Who may talk: Basic, or NTLM with message encryption ([MS-WSMV] 2.2.9.1), by pyspnego. NTLM logs on a connection, not a request."""

from __future__ import annotations

import base64
import hmac
import re
import struct
import typing as t

import spnego
from spnego.exceptions import SpnegoError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY = "Encrypted Boundary"
_SEALED = re.compile(rb"Length=(\d+)\r\n--" + _BOUNDARY.encode() + rb"\r\n\tContent-Type: application/octet-stream\r\n")
SCHEMES = {"basic": 'Basic realm="WSMAN"', "negotiate": "Negotiate", "ntlm": "NTLM"}
"""What a door can offer, and how HTTP says it."""
_MALFORMED = (SpnegoError, ValueError, struct.error)
"""What pyspnego raises: its own errors where it looks for them, and Python's where it does not."""


class Denied(Exception):
    """The answer is 401, with these WWW-Authenticate headers."""

    def __init__(self, *challenges: str) -> None:
        super().__init__(challenges)
        self.challenges = challenges


class BadBody(Exception):
    """A body that is sealed by another connection's keys, or clear where it must not be: Windows answers 400."""


class Logon:
    """The state of one connection. `accounts` are for Basic; NTLM's are read by pyspnego, see network.py."""

    def __init__(self, accounts: Mapping[str, str], schemes: tuple[str, ...], *, tls: bool) -> None:
        self._accounts = accounts
        self._schemes = schemes
        self._tls = tls
        self._context: t.Any = None
        self._known = False

    def check(self, authorization: str) -> str | None:
        """Let a request in, or raise Denied; what is returned belongs into WWW-Authenticate."""
        scheme, _blank, value = authorization.partition(" ")
        if not authorization and self._known:
            return None
        try:
            token = base64.b64decode(value, validate=True)
        except ValueError:
            raise self._denied() from None
        if scheme == "Basic" and "basic" in self._schemes and self._is_account(token):
            return None
        if scheme in ("Negotiate", "NTLM") and scheme.lower() in self._schemes:
            return self._step(scheme, token)
        raise self._denied()

    def _denied(self) -> Denied:
        return Denied(*(SCHEMES[scheme] for scheme in self._schemes))

    def _is_account(self, token: bytes) -> bool:
        name, _colon, password = token.decode("utf-8", "replace").partition(":")
        return hmac.compare_digest(self._accounts.get(name, "").encode(), password.encode()) and name in self._accounts

    def _step(self, scheme: str, token: bytes) -> str | None:
        if self._context is None or self._context.complete:
            self._known = False
            # pyspnego's own code, whatever GSSAPI libraries the machine has
            options = spnego.NegotiateOptions.use_negotiate if scheme == "Negotiate" else spnego.NegotiateOptions.use_ntlm
            self._context = spnego.server(protocol=scheme.lower(), options=options)
        try:
            answer = self._context.step(token)
        except _MALFORMED:
            self._context = None
            raise self._denied() from None
        challenge = f"{scheme} {base64.b64encode(answer).decode()}" if answer else None
        if not self._context.complete:
            raise Denied(challenge or scheme)
        self._known = True
        return challenge

    def opened(self, body: bytes, content_type: str) -> tuple[bytes, bool]:
        """The clear text of a request's body, and whether it was sealed, as its answer must then be."""
        complete = self._context is not None and self._context.complete
        if not content_type.startswith("multipart/encrypted"):
            if complete and not self._tls:
                raise BadBody("NTLM over HTTP, and not encrypted")
            return body, False
        if not complete:
            raise BadBody("sealed before anybody logged on")
        return self._unseal(body), True

    def _unseal(self, body: bytes) -> bytes:
        head = _SEALED.search(body)
        end = body.rfind(b"--" + _BOUNDARY.encode() + b"--")
        if head is None or end < head.end():
            raise BadBody("not multipart/encrypted")
        sealed = body[head.end() : end]
        try:
            size = struct.unpack("<i", sealed[:4])[0]
            clear = t.cast("bytes", self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :]))
        except _MALFORMED as error:
            raise BadBody("sealed by other keys") from error
        if len(clear) != int(head.group(1)):
            raise BadBody("another length than announced")
        return clear

    def sealed(self, clear: bytes) -> tuple[str, bytes]:
        """The content type and the body of a sealed answer."""
        sealed = self._context.wrap_winrm(clear)
        head = (
            f"--{_BOUNDARY}\r\n\tContent-Type: {_SPNEGO}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;"
            f"Length={len(clear) + sealed.padding_length}\r\n--{_BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n"
        )
        signed = struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data
        return f'multipart/encrypted;protocol="{_SPNEGO}";boundary="{_BOUNDARY}"', head.encode() + signed + f"--{_BOUNDARY}--\r\n".encode()
