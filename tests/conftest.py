"""Fixtures shared by all subjects."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

import pytest
from hypothesis import settings

from tests.fakes.kube import FakeKube

# Or pytest-asyncio, which asks for the loop that was there before its own, makes one to be leaked.
asyncio.set_event_loop(None)

# How long an example takes says more about the machine than about the code. Where changes land,
# examples are the same each time: a new one found there would tell of another change than this.
settings.register_profile("any machine", deadline=None)
settings.register_profile("landing", deadline=None, derandomize=True)
settings.load_profile("landing" if "CI" in os.environ else "any machine")

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday; tests that need a time count from it."""


@pytest.fixture
def kube() -> FakeKube:
    """An empty API server in memory."""
    return FakeKube()
