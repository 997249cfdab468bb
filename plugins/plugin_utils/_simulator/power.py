# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: power states on the simulated clock: what a VM needs to start, what its guest does, and when a state arrives."""

from __future__ import annotations

import typing as t

from . import ids, systems, tree
from .model import MB, Move
from .restart import network_restarted
from .text import file_key

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Guest, Host, State, Vm

ON: t.Final = frozenset({"Running", "Paused", "Starting", "Stopping", "Saving", "Pausing", "Resuming"})
"""States in which a VM has memory and holds its disks."""
FORCED_SHUTDOWN_SECONDS: t.Final = 300.0
"""Stop-VM -Force gives the guest five minutes (cmdlets.md 5)."""
ALIGNMENT: t.Final = 2 * MB
"""Memory sizes are multiples of this (facts 3.2)."""
SECOND_RESTART_SECONDS: t.Final = 5.0
"""So long Windows is up before it restarts by itself to end the installation of the role (facts 7: twice; how long: a guess)."""


class Unable(Exception):
    """A VM that cannot do what was asked; `kind` is the failure kind of facts 2.2."""

    def __init__(self, reason: str, kind: str = "OperationFailed") -> None:
        super().__init__(reason)
        self.kind = kind


def settle(host: Host) -> None:
    """Start Windows once more where that is due, and bring every VM whose move is due to its new state, at any depth."""
    while host.restart_at is not None and host.clock >= host.restart_at:
        _restart_windows(host, host.restart_at)
    for vm in host.vms:
        if vm.move is not None and host.clock >= vm.move.at:
            _end_move(host, vm, vm.move)
        if vm.guest.windows is not None and vm.state == "Running":
            tree.refresh(vm.guest.windows)
            settle(vm.guest.windows)


def _restart_windows(host: Host, at: float) -> None:
    if host.outer is not None and host.machine is not None:
        restart(host.outer, host.machine, graceful=True, at=at)
        return
    go_down(host, graceful=True)
    host.answers_at = at + host.boot_seconds
    come_up(host, at, host.answers_at)


def answers(host: Host) -> bool:
    """Whether there is somebody to connect to: a guest by PowerShell Direct, any other host once Windows has started."""
    if host.outer is not None and host.machine is not None:
        return direct_possible(host.outer, host.machine)
    return host.clock >= host.answers_at


def wait(host: Host, seconds: float) -> None:
    """Let simulated time pass, here and on the hosts that this one runs in; no real time does."""
    outermost, *inner = tree.lineage(host)
    outermost.clock += seconds
    settle(outermost)
    for one in inner:
        tree.refresh(one)


def _end_move(host: Host, vm: Vm, move: Move) -> None:
    vm.move = None
    if move.state == "Running" and vm.state in ("Off", "Saved"):
        try:
            _check_start(host, vm)
        except Unable:
            # an automatic start, and nobody hears why it failed
            return
    arrive(host, vm, move.state, at=move.at, graceful=move.graceful)


def arrive(host: Host, vm: Vm, state: State, *, at: float | None = None, graceful: bool = False) -> None:
    """Put a VM into a settled state, now or at a time that has just passed; `graceful`: its guest has shut down by itself."""
    was, vm.state, vm.move = vm.state, state, None
    at = host.clock if at is None else at
    if state == "Running" and was in ("Off", "OffCritical", "Saved", "Starting"):
        _give_macs(host, vm)
        vm.started = at
        if was == "Saved":
            # a restored guest goes on where it was, with its services up
            vm.started = at - max(_direct_seconds(vm.guest), vm.guest.address_seconds)
        else:
            _boot(host, vm)
    elif state not in ON:
        vm.started = None
        if state == "Off":
            stop_inside(vm, graceful=graceful)
            _drop_automatic_checkpoint(host, vm)


def follow(host: Host, vm: Vm, was: State) -> None:
    """What is inside follows a state that somebody else has given the VM, where that is a start or a power cut."""
    if vm.state == "Off" and was != "Off":
        stop_inside(vm, graceful=False)
    elif vm.state == "Running" and was in ("Off", "OffCritical"):
        _boot(host, vm)


def restart(host: Host, vm: Vm, *, graceful: bool, at: float | None = None) -> None:
    """A running VM starts once more, now or at a time that has just passed; unless `graceful`, as after a power cut."""
    stop_inside(vm, graceful=graceful)
    vm.move, vm.started = None, host.clock if at is None else at
    _boot(host, vm)


def _boot(host: Host, vm: Vm) -> None:
    if vm.guest.from_disk and not vm.guest.installed:
        systems.take(host, vm)
    inside = vm.guest.windows
    if inside is not None and vm.started is not None:
        tree.refresh(inside)
        come_up(inside, vm.started, vm.started + vm.guest.boot_seconds)


def stop_inside(vm: Vm, *, graceful: bool) -> None:
    """What the Windows in a VM does when the VM goes off."""
    inside = vm.guest.windows
    if inside is not None:
        tree.refresh(inside)
        go_down(inside, graceful=graceful)


def come_up(host: Host, booted: float, ready: float) -> None:
    """Windows has started at `booted`, and its VMs start by themselves at `ready` where their automatic start action says so."""
    host.booted = booted
    network_restarted(host)
    _configure(host, ready)
    for vm in host.vms:
        wanted = vm.automatic_start_action == "Start" or (vm.automatic_start_action == "StartIfRunning" and vm.was_running)
        if wanted and vm.state in ("Off", "Saved") and tree.vmms_runs(host):
            vm.move = Move(state="Running", at=ready)


def _configure(host: Host, ready: float) -> None:
    """What waited for a start of Windows; to install the role it restarts once more by itself (facts 7)."""
    if host.hyperv == "install_pending" and not host.configured:
        host.configured, host.restart_at = True, ready + SECOND_RESTART_SECONDS
    elif host.hyperv == "install_pending":
        host.hyperv, host.configured = "installed", False
    elif host.hyperv == "uninstall_pending":
        host.hyperv = "absent"


def go_down(host: Host, *, graceful: bool) -> None:
    """Windows stops: its VMs follow their automatic stop action, or are simply gone when it has no time for that."""
    host.restart_at = None
    settle(host)
    for vm in host.vms:
        vm.was_running = (vm.move.state if vm.move else vm.state) in ON
        vm.move = None
        if vm.state not in ON:
            continue
        if graceful and vm.automatic_stop_action == "Save":
            arrive(host, vm, "Saved")
        else:
            asked = graceful and vm.automatic_stop_action == "ShutDown" and shutdown_possible(host, vm)
            arrive(host, vm, "Off", graceful=asked and not vm.guest.ignores_shutdown)


def uptime(host: Host, vm: Vm) -> float:
    """Seconds since the last start; a running VM without a start time has run for a day."""
    if vm.state not in ON:
        return 0.0
    return 86_400.0 if vm.started is None else host.clock - vm.started


def guest_booted(host: Host, vm: Vm) -> bool:
    """Whether a guest's operating system is up, with or without integration services."""
    return vm.state == "Running" and vm.guest.installed and uptime(host, vm) >= vm.guest.boot_seconds


def services_up(host: Host, vm: Vm) -> bool:
    """Whether the guest answers its host: the integration services run in it."""
    return vm.guest.integration_services and guest_booted(host, vm)


def _direct_seconds(guest: Guest) -> float:
    """From the start until PowerShell Direct answers: after the heartbeat (facts 10.4)."""
    return guest.boot_seconds + guest.powershell_direct_seconds


def direct_possible(host: Host, vm: Vm) -> bool:
    """Whether the guest of a running VM answers PowerShell Direct (facts 1.2, 6.4, 8)."""
    able = vm.guest.powershell_direct and not vm.shielded and version_key(vm.version) >= (6, 2)
    return able and services_up(host, vm) and uptime(host, vm) >= _direct_seconds(vm.guest)


def addresses_known(host: Host, vm: Vm) -> bool:
    """Whether the guest has reported its IP addresses (facts 4: empty at first)."""
    return services_up(host, vm) and "kvp" not in vm.disabled_services and uptime(host, vm) >= vm.guest.address_seconds


def heartbeat(host: Host, vm: Vm) -> str | None:
    """VirtualMachine.Heartbeat (facts 9.1, 10.4); null while the VM is off or saved."""
    if vm.state == "Paused":
        return "Paused"
    if vm.state != "Running":
        return None
    if "heartbeat" in vm.disabled_services:
        return "Disabled"
    return "OkApplicationsUnknown" if services_up(host, vm) else "NoContact"


def shutdown_possible(host: Host, vm: Vm) -> bool:
    """Whether the shutdown integration service answers (facts 10.1)."""
    return "shutdown" not in vm.disabled_services and services_up(host, vm)


def assigned_memory(vm: Vm) -> int:
    """What a VM has of the host's memory; with dynamic memory the amount stays at startup (facts 3.1)."""
    return vm.memory.startup if vm.state in ON else 0


def free_memory(host: Host) -> int:
    """What is left for another VM; the host's own needs are not modelled."""
    return host.memory - sum(assigned_memory(vm) for vm in host.vms)


def start(host: Host, vm: Vm) -> None:
    """Off or Saved to Running; Unable says why not."""
    _check_start(host, vm)
    arrive(host, vm, "Running")


def _check_start(host: Host, vm: Vm) -> None:
    if not tree.hypervisor_runs(host):
        raise Unable(f"Virtual machine '{vm.name}' could not be started because the hypervisor is not running.")
    if vm.version not in host.supported_versions:
        raise Unable(f"The version '{vm.version}' of virtual machine '{vm.name}' is not supported on this host.")
    if vm.processor.expose_virtualization_extensions:
        _check_nesting(host, vm)
    if vm.processor.count > host.cpu.logical_processors:
        raise Unable("The processor settings for the virtual machine are incompatible with the host.")
    _check_disks(host, vm)
    if vm.memory.startup > free_memory(host):
        size = f"ram size {vm.memory.startup // MB} megabytes"
        raise Unable(f"Not enough memory in the system to start the virtual machine {vm.name} with {size}.", "OutOfMemory")


def _check_nesting(host: Host, vm: Vm) -> None:
    version = version_key(vm.version)
    if host.cpu.vendor == "AMD" and (host.build < 20348 or version < (9, 3)):
        # facts 1.1, 10.3: Set-VMProcessor said nothing about it
        raise Unable("The virtual machine could not be started because this platform does not support nested virtualization.")
    if version < (8, 0):
        # facts 1.2: such a VM does not boot; the text was not found
        raise Unable(f"The configuration version of virtual machine '{vm.name}' does not support nested virtualization.")


def _check_disks(host: Host, vm: Vm) -> None:
    """All files are there; a file that is written to is in nobody else's chain of disks, whose other files are only read."""
    drives = [drive for other in host.vms if other is not vm and other.state in ON for drive in other.drives if drive.kind == "hard"]
    others = [[file_key(file) for file in chain(host, drive.path)] for drive in drives if drive.path is not None]
    written, held = {files[0] for files in others}, {file for files in others for file in files}
    known = {file_key(disk.path) for disk in host.disks}
    for path in (drive.path for drive in vm.drives if drive.path is not None):
        files = list(chain(host, path))
        if file_key(path) in held or any(file_key(file) in written for file in files):
            raise Unable(f"The operation cannot be performed while the object is in use. Attachment '{path}'.")
        missing = next((file for file in files if file_key(file) not in known), None)
        if missing is not None:
            raise Unable(f"Attachment '{missing}' not found. Error: 'The system cannot find the file specified.'")


def chain(host: Host, path: str | None) -> Iterator[str]:
    """The path of a disk and those of the files that it is based on."""
    known = {file_key(disk.path): disk for disk in host.disks}
    while path is not None:
        yield path
        disk = known.get(file_key(path))
        path = disk.parent if disk is not None else None


def version_key(version: str) -> tuple[int, ...]:
    """A configuration version as numbers, so that 10.0 comes after 9.3."""
    return tuple(int(part) for part in version.split("."))


def _give_macs(host: Host, vm: Vm) -> None:
    # facts 4: a dynamic MAC address is 000000000000 until the first start
    for adapter in vm.adapters:
        if adapter.dynamic_mac and not adapter.mac.strip("0"):
            adapter.mac = ids.new_mac(host)


def _drop_automatic_checkpoint(host: Host, vm: Vm) -> None:
    # StopVM removes the newest checkpoint if it is an automatic one; checkpoints are merged at once here
    if vm.checkpoints and vm.checkpoints[-1].automatic:
        merge_checkpoint(host, vm, len(vm.checkpoints) - 1)


def merge_checkpoint(host: Host, vm: Vm, index: int) -> None:
    """Remove the checkpoint at that place: in every chain of disks the file that began with it goes into its parent."""
    for drive in vm.drives:
        layers = _layers(host, drive.path)
        place = len(layers) - len(vm.checkpoints) + index
        if drive.kind != "hard" or not 0 <= place < len(layers):
            continue
        merged = layers[place]
        if place + 1 < len(layers):
            layers[place + 1].parent = merged.parent
        else:
            drive.path = merged.parent
        host.disks[:] = [disk for disk in host.disks if disk is not merged]
    del vm.checkpoints[index]


def _layers(host: Host, path: str | None) -> list[t.Any]:
    """The checkpoint files of a chain, oldest first."""
    known = {file_key(disk.path): disk for disk in host.disks}
    layers = []
    disk = known.get(file_key(path)) if path else None
    while disk is not None and disk.path.lower().endswith((".avhdx", ".avhd")):
        layers.append(disk)
        disk = known.get(file_key(disk.parent)) if disk.parent else None
    return layers[::-1]
