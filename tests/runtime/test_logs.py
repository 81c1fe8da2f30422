"""Logs are one JSON object a line on standard error, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import logging, structlog
from budaiscaler.runtime import logs
early = structlog.get_logger()
logs.configure("info")
early.debug("too_quiet")
early.info("started", port=6443, error=ValueError("x"))
try:
    1 / 0
except ZeroDivisionError:
    early.exception("crashed")
logging.getLogger("library").info("chatter")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("library").exception("broken: %s", "badly")
"""


def test_json_lines() -> None:
    """Each event is a line with time and level, errors of libraries too; their chatter is none."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )

    started, crashed, library = (json.loads(line) for line in ran.stderr.splitlines())
    assert (started["event"], started["level"], started["port"]) == ("started", "info", 6443)
    assert started["error"] == "x"
    assert started["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in crashed["exception"]
    assert (library["event"], library["level"]) == ("broken: badly", "error")
    assert library["logger"] == "library"
    assert "ZeroDivisionError" in library["exception"]
    assert library["timestamp"].endswith("Z")
    assert ran.stdout == ""
