"""Watches: what happens in a collection, from a version on, as one selection sees it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from budaiscaler.kube.port import Json, WatchEvent
from budaiscaler.playground.apiserver import failures, selecting, versions
from budaiscaler.playground.apiserver.kinds import Kind
from budaiscaler.playground.apiserver.selecting import Selection
from budaiscaler.playground.apiserver.store import Change, ForgottenError, Store

MOST_PENDING = 5000
"""A watcher that is so far behind is cut off with a 410."""
BOOKMARK_S = 60.0
LONGEST_S = (1800.0, 3600.0)
"""Random length of a watch whose client names none."""

_INITIAL_END = "k8s.io/initial-events-end"
_TRUE = ("true", "1")


@dataclass(slots=True)
class Watches:
    """Every watch that is open."""

    store: Store
    _open: set[Watch] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store.subscribe(self._tell)

    def open(
        self, kind: Kind, namespace: str | None, query: Mapping[str, str], name: str | None = None
    ) -> Watch:
        """Begin a watch; it holds what happens from now on, also before it is first read.

        Raises:
            KubeStatusError: 400 for a selector or a version that is none.
        """
        watch = Watch(self, kind, namespace, selecting.read(kind, query, name), query)
        watch.begin(self.store)
        self._open.add(watch)
        return watch

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def close(self, watch: Watch) -> None:
        """Take a watch off the list."""
        self._open.discard(watch)

    def disconnect(self) -> None:
        """End every watch, as a server does that goes down."""
        for watch in list(self._open):
            watch.end()

    def _tell(self, change: Change) -> None:
        for watch in self._open:
            watch.hear(change)


@dataclass(slots=True, eq=False)
class Watch:
    """One watch. Iterate over it once; it ends by its time, or with a 410."""

    watches: Watches
    kind: Kind
    namespace: str | None
    selection: Selection
    query: Mapping[str, str]
    _pending: deque[WatchEvent] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _is_over: bool = False
    _failure: Exception | None = None
    _version: int = 0

    def begin(self, store: Store) -> None:
        """Take in what there is, or what happened since the version asked for."""
        text = self.query.get("resourceVersion", "")
        if not text.isdecimal() and text:
            raise failures.bad_request(f"invalid resource version: {text}")
        since = int(text or 0)
        self._version = store.version
        wants_state = self.query.get("sendInitialEvents", "") in _TRUE
        if wants_state or not since:
            for body in store.objects(self.kind.store, self.namespace):
                if self.selection.takes(body):
                    self._pending.append(self._event("ADDED", body))
            if wants_state and self._wants_bookmarks:
                self._pending.append(self._bookmark({_INITIAL_END: "true"}))
            return
        try:
            for change in store.since(since, self.kind.store):
                self.hear(change)
        except ForgottenError as error:
            self._fail(str(error))

    def hear(self, change: Change) -> None:
        """Take in what happened."""
        self._version = change.version
        if change.key.collection != self.kind.store or self._is_over:
            return
        if self.namespace is not None and change.key.namespace != self.namespace:
            return
        event = self._seen(change)
        if event is None:
            return
        if len(self._pending) >= MOST_PENDING:
            self._fail("too old resource version: this watch is too slow")
            return
        self._pending.append(event)
        self._wake.set()

    def end(self) -> None:
        """End it after what is pending."""
        self._is_over = True
        self._wake.set()

    def close(self) -> None:
        """Take it off the list, also when it was never read."""
        self.watches.close(self)

    async def events(self) -> AsyncGenerator[WatchEvent, None]:
        """What happens, until the watch ends.

        Raises:
            ExpiredError: the version to begin with is forgotten, or the reader is too slow.
        """
        length_s = float(self.query.get("timeoutSeconds") or random.uniform(*LONGEST_S))  # noqa: S311 - jitter
        clock = asyncio.get_running_loop().time
        ends_at_s = clock() + length_s
        bookmark_at_s = clock() + BOOKMARK_S
        try:
            while True:
                while self._pending:
                    yield self._pending.popleft()
                if self._failure is not None:
                    raise self._failure
                now_s = clock()
                if self._is_over or now_s >= ends_at_s:
                    return
                if now_s >= bookmark_at_s:
                    bookmark_at_s = now_s + BOOKMARK_S
                    if self._wants_bookmarks:
                        yield self._bookmark({})
                    continue
                self._wake.clear()
                await _until(self._wake, min(ends_at_s, bookmark_at_s) - now_s)
        finally:
            self.close()

    @property
    def _wants_bookmarks(self) -> bool:
        return self.query.get("allowWatchBookmarks", "") in _TRUE

    def _seen(self, change: Change) -> WatchEvent | None:
        """A change as the selection sees it: what leaves it is deleted, what enters is new."""
        was = change.before is not None and self.selection.takes(change.before)
        if change.type == "DELETED":
            return self._event("DELETED", change.after) if was else None
        if self.selection.takes(change.after):
            return self._event("MODIFIED" if was else "ADDED", change.after)
        if not was or change.before is None:
            return None
        version = change.after["metadata"]["resourceVersion"]
        metadata = {**change.before["metadata"], "resourceVersion": version}
        return self._event("DELETED", {**change.before, "metadata": metadata})

    def _event(self, kind: str, body: Json) -> WatchEvent:
        return WatchEvent(kind, versions.show(self.kind, body))

    def _bookmark(self, annotations: dict[str, str]) -> WatchEvent:
        metadata: Json = {"resourceVersion": str(self._version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        told = {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata}
        return WatchEvent("BOOKMARK", told)

    def _fail(self, message: str) -> None:
        self._pending.clear()
        self._failure = failures.expired(message)
        self.end()


async def _until(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
