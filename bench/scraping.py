"""A thousand pods looked at each 15 s: CPU and memory of the process that looks.

`python -m bench.scraping serve PORT` is the pods, `python -m bench.scraping look PORT` looks.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from bench import pages
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.readings import NoData
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import SourceRequest
from budaiscaler.sources.credentials import PLAIN, RequestOptions
from budaiscaler.sources.engine import EngineSource
from budaiscaler.sources.http import HttpFetcher
from budaiscaler.sources.pages import LIMITS, Pages
from e2e.cluster import ports

PODS = 1000
INTERVAL_S = 15.0
ROUNDS = 4
NETWORK = "127.202"
METRICS = {"requests_running": "20", "kv_cache_usage": "70", "time_to_first_token_p95": "2"}
_FILES = 4096


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the process that looks.

    Attributes:
        cores: busy on average.
        resident_mib: at most.
        look_s: the longest look at all pods.
    """

    cores: float
    resident_mib: float
    look_s: float


def measure() -> Cost:
    """Look at pods of another process from one of its own."""
    (port,) = ports.pick(1)
    with _process("serve", port) as server:
        if server.stdout is None or not server.stdout.readline():
            raise RuntimeError("the pods did not start")
        with _process("look", port) as looker:
            told, _ = looker.communicate(timeout=(ROUNDS + 4) * INTERVAL_S)
            if looker.returncode:
                raise RuntimeError("the process that looks at pods failed; see above")
    return Cost(**json.loads(told))


@contextmanager
def _process(role: str, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.scraping", role, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _addresses() -> list[str]:
    return [f"{NETWORK}.{1 + number // 250}.{1 + number % 250}" for number in range(PODS)]


async def _serve(port: int) -> None:
    started_s = time.monotonic()

    @lru_cache(maxsize=1)
    def page(seed: int) -> bytes:
        return pages.vllm(seed)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = page(int(time.monotonic() - started_s))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    await asyncio.start_server(answer, _addresses(), port)
    print("listening", flush=True)
    await asyncio.Event().wait()


class _NoSecrets:
    """Sources without credentials."""

    async def options(self, namespace: str, source: MetricsSource) -> RequestOptions | NoData:
        """Give none."""
        return PLAIN


async def _look(port: int) -> Cost:
    guard = AddressGuard((ip_network("127.0.0.0/8"),))
    fetcher = HttpFetcher(guard=guard, limits=LIMITS)
    source = EngineSource(Pages(fetcher, 10.0, time.monotonic), _NoSecrets())
    target = Workload(Replicas(PODS, PODS), pods=tuple(map(_pod, range(PODS), _addresses())))
    requests = [
        SourceRequest("bench", _source(metric, value, port), INTERVAL_S / 2, target)
        for metric, value in METRICS.items()
    ]
    await asyncio.gather(*map(source.fetch, requests))  # connections and code are warm
    longest_s, started_s, busy_s = 0.0, time.monotonic(), time.process_time()
    for number in range(1, ROUNDS + 1):
        await asyncio.sleep(started_s + number * INTERVAL_S - time.monotonic())
        began_s = time.monotonic()
        answers = await asyncio.gather(*map(source.fetch, requests))
        longest_s = max(longest_s, time.monotonic() - began_s)
        for answer in answers:
            if isinstance(answer, NoData):
                raise RuntimeError(answer.message)  # noqa: TRY004 - no type is wrong
            if answer.answered != PODS and number > 1:
                raise RuntimeError(f"only {answer.answered} of {PODS} pods answered")
    passed_s = time.monotonic() - started_s
    cores = (time.process_time() - busy_s) / passed_s
    await fetcher.close()
    resident_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(cores, resident_kib / 1024, longest_s)


def _pod(number: int, address: str) -> Pod:
    return Pod(
        uid=f"pod-{number}",
        name=f"chat-{number}",
        owner_uid="chat",
        ip=address,
        node="",
        ports=(),
        requests=(None, None),
        ready_since=0.0,
        ready=True,
        unschedulable=False,
        starting=False,
        startup_s=None,
    )


def _source(metric: str, target: str, port: int) -> MetricsSource:
    return MetricsSource.model_validate(
        {
            "targetMetric": metric,
            "targetValue": target,
            "inferenceEngineConfig": {"engineType": "vllm", "metricsPort": port},
        }
    )


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_FILES, hard)), hard))
    role_name, port_text = sys.argv[1:]
    if role_name == "serve":
        asyncio.run(_serve(int(port_text)))
    cost = asyncio.run(_look(int(port_text)))
    print(json.dumps({name: getattr(cost, name) for name in Cost.__slots__}))
