"""The picture and the transcript of the README are made by a script, which is run here."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from budaiscaler.playground.demo.options import Options

DOCS = Path(__file__).parents[3] / "docs"
NAMES = ("chat-hpa", "chat-kpa", "chat-bud", "plain-hpa")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_demo_picture", DOCS / "make_demo_picture.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(svg: str) -> str:
    """What can be read in a picture."""
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    return text.replace("&#160;", " ")


@pytest.mark.timeout(240)
async def test_they_are_made_of_a_run(tmp_path: Path) -> None:
    """A shorter run, with the same seed, shows the same things as those that are committed."""
    options = Options(tmp_path, speed=60.0, seed=1, duration_s=3.0)
    svg, transcript = await script().record(options)

    pictures = (svg, (DOCS / "demo.svg").read_text())
    for told in (*map(words, pictures), transcript, (DOCS / "demo.txt").read_text()):
        for name in NAMES:
            assert name in told
        assert "export KUBECONFIG=/tmp/budaiscaler-demo/kubeconfig" in told
        assert str(tmp_path) not in told
    for picture in pictures:
        assert "http" not in picture.replace("http://www.w3.org/2000/svg", "").replace(
            "https://www.textualize.io", ""
        )
        for heading in ("strategy", "ready/now", "wanted", "over target", "events"):
            assert heading in words(picture)
    assert script().excerpt(transcript).splitlines()[-5:-1] == transcript.splitlines()[-5:-1]
    assert transcript.startswith("$ budaiscaler demo --scenario burst --speed 60 --seed 1")


def test_the_committed_ones_show_the_job() -> None:
    """All three strategies scaled up, and nothing failed."""
    transcript = (DOCS / "demo.txt").read_text()

    for name in NAMES[:3]:
        assert re.search(rf"{name}\S* +SuccessfulRescale", transcript)
    assert transcript.rstrip().endswith(" 0 errors")


def test_the_readme_has_lines_of_the_committed_transcript() -> None:
    """How each of the four begins, and what it came to; nobody wrote them by hand."""
    excerpt = script().excerpt((DOCS / "demo.txt").read_text())

    assert f"```text\n{excerpt}\n```" in (DOCS.parent / "README.md").read_text()
    for name in NAMES:
        assert len(re.findall(rf"{name}\S* +SuccessfulRescale", excerpt)) == 1
