"""The role Hyper-V and its module, by ServerManager and by DISM, and the restart that they need."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import power, profiles, schema, session, tree
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import NotSimulated
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.model import Host
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import ProfileError
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator import nest, wire
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.nest import call
from ansible_collections.hyperlab.nested.tests.unit.plugins.plugin_utils.simulator.vm_lab import run

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import Live

INSTALL, UNINSTALL, LIST = (f"ServerManager\\{verb}-WindowsFeature" for verb in ("Install", "Uninstall", "Get"))
ENABLE, DISABLE, SHOW = (f"Dism\\{verb}-WindowsOptionalFeature" for verb in ("Enable", "Disable", "Get"))
RESTART = "Microsoft.PowerShell.Management\\Restart-Computer"
ROLE, MODULE = "Microsoft-Hyper-V", "Microsoft-Hyper-V-Management-PowerShell"
BOOT = call("CimCmdlets\\Get-CimInstance", "LastBootUpTime", ClassName="Win32_OperatingSystem")


def bare(**more: t.Any) -> Host:
    return Host(hyperv="absent", **more)


def result(thing: Live) -> tuple[t.Any, ...]:
    return tuple(thing.get(name) for name in ("Success", "RestartNeeded", "ExitCode"))


def states(host: Host) -> list[t.Any]:
    return [*run(host, LIST, Name=["Hyper-V", "Hyper-V-PowerShell"]).column("InstallState"), shown(host, ROLE), shown(host, MODULE)]


def shown(host: Host, name: str) -> t.Any:
    [state] = run(host, SHOW, Online=True, FeatureName=name).column("State")
    return state


def restarted(host: Host) -> Host:
    run(host, RESTART, Force=True)
    power.wait(host, 200)
    return host


# --- what both say


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host(), ["Installed", "Installed", "Enabled", "Enabled"]),
        (bare(), ["Available", "Available", "Disabled", "Disabled"]),
        (bare(hyperv_module=True), ["Available", "Installed", "Disabled", "Enabled"]),
        (Host(hyperv="install_pending"), ["InstallPending", "Installed", "EnablePending", "Enabled"]),
        (Host(hyperv="uninstall_pending", hyperv_module=False), ["UninstallPending", "Available", "DisablePending", "Disabled"]),
    ],
)
def test_both_roads_tell_the_same(host: Host, words: list[str]) -> None:
    assert states(host) == words


def test_a_home_edition_has_no_such_features() -> None:
    host = Host(client=True, product="Microsoft Windows 11 Home", hyperv="absent")
    assert run(host, SHOW, Online=True, FeatureName=ROLE).objects == []


# --- ServerManager


def test_the_role_comes_without_its_module() -> None:
    host = bare()
    answer = run(host, INSTALL, Name=["Hyper-V"])
    assert result(answer.objects[0]) == (True, "Yes", "SuccessRestartRequired")
    assert answer.warnings == ["You must restart this server to finish the installation process."]
    assert states(host)[:2] == ["InstallPending", "Available"]
    assert states(restarted(host))[:2] == ["Installed", "Available"]


def test_the_role_with_its_tools() -> None:
    host = bare()
    run(host, INSTALL, Name=["hyper-v"], IncludeManagementTools=True)
    assert states(host)[:2] == ["InstallPending", "Installed"]


def test_what_is_there_is_no_change() -> None:
    assert result(run(Host(), INSTALL, Name=["Hyper-V"]).objects[0]) == (True, "No", "NoChangeNeeded")
    assert result(run(bare(), UNINSTALL, Name=["Hyper-V"]).objects[0]) == (True, "No", "NoChangeNeeded")


def test_the_module_needs_no_restart() -> None:
    host = Host(hyperv_module=False)
    assert result(run(host, INSTALL, Name=["Hyper-V-PowerShell"]).objects[0]) == (True, "No", "Success")
    assert tree.has_module(host)


def test_the_role_works_until_the_restart_that_removes_it() -> None:
    host = Host()
    assert result(run(host, UNINSTALL, Name=["Hyper-V"]).objects[0]) == (True, "Yes", "SuccessRestartRequired")
    assert (tree.vmms_runs(host), tree.hypervisor_runs(host), tree.has_module(host)) == (True, True, True)
    restarted(host)
    assert (tree.vmms_runs(host), tree.hypervisor_runs(host), tree.has_module(host)) == (False, False, True)


@pytest.mark.parametrize(("state", "cmdlet"), [("uninstall_pending", INSTALL), ("install_pending", UNINSTALL)])
def test_nothing_turns_back_before_the_restart(state: t.Any, cmdlet: str) -> None:
    host = Host(hyperv=state)
    answer = run(host, cmdlet, Name=["Hyper-V"])
    assert result(answer.objects[0]) == (False, "Yes", "FailedRestartRequired")
    assert (answer.errors, host.hyperv) == ([("FeatureMessageDetail", "OperationStopped")], state)


def test_a_vm_without_extensions_is_refused_and_told_so() -> None:
    host = nest.load("vms: [{name: l1, state: Running, guest: {users: {Administrator: right}, windows: {hyperv: absent}}}]")
    step = call(INSTALL, "Success", "RestartNeeded", "ExitCode", Name="Hyper-V")
    [answer] = nest.visit(host, "l1", step)
    assert nest.faults(answer) == [
        (
            "Alteration_PrerequisiteCheck_Failed,Microsoft.Windows.ServerManager.Commands.AddWindowsFeatureCommand",
            "InvalidOperation",
            "Exception",
        )
    ]
    assert "required virtualization capabilities" in answer["errors"][0]["message"]
    assert answer["output"] == [{"Success": False, "RestartNeeded": "Maybe", "ExitCode": "Failed"}]
    assert nest.windows(host.vms[0]).hyperv == "absent"


def test_a_vm_of_somebody_else_has_a_hypervisor_already() -> None:
    assert "already running" in run(bare(nested=True), INSTALL, Name=["Hyper-V"]).records[0].message


# --- DISM


def test_dism_checks_nothing() -> None:
    host = bare(client=True, nested=True)
    answer = run(host, ENABLE, Online=True, FeatureName=[ROLE, MODULE], All=True, NoRestart=True)
    assert (answer.errors, answer.column("RestartNeeded")) == ([], [True])
    assert (shown(host, ROLE), shown(host, MODULE)) == ("EnablePending", "Enabled")
    run(restarted(host), DISABLE, Online=True, FeatureName=[ROLE], NoRestart=True)
    assert (shown(host, ROLE), shown(restarted(host), ROLE)) == ("DisablePending", "Disabled")


# --- what Hyper-V is before, between and after


def test_a_bare_windows_has_nothing_of_it() -> None:
    host = bare()
    [get_vm] = nest.run(host, call("Get-VM"))
    assert get_vm["errors"][0]["id"] == "CouldNotAutoLoadModule"
    service = call("CimCmdlets\\Get-CimInstance", "State", ClassName="Win32_Service", Filter="Name='vmms'")
    system = call("CimCmdlets\\Get-CimInstance", "HypervisorPresent", ClassName="Win32_ComputerSystem")
    assert [answer["output"] for answer in nest.run(host, service, system)] == [[], [{"HypervisorPresent": False}]]


def test_before_the_restart_the_module_finds_no_service() -> None:
    [answer] = nest.run(Host(hyperv="install_pending"), call("Get-VM"))
    assert answer["errors"][0]["id"].startswith("ObjectNotFound,")


def test_a_vm_cannot_run_without_it() -> None:
    with pytest.raises(ProfileError, match="it is Running, and hyperv is absent"):
        nest.load("hyperv: absent\nvms: [{name: l1, state: Running}]")


# --- the restart


def test_windows_goes_down_a_little_later_and_comes_back() -> None:
    host = Host(boot_seconds=30)
    first = host.booted
    nest.run(host, call(RESTART, Force=True))
    assert (host.booted, power.answers(host)) == (first, True)
    power.wait(host, 5)
    assert (host.booted > first, power.answers(host)) == (True, False)
    power.wait(host, 30)
    assert power.answers(host)


def test_to_install_the_role_windows_restarts_once_more_by_itself() -> None:
    host = Host(hyperv="install_pending", boot_seconds=30)
    run(host, RESTART, Force=True)
    power.wait(host, 34)
    assert (power.answers(host), host.hyperv) == (True, "install_pending")
    first = host.booted
    power.wait(host, 5)
    assert (power.answers(host), host.booted > first, host.hyperv) == (False, True, "installed")


def test_whoever_asks_once_more_while_windows_goes_down_is_refused() -> None:
    host = Host(hyperv="install_pending", boot_seconds=30)
    first, second = nest.run(host, call(RESTART, Force=True), call(RESTART, Force=True))
    assert [error["id"].partition(",")[0] for error in (*first["errors"], *second["errors"])] == ["RestartcomputerFailed"]
    power.wait(host, 34)
    assert run(host, RESTART, Force=True).errors == [], "its own second restart has not begun yet"


def test_the_same_start_does_not_read_the_same_each_time() -> None:
    host = Host()
    times = {nest.run(host, BOOT)[0]["output"][0]["LastBootUpTime"] for _again in range(4)}
    assert times == {"2026-01-01T00:00:00.0000000Z", "2026-01-01T00:00:00.0006000Z"}


def test_a_process_ends_with_windows() -> None:
    host = Host()
    sleep = call("Microsoft.PowerShell.Utility\\Start-Sleep", Seconds=30)
    local = session.LocalHost(host)
    with pytest.raises(session.NobodyAnswers, match="went down"):
        local.exec_command(wire.command_line(), wire.stdin({"protocol": 1, "steps": [call(RESTART, Force=True), sleep]}))
    tries = 0
    while not power.answers(host):
        tries += 1
        with pytest.raises(session.NobodyAnswers, match="is starting"):
            local.exec_command(wire.command_line(), wire.stdin({"protocol": 1, "steps": [BOOT]}))
    assert tries > 1, "each try lets time pass"
    assert local.exec_command(wire.command_line(), wire.stdin({"protocol": 1, "steps": [BOOT]}))[0] == 0


def test_vms_follow_their_actions() -> None:
    host = nest.load("""
vms:
  - {name: saves, state: Running, automatic_stop_action: Save}
  - {name: cut, state: Running, automatic_stop_action: TurnOff, automatic_start_action: Nothing}
""")
    run(host, RESTART, Force=True)
    power.wait(host, 10)
    assert [vm.state for vm in host.vms] == ["Saved", "Off"]
    power.wait(host, 60)
    assert [vm.state for vm in host.vms] == ["Running", "Off"]


def test_a_guest_restarts_in_its_vm_and_a_session_in_it_ends() -> None:
    host = nest.load("""
vms:
  - name: l1
    state: Running
    processor: {expose_virtualization_extensions: true}
    guest: {users: {Administrator: right}, windows: {hyperv: install_pending}}
""")
    inside = nest.windows(host.vms[0])
    sleep = call("Microsoft.PowerShell.Utility\\Start-Sleep", Seconds=10)
    [ended] = nest.run(host, nest.inside("l1", call(RESTART, Force=True), sleep))
    assert nest.faults(ended)[0][0].endswith("PSSessionStateBroken")
    assert (host.vms[0].state, power.answers(inside)) == ("Running", False)
    power.wait(host, 100)
    assert power.answers(inside)
    assert inside.hyperv == "installed"
    assert nest.rows(host, "l1", call("Get-VMHost", "Name")) == [{"Name": "L1"}]


def test_a_power_cut_starts_windows_too() -> None:
    host = nest.load("vms: [{name: l1, state: Running, guest: {users: {Administrator: right}, windows: {hyperv: uninstall_pending}}}]")
    nest.run(host, call("Stop-VM", Name="l1", TurnOff=True), call("Start-VM", Name="l1"))
    assert nest.windows(host.vms[0]).hyperv == "absent"


def test_nobody_else_may() -> None:
    host = Host(rights="denied")
    assert run(host, RESTART, Force=True).errors == [("PrivilegeNotEnabled", "InvalidOperation")]
    assert host.restart_at is None


def test_a_restart_lives_on_in_the_state_file() -> None:
    host = profiles.load_profile("server2022-intel")
    run(host, RESTART, Force=True)
    again = schema.from_plain(Host, schema.to_plain(host), "state")
    power.wait(again, 5)
    assert not power.answers(again)
    assert again.hyperv == "installed"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        (LIST, {}),
        (LIST, {"Name": ["Web-Server"]}),
        (INSTALL, {"Name": ["Hyper-V"], "Restart": True}),
        (INSTALL, {"Name": ["Hyper-V"], "Source": ["D:\\"]}),
        (SHOW, {"Online": True}),
        (SHOW, {"Path": "D:\\", "FeatureName": ROLE}),
        (ENABLE, {"Online": True, "FeatureName": [ROLE], "All": True}),
        (ENABLE, {"Online": True, "FeatureName": [ROLE], "NoRestart": True}),
        (DISABLE, {"Online": True, "FeatureName": [ROLE]}),
        (RESTART, {"Force": True, "Wait": True}),
    ],
)
def test_everything_else_is_refused(name: str, parameters: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated):
        run(Host(), name, **parameters)


@pytest.mark.parametrize(("state", "cmdlet", "more"), [("uninstall_pending", ENABLE, {"All": True}), ("install_pending", DISABLE, {})])
def test_what_dism_says_to_turning_back_is_not_known(state: t.Any, cmdlet: str, more: dict[str, t.Any]) -> None:
    with pytest.raises(NotSimulated, match="waits for a restart"):
        run(Host(hyperv=state), cmdlet, Online=True, FeatureName=[ROLE], NoRestart=True, **more)


def test_the_journal_has_it() -> None:
    journal: list[t.Any] = []
    nest.run(bare(), call(INSTALL, Name="Hyper-V"), call(LIST, Name="Hyper-V"), call(RESTART, Force=True), journal=journal)
    assert [json.dumps(entry.parameters) for entry in journal] == ['{"Name": ["Hyper-V"]}', '{"Force": true}']
