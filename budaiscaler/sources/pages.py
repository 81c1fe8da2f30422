"""Pages of pods: fetched once for all who want something of them, and read as they come in.

What is kept of a page is the series that somebody asked for lately, not the page: a thousand pods
with megabytes each would be too much. The last few looks at a pod are kept, since counters tell
something only by what they rose.

A pod that hangs keeps its place for its whole time limit, so there are three queues: pods that
answered last time, pods that hung, and pods that were not asked yet, which may do either. However
many pods hang, those that answer wait only for each other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import answers
from budaiscaler.sources.credentials import PLAIN, RequestOptions
from budaiscaler.sources.exposition import Series, Text
from budaiscaler.sources.http import Limits
from budaiscaler.sources.measuring import Flights

ANSWERING = 64
"""Requests at once to pods whose last one ended in time, with whatever answer."""
NEW = 32
"""The same to pods that were not asked yet."""
HANGING = 32
"""The same to all others."""
LIMITS = Limits(
    requests=ANSWERING + NEW + HANGING,
    longest_pause_s=10.0,  # a pod that is back counts again at the next look
    body_bytes=2 * 2**20,
    keeps_connections=False,  # a server that closes an idle one would look broken now and then
)
"""For the fetcher of pods. It is theirs alone: they are many, and users' endpoints are few."""

RISE_OVER_AT_LEAST_S = 5.0
"""Between the two looks that a counter's rise is told from."""
RISE_OVER_AT_MOST_S = 120.0
FORGET_AFTER_S = 120.0

_HEADERS = {"accept": "text/plain;version=0.0.4, application/json;q=0.9, */*;q=0.1"}


class Fetcher(Protocol):
    """What we ask of HTTP."""

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions = PLAIN,
    ) -> bytes | NoData:
        """GET a body within a time limit, or say why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where a page is, and how it is asked for.

    Attributes:
        uid: of the pod; another one may get its address.
        identity: of the options: who may share an answer.
        options: what is sent beside.
    """

    uid: str
    url: str
    identity: str = ""
    options: RequestOptions = field(default=PLAIN, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """What was read of a page.

    Attributes:
        at_s: monotonic time at which it came.
        found: by each name that was looked for: its series, none, or why they cannot be read.
    """

    at_s: float
    found: Mapping[str, tuple[Series, ...] | NoData]


@dataclass(frozen=True, slots=True)
class Look:
    """A page now and, if there is one, some time before, from the same pod."""

    now: Page
    before: Page | None = None


@dataclass(slots=True)
class _Pod:
    """What is kept of one address.

    Attributes:
        wanted: when each name was last asked for.
        pages: read of late, oldest first.
        failure: of the last request, and when it ended.
        answers: whether the last request ended in time; None before the first.
    """

    wanted: dict[str, float] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    failure: tuple[float, NoData] | None = None
    flight: asyncio.Task[Page | NoData] | None = None
    answers: bool | None = None
    asked_at_s: float = 0.0

    def known(self, names: frozenset[str], since_s: float) -> Page | NoData | None:
        """What the last request gave, if it is recent enough and has all of the names."""
        if self.failure is not None:
            return self.failure[1] if self.failure[0] >= since_s else None
        newest = self.pages[-1] if self.pages else None
        if newest is None or newest.at_s < since_s or not names <= newest.found.keys():
            return None
        return newest

    def add(self, page: Page) -> None:
        """Keep a page, and of those before only what rises can still be told from."""
        old = [
            number
            for number, other in enumerate(self.pages)
            if other.at_s <= page.at_s - RISE_OVER_AT_LEAST_S
        ]
        kept = self.pages[old[-1] :] if old else self.pages
        self.pages = [one for one in kept if one.at_s >= page.at_s - RISE_OVER_AT_MOST_S] + [page]
        self.failure = None

    def before(self, page: Page, names: frozenset[str]) -> Page | None:
        """The newest page that is old enough to tell rises from."""
        first = self.pages[0]  # `add` keeps one of those that are
        is_old = first.at_s <= page.at_s - RISE_OVER_AT_LEAST_S
        return first if is_old and names <= first.found.keys() else None


class Pages:
    """Reads pages of pods. Use within one event loop, and close at the end.

    Args:
        fetcher: made with `LIMITS`.
        turn_s: longest wait for a turn.
        clock: monotonic seconds.
        speed: how many of them pass in a real second. What nobody asks for is forgotten after real
            ones: names that are still on their way must not be.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        turn_s: float,
        clock: Callable[[], float],
        speed: float = 1.0,
    ) -> None:
        self.fetches = 0
        self.flights = Flights()
        self._fetcher = fetcher
        self._turn_s = turn_s
        self._clock = clock
        self._forget_after_s = FORGET_AFTER_S * speed
        self._pods: dict[Address, _Pod] = {}
        self._turns = {
            True: asyncio.Semaphore(ANSWERING),
            None: asyncio.Semaphore(NEW),
            False: asyncio.Semaphore(HANGING),
        }
        self._pruned_at_s = clock()

    async def look(
        self, address: Address, names: frozenset[str], max_age_s: float
    ) -> Look | NoData:
        """Read these names now, or share what was read within `max_age_s`.

        A caller that is cancelled does not take the request down with it: others wait for it.
        """
        now_s = self._clock()
        self._prune(now_s)
        pod = self._pods.setdefault(address, _Pod())
        pod.asked_at_s = now_s
        pod.wanted |= dict.fromkeys(names, now_s)
        page = pod.known(names, now_s - max_age_s)
        if page is None:
            if pod.flight is None:
                pod.flight = asyncio.ensure_future(self._fly(pod, address))
            page = await asyncio.shield(pod.flight)
        return page if isinstance(page, NoData) else Look(page, pod.before(page, names))

    async def close(self) -> None:
        """Give up what is under way."""
        flights = [pod.flight for pod in self._pods.values() if pod.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fly(self, pod: _Pod, address: Address) -> Page | NoData:
        began_s = self._clock()
        try:
            body = await self._fetch(pod, address)
        finally:
            pod.flight = None  # from here to the end nobody else gets a turn
        page = body if isinstance(body, NoData) else read(body, pod.wanted, self._clock())
        failure = page if isinstance(page, NoData) else None
        self.flights.record(self._clock() - began_s, failure)
        if isinstance(page, NoData):
            pod.failure = (self._clock(), page)
        else:
            pod.add(page)
        return page

    async def _fetch(self, pod: _Pod, address: Address) -> bytes | NoData:
        try:
            async with asyncio.timeout(self._turn_s) as limit, self._turns[pod.answers]:
                limit.reschedule(None)
                self.fetches += 1
                body = await self._fetcher.get(
                    address.url,
                    {},
                    _HEADERS,
                    options=address.options,
                )
        except TimeoutError:
            message = "it was not asked in time: too many pods do not answer"
            return NoData(NoDataReason.TIMEOUT, message)
        pod.answers = not isinstance(body, NoData) or body.reason is not NoDataReason.TIMEOUT
        return body

    def _prune(self, now_s: float) -> None:
        if now_s - self._pruned_at_s < self._forget_after_s:
            return
        self._pruned_at_s = now_s
        for address, pod in list(self._pods.items()):
            if pod.flight is None and now_s - pod.asked_at_s > self._forget_after_s:
                del self._pods[address]
                continue
            for name, asked_at_s in list(pod.wanted.items()):
                if now_s - asked_at_s > self._forget_after_s:
                    del pod.wanted[name]


def read(body: bytes, names: Mapping[str, float], now_s: float) -> Page | NoData:
    """Read the names off a body: JSON if it is an object, else Prometheus' text."""
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        message = "it answered HTML and no metrics: check port and path"
        return NoData(NoDataReason.BAD_ANSWER, message)
    if start == b"{":
        if len(body) > answers.MOST_JSON_BYTES:
            message = f"it answered more than {answers.MOST_JSON_BYTES >> 10} KiB of JSON"
            return NoData(NoDataReason.BAD_ANSWER, f"{message}: answer less")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return NoData(NoDataReason.BAD_ANSWER, "it answered JSON that is broken: see its log")
        numbers = answers.find_numbers(document, names)
        return Page(
            now_s,
            {name: (Series((), numbers[name]),) if name in numbers else () for name in names},
        )
    text = Text(body)
    return Page(now_s, {name: _series(text, name) for name in names})


def _series(text: Text, name: str) -> tuple[Series, ...] | NoData:
    try:
        return text.series(name)
    except ValueError as error:
        return NoData(NoDataReason.BAD_ANSWER, f"its page cannot be read: {error}")
