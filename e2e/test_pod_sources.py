"""Sources that ask pods: their numbers move replicas, and nothing else that they do does."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from budaiscaler.kube.resources import DEPLOYMENTS, PODS
from e2e.cluster import workloads
from e2e.cluster.api import Object
from e2e.cluster.engine_pages import Load, vllm
from e2e.cluster.engines import Engines, Manner
from e2e.stories import SYNC_S, Story

STALE_S = 60.0
"""A source is without data once its last good sample is that old."""
LATE_S = 45.0
SCALED_S = 90.0
SECRET = "sesame"


def source(port: int | str, **fields: Any) -> Object:
    """A source of one series of each pod, which stands there twice, for two engines of a pod."""
    return {
        "metricSourceType": "pod",
        "targetMetric": "vllm:num_requests_running",
        "targetValue": "5",
        "port": port,
        "scrapeTimeout": "1s",
        "headers": {"X-Api-Key": SECRET},
        **fields,
    }


def as_json(load: Load) -> str:
    """A page of a server of one's own."""
    return json.dumps({"engine": {"running": str(load.running)}})


def test_pods_move_replicas(story: Story) -> None:
    """Text by a port's name and JSON by its number take Deployments up, and down again."""
    cases: dict[str, tuple[Callable[[Load], str], Object]] = {
        "text": (vllm, {}),
        "json": (as_json, {"targetMetric": "running", "targetValue": "10", "path": "/load"}),
    }
    with ExitStack() as stack:
        fleet: dict[str, Engines] = {}
        for name, (page, fields) in cases.items():
            engines = Engines(story.api, story.namespace, name, page)
            fleet[name] = stack.enter_context(engines)
            body = workloads.deployment(story.namespace, name, 1)
            (container,) = body["spec"]["template"]["spec"]["containers"]
            container["ports"] = [{"name": "metrics", "containerPort": engines.port}]
            story.api.create(DEPLOYMENTS.collection(story.namespace), body)
            port = "metrics" if name == "text" else engines.port
            engines.share(Load(running=10))
            story.create(story.scaler(name, metricsSources=[source(port, **fields)]))
        for running, replicas in ((60, 6), (20, 2)):
            for engines in fleet.values():
                engines.share(Load(running=running))
            for name in fleet:
                story.wait_for(
                    DEPLOYMENTS.item(story.namespace, name),
                    lambda found: found["status"].get("readyReplicas") == replicas,  # noqa: B023 - waited for at once
                    f"{replicas} ready replicas",
                    timeout_s=SCALED_S,
                )


FAILURES = {
    "hangs": (Manner.HANGS, "did not answer in full within 1 s"),
    "drips": (Manner.DRIPS, "did not answer in full within 1 s"),
    "huge": (Manner.HUGE, "more than 2 MiB"),
    "nan": (Manner.NAN, "NotANumber"),
    "html": (Manner.HTML, "answered HTML and no metrics"),
}


def test_pods_that_fail(story: Story) -> None:
    """At target, all or half of them in trouble or unready take nobody away; then it goes on."""
    names = [*FAILURES, "half", "unready"]
    with ExitStack() as stack:
        fleet = {
            name: stack.enter_context(Engines.of(story.api, story.namespace, name, "vllm"))
            for name in names
        }
        for name, engines in fleet.items():
            story.deploy(name, replicas=4)
            engines.give_each(Load(running=10))
            engines.wait_for(4)
            story.create(story.scaler(name, metricsSources=[source(engines.port)]))
        for name in names:
            story.wait_for_load(4, scaler=name)
            story.wait_for_hpa(name=f"{name}-hpa")
        histories = {name: stack.enter_context(story.replicas(name)) for name in names}
        for name, (manner, _) in FAILURES.items():
            fleet[name].behave(manner)
        fleet["half"].behave(Manner.HANGS, *fleet["half"].pods()[:2])
        for pod in fleet["unready"].pods():
            _unready(story, pod)
        for name, (_, words) in FAILURES.items():
            message = story.wait_for_condition(
                "ScalingActive",
                "False",
                "NoData",
                name=name,
                saying=words,
                timeout_s=STALE_S + LATE_S,
            )
            assert "of 4 ready pods answers" in message
            assert SECRET not in message
        message = story.wait_for_condition("ScalingActive", "False", "NoData", name="unready")
        assert "NoReadyPods" in message
        time.sleep(2 * SYNC_S)
        held = {name: list(history.values) for name, history in histories.items()}
        for name in FAILURES:
            fleet[name].manners.clear()
            fleet[name].share(Load(running=60))
        for name in FAILURES:
            histories[name].wait_for(6, timeout_s=LATE_S)
        story.wait_for_condition("ScalingActive", "True", "ValidMetricFound", name="half")

    assert held == {name: [4] for name in names}
    assert histories["half"].values == [4]
    for server in story.running.servers:
        assert SECRET not in server.daemon.log.read_text()


def _unready(story: Story, pod: str) -> None:
    path = PODS.item(story.namespace, pod, "status")
    story.api.patch(path, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
