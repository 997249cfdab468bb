"""docs/simulator.md says what the simulator is today."""

from __future__ import annotations

from ansible_collections.hyperlab.nested.tools import profile_docs


def test_page_is_not_stale() -> None:
    page = profile_docs.PAGE.read_text(encoding="utf-8")
    assert profile_docs.renewed(page) == page, "run tools/profile_docs.py"
