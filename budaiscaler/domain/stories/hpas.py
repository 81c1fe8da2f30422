"""The HPA of a story: the one that the controller would make, by our model of who acts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain.algorithms import (
    hpa_controller,
    hpa_controller_spec,
    native,
    stabilization,
)
from budaiscaler.domain.algorithms.hpa_controller import HpaState, Sync
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.sources import MetricsSource, TargetType
from budaiscaler.domain.decision import Code, Decision, Replicas, Rung, Stage, State
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading

GRACE = timedelta(minutes=5)
"""How long after the last good decision a load is still served."""

Child = Callable[[Subject, Pausing], Mapping[str, Any] | None]
"""Renders the HPA that a scaler has; None where the controller makes none."""

_NOT_SERVED = NoData(NoDataReason.HTTP_ERROR, "desired-load is not served: 503")


@dataclass(frozen=True, slots=True)
class Published:
    """What the HPA reads.

    Attributes:
        decision: the last one.
        state: after it.
        answers: of the sources, as they answer now.
    """

    decision: Decision
    state: State
    answers: Mapping[str, Observed]


def steady(current: int, now: datetime) -> HpaState:
    """Begin as one that has watched a workload at rest for long."""
    return HpaState(recommendations=((now - stabilization.LONGEST_WINDOW, current),))


def sync(
    raw: Mapping[str, Any],
    subject: Subject,
    published: Published,
    replicas: Replicas,
    state: HpaState,
    now: datetime,
) -> tuple[Sync, HpaState]:
    """Sync once.

    Args:
        raw: the HPA, as it stands in a cluster.
        subject: the scaler that it belongs to.
        published: what it reads.
        replicas: of the workload.
        state: what the sync before returned.
        now: time of the sync.
    """
    spec = hpa_controller_spec.read(raw["spec"])
    scale = Scale(replicas.current, replicas.current, replicas.ready)
    readings = list(_readings(subject, published, now))
    done, after = hpa_controller.sync(spec, scale, readings, state, now)
    asked = published.decision.desired_replicas
    return replace(done, rungs=(*_proposed(done, asked, replicas.current), *done.rungs)), after


def _proposed(done: Sync, asked: int, current: int) -> Iterator[Rung]:
    """Tell why the HPA begins with other replicas than it is asked for."""
    if not done.proposals:
        return
    wanted = max((one for one in done.proposals if one is not None), default=-1)
    if None in done.proposals and wanted < current:
        message = f"the HPA has no data of one of its metrics, so it stays at {current}"
        found = Rung(Stage.SOURCE, Code.NO_DATA, asked, current, message)
    else:
        message = f"by what it reads now, the HPA asks for {wanted}"
        found = Rung(Stage.SOURCE, Code.NATIVE_METRIC, asked, wanted, message)
    if found.moves:
        yield found


def _readings(subject: Subject, published: Published, now: datetime) -> list[Observed]:
    """In the order of the metrics: its own ones first, then the load of all others."""
    rest, natives = native.split(subject.spec, has_child=True)
    readings = [
        _mean(source, published.answers[source.key])
        for source in subject.spec.metrics_sources
        if source.key in natives
    ]
    return [*readings, _load(published, now)] if rest else readings


def _mean(source: MetricsSource, found: Observed) -> Observed:
    """A metric of pods is a mean, also where the source gives a total of them."""
    if isinstance(found, Reading) and promql.target_type(source)[0] is TargetType.AVERAGE_VALUE:
        return replace(found, value=found.value / max(1, found.answered or 1))
    return found


def _load(published: Published, now: datetime) -> Observed:
    good_at = published.state.good_at
    if good_at is None or now - good_at > GRACE or not published.decision.publishes:
        return _NOT_SERVED
    return Reading(published.decision.desired_load)
