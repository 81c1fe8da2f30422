"""Fixtures shared by all subjects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes.kube import FakeKube

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday; tests that need a time count from it."""


@pytest.fixture
def kube() -> FakeKube:
    """An empty API server in memory."""
    return FakeKube()
