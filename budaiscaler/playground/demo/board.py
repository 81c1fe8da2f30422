"""What there is to see of a demo at one moment: pure data, for whatever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain.api import quantity
from budaiscaler.playground.demo.play import Play, Workload
from budaiscaler.playground.manifests import SCALERS, TWIN
from budaiscaler.playground.scenarios import PRICE_PER_HOUR

_NO_STATUS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One workload, and what scales it.

    Attributes:
        load: in replicas, as published; None where nothing is.
        in_flight: requests sent and not answered.
        first_token_s: longest wait for a first token now.
        is_over: whether the latency target is missed now.
        ready: pods that serve.
        asked: replicas asked for now.
        wanted: replicas decided on; None before the first decision.
        cost: dollars so far.
        over_minutes: over the latency target so far.
        bound_by: the stage that the decision comes from.
        why: its sentence.
    """

    name: str
    strategy: str
    load: float | None
    in_flight: float
    first_token_s: float
    is_over: bool
    ready: int
    asked: int
    wanted: int | None
    cost: float
    over_minutes: float
    bound_by: str
    why: str


def rows(play: Play, statuses: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """A row a scaler, and one for the twin.

    Args:
        play: what moves.
        statuses: of the scalers, by name.
    """
    found = []
    for name, strategy in SCALERS.items():
        status = statuses.get(name, _NO_STATUS)
        load = status.get("desiredLoad")
        found.append(
            _row(
                (name, str(strategy)),
                play.workloads[name],
                wanted=status.get("desiredScale"),
                load=None if load is None else quantity.parse(load),
                reason=reason(status),
            )
        )
    twin = play.workloads[TWIN]
    told = ("", "stock HPA on the same two figures")
    found.append(_row((TWIN, "HPA alone"), twin, wanted=twin.asked, load=None, reason=told))
    return found


def reason(status: Mapping[str, Any]) -> tuple[str, str]:
    """The stage that bound a decision, and its sentence.

    Where a decision is held for lack of data, or could not be made, the condition says why.
    """
    for condition in status.get("conditions") or ():
        if condition["type"] == "ScalingActive" and condition["status"] == "False":
            return str(status.get("boundBy", "")), str(condition["message"])
    bound_by = str(status.get("boundBy", ""))
    sentences = [
        str(rung["message"])
        for rung in status.get("reasons") or ()
        if rung.get("stage") == bound_by
    ]
    return bound_by, sentences[-1] if sentences else ""


def _row(
    title: tuple[str, str],
    workload: Workload,
    *,
    wanted: int | None,
    load: float | None,
    reason: tuple[str, str],
) -> Row:
    fleet, account = workload.fleet, workload.account
    return Row(
        name=title[0],
        strategy=title[1],
        load=load,
        in_flight=fleet.in_flight,
        first_token_s=fleet.first_token_s,
        is_over=fleet.is_over_target,
        ready=len(fleet.engines),
        asked=workload.asked,
        wanted=wanted,
        cost=account.cost(PRICE_PER_HOUR),
        over_minutes=account.over_target_minutes,
        bound_by=reason[0],
        why=reason[1],
    )
