"""What stands in `status.decisionState`: small, read back as it was, or nothing of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from budaiscaler.domain import decision_state
from budaiscaler.domain.api.budaiscaler import ScaleTargetRef
from budaiscaler.domain.decision import Code, Replicas, State
from budaiscaler.domain.memories import Activity
from budaiscaler.domain.readings import Reading
from tests import samples
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Story, rung

CHAT = ScaleTargetRef(name="chat")
FEW = samples.total(name="queue")


def _written(state: State, at: datetime = NOON) -> Any:
    """As it comes back from an API server."""
    return json.loads(decision_state.to_text(state, CHAT, at))


def _restored(raw: Any, now: datetime = NOON, *, current: int = 8, ready: int = 8) -> State:
    replicas = Replicas(current, ready)
    return decision_state.restored(json.dumps(raw), CHAT, replicas, now, interval_s=15)


def _interrupted(story: Story, current: int, *, for_s: float) -> None:
    """Nobody decides for a while; then somebody else goes on with what was written."""
    raw = _written(story.state, story.now)
    story.now += timedelta(seconds=for_s)
    story.state = _restored(raw, story.now, current=current, ready=current)


def _history(strategy: str, **fields: Any) -> Story:
    """Ten replicas at their target for a while."""
    story = Story(samples.spec(FEW, scalingStrategy=strategy, **fields))
    for _ in range(30):
        story.step(10, {"queue": 10})
    return story


def test_what_is_remembered_is_read_back() -> None:
    """Every part, to the microsecond; so a restart between two decisions changes nothing."""
    story = _history("KPA")
    story.step(10, {"queue": 100.7}, after_s=5.000001)
    story.step(30, {"queue": 31.7}, ready=10)
    story.step(30, {"queue": DEAD}, ready=10)
    assert story.state.shortfall is not None
    assert story.state.silent_since
    assert story.state.kpa["queue"].memory.panic_since is not None
    assert _restored(_written(story.state, story.now), story.now) == story.state


def test_a_prewarm_is_read_back() -> None:
    """Its time is still ahead, as nothing else of a state may be; a gap does not end it."""
    hint = {"name": "day", "cronExpression": "0 12 * * *", "duration": "1h", "targetReplicas": 20}
    spec = samples.spec(FEW, scalingStrategy="KPA", scheduleHints=[{**hint, "prewarm": "auto"}])
    story = Story(spec, now=NOON - timedelta(seconds=415))
    story.step(10, {"queue": 10}, startup_p95_s=400)
    assert story.state.begun == {"day": NOON}
    assert _restored(_written(story.state, story.now), story.now) == story.state
    _interrupted(story, 20, for_s=300)
    assert story.step(20, {"queue": 1}).desired_replicas == 20
    assert story.state.begun == {"day": NOON}


def test_it_is_written_as_apis_write() -> None:
    """Versioned, camelCase, and nothing but what differs from an empty one."""
    state = State(recommended_load=4.25, asked=4, good_at=NOON, activity=Activity(NOON is not None))
    assert _written(state) == {
        "version": 1,
        "at": NOON.timestamp(),
        "target": "apps/v1/Deployment/chat",
        "state": {
            "recommendedLoad": 4.25,
            "goodAt": NOON.timestamp(),
            "asked": 4,
            "activity": {"isInitialized": True},
        },
    }


_SOUND: dict[str, Any] = {"version": 1, "at": NOON.timestamp(), "target": "apps/v1/Deployment/chat"}
_AGO = NOON.timestamp() - 10


def _with(**state: Any) -> dict[str, Any]:
    return _SOUND | {"state": state}


def _samples(**window: Any) -> dict[str, Any]:
    return _with(kpa={"queue": {"samples": {"bucketS": 5, "length": 36, **window}}})


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="nothing"),
        pytest.param("old", id="a-text"),
        pytest.param([1], id="a-list"),
        pytest.param({}, id="empty"),
        pytest.param(_with() | {"version": 2}, id="of-a-later-version"),
        pytest.param(_SOUND, id="without-a-state"),
        pytest.param(_with() | {"target": "apps/v1/Deployment/other"}, id="of-another-workload"),
        pytest.param(_with() | {"at": NOON.timestamp() + 1}, id="of-the-future"),
        pytest.param(_with() | {"at": "2026-01-05T11:59:00"}, id="at-a-time-of-no-zone"),
        pytest.param(_with(goodAt="2026-01-05T11:59:00"), id="a-time-of-no-zone"),
        pytest.param(_with(goodAt=NOON.timestamp() + 1), id="a-time-after-its-own"),
        pytest.param(
            _with(begun={"morning": NOON.timestamp() + 10**6}), id="a-schedule-that-holds-for-ever"
        ),
        pytest.param(_with(silentSince={"queue": 1e300}), id="a-time-that-is-none"),
        pytest.param(_with(begun={"day": "2026-01-05T12:00:00"}), id="a-prewarm-of-no-zone"),
        pytest.param(_with(begun={"day": NOON.timestamp() + 4000}), id="a-prewarm-of-hours"),
        pytest.param(_with(recommendedLoad="NaN"), id="nan"),
        pytest.param(_with(recommendedLoad=-1), id="negative"),
        pytest.param(_with(recommendations=[[_AGO, 2**31]]), id="more-than-can-be-asked-for"),
        pytest.param(_with(recommendations=[[_AGO]]), id="half-a-recommendation"),
        pytest.param(_with(changes=[[_AGO, 10**40]]), id="an-absurd-change"),
        pytest.param(_with(readySeen=[[_AGO, -1]]), id="fewer-than-none"),
        pytest.param(
            _with(coverage={"queue": {"answered": -1, "expected": 1, "ready": 1}}),
            id="a-negative-answer",
        ),
        pytest.param(
            _with(
                shortfall={"began": _AGO, "grewAt": _AGO, "missing": -1, "most": 1, "mostAt": _AGO}
            ),
            id="a-negative-loss",
        ),
        pytest.param(_with(kpa={"queue": {"memory": {"peak": -1}}}), id="a-negative-peak"),
        pytest.param(_with(kpa={"queue": {"memory": {"panicSince": _AGO}}}), id="half-a-panic"),
        pytest.param(_samples(bucketS=0), id="no-bucket"),
        pytest.param(_samples(bucketS=1e-320), id="a-bucket-of-no-length"),
        pytest.param(_samples(bucketS=1e300), id="an-endless-bucket"),
        pytest.param(_samples(length=0), id="no-window"),
        pytest.param(_samples(length=10**9), id="a-window-of-decades"),
        pytest.param(_samples(length=1, buckets=[[1, 1], [2, 1]]), id="more-than-a-window"),
        pytest.param(_samples(buckets=[[2, 1], [1, 1]]), id="descending"),
        pytest.param(_samples(buckets=[[1, 1], [1, 1]]), id="twice"),
        pytest.param(_samples(buckets=[[-(10**15), 1]]), id="before-all-time"),
        pytest.param(_samples(buckets=[[10**400, 1]]), id="after-all-time"),
        pytest.param(_samples(buckets=[[1, float("inf")]]), id="an-infinite-sample"),
        pytest.param(_samples(buckets=[[1, -1]]), id="a-negative-sample"),
    ],
)
@pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])
def test_what_is_no_state_begins_anew_and_holds(raw: Any, strategy: str) -> None:
    """Somebody edited it, or a later version wrote it: eight stay eight, at no load at all."""
    assert _restored(raw) == State()
    story = Story(samples.spec(FEW, scalingStrategy=strategy), state=_restored(raw))
    for _ in range(19):
        assert story.step(8, {"queue": 0}).desired_replicas == 8


def test_who_begins_anew_says_with_what() -> None:
    """A leader knows a little of a status without such a state, too."""
    anew = State(good_at=NOON)
    replicas = Replicas(4, 4)
    found = decision_state.restored(None, CHAT, replicas, NOON, interval_s=15, anew=anew)
    assert found is anew


@pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])
def test_a_gap_holds_for_a_whole_window(strategy: str) -> None:
    """What was missed may have been a surge: at no load ten stay for five minutes, and go then.

    KPA waits for its panic, too.
    """
    story = _history(strategy)
    _interrupted(story, 10, for_s=60)
    held = [story.step(10, {"queue": 0}).desired_replicas for _ in range(35)]
    assert held[:19] == [10] * 19
    assert held[-1] == 5


def test_a_restart_on_time_waits_for_nothing() -> None:
    """All was seen, so the window that began before it ends as it would have."""
    story = _history("BudScaler")
    desired = []
    for _ in range(21):
        desired.append(story.step(10, {"queue": 0}).desired_replicas)
        _interrupted(story, 10, for_s=0)
    assert desired[:19] == [10] * 19
    assert desired[-1] == 5


def test_changes_count_on_against_policies() -> None:
    """Two pods a minute are not two more for a new leader."""
    policy = {"type": "Pods", "value": 2, "periodSeconds": 60}
    story = _history("BudScaler", behavior={"scaleUp": {"policies": [policy]}})
    assert story.step(10, {"queue": 90}).desired_replicas == 12
    _interrupted(story, 12, for_s=20)
    assert story.step(12, {"queue": 90}, after_s=0).desired_replicas == 12
    assert story.step(12, {"queue": 90}, after_s=50).desired_replicas == 14


def test_replicas_that_went_in_a_gap_are_put_back_by_policies() -> None:
    """Who removed half of them while nobody led has used the minute's ten percent up."""
    behavior = {
        "scaleDown": {
            "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
        }
    }
    story = _history("BudScaler", behavior=behavior)
    _interrupted(story, 5, for_s=60)
    assert story.step(5, {"queue": 0}, after_s=0).desired_replicas == 5


def test_replicas_that_came_in_a_gap_do_not_slow_growth() -> None:
    """When they came nobody knows; what is needed now is not asked for later because of them."""
    policy = {"type": "Pods", "value": 4, "periodSeconds": 60}
    story = _history("BudScaler", behavior={"scaleUp": {"policies": [policy]}})
    _interrupted(story, 14, for_s=60)
    assert story.step(14, {"queue": 90}, after_s=0).desired_replicas == 18


def test_a_panic_goes_on_after_a_gap() -> None:
    """It began when it began, keeps its peak, and lasts a stable window from the restart on."""
    story = _history("KPA")
    for _ in range(3):
        story.step(10, {"queue": 40})
    assert story.step(10, {"queue": 40}).desired_replicas == 40
    since = story.state.kpa["queue"].memory.panic_since
    _interrupted(story, 40, for_s=100)
    memory = story.state.kpa["queue"].memory
    assert (memory.panic_since, memory.over_at, memory.peak) == (since, story.now, 40)
    assert story.step(40, {"queue": 0}, after_s=170).desired_replicas == 40


def test_a_delay_of_scale_down_begins_anew_after_a_gap() -> None:
    """Nobody knows the verdicts of the gap, which may be those that it would keep."""
    story = _history("KPA", behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    story.annotations = {"scale-down-delay": "20m"}
    story.step(10, {"queue": 10})
    _interrupted(story, 10, for_s=3600)
    for _ in range(19):
        assert story.step(10, {"queue": 0}, after_s=60).desired_replicas == 10
    story.step(10, {"queue": 0}, after_s=200)
    assert story.step(10, {"queue": 0}, after_s=1200).desired_replicas == 5


def test_one_that_is_about_to_go_to_zero_waits_anew_after_a_gap() -> None:
    """A request may have come in between."""
    story = Story(samples.spec(FEW, scalingStrategy="KPA", minReplicas=0))
    for _ in range(44):
        story.step(1, {"queue": 0}, after_s=5)
    assert story.state.activity.inactive_since is not None
    _interrupted(story, 1, for_s=60)
    for _ in range(11):
        assert story.step(1, {"queue": 0}).desired_replicas == 1
    assert story.state.activity.inactive_since is None


def test_a_hold_for_lost_pods_begins_anew_after_a_gap() -> None:
    """More may have been lost in between: its bound counts from the restart."""
    story = _history("HPA")
    story.step(10, {"queue": 7}, ready=7)
    _interrupted(story, 10, for_s=590)
    decision = story.step(10, {"queue": 7}, ready=7, after_s=0)
    assert decision.desired_replicas == 10
    assert story.step(10, {"queue": 7}, ready=7, after_s=590).desired_replicas == 10
    assert story.step(10, {"queue": 7}, ready=7, after_s=20).desired_replicas == 7


def test_a_recommendation_moves_up_to_a_whole_replica_after_a_gap() -> None:
    """Up to there it could rise without a write; pods that are lost meanwhile do not lower it."""
    story = Story(samples.spec(FEW, behavior=samples.tolerance("0")))
    assert story.step(9, {"queue": 9.4}).desired_load == 9.4
    _interrupted(story, 9, for_s=45)
    assert story.step(9, {"queue": 4}, ready=6).desired_load == 10


def test_a_part_of_a_total_is_a_part_after_a_restart() -> None:
    """Of ten series five are left: no low load for a new leader, and for a whole bound."""
    story = Story(samples.spec(FEW))
    story.step(10, {"queue": Reading(10, 0, 10)})
    assert story.step(10, {"queue": Reading(5, 0, 5)}).desired_replicas == 10
    _interrupted(story, 10, for_s=300)
    held = rung(story.step(10, {"queue": Reading(5, 0, 5)}, after_s=590), Code.PARTIAL_DATA)
    assert held.after == 10
    assert story.step(10, {"queue": Reading(5, 0, 5)}, after_s=20).desired_replicas == 5


def test_a_schedule_that_holds_goes_on() -> None:
    """Begun ahead of its time by a start that the new leader has not measured: it is not over."""
    hint = {
        "name": "noon",
        "cronExpression": "10 12 * * *",
        "duration": "1h",
        "targetReplicas": 9,
        "prewarm": "auto",
    }
    story = Story(samples.spec(FEW, scheduleHints=[hint]))
    assert story.step(4, {"queue": 4}, startup_p95_s=700).desired_replicas == 9
    _interrupted(story, 9, for_s=60)
    assert story.step(9, {"queue": 4}, startup_p95_s=None).desired_replicas == 9


def test_a_silence_goes_on() -> None:
    """A fallback after three minutes comes three minutes after the last data, whoever leads."""
    fallback = {"after": "3m", "replicas": 20, "behavior": "Static"}
    story = Story(samples.spec(samples.total(name="queue", fallback=fallback)))
    story.step(10, {"queue": 10})
    assert story.step(10, {"queue": DEAD}).desired_replicas == 10
    _interrupted(story, 10, for_s=170)
    assert story.step(10, {"queue": DEAD}, after_s=0).desired_replicas == 10
    assert story.step(10, {"queue": DEAD}, after_s=11).desired_replicas == 20


def _full(sources: int, name: str) -> State:
    """A state with more of everything than a day brings."""
    story = Story(
        samples.spec(
            *(samples.total(name=name.format(i)) for i in range(sources)), scalingStrategy="KPA"
        ),
        annotations={"stable-window": "1h", "scale-down-delay": "1h"},
    )
    for i in range(120):
        said: Any = {source.key: 1000 / 7 - i / 3 for source in story.spec.metrics_sources}
        story.step(100 - i % 50, said, after_s=5)
    return story.state


@pytest.mark.parametrize(
    ("sources", "name", "has_state"),
    [
        pytest.param(1, "queue-{}", True, id="windows-of-an-hour"),
        pytest.param(12, "queue-{}", True, id="many-sources"),
        pytest.param(32, "x" * 200 + "{}", False, id="many-long-names"),
    ],
)
def test_no_state_is_too_large(sources: int, name: str, *, has_state: bool) -> None:
    """It is left out in parts, and at last as a whole; then it holds as a new one does."""
    raw = _written(_full(sources, name))
    assert len(json.dumps(raw, separators=(",", ":"))) <= 4096
    assert ("state" in raw) == has_state


def test_of_too_many_changes_only_what_went_is_kept() -> None:
    """What came would slow growth, and what went is put back: both let no replica go."""
    ago = range(1800, 0, -5)
    state = State(
        recommendations=((NOON, 4),),
        changes=tuple((NOON - timedelta(seconds=s), -1 if s % 10 else 3) for s in ago),
    )
    restored = _restored(_written(state))
    assert restored.changes == ((NOON, -180),)
    assert restored.recommendations == ((NOON, decision_state.UNKNOWN),)
