"""One inference server as a fluid: a queue, a batch, a cache, and latencies that grow with them.

The time of one iteration is linear in the batch and in what it attends to,

    T(b, c) = base + per_request * b + per_context * b * c,

with b requests and a mean context of c thousand tokens. Prompts are read in between (chunked
prefill): they take a share f of the time, so that a token takes T / (1 - f). Requests wait until
batch, cache and prompts leave room. The defaults are a fit of public measurements of Llama-2-70B on
four H100 (Splitwise, ISCA 2024); they are like a real server, and none in particular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram of first-token latencies, in seconds."""


STEPS_OF_A_REQUEST = 2
"""Of fewer it would be gone before anybody saw it run."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Mean lengths of requests, in tokens."""

    prompt_tokens: float = 600.0
    output_tokens: float = 200.0

    @property
    def held_tokens(self) -> float:
        """What a request holds of the cache, on average over its life."""
        return self.prompt_tokens + self.output_tokens / 2

    def served_per_s(self, hardware: Hardware | None = None, per_token_s: float = 0.1) -> float:
        """Requests a second of one server at which a further token takes `per_token_s`.

        A request costs w = prompt / P + (per_request + per_context * c) * output seconds of a
        server that has 1 - base / per_token_s of each to spend.
        """
        on = hardware or Hardware()
        of_each = on.per_request_s + on.per_context_s * self.held_tokens / 1000
        cost_s = self.prompt_tokens / on.prefill_tokens_per_s + of_each * self.output_tokens
        return (1 - on.base_s / per_token_s) / cost_s


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a server runs on.

    Attributes:
        base_s: time of an iteration that does next to nothing.
        per_request_s: what each request of the batch adds.
        per_context_s: what each thousand tokens of context of each request add.
        prefill_tokens_per_s: how fast prompts are read when nothing else is done.
        most_prefill: largest share of the time that reading prompts may take.
        cache_tokens: size of the KV cache.
        most_running: largest batch.
    """

    base_s: float = 0.0288
    per_request_s: float = 0.000282
    per_context_s: float = 0.000094
    prefill_tokens_per_s: float = 9315.0
    most_prefill: float = 0.7
    cache_tokens: float = 450_000.0
    most_running: float = 256.0


@dataclass(frozen=True, slots=True)
class Latency:
    """What those feel who send requests now, in seconds.

    Attributes:
        first_token_s: from sending to the first token.
        per_token_s: of each further token.
    """

    first_token_s: float
    per_token_s: float


@dataclass(slots=True)
class Counters:
    """Totals since the start of a server; requests are a fluid, so they have fractions.

    Attributes:
        first_tokens: first-token latencies by upper bound in seconds, cumulative.
    """

    requests: float = 0.0
    prompt_tokens: float = 0.0
    generation_tokens: float = 0.0
    first_token_sum_s: float = 0.0
    first_token_count: float = 0.0
    first_tokens: dict[float, float] = field(default_factory=lambda: dict.fromkeys(BOUNDS_S, 0.0))


@dataclass(slots=True)
class Engine:
    """One server.

    Attributes:
        shape: of its requests.
        hardware: that it runs on.
        waiting: requests that it has not begun.
        running: requests of the batch.
        latency: of requests sent in the last step.
        counters: what it tells that only grows.
    """

    shape: Shape = field(default_factory=Shape)
    hardware: Hardware = field(default_factory=Hardware)
    waiting: float = 0.0
    running: float = 0.0
    latency: Latency = Latency(0.0, 0.0)
    counters: Counters = field(default_factory=Counters)

    @property
    def cache_usage(self) -> float:
        """Share of the cache in use, 0 to 1."""
        return min(1.0, self.running * self.shape.held_tokens / self.hardware.cache_tokens)

    def step(self, arrivals: float, for_s: float) -> None:
        """Let `for_s` seconds pass, in which so many requests come."""
        lasts_s = self.shape.output_tokens * self._iteration_s()
        parts = math.ceil(STEPS_OF_A_REQUEST * for_s / lasts_s)
        for _ in range(parts):
            self._step(arrivals / parts, for_s / parts)

    def _step(self, arrivals: float, for_s: float) -> None:
        admitted = self._admit(arrivals, for_s)
        prefill = admitted * self.shape.prompt_tokens / (self.hardware.prefill_tokens_per_s * for_s)
        per_token_s = self._iteration_s() / (1 - prefill)
        output = self.shape.output_tokens
        done = min(self.running, self.running * for_s / (output * per_token_s))
        self.running -= done
        # Who comes now waits for those before, at the rate at which they were begun of late.
        queue_s = self.waiting * for_s / admitted if admitted > 0 else 0.0
        read_s = self.shape.prompt_tokens / self.hardware.prefill_tokens_per_s
        self.latency = Latency(queue_s + read_s / (1 - prefill) + per_token_s, per_token_s)
        self._count(admitted, done)

    def _admit(self, arrivals: float, for_s: float) -> float:
        hardware = self.hardware
        self.waiting += arrivals
        room = min(
            hardware.most_running,
            0.95 * hardware.cache_tokens / self.shape.held_tokens,
        )
        reads = hardware.most_prefill * hardware.prefill_tokens_per_s * for_s
        admitted = min(
            self.waiting, max(0.0, room - self.running), reads / self.shape.prompt_tokens
        )
        self.waiting -= admitted
        self.running += admitted
        return admitted

    def _iteration_s(self) -> float:
        context = self.shape.held_tokens / 1000
        of_each = self.hardware.per_request_s + self.hardware.per_context_s * context
        return self.hardware.base_s + of_each * self.running

    def _count(self, admitted: float, done: float) -> None:
        counters, first_s = self.counters, self.latency.first_token_s
        counters.requests += done
        counters.prompt_tokens += admitted * self.shape.prompt_tokens
        counters.generation_tokens += done * self.shape.output_tokens
        counters.first_token_sum_s += admitted * first_s
        counters.first_token_count += admitted
        for bound_s in BOUNDS_S:
            if first_s <= bound_s:
                counters.first_tokens[bound_s] += admitted
