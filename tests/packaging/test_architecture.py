"""Rules of the tree that no linter knows; import-linter holds the layers in `make check`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("adapter", "budaiscaler", "controller")
MOST_LINES = 400
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "get_running_loop"}


def _modules(*packages: str) -> list[Path]:
    return sorted(file for package in packages for file in (ROOT / package).rglob("*.py"))


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node.func.id


@pytest.mark.parametrize("file", _modules("budaiscaler/domain"), ids=_name)
def test_the_domain_is_pure(file: Path) -> None:
    """No coroutine, no clock, no file: time and the world are arguments, so decisions replay."""
    tree = _tree(file)
    awaits = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await)
    ]
    assert awaits == []
    assert {*_calls(tree)} & {*CLOCKS, "open", "print", "input"} == set()


def test_there_is_a_domain_to_be_pure() -> None:
    """The rule above looks at something, and would see a clock if there were one."""
    assert len(_modules("budaiscaler/domain")) > 10
    assert set(_calls(ast.parse("datetime.now(UTC)"))) & CLOCKS == {"now"}


def test_no_module_is_too_long() -> None:
    """A module is one idea; past the limit it is two, and there is no list of exceptions."""
    lengths = {_name(file): len(file.read_text().splitlines()) for file in _modules(*SHIPPED)}
    assert len(lengths) > 40
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_module_says_what_it_is() -> None:
    """A package's first sentence is its purpose, and a module's too."""
    assert [_name(file) for file in _modules(*SHIPPED) if not ast.get_docstring(_tree(file))] == []


def test_every_test_says_what_must_hold() -> None:
    """In one sentence that begins with a capital and ends, on its first line."""
    silent = [
        f"{_name(file)}::{node.name}"
        for file in _modules("tests", "e2e")
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not _is_sentence(ast.get_docstring(node))
    ]
    assert silent == []


def _is_sentence(docstring: str | None) -> bool:
    first = (docstring or "").partition("\n\n")[0]
    return first[:1] == first[:1].upper() and first.endswith((".", "?", "!", "`", '"'))


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        pytest.param("adapter.server", {"controller", "pandas", "matplotlib"}, id="adapter"),
        pytest.param("controller.server", {"adapter", "pandas", "matplotlib"}, id="controller"),
        pytest.param(
            "budaiscaler.domain.decide",
            {"adapter", "controller", "asyncio", "aiohttp", "kubernetes", "requests"},
            id="domain",
        ),
    ],
)
def test_a_fresh_process_loads_only_what_it_needs(package: str, forbidden: set[str]) -> None:
    """No server drags in the other, nor the plotting and tables of a client library."""
    code = f"import sys, {package}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    loaded = set(done.stdout.split())
    assert package.partition(".")[0] in loaded
    assert loaded & forbidden == set()
