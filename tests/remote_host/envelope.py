"""WS-Management messages: a request is read, an answer or a fault is written. Nothing here knows of shells."""

from __future__ import annotations

import base64
import dataclasses
import re
import uuid
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "m": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError",
}
POWERSHELL = "http://schemas.microsoft.com/powershell/"
"""What the resource of a PowerShell shell begins with; any other one is a shell of cmd.exe."""
_DECLARATIONS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")

TIMED_OUT = 2150858793
NO_SHELL = 2150858843
TOO_MANY_OPERATIONS = 2150859174
ABORTED = 995
BUSY = 170
ACCESS_DENIED = 5
INVALID_ACTION = 2150858753
INVALID_MESSAGE = 2150858817
_FAULTS = {
    TIMED_OUT: ("w:TimedOut", "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."),
    NO_SHELL: ("w:InvalidSelectors", "The request for the Windows Remote Shell failed because the shell was not found on the server."),
    TOO_MANY_OPERATIONS: (
        "w:QuotaLimit",
        "The maximum number of concurrent operations for this user has been exceeded.",
    ),
    ABORTED: ("w:InternalError", "The I/O operation has been aborted because of either a thread exit or an application request."),
    BUSY: ("w:InternalError", "The requested resource is in use."),
    ACCESS_DENIED: ("w:AccessDenied", "Access is denied."),
    INVALID_ACTION: ("a:ActionNotSupported", "The WS-Addressing action URI is invalid."),
    INVALID_MESSAGE: ("w:SchemaValidationError", "The SOAP XML in the message does not match the corresponding XML schema definition."),
}


class WsmanFault(Exception):
    """A fault of the service; clients go by its number."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
        self.subcode, self.reason = _FAULTS[code]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request of a client."""

    action: str
    resource: str
    id: str
    shell_id: str | None
    operation_timeout: float
    max_envelope: int
    body: ET.Element

    @property
    def verb(self) -> str:
        """Create, Command, Send, Receive, Signal, Delete."""
        return self.action.rpartition("/")[2]

    @property
    def room(self) -> int:
        """How many bytes an answer to it can carry, in base64 and with the envelope around them."""
        return max(1024, (self.max_envelope - 2048) * 3 // 4)

    def need(self, path: str) -> ET.Element:
        """The first element at that place of the body, without which the message makes no sense."""
        found = self.body.find(path, NAMESPACES)
        if found is None:
            raise WsmanFault(INVALID_MESSAGE)
        return found

    def all(self, path: str) -> list[ET.Element]:
        """All elements at that place of the body."""
        return self.body.findall(path, NAMESPACES)


def parse(data: bytes) -> Message:
    """Read a request; ValueError when it is none."""
    try:
        root = ET.fromstring(data)  # noqa: S314 - it comes from this machine's own clients
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    header, body = root.find("s:Header", NAMESPACES), root.find("s:Body", NAMESPACES)
    if header is None or body is None:
        raise ValueError("no envelope")

    def text(path: str, default: str = "") -> str:
        return (header.findtext(path, default, NAMESPACES) or default).strip()

    selectors = {node.get("Name"): node.text for node in header.iterfind("w:SelectorSet/w:Selector", NAMESPACES)}
    return Message(
        action=text("a:Action"),
        resource=text("w:ResourceURI"),
        id=text("a:MessageID"),
        shell_id=selectors.get("ShellId"),
        operation_timeout=seconds(text("w:OperationTimeout", "PT60S")),
        max_envelope=int(text("w:MaxEnvelopeSize", "153600")),
        body=body,
    )


def seconds(duration: str) -> float:
    """PT1M30.5S is 90.5; what is no such duration is a minute."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        return 60.0
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def reply(message: Message, body: str) -> bytes:
    """The answer to a request."""
    return _envelope(message.action + "Response", message.id, body)


def fault(message: Message, error: WsmanFault) -> bytes:
    """The answer that is a fault."""
    # Ansible's winrm looks for this one in the WMI error alone
    wmi = f"<m:MSFT_WmiError><m:error_Code>{error.code}</m:error_Code></m:MSFT_WmiError>" if error.code == TOO_MANY_OPERATIONS else ""
    return _envelope(
        NAMESPACES["w"] + "/fault",
        message.id,
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{error.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(error.reason)}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault Code="{error.code}" Machine="remote-host"><f:Message>{escape(error.reason)}</f:Message></f:WSManFault>{wmi}'
        "</s:Detail></s:Fault>",
    )


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    # pypsrp wants RelatesTo letter for letter
    return (
        f'<s:Envelope xml:lang="en-US" {_DECLARATIONS}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{NAMESPACES['a']}/role/anonymous</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def base64_text(data: bytes) -> str:
    """Bytes as a stream's text."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str | None) -> bytes:
    """The bytes of a stream's text."""
    try:
        return base64.b64decode(text or "")
    except ValueError:
        raise WsmanFault(INVALID_MESSAGE) from None
