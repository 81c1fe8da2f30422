"""The document of codes is the list of codes."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from budaiscaler.domain.decision import Code, Stage

DOCUMENT = (Path(__file__).parents[2] / "docs" / "codes.md").read_text()


@pytest.mark.parametrize(
    ("title", "kind"),
    [pytest.param("Stages", Stage, id="stages"), pytest.param("Codes", Code, id="codes")],
)
def test_the_document_lists_them_all(title: str, kind: type[StrEnum]) -> None:
    """In their order, each with what it means, and no other."""
    part = DOCUMENT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE)
    assert [name for name, _ in rows] == [str(one) for one in kind]
