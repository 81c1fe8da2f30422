"""The HTTP application: the only place where routes are wired.

Every request passes one guard: authenticate, authorise, handle, and whatever fails is answered as a
`Status`, also for paths and methods that do not exist.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from adapter import authz, discovery, wire
from adapter.authn import Authenticator
from adapter.authz import Attributes, Authorizer
from adapter.discovery import Document
from adapter.external_metrics import ExternalMetrics
from adapter.serving import verified_peer
from adapter.telemetry import Telemetry
from adapter.wire import GROUP, GROUP_VERSION, ApiError

MAX_BODY_BYTES = 64 * 1024
"""Nobody has a body to send; refusals still read a small one."""

_JSON = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
_METRIC = f"/apis/{GROUP_VERSION}/namespaces/{{namespace}}/{{metric}}"

_log = structlog.get_logger()


@dataclass(slots=True)
class Readiness:
    """Named checks; each gives what is missing, or None when all is well."""

    checks: dict[str, Callable[[], str | None]] = field(default_factory=dict)

    def add(self, name: str, check: Callable[[], str | None]) -> None:
        """Demand one more thing."""
        self.checks[name] = check

    def report(self) -> tuple[bool, str]:
        """Run them all: whether it is ready, and a line a check."""
        answers = {name: check() for name, check in self.checks.items()}
        lines = [
            f"[+]{name} ok" if answer is None else f"[-]{name} failed: {answer}"
            for name, answer in answers.items()
        ]
        return all(answer is None for answer in answers.values()), "\n".join(lines)


def make_app(
    *,
    metrics: ExternalMetrics,
    authenticator: Authenticator,
    authorizer: Authorizer,
    readiness: Readiness,
    telemetry: Telemetry,
) -> web.Application:
    """Wire the routes."""
    handlers = _Handlers(metrics, readiness, telemetry)
    app = web.Application(
        middlewares=[_guard(authenticator, authorizer, telemetry)], client_max_size=MAX_BODY_BYTES
    )
    app.router.add_get(_METRIC, handlers.metric)
    app.router.add_get("/apis", handlers.root)
    app.router.add_get(f"/apis/{GROUP}", _constant(discovery.API_GROUP))
    app.router.add_get(f"/apis/{GROUP_VERSION}", _constant(discovery.RESOURCE_LIST))
    app.router.add_get("/openapi/v2", _constant(discovery.OPENAPI_V2))
    app.router.add_get("/openapi/v3", _constant(discovery.OPENAPI_V3))
    for path in ("/healthz", "/livez"):
        app.router.add_get(path, handlers.live)
    app.router.add_get("/readyz", handlers.ready)
    app.router.add_get("/metrics", handlers.own_metrics)
    app.router.add_get("/version", handlers.version)
    return app


@dataclass(frozen=True, slots=True)
class _Handlers:
    metrics: ExternalMetrics
    readiness: Readiness
    telemetry: Telemetry

    async def metric(self, request: web.Request) -> web.Response:
        _require_json(request)
        body = self.metrics.answer(
            request.match_info["namespace"],
            request.match_info["metric"],
            request.query.get("labelSelector", ""),
        )
        return web.Response(body=body, headers=_JSON)

    async def root(self, request: web.Request) -> web.Response:
        return _answer(request, discovery.root(request.headers.get(hdrs.ACCEPT, "")))

    async def live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(self, request: web.Request) -> web.Response:
        is_ready, report = self.readiness.report()
        text = report if "verbose" in request.query or not is_ready else "ok"
        return web.Response(text=text, status=200 if is_ready else 503)

    async def own_metrics(self, _: web.Request) -> web.Response:
        # Thousands of series take a tenth of a second to print; nobody may wait for that.
        body, content_type = await asyncio.to_thread(self.telemetry.exposition)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"gitVersion": f"v{version('budaiscaler')}"})


def _constant(document: Document) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        _require_json(request)
        return _answer(request, document)

    return handle


def _answer(request: web.Request, document: Document) -> web.Response:
    headers = {
        "Content-Type": document.content_type,
        "ETag": document.etag,
        "Vary": "Accept",
        "Cache-Control": "public",
    }
    if request.headers.get(hdrs.IF_NONE_MATCH) == document.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=document.body, headers=headers)


def _require_json(request: web.Request) -> None:
    accept = request.headers.get(hdrs.ACCEPT, "")
    if accept and not discovery.accepts_json(accept):
        raise ApiError(406, "only application/json can be answered")


def _guard(
    authenticator: Authenticator, authorizer: Authorizer, telemetry: Telemetry
) -> Middleware:
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        attributes = _attributes(request)
        user = await authenticator.authenticate(verified_peer(request.transport), request.headers)
        await authorizer.authorize(user, attributes)
        if attributes.verb == "watch":
            raise ApiError(405, "metrics cannot be watched")
        return await handler(request)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_s = time.perf_counter()
        try:
            response = await handle(request, handler)
        except ApiError as error:
            response = _failure(error.code, error.message)
        except web.HTTPException as error:
            response = _http_failure(request, error)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a Status
            _log.exception("request_failed", path=request.path)
            response = _failure(500, "the adapter failed; its log says why")
        telemetry.answered(request.method, response.status, time.perf_counter() - started_s)
        return response

    return guard


def _attributes(request: web.Request) -> Attributes:
    metric = request.match_info.get("metric")
    if metric is None:
        return authz.of_path(request.method, request.path)
    # As Kubernetes reads a boolean: whatever is not said to be false is true.
    watch = request.query.get("watch", "false").lower() not in {"false", "0"}
    return authz.of_metric(request.match_info["namespace"], metric.lower(), watch=watch)


def _http_failure(request: web.Request, error: web.HTTPException) -> web.Response:
    if error.status == web.HTTPNotFound.status_code:
        return _failure(404, "the server could not find the requested resource")
    if error.status == web.HTTPMethodNotAllowed.status_code:
        return _failure(405, f"{request.method} is not possible here: metrics are read-only")
    return _failure(error.status, error.reason)


def _failure(code: int, message: str) -> web.Response:
    # No Retry-After: client-go would retry inside the HPA controller's few workers.
    return web.Response(status=code, body=wire.encode(wire.status(code, message)), headers=_JSON)
