"""Stops asking a server that does not answer, so that it does not hold up everybody else."""

from __future__ import annotations

from dataclasses import dataclass

from budaiscaler.domain.readings import NoData


@dataclass(slots=True)
class Breaker:
    """Opens after some failures in a row; then lets one request through at a time, ever less often.

    A hung Prometheus costs its full time-out for each query. With two thousand scalers on it the
    threads and the evaluation slots would all be waiting there, and scalers on healthy servers
    would be late.

    Attributes:
        threshold: failures in a row that open it.
        base_s: first pause in seconds; doubles up to `cap_s`.
        trial_s: after so long an attempt has come to nothing and another may try.
    """

    threshold: int = 3
    base_s: float = 2.0
    cap_s: float = 30.0
    trial_s: float = 10.0
    failures: int = 0
    last: NoData | None = None
    _open_until_s: float = 0.0

    def refusal(self, now_s: float) -> NoData | None:
        """Give the last failure instead of another attempt; None lets this one caller try."""
        if self.failures < self.threshold:
            return None
        if now_s < self._open_until_s:
            return self.last
        self._open_until_s = now_s + self.trial_s  # the others wait for what this one finds
        return None

    def succeeded(self) -> None:
        """Close it: the server answers, whatever it thinks of the query."""
        self.failures, self.last = 0, None

    def failed(self, failure: NoData, now_s: float) -> None:
        """Count one more failure of the server itself."""
        self.failures += 1
        self.last = failure
        doublings = min(30, max(0, self.failures - self.threshold))
        self._open_until_s = now_s + min(self.cap_s, self.base_s * 2.0**doublings)
