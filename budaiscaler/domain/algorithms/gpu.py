"""What GPUs ask for: their mean use is a level per replica, and each threshold a target of it.

They come after the metrics and their dead band, and can only raise: full memory is no reason to
have fewer replicas than the queue wants, nor is empty memory. A threshold whose reading is missing
holds the replicas, as a source without data does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from budaiscaler.domain.algorithms import limits, needs
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Observation, Rung, Stage, State
from budaiscaler.domain.readings import NoData, NoDataReason, Observed

MEMORY = "GPU memory"
COMPUTE = "GPU utilisation"


def thresholds(spec: ScalerSpec) -> tuple[tuple[str, int], ...]:
    """Give what counts, and from how many percent on; one of 0 or none at all does not."""
    config = spec.gpu_config
    if config is None or not config.enabled:
        return ()
    both = ((MEMORY, config.gpu_memory_threshold), (COMPUTE, config.gpu_compute_threshold))
    return tuple((name, percent) for name, percent in both if percent)


def missing(spec: ScalerSpec, observation: Observation) -> Iterator[tuple[str, NoData]]:
    """Give what counts and has no data; one cause is told once."""
    found = {name: _observed(name, observation) for name, _ in thresholds(spec)}
    nothing = {name: one for name, one in found.items() if isinstance(one, NoData)}
    if len(set(nothing.values())) == 1 and len(nothing) > 1:
        yield "GPUs", next(iter(nothing.values()))
    else:
        yield from nothing.items()


def candidates(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> list[Candidate]:
    """Turn each threshold into a need, or into a hold where there is no data."""
    found = []
    for name, percent in thresholds(spec):
        observed = _observed(name, observation)
        if isinstance(observed, NoData):
            found.append(needs.missing(name, observed, observation.replicas.current))
        else:
            found.append(
                needs.of_level(name, percent, observed, observation, state, now, stage=Stage.GPU)
            )
    return found


def raised(
    spec: ScalerSpec, load: float, gpu_needs: Sequence[Candidate], observation: Observation
) -> tuple[float, Rung | None]:
    """Raise the load to what the GPUs need, outside of a dead band of their own."""
    if not gpu_needs:
        return load, None
    current = observation.replicas.current
    most = max(gpu_needs, key=lambda candidate: candidate.load)
    need, held = limits.tolerance(spec, most.load, current, exact=observation.exact)
    if need <= load:
        return load, None
    before = needs.ceil(load)
    if held is not None:
        return need, replace(held, stage=Stage.GPU, before=before)
    name = most.rung.message.partition(":")[0]
    message = f"{name} needs {need:.4g} replicas, more than the {load:.4g} of the metrics"
    code = Code.HOLD if most.is_hold else Code.LARGEST_NEED
    return need, Rung(Stage.GPU, code, before, needs.ceil(need), message)


def _observed(name: str, observation: Observation) -> Observed:
    found = observation.gpu
    if found is None:
        return NoData(NoDataReason.NOT_YET_READ, "the GPUs were not read yet")
    if isinstance(found, NoData):
        return found
    return needs.level(found.memory if name == MEMORY else found.compute, observation)
