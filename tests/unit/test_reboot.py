"""Real plays that restart the inventory host: a pretended host of its own, and a guest over PowerShell Direct."""

from __future__ import annotations

import json
import typing as t

import pytest

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult

CANARY = "canary-2c7e-guest"
HOST = "based_on: server2022-intel\nhyperv: absent\n"
GUEST = f"""
based_on: server2022-intel
vms:
  - name: l1
    state: Running
    processor: {{count: 4, expose_virtualization_extensions: %s}}
    memory: {{startup: 8GB}}
    guest:
      users: {{Administrator: {CANARY}}}
      windows: {{based_on: server2022-intel, hyperv: absent}}
"""
TASKS = (
    {"name": "install", "hyperlab.nested.hyperv_feature": {"reboot": True}},
    {"name": "use", "hyperlab.nested.hyperv_switch": {"name": "NAT", "type": "internal"}},
    {"name": "again", "hyperlab.nested.hyperv_feature": {"reboot": True}},
)


class Hosts:
    """One pretended host, and the guest in it."""

    def __init__(self, folder: pathlib.Path, play: Play, profile: str) -> None:
        self._play = play
        self._state = folder / "hv.json"
        (folder / "hv.yml").write_text(profile)
        self._inventory = {
            "all": {
                "hosts": {
                    "hv": {
                        "ansible_connection": "hyperlab.nested.simulator",
                        "ansible_simulator_profile": str(folder / "hv.yml"),
                        "ansible_simulator_state": str(self._state),
                    },
                    "l1": {
                        "ansible_connection": "hyperlab.nested.psdirect",
                        "ansible_psdirect_host": "hv",
                        "ansible_user": "Administrator",
                        "ansible_password": CANARY,
                    },
                }
            }
        }

    def play(self, host: str, *arguments: str, tasks: t.Sequence[t.Mapping[str, t.Any]] = TASKS) -> PlayResult:
        return self._play([{"hosts": host, "gather_facts": False, "tasks": tasks}], self._inventory, *arguments)

    @property
    def state(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self._state.read_text()))


def installed_and_used(played: PlayResult) -> None:
    played.succeeded()
    done = played.of("install").result
    assert (done["rebooted"], done["reboot_required"], done["features"]["hyperv"]) == (True, False, "installed")
    assert not done.get("warnings"), "Windows was restarted, so that it has to be is no news"
    assert played.of("use").status == "changed"
    assert (played.of("again").status, played.of("again").result["rebooted"]) == ("ok", False)


def test_a_host_restarts_and_whoever_watches_is_told(tmp_path: pathlib.Path, play: Play) -> None:
    played = Hosts(tmp_path, play, HOST).play("hv", "-v")
    installed_and_used(played)
    for part in ("restarting HV01", "waiting for HV01", "s left: it does not answer", "HV01 is back"):
        assert part in played.output


def test_without_v_nobody_is_bothered(tmp_path: pathlib.Path, play: Play) -> None:
    assert "waiting for" not in Hosts(tmp_path, play, HOST).play("hv").succeeded().output


def test_check_mode_says_that_it_would_restart(tmp_path: pathlib.Path, play: Play) -> None:
    hosts = Hosts(tmp_path, play, HOST)
    foretold = hosts.play("hv", "--check", "--diff", tasks=TASKS[:1]).succeeded().of("install")
    assert (foretold.status, foretold.result["rebooted"], foretold.result["commands"][-1]) == ("changed", True, "Restart-Computer")
    assert hosts.state["hyperv"] == "absent"


def test_a_host_that_never_comes_back_is_a_failure_that_keeps_the_changes(tmp_path: pathlib.Path, play: Play) -> None:
    hosts = Hosts(tmp_path, play, HOST + "boot_seconds: 100000\n")
    options = {"reboot": True, "reboot_timeout": 300}
    found = hosts.play("hv", tasks=[{"name": "it", "hyperlab.nested.hyperv_feature": options}]).of("it")
    assert (found.status, found.result["error_code"], found.result["changed"]) == ("failed", "restart_timed_out", True)
    assert [change["attribute"] for change in found.result["changes"]] == ["hyperv", "management_tools"]


@pytest.mark.psdirect
def test_a_guest_restarts_over_psdirect(tmp_path: pathlib.Path, play: Play) -> None:
    hosts = Hosts(tmp_path, play, GUEST % "true")
    played = hosts.play("l1", "-v")
    installed_and_used(played)
    assert "L1 is back" in played.output
    assert CANARY not in played.output
    assert hosts.state["vms"][0]["state"] == "Running"


@pytest.mark.psdirect
def test_a_guest_without_extensions_is_sent_to_its_host(tmp_path: pathlib.Path, play: Play) -> None:
    found = Hosts(tmp_path, play, GUEST % "false").play("l1").of("install")
    assert (found.status, found.result["error_code"]) == ("failed", "extensions_hidden")
    assert "hyperv_nested for VM 'l1' on its Hyper-V host HV" in found.result["fix"]
