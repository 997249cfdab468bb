"""Steps and answers, as far as they do something."""

from __future__ import annotations

import pytest

from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Answer, Answers, Fault, From, Row, Step, as_text, renamed


def answer(*names: str, save: str = "vms") -> Answer:
    return Answer(rows=tuple(Row(save, {"Name": name}) for name in names))


def test_answers_by_name() -> None:
    steps = (Step("M\\Get-X", save="vms"), Step("M\\Get-X", save="vms#id"), Step("M\\Get-Y"), Step("M\\Get-Z", save="none"))
    answers = Answers(steps, (answer("a"), answer("b", save="vms#id"), answer("c"), answer()))
    assert [(row["Name"], row.save) for row in answers.rows("vms")] == [("a", "vms"), ("b", "vms#id")]
    assert [row["Name"] for row in answers.rows("M\\Get-Y")] == ["c"]


def test_answers_are_as_many_as_steps() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Answers((Step("M\\Get-X"), Step("M\\Get-Y")), (answer(),))


def test_a_row_is_what_was_read_and_the_way_back() -> None:
    row = Row("vms", {"Id": "x", "Count": 2, "Exposed": True, "Nothing": None})
    assert (dict(row)["Count"], len(row), row.get("Lacking")) == (2, 4, None)
    ref = row.ref("Id", "Count", "Exposed", "Nothing", shown={"VMName": "a"}, State="Off")
    assert ref.where == {"Id": "x", "Count": "2", "Exposed": "True", "Nothing": "", "State": "Off"}
    assert (ref.save, ref.count, ref.shown) == ("vms", 1, {"VMName": "a"})
    with pytest.raises(KeyError):
        row.ref("Lacking")


def test_texts_are_powershells() -> None:
    assert [as_text(value) for value in (None, True, 2, "a")] == ["", "True", "2", "a"]


def test_kinds() -> None:
    assert Fault(id="InvalidState,Microsoft.X,Y", category="c", reason="r", message="m").kind == "InvalidState"
    assert Fault(id="Hyperlab.NoObject", category="c", reason="r", message="m").kind == "Hyperlab.NoObject"
    assert Step("Hyper-V\\Get-VM").verb_noun == "Get-VM"


def test_renaming_reaches_what_is_inside() -> None:
    inner = From(save="inner")
    outer = From(save="outer", where={"Id": inner, "State": "Off"})
    seen: list[str] = []

    def change(ref: From) -> From:
        seen.append(ref.save)
        return From(save=ref.save.upper(), where=ref.where)

    changed = renamed(outer, change)
    assert changed == From(save="OUTER", where={"Id": From(save="INNER"), "State": "Off"})
    assert seen == ["inner", "outer"]
    assert renamed("text", change) == "text"
