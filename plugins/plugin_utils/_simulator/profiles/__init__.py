# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: profiles, the YAML files that pretended hosts start from: what they are based on, what they leave out, what cannot be."""

from __future__ import annotations

import copy
import ipaddress
import pathlib
import re
import typing as t

import yaml

from .. import ids, tree, wiring
from ..model import MB, OF_THE_VM, Disk, Host, HostAdapter, Route, Vm
from ..schema import ProfileError, from_plain
from ..text import first_free, ordinal_upper, same_text

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..model import Adapter, Address, Guest, Switch

Plain = dict[str, t.Any]

_FOLDER = pathlib.Path(__file__).parent
_BUILT_IN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DESCRIPTION = "Hyper-V Virtual Ethernet Adapter"
_LONGEST_NAME = 15
"""Of a Windows computer."""


def shipped() -> list[str]:
    """The names of the profiles that come with the collection."""
    return sorted(path.stem for path in _FOLDER.glob("*.yml"))


def load_profile(name: str) -> Host:
    """A complete host from a shipped profile's name, or from the path of a YAML file."""
    path = _path(name, pathlib.Path())
    host = from_plain(Host, _read(path, ()), str(path))
    try:
        complete(host)
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None
    _add_lans(host)
    return host


def complete(host: Host) -> None:
    """Fill in what a profile leaves out, and refuse what no host can be, at any depth; a complete host is left as it is."""
    try:
        for step in (_take_devices, _name_things, _connect, _add_management_adapters, _place_addresses, _fill_vms, _register_disks):
            step(host)
        _check(host)
    except ProfileError as error:
        place = tree.place(host).removesuffix(".")
        raise ProfileError(f"{place}: {error}" if place else str(error)) from None
    for vm in host.vms:
        complete_inside(host, vm)
    for index, disk in enumerate(host.disks):
        if disk.guest is not None:
            _try_guest(host, disk.guest, f"{tree.place(host)}disks[{index}].guest.windows")


def complete_inside(host: Host, vm: Vm) -> None:
    """The same for the Windows in a VM, if there is one."""
    inside = vm.guest.windows
    if inside is not None:
        inside.outer, inside.machine = host, vm
        complete(inside)


def _try_guest(host: Host, guest: Guest, place: str) -> None:
    """Find out whether a VM can start what is on a disk; it is completed only in that VM, because each VM has ids of its own."""
    vm = Vm(name=place, id=ids.guid(host, place), version=host.default_version, guest=copy.deepcopy(guest))
    try:
        complete_inside(host, vm)
    except ProfileError as error:
        raise ProfileError(f"{place}: {error}") from None


# --- files ---


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans only: `state: Off` is a text, and so is the key `on`."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _path(name: str, folder: pathlib.Path) -> pathlib.Path:
    if _BUILT_IN.fullmatch(name) and (_FOLDER / f"{name}.yml").exists():
        return _FOLDER / f"{name}.yml"
    path = folder / pathlib.Path(name).expanduser()
    if not path.is_file():
        raise ProfileError(f"{name!r} is neither a file ({path.absolute()}) nor a profile of the collection: {', '.join(shipped())}")
    return path


def _read(path: pathlib.Path, before: tuple[pathlib.Path, ...]) -> Plain:
    """The file's mapping, laid over the one that it is based on: mappings are merged, lists and all else replaced."""
    if path.resolve() in before:
        raise ProfileError(f"{path}: based_on leads back to this file")
    try:
        plain = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f"{path}: {error}") from None
    if not isinstance(plain, dict):
        raise ProfileError(f"{path}: expected a mapping, found {plain!r}")
    before = (*before, path.resolve())
    plain = _with_guests(plain, path, before, "")
    below = _base(plain, path, before, "based_on")
    merged: Plain = _merged(below, {key: value for key, value in plain.items() if key != "based_on"})
    return merged


def _base(plain: Plain, path: pathlib.Path, before: tuple[pathlib.Path, ...], place: str) -> Plain:
    """What a mapping is based on, or nothing."""
    base = plain.get("based_on")
    if base is None:
        return {}
    if not isinstance(base, str):
        raise ProfileError(f"{path}: {place}: expected a name or a path, found {base!r}")
    try:
        found = _path(base, path.parent)
    except ProfileError as error:
        raise ProfileError(f"{path}: {place}: {error}") from None
    return _read(found, before)


def _with_guests(plain: Plain, path: pathlib.Path, before: tuple[pathlib.Path, ...], place: str) -> Plain:
    """The mapping with what each guest in it is based on laid below that guest."""
    filled = dict(plain)
    for key in ("vms", "disks"):
        if isinstance(plain.get(key), list):
            filled[key] = [_with_guest(thing, path, before, f"{place}{key}[{number}]") for number, thing in enumerate(plain[key])]
    return filled


def _with_guest(thing: t.Any, path: pathlib.Path, before: tuple[pathlib.Path, ...], place: str) -> t.Any:
    guest = thing.get("guest") if isinstance(thing, dict) else None
    windows = guest.get("windows") if isinstance(guest, dict) else None
    if not isinstance(guest, dict) or not isinstance(windows, dict):
        return thing
    place = f"{place}.guest.windows"
    own = next((key for key in OF_THE_VM if key in windows), None)
    if own:
        raise ProfileError(f"{path}: {place}.{own}: a guest has it from its VM, so say it there")
    windows = _with_guests(windows, path, before, f"{place}.")
    below = _without_machine(_base(windows, path, before, f"{place}.based_on"))
    merged = _merged(below, {key: value for key, value in windows.items() if key != "based_on"})
    if "name" in thing:
        merged = {"name": str(thing["name"]).upper()[:_LONGEST_NAME], **merged}
    return {**thing, "guest": {**guest, "windows": merged}}


def _without_machine(plain: Plain) -> Plain:
    """A host's Windows without the machine that it runs on: its network adapters and their addresses go, too."""
    adapters = [one for one in plain.get("adapters", []) if isinstance(one, dict) and "switch" not in one]
    physical = {adapter.get("name") for adapter in adapters}
    kept = {key: value for key, value in plain.items() if key not in (*OF_THE_VM, "adapters")}
    for key in ("addresses", "routes"):
        if key in plain:
            kept[key] = [one for one in plain[key] if not isinstance(one, dict) or one.get("on") not in physical]
    return kept


def _merged(below: t.Any, above: t.Any) -> t.Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: _merged(below.get(key), value) for key, value in above.items()}


# --- what a profile leaves out ---


def _take_devices(host: Host) -> None:
    """The physical adapters of a guest are those of its VM, in their order; a profile may name them."""
    if host.machine is None:
        return
    known = {adapter.device for adapter in host.adapters}
    ports = [port.id for port in host.machine.adapters if port.id not in known]
    for adapter in host.adapters:
        if adapter.switch is None and not adapter.device:
            if not ports or adapter.mac:
                why = "its MAC address is the VM's" if ports else f"the VM has no more than {len(host.machine.adapters)} network adapters"
                raise ProfileError(f"adapter {adapter.name!r}: {why}")
            adapter.device = ports.pop(0)
    tree.refresh(host)


def _name_things(host: Host) -> None:
    for kind, things in (("vm", host.vms), ("switch", host.switches), ("adapter", host.adapters)):
        _name_each(host, things, kind)
    for vm in host.vms:
        _name_each(host, vm.adapters, "port", vm.id)
        _name_each(host, vm.checkpoints, "checkpoint", vm.id)


def _name_each(host: Host, things: Iterable[t.Any], *words: str) -> None:
    """Ids by name and number, so that they do not depend on what else a profile holds."""
    counts: dict[str, int] = {}
    for thing in things:
        number = counts[thing.name] = counts.get(thing.name, 0) + 1
        thing.id = thing.id.lower() or ids.guid(host, *words, thing.name, number)


def _connect(host: Host) -> None:
    for vm in host.vms:
        for adapter in vm.adapters:
            adapter.switch = _switch_id(host, adapter.switch, f"VM {vm.name!r}, adapter {adapter.name!r}")
    for host_adapter in host.adapters:
        host_adapter.switch = _switch_id(host, host_adapter.switch, f"adapter {host_adapter.name!r}")


def _switch_id(host: Host, switch: str | None, place: str) -> str | None:
    if switch is None or any(known.id == switch.lower() for known in host.switches):
        return switch and switch.lower()
    found = [known.id for known in host.switches if same_text(known.name, switch)]
    if len(found) != 1:
        raise ProfileError(f"{place}: {len(found) or 'no'} switches have the name {switch!r}; there are {_names(host.switches)}")
    return found[0]


def _add_management_adapters(host: Host) -> None:
    """Facts 5.2: vEthernet (NAME), and descriptions that are numbered from the second one on."""
    for switch in host.switches:
        managed = switch.type == "Internal" or (switch.type == "External" and switch.allow_management_os)
        if managed and all(adapter.switch != switch.id for adapter in host.adapters):
            name = f"vEthernet ({switch.name})"
            host.adapters.append(HostAdapter(name=name, switch=switch.id, id=ids.guid(host, "management", switch.id)))
    for adapter in host.adapters:
        adapter.index = adapter.index or ids.new_interface_index(host)
        adapter.mac = _mac(adapter.mac, f"adapter {adapter.name!r}") or _host_mac(host, adapter)
        adapter.description = adapter.description or _description(host, adapter)


def _host_mac(host: Host, adapter: HostAdapter) -> str:
    # any vendor's range will do for a physical adapter; the management adapter of an external switch has its own here, too
    return ids.new_mac(host) if adapter.switch else "3CECEF" + adapter.id.replace("-", "")[:6].upper()


def _description(host: Host, adapter: HostAdapter) -> str:
    stem = _DESCRIPTION if adapter.switch else "Intel(R) Ethernet Controller X710 for 10GbE"
    return first_free(stem, " #", (other.description for other in host.adapters))


def _place_addresses(host: Host) -> None:
    for adapter in host.adapters:
        if adapter.gateway:
            host.routes.append(Route(next_hop=adapter.gateway, adapter=adapter.index))
            adapter.gateway = ""
    places: list[tuple[str, Address | Route]] = [(f"address {address.address}", address) for address in host.addresses]
    places += [(f"route to {route.destination}", route) for route in host.routes]
    for what, one in places:
        if one.on:
            named = [adapter for adapter in host.adapters if same_text(adapter.name, one.on)]
            if len(named) != 1:
                raise ProfileError(f"{what}: no adapter {one.on!r}; there are {_names(host.adapters)}")
            one.adapter, one.on = named[0].index, ""
    # binding an adapter to an external switch moves what TCP/IP was told about it to the management adapter
    for adapter in host.adapters:
        taken = wiring.external_switch_on(host, adapter)
        manager = next(iter(wiring.management_adapters(host, taken)), None) if taken else None
        if manager:
            for _what, one in places:
                one.adapter = manager.index if one.adapter == adapter.index else one.adapter
            manager.dns, adapter.dns = adapter.dns or manager.dns, []
            manager.dhcp, adapter.dhcp = manager.dhcp if adapter.dhcp is None else adapter.dhcp, None


def _add_lans(host: Host) -> None:
    """What is behind the physical adapters stays what it is, whatever the host is told about its addresses later."""
    for adapter in host.adapters:
        if adapter.switch is None and adapter.lan is None:
            adapter.lan = wiring.known_lan(host, adapter)


def _fill_vms(host: Host) -> None:
    for vm in host.vms:
        vm.version = vm.version or host.default_version
        vm.path = vm.path or host.virtual_machine_path
        if vm.automatic_checkpoints is None:
            vm.automatic_checkpoints = host.client
        for adapter in vm.adapters:
            _fill_mac(host, vm, adapter)


def _fill_mac(host: Host, vm: Vm, adapter: Adapter) -> None:
    """Facts 4: a dynamic address is zeros until the first start."""
    place = f"VM {vm.name!r}, adapter {adapter.name!r}"
    adapter.mac = _mac(adapter.mac, place) or "0" * 12
    if adapter.mac == "0" * 12 and not adapter.dynamic_mac:
        raise ProfileError(f"{place}: a static MAC address has to be given as mac")
    if adapter.mac == "0" * 12 and vm.state not in {"Off", "OffCritical"}:
        adapter.mac = ids.new_mac(host)


def _mac(text: str, place: str) -> str:
    plain = re.sub(r"[-:]", "", text).upper()
    if plain and not re.fullmatch(r"[0-9A-F]{12}", plain):
        raise ProfileError(f"{place}: {text!r} is not a MAC address")
    return plain


def _register_disks(host: Host) -> None:
    known = {ordinal_upper(disk.path) for disk in host.disks}
    wanted = [drive.path for vm in host.vms for drive in vm.drives] + [disk.parent for disk in host.disks]
    for path in wanted:
        if path and ordinal_upper(path) not in known:
            known.add(ordinal_upper(path))
            host.disks.append(Disk(path=path, type="ISO" if path.lower().endswith(".iso") else "Dynamic"))


# --- what cannot be ---


def _check(host: Host) -> None:
    for part in (_check_doubles, _check_network, _check_mishaps, _check_machine):
        part(host)
    if host.default_version not in host.supported_versions:
        raise ProfileError(f"default_version {host.default_version!r} is none of supported_versions")
    for vm in host.vms:
        for check in _VM_CHECKS:
            problem = check(host, vm)
            if problem:
                raise ProfileError(f"VM {vm.name!r}: {problem}")


def _check_doubles(host: Host) -> None:
    # names of VMs and of switches are not unique (facts 5.1, 11); those of adapters are
    _unique((vm.id for vm in host.vms), "VMs have the id")
    _unique((switch.id for switch in host.switches), "switches have the id")
    _unique((adapter.id for adapter in host.adapters), "adapters have the id")
    _unique((adapter.index for adapter in host.adapters), "adapters have the interface index")
    _unique((ordinal_upper(adapter.name) for adapter in host.adapters), "adapters have the name")
    _unique((ordinal_upper(disk.path) for disk in host.disks), "disks have the path")


def _check_network(host: Host) -> None:
    for switch in host.switches:
        _check_switch(host, switch)
    for address in host.addresses:
        _parse(ipaddress.ip_interface, f"{address.address}/{address.prefix_length}", "addresses")
        if all(adapter.index != address.adapter for adapter in host.adapters):
            raise ProfileError(f"address {address.address}: say with `on` which adapter has it")
    for route in host.routes:
        _check_route(host, route)
    for adapter in host.adapters:
        _check_leased(host, adapter)
    for nat in host.nats:
        _parse(ipaddress.ip_network, nat.prefix, f"NAT {nat.name!r}")


def _check_route(host: Host, route: Route) -> None:
    place = f"route to {route.destination}"
    _parse(ipaddress.IPv4Network, route.destination, place)
    _parse(ipaddress.IPv4Address, route.next_hop, place)
    if all(adapter.index != route.adapter for adapter in host.adapters):
        raise ProfileError(f"{place}: say with `on` by which adapter it leads")


def _check_leased(host: Host, adapter: HostAdapter) -> None:
    place, lease = f"adapter {adapter.name!r}", adapter.lease
    if (lease is not None or adapter.lan is not None) and (host.machine is not None or adapter.switch is not None):
        raise ProfileError(f"{place}: only a physical adapter of an outermost host has a lease and a lan; for others both follow")
    if adapter.lan is not None:
        _parse(ipaddress.IPv4Network, adapter.lan.prefix, f"{place}: lan")
        for router in adapter.lan.routers:
            _parse(ipaddress.IPv4Address, router, f"{place}: lan")
    for server in (*adapter.dns, *(lease.dns if lease else ()), *(adapter.lan.dns if adapter.lan else ())):
        _parse(ipaddress.IPv4Address, server, f"{place}: dns")
    if lease is not None:
        _parse(ipaddress.IPv4Interface, f"{lease.address}/{lease.prefix_length}", f"{place}: lease")
        if lease.gateway:
            _parse(ipaddress.IPv4Address, lease.gateway, f"{place}: lease")


def _check_mishaps(host: Host) -> None:
    for index, fault in enumerate(host.faults):
        if not re.fullmatch(r"[A-Za-z]+-[A-Za-z]+", fault.cmdlet):
            raise ProfileError(f"faults[{index}]: {fault.cmdlet!r} is not written as Verb-Noun")
    for index, event in enumerate(host.events):
        if event.process < 1:
            raise ProfileError(f"events[{index}]: processes are counted from 1")


def _check_machine(host: Host) -> None:
    """A VM in a VM cannot be on where that one is off, or has no hypervisor inside."""
    on = next((vm for vm in host.vms if vm.state not in {"Off", "OffCritical", "Saved"}), None)
    if host.machine is None or on is None:
        return
    if host.machine.state in {"Off", "OffCritical"}:
        raise ProfileError(f"VM {on.name!r} cannot be {on.state}: VM {host.machine.name!r}, which it is in, is off")
    if not tree.hypervisor_runs(host):
        raise ProfileError(f"VM {on.name!r} cannot be {on.state}: no hypervisor runs in VM {host.machine.name!r}, which it is in")


def _unique(values: Iterable[t.Any], text: str) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise ProfileError(f"two {text} {value}")
        seen.add(value)


def _check_switch(host: Host, switch: Switch) -> None:
    place = f"switch {switch.name!r}"
    if switch.type != "External":
        if switch.adapter:
            raise ProfileError(f"{place}: only an external switch has an adapter")
        return
    physical = [adapter for adapter in host.adapters if adapter.switch is None]
    if not any(same_text(adapter.name, switch.adapter or "") for adapter in physical):
        raise ProfileError(f"{place}: its adapter {switch.adapter!r} is no physical one; there are {_names(physical)}")
    if sum(same_text(other.adapter or "", switch.adapter or "") for other in host.switches) > 1:
        raise ProfileError(f"{place}: another switch has the adapter {switch.adapter!r}")


def _parse(kind: Callable[[str], t.Any], text: str, place: str) -> None:
    try:
        kind(text)
    except ValueError as error:
        raise ProfileError(f"{place}: {error}") from None


def _check_version(host: Host, vm: Vm) -> str | None:
    supported = vm.version in host.supported_versions
    return None if supported else f"this host supports no version {vm.version!r}, only {', '.join(host.supported_versions)}"


def _check_memory(host: Host, vm: Vm) -> str | None:
    del host
    memory = vm.memory
    if any(size % (2 * MB) for size in (memory.startup, memory.minimum, memory.maximum)):
        return "sizes of memory are multiples of 2MB"
    # with dynamic memory off the two limits are remembered, and not in force (facts 3.1)
    if memory.dynamic and not memory.minimum <= memory.startup <= memory.maximum:
        return "memory needs minimum <= startup <= maximum"
    return None


def _check_generation(host: Host, vm: Vm) -> str | None:
    del host
    if vm.generation not in {1, 2}:
        return f"generation {vm.generation} does not exist"
    if vm.generation == 2 and any(adapter.legacy for adapter in vm.adapters):
        return "legacy adapters exist in generation 1 only"
    if vm.generation == 2 and any(drive.controller == "IDE" for drive in vm.drives):
        return "IDE controllers exist in generation 1 only"
    return None


def _check_drives(host: Host, vm: Vm) -> str | None:
    del host
    places = [(drive.controller, drive.number, drive.location) for drive in vm.drives]
    double = next((place for place in places if places.count(place) > 1), None)
    return f"two drives at {double[0]} {double[1]}:{double[2]}" if double else None


def _check_processor(host: Host, vm: Vm) -> str | None:
    if vm.processor.count < 1:
        return "a VM has at least one processor"
    running = vm.state in {"Running", "Paused"}
    if running and vm.processor.count > host.cpu.logical_processors:
        return f"it runs with {vm.processor.count} processors, and the host has {host.cpu.logical_processors}"
    return None


def _check_role(host: Host, vm: Vm) -> str | None:
    runs = vm.state not in {"Off", "OffCritical", "Saved"}
    return f"it is {vm.state}, and hyperv is {host.hyperv}" if runs and not tree.hyperv_works(host) else None


def _check_guest(host: Host, vm: Vm) -> str | None:
    del host
    guest = vm.guest
    if guest.windows is None:
        return None
    if not guest.installed:
        return "guest.windows says what is inside, and guest.installed that there is nothing"
    if guest.hyperv_running:
        return "guest.hyperv_running: guest.windows tells whether Hyper-V runs inside"
    if any(adapter.addresses for adapter in vm.adapters):
        return "adapters: the addresses of a guest with guest.windows stand there"
    return None


_VM_CHECKS = (_check_role, _check_guest, _check_version, _check_memory, _check_generation, _check_drives, _check_processor)


def _names(things: Iterable[t.Any]) -> str:
    return ", ".join(repr(thing.name) for thing in things) or "none"
