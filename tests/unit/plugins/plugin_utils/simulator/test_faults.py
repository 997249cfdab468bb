"""Faults and events of a profile."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import faults
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import Call, Live
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Adapter, Event, Fault, Host, Vm
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.profiles import complete
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import ProfileError

GB = 1024**3


class Machine(Live):
    type_names = ("Microsoft.HyperV.PowerShell.VirtualMachine",)
    properties: t.ClassVar = {}

    def __init__(self, host: Host, vm: Vm) -> None:
        super().__init__(host)
        self.vm = vm


@pytest.fixture
def host() -> Host:
    host = Host(vms=[Vm(name="a", adapters=[Adapter()]), Vm(name="b")])
    complete(host)
    return host


def call(host: Host, cmdlet: str = "Start-VM", **values: t.Any) -> Call:
    source = "Microsoft.HyperV.PowerShell.Commands.StartVM"
    return Call(host=host, cmdlet=cmdlet, error_source=source, set="x", values=values)


def fates(host: Host, *calls: Call) -> list[str]:
    return [faults.intercept(one) for one in calls]


def test_after_and_times_are_counted(host: Host) -> None:
    host.faults = [Fault(cmdlet="start-vm", after=1, times=2)]
    assert fates(host, *(call(host) for _number in range(5))) == ["run", "failed", "failed", "run", "run"]


def test_only_calls_on_its_vm_count(host: Host) -> None:
    a, b = (Machine(host, vm) for vm in host.vms)
    host.faults = [Fault(cmdlet="Start-VM", vm="A", times=1)]
    calls = [
        call(host),
        call(host, VM=[b]),
        call(host, Name=["b"]),
        call(host, "Get-VMProcessor", VM=[a]),
        call(host, VM=[a]),
        call(host, VM=[a]),
    ]
    assert fates(host, *calls) == ["run", "run", "run", "run", "failed", "run"]


@pytest.mark.parametrize(
    ("cmdlet", "values", "fate"),
    [
        ("Start-VM", {"Name": ["a"]}, "failed"),
        ("New-VM", {"Name": "a"}, "failed"),
        ("Get-VMNetworkAdapter", {"Name": "a"}, "run"),
        ("Get-VMNetworkAdapter", {"VMName": ["A"], "Name": "x"}, "failed"),
        ("New-VMSwitch", {"Name": "a"}, "run"),
    ],
)
def test_what_names_a_vm(host: Host, cmdlet: str, values: dict[str, t.Any], fate: str) -> None:
    host.faults = [Fault(cmdlet=cmdlet, vm="a")]
    assert faults.intercept(call(host, cmdlet, **values)) == fate


def test_the_other_vms_of_a_call_go_on(host: Host) -> None:
    a, b = (Machine(host, vm) for vm in host.vms)
    host.faults = [Fault(cmdlet="Start-VM", vm=host.vms[0].id, id="OutOfMemory")]
    one = call(host, VM=[a, b])
    assert faults.intercept(one) == "run"
    assert one.values["VM"] == [b]
    assert [record.id for record in one.errors] == ["OutOfMemory,Microsoft.HyperV.PowerShell.Commands.StartVM"]


def test_a_silent_fault_says_nothing(host: Host) -> None:
    host.faults = [Fault(cmdlet="Start-VM", silent=True)]
    one = call(host)
    assert faults.intercept(one) == "silent"
    assert one.errors == []


def test_events_happen_once_at_the_beginning_of_their_process(host: Host) -> None:
    host.events = [
        Event(process=2, vm="a", set={"memory.startup": "8GB", "state": "Running", "adapters.0.mac_address_spoofing": True}),
        Event(process=2, set={"vmms_running": False}),
        Event(process=3, vm="b", set={"notes": "new"}),
    ]
    faults.begin_process(host)
    assert (host.vms[0].memory.startup, host.vmms_running) == (GB, True)
    faults.begin_process(host)
    first = host.vms[0]
    assert (first.memory.startup, first.state, first.adapters[0].mac_address_spoofing) == (8 * GB, "Running", True)
    assert first.adapters[0].mac != "0" * 12
    assert not host.vmms_running
    assert [event.done for event in host.events] == [True, True, False]
    assert host.vms[1].notes == ""


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event(process=1, vm="c", set={"notes": "x"}), "no VM 'c'"),
        (Event(process=1, vm="a", set={"memroy.startup": "8GB"}), "unknown key 'memroy'"),
        (Event(process=1, vm="a", set={"memory.startup": "lots"}), "is not a size"),
        (Event(process=1, vm="a", set={"adapters.1.mac": "x"}), "no item '1'"),
        (Event(process=1, vm="a", set={"state": "Asleep"}), "is none of"),
    ],
)
def test_impossible_events_name_their_place(host: Host, event: Event, text: str) -> None:
    host.events = [event]
    with pytest.raises(ProfileError, match=r"events\[0\]") as caught:
        faults.begin_process(host)
    assert text in str(caught.value)
