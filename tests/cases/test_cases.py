"""Every case file, run by one function; what each case gets besides what it says:

- check mode changes nothing and foretells the same changes and commands;
- a run costs one remote process, or two with changes, unless the host was restarted and waited for;
- the second run plans nothing;
- VMs that were not named are as they were, unless the host was restarted;
- the commands are PowerShell;
- the same outcome on a French host, and whether live objects show later changes or not;
- the same outcome for hyperv_guest_network, whether a lease goes with DHCP or stays;
- no part of a payload in the result.

A case:
  about: one sentence
  profile: {based_on: server2022-intel, vms: [...]}   see docs/simulator.md
  module: hyperv_nested                               default: the folder's name
  options: {...}
  connection: 192.0.2.10                              what Ansible connects to; default: a name; null: there is no network between
  inside: l1                                          the inventory host is the Windows in this VM
  expect:
    changed: true
    commands: [...]         exactly, in order
    changes: {l1-a: {processors: [1, 2]}}
    error_code: ...         of the result
    failures: [{subject: ..., error_code: ...}]       the keys that matter
    warns: [...]            parts of warnings
    power_cycled: [...]
    host: {vms.l1-a.processor.count: 2}               the host afterwards
    result: {vms.0.processors: 2}                     the result
    processes: 2            when it is not 1, or 2 with changes
  again: false              the second run is not expected to plan nothing (after a failure it is not tried)
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import tree_sitter
import tree_sitter_powershell
import yaml

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import profiles
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab

FOLDER = pathlib.Path(__file__).parent
FILES = sorted(path for path in FOLDER.glob("*/*.yml"))
Case = dict[str, t.Any]
POWERSHELL = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def name_of(path: pathlib.Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def load(path: pathlib.Path) -> Case:
    case = yaml.load(path.read_text(encoding="utf-8"), profiles._Loader)  # noqa: S506 - a SafeLoader
    unknown = set(case) - {"about", "profile", "module", "options", "connection", "inside", "expect", "again"}
    assert not unknown, f"{path}: {unknown}"
    return {"module": path.parent.name, "again": True, "connection": "hv01.example", "inside": None, **case}


def lab_of(case: Case, **variant: str | bool) -> Lab:
    return Lab({**case["profile"], **variant}, case["connection"], case["inside"])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_case(path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    case = load(path)
    lab = lab_of(case)
    foretold = check_mode_changes_nothing(case, lab)
    before = lab.plain()
    result = lab.task(case["module"], case["options"])
    as_expected(case["expect"], lab, result)
    as_foretold(result, foretold)
    if not result.get("rebooted"):
        others_untouched(case["options"], before, lab.plain())
    commands_parse(result)
    assert "$from" not in json.dumps(result)
    record_payloads(request, name_of(path), lab)
    if not result.get("failed") and case["again"]:
        second_run_plans_nothing(case, lab)


@pytest.mark.parametrize("variant", [{"language": "fr-FR"}, {"objects": "snapshot"}], ids=["french", "snapshots"])
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_same_elsewhere(path: pathlib.Path, variant: dict[str, str]) -> None:
    case = load(path)
    here, there = lab_of(case), lab_of(case, **variant)
    wanted, found = (without_texts(lab.task(case["module"], case["options"])) for lab in (here, there))
    assert found == wanted


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "hyperv_guest_network"], ids=name_of)
def test_same_when_leases_stay(path: pathlib.Path) -> None:
    case = load(path)
    here, there = lab_of(case), lab_of(case, leases_stay=True)
    wanted, found = (without_texts(lab.task(case["module"], case["options"])) for lab in (here, there))
    # what a lease leaves behind is taken away by commands that are not needed where it goes by itself
    assert {**found, "commands": None} == {**wanted, "commands": None}
    if not found.get("failed") and case["again"]:
        second_run_plans_nothing(case, there)


def check_mode_changes_nothing(case: Case, lab: Lab) -> dict[str, t.Any]:
    twin = lab.copy()
    before = twin.plain()
    result = twin.task(case["module"], case["options"], check_mode=True)
    assert twin.plain() == before
    assert len(twin.sent) <= 1
    return result


def as_expected(expect: dict[str, t.Any], lab: Lab, result: dict[str, t.Any]) -> None:
    known = {"changed", "commands", "changes", "error_code", "failures", "warns", "power_cycled", "host", "result", "processes"}
    assert not set(expect) - known
    shown = json.dumps(result, indent=1, ensure_ascii=False, default=str)
    assert result.get("error_code") == expect.get("error_code"), shown
    assert result["changed"] == expect.get("changed", False), shown
    for name in ("commands", "power_cycled"):
        if name in expect:
            assert result.get(name, []) == expect[name], shown
    if "changes" in expect:
        assert changes_of(result) == {s: {a: tuple(p) for a, p in of.items()} for s, of in expect["changes"].items()}, shown
    for wanted, found in zip(expect.get("failures", ()), result.get("failures", ()), strict=True) if "failures" in expect else ():
        assert {name: found[name] for name in wanted} == wanted, shown
    for part in expect.get("warns", ()):
        assert any(part in text for text in result.get("warnings", ())), shown
    for path, wanted in expect.get("host", {}).items():
        assert lab.look(path) == wanted, f"{path}: {lab.look(path)!r}"
    for path, wanted in expect.get("result", {}).items():
        assert pick(result, path) == wanted, shown
    if expect.get("error_code"):
        assert result["msg"], shown
        assert result["fix"], shown
    if result.get("rebooted") and "processes" not in expect:
        return
    invalid = result.get("error_code") == "invalid_options"
    assert lab.host.processes == expect.get("processes", 0 if invalid else 2 if written(result) else 1), shown


def written(result: dict[str, t.Any]) -> bool:
    return bool(result["changed"] or result.get("commands") or any(f["left"] or f["undone"] for f in result.get("failures", ())))


def pick(result: t.Any, path: str) -> t.Any:
    for word in path.split("."):
        result = result[int(word)] if isinstance(result, list) else result[word]
    return result


def changes_of(result: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    changes: dict[str, dict[str, t.Any]] = {}
    for change in result.get("changes", ()):
        changes.setdefault(change["subject"], {})[change["attribute"]] = (change["before"], change["after"])
    return changes


def as_foretold(result: dict[str, t.Any], foretold: dict[str, t.Any]) -> None:
    if not foretold.get("failed") and result.get("failed"):
        return  # the host refused what nobody could know
    for name in ("changed", "changes", "commands", "power_cycled", "diff", "error_code"):
        assert result.get(name) == foretold.get(name), name


def others_untouched(options: dict[str, t.Any], before: dict[str, t.Any], after: dict[str, t.Any]) -> None:
    named = options.get("vms", options.get("vm")) or []
    named = {name.strip("{}").upper() for name in ([named] if isinstance(named, str) else named) if isinstance(name, str)}
    untouched = [vm for vm in before.get("vms", []) if vm["name"].upper() not in named and vm["id"].upper() not in named]
    ids = {vm["id"] for vm in untouched}
    assert [vm for vm in after.get("vms", []) if vm["id"] in ids] == untouched


def commands_parse(result: dict[str, t.Any]) -> None:
    for line in result.get("commands", ()):
        assert not POWERSHELL.parse(line.encode()).root_node.has_error, line


def second_run_plans_nothing(case: Case, lab: Lab) -> None:
    processes, before = lab.host.processes, lab.plain()
    again = lab.task(case["module"], case["options"])
    assert not again.get("failed"), again
    assert (again["changed"], again["changes"], again["commands"]) == (False, [], [])
    assert lab.host.processes == processes + 1
    assert lab.plain() == before


def without_texts(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """A result without what the host says in its own language."""
    kept = {name: value for name, value in result.items() if name not in ("msg", "warnings", "findings")}
    if "failures" in kept:
        kept["failures"] = [{name: value for name, value in failure.items() if name != "msg"} for failure in kept["failures"]]
    return kept


def record_payloads(request: pytest.FixtureRequest, name: str, lab: Lab) -> None:
    """For `make payloads`: what a real PowerShell can be given."""
    target = request.config.getoption("--payloads")
    if not target:
        return
    with pathlib.Path(target).open("a", encoding="utf-8") as file:
        for number, sent in enumerate(lab.sent, 1):
            first, *secrets = sent.decode().partition(" ")[2].rstrip("\n").split("\n")
            line = {"name": f"{name}#{number}", "payload": json.loads(first)["payload"], "secrets": secrets}
            file.write(json.dumps(line) + "\n")
