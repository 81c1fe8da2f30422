"""The cluster of each story."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.world import World, world


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[World]:
    """A cluster without our servers."""
    async with world(tmp_path) as made:
        yield made
