"""Random labs and random wishes: each is refused with nothing changed, or converged in one run."""

from __future__ import annotations

import contextlib
import importlib
import typing as t

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.tests.cases.lab import RESOURCES, Lab

pytestmark = pytest.mark.newest

Plain = dict[str, t.Any]

NASTY = [
    "l1-a",
    "L1-A",
    "l1\u00ada",
    "l1a",
    "l1-*",
    "web[1]",
    "web1",
    "web,1",
    "it's $(x)",
    "\u2019; Stop-VM *",
    "2026-11-21T10:00:00Z",
    "日本",
    "straße",
    "strasse",
    "STRASSE",
    "\u0131",
    "i",
    "I",
    "010",
    "8",
    "None",
    "true",
    " padded ",
    "$null",
    "`n",
    "c0ffee00-0000-4000-8000-000000000001",
]
VERSIONS = ["8.0", "9.0", "9.3", "10.0"]
STATES = ["Running", "Off", "Paused", "Saved"]
MB = 1024**2

flags = st.booleans()
adapters = st.fixed_dictionaries({"name": st.sampled_from(["Network Adapter", "lan", "LAN", "l[an]"]), "mac_address_spoofing": flags})


@st.composite
def memories(draw: st.DrawFn) -> Plain:
    minimum, startup, maximum = sorted(2 * MB * draw(st.integers(16, 2048)) for _number in range(3))
    return {"dynamic": draw(flags), "minimum": minimum, "startup": startup, "maximum": maximum, "buffer": draw(st.integers(5, 2000))}


def mostly(usual: t.Any, rare: t.Any) -> st.SearchStrategy[t.Any]:
    return st.sampled_from([usual] * 14 + [rare])


def vms_of(number: int) -> st.SearchStrategy[Plain]:
    return st.fixed_dictionaries(
        {
            "name": st.sampled_from(NASTY),
            "id": st.just(f"c0ffee00-0000-4000-8000-{number:012}"),
            "state": st.sampled_from(STATES),
            "version": st.sampled_from(VERSIONS),
            "processor": st.fixed_dictionaries({"count": st.integers(1, 8), "expose_virtualization_extensions": flags}),
            "memory": memories(),
            "adapters": st.lists(adapters, max_size=3),
            "vbs_opt_out": flags,
            "clustered": mostly(False, True),
            "guest": st.fixed_dictionaries({"integration_services": mostly(True, False)}),
        }
    )


@st.composite
def profiles(draw: st.DrawFn) -> Plain:
    host = draw(st.sampled_from(["server2022-intel", "server2022-amd", "server2025-intel", "server2019-amd", "windows11-amd"]))
    vms = draw(st.integers(0, 6).flatmap(lambda count: st.tuples(*map(vms_of, range(count)))))
    if draw(mostly(True, False)):  # else two of them may have one name
        names = draw(st.permutations(NASTY))
        vms = tuple({**vm, "name": name} for vm, name in zip(vms, names, strict=False))
    for vm in vms:
        if vm["state"] == "Paused":  # whether its guest can be shut down shows only when it runs again: no check mode foretells that
            vm["guest"]["integration_services"] = True
        if host == "server2019-amd":
            vm["version"] = min(vm["version"], "9.0", key=VERSIONS.index)
        if "amd" in host and VERSIONS.index(vm["version"]) < VERSIONS.index("9.3") and vm["state"] != "Off":
            vm["processor"]["expose_virtualization_extensions"] = False  # it would not have started (facts 1.1)
    return {"based_on": host, "vms": list(vms)}


def maybe(values: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return st.none() | values


POWER = {
    "when_running": st.sampled_from(["shutdown", "turn_off"] * 5 + ["fail"]),
    "discard_saved_state": mostly(True, False),
}
WISHES: dict[str, dict[str, st.SearchStrategy[t.Any]]] = {
    "hyperv_nested": {
        **POWER,
        "state": maybe(st.sampled_from(["enabled", "disabled"])),
        "processors": maybe(st.integers(1, 8)),
        "vbs_opt_out": maybe(flags),
        "upgrade_version": maybe(flags),
    },
    "hyperv_vm_memory": {
        **POWER,
        "dynamic": maybe(flags),
        **{name: maybe(st.integers(16, 1024).map(lambda n: f"{2 * n}MB")) for name in ("minimum", "startup", "maximum")},
        "buffer": maybe(st.integers(5, 2000)),
        "priority": maybe(st.integers(0, 100)),
    },
    "hyperv_mac_spoof": {
        "state": maybe(st.sampled_from(["enabled", "disabled"])),
        "adapters": maybe(st.lists(st.sampled_from(["Network Adapter", "lan", "l[an]"]), min_size=1, max_size=2)),
    },
}


@st.composite
def tasks(draw: st.DrawFn, module: str) -> tuple[Plain, Plain]:
    """A profile, and options that mostly name VMs which are there: by name in any case, by id, twice."""
    profile = draw(profiles())
    existing = [text for vm in profile["vms"] for text in (vm["name"], vm["name"].swapcase(), vm["id"], f"{{{vm['id'].upper()}}}")]
    names = draw(st.lists(st.sampled_from(existing or NASTY), max_size=4)) + draw(mostly([], ["gone"]))
    wish = {name: draw(values) for name, values in WISHES[module].items()}
    if wish.get("dynamic") is False and draw(flags):
        wish |= {"minimum": None, "maximum": None, "buffer": None}
    return profile, {"vms": names, **{name: value for name, value in wish.items() if value is not None}}


def means(vm: Plain, names: t.Sequence[str]) -> bool:
    """Whether one of the names could be this VM, read as generously as anybody might."""
    return any(name.strip("{}").lower() in (vm["name"].lower(), vm["id"]) for name in names)


def converged(lab: Lab, module: str, options: Plain) -> None:
    twin, before = lab.copy(), lab.plain()
    foretold = twin.task(module, options, check_mode=True)
    assert twin.plain() == before, "check mode changed something"
    result = lab.task(module, options)
    after = lab.plain()
    assert [vm for vm in after.get("vms", []) if not means(vm, options["vms"])] == [
        vm for vm in before.get("vms", []) if not means(vm, options["vms"])
    ]
    assert {name: result.get(name) for name in SAME} == {name: foretold.get(name) for name in SAME}
    if result.get("failed"):
        event(f"refused: {result['error_code']}")
        assert after == before, "refused, and something changed"
        assert len(lab.sent) <= 1
        assert result["fix"]
        return
    event("changed" if result["changed"] else "as it was")
    assert len(lab.sent) == (2 if result["changed"] else 1)
    again = lab.task(module, options)
    assert (again.get("failed"), again["changed"], again["changes"], again["commands"]) == (None, False, [], [])
    assert lab.plain() == after
    assert again["vms"] == result["vms"]


SAME = ("failed", "error_code", "changed", "changes", "commands", "diff", "power_cycled")
EXISTING = []
for name in WISHES:
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(f"{RESOURCES}.{name}")
        EXISTING.append(name)


@pytest.mark.parametrize("module", EXISTING)
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_random_task(module: str, data: st.DataObject) -> None:
    profile, options = data.draw(tasks(module))
    converged(Lab(profile), module, options)


def batches(exposed: bool) -> st.SearchStrategy[list[Plain]]:
    """A few VMs that can all be changed, of which the first is the one that fails."""
    processor = st.fixed_dictionaries({"count": st.integers(1, 4), "expose_virtualization_extensions": st.just(exposed)})
    each = st.fixed_dictionaries({"state": st.sampled_from(["Running", "Off", "Paused"]), "processor": processor, "vbs_opt_out": flags})
    return st.lists(each, min_size=1, max_size=4).map(lambda vms: [{"name": f"vm-{number}", **vm} for number, vm in enumerate(vms)])


STEPS = ("Stop-VM", "Resume-VM", "Set-VMSecurity", "Set-VMProcessor", "Start-VM", "Suspend-VM")


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    vms=batches(exposed=False),
    fault=st.sampled_from(STEPS),
    silent=flags,
    how=st.sampled_from(["shutdown", "turn_off"]),
    count=st.integers(1, 4),
    vbs=maybe(flags),
)
def test_one_vm_that_fails_leaves_the_others_converged(
    vms: list[Plain], fault: str, silent: bool, how: str, count: int, vbs: bool | None
) -> None:
    """And is itself as it was, or what was done is said. A host that says that it did what it did not is found out."""
    faults = [{"cmdlet": fault, "vm": "vm-0", "times": 1, "silent": silent}]
    lab = Lab({"based_on": "server2022-intel", "vms": vms, "faults": faults})
    before = lab.plain()["vms"]
    options = {"vms": [vm["name"] for vm in vms], "when_running": how, "processors": count} | ({} if vbs is None else {"vbs_opt_out": vbs})
    result = lab.task("hyperv_nested", options)
    met = any(each.seen for each in lab.host.faults)
    event(f"{fault} {'silently ' if silent else ''}{'failed' if result.get('failed') else 'met' if met else 'not met'}")
    for vm, host in zip(vms[1:], lab.host.vms[1:], strict=True):
        assert host.state == vm["state"]
        assert (host.processor.count, host.processor.expose_virtualization_extensions) == (count, True)
    if not result.get("failed"):
        assert not met or silent  # to turn off a VM that did not resume does as well
        assert lab.host.vms[0].state == vms[0]["state"]
        return
    assert [failure["subject"] for failure in result["failures"]] == ["vm-0"] * len(result["failures"])
    done = {change["attribute"] for change in result["changes"] if change["subject"] == "vm-0"}
    failed = lab.host.vms[0]
    if not done and not silent:
        assert lab.plain()["vms"][0].get("processor") == before[0].get("processor")
    assert ("expose_virtualization_extensions" in done) == failed.processor.expose_virtualization_extensions
