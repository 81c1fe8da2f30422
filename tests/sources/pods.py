"""Pods in memory, on the simulated time of the event loop: what each answers, and what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import PLAIN, RequestOptions, SourceCredentials
from budaiscaler.sources.engine import EngineSource
from budaiscaler.sources.pages import Pages
from budaiscaler.sources.pod import PodSource
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from tests.fakes.kube import FakeKube

REFUSED = NoData(NoDataReason.UNREACHABLE, "it cannot be reached: check that it runs")
LATE = NoData(NoDataReason.TIMEOUT, "it did not answer in full within 10 s")

Answer = bytes | str | NoData


def loop_s() -> float:
    """The clock of everything here."""
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Fleet:
    """An HTTP to pods.

    Attributes:
        answers: by URL.
        takes_s: how long an answer takes, by URL.
        asked: URL, headers and time limit of every request.
        most: requests at once.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    takes_s: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str], float | None]] = field(default_factory=list)
    most: int = 0
    _now: int = 0

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions = PLAIN,
    ) -> bytes | NoData:
        self.asked.append((endpoint, {**headers, **options.headers}, options.deadline_s))
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(self.takes_s.get(endpoint, 0))
        finally:
            self._now -= 1
        answer = self.answers.get(endpoint, REFUSED)
        return answer.encode() if isinstance(answer, str) else answer

    def urls(self) -> list[str]:
        return [url for url, _, _ in self.asked]


def credentials() -> SourceCredentials:
    """Options from what sources say; there is no Secret."""
    return SourceCredentials(SecretReader(FakeKube()), TlsContexts())


def pod(number: int, **fields: Any) -> Pod:
    """A ready pod at 10.0.0.<number>."""
    given: dict[str, Any] = {
        "uid": f"uid-{number}",
        "name": f"chat-{number}",
        "owner_uid": "owner",
        "ip": f"10.0.0.{number}",
        "node": "node",
        "ports": (("http", 80), ("metrics", 9400)),
        "requests": (None, None),
        "ready_since": 0.0,
        "ready": True,
        "unschedulable": False,
        "starting": False,
        "startup_s": None,
    }
    return Pod(**given | fields)


def workload(pods: Iterable[Pod], *, size: int = 1, are_counted: bool = True) -> Workload:
    """A workload of these pods, `size` of which make a replica."""
    all_of_them = tuple(pods)
    ready = sum(one.ready for one in all_of_them) // size
    replicas = Replicas(len(all_of_them) // size, ready, are_counted=are_counted)
    return Workload(replicas, pods=all_of_them, pods_per_replica=size)


def url(number: int, port: int = 8000, path: str = "/metrics") -> str:
    """Where the pod of that number is asked by default."""
    return f"http://10.0.0.{number}:{port}{path}"


@dataclass(slots=True)
class Lab:
    """Sources over a fleet."""

    fleet: Fleet = field(default_factory=Fleet)
    pages: Pages = field(init=False)

    def __post_init__(self) -> None:
        self.pages = Pages(self.fleet, 10.0, loop_s)

    def say(self, *answers: Answer) -> Workload:
        """Make a pod for each of these answers, counting from 1."""
        self.fleet.answers |= {url(number): said for number, said in enumerate(answers, 1)}
        return workload(pod(number) for number in range(1, len(answers) + 1))

    async def ask(self, target: Workload, **fields: Any) -> Sample | NoData:
        """Fetch a source of these fields; of type pod unless an engine is set."""
        max_age_s = fields.pop("max_age_s", 7.5)
        raw = {"targetMetric": "load", "targetValue": "1"} | fields
        source = MetricsSource.model_validate(raw)
        request = SourceRequest("ml", source, max_age_s, target)
        kind = EngineSource if source.inference_engine_config is not None else PodSource
        return await kind(self.pages, credentials()).fetch(request)


def refused(found: Sample | NoData, reason: NoDataReason, words: str) -> None:
    """There is no data for that reason, and the message has these words."""
    assert isinstance(found, NoData), found
    assert found.reason is reason
    assert words in found.message, found.message
