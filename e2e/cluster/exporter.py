"""Metrics that a test sets by hand, served in Prometheus' text format."""

import collections
import math
import threading
from types import TracebackType
from typing import Final, Self

from e2e.cluster import serving

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Exporter:
    """A server of gauges on every path, in a thread of this process.

    Args:
        host: Where to listen; a pretended pod's own address makes this that pod's server.
        port: Where to listen; if left out, a free port is chosen, and kept while stopped.

    Attributes:
        status: What to answer; other than 200, as a server that is up but unwell.
        requests: How often it was asked.
    """

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        self.status = 200
        self.requests = 0
        self._series: dict[str, dict[Labels, float]] = collections.defaultdict(dict)
        self._lock = threading.Lock()
        self._server = serving.Server(self._answer, host, port)

    @property
    def port(self) -> int:
        """Its port."""
        return self._server.port

    @property
    def target(self) -> str:
        """Its `host:port`."""
        return self._server.target

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set one series; NaN, infinities and negatives are served as they are."""
        with self._lock:
            self._series[name][tuple(sorted(labels.items()))] = value

    def clear(self, name: str, /, **labels: str) -> None:
        """Stop serving each series of that name that has these labels (all, without labels)."""
        with self._lock:
            kept = {k: v for k, v in self._series[name].items() if not labels.items() <= set(k)}
            self._series[name] = kept

    def text(self) -> str:
        """Return what is served."""
        lines = []
        with self._lock:
            for name, series in self._series.items():
                lines += [f"# TYPE {name} gauge"] if series else []
                lines += [f"{name}{_braced(labels)} {_text(v)}" for labels, v in series.items()]
        return "".join(f"{line}\n" for line in lines)

    def start(self) -> None:
        """Listen."""
        self._server.start()

    def stop(self) -> None:
        """Refuse connections from now on, as a server that has died."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self) -> serving.Answer:
        with self._lock:
            self.requests += 1
        return serving.Answer(self.status, CONTENT_TYPE, self.text())


def _braced(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))
