"""`make bench`: speed as ratios, measured side by side in one run on one machine."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from bench import controlling, deciding, extraction, fleet, load, scraping
from bench.fleet import Fleet
from bench.load import Measured
from e2e.cluster import ports

SCALERS = 2000
STEADY_SCALERS = 1000
SETTLE_S = 40
WRITES_FOR_S = 330
"""Longer than the five minutes within which a scaler writes that its load moved a little."""
QUERIES_FOR_S = 60
INTERVAL_S = 15
DIFFERENT = 20
"""Queries of the steady scalers."""
ROUNDS = 5
ROUND_S = 8
JUDGED_SCALERS = 1000


def main() -> None:
    """Measure, and print a line a claim."""
    load.ensure()
    _decisions()
    _pods()
    _controller()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, fleet.running(Path(name)) as running:
        asyncio.run(running.grow(0, STEADY_SCALERS))
        _say(f"{STEADY_SCALERS} scalers created; settling for {SETTLE_S} s")
        time.sleep(SETTLE_S)
        _status_writes(running)
        asyncio.run(running.grow(STEADY_SCALERS, SCALERS))
        _say(f"{SCALERS} scalers created; settling for {SETTLE_S} s")
        time.sleep(SETTLE_S)
        _merged_queries(running)
        _serving(running, Path(name))
        _report("adapter, resident, MiB", f"{running.resident_mib():.0f}", "below 200")


def _decisions() -> None:
    took = deciding.measure()
    title = "decide(), a BudScaler of 3 sources and a schedule: median, us"
    _report(title, f"{took.median_us:.0f}", "below 300")
    _say(f"the slowest hundredth takes {took.p99_us:.0f} us or more")


def _controller() -> None:
    for cost in controlling.measure():
        title = f"controller, {cost.scalers} scalers on one core:"
        is_judged = cost.scalers == JUDGED_SCALERS
        for what, value, wanted in (
            ("evaluations in an interval, each", f"{cost.rounds:.2f}", "at least 0.9"),
            ("p99 from due to reported, s", f"{cost.p99_s:.2f}", "below 1"),
            ("resident, MiB", f"{cost.resident_mib:.0f}", "below 300"),
            ("cores", f"{cost.cores:.2f}", ""),
        ):
            _report(f"{title} {what}", value, wanted if is_judged else "")
        _say(f"the slowest of them took {cost.slowest_s:g} s at most")


def _pods() -> None:
    for case in extraction.measure():
        what = f"{case.what}, prometheus_client.parser / ours"
        _report(what, f"{case.ratio:.0f}", "at least 20")
        _say(f"{case.what}: {case.ours_ms:.2f} ms")
    cost = scraping.measure()
    title = f"{scraping.PODS} pods each {scraping.INTERVAL_S:g} s, {len(scraping.METRICS)} sources:"
    _report(f"{title} cores", f"{cost.cores:.2f}", "below 0.5")
    _report(f"{title} resident, MiB", f"{cost.resident_mib:.0f}", "below 300")
    _say(f"the longest look at all of them took {cost.look_s:.1f} s")


def _status_writes(running: Fleet) -> None:
    before = running.figure("budaiscaler_status_writes_total")
    queries = running.figure("budaiscaler_source_queries_total")
    started_s = time.monotonic()
    time.sleep(WRITES_FOR_S)
    passed_s = time.monotonic() - started_s
    writes = (running.figure("budaiscaler_status_writes_total") - before) / passed_s
    asked = (running.figure("budaiscaler_source_queries_total") - queries) / passed_s
    title = f"{STEADY_SCALERS} steady scalers, 1 % noise:"
    _report(f"{title} status writes/s", f"{writes:.1f}", "below 20")
    _report(f"{title} queries/s (20 different, each 15 s)", f"{asked:.1f}", "")


def _merged_queries(running: Fleet) -> None:
    before, started_s = running.figure("budaiscaler_source_queries_total"), time.monotonic()
    time.sleep(QUERIES_FOR_S)
    asked = running.figure("budaiscaler_source_queries_total") - before
    intervals = (time.monotonic() - started_s) / INTERVAL_S
    title = f"{SCALERS - STEADY_SCALERS} more whose PromQL differs in a label: queries an interval"
    # Each asks for a total and for the number of its series: 2,000 if each asked for itself.
    _report(title, f"{asked / intervals - DIFFERENT:.0f}", "below 100")


def _serving(running: Fleet, directory: Path) -> None:
    path = (
        f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{fleet.NAMESPACE}/desired-load"
        "?labelSelector=kind%3DBudAIScaler%2Cscaler%3Dchat-777"
    )
    headers = {"Authorization": f"Bearer {running.token}"}
    status, body = running.adapter.get(path, headers)
    if status != HTTPStatus.OK:
        raise RuntimeError(f"the adapter answered {status}: {body}")
    with _baseline(running, directory, body.encode()) as url:
        pairs = [
            (
                load.run(f"{running.adapter.probe}{path}", ROUND_S, headers),
                load.run(f"{url}{path}", ROUND_S, headers),
            )
            for _ in range(ROUNDS)
        ]
    _compare(pairs)


def _compare(pairs: list[tuple[Measured, Measured]]) -> None:
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    if failures := sum(run.failures for run in ours + theirs):
        raise RuntimeError(f"{failures} requests failed, so the figures mean nothing")
    throughput = statistics.median(a.per_s / b.per_s for a, b in pairs)
    latency = statistics.median(a.p99_ms / b.p99_ms for a, b in pairs)
    _say(
        f"adapter {statistics.median(run.per_s for run in ours):.0f} requests/s, p99 "
        f"{statistics.median(run.p99_ms for run in ours):.1f} ms; bare handler "
        f"{statistics.median(run.per_s for run in theirs):.0f} requests/s, p99 "
        f"{statistics.median(run.p99_ms for run in theirs):.1f} ms"
    )
    _report("GET of one metric, throughput / bare handler", f"{throughput:.2f}", "at least 0.5")
    _report("GET of one metric, p99 / bare handler", f"{latency:.2f}", "at most 3")


@contextmanager
def _baseline(running: Fleet, directory: Path, body: bytes) -> Iterator[str]:
    """The bare handler, in a process of its own as the adapter is."""
    name = "localhost"
    pair = running.cluster.pki.cluster_authority.issue(
        directory, "baseline", common_name=name, dns_names=(name,)
    )
    content = directory / "body.json"
    content.write_bytes(body)
    (port,) = ports.pick(1)
    command = [sys.executable, "-m", "bench.baseline", str(port)]
    command += [str(pair.certificate), str(pair.key), str(content)]
    process = subprocess.Popen(command)
    url = f"https://127.0.0.1:{port}"
    try:
        time.sleep(2)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _say(text: str) -> None:
    print(f"# {text}", flush=True)


def _report(what: str, value: str, wanted: str) -> None:
    print(f"{what:<75} {value:>8}   {wanted}", flush=True)


if __name__ == "__main__":
    main()
