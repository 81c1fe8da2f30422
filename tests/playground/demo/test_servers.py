"""What is counted of the lines that the real servers log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from budaiscaler.domain.errors import PlaygroundError
from budaiscaler.playground.demo.servers import Log, Server


def line(**fields: object) -> str:
    return json.dumps({"level": "info", "event": "something", **fields})


def test_decisions_are_counted_by_scaler() -> None:
    """Those that changed: only they are logged."""
    log = Log()
    for name in ("chat", "chat", "code"):
        log.take(line(event="decision", name=name))
    log.take(line(event="leader_elected", lease="budaiscaler-adapter"))

    assert log.decisions == {"chat": 2, "code": 1}
    assert log.errors == 0


def test_errors_are_counted_and_those_about_a_scaler_are_its_own() -> None:
    """A warning is none, and what is no JSON counts as nothing."""
    log = Log()
    log.take(line(level="error", event="report_failed", name="chat"))
    log.take(line(level="error", event="cannot_start"))
    log.take(line(level="warning", name="chat"))
    log.take("Traceback (most recent call last):")
    log.take("[1, 2]")

    assert log.errors == 2
    assert log.scaler_errors["chat"] == 1


async def test_a_server_that_ends_says_its_last_words(tmp_path: Path) -> None:
    """The demo cannot go on, and says which process it was and what it said."""
    server = Server("adapter", ("--kubeconfig=/nowhere", "--log-level=info"), Log())
    async with server.running(tmp_path):
        with pytest.raises(PlaygroundError, match=r"(?s)the adapter ended.*cannot_start"):
            await server.watch()
