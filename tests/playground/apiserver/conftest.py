"""The server of the stories."""

from __future__ import annotations

import pytest

from tests.playground.apiserver.world import World


@pytest.fixture
def world() -> World:
    """A new server."""
    return World()
