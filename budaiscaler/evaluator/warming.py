"""What a Prometheus remembers, for the first decision of a leader on a scaler.

Nobody waits for it for long: without it a decider begins as it does with any other source.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from budaiscaler.domain.algorithms import warming
from budaiscaler.domain.algorithms.kpa_source import Sample
from budaiscaler.domain.algorithms.warming import Span
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Observation, State
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.sources.base import Past, PastTotal

LIMIT_S = 5.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Asks for the past of sources of type prometheus."""

    past: Past

    async def warmed(
        self,
        scaler: Scaler,
        spec: ScalerSpec,
        observation: Observation,
        state: State,
        now: datetime,
        *,
        interval_s: float,
    ) -> State:
        """Fill what a state lacks; see `domain.algorithms.warming`."""
        spans = warming.lacking(spec, observation, state, now, interval_s=interval_s)
        if not spans:
            return state
        async with asyncio.TaskGroup() as group:
            tasks = {
                source.key: group.create_task(self._ask(scaler, source, spans[source.key]))
                for source in spec.metrics_sources
                if source.key in spans
            }
        found = {key: task.result() for key, task in tasks.items()}
        _log.info(
            "warmed_up",
            namespace=scaler.namespace,
            name=scaler.name,
            samples={
                key: told.message if isinstance(told, NoData) else len(told)
                for key, told in found.items()
            },
        )
        past = {
            key: [Sample(one.total, datetime.fromtimestamp(one.at_s, UTC)) for one in told]
            for key, told in found.items()
            if not isinstance(told, NoData)
        }
        return warming.warmed(spec, observation, state, past, now, interval_s=interval_s)

    async def _ask(
        self, scaler: Scaler, source: MetricsSource, span: Span
    ) -> tuple[PastTotal, ...] | NoData:
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self.past.past(scaler.namespace, source, span.length_s, span.step_s)
        except TimeoutError:
            return NoData(NoDataReason.TIMEOUT, "its server did not tell of the past in time")
