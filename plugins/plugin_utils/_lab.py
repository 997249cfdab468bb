# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what is wrong with a lab as it is written, on all its levels at once, before any host is asked or changed.

What a single option may be is said by the modules that get it in the end; what is said here is how a host and its guests go together.
"""

from __future__ import annotations

import difflib
import ipaddress
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible.module_utils.common.collections import is_string

from ..module_utils._errors import InvalidOptions
from ..module_utils._memory import MEMORY
from ..module_utils._nat import DEFAULT_PREFIX
from ..module_utils._options import POWER, Option, Options, Spec, choice, flag, ordinal, strings, text
from ..module_utils._proof import PROOF
from ..module_utils._resources import hyperv_guest_network, hyperv_nat_switch, hyperv_switch, hyperv_vm

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

Network: t.TypeAlias = "ipaddress.IPv4Network"
Hosts: t.TypeAlias = "Mapping[str, Mapping[str, t.Any]]"

DEEPEST = 2
"""L0, L1, L2: the playbooks have a play for each of these levels."""
LETS_PASS = ("bridge", "mac_spoofing")
"""Where frames from inside the VMs get out."""
USUAL = [ipaddress.IPv4Network(f"{start}.0/24") for start in ("192.168.200", "192.168.201", "172.31.200", "10.200.200")]
"""Prefixes to propose; a lab has no more levels than these."""
OF_A_HOST = "nested_lab_host_"
"""Stands before the options where they are variables of an inventory host."""

BRIDGE = Spec(
    switch=hyperv_switch.SPEC.options["name"],
    adapter=replace(hyperv_switch.SPEC.options["adapter"], required=True),
    allow_disconnect=hyperv_switch.SPEC.options["allow_disconnect"],
)
OPTIONS: dict[str, Option] = {
    "network": choice("mac_spoofing", "nat", "bridge", "none"),
    "nat_switch": hyperv_nat_switch.SPEC.options["name"],
    "nat_prefix": hyperv_nat_switch.SPEC.options["prefix"],
    "bridge": Option(type="dict", spec=BRIDGE),
    "ip": Option(type="dict", spec=hyperv_guest_network.SPEC),
    "memory": MEMORY.options["startup"],
    "processors": hyperv_vm.SPEC.options["processors"],
    "power_state": choice("running", "off"),
    "when_running": POWER.options["when_running"],
    "reboot": flag(),
    "proof": PROOF,
    "remove_disks": flag(),
    "remove_hyperv": flag(),
}
"""What is said of a guest in the same words as of a host; there, nested_lab_host_ stands before them."""
OF_A_GUEST: dict[str, Option] = {**OPTIONS, "network": choice("nat", "bridge", "none")}
WHO: dict[str, Option] = {"vm": text(required=True), "name": text(), "user": text(required=True)}
CREATE = (
    *("generation", "version", "path", "disks", "dvd", "switch", "secure_boot", "secure_boot_template", "automatic_checkpoints"),
    *("automatic_stop_action", "notes"),
)
"""What of hyperv_vm the role hands on."""
PARTS: dict[str, Collection[str]] = {
    "bridge": BRIDGE.options,
    "ip": ("adapter", "address", "gateway", "dns", "dhcp"),
    "proof": PROOF.spec.options if PROOF.spec else (),
    "create": CREATE,
}
"""What may stand in those that are mappings."""
KEYS = (*WHO, "password", *OPTIONS, "create", "guests")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. Way out: {self.fix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The host at which the lab begins, or a guest in it, as far as what is said of it can be read."""

    where: str
    vm: str
    """Empty: it is the host, or nobody knows."""
    name: str
    """The name of the inventory host."""
    level: int
    above: Machine | None
    """Its own Hyper-V host."""
    prefix: str = ""
    """What stands before the names of its options: OF_A_HOST, or nothing for a guest in a list of guests."""
    options: Mapping[str, t.Any]
    """What was said and can be, as the modules see it."""
    nests: bool
    """It shall have VMs."""
    problems: tuple[Problem, ...] = ()

    @property
    def chain(self) -> Iterator[Machine]:
        """The machines that it is inside of, the nearest first."""
        if self.above:
            yield self.above
            yield from self.above.chain

    @property
    def network(self) -> str | None:
        """How its VMs reach the network."""
        return self.options.get("network") if self.nests else None

    @property
    def nat_prefix(self) -> Network | None:
        """The prefix of the NAT network in it."""
        return self.options.get("nat_prefix") if self.network == "nat" else None

    @property
    def address(self) -> ipaddress.IPv4Interface | None:
        """Its own."""
        ip = self.options.get("ip")
        return ip.address if ip else None

    @property
    def segment(self) -> str | None:
        """By whose name the network goes to which its own adapter belongs; None: that is not said."""
        if self.above is None:
            return ""
        return self.above.name if self.above.network == "nat" else self.above.segment if self.above.network in LETS_PASS else None

    def problem(self, what: str, fix: str) -> Problem:
        """One of this machine."""
        return Problem(where=self.where, what=what, fix=fix)


def problems_of(
    wanted: Mapping[str, t.Any], inside: Mapping[str, t.Any], hosts: Hosts, others: Sequence[str] = (), *, removal: bool = False
) -> list[Problem]:
    """All that is wrong with what a host and the guests in it shall be; a password is in none of these texts.

    `inside` is what holds for guests that do not say it, `hosts` the inventory with its variables, `others` are the other hosts of the
    play. How the networks of the levels go together is of no account for a removal.
    """
    above = _read_above(wanted.get("above"), hosts, _plain(inside), ())
    machines = list(_read_host(_plain(wanted), _plain(inside), above))
    found = [problem for machine in machines for problem in machine.problems]
    found += _names(machines, hosts, others)
    if not removal:
        found += [problem for machine in machines for problem in _networks(machine)]
        found += _same_addresses(machines)
    return found


def _plain(value: t.Any) -> t.Any:
    """Without what ansible-core adds to a value, in each of its versions in another way."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if is_string(value) else value


# ---- what is said of each


def _read_above(name: str | None, hosts: Hosts, inside: Mapping[str, t.Any], seen: tuple[str, ...]) -> Machine | None:
    """A Hyper-V host that stands in the inventory, and is brought to what is wanted by itself: what its network is like."""
    if name is None or name in seen or name not in hosts:
        return None
    below = hosts[name].get("ansible_psdirect_host")
    default = {"network": "mac_spoofing", "nat_prefix": inside["nat_prefix"] if below else str(DEFAULT_PREFIX)}
    variables = {key: _plain(hosts[name].get(f"{OF_A_HOST}{key}")) for key in ("network", "nat_prefix", "ip")}
    said = default | {key: value for key, value in variables.items() if value is not None}
    return Machine(
        where=name,
        vm="",
        name=name,
        level=0,
        above=_read_above(below, hosts, inside, (*seen, name)),
        prefix=OF_A_HOST,
        options=Reading(name, OF_A_HOST, said).options(OPTIONS),
        nests=True,
    )


def _read_host(wanted: Mapping[str, t.Any], inside: Mapping[str, t.Any], above: Machine | None) -> Iterator[Machine]:
    name = wanted["name"]
    said = {key: wanted[key] for key in (*OPTIONS, "create") if wanted.get(key) is not None}
    reading = Reading(name, OF_A_HOST, said)
    vms = reading.names_of_vms(wanted.get("vms", []))
    options = reading.options(OPTIONS)
    reading.create(vms)
    guests = reading.guests(wanted.get("guests", []), wanted["level"])
    host = Machine(
        where=name,
        vm="",
        name=name,
        level=wanted["level"],
        above=above,
        prefix=OF_A_HOST,
        options=options,
        nests=bool(vms or guests),
        problems=tuple(reading.problems),
    )
    yield host
    for number, guest in enumerate(guests, 1):
        yield from _read_guest(guest, number, host, inside)


def _read_guest(guest: t.Any, number: int, above: Machine, inside: Mapping[str, t.Any]) -> Iterator[Machine]:
    vm = _vm_of(guest)
    where = (f"guest '{vm}'" if vm else f"guest number {number}") + (f" of '{above.vm or above.name}'" if above.level else "")
    if not isinstance(guest, dict):
        # what it is instead may be a password that was indented wrongly
        yield _unreadable(where, above)
        return
    reading = Reading(where, "", guest)
    reading.unknown("", guest, KEYS)
    reading.options(WHO)
    reading.password()
    guests = reading.guests(guest.get("guests", []), above.level + 1)
    options = {**_defaults(inside), **reading.options(OF_A_GUEST)}
    reading.create([vm for vm in map(_vm_of, guests) if vm])
    machine = Machine(
        where=where,
        vm=vm,
        name=str(guest.get("name") or vm),
        level=above.level + 1,
        above=above,
        options=options,
        nests=bool(guests),
        problems=tuple(reading.problems),
    )
    yield machine
    for inner, each in enumerate(guests, 1):
        yield from _read_guest(each, inner, machine, inside)


def _vm_of(guest: t.Any) -> str:
    """Empty: it is not said in a way that can be read."""
    vm = guest.get("vm") if isinstance(guest, dict) else None
    return vm if isinstance(vm, str) and vm.strip() else ""


def _unreadable(where: str, above: Machine) -> Machine:
    problem = Problem(where=where, what="it is no mapping", fix="write it as one, with vm, user and password")
    return Machine(where=where, vm="", name="", level=above.level + 1, above=above, options={}, nests=False, problems=(problem,))


def _defaults(inside: Mapping[str, t.Any]) -> Options:
    return _spec({name: OPTIONS[name] for name in inside}).validate(inside)


def _spec(options: dict[str, t.Any]) -> Spec:
    return Spec(**options)


class Reading:
    """Reads what is said of one machine, and gathers what cannot be."""

    def __init__(self, where: str, prefix: str, said: Mapping[str, t.Any]) -> None:
        self.problems: list[Problem] = []
        self._where, self._prefix, self._said = where, prefix, said

    def add(self, what: str, fix: str) -> None:
        """A problem."""
        self.problems.append(Problem(where=self._where, what=what, fix=fix))

    def options(self, known: Mapping[str, Option]) -> dict[str, t.Any]:
        """Those that are said and can be; each is looked at for itself, so that one problem does not hide another."""
        read: dict[str, t.Any] = {}
        for key, option in known.items():
            if key in self._said:
                read |= self._checked(key, option)
            elif option.required:
                self.add(f"it has no {key}", f"give {self._prefix}{key} a value")
        return read

    def _checked(self, key: str, option: Option) -> dict[str, t.Any]:
        value = self._value(key)
        if value is None:
            return {}
        try:
            [converted] = _spec({f"{self._prefix}{key}": option}).validate({f"{self._prefix}{key}": value}).values()
        except InvalidOptions as error:
            self._refused(error)
            return {}
        return {key: converted}

    def _value(self, key: str) -> t.Any:
        """What is said, of a mapping as far as it is known; None: nothing that could be looked at further."""
        name, value = f"{self._prefix}{key}", self._said[key]
        if value is None:
            self.add(f"{name} is empty", f"give {name} a value, or leave it out")
        elif key in PARTS and not isinstance(value, dict):
            self.add(f"{name} is no mapping", f"write under {name} what it consists of: {', '.join(PARTS[key])}")
            return None
        elif key not in PARTS and isinstance(value, dict | list):
            # not shown: there may be a password in it
            self.add(f"{name} is no single value", f"give {name} one value")
            return None
        return self.unknown(f"{name}.", value, PARTS[key]) if value and key in PARTS else value

    def _refused(self, error: InvalidOptions, before: str = "") -> None:
        self.add(f"{before}{error}", error.fix or "see ansible-doc -t role hyperlab.nested.nested_lab_host")

    def unknown(self, place: str, given: Mapping[t.Any, t.Any], known: Collection[str]) -> dict[str, t.Any]:
        """The rest, without what nobody knows."""
        for key in (key for key in given if key not in known):
            near = difflib.get_close_matches(str(key), known, 1)
            self.add(f"there is no {place}{key}", f"did you mean {near[0]}?" if near else f"these are known: {', '.join(known)}")
        return {key: value for key, value in given.items() if key in known}

    def password(self) -> None:
        """There has to be one; nothing is said of it that would show it."""
        password = self._said.get("password")
        if password is None:
            self.add("it has no password", "give the password of its user, from a vault")
        elif not isinstance(password, str):
            self.add("its password is no string", "put it in quotes: YAML makes a number of 0123 and a mapping of {a}")
        elif not password:
            self.add(
                "its password is empty, and Windows lets nobody in without one over PowerShell Direct",
                "give the account a password in the guest, and password here",
            )

    def names_of_vms(self, vms: t.Any) -> tuple[str, ...]:
        """Of the host's own."""
        if not isinstance(vms, list):
            self.add("nested_lab_host_vms is no list", "write it as a list of names, such as [l1-a]")
        elif any(isinstance(vm, dict | list) for vm in vms):
            self.add(
                "nested_lab_host_vms has more in it than names", "write guests into nested_lab_host_guests, and here only names of VMs"
            )
        else:
            try:
                return strings("nested_lab_host_vms", vms)
            except InvalidOptions as error:
                self._refused(error)
        return ()

    def create(self, vms: Sequence[str]) -> None:
        """How these VMs are made, as hyperv_vm gets it with their names."""
        if "create" not in self._said:
            return
        create = self._value("create")
        if create is None:
            return
        try:
            hyperv_vm.SPEC.validate({**create, "vms": list(vms)})
        except InvalidOptions as error:
            self._refused(error, f"{self._prefix}create: ")

    def guests(self, guests: t.Any, level: int) -> list[t.Any]:
        """Those of a machine at this level."""
        name = f"{self._prefix}guests"
        if not isinstance(guests, list):
            self.add(f"{name} is no list", f"write {name} as a list of guests, or [] where there are none")
            return []
        if guests and level >= DEEPEST:
            self.add(
                f"{name} would be on a level below L{DEEPEST}, and three levels are meant: L0, L1 and L2",
                f"leave {name} out; what shall be inside L2 can be made with plays of your own over psdirect",
            )
            return []
        return [guest for guest in guests if not self._stood_before(guest, guests)]

    def _stood_before(self, guest: t.Any, guests: list[t.Any]) -> bool:
        """Whether an earlier one is in the same VM; a second time all else of it would be wrong, too."""
        vm = _vm_of(guest)
        twice = bool(vm) and next(each for each in guests if ordinal(_vm_of(each)) == ordinal(vm)) is not guest
        if twice:
            self.add(f"VM '{vm}' stands in {self._prefix}guests twice", "name each VM once")
        return twice


# ---- how they go together


def _names(machines: Sequence[Machine], hosts: Hosts, others: Sequence[str]) -> Iterator[Problem]:
    """Each guest has a name of its own in the inventory."""
    taken = {name: f"a guest of {other}" for other in others for name in _names_in(_plain(hosts[other].get("nested_lab_host_guests")))}
    taken |= {machines[0].name: "the Hyper-V host of the lab"}
    for machine in machines[1:]:
        if machine.name:
            yield from _name(machine, taken, hosts)
        taken.setdefault(machine.name, machine.where)


def _name(machine: Machine, taken: Mapping[str, str], hosts: Hosts) -> Iterator[Problem]:
    """Of the inventory host that it is to become."""
    name = machine.name
    fix = "give it another name (name), under which it stands in the inventory"
    if ":" in name:
        yield machine.problem(f"the inventory would take what stands behind the colon of '{name}' for a port", fix)
    elif name in taken:
        yield machine.problem(f"the inventory host '{name}' is {taken[name]} already", fix)
    elif machine.above and name in hosts and hosts[name].get("ansible_psdirect_host") != machine.above.name:
        yield machine.problem(f"the inventory has a host '{name}' already, which is not this guest", fix)


def _names_in(guests: t.Any) -> Iterator[str]:
    for guest in guests if isinstance(guests, list) else ():
        if isinstance(guest, dict):
            yield str(guest.get("name") or guest.get("vm"))
            yield from _names_in(guest.get("guests"))


def _networks(machine: Machine) -> Iterator[Problem]:
    checks: Sequence[Callable[[Machine], Iterator[Problem]]] = (_bridge, _prefix, _address)
    for check in checks:
        yield from check(machine)


def _bridge(machine: Machine) -> Iterator[Problem]:
    above = machine.above
    if above and machine.network == "bridge" and above.network and above.network not in LETS_PASS:
        yield machine.problem(
            f"its VMs shall be on the network of {above.where} ({machine.prefix}network=bridge), which lets no frames of theirs pass"
            f" ({above.prefix}network={above.network})",
            f"set {above.prefix}network of {above.where} to {' or '.join(LETS_PASS if above.prefix else LETS_PASS[:1])},"
            f" or {machine.prefix}network of {machine.where} to nat",
        )


def _prefix(machine: Machine) -> Iterator[Problem]:
    """Windows could not tell the NAT network in a machine from another one that it is on itself, or that is on the way out."""
    own = machine.nat_prefix
    if own is None:
        return
    around = list(_around(machine))
    clash = next(((other, what) for other, what in around if own.overlaps(other)), None)
    if clash:
        free = [each for each in USUAL if not any(each.overlaps(network) for network, _what in around)]
        name = f"{machine.prefix}nat_prefix"
        yield machine.problem(
            f"the NAT network in it has the prefix {own} ({name}), and overlaps with {clash[0]}, {clash[1]}",
            f"set {name} to {free[0] if free else 'a private prefix that none of them has'}",
        )


def _around(machine: Machine) -> Iterator[tuple[Network, str]]:
    """The networks that it is in: NAT first, for that is what its address follows."""
    for each in machine.chain:
        if each.nat_prefix:
            yield each.nat_prefix, f"the NAT network of {each.where}"
    for each in (machine, *machine.chain):
        if each.address:
            yield each.address.network, f"the network of the address of {each.where}"


def _address(machine: Machine) -> Iterator[Problem]:
    """On a NAT network of the lab an address is one of the prefix, and the gateway is that of the NAT."""
    above = machine.above
    if above is None or above.nat_prefix is None or machine.options.get("ip") is None:
        return
    prefix, router, address = above.nat_prefix, above.nat_prefix[1], machine.address
    place = f"{prefix}, the NAT network of {above.where}"
    right = f"{prefix[2]}/{prefix.prefixlen}"
    if address and not address.network.subnet_of(prefix):
        yield machine.problem(f"its address {address} does not lie in {place}", f"give it one there, such as {right} with gateway {router}")
    elif address and address.ip == router:
        yield machine.problem(f"its address {address.ip} is the gateway of {place}", f"give it another one, such as {right}")
    else:
        yield from _gateway(machine, router, place)


def _gateway(machine: Machine, router: ipaddress.IPv4Address, place: str) -> Iterator[Problem]:
    gateway = machine.options["ip"].gateway
    if gateway not in (None, hyperv_guest_network.NO_GATEWAY, router):
        yield machine.problem(f"its gateway {gateway} is not that of {place}", f"set it to {router}")


def _same_addresses(machines: Sequence[Machine]) -> Iterator[Problem]:
    taken: dict[tuple[str, ipaddress.IPv4Address], str] = {}
    for machine in machines:
        if machine.address is None or machine.segment is None:
            continue
        key = (machine.segment, machine.address.ip)
        if key in taken:
            yield machine.problem(f"its address {machine.address.ip} is that of {taken[key]}, too", "give each an address of its own")
        taken.setdefault(key, machine.where)
