"""What the adapter tells Prometheus about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)


@dataclass(slots=True)
class Telemetry:
    """A registry of our own, so that two adapters in one process do not share one."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _requests: Counter = field(init=False)
    _durations: Histogram = field(init=False)
    _expiry: Gauge = field(init=False)
    _counts: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._requests = Counter(
            "budaiscaler_adapter_requests",
            "Requests answered, by method and HTTP status.",
            ("verb", "code"),
            registry=self.registry,
        )
        self._durations = Histogram(
            "budaiscaler_adapter_request_duration_seconds",
            "Time from the parsed request to the answer, checks of identity and access included.",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._expiry = Gauge(
            "budaiscaler_certificate_expiry_timestamp_seconds",
            "When the served certificate ends.",
            registry=self.registry,
        )

    def certificate_expires(self, at: datetime) -> None:
        """Tell when the certificate that is served ends."""
        self._expiry.set(at.timestamp())

    def register(self, collector: Collector) -> None:
        """Add figures that are read when they are asked for."""
        self.registry.register(collector)

    def exposition(self) -> tuple[bytes, str]:
        """Print every figure, and its media type; takes a while, so not on the event loop."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def answered(self, verb: str, code: int, duration_s: float) -> None:
        """Count one request; on the hot path, so the labelled counters are looked up once."""
        self._durations.observe(duration_s)
        count = self._counts.get((verb, code))
        if count is None:
            count = self._counts[verb, code] = self._requests.labels(verb, str(code)).inc
        count()
