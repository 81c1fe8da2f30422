"""Inference engines: what each writes moves its replicas, and agrees with what Prometheus sees."""

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS
from e2e.cluster import workloads
from e2e.cluster.api import Object
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.engine_pages import Load
from e2e.cluster.engines import Engines
from e2e.cluster.prometheus import RealPrometheus
from e2e.stories import Story

SCALED_S = 90.0
"""For four workloads at once: pods come, are seen, and are scraped."""
RATE_S = 90.0
"""Longer, since a rate needs two looks at each pod, some seconds apart."""


def source(engine: str, port: int, metric: str, target: str, **fields: Any) -> Object:
    """A source that asks the engine of each pod."""
    return {
        "targetMetric": metric,
        "targetValue": target,
        "inferenceEngineConfig": {"engineType": engine, "metricsPort": port},
        **fields,
    }


def test_each_engine_by_its_own_series(story: Story) -> None:
    """The running requests of vLLM, TGI, SGLang and Triton take their Deployments up and down."""
    with ExitStack() as stack:
        fleet: dict[str, Engines] = {}
        for name in ("vllm", "tgi", "sglang", "triton"):
            story.deploy(name)
            engines = Engines.of(story.api, story.namespace, name, name)
            fleet[name] = stack.enter_context(engines)
            engines.wait_for(1)
            engines.share(Load(running=10))
            metric = source(name, engines.port, "requests_running", "10")
            story.create(story.scaler(name, metricsSources=[metric]))
        for running, replicas in ((40, 4), (20, 2)):
            for engines in fleet.values():
                engines.share(Load(running=running))
            for name in fleet:
                story.wait_for(
                    DEPLOYMENTS.item(story.namespace, name),
                    lambda found: found["status"].get("readyReplicas") == replicas,  # noqa: B023 - waited for at once
                    f"{replicas} ready replicas",
                    timeout_s=SCALED_S,
                )


def test_shares_rates_and_latencies(story: Story) -> None:
    """A cache in percent, tokens a second and a p95 each give the replicas that they stand for."""
    with ExitStack() as stack:
        cases = {
            "cache": (source_of("gpu_cache_usage", "70"), Load(cache=0.84), 5),
            "tokens": (source_of("generation_tokens", "100"), Load(tokens_per_s=145), 6),
            "ttft": (source_of("time_to_first_token_p95", "0.66"), Load(tokens_per_s=99), 6),
        }
        for name, (fields, load, _) in cases.items():
            story.deploy(name, replicas=4)
            engines = stack.enter_context(Engines.of(story.api, story.namespace, name, "vllm"))
            engines.give_each(load)
            engines.wait_for(4)
            config = {"engineType": "vllm", "metricsPort": engines.port}
            metric = {**fields, "inferenceEngineConfig": config}
            # Of the load as it is, and not of what comes of the replicas it asks for.
            story.create(
                story.scaler(name, metricsSources=[metric], hpa={"manage": "Never"}, maxReplicas=9)
            )
        for name, (_, _, replicas) in cases.items():
            story.wait_for_load(replicas, scaler=name, timeout_s=RATE_S)


def source_of(metric: str, target: str) -> Object:
    return {"targetMetric": metric, "targetValue": target}


def test_what_prometheus_sees_too(
    story: Story, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """A real Prometheus that scrapes the same pods gives the same level as asking them does."""
    with (
        Engines.of(story.api, story.namespace, "chat", "vllm") as engines,
        RealPrometheus(tmp_path, pods_of=control_plane) as prometheus,
    ):
        annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(engines.port)}
        body = workloads.deployment(story.namespace, "chat", 3, annotations=annotations)
        story.api.create(DEPLOYMENTS.collection(story.namespace), body)
        story.wait_for_ready(3)
        engines.wait_for(3)
        selector = f'{{namespace="{story.namespace}"}}'
        seen = {
            "targetMetric": "seen",
            "targetValue": "70",
            "endpoint": prometheus.url,
            "promQL": f"avg(vllm:kv_cache_usage_perc{selector})",
            "targetType": "Value",
        }
        asked = source("vllm", engines.port, "kv_cache_usage", "70", name="asked")
        found: Object = {}
        # A scaler each, since a value that no HPA reads is written once a minute at most.
        for name, cache in (("low", 0.35), ("high", 0.7)):
            engines.give_each(Load(cache=cache))
            prometheus.wait_for(
                f"vllm:kv_cache_usage_perc{selector}",
                lambda found: {s.value for s in found} == {cache} and len(found) >= 3,  # noqa: B023 - waited for at once
            )
            chat = {"name": "chat"}
            sources, hpa = [seen, asked], {"manage": "Never"}
            story.create(story.scaler(name, scaleTargetRef=chat, metricsSources=sources, hpa=hpa))
            found = story.wait_for(
                BUDAISCALERS.item(story.namespace, name),
                lambda found: _values(found) == {"seen": cache * 100, "asked": cache * 100},  # noqa: B023 - waited for at once
                f"both sources at {cache}",
                timeout_s=SCALED_S,
            )
        entries = {entry["name"]: entry for entry in found["status"]["sources"]}
    assert (entries["asked"]["answered"], entries["asked"]["of"]) == (3, 3)


def _values(found: Object) -> dict[str, float]:
    entries = copy.deepcopy(found.get("status", {}).get("sources") or [])
    return {entry["name"]: round(float(entry.get("value", "nan")), 6) for entry in entries}
