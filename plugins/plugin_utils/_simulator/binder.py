# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: PowerShell's parameter binder: which parameter set a call means, and its values in the types of the parameters.

The rules were measured on PowerShell 7.6.5; "binder-facts.md" in comments is the record of that, and E1 to E14 are its numbers of
the errors. tests/data/binder-facts.json has every measured call.
"""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t
from dataclasses import dataclass, field

from . import conversions
from .conversions import BOOLEAN, OBJECT, STRING, SWITCH, ConversionError, dotnet_type, fold, text

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a cmdlet; also the Target of its conversions."""

    name: str
    type: str
    """As documented, a list with []: "Int64", "VirtualMachine[]"; CDXML enums with the noun before: "NetRoute.Protocol"."""
    full_name: str
    """The .NET name; of a list, that of its elements."""
    aliases: tuple[str, ...] = ()
    members: Mapping[str, int] = field(default_factory=dict)
    """An enum's names and numbers, ordered by number."""
    accepted: tuple[str, ...] = ()
    """ValidateSet."""
    range: tuple[int, int] | None = None
    """ValidateRange."""
    not_empty: bool = False
    """ValidateNotNullOrEmpty."""
    allow_empty: bool = False
    """AllowEmptyString."""
    nullable: bool = False
    from_string: bool = False
    cim_class: str | None = None
    """The CIM class whose instances a CimInstance parameter wants."""

    @property
    def is_list(self) -> bool:
        """Whether it takes several values; one is a list of one then."""
        return self.type.endswith("[]")

    @property
    def shown_type(self) -> str:
        """The type as messages about booleans write it."""
        return f"System.Nullable`1[{self.full_name}]" if self.nullable else self.full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a cmdlet takes, on one version of Windows."""

    name: str
    module: str
    compiled: bool
    """Whether it is a class of an assembly; otherwise a function, which converts by other rules."""
    class_name: str
    """What stands after the comma of an error's id; a function's is its name."""
    default_set: str | None
    sets: Mapping[str, Mapping[str, bool]]
    """Parameter sets: parameter to whether it is mandatory; common parameters are in every set and not listed."""
    parameters: Mapping[str, Parameter]
    should_process: bool = False
    """Whether -WhatIf and -Confirm exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A call that was bound."""

    parameter_set: str
    values: dict[str, t.Any]
    """Canonical parameter names to converted values, common parameters included; only what was given."""


class BindingError(Exception):
    """PowerShell refuses the call; the fields are those of its error record."""

    hresult: t.Final = -2146233087

    def __init__(self, *, id: str, category: str, reason: str, message: str, prompt: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.id = id
        self.category = category
        self.reason = reason
        self.message = message
        self.prompt = prompt
        """What PowerShell writes to stdout before it fails, without a line end."""


class _Kind(t.NamedTuple):
    id: str
    category: str
    reason: str


_PLAIN = "ParameterBindingException"
_VALIDATION = "ParameterBindingValidationException"
_TRANSFORMATION = "ParameterBindingArgumentTransformationException"
E1 = _Kind("CannotConvertArgumentNoMessage", "InvalidArgument", _PLAIN)
E2 = _Kind("ParameterArgumentTransformationError", "InvalidData", _TRANSFORMATION)
E3 = _Kind("ParameterBindingFailed", "WriteError", _PLAIN)
E4 = _Kind("CannotConvertArgument", "InvalidArgument", _PLAIN)
E5 = _Kind("ParameterArgumentValidationError", "InvalidData", _VALIDATION)
E6 = _Kind("ParameterArgumentValidationErrorNullNotAllowed", "InvalidData", _VALIDATION)
E7 = _Kind("ParameterArgumentValidationErrorEmptyArrayNotAllowed", "InvalidData", _VALIDATION)
E8 = _Kind("ParameterArgumentValidationErrorNullNotAllowed", "InvalidArgument", _PLAIN)
E9 = _Kind("ParameterArgumentValidationErrorEmptyStringNotAllowed", "InvalidData", _VALIDATION)
E10 = _Kind("AmbiguousParameter", "InvalidArgument", _PLAIN)
E11 = _Kind("ParameterAlreadyBound", "InvalidArgument", _PLAIN)
E12 = _Kind("NamedParameterNotFound", "InvalidArgument", _PLAIN)
E13 = _Kind("AmbiguousParameterSet", "InvalidArgument", _PLAIN)
E14 = _Kind("MissingMandatoryParameter", "InvalidArgument", _PLAIN)
# Not measured, from PowerShell's source: what a function says to an object of another CIM class.
MISMATCH = _Kind("MismatchedPSTypeName", "InvalidArgument", _TRANSFORMATION)


class _BinderError(Exception):
    """An error before it is known whose it is."""

    def __init__(self, kind: _Kind, message: str, prompt: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.prompt = prompt


def bind(signature: Signature, given: Mapping[str, t.Any]) -> Bound:
    """Bind named parameters; raises BindingError.

    Parameters are taken in the order of `given`. PowerShell takes those of a hashtable, whose order is another one in every process:
    of two wrong values either may be reported there.
    """
    try:
        return _bind(signature, given)
    except _BinderError as error:
        kind = error.kind
        error_id = f"{kind.id},{signature.class_name}"
        raise BindingError(id=error_id, category=kind.category, reason=kind.reason, message=str(error), prompt=error.prompt) from None


def _bind(signature: Signature, given: Mapping[str, t.Any]) -> Bound:
    values: dict[str, t.Any] = {}
    unknown: list[str] = []
    for key, value in given.items():
        name = key[1:] if key.startswith(_DASHES) else key
        parameter = _named(signature, name)
        if parameter is None:
            unknown.append(name)
        elif parameter.name in values:
            raise _BinderError(
                E11,
                f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple values to parameters "
                'that can accept multiple values, use the array syntax. For example, "-parameter value1,value2,value3".',
            )
        elif parameter.name not in _RUNNERS:
            values[parameter.name] = _value(signature, parameter, value)
    own = {name for name in values if name in signature.parameters}
    return Bound(parameter_set=_parameter_set(signature, own, unknown), values=values)


def _parameter_set(signature: Signature, given: set[str], unknown: list[str]) -> str:
    """The second to fourth step of binder-facts.md, "The order of things"."""
    valid = [name for name, members in signature.sets.items() if given <= members.keys()]
    if not valid:
        raise _BinderError(E13, _NO_SET)
    if unknown:
        raise _BinderError(E12, f"A parameter cannot be found that matches parameter name '{unknown[0]}'.")
    if signature.default_set in valid:
        valid = [signature.default_set]
    elif len(valid) > 1:
        valid = [name for name in valid if not _missing(signature, name, given)]
    if len(valid) != 1:
        raise _BinderError(E13, _NO_SET)
    missing = _missing(signature, valid[0], given)
    if missing:
        raise _BinderError(E14, f"Cannot process command because of one or more missing mandatory parameters: {' '.join(missing)}.")
    return valid[0]


def _missing(signature: Signature, parameter_set: str, given: set[str]) -> list[str]:
    return [name for name, mandatory in signature.sets[parameter_set].items() if mandatory and name not in given]


_NO_SET = (
    "Parameter set cannot be resolved using the specified named parameters. "
    "One or more parameters issued cannot be used together or an insufficient number of parameters were provided."
)


# --- names ---

_DASHES = ("-", "\u2013", "\u2014", "\u2015")
_RUNNERS = frozenset({"ErrorAction", "ErrorVariable", "WarningAction", "WarningVariable"})
"""The runner passes these itself, and what is passed outright hides what is splatted, whatever its value (PowerShell 7.1 and later)."""


def _named(signature: Signature, name: str) -> Parameter | None:
    """The parameter of that name; None: there is none, which is an error only later."""
    wanted = fold(name)
    own = tuple(signature.parameters.values())
    everything = own + _COMMON + (_SHOULD_PROCESS if signature.should_process else ())
    for parameter in everything:
        if wanted in _names(parameter):
            return parameter
    fits = [parameter for parameter in everything if any(known.startswith(wanted) for known in _names(parameter))]
    if len(fits) > 1:
        # a cmdlet's own parameter comes before a common one (PowerShell's source; not measured)
        fits = [parameter for parameter in fits if parameter in own] or fits
    if len(fits) > 1:
        matches = " ".join(f"-{parameter.name}" for parameter in fits)
        message = f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches include: {matches}."
        raise _BinderError(E10, message)
    return fits[0] if fits else None


def _names(parameter: Parameter) -> Iterator[str]:
    return (fold(name) for name in (parameter.name, *parameter.aliases))


# --- values ---


def _value(signature: Signature, parameter: Parameter, value: t.Any) -> t.Any:
    """The first step of binder-facts.md, "The order of things", after the name."""
    converted = (_compiled if signature.compiled else _function)(parameter, value)
    _check_cim_class(parameter, converted)
    _validate(parameter, converted)
    if any(members.get(parameter.name) for members in signature.sets.values()):
        _check_emptiness(parameter, converted)
    if converted is None and signature.compiled and _wants_value(parameter):
        name = parameter.name
        error = conversions.null_refusal(parameter)
        raise _BinderError(E3, f"Cannot bind parameter '{name}' to the target. " + f'Exception setting "{name}": "{error}"')
    return converted


def _wants_value(parameter: Parameter) -> bool:
    return not parameter.is_list and not parameter.nullable and conversions.is_value_type(parameter)


def _is_flag(parameter: Parameter) -> bool:
    return parameter.full_name in {BOOLEAN, SWITCH}


def _is_truth(value: t.Any) -> bool:
    """Whether a value can be a boolean: numbers can, texts cannot."""
    return isinstance(value, (bool, int, float)) and dotnet_type(value) != "System.Numerics.BigInteger"


def _compiled(parameter: Parameter, value: t.Any) -> t.Any:
    if not parameter.is_list:
        return _compiled_one(parameter, value)
    if value is None:
        return None
    return [_compiled_element(parameter, one) for one in _listed(value)]


def _compiled_element(parameter: Parameter, value: t.Any) -> t.Any:
    """Null in an array of a value type is that type's zero."""
    converted = _compiled_one(parameter, value)
    if converted is None and parameter.members:
        return next((name for name, number in parameter.members.items() if number == 0), "0")
    return conversions.NULLS.get(parameter.full_name) if converted is None else converted


def _compiled_one(parameter: Parameter, value: t.Any) -> t.Any:
    if value is None or parameter.full_name in OBJECT:
        return _compiled_null(parameter) if value is None else value
    if _is_flag(parameter):
        if not _is_truth(value):
            raise _unsupported(parameter, value, "")
        return bool(value)
    if isinstance(value, (list, tuple)) and not parameter.members:
        raise _unsupported(parameter, value, "Specified method is not supported.")
    try:
        return conversions.convert(value, parameter)
    except ConversionError as error:
        raise _BinderError(E1, f"Cannot bind parameter '{parameter.name}'. {error}") from None


def _compiled_null(parameter: Parameter) -> bool | None:
    """Null is passed on, save for booleans; for a switch it means that the switch is there."""
    if parameter.full_name == BOOLEAN and not parameter.nullable:
        raise _BinderError(E8, f"Cannot bind argument to parameter '{parameter.name}' because it is null.")
    return True if parameter.full_name == SWITCH else None


def _unsupported(parameter: Parameter, value: t.Any, detail: str) -> _BinderError:
    wanted = parameter.shown_type
    return _BinderError(
        E4, f"Cannot convert '{dotnet_type(value)}' to the type '{wanted}' required by parameter '{parameter.name}'. {detail}"
    )


def _function(parameter: Parameter, value: t.Any) -> t.Any:
    failed = f"Cannot process argument transformation on parameter '{parameter.name}'."
    prompt = _prompt(parameter, value)
    if prompt:
        raise _BinderError(E2, f"{failed} PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.", prompt)
    try:
        return (_function_list if parameter.is_list else _function_one)(parameter, value)
    except ConversionError as error:
        raise _BinderError(E2, f"{failed} {error}") from None


def _prompt(parameter: Parameter, value: t.Any) -> str:
    """A function that wants a PSCredential asks when it gets a text."""
    if parameter.full_name != "System.Management.Automation.PSCredential" or not isinstance(value, str):
        return ""
    question = f"Password for user {value}: " if value else "User: "
    return f"\nPowerShell credential request\nEnter your credentials.\n{question}"


def _function_list(parameter: Parameter, value: t.Any) -> list[t.Any] | None:
    if _is_flag(parameter):
        return [_function_flag(parameter, one) for one in _listed(value)]
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [_function_element(parameter, one) for one in value]
    try:
        return [_function_one(parameter, value)]
    except ConversionError as error:
        several = f"{parameter.full_name}[]"
        if error.about_type:
            raise ConversionError(str(error).replace(parameter.full_name, several)) from None
        raise ConversionError(f'Cannot convert value "{text(value)}" to type "{several}". Error: "{error}"') from None


def _function_element(parameter: Parameter, value: t.Any) -> t.Any:
    """A list in a list of strings becomes one string, joined by blanks."""
    if isinstance(value, (list, tuple)) and parameter.full_name == STRING:
        return " ".join(map(text, value))
    return _function_one(parameter, value)


def _function_one(parameter: Parameter, value: t.Any) -> t.Any:
    if _is_flag(parameter):
        return _function_flag(parameter, value)
    if value is None:
        return _function_null(parameter)
    if isinstance(value, (list, tuple)) and not parameter.members and parameter.full_name not in OBJECT:
        if parameter.full_name == STRING:
            raise ConversionError("Cannot convert value to type System.String.")
        raise conversions.no_conversion(value, parameter.full_name)
    return conversions.convert(value, parameter)


def _function_null(parameter: Parameter) -> t.Any:
    if parameter.full_name == STRING:
        return ""
    if parameter.nullable or not conversions.is_value_type(parameter):
        return None
    if parameter.full_name in conversions.RANGES:
        return 0
    raise conversions.null_refusal(parameter)


def _function_flag(parameter: Parameter, value: t.Any) -> bool | None:
    if value is None and (parameter.nullable or parameter.full_name == SWITCH):
        return None if parameter.nullable else False
    if not _is_truth(value):
        shown = "" if value is None else dotnet_type(value)
        raise ConversionError(
            f'Cannot convert value "{shown}" to type "{parameter.shown_type}". '
            "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0."
        )
    if parameter.full_name == SWITCH and not isinstance(value, bool):
        raise conversions.no_conversion(value, SWITCH)
    return bool(value)


def _listed(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


# --- validation ---

_COLLECTION = (
    "The argument is null, empty, or an element of the argument collection contains a null value. "
    "Supply a collection that does not contain any null values and then try the command again."
)


def _check_cim_class(parameter: Parameter, value: t.Any) -> None:
    """CDXML ties -InputObject to one CIM class (signature-doubts.md); an object's type name ends in its class."""
    wanted = parameter.cim_class
    if wanted is None or value is None:
        return
    for one in _listed(value):
        if one is not None and not any(fold(name).endswith((f"#{fold(wanted)}", f"/{fold(wanted)}")) for name in one.type_names):
            raise _BinderError(
                MISMATCH,
                f"Cannot bind argument to parameter '{parameter.name}', because PSTypeNames of the argument do not match the PSTypeName "
                f"required by the parameter: {parameter.full_name}#{wanted}.",
            )


def _validate(parameter: Parameter, value: t.Any) -> None:
    """The validation attributes; they come before the check of mandatory parameters for null and emptiness."""
    problem = _emptiness(value) if parameter.not_empty else None
    if parameter.range or parameter.accepted:
        problem = problem or next(_problems(parameter, value), None)
    if problem:
        raise _BinderError(E5, f"Cannot validate argument on parameter '{parameter.name}'. {problem}")


def _emptiness(value: t.Any) -> str | None:
    if isinstance(value, list):
        return _COLLECTION if not value or any(one in {None, ""} for one in value if one is None or isinstance(one, str)) else None
    if value is None or value == "":
        return "The argument is null or empty. Provide an argument that is not null or empty, and then try the command again."
    return None


def _problems(parameter: Parameter, value: t.Any) -> Iterator[str]:
    """What is wrong with each element; an empty list has none, so it passes."""
    if value is None:
        yield _COLLECTION
        return
    for one in _listed(value):
        if one is None:
            yield "The argument is null. Provide a valid value for the argument, and then try running the command again."
        elif parameter.range:
            yield from _out_of_range(parameter.range, one)
        elif fold(text(one)) not in map(fold, parameter.accepted):
            yield (
                f'The argument "{text(one)}" does not belong to the set "{",".join(parameter.accepted)}" specified by the ValidateSet '
                "attribute. Supply an argument that is in the set and then try the command again."
            )


def _out_of_range(limits: tuple[int, int], value: int) -> Iterator[str]:
    low, high = limits
    if value < low:
        yield (
            f"The {value} argument is less than the minimum allowed range of {low}. "
            f"Supply an argument that is greater than or equal to {low} and then try the command again."
        )
    if value > high:
        yield (
            f"The {value} argument is greater than the maximum allowed range of {high}. "
            f"Supply an argument that is less than or equal to {high} and then try the command again."
        )


def _check_emptiness(parameter: Parameter, value: t.Any) -> None:
    """What a mandatory parameter refuses."""
    subject = f"Cannot bind argument to parameter '{parameter.name}' because it is"
    if value == []:
        raise _BinderError(E7, f"{subject} an empty array.")
    for one in _listed(value):
        if one is None:
            raise _BinderError(E6, f"{subject} null.")
        if isinstance(one, str) and not one and not parameter.allow_empty:
            raise _BinderError(E9, f"{subject} an empty string.")


# --- signatures ---


def _common(name: str, type: str, *aliases: str, members: Mapping[str, int] | None = None) -> Parameter:  # noqa: A002
    spaces = {"SwitchParameter": "System.Management.Automation", "ActionPreference": "System.Management.Automation"}
    full_name = f"{spaces.get(type, 'System')}.{type}"
    return Parameter(name=name, type=type, full_name=full_name, aliases=aliases, members=members or {})


_PREFERENCES = {"SilentlyContinue": 0, "Stop": 1, "Continue": 2, "Inquire": 3, "Ignore": 4, "Suspend": 5, "Break": 6}
_COMMON = (
    _common("Debug", "SwitchParameter", "db"),
    _common("ErrorAction", "ActionPreference", "ea", members=_PREFERENCES),
    _common("ErrorVariable", "String", "ev"),
    _common("InformationAction", "ActionPreference", "infa", members=_PREFERENCES),
    _common("InformationVariable", "String", "iv"),
    _common("OutBuffer", "Int32", "ob"),
    _common("OutVariable", "String", "ov"),
    _common("PipelineVariable", "String", "pv"),
    _common("Verbose", "SwitchParameter", "vb"),
    _common("WarningAction", "ActionPreference", "wa", members=_PREFERENCES),
    _common("WarningVariable", "String", "wv"),
)
"""Every cmdlet's, without -ProgressAction, which Windows PowerShell 5.1 lacks."""
_SHOULD_PROCESS = (_common("WhatIf", "SwitchParameter", "wi"), _common("Confirm", "SwitchParameter", "cf"))


@functools.cache
def load_signatures(version: str) -> Mapping[str, Signature]:
    """The signatures of Windows Server "2016", "2019", "2022" or "2025", by module's and cmdlet's name; look them up with find()."""
    path = pathlib.Path(__file__).with_name("signatures.json")
    book = json.loads(path.read_text(encoding="utf-8"))
    if version not in book["versions"]:
        raise ValueError(f"no signatures of version {version!r}, only of {', '.join(book['versions'])}")
    return {name: _signature(name, entry, book["types"], version) for name, entry in book["cmdlets"].items()}


def find(signatures: Mapping[str, Signature], cmdlet: str) -> Signature | None:
    """The signature of a cmdlet, named with its module and in any case; None: not in the book."""
    wanted = fold(cmdlet)
    return next((signature for name, signature in signatures.items() if fold(name) == wanted), None)


def _signature(full_name: str, entry: Mapping[str, t.Any], types: Mapping[str, t.Any], version: str) -> Signature:
    module, _slash, name = full_name.partition("\\")
    parameters: dict[str, Parameter] = {}
    for key, short_or_long in entry["parameters"].items():
        facts = {"type": short_or_long} if isinstance(short_or_long, str) else short_or_long
        if version in facts.get("versions", [version]):
            parameters[key] = _parameter(key, facts, types)
    return Signature(
        name=name,
        module=module,
        compiled=entry["compiled"],
        class_name=entry["class"],
        default_set=entry["default"],
        sets={
            key: {member.rstrip("*"): member.endswith("*") for member in members if member.rstrip("*") in parameters}
            for key, members in entry["sets"].items()
        },
        parameters=parameters,
        should_process=entry["should_process"],
    )


def _parameter(name: str, facts: Mapping[str, t.Any], types: Mapping[str, t.Any]) -> Parameter:
    short = facts["type"].removesuffix("[]")
    about = types.get(short, {"name": f"System.{short}"})
    return Parameter(
        name=name,
        type=facts["type"],
        full_name=about["name"],
        aliases=tuple(facts.get("aliases", ())),
        members=about.get("members", {}),
        accepted=tuple(facts.get("accepted", ())),
        range=(facts["range"][0], facts["range"][1]) if "range" in facts else None,
        not_empty=facts.get("not_empty", False),
        nullable=facts.get("nullable", False),
        from_string=about.get("from_string", False),
        cim_class=facts.get("cim_class"),
    )
