"""The GPUs of one decision, and how long the last good reading of them stands.

Memory and utilisation each stand for themselves: an exporter may lose one of them for a moment.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from budaiscaler.domain.api.features import GpuConfig
from budaiscaler.domain.gpu import GpuObserved, GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.gpu.base import GpuReader, GpuRequest


@dataclass(slots=True)
class _Good:
    """What was last good, and what was asked for it: an edited configuration has nothing.

    Attributes:
        last: the last answer in which anything was told.
        readings: each quantity, and when it was sampled.
    """

    asked: GpuConfig
    last: GpuReading | None = None
    readings: dict[str, tuple[float, Reading]] = field(default_factory=dict)

    def stand_in(self, name: str, observed: Observed, now_s: float, fresh_s: float) -> Observed:
        """Keep a good reading, or give the last good one while it is fresh."""
        if isinstance(observed, Reading):
            self.readings[name] = (now_s - observed.age_s, observed)
            return observed
        at_s, last = self.readings.get(name, (-math.inf, None))
        age_s = now_s - at_s
        return observed if last is None or age_s > fresh_s else replace(last, age_s=age_s)


@dataclass(slots=True)
class GpuObserver:
    """Reads the GPUs of many targets.

    Attributes:
        reader: how; None where this process reads none.
        clock: monotonic seconds.
    """

    reader: GpuReader | None
    clock: Callable[[], float]
    _good: dict[str, _Good] = field(default_factory=dict)

    async def observe(
        self,
        uid: str,
        namespace: str,
        config: GpuConfig | None,
        workload: Workload,
        *,
        max_age_s: float,
        fresh_s: float,
        limit_s: float,
    ) -> GpuObserved | None:
        """Read the GPUs of one scaler's target; None where it does not ask for them.

        Args:
            uid: of the scaler.
            namespace: of the scaler.
            config: as the user wrote it.
            workload: the target.
            max_age_s: an answer this old that another scaler fetched will do.
            fresh_s: how long a good reading stands in for a lost one.
            limit_s: longest time for reading.
        """
        if config is None or not config.enabled or self.reader is None:
            self._good.pop(uid, None)
            return None
        try:
            async with asyncio.timeout(limit_s):
                answer = await self.reader.read(GpuRequest(namespace, config, max_age_s, workload))
        except TimeoutError:
            answer = NoData(NoDataReason.TIMEOUT, "the GPUs could not be read in time")
        return self._settle(uid, config, answer, fresh_s)

    def forget(self, uid: str) -> None:
        """Drop what belongs to a scaler that is gone."""
        self._good.pop(uid, None)

    def _settle(
        self, uid: str, config: GpuConfig, answer: GpuObserved, fresh_s: float
    ) -> GpuObserved:
        good, now_s = self._good.get(uid), self.clock()
        if good is None or good.asked != config:
            good = self._good[uid] = _Good(config)
        if isinstance(answer, GpuReading):
            good.last = answer
            memory, compute = answer.memory, answer.compute
        else:
            memory = compute = answer
        memory = good.stand_in("memory", memory, now_s, fresh_s)
        compute = good.stand_in("compute", compute, now_s, fresh_s)
        if good.last is None or (memory is answer and compute is answer):
            return answer
        return replace(good.last, memory=memory, compute=compute)
