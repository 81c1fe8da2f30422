"""One source over the pods of a workload: every ready pod is asked itself, at its own address.

A pod that does not answer, or whose number is none, is silent; how many replicas answered is told
beside their values, and what a silent one counts for is not decided here. The whole look has one
deadline: whoever is slower than that is silent this time.

A replica may be a group of pods of which only some, its leaders, serve metrics. Nobody knows which
pods make a group, so it is told from how many there are: those that answer, and those that should
have (they ran out of time, say, where one that serves nothing refuses at once), are shared among
the replicas. With at least one that answers a replica, all replicas have answered.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from budaiscaler.domain import readings
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import PLAIN, Credentials, RequestOptions
from budaiscaler.sources.pages import Address, Look

DEADLINE_S = 25.0
"""Of a whole look; below what an evaluation waits for a source."""
DEFAULT_PORT = "8000"
DEFAULT_PATH = "/metrics"

_SERVES_NOTHING = frozenset(
    {NoDataReason.UNREACHABLE, NoDataReason.HTTP_ERROR, NoDataReason.METRIC_NOT_FOUND}
)
"""What a pod of a group answers that is no leader."""


T = TypeVar("T")


class Looker(Protocol):
    """What we ask of pages."""

    async def look(
        self, address: Address, names: frozenset[str], max_age_s: float
    ) -> Look | NoData:
        """Read names off a page, or say why they cannot be read; ends within a time limit."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the pods of a source serve.

    Attributes:
        port: a number, or the name of a container's port.
    """

    scheme: str
    port: str
    path: str
    options: RequestOptions = field(default=PLAIN, repr=False)

    def address(self, pod: Pod) -> Address | NoData:
        """That of one pod."""
        if not pod.ip:
            return NoData(NoDataReason.UNREACHABLE, "it is ready but has no address")
        port = self.port if self.port.isdigit() else dict(pod.ports).get(self.port)
        if port is None:
            names = ", ".join(sorted(dict(pod.ports))) or "none"
            message = (
                f"no container has a port named {self.port}: set port to a number, or to one of "
                f"{names}"
            )
            return NoData(NoDataReason.BAD_ENDPOINT, message)
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        url = f"{self.scheme}://{host}:{port}{self.path}"
        return Address(pod.uid, url, self.options.identity, self.options)


async def endpoint(
    credentials: Credentials,
    request: SourceRequest,
    *,
    port: str | None = None,
    path: str | None = None,
) -> Endpoint | NoData:
    """Read where a source's pods serve; `port` and `path` go before its own."""
    source = request.source
    asked_port = port or source.port or DEFAULT_PORT
    if asked_port.isdigit() and not 1 <= int(asked_port) <= 65535:  # noqa: PLR2004 - all there are
        message = f"port {asked_port} does not exist: write a number up to 65535, or a port's name"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    options = await credentials.options(request.namespace, source)
    if isinstance(options, NoData):
        return options
    # Without the slash, a path could continue the host.
    asked_path = "/" + (path or source.path or DEFAULT_PATH).removeprefix("/")
    return Endpoint(str(source.protocol_type or "http"), asked_port, asked_path, options)


@dataclass(frozen=True, slots=True)
class Question:
    """What to read off each pod.

    Attributes:
        names: of the series that `answer` needs.
        answer: makes a number of a look at a pod, or says why there is none.
        adds_up: whether the number of a group of pods is their sum, or else their mean.
    """

    endpoint: Endpoint
    names: frozenset[str]
    answer: Callable[[Look], float | NoData]
    adds_up: bool


async def scrape(pages: Looker, request: SourceRequest, question: Question) -> Sample | NoData:
    """Ask every ready pod; gives one value a replica that answered."""
    replicas = request.workload.replicas
    if not replicas.are_counted:
        message = (
            "the target's scale has no selector, so its pods are not known: use a source that is "
            "asked elsewhere, such as prometheus"
        )
        return NoData(NoDataReason.PODS_UNKNOWN, message)
    pods = sorted((pod for pod in request.workload.pods if pod.ready), key=lambda pod: pod.name)
    if not pods or replicas.ready <= 0:
        return NoData(NoDataReason.NO_READY_PODS, "no pod is ready, so none is asked")
    oldest_s = math.inf

    async def ask(pod: Pod) -> float | NoData:
        nonlocal oldest_s
        address = question.endpoint.address(pod)
        if isinstance(address, NoData):
            return address
        look = await pages.look(address, question.names, request.max_age_s)
        if isinstance(look, NoData):
            return look
        answer = question.answer(look)
        number = answer if isinstance(answer, NoData) else readings.reading(answer)
        if isinstance(number, NoData):
            return number
        oldest_s = min(oldest_s, look.now.at_s)
        return number.value

    answers = await _within(DEADLINE_S, {pod.name: ask(pod) for pod in pods})
    told = {name: answer for name, answer in answers.items() if not isinstance(answer, NoData)}
    values = list(told.values())
    silent = {name: one for name, one in answers.items() if isinstance(one, NoData)}
    shared = share(values, silent, replicas.ready, request.workload.pods_per_replica, question)
    if not shared:
        return _nobody(silent)
    return Sample(shared, oldest_s, len(shared), replicas.ready, told)


def share(
    values: list[float],
    silent: Mapping[str, NoData],
    replicas: int,
    pods_per_replica: int,
    question: Question,
) -> tuple[float, ...]:
    """Make values of pods into one a replica that answered; see the module."""
    if pods_per_replica == 1 or not values:
        return tuple(values)
    troubled = sum(one.reason not in _SERVES_NOTHING for one in silent.values())
    serving = max(replicas, len(values) + troubled)
    answered = min(replicas, len(values) * replicas // serving)
    mean = math.fsum(values) / len(values)
    return (mean * serving / replicas if question.adds_up else mean,) * answered


async def _within(
    limit_s: float, work: Mapping[str, Awaitable[T | NoData]]
) -> dict[str, T | NoData]:
    """Let all run, and take those that are late as silent."""
    tasks = {name: asyncio.ensure_future(one) for name, one in work.items()}
    try:
        await asyncio.wait(tasks.values(), timeout=limit_s)
    finally:
        late = {task for task in tasks.values() if not task.done()}
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)  # of a bug, all errors
    message = f"it did not answer within {limit_s:g} s"
    return {
        name: NoData(NoDataReason.TIMEOUT, message) if task in late else task.result()
        for name, task in tasks.items()
    }


def _nobody(silent: Mapping[str, NoData]) -> NoData:
    """Say why none answered: the commonest reason, as one pod has it."""
    ((reason, _),) = Counter(one.reason for one in silent.values()).most_common(1)
    name, first = next((name, one) for name, one in silent.items() if one.reason is reason)
    return NoData(reason, f"none of {len(silent)} ready pods answers; {name}: {first.message}")
