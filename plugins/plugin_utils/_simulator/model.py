# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what a pretended Hyper-V host is made of.

These classes are the profile format and the state file's format at once: each field may stand in a profile under its own
name, and what a profile leaves out has the default given here. docs/simulator.md explains them to users.
Ids that a profile leaves out are made by profiles.py, the same ones each time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .schema import LINK, Size

MB = 1024**2
GB = 1024**3

State = t.Literal["Running", "Off", "Saved", "Paused", "Starting", "Stopping", "Saving", "Pausing", "Resuming", "OffCritical"]


@dataclass(kw_only=True, slots=True)
class Processor:
    """A VM's virtual processors."""

    count: int = 1
    expose_virtualization_extensions: bool = False


@dataclass(kw_only=True, slots=True)
class Memory:
    """A VM's memory; minimum and maximum are remembered while dynamic memory is off."""

    dynamic: bool = False
    startup: Size = Size(1 * GB)
    minimum: Size = Size(512 * MB)
    maximum: Size = Size(1024 * GB)
    buffer: int = 20
    priority: int = 50


@dataclass(kw_only=True, slots=True)
class Adapter:
    """A VM's network adapter; `addresses` is what the guest reports once it has booted."""

    name: str = "Network Adapter"
    id: str = ""
    mac: str = "000000000000"
    dynamic_mac: bool = True
    mac_address_spoofing: bool = False
    switch: str | None = None
    """Id of the switch it is connected to; a profile may give the switch's name."""
    legacy: bool = False
    addresses: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Drive:
    """A hard disk drive or a DVD drive and the file in it."""

    kind: t.Literal["hard", "dvd"] = "hard"
    controller: t.Literal["SCSI", "IDE"] = "SCSI"
    number: int = 0
    location: int = 0
    path: str | None = None


@dataclass(kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint of a VM; its disks are the files that the VM's differencing disks have as parents."""

    name: str
    id: str = ""
    type: t.Literal["Standard", "Production", "Recovery"] = "Standard"
    automatic: bool = False


@dataclass(kw_only=True, slots=True)
class Guest:
    """How the operating system in a VM behaves."""

    installed: bool = True
    integration_services: bool = True
    """Whether they run in the guest: without them there is no heartbeat, no address and no graceful shutdown."""
    ignores_shutdown: bool = False
    boot_seconds: float = 20.0
    """From the start until the heartbeat is there."""
    address_seconds: float = 25.0
    """From the start until the guest reports its addresses; until then link-local ones at the most."""
    shutdown_seconds: float = 10.0
    hyperv_running: bool = False
    """Hyper-V runs inside, so the memory of the running VM cannot be resized; not for a guest with `windows`, which tells it by itself."""
    windows: Host | None = None
    """What is inside, with VMs of its own; without it the inside is not modelled. What the VM gives it cannot stand there."""
    users: dict[str, str] = field(default_factory=dict)
    """Who may log on by PowerShell Direct: user name to password."""
    powershell_direct: bool = True
    """False: it does not answer PowerShell Direct: the service hangs, or it is no Windows."""
    powershell_direct_seconds: float = 5.0
    """From the heartbeat until PowerShell Direct answers."""
    from_disk: bool = False
    """The boot disk decides at the next start what the guest is, as with a VM that New-VM made."""


@dataclass(kw_only=True, slots=True)
class Move:
    """A power state that is on its way: the VM is in `state` from simulated time `at` on."""

    state: State
    at: float
    graceful: bool = False
    """The guest shuts down by itself, and so stops its own VMs as they say."""


@dataclass(kw_only=True, slots=True)
class Vm:
    """A virtual machine."""

    name: str
    id: str = ""
    state: State = "Off"
    move: Move | None = None
    started: float | None = None
    """Simulated time of the last start; None while it is not running (a VM that a profile starts has booted long ago)."""
    was_running: bool = False
    """Whether it ran when its host stopped: StartIfRunning wants to know."""
    generation: int = 2
    version: str = ""
    """Configuration version; empty in a profile: the host's default."""
    processor: Processor = field(default_factory=Processor)
    memory: Memory = field(default_factory=Memory)
    adapters: list[Adapter] = field(default_factory=list)
    drives: list[Drive] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    notes: str = ""
    secure_boot: bool = True
    secure_boot_template: str = "MicrosoftWindows"
    first_boot: str = ""
    """What stands first in the boot order of generation 2: "SCSI 0:0" for a drive, an adapter's id, or empty."""
    vbs_opt_out: bool = False
    tpm: bool = False
    shielded: bool = False
    automatic_checkpoints: bool | None = None
    """None in a profile: the product's default, on for client Windows and off for servers."""
    checkpoint_type: t.Literal["Disabled", "Production", "ProductionOnly", "Standard"] = "Production"
    automatic_start_action: t.Literal["Nothing", "StartIfRunning", "Start"] = "StartIfRunning"
    automatic_stop_action: t.Literal["TurnOff", "Save", "ShutDown"] = "Save"
    disabled_services: list[str] = field(default_factory=list)
    """Integration services switched off on the host's side: shutdown, heartbeat, time, kvp, vss, files."""
    clustered: bool = False
    path: str = ""
    guest: Guest = field(default_factory=Guest)


@dataclass(kw_only=True, slots=True)
class Switch:
    """A virtual switch."""

    name: str
    id: str = ""
    type: t.Literal["External", "Internal", "Private"] = "Internal"
    notes: str = ""
    allow_management_os: bool = True
    adapter: str | None = None
    """An external switch's physical adapter, by name."""
    automatic: bool = False
    """The client's own Default Switch: ICS has the NAT, and the switch cannot be changed."""


@dataclass(kw_only=True, slots=True)
class Lease:
    """What a DHCP server on the physical network gives an adapter."""

    address: str
    prefix_length: int = 24
    gateway: str = ""
    """The router; empty: none."""
    dns: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Lan:
    """The physical network behind an adapter of an outermost host."""

    prefix: str
    """Such as 192.0.2.0/24: from it are the addresses that its DHCP server gives to guests."""
    routers: list[str] = field(default_factory=list)
    """Addresses of the routers, which lead outside."""
    dns: list[str] = field(default_factory=list)
    """Addresses of the DNS servers that DHCP names; those in the prefix are machines there."""


@dataclass(kw_only=True, slots=True)
class HostAdapter:
    """A network adapter of the host: a physical one, or the management adapter of a switch."""

    name: str
    description: str = ""
    index: int = 0
    id: str = ""
    """DeviceID, a Guid without braces."""
    mac: str = ""
    status: t.Literal["Up", "Disconnected", "Disabled", "Not Present"] = "Up"
    switch: str | None = None
    """Id of the switch whose management adapter this is; None: a physical adapter."""
    hidden: bool = False
    dhcp: bool | None = None
    """Whether it asks for an IPv4 address. None: while it has no static one; true beside a static one: as after Set-NetIPInterface."""
    gateway: str = ""
    """Shorter than a member of `routes`: the IPv4 default gateway that was set by hand."""
    dns: list[str] = field(default_factory=list)
    """IPv4 addresses of DNS servers that were set by hand; none: those that DHCP gives."""
    lease: Lease | None = None
    """What the network gives while DHCP is on; only for a physical adapter of an outermost host, guests have it from their network."""
    leased_from: float = 0.0
    """Simulated second before which no DHCP server has answered."""
    lan: Lan | None = None
    """What is behind a physical adapter of an outermost host; when left out, what the host knows in the profile: prefix, gateway, DNS."""
    device: str = ""
    """In a guest: id of the VM's network adapter that this is."""

    def derived(self) -> tuple[str, ...]:
        """What is the VM's own, and so is not kept here."""
        return ("mac",) if self.device and self.status != "Not Present" else ()


@dataclass(kw_only=True, slots=True)
class Address:
    """An IP address of one of the host's network adapters."""

    address: str
    prefix_length: int = 24
    adapter: int = 0
    """Interface index of the adapter; a profile may give the adapter's name instead under `on`."""
    on: str = ""
    origin: t.Literal["Manual", "Dhcp", "WellKnown"] = "Manual"
    state: t.Literal["Preferred", "Tentative", "Duplicate"] = "Preferred"
    persistent: bool = True
    """False: it is in the active store only, and gone after a restart of Windows."""
    preferred_from: float = 0.0
    """Simulated time at which duplicate address detection ends; until then a preferred address is still tentative."""


@dataclass(kw_only=True, slots=True)
class Route:
    """An IPv4 route that was set by hand."""

    destination: str = "0.0.0.0/0"
    next_hop: str
    metric: int = 256
    adapter: int = 0
    """Interface index of the adapter; a profile may give the adapter's name instead under `on`."""
    on: str = ""
    persistent: bool = True
    """False: it is in the active store only."""


@dataclass(kw_only=True, slots=True)
class StaticMapping:
    """A port that a NAT forwards to a guest."""

    id: int
    protocol: t.Literal["TCP", "UDP"] = "TCP"
    external_address: str = "0.0.0.0"  # noqa: S104 - what NetNat calls every address
    external_port: int
    internal_address: str
    internal_port: int
    remote_prefix: str = "0.0.0.0/0"


@dataclass(kw_only=True, slots=True)
class Nat:
    """A NetNat object; a hidden one belongs to the container network service and Get-NetNat does not show it."""

    name: str
    prefix: str
    external_prefix: str = ""
    hidden: bool = False
    active: bool = True
    mappings: list[StaticMapping] = field(default_factory=list)
    settings: dict[str, t.Any] = field(default_factory=dict)
    """What Set-NetNat changed, by the property's name."""


@dataclass(kw_only=True, slots=True)
class PortRange:
    """Ports of the host that WinNAT cannot have."""

    protocol: t.Literal["TCP", "UDP"] = "TCP"
    first: int
    last: int


@dataclass(kw_only=True, slots=True)
class Disk:
    """A file on the host that the simulator knows: a virtual hard disk or an ISO."""

    path: str
    size: Size = Size(127 * GB)
    type: t.Literal["Dynamic", "Fixed", "Differencing", "ISO"] = "Dynamic"
    parent: str | None = None
    guest: Guest | None = None
    """What starts from it. A VM on a disk that is based on it gets a copy; left out on a disk without parent: a guest without `windows`."""
    empty: bool = False
    """There is nothing on it: New-VHD made it."""


@dataclass(kw_only=True, slots=True)
class Cpu:
    """The host's processor."""

    vendor: t.Literal["Intel", "AMD"] = "Intel"
    name: str = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
    logical_processors: int = 16


@dataclass(kw_only=True, slots=True)
class Fault:
    """A cmdlet that does not do what it should, for trying out failures."""

    cmdlet: str
    """Verb-Noun."""
    vm: str | None = None
    """Only when it works on this VM; None: always."""
    id: str = "OperationFailed"
    """What stands before the comma of the FullyQualifiedErrorId."""
    category: str = "NotSpecified"
    reason: str = ""
    """Name of the exception; when left out the usual one of the cmdlet's module."""
    message: str = "The operation failed."
    silent: bool = False
    """It says that it succeeded, and does nothing."""
    after: int = 0
    """So many calls go well first."""
    times: int | None = None
    """It fails so often; None: for ever."""
    seen: int = 0


@dataclass(kw_only=True, slots=True)
class Event:
    """Something that another administrator does at the beginning of a remote process."""

    process: int
    """Which one: 1 is the first remote process of this host's life."""
    vm: str | None = None
    """Whose fields `set` names; None: the host's."""
    set: dict[str, t.Any] = field(default_factory=dict)
    """Dotted field name to its new value, e.g. memory.startup: 8GB."""
    done: bool = False


@dataclass(kw_only=True, slots=True)
class Host:
    """A pretended Hyper-V host and all that is on it."""

    name: str = "HV01"
    product: str = "Microsoft Windows Server 2022 Datacenter"
    windows: t.Literal["2016", "2019", "2022", "2025"] = "2022"
    """Which documented cmdlet signatures hold; Windows 11 has those of the server of its time."""
    build: int = 20348
    client: bool = False
    language: t.Literal["en-US", "fr-FR", "ja-JP", "zh-CN", "de-DE"] = "en-US"
    cpu: Cpu = field(default_factory=Cpu)
    memory: Size = Size(128 * GB)
    supported_versions: list[str] = field(default_factory=lambda: ["8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0"])
    default_version: str = "10.0"
    hyperv: t.Literal["installed", "absent", "install_pending", "uninstall_pending"] = "installed"
    """The role Hyper-V; what is pending waits for a restart of Windows. Absent: a bare Windows, to install Hyper-V on."""
    hypervisor_running: bool = True
    """False: the hypervisor is switched off in the boot settings (hypervisorlaunchtype). It runs only where the role is installed."""
    launched_before: float | None = None
    """Simulated second at which an earlier start of Windows has launched a hypervisor, for the System log; the last start's is known."""
    vbs_status: int = 0
    """Win32_DeviceGuard.VirtualizationBasedSecurityStatus: 0 off, 1 enabled, 2 running."""
    nested: bool = False
    """The host is itself a VM (an L1 host)."""
    hyperv_module: bool | None = None
    """Whether the Hyper-V PowerShell module is installed; when left out, as the role is."""
    vmms_running: bool = True
    """False: the Virtual Machine Management service is stopped. It is there only where the role is installed."""
    boot_seconds: float = 60.0
    """From a restart until Windows answers again; a VM's guest has one of its own."""
    rights: t.Literal["administrator", "denied", "sees_nothing"] = "administrator"
    """Of the user who connects: denied is told so by every Hyper-V cmdlet, sees_nothing gets empty lists."""
    without_cmdlets: list[str] = field(default_factory=list)
    """Cmdlets (Verb-Noun) that this Windows lacks."""
    without_properties: list[str] = field(default_factory=list)
    """Object properties that this Windows lacks, as Type.Property, e.g. VMProcessor.ExposeVirtualizationExtensions."""
    virtual_machine_path: str = "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V"
    virtual_hard_disk_path: str = "C:\\Users\\Public\\Documents\\Hyper-V\\Virtual Hard Disks"
    adapters: list[HostAdapter] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    outside: bool = True
    """Whether its physical network leads on to the rest of the world. Only that of an outermost host counts."""
    answers_ping: bool = False
    """Whether its firewall lets echo requests in."""
    neighbours: dict[str, t.Literal["Stale", "Delay", "Probe", "Reachable", "Permanent"]] = field(default_factory=dict)
    """What its neighbour cache has of IPv4 addresses before a remote process sends anything to them."""
    nats: list[Nat] = field(default_factory=list)
    winnat_running: bool = True
    """False: the service winnat is stopped, and no NAT is active."""
    reserved_ports: list[PortRange] = field(default_factory=list)
    """Ranges that Windows excludes, and ports on which something listens."""
    disks: list[Disk] = field(default_factory=list)
    vms: list[Vm] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    objects: t.Literal["live", "snapshot"] = "live"
    """Whether an object that a cmdlet returned shows later changes; unknown for the real module, so tests run both ways."""
    leases_stay: bool = False
    """Whether a lease and its default route stay, until a restart, when DHCP is turned off; unknown, too, so tests run both ways."""
    clock: float = 1_000_000.0
    """Simulated seconds; waiting moves it on and costs no real time."""
    processes: int = 0
    """How many remote PowerShell processes this host has answered."""
    made: int = 0
    """How many ids, MAC addresses and interface indices were given out: the next one is made from it."""
    booted: float = 0.0
    """Simulated second of Windows's last start."""
    restart_at: float | None = None
    """Windows goes down then, and starts again; None: nobody has asked for it."""
    answers_at: float = 0.0
    """Nobody answers before; of a guest its VM knows that."""
    asked: dict[tuple[int, str], float] = field(default_factory=dict, repr=False, compare=False, metadata=LINK)
    """When the remote process of this moment has first sent something to a neighbour: interface index and address."""
    configured: bool = False
    """Windows has started once with the role pending: its next start ends the installation."""
    outer: Host | None = field(default=None, repr=False, compare=False, metadata=LINK)
    """The host of the VM that this is; None: a host of its own."""
    machine: Vm | None = field(default=None, repr=False, compare=False, metadata=LINK)
    """The VM that this runs in, on `outer`."""

    def derived(self) -> tuple[str, ...]:
        """What the VM gives to the Windows inside: it is written down at the VM, and read there at each visit (tree.refresh)."""
        return OF_THE_VM if self.machine is not None else ()


OF_THE_VM: t.Final = ("cpu", "memory", "nested", "clock")
