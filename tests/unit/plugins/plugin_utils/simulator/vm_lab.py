"""Calls one cmdlet on a host in memory, bound by its real signature, and says what it answered."""

from __future__ import annotations

import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder, commands
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import CMDLETS, Call, CmdletError, Record
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.profiles import complete

commands.load()

INVALID_STATE = ("InvalidState", "InvalidOperation")
INVALID_PARAMETER = ("InvalidParameter", "InvalidArgument")
NOT_FOUND = ("ObjectNotFound", "ObjectNotFound")
FAILED = ("OperationFailed", "NotSpecified")


class Answer(t.NamedTuple):
    objects: list[t.Any]
    records: list[Record]
    warnings: list[str]

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Ids before their comma, and categories."""
        return [(record.id.partition(",")[0], record.category) for record in self.records]

    def column(self, name: str) -> list[t.Any]:
        return [thing.get(name) for thing in self.objects]


def run(host: Host, name: str, **parameters: t.Any) -> Answer:
    """One call; without a module's name it is Hyper-V's."""
    full = name if "\\" in name else f"Hyper-V\\{name}"
    signature = binder.find(binder.load_signatures(host.windows), full)
    if signature is None:
        raise LookupError(full)
    bound = binder.bind(signature, parameters)
    call = Call(host=host, cmdlet=signature.name, error_source=signature.class_name, set=bound.parameter_set, values=bound.values)
    try:
        objects = list(CMDLETS[full](call))
    except CmdletError as error:
        return Answer([], [error.record, *call.errors], call.warnings)
    return Answer(objects, call.errors, call.warnings)


def lab(*vms: Vm, **host: t.Any) -> Host:
    """A Server 2022 with these VMs, completed as a profile is."""
    made = Host(vms=list(vms), **host)
    complete(made)
    return made
