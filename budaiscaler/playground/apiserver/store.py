"""Objects by collection, one version counter over all of them, and what changed lately.

Pure and synchronous: no HTTP, no clock, no kinds. An object that was put is never changed
afterwards, so that readers, the history and watchers share it without copies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from budaiscaler.kube.port import Json

HISTORY = 20_000
"""Changes that are remembered; a watch from before them is told to list again."""


class Key(NamedTuple):
    """Where an object is: collection, namespace (empty for cluster-scoped ones) and name."""

    collection: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened.

    Attributes:
        before: the object before it; None for one that is new.
        after: the object after it; of one that was deleted, its last state.
    """

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    before: Json | None
    after: Json


class ForgottenError(LookupError):
    """What happened since that version is not remembered."""


Listener = Callable[[Change], None]
"""Called at every change, in their order; it must not change the store."""


@dataclass(slots=True)
class Store:
    """Everything that the server keeps.

    Attributes:
        version: of the newest change; objects carry theirs as metadata.resourceVersion.
        forgotten: changes up to this version are not remembered.
    """

    version: int = 1
    forgotten: int = 1
    _collections: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict)
    _history: deque[Change] = field(default_factory=deque)
    _listeners: list[Listener] = field(default_factory=list)

    def find(self, key: Key) -> Json | None:
        """Look one object up."""
        return self._collections.get(key.collection, {}).get((key.namespace, key.name))

    def objects(self, collection: str, namespace: str | None = None) -> list[Json]:
        """List a collection, of all namespaces when `namespace` is None, by namespace and name."""
        found = self._collections.get(collection, {})
        return [found[at] for at in sorted(found) if namespace is None or at[0] == namespace]

    def collections(self) -> Iterator[str]:
        """Name every collection that was ever written to."""
        return iter(list(self._collections))

    def put(self, key: Key, body: Json) -> Json:
        """Store an object, new or changed, with a new version; `body` itself is not kept."""
        before = self.find(key)
        after = self._stamped(body)
        self._collections.setdefault(key.collection, {})[key.namespace, key.name] = after
        self._happened("MODIFIED" if before else "ADDED", key, before, after)
        return after

    def remove(self, key: Key, last: Json | None = None) -> Json:
        """Remove an object, and give its last state, with the version of its removal.

        Args:
            key: where it is.
            last: its last state, if the removal changes it, too.

        Raises:
            KeyError: there is none.
        """
        before = self._collections[key.collection].pop((key.namespace, key.name))
        after = self._stamped(last or before)
        self._happened("DELETED", key, before, after)
        return after

    def since(self, version: int, collection: str) -> list[Change]:
        """What happened in a collection after that version.

        Raises:
            ForgottenError: part of it may be forgotten.
        """
        if version < self.forgotten:
            raise ForgottenError(f"too old resource version: {version} ({self.forgotten})")
        return [c for c in self._history if c.version > version and c.key.collection == collection]

    def compact(self) -> None:
        """Forget what happened so far."""
        self._history.clear()
        self.forgotten = self.version

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` at every change from now on; what is returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _stamped(self, body: Json) -> Json:
        self.version += 1
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}

    def _happened(
        self,
        kind: Literal["ADDED", "MODIFIED", "DELETED"],
        key: Key,
        before: Json | None,
        after: Json,
    ) -> None:
        change = Change(self.version, kind, key, before, after)
        self._history.append(change)
        if len(self._history) > HISTORY:
            self.forgotten = self._history.popleft().version
        for listener in list(self._listeners):
            listener(change)
