# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: keeps a pretended host in a file between remote processes, each of which another Ansible worker may be."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import tempfile
import typing as t

from . import tree
from .model import Host
from .profiles import load_profile
from .schema import ProfileError, from_plain, to_plain

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .commands import Entry


@contextlib.contextmanager
def open_host(state_file: str | os.PathLike[str], profile: str, journal: Iterable[Entry] = ()) -> Iterator[Host]:
    """The host of the state file, for this process alone; without a file a new one of the profile.

    It is saved when the block ends well, and `journal`, which the block may fill, is appended to `<state_file>.journal.jsonl`.
    After an exception, NotSimulated above all, both files are what they were before.
    """
    path = pathlib.Path(state_file).expanduser()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path):
        host = _load(path) if path.exists() else load_profile(profile)
        yield host
        _save(path, host)
        _append(_beside(path, ".journal.jsonl"), journal)


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    # a file of its own, because the state file is replaced; it stays, because removing it would let two processes in
    with _beside(path, ".lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load(path: pathlib.Path) -> Host:
    try:
        host = from_plain(Host, json.loads(path.read_text(encoding="utf-8")), "state")
    except (OSError, ValueError, ProfileError) as error:
        raise ProfileError(
            f"{path} is not a state file of this version of the simulator ({error}). Remove it, and the host starts again from its profile."
        ) from None
    tree.link(host)
    return host


def _save(path: pathlib.Path, host: Host) -> None:
    """Write a new file and put it in place of the old one, so that nobody ever reads half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(to_plain(host), file, indent=1)
            file.write("\n")
        pathlib.Path(name).replace(path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def _append(path: pathlib.Path, entries: Iterable[Entry]) -> None:
    lines = [json.dumps(_line(entry), ensure_ascii=False) + "\n" for entry in entries]
    if lines:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(lines)


def _line(entry: Entry) -> dict[str, t.Any]:
    """An entry as the journal has it; where it ran stands there only if that was in a guest."""
    return {name: value for name, value in dataclasses.asdict(entry).items() if name != "inside" or value}


def _beside(path: pathlib.Path, ending: str) -> pathlib.Path:
    return path.with_name(path.name + ending)
