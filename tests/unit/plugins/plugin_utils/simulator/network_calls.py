"""Calls one cmdlet on a host in memory, bound by its real signature."""

from __future__ import annotations

import typing as t

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import binder, commands
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import CMDLETS, Call, CmdletError, Live
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Adapter, Address, Host, HostAdapter, Lan, Switch, Vm

commands.load()

INTERNAL, EXTERNAL, ICS = (f"{number}0000000-0000-0000-0000-000000000000" for number in "123")


class Answer(t.NamedTuple):
    objects: list[t.Any]
    errors: list[tuple[str, str]]
    """Id before its comma, and category."""

    def column(self, name: str) -> list[t.Any]:
        return [thing.get(name) for thing in self.objects]

    @property
    def one(self) -> Live:
        [thing] = self.objects
        return t.cast(Live, thing)


def run(host: Host, name: str, **parameters: t.Any) -> Answer:
    signature = binder.find(binder.load_signatures(host.windows), name)
    if signature is None:
        raise LookupError(name)
    bound = binder.bind(signature, parameters)
    call = Call(host=host, cmdlet=signature.name, error_source=signature.class_name, set=bound.parameter_set, values=bound.values)
    objects: list[t.Any] = []
    records = call.errors
    try:
        objects.extend(CMDLETS[f"{signature.module}\\{signature.name}"](call))
    except CmdletError as error:
        records = [error.record, *records]
    return Answer(objects, [(record.id.partition(",")[0], record.category) for record in records])


def lab() -> Host:
    """A running and a stopped VM, an internal switch with a gateway, an external one, and a network card to spare."""
    host = Host(
        adapters=[
            HostAdapter(name="Ethernet", description="Card", index=4, id="a4" * 16, mac="3CECEF000004", lan=Lan(prefix="10.0.0.0/24")),
            HostAdapter(name="Spare", description="Card #2", index=5, id="a5" * 16, mac="3CECEF000005"),
            HostAdapter(
                name="vEthernet (VmNAT)",
                description="Hyper-V Virtual Ethernet Adapter",
                index=6,
                id="a6" * 16,
                mac="00155D000006",
                switch=INTERNAL,
            ),
            HostAdapter(
                name="vEthernet (Out)",
                description="Hyper-V Virtual Ethernet Adapter #2",
                index=7,
                id="a7" * 16,
                mac="3CECEF000004",
                switch=EXTERNAL,
            ),
        ],
        switches=[
            Switch(name="VmNAT", id=INTERNAL),
            Switch(name="Out", id=EXTERNAL, type="External", adapter="Ethernet"),
        ],
        addresses=[
            Address(address="192.168.100.1", prefix_length=24, adapter=6),
            Address(address="10.0.0.5", prefix_length=24, adapter=7, origin="Dhcp"),
            Address(address="172.20.0.9", prefix_length=16, adapter=5),
        ],
    )
    host.vms = [
        Vm(
            name="l1-a",
            id="b1" * 16,
            state="Running",
            adapters=[
                Adapter(id="c1" * 16, mac="00155D0000C1", switch=INTERNAL, addresses=["192.168.100.2"]),
                Adapter(id="c2" * 16, mac="00155D0000C2", switch=EXTERNAL),
            ],
        ),
        Vm(name="l1-b", id="b2" * 16, adapters=[Adapter(name="LAN", id="c3" * 16)]),
    ]
    return host
