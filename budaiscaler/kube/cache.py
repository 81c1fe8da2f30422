"""A list-watch loop that keeps a projection of a collection in memory.

Life of a cache: list in pages, diff against what was known, watch from the list's version with
bookmarks, and go on watching from the newest version each time the server ends the watch. A 410
means that the version is too old, so it lists again and diffs: nobody has to notice. Any other
failure is retried with back-off from the newest version known; meanwhile readers see the last
state, and `behind_s` says how old it may be.

The back-off is forgotten once a watch has lasted. A list that succeeds proves nothing: with a
server whose watches are always too old, ten thousand pods would be listed five times a second.

A bug of ours that one object brings out is logged and costs that object its change: ending the
process instead, anybody who may write such an object would end every copy at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from budaiscaler.domain.errors import ExpiredError, KubeError, KubeUnreachableError
from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.port import Json, Kube, WatchEvent

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""

Listener = Callable[[Key, T | None, T | None], None]
"""Called with the old and the new projection, which differ; None is absent. Must not block."""

PAGE = 500
WATCH_S = (240.0, 300.0)
"""A random length, so that many caches do not renew their watches at the same moment."""
LONGEST_SILENCE_S = 180.0
"""A watch on which nothing comes is given up before, and asked for anew."""
SHORTEST_WATCH_S = 1.0
"""A server that ends watches faster than that would be asked in a tight loop."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Cache(Generic[T]):
    """A projection of every object of a collection.

    Attributes:
        kube: the API server.
        path: path of the collection.
        project: picks what readers need of an object, given its projection so far; None drops it.
            A small projection is what keeps a cluster of ten thousand pods in a few megabytes.
        field_selector: narrows the collection.
        label_selector: narrows it by labels.
        objects: by namespace and name.
        synced: set after the first complete list.
        clock: monotonic seconds.
    """

    kube: Kube
    path: str
    project: Callable[[Json, T | None], T | None]
    field_selector: str | None = None
    label_selector: str | None = None
    backoff: Backoff = field(default_factory=Backoff)
    objects: dict[Key, T] = field(default_factory=dict)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = time.monotonic
    restarts: int = 0
    _listeners: list[Listener[T]] = field(default_factory=list)
    _version: str | None = None
    _heard_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._heard_at_s = self.clock()

    def subscribe(self, listener: Listener[T]) -> Callable[[], None]:
        """Call `listener` on every change from now on, and now for what is already known.

        Returns:
            What ends the subscription.
        """
        self._listeners.append(listener)
        for key, item in list(self.objects.items()):
            self._tell(listener, key, None, item)
        return lambda: self._listeners.remove(listener)

    def __iter__(self) -> Iterator[tuple[Key, T]]:
        return iter(list(self.objects.items()))

    @property
    def behind_s(self) -> float:
        """Seconds by which the objects may be out of date; 0 while the server is heard from."""
        silent_s = self.clock() - self._heard_at_s
        return silent_s if silent_s > LONGEST_SILENCE_S else 0.0

    async def run(self) -> None:
        """Keep the cache up to date; ends only by cancellation."""
        while True:
            try:
                if self._version is None:
                    self._version = await self._list()
                await self._watch(self._version)
            except ExpiredError:
                self._version = None
                await self._pause("the version to watch from is too old; listing again")
            except KubeError as error:
                await self._pause(str(error))

    async def _pause(self, why: str) -> None:
        self.restarts += 1
        delay_s = self.backoff.next_s()
        _log.info("watch_restarts", path=self.path, why=why, again_in_s=round(delay_s, 2))
        await asyncio.sleep(delay_s)

    async def _list(self) -> str:
        seen: dict[Key, T] = {}
        params = {"limit": str(PAGE), **self._selector()}
        while True:
            page = await self.kube.get(self.path, params)
            self._heard_at_s = self.clock()
            if "items" not in page:
                raise KubeUnreachableError(f"GET {self.path}: the answer is no list")
            for item in page["items"] or ():
                key = _key(item)
                projected = self._projected(key, item)
                if projected is not None:
                    seen[key] = projected
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            params["continue"] = metadata["continue"]
        for key in self.objects.keys() - seen.keys():
            self._set(key, None)
        for key, projected in seen.items():
            self._set(key, projected)
        self.synced.set()
        return str(metadata.get("resourceVersion", "0"))

    async def _watch(self, version: str) -> None:
        params = {"resourceVersion": version, "allowWatchBookmarks": "true", **self._selector()}
        length_s = random.uniform(*WATCH_S)  # noqa: S311 - jitter
        started_at_s = self.clock()
        try:
            async for event in self.kube.watch(self.path, params, length_s):
                self._heard_at_s = self.clock()
                self._take(event)
        finally:
            has_lasted = self.clock() - started_at_s >= SHORTEST_WATCH_S
            if has_lasted:
                self.backoff.reset()
        if not has_lasted:
            await self._pause("the watch ended at once")

    def _take(self, event: WatchEvent) -> None:
        metadata: Mapping[str, str] = event.object.get("metadata") or {}
        if event.type != "BOOKMARK":
            key = _key(event.object)
            gone = event.type == "DELETED"
            self._set(key, None if gone else self._projected(key, event.object))
        self._version = metadata.get("resourceVersion", self._version)

    def _projected(self, key: Key, raw: Json) -> T | None:
        known = self.objects.get(key)
        try:
            return self.project(raw, known)
        except Exception:  # noqa: BLE001 - see the module
            _log.exception("projection_failed", path=self.path, namespace=key[0], name=key[1])
            return known

    def _set(self, key: Key, new: T | None) -> None:
        old = self.objects.get(key)
        if old == new:
            return  # nothing that is kept of it changed
        if new is None:
            del self.objects[key]
        else:
            self.objects[key] = new
        for listener in self._listeners:
            self._tell(listener, key, old, new)

    def _tell(self, listener: Listener[T], key: Key, old: T | None, new: T | None) -> None:
        try:
            listener(key, old, new)
        except Exception:  # noqa: BLE001 - see the module
            _log.exception("listener_failed", path=self.path, namespace=key[0], name=key[1])

    def _selector(self) -> dict[str, str]:
        chosen = {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}
        return {name: value for name, value in chosen.items() if value}


def _key(item: Json) -> Key:
    try:
        metadata = item["metadata"]
        return metadata.get("namespace", ""), metadata["name"]
    except (AttributeError, LookupError, TypeError) as error:
        raise KubeUnreachableError("an object came without a name") from error
