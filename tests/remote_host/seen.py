"""What a remote host remembers of a request."""

from __future__ import annotations

import dataclasses
import typing as t

UNREAD = "Unread"
"""What HTTP refused, whatever it was."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; a session of SSH counts as one, too."""

    door: t.Literal["http", "https", "ssh"]
    verb: str
    """Create, Command, Send, Receive, Signal or Delete; "Logon" for one that only logs on, or UNREAD; "Exec" over SSH."""
    status: int
    """Of HTTP, 0 when the connection was dropped instead; over SSH the exit code."""
    received: int
    """Bytes of the body."""
    sent: int
    connection: int
    """Which connection it came over, counted from 1; 0 for all of SSH."""
