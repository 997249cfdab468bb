# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: hyperv_feature: the role Hyper-V and its PowerShell module, on servers and on client Windows, with the restart."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import NO_HYPERV, HostFault, HypervError, Refused
from .._nesting import FLAGS, MACHINE_QUERIES, QUERIES, VIRTUAL_MACHINE, WORKSTATION, Start, place_below
from .._options import Options, Spec, choice, flag, number
from .._plan import Change, Plan, Reboot, Thing
from .._restart import await_service
from .._steps import Answer, Answers, Step

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .._steps import Row

SPEC = Spec(
    state=choice("present", "absent", default="present"),
    management_tools=flag(default=True),
    check_extensions=flag(default=True),
    reboot=flag(default=False),
    reboot_timeout=number(1, 86_400, default=1200),
    answer_timeout=number(1, 86_400),
)

ROLE, TOOLS = "hyperv", "management_tools"
_SERVER_NAMES = {ROLE: "Hyper-V", TOOLS: "Hyper-V-PowerShell"}
_DISM_NAMES = {ROLE: "Microsoft-Hyper-V", TOOLS: "Microsoft-Hyper-V-Management-PowerShell"}
INSTALLED, ABSENT, INSTALL_PENDING, UNINSTALL_PENDING = "installed", "absent", "install_pending", "uninstall_pending"
_STATES = {"Enabled": INSTALLED, "EnablePending": INSTALL_PENDING, "DisablePending": UNINSTALL_PENDING}
"""Get-WindowsOptionalFeature's words for a feature that is there, or comes or goes with a restart (facts 9.3); all others mean that it
is absent."""

_RESTART_NEEDED = ("Yes", "Maybe", True)
"""ServerManager's words, and DISM's (facts 7)."""
_OFF = ("Off", "Saved", "OffCritical", "SavedCritical")
_VBS_RUNS = 2


def queries(options: Options) -> tuple[Step, ...]:
    """What Windows and the machine are, the features, and the VMs, if Hyper-V is there to tell.

    DISM knows both features by the same names on servers, too (facts 7; idx:9107013516 asks for both of them there).
    """
    del options
    return (
        *QUERIES,
        *MACHINE_QUERIES,
        *map(_optional_feature, _DISM_NAMES.values()),
        Step("Hyper-V\\Get-VMHost", save="host", select=("Name",), absent=NO_HYPERV),
        Step("Hyper-V\\Get-VM", save="vms", select=("Id", "Name", "State"), absent=NO_HYPERV),
    )


def _optional_feature(name: str) -> Step:
    return Step("Dism\\Get-WindowsOptionalFeature", {"Online": True, "FeatureName": name}, save="features", select=("FeatureName", "State"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One of the two, as Windows has it."""

    state: str | None
    """None: this Windows does not know it."""

    @property
    def pending(self) -> bool:
        """Whether it comes or goes with the next restart."""
        return self.state in (INSTALL_PENDING, UNINSTALL_PENDING)

    @property
    def end(self) -> str:
        """What it is once nothing is pending any more."""
        return "present" if self.state in (INSTALLED, INSTALL_PENDING) else "absent"


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Windows, its Hyper-V, and what its processor can do."""

    name: str
    caption: str
    client: bool
    start: Start
    features: dict[str, Feature]
    guest: bool
    """It is the Windows in a Hyper-V VM."""
    below: tuple[str, str] | None
    """Its Hyper-V host and the VM's name there; None: no VM, or not told."""
    hypervisor: bool | None
    """A hypervisor is below this Windows: its own, or the one whose guest it is."""
    visible: bool
    """Windows sees virtualization extensions, which it does only while it runs on no hypervisor of its own (facts 7)."""
    vbs: bool
    """Virtualization-based security runs, so the extensions cannot be seen."""
    service: str | None
    """State of vmms; None: there is no such service."""
    vms: tuple[tuple[str, str], ...] | None
    """Names and power states; None: Hyper-V's module or service is not there to tell."""

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Typed rows."""
        del options
        os: t.Any = answers.one("os") or {}
        system: t.Any = answers.one("system") or {}
        guard: t.Any = answers.one("device_guard") or {}
        service: t.Any = answers.one("vmms") or {}
        return cls(
            name=str(os.get("CSName") or "host"),
            caption=str(os.get("Caption") or "Windows"),
            client=os.get("ProductType") == WORKSTATION,
            start=Start.from_answers(answers),
            features=_features(answers),
            guest=system.get("Model") == VIRTUAL_MACHINE,
            below=place_below(answers),
            hypervisor=system.get("HypervisorPresent"),
            visible=any(row.get(name) for row in answers.rows("cpus") for name in FLAGS),
            vbs=guard.get("VirtualizationBasedSecurityStatus") == _VBS_RUNS,
            service=service.get("State"),
            vms=tuple((str(row["Name"]), str(row["State"])) for row in answers.rows("vms")) if answers.one("host") else None,
        )

    @property
    def pending(self) -> bool:
        """Whether a feature waits for a restart."""
        return any(feature.pending for feature in self.features.values())

    @property
    def running(self) -> list[str]:
        """The VMs that a restart stops."""
        return [name for name, power_state in self.vms or () if power_state not in _OFF]

    @property
    def silent(self) -> bool:
        """Whether Hyper-V is installed, and its service does not answer; without the module only whether it runs can be seen."""
        if self.features[ROLE].state != INSTALLED:
            return False
        return self.vms is None if self.features[TOOLS].state == INSTALLED else self.service != "Running"

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {
            "features": {name: feature.state for name, feature in self.features.items()},
            "boot_time": self.start.text,
            "reboot_required": self.pending,
            "rebooted": False,
        }


def _features(answers: Answers) -> dict[str, Feature]:
    found = {str(row["FeatureName"]).lower(): _STATES.get(str(row["State"]), ABSENT) for row in answers.rows("features")}
    return {feature: Feature(state=found.get(name.lower())) for feature, name in _DISM_NAMES.items()}


def plan(options: Options, state: State) -> Plan:
    """One call for all that differs, and the restart that it needs or that Windows waits for already."""
    if state.silent:
        await_service(options, state.start, state.name)
    managed = (ROLE, TOOLS) if options.management_tools else (ROLE,)
    differing = [name for name in managed if state.features[name].end != options.state]
    errors = list(_refusals(options, state, differing))
    changes = [_change(options, state, managed, differing)] if differing else []
    reboot = _reboot(options, state, differing)
    return Plan.of(changes, warnings=_warnings(options, state, reboot), errors=errors, reboot=reboot)


def _thing(state: State) -> Thing:
    return Thing(id="features", label=state.name)


def _change(options: Options, state: State, managed: tuple[str, ...], differing: list[str]) -> Change:
    return Change(
        subject=_thing(state),
        attributes={name: (state.features[name].end, options.state) for name in differing},
        steps=(_step(options, state, managed, differing),),
        judge=lambda answer: _judged(answer, state),
        restarts=lambda answer: any(row.get("RestartNeeded") in _RESTART_NEEDED for row in answer.rows),
    )


def _step(options: Options, state: State, managed: tuple[str, ...], differing: list[str]) -> Step:
    present = options.state == "present"
    if state.client:
        parameters: dict[str, t.Any] = {"Online": True, "FeatureName": tuple(_DISM_NAMES[name] for name in differing)}
        if present:
            return Step("Dism\\Enable-WindowsOptionalFeature", {**parameters, "All": True, "NoRestart": True}, select=("RestartNeeded",))
        return Step("Dism\\Disable-WindowsOptionalFeature", {**parameters, "NoRestart": True}, select=("RestartNeeded",))
    # The role takes its tools along: the module everywhere, and Hyper-V Manager where Windows has a desktop (facts 7).
    with_tools = ROLE in differing and TOOLS in managed
    names = (_SERVER_NAMES[ROLE],) if with_tools else tuple(_SERVER_NAMES[name] for name in differing)
    parameters = {"Name": names, **({"IncludeManagementTools": True} if with_tools else {})}
    verb = "Install" if present else "Uninstall"
    return Step(f"ServerManager\\{verb}-WindowsFeature", parameters, select=("Success", "RestartNeeded", "ExitCode"))


def _judged(answer: Answer, state: State) -> HypervError | None:
    """What a result says that is no success, which ServerManager's errors say in the host's language only (facts 7)."""
    row: Row | dict[str, t.Any] = next(iter(answer.rows), None) or {}
    words = f": {answer.faults[0].message.strip()} [{answer.faults[0].id}]" if answer.faults else ""
    if any(fault.kind == "Alteration_PrerequisiteCheck_Failed" for fault in answer.faults):
        fix = _expose(state) if state.guest else "switch on Intel VT-x or AMD-V in the firmware (BIOS/UEFI), and start the host again"
        return HostFault(f"{state.name} cannot run Hyper-V{words}", code="prerequisites_missing", subject=state.name, fix=fix)
    if row.get("ExitCode") == "FailedRestartRequired":
        return _restart_first(state, words)
    if row.get("Success") is False:
        msg = f"Windows did not change its features: exit code {row.get('ExitCode')}{words}"
        return HostFault(msg, code="feature_refused", subject=state.name, fix="see the host's C:\\Windows\\Logs\\CBS\\CBS.log")
    return None


def _restart_first(state: State, words: str = "") -> HypervError:
    return Refused(
        f"{state.name}: Windows waits for a restart before it can change its features again{words}",
        code="restart_pending",
        subject=state.name,
        fix="set reboot=true, or restart the host and run the task again",
    )


# --- the restart


def _reboot(options: Options, state: State, differing: list[str]) -> Reboot | None:
    if not options.reboot or not (state.pending or ROLE in differing):
        return None
    return Reboot(
        subject=_thing(state),
        before=state.pending,
        after=ROLE in differing,
        seconds=options.reboot_timeout,
        unready=lambda now: _unready(state.start, now),
    )


def _unready(before: Start, now: State) -> str | None:
    """Why the host is not there yet. What is still pending after a while needs another restart, and nobody else will make it."""
    if not now.start.is_after(before):
        return f"Windows has not restarted, it runs since {now.start.text}"
    if now.pending:
        return "Windows is still at its features" if now.start.recent else None
    return "the Virtual Machine Management service (vmms) does not answer" if now.silent else None


def _warnings(options: Options, state: State, reboot: Reboot | None) -> Iterator[str]:
    if reboot and state.running:
        yield f"restarting {state.name} stops its VMs {', '.join(state.running)}: each follows its automatic stop and start action"
    if options.state == "present" and state.features[ROLE].state != INSTALLED and state.guest and state.vbs:
        yield (
            f"{state.name} is a VM in which virtualization-based security runs, which hides from it whether its virtualization"
            " extensions are exposed; hyperv_nested on its Hyper-V host tells"
        )


# --- refusals


def _expose(state: State) -> str:
    host, vm = state.below or (None, None)
    there = f"for VM '{vm}' on its Hyper-V host {host}" if host else "for this VM on its Hyper-V host"
    return (
        f"run hyperv_nested {there} (state=enabled; the VM has to be off for it), then this task again;"
        " set check_extensions=false only if something else inside, such as WSL 2, hides them"
    )


def _refusals(options: Options, state: State, differing: list[str]) -> Iterator[HypervError]:
    role = state.features[ROLE]
    if role.pending and ROLE in differing and not options.reboot:
        yield _restart_first(state)
    if options.state == "absent":
        yield from _busy(state, differing)
    elif role.state is None:
        yield _refused(
            state,
            "feature_unavailable",
            f"runs {state.caption}, which has no Hyper-V",
            "use Pro, Enterprise or Education, or Windows Server",
        )
    elif role.state != INSTALLED:
        yield from _incapable(options, state)
    elif not role.pending and (state.visible if state.guest else state.hypervisor is False):
        yield _refused(
            state,
            "hypervisor_not_running",
            "has Hyper-V installed, and the hypervisor does not run, so that no VM starts",
            "bcdedit /set hypervisorlaunchtype auto, and virtualization switched on in the firmware; then restart Windows"
            " (a shutdown with fast startup is not enough)",
        )


def _incapable(options: Options, state: State) -> Iterator[HypervError]:
    """What DISM would not find out: it installs Hyper-V on anything (facts 7)."""
    if not options.check_extensions or state.visible or state.vbs:
        return
    if state.guest:
        yield _refused(
            state,
            "extensions_hidden",
            "is a VM in which no virtualization extensions are visible, so Hyper-V cannot run in it",
            _expose(state),
        )
    elif state.hypervisor is False:
        yield _refused(
            state,
            "firmware_disabled",
            "has virtualization switched off in its firmware, so Hyper-V cannot run on it",
            "switch on Intel VT-x or AMD-V in the firmware (BIOS/UEFI), and start the host again",
        )


def _busy(state: State, differing: list[str]) -> Iterator[HypervError]:
    """VMs that run, or that nobody can ask about; with a removal that is pending, the restart would end them for good."""
    role = state.features[ROLE].state
    if role not in (INSTALLED, UNINSTALL_PENDING):
        return
    if state.vms is None and ROLE in differing:
        yield _refused(
            state,
            "vms_unknown",
            "does not tell whether VMs run on it: Hyper-V's PowerShell module is missing, or its service (vmms) does not answer",
            "add the module with this module (state=present), or Start-Service vmms; then run the task again",
        )
    elif state.running:
        yield _refused(
            state,
            "vms_running",
            f"runs VMs: {', '.join(state.running)}; removing Hyper-V needs them off",
            "shut them down first, with hyperv_vm (state=off)",
        )


def _refused(state: State, code: str, about: str, fix: str) -> Refused:
    return Refused(f"{state.name} {about}", code=code, subject=state.name, fix=fix)
