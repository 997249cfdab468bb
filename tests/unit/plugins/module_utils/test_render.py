"""A step as a line that a person can paste; nothing in a value gets out of its quotes."""

from __future__ import annotations

import typing as t

import pytest
import tree_sitter
import tree_sitter_powershell
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.module_utils._options import GB, MB
from ansible_collections.hyperlab.nested.plugins.module_utils._render import command, literal, size_literal, vm_shown
from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Credential, From, Step

POWERSHELL = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
ID = "f0e1d2c3-0000-4000-8000-00000000000a"
QUOTES = "'\u2018\u2019\u201a\u201b"
"""At any of these PowerShell ends a text in single quotes."""


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "$null"),
        (True, "$true"),
        (False, "$false"),
        (4, "4"),
        (0, "0"),
        (-1, "-1"),
        (1.5, "1.5"),
        (4 * GB, "4GB"),
        (1536 * MB, "1536MB"),
        (1536 * MB + 1, "1610612737"),
        ("l1-a", "'l1-a'"),
        ("it's $(x)`n", "'it''s $(x)`n'"),
        ("", "''"),
        (("a", 1), "'a', 1"),
        (Credential(user="o'neill", password="secret"), "(Get-Credential 'o''neill')"),
    ],
)
def test_values(value: t.Any, line: str) -> None:
    assert literal(value) == line


@pytest.mark.parametrize("quote", QUOTES)
def test_every_quote_is_doubled(quote: str) -> None:
    assert literal(f"a{quote}; Remove-VM *; {quote}b") == f"'a{quote}{quote}; Remove-VM *; {quote}{quote}b'"


@pytest.mark.parametrize("harmless", ["\u201c", "\u201d", "\u201e", '"', "\u00b4", "`", "\u2032"])
def test_what_looks_like_a_quote_stays_as_it_is(harmless: str) -> None:
    assert literal(harmless) == f"'{harmless}'"


@given(st.text(alphabet=st.one_of(st.sampled_from(QUOTES + '"$`();|& *'), st.characters(exclude_categories=["Cs"]))))
def test_a_text_reads_back_as_it_was(text: str) -> None:
    """By PowerShell's own rule: of two quotes in a row, of whatever kinds, one is meant."""
    body, read = literal(text)[1:-1], ""
    while body:
        if body[0] in QUOTES:
            assert body[1:2] in tuple(QUOTES)
            body = body[1:]
        read, body = read + body[0], body[1:]
    assert read == text


def test_a_bare_word_is_the_cmdlets_own_word_only() -> None:
    step = Step("Hyper-V\\Set-VM", {"AutomaticCheckpoints": "On", "Notes": "On", "NewVMName": "Internal", "Kind": "x y", "Path": "C"})
    assert command(step) == "Set-VM -AutomaticCheckpoints On -Notes 'On' -NewVMName 'Internal' -Kind 'x y' -Path 'C'"


def test_an_object_is_named_as_a_person_would() -> None:
    named = From(save="vms", where={"Id": ID}, shown=vm_shown("it's", ID))
    step = Step("Hyper-V\\Stop-VM", {"VM": named, "TurnOff": True, "Force": True, "AsJob": True})
    assert command(step) == "Stop-VM -VMName 'it''s' -TurnOff"


def test_an_object_that_nobody_names_is_left_out() -> None:
    assert command(Step("Hyper-V\\Get-VMProcessor", {"VM": From(save="vms")})) == "Get-VMProcessor"


@pytest.mark.parametrize("name", ["l1-*", "web[1]", "a?", "b]", "tick`"])
def test_a_name_that_a_cmdlet_would_expand_goes_by_id(name: str) -> None:
    step = Step("Hyper-V\\Start-VM", {"VM": From(save="vms", shown=vm_shown(name, ID))})
    assert command(step) == f"Start-VM -VM (Get-VM -Id {ID})"


@pytest.mark.parametrize(
    "name", ["l1-a", "日本", "-Force", "$env:x", "(Get-VM)", "a;b", "@x", "2026-11-21T10:00:00Z", "#", "it's", "\u2019"]
)
def test_names_are_texts(name: str) -> None:
    line = command(Step("Hyper-V\\Start-VM", {"VM": From(save="vms", shown=vm_shown(name, ID))}))
    tree = POWERSHELL.parse(line.encode()).root_node
    assert not tree.has_error
    assert line == f"Start-VM -VMName {literal(name)}"


def test_a_password_is_never_written() -> None:
    assert "canary" not in command(Step("M\\Invoke-X", {"Credential": Credential(user="u", password="canary")}))


@given(st.integers(0, 2**53))
def test_a_size_is_exact(count: int) -> None:
    shown = size_literal(count)
    factor = {"G": GB, "M": MB}.get(shown[-2:-1], 1)
    assert int(shown.rstrip("GMB")) * factor == count
