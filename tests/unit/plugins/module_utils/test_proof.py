"""The proof, where Windows answers what the pretended hosts never do."""

from __future__ import annotations

import typing as t

from ansible_collections.hyperlab.nested.plugins.module_utils._resources.hyperv_nested_info import SPEC, State, queries
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Row

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
    assert proof([], [{**elsewhere, "InterfaceIndex": 4, "State": "Stale"}], [ROUTE])["gateway"]["reached"]
    assert not proof([], [{**elsewhere, "InterfaceIndex": 4, "State": "Incomplete"}], [ROUTE])["gateway"]["reached"]


def test_one_of_two_gateways_is_enough() -> None:
    other = {"NextHop": "192.0.2.2", "InterfaceIndex": 4}
    answering = {"IPAddress": "192.0.2.2", "InterfaceIndex": 4, "State": "Reachable"}
    assert proof([], [answering], [ROUTE, other])["gateway"] == {"addresses": ["192.0.2.1", "192.0.2.2"], "reached": True}


def test_a_route_without_a_gateway_is_none() -> None:
    assert proof([], [], [{"NextHop": "0.0.0.0", "InterfaceIndex": 4}])["gateway"]["addresses"] == []  # noqa: S104
