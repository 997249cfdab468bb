"""What an option can be: names, sizes, numbers, networks, and which two names are one."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.module_utils._errors import InvalidOptions
from ansible_collections.hyperlab.nested.plugins.module_utils._options import (
    GB,
    MB,
    POWER,
    VMS,
    Option,
    Options,
    Spec,
    choice,
    flag,
    ipv4_address,
    ipv4_network,
    number,
    ordinal,
    parse_size,
    show_size,
    strings,
    text,
)
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.text import same_text

if t.TYPE_CHECKING:
    from collections.abc import Callable


def refusal(function: Callable[..., t.Any], *given: t.Any, **named: t.Any) -> InvalidOptions:
    with pytest.raises(InvalidOptions) as caught:
        function("option", *given, **named)
    assert caught.value.msg.startswith("option")
    return caught.value


# --- sizes


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("4GB", 4 * GB),
        ("1.5GB", 1536 * MB),
        (" 1536 mb ", 1536 * MB),
        ("1536MiB", 1536 * MB),
        ("0.5KB", 512),
        ("0.0009765625KB", 1),
        ("1TB", 1024 * GB),
        ("0.1TB", None),
        ("9007199254740991KB", 9007199254740991 * 1024),
    ],
)
def test_sizes_are_exact(written: str, count: int | None) -> None:
    if count is None:
        assert "whole number of bytes" in refusal(parse_size, written).msg
    else:
        assert parse_size("option", written) == count


def test_a_bare_number_is_asked_back() -> None:
    assert refusal(parse_size, "4096").fix == "did you mean 4096MB?"
    assert refusal(parse_size, 4096).fix == "did you mean 4096MB?"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "GB",
        "4G",
        "-4GB",
        "+4GB",
        "4,5GB",
        "4e3MB",
        "4GB 2MB",
        "4  GB",
        "0x10MB",
        ".5GB",
        "1.GB",
        "\N{FULLWIDTH DIGIT FOUR}GB",
        "4PB",
        "True",
    ],
)
def test_what_is_no_size(written: str) -> None:
    assert "512MB, 4GB, 1.5TB" in refusal(parse_size, written).fix


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("1025MB", "did you mean 1GB or 1026MB?"),
        ("33MB", "did you mean 32MB or 34MB?"),
        ("1000.5MB", "did you mean 1000MB or 1002MB?"),
        ("4194305KB", "did you mean 4GB or 4098MB?"),
    ],
)
def test_an_odd_size_names_its_neighbours(written: str, fix: str) -> None:
    assert refusal(parse_size, written, multiple=2 * MB, minimum=32 * MB).fix == fix


def test_too_small_names_the_smallest() -> None:
    assert refusal(parse_size, "16MB", multiple=2 * MB, minimum=32 * MB).fix == "option must be 32MB or more"
    assert refusal(parse_size, "0GB").fix == "option must be 1B or more"
    assert parse_size("option", "32MB", multiple=2 * MB, minimum=32 * MB) == 32 * MB


@given(st.integers(1, 2**52).map(lambda units: units * 1024))
def test_a_shown_size_can_be_written_again(count: int) -> None:
    assert parse_size("option", show_size(count)) == count


def test_shown_sizes() -> None:
    assert [show_size(n) for n in (0, 1, 1024, 1536 * MB, 4 * GB, 2048 * GB)] == ["0B", "1B", "1KB", "1536MB", "4GB", "2TB"]


# --- names


@pytest.mark.parametrize("name", ["web,1", "l1-*", "web[1]", "it's $(x)", "2026-11-21T10:00:00Z", "日本", " padded ", "010"])
def test_one_string_is_one_name(name: str) -> None:
    assert strings("vms", name) == (name,)
    assert strings("vms", [name, "b"]) == (name, "b")


@pytest.mark.parametrize("given", [10, True, None, 1.5, {"name": "a"}, ["a", 8], [["a"]], [None]])
def test_names_are_strings_only(given: t.Any) -> None:
    assert "is not a string" in refusal(strings, given).msg


@pytest.mark.parametrize(("given", "hint"), [(8, True), (["a", 1.5], True), (True, False), ([["a"]], False), ([None], False)])
def test_only_numbers_get_the_hint_about_numbers(given: t.Any, hint: bool) -> None:
    assert ("YAML reads 010" in refusal(strings, given).fix) is hint


@pytest.mark.parametrize("given", ["", "  ", "\t", ["a", ""]])
def test_a_name_is_not_blank(given: t.Any) -> None:
    assert "blank" in refusal(strings, given).msg


def test_an_empty_list_is_none() -> None:
    assert strings("vms", []) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("WEB", "web"),
        ("Ä", "ä"),
        ("ΟΔΟΣ", "οδος"),
        ("ΣΣ", "ςσ"),
        ("Ж", "ж"),
        ("Ÿ", "ÿ"),
        ("Ǆ", "ǆ"),
        ("\uff21", "\uff41"),
        ("straße", "STRAßE"),
    ],
)
def test_case_does_not_count(one: str, other: str) -> None:
    assert ordinal(one) == ordinal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße", "strasse"),
        ("STRASSE", "straße"),
        ("\u0131", "I"),
        ("\u0131", "i"),
        ("İ", "i"),
        ("\N{KELVIN SIGN}", "k"),
        ("\N{LATIN SMALL LETTER LONG S}", "s"),
        ("l1\u00ada", "l1a"),
        ("l1\u200ba", "l1a"),
        ("é", "e\u0301"),
        ("\ufb01", "fi"),
        ("\u0149", "\u02bcn"),
        ("Å", "\N{ANGSTROM SIGN}"),
        ("\uff41", "a"),
        ("web ", "web"),
        ("\N{MASCULINE ORDINAL INDICATOR}", "o"),
    ],
)
def test_nothing_but_case_is_passed_over(one: str, other: str) -> None:
    assert ordinal(one) != ordinal(other)


def test_names_that_are_one_here_are_one_on_the_host() -> None:
    """The simulator reads .NET's rule on its own and knows some letters more, so that here no other VM is ever taken for one."""
    assert [letter for letter in map(chr, range(0x10000)) if not same_text(letter, ordinal(letter))] == []


# --- networks


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("192.168.100.0", "did you mean 192.168.100.0/24?"),
        ("192.168.100.1/24", "did you mean 192.168.100.0/24?"),
        ("192.168.100.1/255.255.255.0", "did you mean 192.168.100.0/24?"),
        ("fd00::/64", "give an IPv4 prefix"),
        ("192.168.100.0/33", "write it like"),
        ("network/24", "write it like"),
        ("192.168.1/24", "write it like"),
        ("/24", "write it like"),
    ],
)
def test_wrong_prefixes(written: str, fix: str) -> None:
    assert fix in refusal(ipv4_network, written).fix


def test_a_prefix() -> None:
    assert str(ipv4_network("prefix", "192.168.100.0/24")) == "192.168.100.0/24"


@pytest.mark.parametrize(
    "written", ["192.168.100.1/24", "192.168.100", "192.168.100.256", "192.168.100.01", "fe80::1", "gateway", "", "3232261121"]
)
def test_wrong_addresses(written: str) -> None:
    assert "192.168.100.1" in refusal(ipv4_address, written).fix


def test_an_address() -> None:
    assert str(ipv4_address("gateway", "192.168.100.1")) == "192.168.100.1"


# --- specs


def parsed(spec: Spec, **given: t.Any) -> Options:
    kwargs = spec.to_kwargs()
    checked = ArgumentSpecValidator(kwargs.pop("argument_spec"), **kwargs).validate(given)
    assert not checked.error_messages
    return spec.parse(checked.validated_parameters)


def test_defaults_and_what_is_not_managed() -> None:
    options = parsed(Spec(VMS, POWER, state=choice("on", "off"), count=number(1), fast=flag()), vm="a")
    assert dict(options) == {
        "vms": ("a",),
        "when_running": "fail",
        "shutdown_timeout": 300,
        "discard_saved_state": False,
        "state": None,
        "count": None,
        "fast": None,
    }
    assert (options.when_running, options.but(vms=()).vms, len(options)) == ("fail", (), 7)
    with pytest.raises(AttributeError):
        options.nonesuch  # noqa: B018 - the look is what fails


@pytest.mark.parametrize(("value", "fix"), [(0, "from 1 to 86400"), (86_401, "from 1 to 86400"), (-1, "from 1 to 86400")])
def test_numbers_have_a_range(value: int, fix: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        parsed(POWER, shutdown_timeout=value)
    assert fix in caught.value.fix


def test_a_number_without_an_end() -> None:
    with pytest.raises(InvalidOptions) as caught:
        parsed(Spec(count=number(1)), count=0)
    assert caught.value.fix == "give count a number of 1 or more"


def test_a_text_is_not_blank() -> None:
    assert parsed(Spec(name=text()), name="x").name == "x"
    assert parsed(Spec(notes=text(blank=True)), notes="").notes == ""
    with pytest.raises(InvalidOptions, match="name is blank"):
        parsed(Spec(name=text()), name=" ")


@pytest.mark.parametrize("given", [" VmNAT ", "VmNAT ", "\tVmNAT"])
def test_a_text_has_no_blanks_around_it(given: str) -> None:
    with pytest.raises(InvalidOptions, match="has blanks around it") as caught:
        parsed(Spec(name=text()), name=given)
    assert caught.value.fix == "did you mean 'VmNAT'?"
    assert parsed(Spec(notes=text(blank=True)), notes=given).notes == given


def test_suboptions_name_their_place() -> None:
    spec = Spec(
        disks=Option(type="list", elements="dict", spec=Spec(size=number(1))), memory=Option(type="dict", spec=Spec(startup=number(1)))
    )
    options = parsed(spec, disks=[{"size": 1}, {"size": 2}], memory={"startup": 3})
    assert ([disk.size for disk in options.disks], options.memory.startup) == ([1, 2], 3)
    with pytest.raises(InvalidOptions, match=r"^disks\[1\]\.size: 0"):
        parsed(spec, disks=[{"size": 1}, {"size": 0}])
    with pytest.raises(InvalidOptions, match=r"^memory\.startup: 0"):
        parsed(spec, memory={"startup": 0})


def test_checks_and_rules_of_shared_specs_hold() -> None:
    def check(options: Options) -> None:
        raise InvalidOptions(f"checked {options.a}")

    spec = Spec(Spec(check=check, a=number(1), b=number(1), mutually_exclusive=[("a", "b")]), c=flag(), required_together=[("a", "c")])
    assert spec.to_kwargs()["mutually_exclusive"] == [["a", "b"]]
    assert spec.to_kwargs()["required_together"] == [["a", "c"]]
    with pytest.raises(InvalidOptions, match="checked 1"):
        parsed(spec, a=1, c=True)


def test_secrets_are_known() -> None:
    spec = Spec(password=Option(no_log=True), name=text())
    assert spec.secrets({"password": "x", "name": "y"}) == {"x"}
    assert spec.secrets({"name": "y"}) == set()
    assert spec.argument_spec()["password"] == {"type": "str", "no_log": True}
