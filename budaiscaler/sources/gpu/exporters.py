"""The DCGM exporters of a cluster, by node: a pod on each node that has GPUs.

They are watched from the first time on that somebody asks, so a cluster without GPUs is spared it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.pods import is_live, is_ready, read_pod
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import PODS

SELECTORS = ("app=nvidia-dcgm-exporter", "app.kubernetes.io/name=dcgm-exporter")
"""Labels that NVIDIA's GPU operator and the exporter's own chart give; either will do."""

PORT_NAME = "metrics"
PORT = 9400
FIRST_LIST_S = 5.0


@dataclass(frozen=True, slots=True)
class Exporter:
    """What is kept of an exporter's pod."""

    node: str
    url: str


class Exporters:
    """Finds exporters.

    Args:
        kube: the API server.
        selectors: of their pods; one that any of them names is an exporter.
        namespace: where they are; None for anywhere.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        selectors: tuple[str, ...] = SELECTORS,
        namespace: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caches = tuple(
            Cache(
                kube,
                PODS.collection(namespace),
                project_exporter,
                label_selector=selector,
                clock=clock,
            )
            for selector in selectors
        )
        self._by_node: dict[str, dict[tuple[int, Key], str]] = defaultdict(dict)
        for index, cache in enumerate(self._caches):
            cache.subscribe(self._listener(index))
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def on(self, nodes: Iterable[str]) -> tuple[str, ...] | NoData:
        """Give the URLs of the exporters on these nodes, in a fixed order."""
        for index, cache in enumerate(self._caches):
            if index not in self._tasks or self._tasks[index].done():
                self._tasks[index] = asyncio.create_task(cache.run())
        try:
            async with asyncio.timeout(FIRST_LIST_S):
                for cache in self._caches:
                    await cache.synced.wait()
        except TimeoutError:
            message = (
                "the pods of DCGM exporters could not be listed yet: check that we may list pods"
            )
            return NoData(NoDataReason.PODS_UNKNOWN, message)
        return tuple(
            sorted({url for node in nodes for url in self._by_node.get(node, {}).values()})
        )

    async def close(self) -> None:
        """Stop watching."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _listener(self, index: int) -> Callable[[Key, Exporter | None, Exporter | None], None]:
        def listen(key: Key, old: Exporter | None, new: Exporter | None) -> None:
            if old is not None:
                there = self._by_node[old.node]
                del there[index, key]
                if not there:
                    del self._by_node[old.node]
            if new is not None:
                self._by_node[new.node][index, key] = new.url

        return listen


def parse(selectors: str) -> tuple[str, ...]:
    """Read selectors that are separated by semicolons; commas belong to them."""
    return tuple(part.strip() for part in selectors.split(";") if part.strip())


def project_exporter(raw: Json, _: Exporter | None) -> Exporter | None:
    """Keep where a pod that serves can be asked."""
    pod = read_pod(raw)
    if not (is_live(raw) and is_ready(raw) and pod.ip and pod.node):
        return None
    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    return Exporter(pod.node, f"http://{host}:{dict(pod.ports).get(PORT_NAME, PORT)}/metrics")
