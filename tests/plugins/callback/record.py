"""Callback for the tests: writes each result as a line of JSON into the file that the variable HYPERLAB_RECORD names."""

from __future__ import annotations

DOCUMENTATION = """
name: record
type: notification
short_description: Writes each result of a play as a line of JSON
description:
  - For the tests of hyperlab.nested, see C(tests/plays.py).
requirements:
  - The environment variable E(HYPERLAB_RECORD) names the file.
"""

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes in the order of the events; a loop is one result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, outcome: t.Any, status: str, *, ignored: bool = False) -> None:
        if status == "ok" and outcome._result.get("changed"):
            status = "changed"
        line = {
            "host": outcome._host.get_name(),
            "task": outcome._task.get_name().strip(),
            "action": outcome._task.action,
            "status": status,
            "ignored": bool(ignored),
            "result": outcome._result,
        }
        with pathlib.Path(os.environ["HYPERLAB_RECORD"]).open("a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write(result, "ok")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write(result, "failed", ignored=ignore_errors)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._write(result, "skipped")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._write(result, "unreachable", ignored=bool(result._task.ignore_unreachable))
