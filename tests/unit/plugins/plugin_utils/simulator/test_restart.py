"""What a restart of Windows leaves of its network."""

from __future__ import annotations

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import (
    Address,
    Host,
    HostAdapter,
    Nat,
    Route,
    StaticMapping,
    Switch,
)
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.restart import network_restarted
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import load, windows
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.network_calls import run

NEW, GET = (f"NetTCPIP\\{verb}-NetIPAddress" for verb in ("New", "Get"))


L1 = """
vms:
  - name: l1
    state: Running
    guest:
      windows:
        based_on: server2022-intel
        switches: [{name: VmNAT}]
        addresses: [{address: 192.168.100.1, "on": vEthernet (VmNAT), persistent: false}]
"""


def host_with_nat() -> Host:
    mapping = StaticMapping(id=3, external_port=8080, internal_address="192.168.100.2", internal_port=80)
    return Host(
        adapters=[
            HostAdapter(name="Ethernet", index=4, id="e"),
            HostAdapter(name="vEthernet (A)", index=5, id="a", switch="sa"),
            HostAdapter(name="vEthernet (B)", index=6, id="b", switch="sb"),
        ],
        switches=[Switch(name="A", id="sa"), Switch(name="B", id="sb")],
        addresses=[Address(address="192.0.2.10", adapter=4), Address(address="192.168.100.1", adapter=5)],
        nats=[Nat(name="N", prefix="192.168.100.0/24", mappings=[mapping])],
    )


def test_what_was_made_in_both_stores_stays() -> None:
    host = host_with_nat()
    network_restarted(host)
    assert [address.address for address in host.addresses] == ["192.0.2.10", "192.168.100.1"]
    assert host.nats == host_with_nat().nats
    assert host.switches == host_with_nat().switches


def test_what_was_made_in_the_active_store_only_is_gone() -> None:
    host = host_with_nat()
    host.routes = [Route(next_hop="192.0.2.1", adapter=4), Route(next_hop="192.168.100.9", adapter=5, persistent=False)]
    assert run(host, NEW, IPAddress="10.9.9.1", InterfaceIndex=6, PrefixLength=24, PolicyStore="ActiveStore").errors == []
    assert run(host, NEW, IPAddress="10.9.9.2", InterfaceIndex=6, PrefixLength=24).errors == []
    assert "10.9.9.1" not in run(host, GET, PolicyStore="PersistentStore").column("IPAddress")
    assert "10.9.9.1" in run(host, GET).column("IPAddress")
    network_restarted(host)
    assert [address.address for address in host.addresses] == ["192.0.2.10", "192.168.100.1", "10.9.9.2"]
    assert [route.next_hop for route in host.routes] == ["192.0.2.1"]


def test_management_adapters_get_other_indices_and_what_is_on_them_follows() -> None:
    host = host_with_nat()
    host.routes = [Route(destination="10.0.0.0/8", next_hop="192.168.100.9", adapter=5)]
    network_restarted(host)
    assert {adapter.name: adapter.index for adapter in host.adapters} == {"Ethernet": 4, "vEthernet (A)": 7, "vEthernet (B)": 8}
    assert [address.adapter for address in host.addresses] == [4, 7]
    assert [route.adapter for route in host.routes] == [7]


def test_the_windows_in_a_vm_restarts_so_too() -> None:
    host = load(L1)
    [vm] = host.vms
    power.restart(host, vm, graceful=True)
    assert windows(vm).addresses == []
    assert [switch.name for switch in windows(vm).switches] == ["VmNAT"]
