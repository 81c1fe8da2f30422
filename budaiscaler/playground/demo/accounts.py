"""What a demo came to, as data: the summary that `-o json` prints."""

from __future__ import annotations

from typing import Any

from budaiscaler.playground.demo.play import Play
from budaiscaler.playground.demo.servers import Log
from budaiscaler.playground.fleet.fleet import Account
from budaiscaler.playground.manifests import SCALERS, TWIN
from budaiscaler.playground.scenarios import PRICE_PER_HOUR


def summary(play: Play, log: Log, *, events: int) -> dict[str, Any]:
    """Sum up.

    `cost` is in dollars, `overTarget` in minutes of the story over the latency target,
    `decisions` are those that differed from the one before; of the plain HPA they are its rescales.
    """
    twin = play.workloads[TWIN].account
    return {
        "scalers": [
            {
                "name": name,
                "strategy": str(strategy),
                **_of(play.workloads[name].account, log.decisions[name], log.scaler_errors[name]),
            }
            for name, strategy in SCALERS.items()
        ],
        "twin": {"name": TWIN, "strategy": "HPA", **_of(twin, twin.rescales, 0)},
        "events": events,
        "errors": log.errors,
    }


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
    told = ", ".join(_counted(summary[f"{one}s"], one) for one in ("event", "error"))
    return "\n".join((*lines, told))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


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
