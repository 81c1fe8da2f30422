"""Story e, and C25: looking back, nothing was refused to our servers, and nothing went wrong."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.components import Component
from e2e.cluster.installation import NAMESPACE, Running

pytestmark = pytest.mark.last

OURS = f"system:serviceaccount:{NAMESPACE}:"
TERMINATING = "because it is being terminated"
"""A namespace that goes takes nothing new; that is no missing right."""

Entry = Mapping[str, Any]


@pytest.fixture
def audited(audit_log: Path) -> list[Entry]:
    """What the API server wrote down."""
    return [json.loads(line) for line in written(audit_log)]


@pytest.fixture
def going(audited: list[Entry]) -> dict[str, datetime]:
    """When each namespace was told to go: rights that were given in it go before the rest."""
    return {
        entry["objectRef"]["name"]: datetime.fromisoformat(entry["requestReceivedTimestamp"])
        for entry in audited
        if entry["verb"] == "delete" and entry.get("objectRef", {}).get("resource") == "namespaces"
    }


def test_nothing_was_forbidden(
    budaiscaler: Running, audited: list[Entry], going: dict[str, datetime]
) -> None:
    """The API server refused no request of either ServiceAccount: the shipped RBAC is enough."""
    asked = [entry for entry in audited if entry["user"]["username"].startswith(OURS)]
    servers = {entry["user"]["username"].removeprefix(OURS) for entry in asked}
    refused = [
        f"{entry['user']['username']} {entry['verb']} {entry['requestURI']}: {message}"
        for entry in asked
        if (answered := entry.get("responseStatus", {})).get("code") in (401, 403)
        and TERMINATING not in (message := answered.get("message", ""))
        and entry["requestURI"] not in budaiscaler.expected_refusals
        and not is_in_outage(budaiscaler, entry["requestReceivedTimestamp"])
        and not is_gone(going, entry.get("objectRef", {}), entry["requestReceivedTimestamp"])
    ]

    assert servers == {"budaiscaler-adapter", "budaiscaler-controller"}
    assert refused == []


def test_nothing_went_wrong(budaiscaler: Running, going: dict[str, datetime]) -> None:
    """No server logged an error or a trace but while a test had taken the API server away."""
    wrong = [
        f"{server.name}: {line}"
        for server in budaiscaler.servers
        for line in written(server.daemon.log)
        if is_wrong(budaiscaler, going, line)
    ]

    assert wrong == []


def test_openapi_was_never_an_error(budaiscaler: Running) -> None:
    """C25: from when we were available, the API server never failed to load our OpenAPI."""
    log = budaiscaler.cluster.daemons[Component.APISERVER].log
    with log.open("rb") as file:
        before = file.read(budaiscaler.api_server_log_start).decode(errors="replace")
        after = file.read().decode(errors="replace")
    failed = [line for line in after.splitlines() if "loading OpenAPI spec" in line]

    assert "OpenAPI AggregationController" in before, "this is not the API server's log"
    assert failed == []


def written(log: Path) -> list[str]:
    """The lines of a log, but for one that is being written."""
    return log.read_text().rpartition("\n")[0].splitlines()


def is_wrong(running: Running, going: Mapping[str, datetime], line: str) -> bool:
    """Whether a line of a server's log tells of an error; one that is not JSON is a trace."""
    try:
        entry = json.loads(line)
    except ValueError:
        return True
    if is_in_outage(running, entry["timestamp"]):
        return False
    told = str({**entry, "observation": None})
    is_refused = (
        "forbidden" in told.lower()
        and TERMINATING not in told
        and not is_gone(going, entry, entry["timestamp"])
    )
    return entry["level"] in ("error", "critical") or is_refused


def is_in_outage(running: Running, timestamp: str) -> bool:
    """Whether a test had taken the API server away then; one that starts also refuses for a while.

    It authorises before it has read the roles.
    """
    at_s = datetime.fromisoformat(timestamp).timestamp()
    return any(start_s <= at_s <= end_s for start_s, end_s in running.outages)


def is_gone(going: Mapping[str, datetime], about: Entry, timestamp: str) -> bool:
    """Whether this was about something in a namespace that had been told to go by then."""
    told = going.get(about.get("namespace", ""))
    return told is not None and told <= datetime.fromisoformat(timestamp)
