"""What a demo came to, as data: the summary that `-o json` prints."""

from __future__ import annotations

from typing import Any

from budaiscaler.playground.demo.board import TWIN
from budaiscaler.playground.demo.play import Play
from budaiscaler.playground.demo.servers import Log
from budaiscaler.playground.fleet.fleet import Account
from budaiscaler.playground.manifests import SCALERS
from budaiscaler.playground.scenarios import PRICE_PER_HOUR
from budaiscaler.playground.twin import Twin


def summary(play: Play, log: Log, *, events: int) -> dict[str, Any]:
    """Sum up.

    `cost` is in dollars, `overTarget` in minutes of the story over the latency target,
    `decisions` are those that differed from the one before. Of the twin they are its rescales.
    """
    return {
        "scalers": [
            {
                "name": name,
                "strategy": str(strategy),
                **_of(play.workloads[name].account, log.decisions[name], log.scaler_errors[name]),
            }
            for name, strategy in SCALERS.items()
        ],
        "twin": of_twin(play.twin),
        "events": events,
        "errors": log.errors,
    }


def of_twin(twin: Twin) -> dict[str, Any]:
    """The same of the twin."""
    return {"name": TWIN, "strategy": "HPA", **_of(twin.account, twin.rescales, 0)}


def table(summary: dict[str, Any]) -> str:
    """The same for people."""
    rows = [("", "replicas", "replica-hours", "cost", "minutes over target")]
    for one in (*summary["scalers"], summary["twin"]):
        replicas = one["replicas"]
        rows.append(
            (
                f"{one['name']} ({one['strategy']})",
                f"{replicas['min']} to {replicas['max']}, now {replicas['last']}",
                f"{one['replicaHours']:.2f}",
                f"${one['cost']:.2f}",
                f"{one['overTarget']:.1f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join((*lines, f"{summary['events']} events, {summary['errors']} errors"))


def _of(account: Account, decisions: int, errors: int) -> dict[str, Any]:
    return {
        "replicas": {
            "min": account.replicas_min,
            "max": account.replicas_max,
            "last": account.replicas_last,
        },
        "decisions": decisions,
        "errors": errors,
        "replicaHours": round(account.replica_hours, 3),
        "cost": round(account.cost(PRICE_PER_HOUR), 2),
        "overTarget": round(account.over_target_minutes, 2),
    }
