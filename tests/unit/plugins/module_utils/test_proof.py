"""The proof, where Windows answers what the pretended hosts never do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils import _converge
from ansible_collections.hyperlab.nested.plugins.module_utils._errors import HostFault
from ansible_collections.hyperlab.nested.plugins.module_utils._resources import hyperv_nested_info as info
from ansible_collections.hyperlab.nested.plugins.module_utils._resources.hyperv_nested_info import SPEC, State, queries
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Fault, Row, Step
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

ROUTE = {"NextHop": "192.0.2.1", "InterfaceIndex": 4}
ALIAS = {"Name": "www.example.com", "NameHost": "example.net"}


def proof(dns: list[dict[str, t.Any]], neighbours: list[dict[str, t.Any]], routes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    options = SPEC.validate({"vms": [], "proof": {"dns": "www.example.com"}})
    rows = {"proof dns": dns, "proof neighbours": neighbours, "proof routes": routes}
    steps = queries(options)
    answers = [Answer(rows=tuple(Row(step.save or "", row) for row in rows.get(step.save or "", ()))) for step in steps]
    return t.cast("dict[str, t.Any]", State.from_answers(options, Answers(steps, answers)).result()["proof"])


def test_a_name_that_leads_to_another_one_has_its_address() -> None:
    assert proof([ALIAS, {"IPAddress": "203.0.113.7"}], [], [])["dns"]["addresses"] == ["203.0.113.7"]


def test_a_name_that_leads_nowhere_is_not_reached() -> None:
    assert proof([ALIAS], [], [])["dns"]["reached"] is False


def test_a_neighbour_of_another_adapter_is_not_the_gateway() -> None:
    elsewhere = {"IPAddress": "192.0.2.1", "InterfaceIndex": 7, "State": "Reachable"}
    assert proof([], [elsewhere], [ROUTE])["gateway"] == {"addresses": ["192.0.2.1"], "reached": False}


@pytest.mark.parametrize(
    ("state", "reached"),
    [
        ("Reachable", True),
        ("Permanent", True),
        *((state, False) for state in ("Unreachable", "Incomplete", "Probe", "Delay", "Stale")),
    ],
)
def test_only_an_answer_of_now_counts(state: str, reached: bool) -> None:
    assert proof([], [{"IPAddress": "192.0.2.1", "InterfaceIndex": 4, "State": state}], [ROUTE])["gateway"]["reached"] is reached


def test_one_of_two_gateways_is_enough() -> None:
    other = {"NextHop": "192.0.2.2", "InterfaceIndex": 4}
    answering = {"IPAddress": "192.0.2.2", "InterfaceIndex": 4, "State": "Reachable"}
    assert proof([], [answering], [ROUTE, other])["gateway"] == {"addresses": ["192.0.2.1", "192.0.2.2"], "reached": True}


def test_a_gateway_is_reached_by_one_of_two_adapters() -> None:
    answering = {"IPAddress": "192.0.2.1", "InterfaceIndex": 4, "State": "Reachable"}
    assert proof([], [answering], [ROUTE, {**ROUTE, "InterfaceIndex": 7}])["gateway"] == {"addresses": ["192.0.2.1"], "reached": True}


def test_a_route_without_a_gateway_is_none() -> None:
    assert proof([], [], [{"NextHop": "0.0.0.0", "InterfaceIndex": 4}])["gateway"]["addresses"] == []  # noqa: S104 - a next hop


# --- what Windows answers with an error ---


def read(wanted: dict[str, t.Any], faults: dict[str, Fault], rows: dict[str, list[dict[str, t.Any]]] | None = None) -> dict[str, t.Any]:
    """The proof of a host of which nothing is known but these answers; raises what the task would."""
    resource = t.cast("_converge.Resource", info)

    def run(steps: t.Sequence[Step]) -> list[Answer]:
        known = rows or {}
        return [
            Answer(
                rows=tuple(Row(step.save or "", row) for row in known.get(step.save or "", ())),
                faults=tuple(fault for save, fault in faults.items() if save == step.save),
            )
            for step in steps
        ]

    state = _converge.read(resource, SPEC.validate({"vms": [], "proof": wanted}), run)
    return t.cast("dict[str, t.Any]", t.cast("State", state).result()["proof"])


def fault(kind: str, category: str) -> Fault:
    return Fault(id=f"{kind},Some.Cmdlet", category=category, reason="", message="")


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("DNS_ERROR_RCODE_SERVER_FAILURE", "ResourceUnavailable"),
        ("RCODE_SERVER_FAILURE", "ResourceUnavailable"),
        ("DNS_ERROR_RCODE_REFUSED", "ResourceUnavailable"),
        ("DNS_ERROR_INVALID_NAME_CHAR", "ResourceUnavailable"),
        ("DNS_ERROR_UNSECURE_PACKET", "ResourceUnavailable"),
        ("ERROR_TIMEOUT", "OperationTimeout"),
    ],
)
def test_whatever_dns_says_is_no_address(kind: str, category: str) -> None:
    assert read({"dns": "www.example.com"}, {"proof dns": fault(kind, category)})["dns"]["reached"] is False


@pytest.mark.parametrize("category", ["PermissionDenied", "NotSpecified", "InvalidArgument"])
def test_another_error_of_the_question_is_one_of_the_task(category: str) -> None:
    with pytest.raises(HostFault):
        read({"dns": "www.example.com"}, {"proof dns": fault("Other", category)})


BOOT = {"LastBootUpTime": "2026-11-21T08:00:00.5000000Z"}


@pytest.mark.parametrize(
    ("moment", "launched"),
    [
        ("2026-11-21T08:00:04.0000000Z", True),
        # Windows does not always say the same of its start
        ("2026-11-21T07:59:59.0000000Z", True),
        ("2026-11-21T07:58:00.0000000Z", False),
        ("nonsense", False),
    ],
)
def test_a_launch_counts_since_windows_started(moment: str, launched: bool) -> None:
    rows = {"os": [BOOT], "proof launch": [{"TimeCreated": moment}], "host": [{"Name": "L1"}]}
    shown = read({"hypervisor": True, "gateway": False}, {}, {**rows, "system": [{"Model": "Virtual Machine"}]})
    assert (shown["launched"], shown["hypervisor"]) == ((moment, True) if launched else ("", None))


@pytest.mark.parametrize(
    ("kind", "launched"),
    [
        ("NoMatchingEventsFound", ""),
        ("System.UnauthorizedAccessException", None),
        ("System.Diagnostics.Eventing.Reader.EventLogException", None),
        ("CommandNotFoundException", None),
    ],
)
def test_no_event_is_something_else_than_no_log(kind: str, launched: str | None) -> None:
    shown = read({"hypervisor": True, "gateway": False}, {"proof launch": fault(kind, "NotSpecified")})
    assert shown["launched"] == launched


GUEST, SEES = {"Model": "Virtual Machine", "HypervisorPresent": True}, {"VirtualizationFirmwareEnabled": True}


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ({"system": [GUEST], "cpus": [SEES]}, True),
        ({"system": [GUEST]}, False),
        ({"system": [GUEST], "host": [{"Name": "L1"}]}, None),
        ({"system": [GUEST], "device_guard": [{"VirtualizationBasedSecurityStatus": 2}]}, None),
        ({"system": [GUEST], "os": [BOOT], "proof launch": [{"TimeCreated": "2026-11-21T08:00:04.0000000Z"}]}, True),
        ({"system": [{"Model": "Server", "HypervisorPresent": False}]}, False),
        ({"system": [{"Model": "Server", "HypervisorPresent": True}]}, None),
        ({"system": [{"Model": "Server", "HypervisorPresent": True}], "host": [{"Name": "HV01"}]}, True),
    ],
)
def test_what_a_hypervisor_has_taken_is_not_said_to_be_missing(rows: dict[str, list[dict[str, t.Any]]], seen: bool | None) -> None:
    assert read({"hypervisor": True, "gateway": False}, {}, rows)["extensions_seen"] is seen


def test_without_the_log_nobody_knows_what_hides_the_extensions() -> None:
    closed = {"proof launch": fault("System.UnauthorizedAccessException", "NotSpecified")}
    assert read({"hypervisor": True, "gateway": False}, closed, {"system": [GUEST]})["extensions_seen"] is None


def test_nobody_is_asked_for_what_is_not_wanted() -> None:
    asked = [
        step.save for step in queries(SPEC.validate({"vms": [], "proof": {"gateway": False}})) if (step.save or "").startswith("proof")
    ]
    assert asked == []


def test_the_gateway_is_asked_before_windows_is() -> None:
    steps = [step.verb_noun for step in queries(SPEC.validate({"vms": [], "proof": {}}))]
    assert steps[-3:] == ["Get-NetRoute", "Test-Connection", "Get-NetNeighbor"]


LAN = {"prefix": "192.0.2.0/24", "routers": ["192.0.2.1"]}


@pytest.mark.parametrize(
    ("profile", "reached"),
    [
        # nobody to wait for
        ({"adapters": [{"name": "Ethernet", "index": 4}], "addresses": [], "routes": []}, False),
        # on the other adapter Windows has an old entry of the same address, and no reason to ask for it
        (
            {
                "switches": [{"name": "Lab"}],
                "addresses": [
                    {"address": "192.0.2.10", "on": "Ethernet"},
                    {"address": "192.0.3.10", "prefix_length": 23, "on": "vEthernet (Lab)"},
                ],
                "neighbours": {"192.0.2.1": "Stale"},
                "adapters": [{"name": "Ethernet", "index": 4, "gateway": "192.0.2.1", "lan": LAN}],
            },
            True,
        ),
    ],
    ids=["nobody", "elsewhere"],
)
def test_nobody_is_waited_for_in_vain(profile: dict[str, t.Any], reached: bool) -> None:
    lab = Lab({"based_on": "server2022-intel", **profile})
    began = lab.host.clock
    assert lab.task("hyperv_nested_info", {"vms": [], "proof": {}})["proof"]["gateway"]["reached"] is reached
    assert lab.host.clock - began < 10
