"""What the samples of the original are fed with here, and how many replicas they make of it.

A load is that of all pods together, and they share it, so that what is added takes some of it off
the others. Most of it is as much as makes a few replicas more; where a sample shrinks soon enough
to be waited for, it is too little for those that there are. Schedule hints of a sample never ask
for more than its load does, whatever time it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from e2e.cluster import engine_pages
from e2e.cluster.api import Object
from e2e.cluster.engine_pages import Load

ORIGINAL: Final = Path(__file__).parents[1] / "manifests" / "samples" / "original"

Page = Callable[[Load], str]
"""What a pod writes, whose share of the load is `running`."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a sample is to do.

    Attributes:
        before: replicas that it meets.
        after: replicas that it comes to.
        page: of each pod; None where no pod is asked.
        port: of that page.
        load: of all pods, in what the page tells of it.
        cores: that the pods use, for those that ask metrics.k8s.io.
        gpu: percent of the memory and of the time in which the GPU of each pod is used.
        without_effect: fields that the condition names.
    """

    before: int
    after: int
    page: Page | None = None
    port: int = 8000
    load: float = 0.0
    cores: float = 0.0
    gpu: tuple[float, float] | None = None
    without_effect: tuple[str, ...] = ()


def load_samples() -> Mapping[str, Object]:
    """Read the samples, by the names of their files."""
    files = sorted(ORIGINAL.glob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text()) for file in files}


def _series(name: str, *calm: str) -> Page:
    """A page of one series of interest, and of others that tell of next to nothing."""

    def page(load: Load) -> str:
        return "".join([f"{name} {load.running}\n", *(f"{other} 0.01\n" for other in calm)])

    return page


def _vllm_cache(load: Load) -> str:
    return engine_pages.vllm(Load(running=1, cache=load.running))


def _vllm_queue(load: Load) -> str:
    return engine_pages.vllm(Load(running=1, waiting=load.running, cache=0.1))


def _tgi_queue(load: Load) -> str:
    return engine_pages.tgi(Load(running=1, waiting=load.running))


COSTS: Final = ("costConfig",)
FORECASTS: Final = ("predictionConfig",)
CALM: Final = (20.0, 20.0)
COLON: Final = "vllm:gpu_cache_usage_perc"

_CACHE: Final = Part(2, 3, _vllm_cache, load=1.96)
"""Two pods at 98 % of their cache, where 70 % are wanted."""
_QUEUE: Final = Part(2, 4, _vllm_queue, load=36)
"""Two pods with 18 waiting each, where 10 are wanted."""
_SHRINKING: Final = Part(4, 2, _series(COLON), load=1.2)
"""Four pods at 30 % of their cache, where 70 % are wanted."""

PARTS: Final[Mapping[str, Part]] = {
    # A counter that Prometheus has: 350 a second, where a replica takes 100.
    "chart-era": Part(
        1, 4, without_effect=("gpuConfig.vgpuEnabled", *COSTS, *FORECASTS, "multiClusterConfig")
    ),
    "readme-prometheus": Part(1, 4),
    # metrics.k8s.io: pods of one core, of which 0.8 are wanted.
    "hpa": Part(2, 5, cores=4.0),
    "readme-hpa": Part(1, 4, cores=3.2),
    # Pods that tell of their requests, in panic at once.
    "kpa": Part(1, 4, _series("requests_per_second"), 8080, 380),
    "readme-kpa": Part(2, 5, _series("requests_per_second"), 8080, 500),
    # Engines.
    "readme-basic": _CACHE,
    "readme-budscaler": replace(_CACHE, before=3, after=4, load=2.85),
    "readme-cost": replace(_CACHE, without_effect=COSTS),
    "readme-full": replace(
        _CACHE, before=8, after=11, load=7.6, gpu=CALM, without_effect=(*COSTS, *FORECASTS)
    ),
    "readme-schedule-hints": replace(_CACHE, before=9, after=10, load=8.55),
    "readme-vllm": replace(_QUEUE, load=252),
    "vllm": replace(_QUEUE, load=18, gpu=CALM),
    "full": replace(
        _QUEUE,
        before=20,
        after=25,
        load=260,
        gpu=CALM,
        without_effect=("gpuConfig.topologyAware", *COSTS, *FORECASTS),
    ),
    "readme-tgi": Part(2, 4, _tgi_queue, 8080, 36),
    "tgi": Part(2, 4, _tgi_queue, 8080, 36, gpu=CALM),
    # GPUs alone: a quiet cache, and full memory or a busy chip.
    "readme-gpu": replace(_CACHE, load=0.2, gpu=(98, 20)),
    "test-gpu": Part(2, 3, _series(COLON), load=0.2, gpu=(95, 20)),
    "test-learning": Part(3, 4, _series(COLON), load=0.2, gpu=(20, 100), without_effect=FORECASTS),
    # Series of the pods, with and without a type of source.
    "readme-learning": Part(
        2,
        4,
        _series("vllm:num_requests_waiting", COLON),
        load=36,
        without_effect=FORECASTS,
    ),
    "readme-prediction": Part(
        2, 4, _series("app:queue_depth", "app:cache_usage"), load=180, without_effect=FORECASTS
    ),
    "test-basic": Part(2, 3, _series(COLON), 9000, 1.96, without_effect=FORECASTS),
    "test-cost": Part(2, 4, _series(COLON), load=1.8, without_effect=COSTS),
    "test-prediction": Part(4, 5, _series(COLON), load=3.8, without_effect=FORECASTS),
    "test-schedule-hints": Part(5, 7, _series(COLON), load=4.75),
    # Those that shrink within a minute.
    "test-accuracy": replace(_SHRINKING, gpu=CALM, without_effect=FORECASTS),
    "test-mock": replace(_SHRINKING, page=_series("vllm_gpu_cache_usage_perc")),
    # An endpoint of JSON, which knows how many pods share its load.
    "test-policy": Part(2, 3, load=1.96),
}
