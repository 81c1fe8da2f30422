"""The HTTP side: who asks, bodies and headers, streams of watches."""

from __future__ import annotations

import json
from contextlib import aclosing

import structlog
from aiohttp import hdrs, web

from adapter.identity import ANONYMOUS, User
from budaiscaler.domain.errors import KubeStatusError
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures
from budaiscaler.playground.apiserver.requests import Request
from budaiscaler.playground.apiserver.routing import JSON, OPEN_PATHS, Answer, Router, Stream
from budaiscaler.playground.apiserver.users import Users

_NO_CACHE = {"Cache-Control": "no-cache, private"}

_log = structlog.get_logger()


class Endpoint:
    """Answers HTTP requests by a router; `server` makes what a runner runs."""

    def __init__(self, router: Router, users: Users) -> None:
        self._router = router
        self._users = users

    def server(self) -> web.Server:
        """One server, for as long as it listens."""
        # Cancelled when its client goes: a watch would notice at the next event only.
        return web.Server(self._handle, handler_cancellation=True)

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        try:
            request = await self._request(http)
            answer = await self._router.answer(request)
            if isinstance(answer, Stream):
                return await self._stream(http, answer)
        except KubeStatusError as error:
            return _respond(Answer(error.code, failures.status(error)))
        except web.HTTPException as error:
            failure = KubeStatusError(error.status, error.reason, error.text or error.reason)
            return _respond(Answer(error.status, failures.status(failure)))
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a Status
            _log.exception("request_failed", method=http.method, path=http.path)
            failure = failures.internal("the embedded API server failed; its log says why")
            return _respond(Answer(failure.code, failures.status(failure)))
        return _respond(answer)

    async def _request(self, http: web.BaseRequest) -> Request:
        return Request(
            method=http.method,
            path=http.rel_url.raw_path,
            query=dict(http.query),
            user=self._user(http),
            raw=await http.read() if http.can_read_body else b"",
            content_type=http.content_type if hdrs.CONTENT_TYPE in http.headers else JSON,
            accept=http.headers.get(hdrs.ACCEPT, ""),
            agent=http.headers.get(hdrs.USER_AGENT, "unknown"),
        )

    def _user(self, http: web.BaseRequest) -> User:
        scheme, _, token = http.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            user = self._users.find(token.strip())
            if user is None:
                raise failures.unauthorized()
            return user
        if http.path.rstrip("/") not in OPEN_PATHS:
            raise failures.forbidden(
                f'forbidden: User "{ANONYMOUS.name}" cannot {http.method.lower()} path '
                f'"{http.path}"'
            )
        return ANONYMOUS

    async def _stream(self, http: web.BaseRequest, stream: Stream) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": JSON, **_NO_CACHE})
        response.enable_chunked_encoding()
        try:
            await response.prepare(http)
            await self._send(response, stream)
        except ConnectionError:
            pass  # the client went away
        finally:
            stream.watch.close()
        return response

    async def _send(self, response: web.StreamResponse, stream: Stream) -> None:
        is_first = True
        async with aclosing(stream.watch.events()) as events:
            try:
                async for event in events:
                    shown = self._router.shown_event(
                        stream, event.type, event.object, is_first=is_first
                    )
                    is_first = False
                    await response.write(_line(event.type, shown))
            except KubeStatusError as error:
                await response.write(_line("ERROR", failures.status(error)))


def _line(kind: str, body: Json) -> bytes:
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"


def _respond(answer: Answer) -> web.Response:
    body = answer.body
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    response = web.Response(
        status=answer.status,
        body=raw,
        headers={"Content-Type": answer.content_type or JSON, **_NO_CACHE},
    )
    for warning in answer.warnings:
        response.headers.add("Warning", f"299 - {json.dumps(warning)}")
    return response
