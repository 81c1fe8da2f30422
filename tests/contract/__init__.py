"""What we rely on of an API server: one suite for the embedded and the real one (`e2e`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def stories() -> dict[str, Callable[..., Any]]:
    """Give every story by its name and that of its module, for another place to collect them."""
    found: dict[str, Callable[..., Any]] = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        module = import_module(f"{__name__}.{file.stem}")
        for name, value in vars(module).items():
            if name.startswith("test_"):
                found[f"{file.stem}_{name.removeprefix('test_')}"] = value
    return found
