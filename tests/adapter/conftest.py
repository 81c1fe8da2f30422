"""Fixtures of the adapter's subjects."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.adapter.api import Api, serving
from tests.fakes.kube import FakeKube


@pytest_asyncio.fixture
async def api(kube: FakeKube) -> AsyncIterator[Api]:
    """The application over TLS, with everything allowed."""
    async with serving(kube) as made:
        yield made
