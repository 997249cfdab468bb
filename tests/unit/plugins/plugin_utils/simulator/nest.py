"""A pretended host with guests that are hosts, made of a profile, and payloads that go inside."""

from __future__ import annotations

import json
import tempfile
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import commands, profiles, steps
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import CMDLETS

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.commands import Entry
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host, Vm

commands.load()

SECRETS = ["right", "wrong", ""]
RIGHT, WRONG, BLANK = range(3)
Json = dict[str, t.Any]

CHAIN = """
switches: [{name: LAN, type: External, adapter: Ethernet}]
vms:
  - name: l1
    state: Running
    processor: {count: 4, expose_virtualization_extensions: true}
    memory: {startup: 8GB}
    adapters: [{switch: LAN}, {}]
    guest:
      users: {Administrator: right}
      windows:
        based_on: server2019-amd
        vms:
          - name: l2
            state: Running
            memory: {startup: 2GB}
            guest: {users: {Administrator: right}, windows: {based_on: server2025-intel}}
"""
"""An L1 host of another Windows with an L2 guest, both running for a long time."""


def load(text: str, based_on: str = "server2022-intel") -> Host:
    """The host of a profile."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        file.write(f"based_on: {based_on}\n{text}")
        file.flush()
        return profiles.load_profile(file.name)


def windows(vm: Vm) -> Host:
    """What is inside of a VM."""
    assert vm.guest.windows is not None
    return vm.guest.windows


def call(name: str, *select: str, **parameters: t.Any) -> Json:
    """A step; without a module's name it is Hyper-V's, and texts get the wire's mark."""
    full = name if "\\" in name else next((known for known in CMDLETS if known.endswith(f"\\{name}")), f"Hyper-V\\{name}")
    marked = {key: f"'{value}" if isinstance(value, str) else value for key, value in parameters.items()}
    return {"cmdlet": full, "parameters": marked, **({"select": list(select)} if select else {})}


def inside(vm: str, *steps_: Json, user: str = "Administrator", secret: int = RIGHT, by: str = "VMName", **more: t.Any) -> Json:
    """A step that takes other steps into a guest."""
    credential = {"$credential": f"'{user}", "secret": secret}
    payload = json.dumps({"protocol": 1, "steps": steps_})
    return {"inside": payload, "parameters": {by: f"'{vm}", "Credential": credential}, "secrets": [*range(len(SECRETS))], **more}


def run(host: Host, *steps_: Json, journal: list[Entry] | None = None) -> list[Json]:
    """The answers to steps that one remote process brings to the outermost host."""
    session = steps.Session(host, list(SECRETS), journal=journal)
    reply = json.loads(session.answer(json.dumps({"protocol": 1, "steps": steps_})))["hyperlab"]
    assert "error" not in reply
    return t.cast("list[Json]", reply["steps"])


def answers(outer: Json) -> list[Json]:
    """The answers that came out of a guest."""
    assert outer["errors"] == []
    [line] = outer["output"]
    return t.cast("list[Json]", json.loads(line)["hyperlab"]["steps"])


def visit(host: Host, vm: str, *steps_: Json) -> list[Json]:
    """The answers to steps inside a VM."""
    [answer] = run(host, inside(vm, *steps_))
    return answers(answer)


def rows(host: Host, vm: str, step: Json) -> list[Json]:
    """The rows of one step inside a VM."""
    [answer] = visit(host, vm, step)
    assert answer["errors"] == []
    return t.cast("list[Json]", answer["output"])


def faults(answer: Json) -> list[tuple[str, str, str]]:
    """Id, category and reason."""
    return [(fault["id"], fault["category"], fault["reason"]) for fault in answer["errors"]]
