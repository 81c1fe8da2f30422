"""The real Prometheus, scraping what a test tells it to."""

import json
import math
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from e2e.cluster import binaries, loopback, ports, waiting
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.daemons import Daemon
from e2e.cluster.pod_discovery import PodDiscovery

READY_TIMEOUT_S: Final = 60.0
ANSWER_TIMEOUT_S: Final = 45.0
"""To notice new targets, and to scrape them, on a busy machine."""
INTERVAL: Final = "1s"
RETENTION: Final = "6h"


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    value: float


class RealPrometheus:
    """A Prometheus on a loopback port that it keeps over restarts, as it keeps its data.

    It scrapes every second, but takes up to five to notice that its targets changed: Prometheus
    throttles that.

    Args:
        directory: Is created; holds configuration, data and log.
        pods_of: Also scrape every pod of this cluster that is annotated `prometheus.io/scrape:
            "true"`, at its own address, on the port in `prometheus.io/port`.
        port: The one that an earlier command chose; a free one if left out.
        guarded: End it when this Python process ends, however that happens.
    """

    def __init__(
        self,
        directory: Path,
        *,
        pods_of: ControlPlane | None = None,
        port: int | None = None,
        guarded: bool = True,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self.port = port or ports.pick(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._targets: dict[str, dict[str, str]] = {}
        self._write_targets()
        self._pods = PodDiscovery(pods_of) if pods_of else None
        configuration = self.directory / "prometheus.yaml"
        configuration.write_text(yaml.safe_dump(self._configuration(), sort_keys=False))
        command = (
            str(binaries.ensure_prometheus().prometheus),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--scrape.discovery-reload-interval=1s",
            "--log.level=warn",
        )
        self.daemon = Daemon("prometheus", command, self.directory, guarded=guarded)

    def start(self) -> None:
        """Start it and wait until it answers queries."""
        if self._pods:
            self._pods.start()
        self.daemon.start()
        ready = f"{self.url}/-/ready"
        self.daemon.wait_until(lambda: loopback.get(ready)[0] == 200, timeout_s=READY_TIMEOUT_S)

    def stop(self, *, hard: bool = False) -> None:
        """End it; what it has scraped stays."""
        self.daemon.stop(hard=hard)
        if self._pods:
            self._pods.stop()

    def restart(self, *, hard: bool = False) -> None:
        """Stop and start it, on the same port and with the same data."""
        self.stop(hard=hard)
        self.start()

    def scrape(self, *targets: str, **labels: str) -> None:
        """Also scrape these `host:port`, under these labels; it takes effect within seconds."""
        self._targets.update(dict.fromkeys(targets, labels))
        self._write_targets()

    def forget(self, *targets: str) -> None:
        """Do not scrape these any more; Prometheus marks their series as stale."""
        for target in targets:
            del self._targets[target]
        self._write_targets()

    def query(self, expression: str) -> list[Sample]:
        """Answer an instant query for a vector or a scalar."""
        parameters = urllib.parse.urlencode({"query": expression})
        status, body = loopback.get(f"{self.url}/api/v1/query?{parameters}")
        if status != 200:
            raise waiting.ClusterError(f"Prometheus answers {status} to {expression}: {body}")
        data = json.loads(body)["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def wait_for(
        self,
        expression: str,
        predicate: Callable[[list[Sample]], bool],
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> list[Sample]:
        """Repeat a query until `predicate` accepts its answer, and return that."""
        last: list[Sample] = []

        def probe() -> list[Sample] | None:
            nonlocal last
            last = self.query(expression)
            return last if predicate(last) else None

        return waiting.until(
            probe,
            what=f"Prometheus to answer {expression} as wanted",
            timeout_s=timeout_s,
            interval_s=0.2,
            hint=lambda: f"the last answer: {last}",
        )

    def wait_for_value(
        self, expression: str, wanted: float, *, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        """Repeat a query until its one series has the wanted value (NaN may be wanted)."""

        def is_wanted(samples: list[Sample]) -> bool:
            return len(samples) == 1 and (
                math.isclose(samples[0].value, wanted)
                or (math.isnan(samples[0].value) and math.isnan(wanted))
            )

        self.wait_for(expression, is_wanted, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(hard=True)

    def _write_targets(self) -> None:
        groups = [{"targets": [one], "labels": labels} for one, labels in self._targets.items()]
        partial = self.directory / "targets.partial"
        partial.write_text(json.dumps(groups))
        partial.replace(self.directory / "targets.json")

    def _configuration(self) -> dict[str, Any]:
        targets = [str(self.directory / "targets.json")]
        jobs: list[dict[str, Any]] = [
            {"job_name": "static", "file_sd_configs": [{"files": targets}]}
        ]
        if self._pods:
            jobs.append(_pod_job(self._pods.url))
        timing = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
        return {"global": timing | {"evaluation_interval": INTERVAL}, "scrape_configs": jobs}


def _pod_job(discovery: str) -> dict[str, Any]:
    meta = "__meta_kubernetes"
    annotation = f"{meta}_pod_annotation_prometheus_io"
    return {
        "job_name": "pods",
        "http_sd_configs": [{"url": discovery, "refresh_interval": INTERVAL}],
        "relabel_configs": [
            {"source_labels": [f"{annotation}_scrape"], "action": "keep", "regex": "true"},
            {
                "source_labels": [f"{meta}_pod_ip", f"{annotation}_port"],
                "separator": ":",
                "target_label": "__address__",
            },
            {"source_labels": [f"{meta}_namespace"], "target_label": "namespace"},
            {"source_labels": [f"{meta}_pod_name"], "target_label": "pod"},
        ],
    }
