"""From a request to its answer, without HTTP: callers in process come in here, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import (
    deleting,
    discovery,
    failures,
    listing,
    openapi,
    patches,
    requests,
    selecting,
    tables,
    versions,
)
from budaiscaler.playground.apiserver.aggregating import Aggregator
from budaiscaler.playground.apiserver.kinds import Kind, Kinds
from budaiscaler.playground.apiserver.listing import Lists
from budaiscaler.playground.apiserver.preparing import Options
from budaiscaler.playground.apiserver.registry import Registry
from budaiscaler.playground.apiserver.requests import Request, Route
from budaiscaler.playground.apiserver.store import Key
from budaiscaler.playground.apiserver.users import Users
from budaiscaler.playground.apiserver.watching import Watch, Watches

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+budaiscaler-embedded",
    "platform": "python/memory",
}
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})
"""What anybody may ask."""


class Answer(NamedTuple):
    """What comes of a request.

    Attributes:
        body: an object, or bytes that somebody else made.
        warnings: for `Warning` headers.
    """

    status: int
    body: Json | bytes
    content_type: str = JSON
    warnings: tuple[str, ...] = ()


_OK = Answer(200, b"ok", TEXT)
_CONSTANT = {
    "/healthz": _OK,
    "/livez": _OK,
    "/readyz": _OK,
    "/version": Answer(200, VERSION),
    "/openapi/v2": Answer(200, b"", openapi.V2),
}


class Stream(NamedTuple):
    """A watch, and how its events are shown: `Table`, `PartialObjectMetadata`, or whole."""

    watch: Watch
    shown: str


@dataclass(slots=True)
class Router:
    """Answers requests.

    Attributes:
        address: of the server, as discovery tells it.
    """

    registry: Registry
    kinds: Kinds
    users: Users
    aggregator: Aggregator
    now: Callable[[], datetime]
    address: str = ""
    lists: Lists = field(init=False)
    watches: Watches = field(init=False)

    def __post_init__(self) -> None:
        self.lists = Lists(self.registry.store)
        self.watches = Watches(self.registry.store)

    async def answer(self, request: Request) -> Answer | Stream:
        """Answer a request.

        Raises:
            KubeStatusError: it fails.
        """
        path = request.path.rstrip("/")
        if path in _CONSTANT:
            return _CONSTANT[path]
        route = requests.route(path)
        if route is None:
            return self._documents(path, request)
        service = self.aggregator.find(route.group, route.version)
        if service is not None:
            handed = await self.aggregator.hand_over(service, request)
            return Answer(handed.status, handed.body, handed.content_type)
        if not route.plural:
            return _found(discovery.resource_list(self.kinds, route.group, route.version))
        return self._resource(route, request)

    def _documents(self, path: str, request: Request) -> Answer:
        others = self.aggregator.versions()
        version = discovery.aggregated_version(request.accept)
        document: Json | None = None
        match path.strip("/").split("/"):
            case ["api" | "apis" as root] if version:
                is_core = root == "api"
                body = discovery.aggregated_list(self.kinds, others, version, core=is_core)
                return Answer(200, body, discovery.media_type(version))
            case ["api"]:
                document = discovery.core_versions(self.address)
            case ["apis"]:
                document = discovery.group_list(self.kinds, others)
            case ["apis", group]:
                document = discovery.api_group(self.kinds, others, group)
            case ["openapi", "v3"]:
                document = openapi.index(self.kinds)
            case ["openapi", "v3", "api", core]:
                document = openapi.document(self.kinds, "", core)
            case ["openapi", "v3", "apis", group, of]:
                document = openapi.document(self.kinds, group, of)
            case [""]:
                document = {"paths": ["/api", "/apis", "/openapi/v3", "/version"]}
        return _found(document)

    def _resource(self, route: Route, request: Request) -> Answer | Stream:
        kind = self.kinds.find(route.group, route.version, route.plural)
        if kind is None or not _is_there(kind, route):
            raise failures.no_such_path()
        if kind.verbs == ("create",):
            if request.method != "POST" or route.name:
                raise failures.method_not_allowed()
            return Answer(201, self.users.review(kind, request.user, request.document()))
        if route.name:
            return self._object(kind, route, request)
        return self._collection(kind, route, request)

    def _collection(self, kind: Kind, route: Route, request: Request) -> Answer | Stream:
        query, where = request.query, route.namespace
        match request.method:
            case "GET" if request.flag("watch"):
                return Stream(self.watches.open(kind, where, query), tables.wanted(request.accept))
            case "GET":
                page = self.lists.page(kind, where, query)
                return Answer(200, self._shown_list(kind, page, request))
            case "POST":
                if kind.namespaced and where is None:
                    raise failures.method_not_allowed()
                options = _options(request)
                body = self.registry.create(kind, where or "", request.document(), options)
                return Answer(201, body, warnings=tuple(options.warnings))
            case "DELETE":
                chosen = selecting.read(kind, query)
                body = deleting.delete_collection(
                    self.registry, kind, where, chosen, _deletion(request)
                )
                return Answer(200, body)
        raise failures.method_not_allowed()

    def _object(self, kind: Kind, route: Route, request: Request) -> Answer | Stream:
        where, name, part = route.namespace or "", route.name, route.subresource
        options = _options(request)
        match request.method:
            case "GET" if request.flag("watch"):
                watch = self.watches.open(kind, where, request.query, name)
                return Stream(watch, tables.wanted(request.accept))
            case "GET":
                return Answer(200, self._shown(kind, route, request))
            case "PUT":
                body = self.registry.update(kind, where, name, request.document(), options, part)
            case "PATCH":
                how = request.content_type
                if how == patches.APPLY and not request.query.get("fieldManager"):
                    raise failures.no_field_manager()
                is_new = self.registry.store.find(Key(kind.store, where, name)) is None
                body = self.registry.patch(
                    kind, where, name, request.document(), how, options, part
                )
                return Answer(201 if is_new else 200, body, warnings=tuple(options.warnings))
            case "DELETE" if not part:
                body = deleting.delete(self.registry, kind, where, name, _deletion(request))
            case _:
                raise failures.method_not_allowed()
        return Answer(200, body, warnings=tuple(options.warnings))

    def _shown(self, kind: Kind, route: Route, request: Request) -> Json:
        where = route.namespace or ""
        whole = self.registry.get(kind, where, route.name, route.subresource)
        if route.subresource:
            return whole
        shown = tables.wanted(request.accept)
        stored = self.registry.find(kind, where, route.name)
        if shown == "Table":
            metadata = {"resourceVersion": stored["metadata"]["resourceVersion"]}
            return tables.table(kind, [stored], metadata, request.query, self.now())
        return tables.partial(stored) if shown else whole

    def _shown_list(self, kind: Kind, page: listing.Page, request: Request) -> Json:
        shown = tables.wanted(request.accept)
        metadata = listing.list_metadata(page)
        if shown == "Table":
            return tables.table(kind, page.items, metadata, request.query, self.now())
        if shown:
            return tables.partial_list(page.items, metadata)
        return listing.render(kind, page)

    def shown_event(self, stream: Stream, kind: str, body: Json, *, is_first: bool) -> Json:
        """Show the object of an event of a watch as its client asked for."""
        watch = stream.watch
        if not stream.shown or (kind == "BOOKMARK" and stream.shown != "Table"):
            return body
        stored = versions.take(watch.kind, body)
        if stream.shown != "Table":
            return tables.partial(stored)
        metadata = {"resourceVersion": body["metadata"]["resourceVersion"]}
        rows = [] if kind == "BOOKMARK" else [stored]
        return tables.table(
            watch.kind, rows, metadata, watch.query, self.now(), with_columns=is_first
        )


def _options(request: Request) -> Options:
    query = request.query
    validation = query.get("fieldValidation") or "Warn"
    if validation not in {"Strict", "Warn", "Ignore"}:
        raise failures.bad_request(f"fieldValidation is {validation}: Strict, Warn or Ignore")
    return Options(
        manager=query.get("fieldManager") or request.agent.partition("/")[0][:128] or "unknown",
        force=request.flag("force"),
        validation=validation,
        dry_run="dryRun" in query,
    )


def _deletion(request: Request) -> Json:
    """Read `DeleteOptions`, of which some may stand in the query."""
    wanted = request.document()
    told: Json = wanted if isinstance(wanted, dict) else {}
    named = ("propagationPolicy", "dryRun")
    return {**{name: request.query[name] for name in named if name in request.query}, **told}


def _is_there(kind: Kind, route: Route) -> bool:
    """Whether a kind has such a path."""
    if route.namespace is not None and not kind.namespaced:
        return False
    if route.name and kind.namespaced and route.namespace is None:
        return False
    return {"": True, "status": kind.has_status, "scale": kind.scale is not None}.get(
        route.subresource, False
    )


def _found(document: Json | None) -> Answer:
    if document is None:
        raise failures.no_such_path()
    return Answer(200, document)
