"""Play a playbook in a forked copy of this process: a fifth of a second, where a new ansible-playbook takes a whole one."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
import traceback
import typing as t
import warnings

import yaml

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping, Sequence

    Yaml = Mapping[str, t.Any] | Sequence[t.Any] | str

Status = t.Literal["ok", "changed", "failed", "skipped", "unreachable"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What one task said of one host, as a callback is given it."""

    host: str
    task: str
    action: str
    status: Status
    ignored: bool
    result: dict[str, t.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlayResult:
    """How a run of ansible-playbook ended."""

    code: int
    output: str
    tasks: tuple[TaskResult, ...]

    def of(self, task: str, host: str | None = None) -> TaskResult:
        """The one result of the task of that name, on that host where several ran it."""
        found = [one for one in self.tasks if one.task == task and host in (None, one.host)]
        if len(found) != 1:
            msg = f"{len(found)} results of task {task!r} on host {host or 'any'!r}, wanted one:\n{self.output}"
            raise AssertionError(msg)
        return found[0]

    def succeeded(self) -> PlayResult:
        """This run itself, when it ended well; its output is the error when not."""
        if self.code:
            msg = f"ansible-playbook ended with {self.code}:\n{self.output}"
            raise AssertionError(msg)
        return self


class Play:
    """Runs playbooks, each in files of its own below one folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def __call__(self, playbook: Yaml, inventory: Yaml, *arguments: str, env: Mapping[str, str] | None = None) -> PlayResult:
        """Play it with further arguments of ansible-playbook.

        Playbook and inventory are data, or YAML text. `env` is what tasks, plugins and lookups find in os.environ: the settings
        of Ansible itself (ANSIBLE_*) have been read before, and stay as they are.
        """
        folder = self._folder / f"play-{next(self._numbers)}"
        folder.mkdir()
        files = {"playbook.yml": playbook, "inventory.yml": inventory}
        for name, content in files.items():
            text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            (folder / name).write_text(text, encoding="utf-8")
        log, record = folder / "output.txt", folder / "results.jsonl"
        command = ["ansible-playbook", "--inventory", str(folder / "inventory.yml"), *arguments, str(folder / "playbook.yml")]
        code = _in_a_fork(command, log, {**(env or {}), "HYPERLAB_RECORD": str(record)})
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        tasks = tuple(TaskResult(**json.loads(line)) for line in lines)
        return PlayResult(code=code, output=log.read_text(encoding="utf-8"), tasks=tasks)


def _in_a_fork(command: list[str], log: pathlib.Path, env: Mapping[str, str]) -> int:
    from ansible.cli.playbook import PlaybookCLI  # once in the parent, so that no child pays for it  # noqa: PLC0415
    from ansible.utils.vars import load_extra_vars, load_options_vars  # noqa: PLC0415

    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70  # never back into pytest, whatever happens
    try:
        os.environ.update(env)
        with open(os.devnull) as nothing, log.open("w", encoding="utf-8", errors="backslashreplace", buffering=1) as out:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            sys.stdin, sys.stdout, sys.stderr = nothing, out, out
            warnings.simplefilter("ignore")  # pytest made errors of them
            for keeps, what in ((load_options_vars, "options_vars"), (load_extra_vars, "extra_vars")):
                setattr(keeps, what, None)  # those of the command line; a VariableManager in the parent has kept others
            try:
                cli = PlaybookCLI(command)
                cli.parse()
                code = cli.run()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
    finally:
        os._exit(code)
