# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: option specs that merge, and the kinds of values that options hold: names, sizes, numbers, networks.

A Spec is declared once per module. AnsibleModule and the action plugin get the same argument spec from it, and `parse`
turns checked parameters into Options or raises InvalidOptions before anything is read from the host.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ._errors import InvalidOptions

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

MB = 1024**2
GB = 1024**3
_UNITS = {"KB": 1024, "MB": MB, "GB": GB, "TB": 1024**4}


class Options(Mapping[str, t.Any]):
    """The validated options of a task, as attributes; None means that the option was not given: not managed.

    Beside them the action plugin puts `connection_address` and `connection_port`, to which Ansible connects, for resources that must
    not cut it off. An address of None: there is no network between. A port of None: not known.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, t.Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> t.Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> t.Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def but(self, **values: t.Any) -> Options:
        """The same options with some replaced."""
        return Options({**self._values, **values})


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option of a module."""

    type: str = "str"
    default: t.Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    elements: str | None = None
    aliases: tuple[str, ...] = ()
    no_log: bool | None = None
    convert: Callable[[str, t.Any], t.Any] | None = None
    """Turns Ansible's value into ours; gets the option's name for its error."""
    spec: Spec | None = None
    """The suboptions of a dict or of a list of dicts."""
    taken: tuple[t.Any, ...] = ()
    """The types that are meant, where Ansible would convert others without a word; none: whatever Ansible takes."""

    def to_argument(self) -> dict[str, t.Any]:
        """The entry of AnsibleModule's argument_spec."""
        optional = {
            "default": self.default,
            "required": self.required or None,
            "choices": list(self.choices) or None,
            "elements": self.elements,
            "aliases": list(self.aliases) or None,
            "no_log": self.no_log,
        }
        argument = {"type": self.type, **{name: value for name, value in optional.items() if value is not None}}
        return argument | self.spec.to_argument() if self.spec else argument

    def refuse_other_types(self, name: str, value: t.Any) -> None:
        """Raise InvalidOptions for what YAML made of a value that was meant otherwise: 010 is 8, yes is true."""
        if self.spec:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    self.spec.refuse_other_types(one, f"{name}.")
        elif self.taken and value is not None and (not isinstance(value, self.taken) or (isinstance(value, bool))):
            wanted = "a string" if self.taken == (str,) else "a number"
            raise InvalidOptions(f"{name}: {value!r} is not {wanted}", fix=f"write {name} as {wanted}; YAML reads 010 as 8 and yes as true")

    def parse(self, name: str, value: t.Any) -> t.Any:
        """The option's value as the resource sees it."""
        if value is None:
            if self.required:
                raise InvalidOptions(f"{name} is empty", fix=f"give {name} a value; a variable that it is made of may be empty")
            return None
        if self.spec and self.type == "list":
            return tuple(self.spec.parse(item, f"{name}[{index}].") for index, item in enumerate(value))
        if self.spec:
            return self.spec.parse(value, f"{name}.")
        if self.convert:
            return self.convert(name, value)
        return tuple(value) if isinstance(value, list) else value


Check = Callable[[Options], None]


class Spec:
    """The options of a module: shared specs merged with its own."""

    def __init__(
        self,
        *shared: Spec,
        check: Check | None = None,
        derive: Callable[[Options], Options] | None = None,
        mutually_exclusive: Sequence[Sequence[str]] = (),
        required_together: Sequence[Sequence[str]] = (),
        required_if: Sequence[Sequence[t.Any]] = (),
        **options: Option,
    ) -> None:
        self.options: dict[str, Option] = {name: option for spec in shared for name, option in spec.options.items()} | options
        self.checks: list[Check] = [each for spec in shared for each in spec.checks] + ([check] if check else [])
        self.derive = derive
        """Settles options that follow from others, once all checks have passed; of this spec only, not of shared ones."""
        own = {"mutually_exclusive": mutually_exclusive, "required_together": required_together, "required_if": required_if}
        self.rules: dict[str, list[t.Any]] = {
            kind: [rule for spec in shared for rule in spec.rules[kind]] + [list(rule) for rule in rules] for kind, rules in own.items()
        }

    def to_argument(self) -> dict[str, t.Any]:
        """What a dict option of this spec adds to its entry in an argument_spec."""
        return {"options": self.argument_spec(), **{name: rule for name, rule in self.rules.items() if rule}}

    def argument_spec(self) -> dict[str, t.Any]:
        """AnsibleModule's argument_spec."""
        return {name: option.to_argument() for name, option in self.options.items()}

    def to_kwargs(self) -> dict[str, t.Any]:
        """The keyword arguments of AnsibleModule and of ArgumentSpecValidator."""
        return {"argument_spec": self.argument_spec(), **{name: rule for name, rule in self.rules.items() if rule}}

    def secrets(self, parameters: Mapping[str, t.Any]) -> set[str]:
        """The values of options that must not be shown."""
        return {str(parameters[name]) for name, option in self.options.items() if option.no_log and parameters.get(name)}

    def refuse_other_types(self, parameters: Mapping[str, t.Any], place: str = "") -> None:
        """Raise InvalidOptions for parameters of another type than meant, before Ansible converts them."""
        for name, option in self.options.items():
            for given in (name, *option.aliases):
                if given in parameters:
                    option.refuse_other_types(f"{place}{given}", parameters[given])

    def validate(self, parameters: Mapping[str, t.Any]) -> Options:
        """Options from a task's parameters as they were written; raises InvalidOptions."""
        self.refuse_other_types(parameters)
        checked = ArgumentSpecValidator(self.argument_spec(), **{kind: rules for kind, rules in self.rules.items() if rules}).validate(
            dict(parameters)
        )
        if checked.error_messages:
            raise InvalidOptions("; ".join(map(_said, checked.errors.errors)), fix="see ansible-doc for the module's options")
        return self.parse(checked.validated_parameters)

    def parse(self, parameters: Mapping[str, t.Any], place: str = "") -> Options:
        """Options from parameters that the argument spec has accepted; raises InvalidOptions."""
        options = Options({name: option.parse(f"{place}{name}", parameters.get(name)) for name, option in self.options.items()})
        for check in self.checks:
            check(options)
        return self.derive(options) if self.derive else options


def _said(error: Exception) -> str:
    return f"unsupported parameters: {error}" if isinstance(error, UnsupportedError) else str(error)


def choice(*choices: str, default: str | None = None) -> Option:
    """One of a few words."""
    return Option(choices=choices, default=default)


def flag(default: bool | None = None) -> Option:
    """True or false; without a default, None means not managed."""
    return Option(type="bool", default=default)


def text(*, required: bool = False, default: str | None = None, aliases: tuple[str, ...] = (), blank: bool = False) -> Option:
    """A string; unless `blank`, not an empty one and no blanks around it."""
    return Option(required=required, default=default, aliases=aliases, convert=None if blank else _filled, taken=(str,))


def number(minimum: int, maximum: int | None = None, *, default: int | None = None) -> Option:
    """A whole number in a range."""

    def convert(name: str, value: int) -> int:
        if value < minimum or (maximum is not None and value > maximum):
            wanted = f"from {minimum} to {maximum}" if maximum is not None else f"of {minimum} or more"
            raise InvalidOptions(f"{name}: {value} is out of range", fix=f"give {name} a number {wanted}")
        return value

    return Option(type="int", default=default, convert=convert, taken=(int, str))


def size(*, multiple: int = 1, minimum: int = 1) -> Option:
    """Bytes, written with a unit: 4GB, 1536MB, 1.5GB."""
    return Option(convert=lambda name, value: parse_size(name, value, multiple=multiple, minimum=minimum))


def _filled(name: str, value: str) -> str:
    if not value.strip():
        raise InvalidOptions(f"{name} is blank", fix=f"give {name} a value, or leave the option out")
    if value != value.strip():
        raise InvalidOptions(f"{name}: '{value}' has blanks around it", fix=f"did you mean '{value.strip()}'?")
    return value


def parse_size(name: str, value: str, *, multiple: int = 1, minimum: int = 1) -> int:
    """Exact bytes of a size such as 4GB; a bare number, a fraction of a byte or an odd size is refused."""
    written = str(value).strip()
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])i?B", written, re.IGNORECASE)
    if not found:
        unit = "MB" if len(written) > 2 else "GB"
        bare = written.isdecimal()
        fix = f"did you mean {written}{unit}?" if bare else f"write {name} as a number and a unit: 512MB, 4GB, 1.5TB"
        raise InvalidOptions(f"{name}: '{written}' is not a size", fix=fix)
    exact = Fraction(found[1]) * _UNITS[f"{found[2].upper()}B"]
    if exact.denominator != 1:
        raise InvalidOptions(
            f"{name}: '{written}' is not a whole number of bytes", fix=f"did you mean {show_size(round(exact / MB) * MB)}?"
        )
    if exact < minimum:
        raise InvalidOptions(f"{name}: {written} is too small", fix=f"{name} must be {show_size(minimum)} or more")
    if exact >= 2**63:
        raise InvalidOptions(f"{name}: {written} is more than any number of bytes on Windows", fix=f"look at the unit of {name}")
    if exact % multiple:
        below = int(exact) // multiple * multiple
        nearest = " or ".join(show_size(b) for b in (below, below + multiple) if b >= minimum)
        raise InvalidOptions(
            f"{name}: {written} is not a multiple of {show_size(multiple)}, as Hyper-V needs it", fix=f"did you mean {nearest}?"
        )
    return int(exact)


def show_size(count: int) -> str:
    """Bytes as an option would write them: the largest unit that is exact."""
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if count and count % _UNITS[unit] == 0), None)
    return f"{count // _UNITS[unit]}{unit}" if unit else f"{count}B"


def strings(name: str, value: t.Any) -> tuple[str, ...]:
    """A list of names; one string is one name, never split at commas, and nothing but strings is taken."""
    given = list(value) if isinstance(value, (list, tuple)) else [value]
    for item in given:
        if not isinstance(item, str):
            raise InvalidOptions(f"{name}: {item!r} is not a string", fix=_as_string(item))
        if not item.strip():
            raise InvalidOptions(f"{name}: a name is blank", fix="give each name, or an empty list for none")
    return tuple(given)


def _as_string(item: t.Any) -> str:
    """What to write instead of an item that is not a string."""
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return f"put it in quotes: '{item}' (YAML reads 010 as the number 8)"
    return "give a string, or a flat list of strings"


def refuse_ends(name: str, address: ipaddress.IPv4Address, network: ipaddress.IPv4Network, *, fix: str) -> None:
    """Raise InvalidOptions for the two addresses of a network that no machine in it can have."""
    if address in (network.network_address, network.broadcast_address):
        what = "network" if address == network.network_address else "broadcast"
        raise InvalidOptions(f"{name}: {address} is the {what} address of {network}", fix=fix)


def ipv4_network(name: str, value: str) -> ipaddress.IPv4Network:
    """An IPv4 prefix without host bits, such as 192.168.100.0/24."""
    if "/" not in value:
        raise InvalidOptions(f"{name}: '{value}' has no prefix length", fix=f"did you mean {value}/24?")
    try:
        return ipaddress.IPv4Network(value)
    except ValueError:
        pass
    try:
        loose = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise InvalidOptions(f"{name}: '{value}' is not an IPv4 prefix", fix="write it like 192.168.100.0/24") from None
    if loose.version == 6:
        raise InvalidOptions(f"{name}: '{value}' is IPv6, and WinNAT translates IPv4 only", fix="give an IPv4 prefix like 192.168.100.0/24")
    raise InvalidOptions(f"{name}: '{value}' has host bits set", fix=f"did you mean {loose}?")


def ipv4_address(name: str, value: str) -> ipaddress.IPv4Address:
    """An IPv4 address without a prefix length."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise InvalidOptions(f"{name}: '{value}' is not an IPv4 address", fix="write it like 192.168.100.1") from None
    if isinstance(address, ipaddress.IPv6Address):
        raise InvalidOptions(f"{name}: '{value}' is IPv6, and WinNAT translates IPv4 only", fix="write it like 192.168.100.1")
    return address


def same_lines(one: str, other: str) -> bool:
    """Whether two texts are one without regard to how their lines end, which Windows rewrites."""

    def lines(text: str) -> list[str]:
        return text.replace("\r\n", "\n").rstrip("\n").split("\n")

    return lines(one) == lines(other)


def ordinal(name: str) -> str:
    """A key under which two names are one where .NET's OrdinalIgnoreCase says so.

    Character by character by simple mapping, none of which leads from ASCII to the rest or back: neither a sharp s and ss
    nor a dotless i and I are one (casefold() would say so).
    """
    return "".join(_upper(character) for character in name)


def _upper(character: str) -> str:
    upper = character.upper()
    return upper if len(upper) == 1 and upper.isascii() == character.isascii() else character


VMS = Spec(vms=Option(type="raw", required=True, aliases=("vm",), convert=strings))
POWER = Spec(
    when_running=choice("fail", "shutdown", "turn_off", default="fail"),
    shutdown_timeout=number(1, 86_400, default=300),
    discard_saved_state=flag(default=False),
)


def refuse_direct_run(module: AnsibleModule) -> None:
    """What a module file does when Ansible runs it on a target: say why that cannot be."""
    module.fail_json(
        msg="this module works from the controller, through the action plugin hyperlab.nested.hyperv: call it by its full name"
    )
