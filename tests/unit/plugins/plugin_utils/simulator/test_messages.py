"""Messages in other languages."""

from __future__ import annotations

import pytest

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import messages
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import Record

ENGLISH = 'Hyper-V was unable to find a virtual machine with name "l1-a".'


def record(message: str = ENGLISH, id_: str = "ObjectNotFound,X", category: str = "ObjectNotFound") -> Record:
    return Record(id=id_, category=category, reason="VirtualizationException", message=message)


def test_english_stays() -> None:
    assert messages.localise("en-US", record()) == record()
    assert messages.localise_warning("en-US", "x") == "x"


@pytest.mark.parametrize("language", ["fr-FR", "ja-JP", "zh-CN", "de-DE"])
@pytest.mark.parametrize(
    "category", ["ObjectNotFound", "InvalidArgument", "InvalidOperation", "PermissionDenied", "NotSpecified", "WriteError"]
)
def test_only_names_remain(language: str, category: str) -> None:
    local = messages.localise(language, record(category=category))
    assert (local.id, local.category, local.reason) == ("ObjectNotFound,X", category, "VirtualizationException")
    assert "l1-a" in local.message
    assert not {"virtual", "machine", "unable", "find", "name", "with"} & set(local.message.split())


def test_names_with_braces_and_several_names() -> None:
    local = messages.localise("de-DE", record("'{0}' and \"{x}\" and '{0}'"))
    assert local.message == "Das angegebene Objekt wurde nicht gefunden: \u201e{0}\u201c: \u201e{x}\u201c."


def test_the_runners_own_errors_stay() -> None:
    own = record("no object read as 'vms' matches", "Hyperlab.NoObject", "InvalidOperation")
    assert messages.localise("fr-FR", own) == own


def test_warnings() -> None:
    assert "already" not in messages.localise_warning("fr-FR", "The virtual machine is already in the specified state.")
