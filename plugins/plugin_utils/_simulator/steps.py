# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: executes one payload on a pretended host, step by step as `_runner.ps1` does, and returns its one line of JSON.

Read it beside the runner: the functions have the same names and the same order of effects.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from . import commands, faults, inside, messages, power
from . import payload as payloads
from .calls import CmdletError, Live, NotSimulated, Record
from .text import has_property, same_text, to_plain, to_text
from .text import ordinal_upper as _key

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .calls import Call, Cmdlet
    from .model import Host

CALL_SECONDS = 0.1
"""What one call costs of simulated time (facts 10.4 and 13: 60 to 230 ms); a wait without pauses ends by it, too."""

Json = dict[str, t.Any]

_NAME = re.compile(r"[A-Za-z.-]+\\[A-Z][A-Za-z]+-[A-Za-z]+$", re.IGNORECASE | re.ASCII)


class SecureString(Live):
    """A secret as the runner passes it on."""

    type_names = ("System.Security.SecureString", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {"Length": lambda self: len(self.plain.encode("utf-16-le")) // 2}

    def __init__(self, host: Host, plain: str) -> None:
        super().__init__(host)
        self.plain = plain


class Credential(Live):
    """A PSCredential."""

    type_names = ("System.Management.Automation.PSCredential", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {"UserName": lambda self: self.user}

    def __init__(self, host: Host, user: str, secret: SecureString) -> None:
        super().__init__(host)
        self.user = user
        self.secret = secret


def new_fault(kind: str, message: str) -> CmdletError:
    """An error of the runner's own."""
    return CmdletError(
        Record(
            id=f"Hyperlab.{kind}",
            category="InvalidOperation",
            reason="InvalidOperationException",
            message=message,
            hresult=-2146233079,
        )
    )


def answer(
    host: Host,
    payload: str,
    secrets: Sequence[str],
    runner_cmdlets: Mapping[str, Cmdlet] | None = None,
    signatures: commands.Signatures | None = None,
) -> str:
    """What one remote process prints for a payload; raises NotSimulated, and then the host must be thrown away."""
    return Session(host, secrets, runner_cmdlets, signatures).answer(payload)


@dataclass
class _Said:
    """What one call left beside its objects."""

    faults: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Session:
    """One remote process: its live objects end with it. `journal` gets the calls that could change something.

    Without cmdlets and signatures those of the simulator and of the host's Windows hold.
    """

    def __init__(
        self,
        host: Host,
        secrets: Sequence[str | None] = (),
        cmdlets: Mapping[str, Cmdlet] | None = None,
        signatures: commands.Signatures | None = None,
        journal: list[commands.Entry] | None = None,
        visit: inside.Visit | None = None,
    ) -> None:
        self.host = host
        self._given = (cmdlets, signatures)
        self._visit = visit or inside.Visit(host, host.booted, guest=host.machine is not None)
        self.journal = [] if journal is None else journal
        self._secrets = [None if plain is None else SecureString(host, plain) for plain in secrets]
        self._commands = commands.Commands(host, cmdlets, signatures, self.journal)
        self._saved: dict[str, list[t.Any]] = {}
        self._broken: set[str] = set()
        self._steps: list[Json] = []
        self._answers: list[Json] = []

    def answer(self, payload: str) -> str:
        """The line that the runner prints for this payload; raises SessionLost when Windows restarts before that."""
        faults.begin_process(self.host)
        self._check_visit()
        reply: Json = {"protocol": 1}
        try:
            self._run(_parse(payload))
        except CmdletError as error:
            reply["error"] = self._fault(error.record)
        reply["steps"] = self._answers
        text = json.dumps({"hyperlab": reply}, separators=(",", ":"), allow_nan=False)
        return text.replace("\x7f", "\\u007f")

    def inside(self, values: Json, payload: str, secrets: Sequence[str | None]) -> list[t.Any]:
        """Run a payload in a guest, with no more than these secrets (PowerShell Direct)."""
        inside.refuse_unknown(values)
        call = self._commands.bind(inside.SIGNATURE, values)
        entry = self._commands.entry(call)
        vm = inside.find(call, lambda by, value: self._get_vm(call, by, value))
        if inside.mishap(call, vm):
            return []
        credential = call.values["Credential"]
        try:
            visit = inside.enter(self.host, vm, credential.user, credential.secret.plain)
        except CmdletError as error:
            if error.record.reason == "PSDirectException":
                # a refused logon counts in the guest, and may lock the account
                entry.result = error.record.id
                self.journal.append(entry)
            raise
        try:
            return [type(self)(visit.host, secrets, *self._given, journal=self.journal, visit=visit).answer(payload)]
        except inside.SessionLost:
            raise inside.ended() from None

    def _get_vm(self, call: Call, by: str, value: str) -> list[Live]:
        """What Invoke-Command learns from Get-VM: objects, or that there is no such cmdlet."""
        try:
            return self._commands.invoke("Hyper-V\\Get-VM", {by: value}, [], [])
        except CmdletError as error:
            if error.record.reason == "CommandNotFoundException":
                raise inside.module_missing(call) from None
            return []

    # What this simulator has no model for; a test or a later model may override it.

    def command(self, line: str, chunks: Sequence[str]) -> list[t.Any]:
        """Run a command line in the host's shell."""
        del line, chunks
        raise NotSimulated("a command line in the host's own shell")

    def _run(self, request: t.Any) -> None:
        for step in _list(_require(request, "steps")):
            self._steps.append(step)
            answered = self._invoke_step(step)
            self._answers.append(answered)
            if answered.get("errors") and _has(step, "group"):
                self._undo_group(_get(step, "group"))

    def _invoke_step(self, step: Json) -> Json:
        if _has(step, "group") and _key(_get(step, "group")) in self._broken:
            return {"skipped": True}
        start = self.host.clock
        until = _get(step, "until") if _has(step, "until") else None
        while True:
            said = _Said()
            objects = self._invoke_call(step, said)
            if until is None or self._reached(until, objects, said) or self._hopeless(until, said):
                break
            if self.host.clock - start >= _require(until, "seconds"):
                said.faults.append(new_fault("Timeout", f"not reached in {to_text(_get(until, 'seconds'))} s").record)
                break
            self._sleep(_require(until, "every"))
        if _has(step, "as"):
            self._saved[_key(_get(step, "as"))] = objects
        rows: list[t.Any] = []
        try:
            rows = _rows(step, objects)
        except CmdletError as error:
            said.faults.append(error.record)
        return {
            "output": rows,
            "errors": [self._fault(record) for record in said.faults],
            "warnings": [messages.localise_warning(self.host.language, note) for note in said.notes],
            "seconds": round(self.host.clock - start, 3),
        }

    def _invoke_call(self, step: Json, said: _Said) -> list[t.Any]:
        records: list[Record] = []
        objects: list[t.Any] = []
        self._wait(CALL_SECONDS)
        try:
            objects = self._call(step, records, said.notes)
            if _has(step, "where"):
                objects = self._select_matching(objects, _get(step, "where"))
        except CmdletError as error:
            objects = []
            said.faults.append(error.record)
        said.faults += records
        self._check_visit()
        return objects

    def _call(self, step: Json, records: list[Record], notes: list[str]) -> list[t.Any]:
        values = {name: self._from_wire(value) for name, value in _mapping(_require(step, "parameters")).items()}
        if _has(step, "inside"):
            named = {int(index) for index in _list(_require(step, "secrets"))}
            handed = [s.plain if s and index in named else None for index, s in enumerate(self._secrets)]
            return self.inside(values, _get(step, "inside"), handed)
        if _has(step, "command"):
            chunks = self._from_wire(_require(step, "stdin"))
            return self.command(self._from_wire(_get(step, "command")), [chunk.plain for chunk in _list(chunks)])
        name = to_text(_require(step, "cmdlet"))
        if not _NAME.match(name):
            raise new_fault("BadPayload", "a cmdlet is not named as Module\\Verb-Noun")
        return self._commands.invoke(name, values, records, notes)

    def _reached(self, until: Json, objects: list[t.Any], said: _Said) -> bool:
        if said.faults:
            return False
        if not _has(until, "where"):
            return True
        # outside the call's own try: an error here ends the payload, as in the runner
        return bool(objects) and len(self._select_matching(objects, _get(until, "where"))) == len(objects)

    def _hopeless(self, until: Json, said: _Said) -> bool:
        if not _has(until, "stop"):
            return False
        stop = self._from_wire(_get(until, "stop"))
        return any(_one_of(record.reason, stop) or _one_of(record.id, stop) for record in said.faults)

    def _undo_group(self, group: str) -> None:
        self._broken.add(_key(group))
        for step, answered in reversed(list(zip(self._steps, self._answers, strict=True))):
            mine = _has(step, "undo") and _has(step, "group") and _key(_get(step, "group")) == _key(group)
            if mine and not answered["errors"]:
                # the undo step usually has no group of its own; with this one it would be skipped like the rest
                answered["undo"] = self._invoke_step(_get(step, "undo"))

    def _from_wire(self, value: t.Any) -> t.Any:
        if isinstance(value, str):
            if not value.startswith("'"):
                raise new_fault("BadPayload", "a string has no mark")
            return value[1:]
        if isinstance(value, list):
            return [self._from_wire(item) for item in value]
        if not isinstance(value, dict):
            return value
        if _has(value, "$from"):
            return self._from_saved(value)
        if _has(value, "$secret"):
            return self._secret(_get(value, "$secret"))
        if _has(value, "$credential"):
            return self._credential(self._from_wire(_get(value, "$credential")), self._secret(_require(value, "secret")))
        raise new_fault("BadPayload", "a value has an unknown tag")

    def _from_saved(self, value: Json) -> t.Any:
        name = to_text(_get(value, "$from"))
        if _key(name) not in self._saved:
            raise new_fault("NoObject", f"nothing was read as '{name}'")
        objects = self._saved[_key(name)]
        if _has(value, "where"):
            objects = self._select_matching(objects, _get(value, "where"))
        if not objects:
            raise new_fault("NoObject", f"no object read as '{name}' matches")
        if _has(value, "count") and len(objects) != _get(value, "count"):
            raise new_fault("WrongCount", f"{len(objects)} objects match, not {to_text(_get(value, 'count'))}")
        if _has(value, "property"):
            objects = [item for thing in objects for item in _enumerate(_property(thing, _get(value, "property")))]
        return objects[0] if len(objects) == 1 else objects

    def _secret(self, index: t.Any) -> SecureString | None:
        # strict mode 2 gives null beyond the end of an array
        return self._secrets[index] if 0 <= index < len(self._secrets) else None

    def _credential(self, user: str, secret: SecureString | None) -> Credential:
        if secret is None:
            raise CmdletError(
                Record(
                    id="PSArgumentNullException",
                    category="NotSpecified",
                    reason="MethodInvocationException",
                    message='Exception calling ".ctor" with "2" argument(s): "Cannot process argument because the value of argument '
                    '"password" is null. Change the value of argument "password" to a non-null value."',
                    hresult=-2146233087,
                )
            )
        return Credential(self.host, user, secret)

    def _select_matching(self, objects: list[t.Any], where: t.Any) -> list[t.Any]:
        return [thing for thing in objects if self._fits(thing, _mapping(where))]

    def _fits(self, thing: t.Any, rules: Json) -> bool:
        fits = True
        for name, value in rules.items():
            wanted = self._from_wire(value)  # even when another rule has said no: a wrong value is an error all the same
            fits = fits and has_property(thing, name) and _one_of(to_text(thing.get(name)), wanted)
        return fits

    def _sleep(self, every: float) -> None:
        milliseconds = round(1000 * every)
        if milliseconds < 0:
            raise NotSimulated(f"a wait of {every} s")
        self._wait(milliseconds / 1000)

    def _wait(self, seconds: float) -> None:
        """Time passes; a session in a guest ends there and then when its VM goes off meanwhile."""
        power.wait(self.host, seconds)
        self._check_visit()

    def _check_visit(self) -> None:
        self._visit.check()

    def _fault(self, record: Record) -> Json:
        record = messages.localise(self.host.language, record)
        return {
            "id": record.id,
            "category": record.category,
            "reason": record.reason,
            "message": record.message,
            "hresult": record.hresult,
        }


def _parse(payload: str) -> t.Any:
    try:
        return payloads.parse_payload(payload)
    except payloads.PayloadError as error:
        record = Record(id=error.id, category=error.category, reason=error.reason, message=error.message, hresult=error.hresult)
        raise CmdletError(record) from None


def _rows(step: Json, objects: list[t.Any]) -> list[t.Any]:
    if _has(step, "select"):
        names = [to_text(name) for name in _list(_get(step, "select"))]
        return [{name: to_plain(thing.get(name)) for name in names if has_property(thing, name)} for thing in objects]
    if _has(step, "inside"):
        return [line for line in objects if isinstance(line, str) and '{"hyperlab":' in line]
    return []


def _one_of(text: str, wanted: t.Any) -> bool:
    return any(same_text(text, to_text(one)) for one in _list(wanted))


def _property(thing: t.Any, name: str) -> t.Any:
    if not has_property(thing, name):
        raise CmdletError(_not_found(name))
    return thing.get(name)


def _not_found(name: str) -> Record:
    return Record(
        id="PropertyNotFoundStrict",
        category="NotSpecified",
        reason="PropertyNotFoundException",
        message=f"The property '{name}' cannot be found on this object. Verify that the property exists.",
        hresult=-2146233087,
    )


def _enumerate(value: t.Any) -> list[t.Any]:
    """What the pipeline makes of a value: a list comes item by item."""
    return value if isinstance(value, list) else [value]


# Parts of the payload. PowerShell looks keys up in any case; parse_payload has refused those that differ by nothing else.


def _has(part: t.Any, name: str) -> bool:
    return isinstance(part, dict) and (name in part or any(known.lower() == name for known in part))


def _get(part: Json, name: str) -> t.Any:
    return part[name] if name in part else next(value for known, value in part.items() if known.lower() == name)


def _require(part: t.Any, name: str) -> t.Any:
    if not _has(part, name):
        raise CmdletError(_not_found(name))
    return _get(part, name)


def _list(value: t.Any) -> list[t.Any]:
    """One value stands for a list of itself, null for none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _mapping(value: t.Any) -> Json:
    if not isinstance(value, dict):
        raise NotSimulated(f"a payload that has {value!r} where an object belongs")
    return value
