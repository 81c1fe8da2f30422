from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog.testing

from tests.evaluator.world import World


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged; kept from being rendered, since tracebacks of a long story take minutes."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def world() -> World:
    """An empty cluster, at noon."""
    return World()
