"""Errors: each has a code and a way out, the overview in the module names them all, and faults are known by id and category."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils import _errors
from ansible_collections.hyperlab.nested.plugins.module_utils._errors import HostFault, HypervError, SeveralErrors, from_fault, raise_all
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Fault

CLASSES = {name: kind for name, kind in vars(_errors).items() if isinstance(kind, type) and issubclass(kind, HypervError)}
BRANCH = re.compile(r"^(?P<indent>(?:│   |    )*)[├└]── (?P<name>\w+) +(?P<code>one code each|[a-z_]+)(?: |$)", re.MULTILINE)
MAPS: dict[str, dict[t.Any, type[HostFault]]] = {
    name: value for name, value in vars(_errors).items() if name.startswith("_BY_") and isinstance(value, dict)
}
MAPPED = [(where, key, kind) for where, mapped in MAPS.items() for key, kind in mapped.items()]


def fault(kind: str = "OperationFailed", cmdlet: str = "SetVMProcessor", category: str = "NotSpecified") -> Fault:
    fault_id = kind if "," in kind else f"{kind},Microsoft.HyperV.PowerShell.Commands.{cmdlet}"
    return Fault(id=fault_id, category=category, reason="VirtualizationException", message=" L'opération a échoué. ", hresult=-1)


def test_the_overview_names_every_error_and_its_code() -> None:
    drawn = {found["name"]: (found["code"], len(found["indent"]) // 4) for found in BRANCH.finditer(_errors.__doc__ or "")}
    known = {
        name: (kind.code if "code" in vars(kind) else "one code each", len(kind.__mro__) - len(HypervError.__mro__) - 1)
        for name, kind in CLASSES.items()
        if kind is not HypervError
    }
    assert drawn == known


def test_no_two_errors_have_one_code() -> None:
    codes = [kind.code for kind in CLASSES.values() if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize(("where", "key", "kind"), MAPPED, ids=lambda value: str(getattr(value, "__name__", value)))
def test_each_known_fault_is_an_error_with_a_code_and_a_way_out(where: str, key: str, kind: type[HostFault]) -> None:
    found = {
        "_BY_KIND": lambda: fault(key),
        "_BY_ID": lambda: fault(key),
        "_BY_CATEGORY": lambda: fault(category=key),
        "_BY_CMDLET": lambda: fault(cmdlet=key),
        "_BY_HRESULT": lambda: dataclasses.replace(fault(), hresult=t.cast("int", key)),
    }[where]()
    error = from_fault(found, "Set-VMProcessor -VMName 'l1-a'", subject="l1-a")
    assert error.__class__ is kind
    assert kind.code not in {HostFault.code, HypervError.code}
    assert kind.fix
    assert error.subject == "l1-a"
    assert error.msg.startswith("l1-a: ")
    assert error.as_dict() == {"error_code": kind.code, "msg": error.msg, "fix": kind.fix}


def test_an_unknown_fault_keeps_the_hosts_own_words() -> None:
    error = from_fault(fault("SomethingNew"), "Set-VMProcessor")
    assert error.code == "host_refused"
    assert error.msg == "Set-VMProcessor failed: L'opération a échoué. [SomethingNew,Microsoft.HyperV.PowerShell.Commands.SetVMProcessor]"
    assert error.fix


@pytest.mark.parametrize(
    ("found", "reading", "code"),
    [
        (fault("ObjectNotFound"), True, "vmms_unreachable"),
        (fault("ObjectNotFound"), False, "host_refused"),
        (fault("Hyperlab.NoObject"), True, "changed_meanwhile"),
        (fault("AccessDenied", cmdlet="StartVM"), False, "access_denied"),
        (fault("SomethingNew", category="PermissionDenied"), True, "access_denied"),
        (fault("SomethingNew", cmdlet="StartVM"), False, "start_failed"),
        (fault("OutOfMemory", cmdlet="StartVM"), False, "out_of_memory"),
        (fault("AccessDeniedToo"), False, "host_refused"),
        (fault("accessdenied"), False, "host_refused"),
    ],
)
def test_what_decides(found: Fault, reading: bool, code: str) -> None:
    assert from_fault(found, "X", reading=reading).code == code


def test_nothing_depends_on_what_a_host_says() -> None:
    said = Fault(id="X,Y", category="NotSpecified", reason="R", message="Access is denied. AccessDenied PermissionDenied")
    assert from_fault(said, "X").code == "host_refused"


def test_all_errors_are_raised_at_once() -> None:
    one, other = HypervError("one", code="a", fix="x", subject="s"), HypervError("other", code="b", fix="y")
    raise_all([])
    with pytest.raises(HypervError) as caught:
        raise_all([one])
    assert caught.value is one
    with pytest.raises(SeveralErrors) as several:
        raise_all([one, other])
    assert several.value.errors == (one, other)
    assert (several.value.msg, several.value.code, several.value.fix) == ("one; other", "a", "x")


def test_a_fix_and_a_code_can_be_given() -> None:
    error: t.Any = HostFault("msg", fix="", code="special")
    assert (error.fix, error.code, str(error)) == ("", "special", "msg")
