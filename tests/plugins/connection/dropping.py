"""Connection for the tests: it opens, and breaks when it is used."""

from __future__ import annotations

DOCUMENTATION = """
name: dropping
short_description: Opens, and breaks when it is used
description:
  - For the tests of hyperlab.nested.
"""

import typing as t

from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    """Breaks as requests and pywinrm do: with an error that Ansible does not know."""

    transport = "dropping"

    def _connect(self) -> Connection:
        return self

    def close(self) -> None:
        """There is nothing to close."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        raise ConnectionResetError("connection reset by peer")

    def put_file(self, in_path: str, out_path: str) -> None:
        raise NotImplementedError

    def fetch_file(self, in_path: str, out_path: str) -> t.NoReturn:
        raise NotImplementedError
