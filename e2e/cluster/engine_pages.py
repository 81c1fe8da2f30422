"""What inference engines write on their pages, each by its documented series."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

BOUNDS: Final = (0.1, 0.5, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Load:
    """Of one pod.

    Attributes:
        running: requests that it works on.
        waiting: requests that wait for that.
        cache: share of its cache that is in use.
        tokens_per_s: that it makes.
        started_s: when it began to make them, monotonic.
    """

    running: float = 0.0
    waiting: float = 0.0
    cache: float = 0.0
    tokens_per_s: float = 0.0
    started_s: float = field(default_factory=time.monotonic)

    @property
    def tokens(self) -> float:
        """Made so far."""
        return self.tokens_per_s * (time.monotonic() - self.started_s)


def vllm(load: Load) -> str:
    """Two engines in one server, as data parallelism has them."""
    halves = [f'engine="{number}",model_name="m"' for number in range(2)]
    lines = ["# TYPE vllm:num_requests_running gauge"]
    lines += [f"vllm:num_requests_running{{{one}}} {load.running / 2}" for one in halves]
    lines += [f"vllm:num_requests_waiting{{{one}}} {load.waiting / 2}" for one in halves]
    lines += [f"vllm:kv_cache_usage_perc{{{one}}} {load.cache}" for one in halves]
    lines += ["# TYPE vllm:generation_tokens counter"]
    lines += [f"vllm:generation_tokens_total{{{one}}} {load.tokens / 2}" for one in halves]
    lines += ["# TYPE vllm:time_to_first_token_seconds histogram"]
    lines += _histogram("vllm:time_to_first_token_seconds", 'model_name="m"', load.tokens)
    return _page(lines)


def tgi(load: Load) -> str:
    """No labels, and counters without `_total`."""
    lines = [
        "# TYPE tgi_batch_current_size gauge",
        f"tgi_batch_current_size {load.running}",
        "# TYPE tgi_queue_size gauge",
        f"tgi_queue_size {load.waiting}",
        "# TYPE tgi_request_count counter",
        f"tgi_request_count {int(load.tokens)}",
    ]
    return _page([*lines, *_histogram("tgi_request_generated_tokens", "", load.tokens)])


def sglang(load: Load) -> str:
    """Two ranks that work on the same requests, each of which tells of all of them."""
    lines = ["# TYPE sglang:num_running_reqs gauge"]
    for rank in range(2):
        labels = f'engine_type="unified",model_name="m",pp_rank="0",tp_rank="{rank}"'
        lines += [
            f"sglang:num_running_reqs{{{labels}}} {load.running}",
            f"sglang:num_queue_reqs{{{labels}}} {load.waiting}",
            f"sglang:token_usage{{{labels}}} {load.cache}",
        ]
    lines += [f'sglang:generation_tokens_total{{model_name="m"}} {load.tokens}']
    return _page(lines)


def triton(load: Load) -> str:
    """Two models behind one server, and the batcher of TensorRT-LLM."""
    lines = ["# TYPE nv_inference_pending_request_count gauge"]
    for model in ("a", "b"):
        labels = f'model="{model}",version="1"'
        lines += [
            f"nv_inference_pending_request_count{{{labels}}} {load.waiting / 2}",
            f"nv_inference_request_success{{{labels}}} {int(load.tokens / 2)}",
        ]
    labels, of = 'model="a",version="1"', 'kv_cache_block_type="fraction"'
    lines += [
        f'nv_trt_llm_request_metrics{{request_type="scheduled",{labels}}} {load.running}',
        f'nv_trt_llm_request_metrics{{request_type="waiting",{labels}}} {load.waiting}',
        f'nv_trt_llm_request_metrics{{request_type="max",{labels}}} 512',
        f"nv_trt_llm_kv_cache_block_metrics{{{of},{labels}}} {load.cache}",
    ]
    return _page(lines)


PAGES: Final[dict[str, Callable[[Load], str]]] = {
    "vllm": vllm,
    "tgi": tgi,
    "sglang": sglang,
    "triton": triton,
}


def _histogram(name: str, labels: str, count: float) -> list[str]:
    """All of it in the third bucket."""
    more = f"{labels}," if labels else ""
    whole = int(count)
    lines = [
        f'{name}_bucket{{{more}le="{bound}"}} {whole if bound >= 1 else 0}' for bound in BOUNDS
    ]
    lines += [f'{name}_bucket{{{more}le="+Inf"}} {whole}']
    braces = f"{{{labels}}}" if labels else ""
    return [*lines, f"{name}_sum{braces} {0.8 * whole}", f"{name}_count{braces} {whole}"]


def _page(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
