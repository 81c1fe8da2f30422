"""An API server in memory, behind the `Kube` port: enough of one for tests of what uses the port.

It keeps objects by path, versions them, merges what several field managers applied, and feeds
watches, from any version on that it has not compacted away. It validates nothing and authorises
nobody; that is what the real one in e2e is for.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from budaiscaler.domain.errors import (
    ConflictError,
    ExpiredError,
    KubeError,
    NotFoundError,
)
from budaiscaler.kube.port import Json, PatchType, WatchEvent

_KEYED_LISTS = {"conditions": "type", "sources": "name"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was made."""

    verb: str
    path: str
    body: Any = None
    params: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Watcher:
    """One watch that is open."""

    path: str
    params: Mapping[str, str]
    queue: asyncio.Queue[WatchEvent | KubeError | None] = field(default_factory=asyncio.Queue)

    def tell(self, path: str, event: WatchEvent) -> None:
        """Queue an event if it is of what is watched."""
        if _in(path, self.path) and _is_selected(event.object, self.params):
            self.queue.put_nowait(copy.deepcopy(event))


@dataclass(slots=True)
class FakeKube:
    """See the module.

    Attributes:
        objects: by path of the object.
        calls: every request, in order; watches too.
        answers: by path of a collection, what a `create` there answers instead of storing, for
            reviews; gets the body.
        page_size: how many items of a list are answered at once; None for all.
    """

    objects: dict[str, Json] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Callable[[Json], Json]] = field(default_factory=dict)
    page_size: int | None = None
    _versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _version: int = 0
    _faults: list[tuple[str, str, KubeError]] = field(default_factory=list)
    _watchers: list[_Watcher] = field(default_factory=list)
    _history: list[tuple[str, WatchEvent]] = field(default_factory=list)
    _compacted: int = 0
    _applied: dict[str, dict[str, Json]] = field(default_factory=dict)

    # What a test does to it.

    def put(self, path: str, body: Json) -> Json:
        """Create or replace an object from outside, and tell the watches."""
        existed = path in self.objects
        stored = copy.deepcopy(body)
        metadata = stored.setdefault("metadata", {})
        metadata.setdefault("name", path.rsplit("/", 1)[1])
        parts = path.split("/")
        if "namespaces" in parts:
            metadata.setdefault("namespace", parts[parts.index("namespaces") + 1])
        metadata.setdefault("uid", f"uid-{next(self._versions)}")
        self._store(path, stored, "MODIFIED" if existed else "ADDED")
        return copy.deepcopy(stored)

    def remove(self, path: str) -> None:
        """Delete an object from outside, and tell the watches."""
        gone = self.objects.pop(path)
        self._applied.pop(path, None)
        self._version = next(self._versions)
        gone["metadata"]["resourceVersion"] = str(self._version)
        self._announce(path, "DELETED", gone)

    def fail(self, verb: str, path_part: str, error: KubeError) -> None:
        """Answer every such request with `error` until `heal`."""
        self._faults.append((verb, path_part, error))

    def heal(self) -> None:
        """Answer normally again."""
        self._faults.clear()

    def end_watches(self, error: KubeError | None = None) -> None:
        """End every watch, as a server that restarts, or with an error on the way."""
        for watcher in self._watchers:
            watcher.queue.put_nowait(error)

    def bookmark(self) -> None:
        """Tell every watch how far it is."""
        event = WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})
        for watcher in self._watchers:
            watcher.queue.put_nowait(event)

    def compact(self) -> None:
        """Forget what happened so far: a watch from before now is answered with a 410."""
        self._history.clear()
        self._compacted = self._version

    def made(self, verb: str, path_part: str = "") -> list[Call]:
        """The requests of that verb on such a path."""
        return [c for c in self.calls if c.verb == verb and path_part in c.path]

    # The port.

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        self._begin("get", path, params=params)
        if path in self.objects:
            return copy.deepcopy(self.objects[path])
        if path.endswith("/scale") and path.removesuffix("/scale") in self.objects:
            workload = self.objects[path.removesuffix("/scale")]
            return {"spec": {"replicas": workload["spec"]["replicas"]}, "status": {}}
        if _is_collection(path):
            return self._list(path, params or {})
        raise NotFoundError(404, "NotFound", f"{path} not found")

    async def create(self, path: str, body: Json) -> Json:
        self._begin("create", path, body)
        if path in self.answers:
            return self.answers[path](body)
        item = f"{path}/{body['metadata']['name']}"
        if item in self.objects:
            raise ConflictError(409, "AlreadyExists", f"{item} already exists")
        return self.put(item, body)

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        self._begin("patch", path, body, params)
        target = path.removesuffix("/status")
        existing = self.objects.get(target)
        if existing is None and path.endswith("/scale"):
            # Of a workload: what the scale asks for is what its spec does.
            target = path.removesuffix("/scale")
            existing = self.objects.get(target)
        if kind is PatchType.APPLY and isinstance(body, dict):
            return self._apply(target, path, existing, body, (params or {})["fieldManager"])
        if existing is None:
            raise NotFoundError(404, "NotFound", f"{path} not found")
        changed = copy.deepcopy(existing)
        if isinstance(body, list):
            for step in body:
                _json_patch(changed, step)
        else:
            _merge_patch(changed, body)
        return self._store(target, changed, "MODIFIED")

    async def update(self, path: str, body: Json) -> Json:
        self._begin("update", path, body)
        existing = self.objects.get(path)
        if existing is None:
            raise NotFoundError(404, "NotFound", f"{path} not found")
        wanted = body["metadata"].get("resourceVersion")
        if wanted not in (None, existing["metadata"]["resourceVersion"]):
            raise ConflictError(409, "Conflict", f"{path} has been modified")
        return self._store(path, copy.deepcopy(body), "MODIFIED")

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        self._begin("delete", path)
        existing = self.objects.get(path)
        if existing is None:
            raise NotFoundError(404, "NotFound", f"{path} not found")
        if uid not in (None, existing["metadata"]["uid"]):
            raise ConflictError(409, "Conflict", f"{path} is another object")
        self.remove(path)

    async def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        self._begin("watch", path, params=params)
        since = int(params.get("resourceVersion", self._version))
        if since < self._compacted:
            raise expired()
        watcher = _Watcher(path, params)
        for where, event in self._history:
            if int(event.object["metadata"]["resourceVersion"]) > since:
                watcher.tell(where, event)
        self._watchers.append(watcher)
        try:
            yield WatchEvent("BOOKMARK", {"metadata": {}})
            while (told := await watcher.queue.get()) is not None:
                if isinstance(told, KubeError):
                    raise told
                yield told
        finally:
            self._watchers.remove(watcher)

    def _list(self, path: str, params: Mapping[str, str]) -> Json:
        items = [
            copy.deepcopy(item)
            for where, item in self.objects.items()
            if _in(where, path) and _is_selected(item, params)
        ]
        metadata = {"resourceVersion": str(self._version)}
        start = int(params.get("continue", "0"))
        end = len(items) if self.page_size is None else start + self.page_size
        if end < len(items):
            metadata["continue"] = str(end)
        return {"metadata": metadata, "items": items[start:end]}

    def _begin(
        self, verb: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> None:
        self.calls.append(Call(verb, path, *copy.deepcopy((body, params))))
        for wanted, part, error in self._faults:
            if wanted == verb and part in path:
                raise error

    def _apply(
        self, target: str, path: str, existing: Json | None, body: Json, manager: str
    ) -> Json:
        if existing is None:
            if path.endswith("/status"):
                raise NotFoundError(404, "NotFound", f"{path} not found")
            self._applied.setdefault(target, {})[manager] = copy.deepcopy(body)
            return self.put(target, body)
        # As the real one: of a status no uid is compared (tests/contract).
        part = "status" if path.endswith("/status") else "spec"
        managers = self._applied.setdefault(f"{target}#{part}", {})
        before = managers.get(manager, {})
        managers[manager] = copy.deepcopy(body.get(part, {}))
        changed = copy.deepcopy(existing)
        section = changed.setdefault(part, {})
        for key in before.keys() - managers[manager].keys():
            section.pop(key, None)
        for key, value in managers[manager].items():
            section[key] = _merged(key, section.get(key), value, before.get(key))
        if part == "spec":
            _merge_metadata(changed["metadata"], body["metadata"])
        if changed == existing:
            return copy.deepcopy(existing)
        return self._store(target, changed, "MODIFIED")

    def _store(self, path: str, body: Json, event: str) -> Json:
        self._version = next(self._versions)
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = body
        self._announce(path, event, body)
        return copy.deepcopy(body)

    def _announce(self, path: str, kind: str, body: Json) -> None:
        event = WatchEvent(kind, copy.deepcopy(body))
        self._history.append((path, event))
        for watcher in self._watchers:
            watcher.tell(path, event)


def expired() -> ExpiredError:
    """The 410 of a watch."""
    return ExpiredError(410, "Expired", "too old resource version")


def _is_collection(path: str) -> bool:
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    return len(parts) == 1 or (len(parts) == 3 and parts[0] == "namespaces")


def _in(path: str, collection: str) -> bool:
    """Whether the object lies in the collection, of one namespace or of all."""
    parent, _, _ = path.rpartition("/")
    if parent == collection:
        return True
    root, _, plural = collection.rpartition("/")
    return parent.startswith(f"{root}/namespaces/") and parent.endswith(f"/{plural}")


def _is_selected(item: Json, params: Mapping[str, str]) -> bool:
    """Whether the object has the name of a field selector and the labels of a label selector."""
    key, _, wanted = params.get("fieldSelector", "").partition("=")
    labels = item["metadata"].get("labels") or {}
    pairs = [pair.partition("=") for pair in params.get("labelSelector", "").split(",") if pair]
    return (key != "metadata.name" or item["metadata"]["name"] == wanted) and all(
        labels.get(label) == value for label, _, value in pairs
    )


def _merged(key: str, section: Any, value: Any, before: Any) -> Any:
    """Merge list-maps by key: of the old items, those go that this manager no longer applies."""
    by = _KEYED_LISTS.get(key)
    if by is None or not isinstance(value, list):
        return copy.deepcopy(value)
    items = {item[by]: item for item in section or ()}
    for item in before or ():
        items.pop(item[by], None)
    items.update({item[by]: copy.deepcopy(item) for item in value})
    return list(items.values())


def _merge_metadata(target: Json, applied: Json) -> None:
    for key, value in applied.items():
        if isinstance(value, dict):
            target.setdefault(key, {}).update(value)
        elif key == "ownerReferences":
            target[key] = value


def _merge_patch(target: Json, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge_patch(target.setdefault(key, {}), value)
        else:
            target[key] = copy.deepcopy(value)


def _json_patch(target: Json, step: Json) -> None:
    *parents, last = step["path"].strip("/").split("/")
    at = target
    for parent in parents:
        at = at[parent]
    if step["op"] == "test":
        if at.get(last) != step["value"]:
            raise ConflictError(409, "Conflict", f"test of {step['path']} failed")
    elif step["op"] == "remove":
        del at[last]
    else:
        at[last] = copy.deepcopy(step["value"])
