"""Series that tell a share, by names that mean one thing anywhere.

The table of engines (`sources.engines`) says how such a series is read; a test holds the two
together. Here it is only told which of them nobody may take as a plain number: an HPA that reads
`kv_cache_usage` itself compares 0.85 with a target of "70", and leaves one replica.
"""

from __future__ import annotations

FRACTIONS = frozenset(
    {
        "DCGM_FI_PROF_DRAM_ACTIVE",
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
        "DCGM_FI_PROF_SM_ACTIVE",
        "DCGM_FI_PROF_SM_OCCUPANCY",
        "cache_usage",
        "gpu_cache_usage",
        "gpu_cache_usage_perc",
        "inference_pool_average_kv_cache_utilization",
        "kv_cache_usage",
        "kv_cache_usage_perc",
        "kv_cache_utilization",
        "llm_d_epp_flow_control_pool_saturation",
        "nv_gpu_utilization",
        "sglang:cache_hit_rate",
        "sglang:token_usage",
        "vllm:cpu_cache_usage_perc",
        "vllm:gpu_cache_usage_perc",
        "vllm:gpu_prefix_cache_hit_rate",
        "vllm:kv_cache_usage_perc",
    }
)
"""From 0 to 1."""

PERCENTS = frozenset({"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_MEM_COPY_UTIL"})
"""From 0 to 100."""


def is_plain(name: str, target: float) -> bool:
    """Whether a number of that name is in the unit of its target as it is."""
    return not (name in FRACTIONS and target > 1) and not (name in PERCENTS and target <= 1)
