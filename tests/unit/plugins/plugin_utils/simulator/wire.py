"""What the runner is sent, written down once more from runner/README.md, so that it does not depend on the collection's own wire."""

from __future__ import annotations

import base64
import json
import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import script

COMMAND = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "


def command_line() -> str:
    return COMMAND + base64.b64encode(script("_bootstrap.ps1").encode("utf-16-le")).decode()


def stdin(payload: dict[str, t.Any], *secrets: str, runner: str | None = None) -> bytes:
    first = json.dumps({"runner": script("_runner.ps1") if runner is None else runner, "payload": json.dumps(payload)})
    text = "\n".join([first, *(base64.b64encode(secret.encode()).decode() for secret in secrets)])
    return f"{len(text)} {text}\n".encode("ascii")
