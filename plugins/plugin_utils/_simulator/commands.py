# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: finds the cmdlet that a step names, binds its parameters and runs it; each check that all cmdlets share is here, once."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing as t

from . import binder, faults, tree
from . import cmdlets as _cmdlets
from .calls import CMDLETS, Call, CmdletError, Live, NotSimulated, Record

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .calls import Cmdlet
    from .model import Host

Signatures = t.Mapping[str, binder.Signature]

_HRESULT = -2146233087


def load() -> None:
    """Import every module of cmdlets/, which fills CMDLETS."""
    for module in pkgutil.iter_modules(_cmdlets.__path__):
        importlib.import_module(f"{_cmdlets.__name__}.{module.name}")


_LOOKS_ONLY = ("Receive-Job", "Resolve-DnsName", "Start-Sleep", "Test-Connection", "Test-NetConnection", "Write-Output")
"""What changes nothing besides the Get- cmdlets, and so does not stand in the journal."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Entry:
    """One line of the journal: a call that could change something, and how it ended."""

    process: int
    cmdlet: str
    parameters: dict[str, t.Any]
    result: str = "ok"
    """"ok", "silent" when a fault made it do nothing, or an error's id."""
    inside: list[str] = dataclasses.field(default_factory=list)
    """The VMs on the way to the guest that it ran in; none: it ran on the host itself."""


class Commands:
    """The cmdlets that a host has, for one process."""

    def __init__(self, host: Host, cmdlets: Mapping[str, Cmdlet] | None, signatures: Signatures | None, journal: list[Entry]) -> None:
        if cmdlets is None:
            load()
        self._host = host
        self._journal = journal
        self._cmdlets = CMDLETS if cmdlets is None else cmdlets
        self._signatures = binder.load_signatures(host.windows) if signatures is None else signatures

    def invoke(self, name: str, values: Mapping[str, t.Any], records: list[Record], notes: list[str]) -> list[t.Any]:
        """Run one call; non-terminating errors and warnings are added to the lists, a terminating one is raised."""
        signature = self._find(name)
        function = self._cmdlets.get(f"{signature.module}\\{signature.name}")
        if function is None:
            raise NotSimulated(f"the cmdlet {signature.module}\\{signature.name}")
        call = self.bind(signature, values)
        entry = self.entry(call)
        if not call.cmdlet.startswith("Get-") and call.cmdlet not in _LOOKS_ONLY:
            self._journal.append(entry)
        try:
            return self._run(function, call, signature, entry)
        except CmdletError as error:
            entry.result = error.record.id
            raise
        finally:
            if call.errors and entry.result == "ok":
                entry.result = call.errors[0].id
            records += call.errors
            notes += call.warnings

    def _find(self, name: str) -> binder.Signature:
        module, _slash, short = name.partition("\\")
        signature = binder.find(self._signatures, name)
        modules = {known.module.lower() for known in self._signatures.values()}
        if module.lower() not in modules or self._lacks_module(module.lower()):
            raise _unknown(
                "CouldNotAutoLoadModule", f"The module '{module}' could not be loaded. For more information, run 'Import-Module {module}'."
            )
        if signature is None or short.lower() in {lacking.lower() for lacking in self._host.without_cmdlets}:
            raise _unknown(
                "CommandNotFoundException",
                f"The term '{name}' is not recognized as a name of a cmdlet, function, script file, or executable program.\n"
                "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
            )
        return signature

    def _lacks_module(self, module: str) -> bool:
        # facts 7: a client has no ServerManager; Hyper-V's role comes without its module unless the tools are installed too
        return {"hyper-v": not tree.has_module(self._host), "servermanager": self._host.client}.get(module, False)

    def entry(self, call: Call) -> Entry:
        """The journal's line of a call, with the number of the remote process that it came with."""
        process, where = tree.lineage(self._host)[0].processes, tree.vm_names(self._host)
        return Entry(process=process, cmdlet=call.cmdlet, parameters={k: _readable(v) for k, v in call.values.items()}, inside=where)

    def bind(self, signature: binder.Signature, values: Mapping[str, t.Any]) -> Call:
        """The call with its parameters as PowerShell binds them."""
        try:
            bound = binder.bind(signature, values)
        except binder.BindingError as error:
            if error.prompt:
                raise NotSimulated(f"{signature.name} would ask a question: a text was sent where it wants a credential") from None
            record = Record(id=error.id, category=error.category, reason=error.reason, message=error.message, hresult=error.hresult)
            raise CmdletError(record) from None
        return Call(host=self._host, cmdlet=signature.name, error_source=signature.class_name, set=bound.parameter_set, values=bound.values)

    def _run(self, function: Cmdlet, call: Call, signature: binder.Signature, entry: Entry) -> list[t.Any]:
        _check_access(call, signature.module)
        fate = faults.intercept(call)
        if fate == "silent":
            entry.result = "silent"
        if fate != "run":
            return []
        objects = []
        for thing in function(call):
            if self._host.objects == "snapshot" and isinstance(thing, Live):
                thing.freeze()
            objects.append(thing)
        return objects


def _unknown(kind: str, message: str) -> CmdletError:
    return CmdletError(Record(id=kind, category="ObjectNotFound", reason="CommandNotFoundException", message=message, hresult=_HRESULT))


def _check_access(call: Call, module: str) -> None:
    check = _ACCESS.get(module)
    if check is not None:
        check(call)


def _hyperv_access(call: Call) -> None:
    host = call.host
    if not tree.vmms_runs(host):
        # PlagueHO/LabBuilder#203, kubernetes/minikube#16679, docker/for-win#6531
        call.fail(
            "ObjectNotFound",
            "ObjectNotFound",
            f"Hyper-V encountered an error trying to access an object on computer '{host.name}' because the object was not found. The "
            "object might have been deleted, or you might not have permission to perform the task. Verify that the Virtual Machine "
            "Management service on the computer is running. If the service is running, try to perform the task again by using Run as "
            "Administrator.",
        )
    if host.rights == "sees_nothing" and call.cmdlet == "Get-VM":
        # facts 2.5 (I): no error, but an empty list
        call.host = dataclasses.replace(host, vms=[])
    elif host.rights != "administrator":
        call.fail(
            "AccessDenied",
            "PermissionDenied",
            "You do not have the required permission to complete this task. Contact the administrator of the authorization policy for "
            f"the computer '{host.name}'.",
        )


def _dism_access(call: Call) -> None:
    if call.host.rights != "administrator":
        # MicrosoftDocs/WSL#393 for the error, MicrosoftDocs/windows-powershell-docs#1900 for reading; the HRESULT is
        # that of ERROR_ELEVATION_REQUIRED
        message = "The requested operation requires elevation.\n"
        raise CmdletError(
            Record(id=call.error_source, category="NotSpecified", reason="COMException", message=message, hresult=-2147024156)
        )


def _server_manager_access(call: Call) -> None:
    if call.host.rights != "administrator":
        raise NotSimulated(f"{call.cmdlet} for a user without rights")


_ACCESS: dict[str, Callable[[Call], None]] = {
    "Hyper-V": _hyperv_access,
    "Dism": _dism_access,
    "ServerManager": _server_manager_access,
}
"""Who may call a module's cmdlets at all. Those made from CDXML decide it one by one (cdxml.py): reading is everybody's there."""


def _readable(value: t.Any) -> t.Any:
    """A parameter for the journal; a secret is not one."""
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, Live):
        words = dict.fromkeys(f"'{value.get(name)}'" for name in _TELLING if name in value.names())
        return " ".join([value.type_names[0].rpartition(".")[2], *words])
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


_TELLING = ("VMName", "Name", "UserName", "IPAddress")
