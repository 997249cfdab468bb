"""Real plays: what Ansible does to a task before and after the road."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import PREFIX, command_line

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.plays import Play, PlayResult, TaskResult

CANARY = "canary-7b1d-password"
LAB = """
based_on: server2022-intel
vms:
  - {name: l1-a, state: Running}
  - {name: l1-b}
"""
Yaml = dict[str, t.Any]


class Hosts:
    """An inventory of pretended hosts, each with a state file of its own."""

    def __init__(self, folder: pathlib.Path, play: Play) -> None:
        self.folder = folder
        self._play = play
        (folder / "lab.yml").write_text(LAB)

    def inventory(self, *names: str, **variables: t.Any) -> Yaml:
        hosts = {name: {"ansible_simulator_state": str(self.folder / f"{name}.json")} for name in names or ("hv",)}
        common = {"ansible_connection": "hyperlab.nested.simulator", "ansible_simulator_profile": str(self.folder / "lab.yml")}
        return {"all": {"hosts": hosts, "vars": {**common, **variables}}}

    def play(self, tasks: t.Sequence[Yaml], *arguments: str, inventory: Yaml | None = None, **keywords: t.Any) -> PlayResult:
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks, **keywords}
        return self._play([play], inventory or self.inventory(), *arguments)

    def task(
        self, options: Yaml, *arguments: str, inventory: Yaml | None = None, play: Yaml | None = None, **keywords: t.Any
    ) -> TaskResult:
        """The one result of hyperv_nested in a play of its own."""
        task = {"name": "it", "hyperlab.nested.hyperv_nested": options, **keywords}
        return self.play([task], *arguments, inventory=inventory, **(play or {})).of("it")

    def vm(self, name: str, host: str = "hv") -> Yaml:
        [found] = [vm for vm in self.state(host)["vms"] if vm["name"] == name]
        return t.cast("Yaml", found)

    def state(self, host: str = "hv") -> Yaml:
        return t.cast("Yaml", json.loads((self.folder / f"{host}.json").read_text()))

    def exposed(self, name: str, host: str = "hv") -> bool:
        return bool(self.vm(name, host).get("processor", {}).get("expose_virtualization_extensions"))

    def untouched(self, host: str = "hv") -> bool:
        return not (self.folder / f"{host}.json").exists()


@pytest.fixture
def hosts(tmp_path: pathlib.Path, play: Play) -> Hosts:
    return Hosts(tmp_path, play)


# --- what Ansible offers and the road cannot take


@pytest.mark.parametrize(
    "where",
    [{"become": True}, {"play": {"become": True}}, {"variables": {"ansible_become": True}}],
    ids=["task", "play", "variable"],
)
def test_become_is_refused_in_words(hosts: Hosts, where: Yaml) -> None:
    inventory = hosts.inventory(**where.pop("variables", {}))
    found = hosts.task({"vms": "l1-b"}, inventory=inventory, **where)
    assert (found.status, found.result["error_code"]) == ("failed", "unsupported_task")
    assert "does not reach the host" in found.result["msg"]
    assert "ansible_become" in found.result["fix"]
    assert hosts.untouched()


@pytest.mark.parametrize("keywords", [{"async": 60, "poll": 0}, {"async": 60, "poll": 1}], ids=["in the background", "polled"])
def test_async_is_refused_in_words(hosts: Hosts, keywords: Yaml) -> None:
    found = hosts.task({"vms": "l1-b"}, **keywords)
    assert (found.status, found.result["error_code"]) == ("failed", "unsupported_task")
    assert "sync is not supported" in found.result["msg"]
    assert hosts.untouched()


def test_environment_is_a_warning(hosts: Hosts) -> None:
    found = hosts.task({"vms": "l1-b"}, play={"environment": {"HTTPS_PROXY": "http://proxy.example"}})
    assert found.status == "changed"
    assert found.result["warnings"] == ["environment does not reach the host: the task's cmdlets run without it"]
    assert "warnings" not in hosts.task({"vms": "l1-b"}).result


def test_a_local_connection_is_no_windows_host(hosts: Hosts) -> None:
    found = hosts.task({"vms": "l1-b"}, inventory=hosts.inventory(ansible_connection="local"))
    assert (found.status, found.result["error_code"]) == ("failed", "not_windows")
    assert "would run on the controller" in found.result["msg"]


def test_a_connection_that_breaks_makes_the_host_unreachable(hosts: Hosts) -> None:
    found = hosts.task({"vms": "l1-b"}, inventory=hosts.inventory(ansible_connection="dropping"))
    assert found.status == "unreachable"
    assert "connection reset by peer" in found.result["msg"]
    assert "safe to run the task again" in found.result["msg"]


WRONG = [
    ({"vms": "l1-b", "vmz": 1}, "vmz"),
    ({}, "vms"),
    ({"vms": "l1-b", "state": "present"}, "enabled, disabled"),
    ({"vms": "l1-b", "processors": "many"}, "processors"),
    ({"vms": "l1-b", "processors": 0}, "processors"),
    ({"vms": [10]}, "not a string"),
]


def test_wrong_options_are_refused_before_anything_is_read(hosts: Hosts) -> None:
    tasks = [
        {"name": str(number), "hyperlab.nested.hyperv_nested": options, "ignore_errors": True}
        for number, (options, _says) in enumerate(WRONG)
    ]
    played = hosts.play(tasks)
    for number, (_options, says) in enumerate(WRONG):
        found = played.of(str(number))
        assert (found.status, found.result["error_code"]) == ("failed", "invalid_options")
        assert says in found.result["msg"].lower()
        assert found.result["fix"]
    assert hosts.untouched()


def test_the_port_of_the_connection_is_not_forwarded(hosts: Hosts) -> None:
    forward = {"external_port": 55986, "internal_address": "192.168.100.2"}
    task = {"name": "it", "hyperlab.nested.hyperv_nat_switch": {"forwards": [forward]}}
    refused = hosts.play([task], inventory=hosts.inventory(ansible_port=55986)).of("it")
    assert refused.result["error_code"] == "port_of_host"
    assert hosts.play([task]).of("it").result["changed"]


def test_the_action_itself_is_no_module(hosts: Hosts) -> None:
    found = hosts.play([{"name": "it", "hyperlab.nested.hyperv": {"vms": "l1-b"}}]).of("it")
    assert found.status == "failed"
    assert "call one of its modules" in found.result["msg"]


def test_what_the_simulator_cannot_do_is_said(hosts: Hosts) -> None:
    found = hosts.task({"vms": "l1-b"}, inventory=hosts.inventory(ansible_simulator_profile="nonesuch"))
    assert found.status in {"failed", "unreachable"}
    assert "nonesuch" in found.result["msg"]


# --- what it can


def test_check_mode_foretells_the_run_and_changes_nothing(hosts: Hosts) -> None:
    options = {"vms": ["l1-a", "l1-b"], "when_running": "shutdown", "processors": 2}
    foretold = hosts.task(options, "--check", "--diff")
    assert not hosts.exposed("l1-b")
    assert hosts.vm("l1-a")["state"] == "Running"
    real = hosts.task(options, "--diff")
    assert hosts.exposed("l1-a")
    assert foretold.status == real.status == "changed"
    for name in ("changes", "commands", "diff", "power_cycled"):
        assert foretold.result[name] == real.result[name]
    again = hosts.task(options, "--diff")
    assert (again.status, again.result["changes"], again.result["diff"]) == ("ok", [], [])


def test_the_diff_is_shown_and_only_when_asked_for(hosts: Hosts) -> None:
    task = {"hyperlab.nested.hyperv_nested": {"vms": "l1-b"}}
    shown = hosts.play([task], "--check", "--diff").succeeded().output
    assert '-    "expose_virtualization_extensions": false' in shown
    assert '+    "expose_virtualization_extensions": true' in shown
    assert "diff" not in hosts.task({"vms": "l1-b"}, "--check").result


def test_keywords_of_a_task_count(hosts: Hosts) -> None:
    assert hosts.task({"vms": "l1-b"}, check_mode=True).status == "changed"
    assert hosts.task({"vms": "l1-b"}, check_mode=False, diff=True).result["diff"]
    assert hosts.exposed("l1-b")


def test_the_invocation_is_what_the_task_said(hosts: Hosts) -> None:
    assert hosts.task({"vm": "l1-b"}).result["invocation"] == {"module_args": {"vm": "l1-b"}}


def test_the_state_lives_on_between_plays(hosts: Hosts) -> None:
    assert hosts.task({"vms": "l1-b"}).status == "changed"
    assert hosts.task({"vms": "l1-b"}).status == "ok"
    assert hosts.task({"vms": "l1-b", "state": "disabled"}).status == "changed"
    assert hosts.state()["processes"] == 5


def test_a_loop(hosts: Hosts) -> None:
    found = hosts.task({"vms": "{{ item }}", "when_running": "turn_off"}, loop=["l1-a", "l1-b"])
    assert [each["power_cycled"] for each in found.result["results"]] == [["l1-a"], []]
    assert hosts.exposed("l1-a")
    assert hosts.exposed("l1-b")


def test_two_hosts_at_once_are_two_hosts(hosts: Hosts) -> None:
    inventory = hosts.inventory("one", "two")
    task = {
        "name": "it",
        "hyperlab.nested.hyperv_nested": {"vms": "{{ {'one': 'l1-a', 'two': 'l1-b'}[inventory_hostname] }}", "when_running": "turn_off"},
    }
    found = hosts.play([task], "--forks", "2", inventory=inventory).succeeded()
    assert [found.of("it", host).result["vms"][0]["name"] for host in ("one", "two")] == ["l1-a", "l1-b"]
    assert [(hosts.exposed("l1-a", host), hosts.exposed("l1-b", host)) for host in ("one", "two")] == [(True, False), (False, True)]


def test_two_tasks_on_one_host_at_once_wait_for_each_other(hosts: Hosts) -> None:
    inventory = hosts.inventory("one", "two", ansible_simulator_state=None)
    for host in inventory["all"]["hosts"].values():
        host["ansible_simulator_state"] = str(hosts.folder / "hv.json")
    vm = {"one": "l1-a", "two": "l1-b"}
    task = {"hyperlab.nested.hyperv_nested": {"vms": "{{ vm[inventory_hostname] }}", "when_running": "turn_off"}, "vars": {"vm": vm}}
    hosts.play([task], "--forks", "2", inventory=inventory).succeeded()
    assert hosts.exposed("l1-a")
    assert hosts.exposed("l1-b")
    assert hosts.state()["processes"] == 4


def test_delegated_to_another_host(hosts: Hosts) -> None:
    inventory = hosts.inventory("one", "two")
    found = hosts.task({"vms": "l1-b"}, inventory=inventory, delegate_to="two", play={"hosts": "one"})
    assert (found.status, found.host) == ("changed", "one")
    assert hosts.untouched("one")
    assert hosts.exposed("l1-b", "two")


def test_delegated_from_a_host_that_is_no_windows(hosts: Hosts) -> None:
    inventory = hosts.inventory("two")
    inventory["all"]["hosts"]["here"] = {"ansible_connection": "local"}
    assert hosts.task({"vms": "l1-b"}, inventory=inventory, delegate_to="two", play={"hosts": "here"}).status == "changed"


def test_defaults_for_all_modules_at_once(hosts: Hosts) -> None:
    defaults = {"group/hyperlab.nested.hyperv": {"vms": ["l1-a"], "when_running": "turn_off"}}
    found = hosts.task({"processors": 2}, play={"module_defaults": defaults})
    assert found.result["power_cycled"] == ["l1-a"]


def test_a_failure_can_be_ignored_and_registered(hosts: Hosts) -> None:
    tasks: list[Yaml] = [
        {"hyperlab.nested.hyperv_nested": {"vms": "l1-a"}, "register": "it", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": ["it is failed", "it.error_code == 'vm_must_be_off'", "it.failures[0].subject == 'l1-a'"]}},
    ]
    hosts.play(tasks).succeeded()


def test_no_secret_and_no_payload_is_shown(hosts: Hosts) -> None:
    secrets = {f"ansible_{name}": CANARY for name in ("password", "winrm_password", "become_password", "psrp_pass")}
    inventory = hosts.inventory(ansible_user="admin", **secrets)
    tasks: list[Yaml] = [
        {"hyperlab.nested.hyperv_nested": {"vms": ["l1-a", "l1-b"], "when_running": "shutdown"}},
        {"hyperlab.nested.hyperv_nested": {"vms": "gone"}, "ignore_errors": True},
    ]
    played = hosts.play(tasks, "-vvvvv", "--diff", inventory=inventory).succeeded()
    shown = played.output + json.dumps([task.result for task in played.tasks])
    assert "remote process 2" in shown, "it was not as verbose as it should have been"
    hidden = [CANARY, *pieces(CANARY), '"protocol"', "protocol\\", *pieces('"protocol"'), "$from"]
    hidden += ["Set-StrictMode", *pieces("Set-StrictMode"), "EncodedCommand", command_line().removeprefix(PREFIX)[:60]]
    assert [each for each in hidden if each in shown] == []


def pieces(text: str) -> list[str]:
    """What base64 makes of the text, wherever in a longer one it stands."""
    return [base64.b64encode(b"x" * before + text.encode())[4 * -(-before // 3) : -4].decode() for before in range(3)]
