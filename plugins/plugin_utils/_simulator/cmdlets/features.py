# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: the role Hyper-V and its PowerShell module, by both roads: ServerManager on servers, DISM everywhere (facts 7)."""

from __future__ import annotations

import typing as t

from .. import tree
from ..calls import Live, NotSimulated
from ..lookup import as_list
from ..simulates import refuse_unless, simulate
from ..text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..calls import Call
    from ..model import Host

    State = t.Literal["installed", "absent", "install_pending", "uninstall_pending"]

ROLE, MODULE = "role", "module"
_SERVER_NAMES = {"Hyper-V": ROLE, "Hyper-V-PowerShell": MODULE}
_DISM_NAMES = {"Microsoft-Hyper-V": ROLE, "Microsoft-Hyper-V-Management-PowerShell": MODULE}
_TITLES = {ROLE: "Hyper-V", MODULE: "Hyper-V Module for Windows PowerShell"}
_SERVER_WORDS = {
    "installed": "Installed",
    "absent": "Available",
    "install_pending": "InstallPending",
    "uninstall_pending": "UninstallPending",
}
_DISM_WORDS = {"installed": "Enabled", "absent": "Disabled", "install_pending": "EnablePending", "uninstall_pending": "DisablePending"}


def _state(host: Host, feature: str) -> State:
    """The module comes and goes without a restart."""
    if feature == ROLE:
        return host.hyperv
    return "installed" if tree.has_module(host) else "absent"


# --- ServerManager


class WindowsFeature(Live):
    """What Get-WindowsFeature returns."""

    type_names = ("Microsoft.Windows.ServerManager.Commands.Feature", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Name": lambda self: self.name,
        "DisplayName": lambda self: _TITLES[_SERVER_NAMES[self.name]],
        "Installed": lambda self: _state(self.host, _SERVER_NAMES[self.name]) == "installed",
        "InstallState": lambda self: _SERVER_WORDS[_state(self.host, _SERVER_NAMES[self.name])],
    }

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host)
        self.name = name


class FeatureOperationResult(Live):
    """What Install- and Uninstall-WindowsFeature return."""

    type_names = ("Microsoft.Windows.ServerManager.Commands.FeatureOperationResult", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Success": lambda self: self.success,
        "RestartNeeded": lambda self: self.restart,
        "ExitCode": lambda self: self.code,
    }

    def __init__(self, host: Host, code: str, restart: str = "No") -> None:
        super().__init__(host)
        self.success = not code.startswith("Failed")
        self.restart = restart
        self.code = code


@simulate("ServerManager\\Get-WindowsFeature", "Name")
def get_windows_feature(call: Call) -> Iterator[WindowsFeature]:
    """The named features."""
    for name in _server_names(call):
        yield WindowsFeature(call.host, name)


@simulate("ServerManager\\Install-WindowsFeature", "Name IncludeManagementTools Restart")
def install_windows_feature(call: Call) -> Iterator[FeatureOperationResult]:
    """The role waits for a restart; the module is there at once."""
    host, wanted = call.host, _meant(call)
    missing = [feature for feature in wanted if _state(host, feature) in ("absent", "uninstall_pending")]
    if ROLE in missing and host.hyperv == "uninstall_pending":
        yield _must_restart(call, "Installation")
        return
    reason = _unfit(host) if ROLE in missing else None
    if reason:
        text = f"A prerequisite check for the Hyper-V feature failed.\n1. Hyper-V cannot be installed: {reason}"
        call.write_error("Alteration_PrerequisiteCheck_Failed", "InvalidOperation", text, "Exception")
        yield FeatureOperationResult(host, "Failed", "Maybe")
        return
    _install(host, missing)
    yield _done(call, missing, "installation")


@simulate("ServerManager\\Uninstall-WindowsFeature", "Name IncludeManagementTools Restart")
def uninstall_windows_feature(call: Call) -> Iterator[FeatureOperationResult]:
    """The role works until the restart; the module is gone at once."""
    host, wanted = call.host, _meant(call)
    present = [feature for feature in wanted if _state(host, feature) in ("installed", "install_pending")]
    if ROLE in present and host.hyperv == "install_pending":
        yield _must_restart(call, "Removal")
        return
    _remove(host, present)
    yield _done(call, present, "removal")


def _server_names(call: Call) -> list[str]:
    given = [item.name if isinstance(item, WindowsFeature) else str(item) for item in as_list(call.get("Name") or [])]
    known = [next((name for name in _SERVER_NAMES if same_text(name, one)), None) for one in given]
    if not known or None in known:
        raise NotSimulated(f"{call.cmdlet} for {', '.join(given) or 'all features'}: only {', '.join(_SERVER_NAMES)}")
    return t.cast("list[str]", known)


def _meant(call: Call) -> list[str]:
    refuse_unless(call, "Restart", False)
    features = [_SERVER_NAMES[name] for name in _server_names(call)]
    with_tools = call.get("IncludeManagementTools") and ROLE in features and MODULE not in features
    return [*features, MODULE] if with_tools else features


def _unfit(host: Host) -> str | None:
    """Why the prerequisite check fails: a hypervisor that somebody else has below this Windows, or one that nobody could start."""
    if not tree.extensions_visible(host):
        return "The processor does not have required virtualization capabilities."
    return "A hypervisor is already running." if host.nested and host.machine is None else None


def _must_restart(call: Call, what: str) -> FeatureOperationResult:
    text = f"{what} of Hyper-V failed. The computer must be restarted first. After restarting the computer, please run the command again."
    call.write_error("FeatureMessageDetail", "OperationStopped", text, "Exception")
    return FeatureOperationResult(call.host, "FailedRestartRequired", "Yes")


def _done(call: Call, changed: Iterable[str], what: str) -> FeatureOperationResult:
    if ROLE in changed:
        call.warn(f"You must restart this server to finish the {what} process.")
        return FeatureOperationResult(call.host, "SuccessRestartRequired", "Yes")
    return FeatureOperationResult(call.host, "Success" if changed else "NoChangeNeeded")


def _install(host: Host, features: Iterable[str]) -> None:
    if MODULE in features:
        host.hyperv_module = True
    if ROLE in features:
        host.hyperv_module = tree.has_module(host)  # it does not come with the role by itself (cmdlets 9)
        host.hyperv, host.configured = "install_pending", False


def _remove(host: Host, features: Iterable[str]) -> None:
    if ROLE in features:
        host.hyperv_module = tree.has_module(host)
        host.hyperv = "uninstall_pending"
    if MODULE in features:
        host.hyperv_module = False


# --- DISM


class OptionalFeature(Live):
    """What Get-WindowsOptionalFeature returns."""

    type_names = ("Microsoft.Dism.Commands.AdvancedFeatureObject", "Microsoft.Dism.Commands.FeatureObject", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "FeatureName": lambda self: self.name,
        "DisplayName": lambda self: _TITLES[_DISM_NAMES[self.name]],
        "State": lambda self: _DISM_WORDS[_state(self.host, _DISM_NAMES[self.name])],
        "RestartRequired": lambda self: "Possible",
        "Online": lambda self: True,
    }

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host)
        self.name = name


class ImageObject(Live):
    """What Enable- and Disable-WindowsOptionalFeature return."""

    type_names = ("Microsoft.Dism.Commands.ImageObject", "System.Object")
    properties: t.ClassVar[Mapping[str, Callable[[t.Any], t.Any]]] = {
        "Path": lambda self: "",
        "Online": lambda self: True,
        "RestartNeeded": lambda self: self.restart,
    }

    def __init__(self, host: Host, *, restart: bool) -> None:
        super().__init__(host)
        self.restart = restart


@simulate("Dism\\Get-WindowsOptionalFeature", "FeatureName Online")
def get_windows_optional_feature(call: Call) -> Iterator[OptionalFeature]:
    """One feature; nothing for one that this Windows does not have (facts 9.3)."""
    if not _is_home(call.host):
        for name in _dism_names(call):
            yield OptionalFeature(call.host, name)


@simulate("Dism\\Enable-WindowsOptionalFeature", "FeatureName Online All NoRestart")
def enable_windows_optional_feature(call: Call) -> Iterator[ImageObject]:
    """Nobody checks here whether a hypervisor could run (facts 7)."""
    features = _changeable(call)
    if not call.get("All"):
        raise NotSimulated(f"{call.cmdlet} without -All: the features above it may be disabled")
    missing = [feature for feature in features if _state(call.host, feature) in ("absent", "uninstall_pending")]
    if ROLE in missing and call.host.hyperv == "uninstall_pending":
        raise NotSimulated(f"{call.cmdlet} of a feature whose removal waits for a restart")
    _install(call.host, missing)
    yield ImageObject(call.host, restart=ROLE in missing)


@simulate("Dism\\Disable-WindowsOptionalFeature", "FeatureName Online NoRestart")
def disable_windows_optional_feature(call: Call) -> Iterator[ImageObject]:
    """The opposite."""
    features = _changeable(call)
    present = [feature for feature in features if _state(call.host, feature) in ("installed", "install_pending")]
    if ROLE in present and call.host.hyperv == "install_pending":
        raise NotSimulated(f"{call.cmdlet} of a feature whose installation waits for a restart")
    _remove(call.host, present)
    yield ImageObject(call.host, restart=ROLE in present)


def _is_home(host: Host) -> bool:
    return host.client and "Home" in host.product


def _changeable(call: Call) -> list[str]:
    if not call.get("NoRestart"):
        raise NotSimulated(f"{call.cmdlet} without -NoRestart: it would ask whether to restart")
    if _is_home(call.host):
        raise NotSimulated(f"{call.cmdlet} on a Home edition")
    return [_DISM_NAMES[name] for name in _dism_names(call)]


def _dism_names(call: Call) -> list[str]:
    given = [str(name) for name in as_list(call.get("FeatureName") or [])]
    known = [next((name for name in _DISM_NAMES if same_text(name, one)), None) for one in given]
    if not call.get("Online") or not known or None in known:
        raise NotSimulated(f"{call.cmdlet} for {', '.join(given) or 'all features'}: only -Online, and {', '.join(_DISM_NAMES)}")
    return t.cast("list[str]", known)
