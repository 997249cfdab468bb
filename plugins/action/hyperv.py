# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: runs every module of this collection on the controller, over the task's own connection."""

from __future__ import annotations

import importlib
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._converge import Resource, converge
from ..module_utils._errors import HypervError, Unsupported
from ..plugin_utils._wire import ConnectionTransport

if t.TYPE_CHECKING:
    from ..module_utils._options import Options
from ..module_utils._report import failed

_RESOURCES = "ansible_collections.hyperlab.nested.plugins.module_utils._resources"
_CENSORED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class ActionModule(ActionBase):
    """Validates the options, builds the transport, converges, and scrubs secrets; which module it is, the task's name says."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The task's result."""
        module = self._task.action.rpartition(".")[2]
        resource = _resource(module)
        secrets: set[str] = set()
        try:
            self._refuse_what_cannot_work()
            super().run(tmp, task_vars)
            options = self._options(resource, secrets)
            transport = ConnectionTransport(self._connection, self._log(module), self._say(module))
            result = converge(resource, options, transport, check_mode=bool(self._task.check_mode), diff=bool(self._task.diff))
        except HypervError as error:
            result = failed(error)
        warning = self._environment_warning()
        if warning:
            result.setdefault("warnings", []).append(warning)
        result["invocation"] = {"module_args": dict(self._task.args)}
        return t.cast("dict[str, t.Any]", _scrubbed(result, secrets))

    def _refuse_what_cannot_work(self) -> None:
        if self._connection.become or self._play_context.become:
            raise Unsupported(
                "become does not reach the host: the task runs as the connection's user",
                fix="set become: false for this task (and look for ansible_become in the inventory); connect as a Hyper-V administrator instead",
            )
        if self._task.async_val:
            raise Unsupported(
                "async is not supported: the task runs on the controller", fix="remove async; a task takes as many VMs as you give it"
            )
        if self._connection.transport == "local":
            raise Unsupported(
                "the connection is local, so this task would run on the controller and not on a Windows host",
                code="not_windows",
                fix="run it against a Hyper-V host in the inventory, over winrm, psrp or ssh",
            )

    def _environment_warning(self) -> str | None:
        if not any(self._task.environment or ()):
            return None
        return "environment does not reach the host: the task's cmdlets run without it"

    def _options(self, resource: Resource, secrets: set[str]) -> Options:
        parameters = dict(self._task.args)
        secrets |= resource.SPEC.secrets(parameters)
        context = self._play_context
        # PowerShell Direct needs no network, so there is no address that a task could cut off
        address = None if self._connection.transport == "hyperlab.nested.psdirect" else context.remote_addr
        return resource.SPEC.validate(parameters).but(connection_address=address, connection_port=context.port)

    def _log(self, module: str) -> t.Callable[[str], None]:
        return lambda text: Display().vvv(f"{module}: {text}", host=self._play_context.remote_addr)

    def _say(self, module: str) -> t.Callable[[str], None]:
        """For what takes so long that somebody may ask: shown with -v."""
        return lambda text: Display().v(f"{module}: {text}", host=self._play_context.remote_addr)


def _resource(module: str) -> Resource:
    try:
        return t.cast("Resource", importlib.import_module(f"{_RESOURCES}.{module}"))
    except ModuleNotFoundError as error:
        if error.name != f"{_RESOURCES}.{module}":
            raise
        raise AnsibleActionFail(f"hyperlab.nested has no module '{module}'; call one of its modules, not its action plugin") from None


def _scrubbed(value: t.Any, secrets: set[str]) -> t.Any:
    """The result without any secret; Ansible's own no_log does not cover an action's result before ansible-core 2.22."""
    if not secrets:
        return value
    if isinstance(value, dict):
        return {key: _scrubbed(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, _CENSORED)
    return value
