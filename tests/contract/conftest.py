"""The suite's server in `make test`: the embedded one, once for all stories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.contract import embedded
from tests.contract.server import ApiServer, Reach, reached


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reach]:
    """The embedded API server."""
    with embedded.running(tmp_path_factory.mktemp("embedded")) as reach:
        yield reach


@pytest_asyncio.fixture
async def api(embedded_server: Reach) -> AsyncIterator[ApiServer]:
    """The embedded API server, and a namespace of the story's own."""
    async with reached(embedded_server) as server:
        yield server
