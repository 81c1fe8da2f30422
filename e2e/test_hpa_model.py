"""Our model of the HPA controller goes where the real one goes, by its metrics and behaviours."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from budaiscaler.domain.algorithms import hpa_controller, hpa_controller_spec
from budaiscaler.domain.algorithms.hpa_controller import HpaState
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.readings import Reading
from e2e.stories import EXACT, SYNC_S, Story
from e2e.test_own_hpa import hpa_path

PERIOD_S = 15.0
LOADS = (60, 66, 20)
SYNCS = 25
"""Enough for every period of these policies to end."""

BEHAVIORS: Mapping[str, Any] = {
    "stock": None,
    "limited": {
        "scaleUp": {"policies": [{"type": "Pods", "value": 3, "periodSeconds": 15}]},
        "scaleDown": {
            "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": 15}],
        },
    },
    "exact": EXACT,
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_model_goes_where_the_real_one_goes(story: Story) -> None:
    """Three behaviours, three loads: the same counts in the same order, for the same reasons."""
    story.deploy()
    story.start_load(0)
    story.create(story.scaler(hpa={"manage": "Never"}))
    story.wait_for_load(1)
    specs = {name: own_hpa(story, name, behavior) for name, behavior in BEHAVIORS.items()}
    for name in specs:
        story.deploy(name)
    with ExitStack() as stack:
        seen = {name: stack.enter_context(story.replicas(name)) for name in specs}
        models = {name: model(spec) for name, spec in specs.items()}
        expected: dict[str, list[int]] = {name: [1] for name in specs}
        for name, spec in specs.items():
            story.api.create(hpa_path(story), spec)
            next(models[name])
        for load in LOADS:
            story.set_load(load)
            for name, predicted in models.items():
                steps, _ = predicted.send(load)
                expected[name] += steps
                seen[name].wait_for(expected[name][-1], timeout_s=90)
            time.sleep(PERIOD_S + SYNC_S)
            for name, predicted in models.items():
                _, reason = predicted.send(load)
                limited = condition(story, name, "ScalingLimited")
                assert (name, load, limited) == (name, load, reason)
        assert {name: history.values for name, history in seen.items()} == expected


def own_hpa(story: Story, name: str, behavior: Any) -> dict[str, Any]:
    """An HPA on the load of `chat` itself, which no scaler has put in a dead band."""
    hpa = story.own_hpa(name, name)
    metric = hpa["spec"]["metrics"][0]["external"]
    metric["metric"]["name"] = "queue_depth"
    metric["metric"]["selector"]["matchLabels"]["scaler"] = "chat"
    metric["target"]["averageValue"] = "10"
    if behavior is None:
        del hpa["spec"]["behavior"]
    else:
        hpa["spec"]["behavior"] = behavior
    return hpa


def model(hpa: Mapping[str, Any]) -> Generator[Any, float, None]:
    """Sync with each load that is sent until all periods are over; yields counts and a reason."""
    spec = hpa_controller_spec.read(hpa["spec"])
    now, current, state = datetime(2026, 1, 5, tzinfo=UTC), 1, HpaState()
    answer: Any = None
    while True:
        load = yield answer
        steps: list[int] = []
        reason = ""
        for _ in range(SYNCS):
            now += timedelta(seconds=SYNC_S)
            scale = Scale(current, current, current)
            done, state = hpa_controller.sync(spec, scale, [Reading(load)], state, now)
            if done.desired != current:
                steps.append(done.desired)
            current = done.desired
            (limited,) = (one for one in done.conditions if one.type == "ScalingLimited")
            reason = limited.reason
        answer = steps, reason


def condition(story: Story, name: str, kind: str) -> str:
    """Reason of a condition of an HPA."""
    status = story.api.get(f"{hpa_path(story)}/{name}")["status"]
    (found,) = (one for one in status["conditions"] if one["type"] == kind)
    return str(found["reason"])
