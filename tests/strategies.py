"""What hypothesis draws: specs, observations and states as wild as users and clusters are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from budaiscaler.domain import pausing, readings, windows
from budaiscaler.domain.api import validation
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.features import ScheduleHint
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Coverage, Observation, Replicas, Shortfall, State
from budaiscaler.domain.explaining import steady
from budaiscaler.domain.memories import Activity, KpaState, Memory
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.kube.port import Json
from tests import samples
from tests.conftest import NOON

INT32_MAX = 2**31 - 1

Kinds = tuple[Callable[..., Json], ...]
"""Makers of sources; see `samples`."""

anything = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0])
"""NaN, infinities, negatives, and everything between; of the first few, floats alone draw none."""

loads = st.floats(min_value=0, max_value=1e6)
"""Numbers that a source might really give."""

quantities = st.one_of(
    st.integers(1, 10_000).map(str),
    st.integers(1, 10_000_000).map(lambda milli: f"{milli}m"),
    st.floats(1e-3, 1e6).map(repr),
)
"""Targets: quantities above 0."""

tolerances = st.sampled_from([None, "0", "0.01", "0.1", "250m", "1"])


cron_expressions = st.tuples(
    st.sampled_from(["0", "30", "*/15", "*", "7-9,58"]),
    st.sampled_from(["2", "*", "9-17", "1,2,3", "*/6"]),
    st.sampled_from(["*", "29", "1-31", "*/2", "?"]),
    st.sampled_from(["*", "3,10", "feb,MAR-oct"]),
    st.sampled_from(["*", "0", "MON-FRI", "0-6", "sat,SUN"]),
).map(" ".join)

lengths = st.sampled_from(["0s", "90s", "20m", "1h", "8h", "2d"])
leads = st.sampled_from([None, None, "5m", "auto"])


@st.composite
def hints(
    draw: st.DrawFn,
    *,
    durations: st.SearchStrategy[str] = lengths,
    prewarms: st.SearchStrategy[str | None] = leads,
    fewest: int = 0,
) -> ScheduleHint:
    """Hints around changes of clocks, that overlap themselves or not."""
    return ScheduleHint(
        name=draw(st.sampled_from(["day", "night", "peak"])),
        cron_expression=draw(cron_expressions),
        target_replicas=draw(st.integers(fewest, 70)),
        duration=draw(durations),
        time_zone=draw(st.sampled_from([None, "Europe/Berlin", "America/New_York"])),
        prewarm=draw(prewarms),
    )


@st.composite
def specs(
    draw: st.DrawFn, *, of: Kinds = (samples.total, samples.level), strategy: str = "HPA"
) -> ScalerSpec:
    """Specs with any mix of levels and totals, bounds and dead bands."""
    kinds = draw(st.lists(st.sampled_from(of), min_size=1, max_size=4))
    sources = [make(draw(quantities), name=f"source-{i}") for i, make in enumerate(kinds)]
    fewest = draw(st.integers(0, 20))
    most = draw(st.one_of(st.integers(max(1, fewest), 50), st.just(INT32_MAX)))
    fields = {
        "minReplicas": fewest,
        "maxReplicas": most,
        "scalingStrategy": strategy,
        "hpa": {"manage": draw(st.sampled_from(["Auto", "Never"]))},
    }
    band = draw(tolerances)
    if band is not None:
        fields["behavior"] = samples.tolerance(band, draw(tolerances))
    return samples.spec(*sources, **fields)


good: st.SearchStrategy[Observed] = st.builds(
    readings.reading,
    loads,
    age_s=st.floats(0, 120),
    answered=st.none() | st.integers(1, 70),
    of=st.none() | st.integers(1, 70),
)
"""Of one sample, of one a pod, or of any number."""

observed: st.SearchStrategy[Observed] = st.one_of(
    good,
    anything.map(readings.reading),
    st.sampled_from(NoDataReason).map(lambda reason: NoData(reason, "of a drawn world")),
)
"""What a source may say."""


@st.composite
def replicas(draw: st.DrawFn) -> Replicas:
    """Pods in any state: more ready than asked for, as in a rollout, or none."""
    current = draw(st.one_of(st.integers(0, 60), st.just(INT32_MAX)))
    return Replicas(
        current=current,
        ready=draw(st.integers(0, min(current, 200) + 5)),
        unschedulable=draw(st.integers(0, 5)),
        are_counted=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def pauses(draw: st.DrawFn) -> Pausing:
    """Nothing paused, or any direction, with an end after `NOON` or without."""
    up, down = draw(st.sampled_from([(False, False), (True, False), (False, True), (True, True)]))
    until = draw(st.none() | st.integers(1, 3600).map(lambda s: NOON + timedelta(seconds=s)))
    return Pausing(up, down, until, reason=pausing.BY_ANNOTATION, message="it is paused")


@st.composite
def shortfalls(draw: st.DrawFn) -> Shortfall:
    """Any memory of a loss."""
    times = sorted(draw(st.lists(st.integers(0, 3600), min_size=3, max_size=3)), reverse=True)
    began, grew_at, most_at = (NOON - timedelta(seconds=s) for s in times)
    most = draw(st.integers(1, 60))
    return Shortfall(began, grew_at, draw(st.integers(0, most)), most, most_at)


@st.composite
def ready_seen(draw: st.DrawFn) -> tuple[tuple[datetime, int], ...]:
    """Any memory of growing numbers of ready replicas."""
    agos = sorted(draw(st.sets(st.integers(0, 900), max_size=4)), reverse=True)
    counts = sorted(draw(st.sets(st.integers(0, 60), min_size=len(agos), max_size=len(agos))))
    return tuple(
        (NOON - timedelta(seconds=ago), count) for ago, count in zip(agos, counts, strict=True)
    )


source_names = st.integers(0, 3).map(lambda i: f"source-{i}")


moments = st.integers(0, 3600).map(lambda s: NOON - timedelta(seconds=s))
soon = st.integers(1, 1800).map(lambda s: NOON + timedelta(seconds=s))


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """Any memory of what contributed to a total."""
    expected = draw(st.integers(0, 70))
    return Coverage(
        draw(st.integers(0, expected)),
        expected,
        draw(st.integers(0, 60)),
        draw(st.none() | moments),
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    """Any memory of a decision before `NOON`."""
    ago = st.none() | moments
    return State(
        recommended_load=draw(st.none() | st.floats(0, INT32_MAX)),
        current=draw(st.none() | st.integers(0, 60)),
        shortfall=draw(st.none() | shortfalls()),
        ready_seen=draw(ready_seen()),
        good_at=draw(ago),
        silent_since=draw(st.dictionaries(source_names, moments)),
        coverage=draw(st.dictionaries(source_names, coverages())),
        begun=draw(st.dictionaries(st.sampled_from(["day", "night"]), soon)),
    )


@st.composite
def kpa_states(draw: st.DrawFn) -> KpaState:
    """Any memory of a decider, in panic or not."""
    agos = sorted(draw(st.sets(st.integers(0, 200), max_size=8)), reverse=True)
    samples_seen = windows.of(180, 5)
    for ago in agos:
        at = NOON - timedelta(seconds=ago)
        samples_seen = windows.keep_last(samples_seen, draw(loads), at, NOON)
    memory = Memory()
    if draw(st.booleans()):
        since, over_at = sorted((draw(moments), draw(moments)))
        memory = Memory(since, over_at, draw(st.integers(0, 60)))
    return KpaState(samples_seen, NOON - timedelta(seconds=agos[-1]) if agos else None, memory)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    """Any life of a workload."""
    known = {}
    if (since := draw(st.none() | moments)) is not None:
        known[draw(st.sampled_from(["waking_since", "active_since", "inactive_since"]))] = since
    return Activity(draw(st.booleans()), **known)


@st.composite
def acting_states(draw: st.DrawFn) -> State:
    """Any memory of a strategy that acts."""
    agos = sorted(draw(st.sets(st.integers(0, 1800), max_size=6)), reverse=True)
    counts = st.integers(0, 60)
    changes = st.integers(-20, 20).filter(bool)
    return replace(
        draw(states()),
        recommendations=tuple((NOON - timedelta(seconds=ago), draw(counts)) for ago in agos),
        changes=tuple((NOON - timedelta(seconds=ago), draw(changes)) for ago in agos),
        asked=draw(st.none() | counts),
        kpa=draw(st.dictionaries(source_names, kpa_states())),
        activity=draw(activities()),
    )


behaviors = st.fixed_dictionaries(
    {},
    optional={
        direction: st.fixed_dictionaries(
            {},
            optional={
                "stabilizationWindowSeconds": st.sampled_from([0, 60, 300]),
                "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
                "policies": st.just([{"type": "Percent", "value": 10, "periodSeconds": 60}]),
                "maxScaleRate": st.sampled_from(["1", "1.5", "0.5", "2.0"]),
                "startingPods": st.just({"maxStartingPods": 2, "bypassGateOnPanic": True}),
            },
        )
        for direction in ("scaleUp", "scaleDown")
    },
)
"""Of strategies that act."""

tunings = st.dictionaries(
    st.sampled_from(
        (
            "panic-threshold",
            "stable-window",
            "panic-window",
            "activation-scale",
            "initial-scale",
            "scale-down-delay",
            "scale-to-zero",
            "max-scale-up-rate",
            "scale-up-tolerance",
            "typo",
        )
    ).map(lambda name: f"{GROUP}/{name}"),
    st.sampled_from(["0", "1", "2", "10", "150", "30s", "2m", "true", "false", "x"]),
    max_size=4,
)
"""Annotations, of which some can be read."""


@st.composite
def acting_worlds(draw: st.DrawFn, *, says: st.SearchStrategy[Observed] | None = None) -> World:
    """A world of a strategy that acts."""
    strategy = draw(st.sampled_from(["KPA", "BudScaler"]))
    world = draw(worlds(says=observed if says is None else says, strategy=strategy))
    raw = world.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec = validation.parse_spec({**raw, "behavior": draw(behaviors)})
    seen = replace(world.observation, annotations=draw(tunings))
    return World(spec, seen, draw(acting_states()))


@dataclass(frozen=True, slots=True)
class World:
    """All that a decision is made of."""

    spec: ScalerSpec
    observation: Observation
    state: State

    def told(self, source: MetricsSource, value: float) -> World:
        """The same, but for the value of one good reading."""
        said = self.observation.readings[source.key]
        assert isinstance(said, Reading)
        readings = {**self.observation.readings, source.key: replace(said, value=value)}
        return replace(self, observation=replace(self.observation, readings=readings))

    def calm(self) -> World:
        """The same, where little but readings decides: few wild worlds ever move an answer."""
        current = max(1, min(self.observation.replicas.current, 60))
        spec = self.spec.model_copy(update={"min_replicas": 1, "max_replicas": 1000})
        seen = replace(
            self.observation,
            replicas=Replicas(current, current),
            readings={key: Reading(0.0) for key in self.observation.readings},
            paused=pausing.NOTHING,
        )
        return World(spec, seen, steady.state(spec, current, NOON))


@st.composite
def two_values(draw: st.DrawFn, source: MetricsSource) -> tuple[float, float]:
    """Any two values of a source, the smaller first; often near to where an answer changes."""
    near = st.integers(0, 7000).map(lambda percent: percent / 100 * source.target)
    apart = st.integers(1, 3000).map(lambda percent: percent / 100 * source.target)
    less = draw(near | loads)
    return less, less + draw(apart | near | loads)


@st.composite
def worlds(
    draw: st.DrawFn, *, says: st.SearchStrategy[Observed] = observed, strategy: str = "HPA"
) -> World:
    """A spec and an observation that fits it; sources may be absent from it, too."""
    spec = draw(specs(strategy=strategy))
    said = {
        source.key: draw(says)
        for source in spec.metrics_sources
        if says is not observed or draw(st.integers(0, 9))
    }
    measured = draw(st.none() | st.floats(0, 3600))
    seen = Observation(
        draw(replicas()), said, measured, exact=draw(st.booleans()), paused=draw(pauses())
    )
    return World(spec, seen, draw(states()))
