"""The real API server behind the port: the only module that imports the `kubernetes` package.

Only its configuration and its connection are used. Its models drop fields they do not know, its
watch answers a 410 by asking again with the same stale version, and its leader election writes
local times (ADR 0002), so objects stay plain JSON and the loops are our own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, new_client_from_config

from budaiscaler.domain.errors import ConfigurationError, KubeUnreachableError, status_error
from budaiscaler.kube.port import Json, PatchType, WatchEvent

REQUEST_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0
WATCH_GRACE_S = 15.0
"""A watch that the server does not end by then is a half-open connection."""
WATCH_SILENCE_S = 120.0
"""Bookmarks come about once a minute; two missing ones are a half-open connection."""

_JSON = "application/json"

_BROKEN = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What a request can end with; a ValueError is an address, a header or a line that is none."""


class KubeClient:
    """`Kube` over HTTPS. Use as an async context manager; `connect` makes one."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        return await self._call("GET", path, params)

    async def create(self, path: str, body: Json) -> Json:
        return await self._call("POST", path, body=body)

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        return await self._call("PATCH", path, params, body, str(kind))

    async def update(self, path: str, body: Json) -> Json:
        return await self._call("PUT", path, body=body)

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        options: Json = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        await self._call("DELETE", path, body=options)

    async def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        query = {**params, "watch": "true", "timeoutSeconds": str(int(timeout_s))}
        timeout = aiohttp.ClientTimeout(
            total=timeout_s + WATCH_GRACE_S,
            sock_connect=CONNECT_TIMEOUT_S,
            sock_read=WATCH_SILENCE_S,
        )
        response = await self._send("GET", path, query, timeout=timeout)
        try:
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise _failure(response.status, await response.read())
            yield WatchEvent("BOOKMARK", {"metadata": {}})
            async for line in response.content:
                yield _event(line)
        except _BROKEN as error:
            raise KubeUnreachableError(f"the watch of {path} broke off: {_cause(error)}") from error
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = _JSON,
    ) -> Json:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        response = await self._send(method, path, params, body, content_type, timeout)
        try:
            data = await response.read()
        except _BROKEN as error:
            raise KubeUnreachableError(f"{method} {path}: {_cause(error)}") from error
        finally:
            response.release()
        if response.status >= 300:  # noqa: PLR2004 - HTTP
            raise _failure(response.status, data)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise KubeUnreachableError(f"{method} {path}: the answer is no JSON object")
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = _JSON,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - handed to the library
    ) -> aiohttp.ClientResponse:
        configuration: Configuration = self._api.configuration
        url = f"{configuration.host}{path}"
        if params:
            url = f"{url}?{urlencode(params)}"
        headers = {"Accept": _JSON, "Content-Type": content_type, "User-Agent": "budaiscaler"}
        try:
            settings: Any = await configuration.auth_settings()
        except Exception as error:  # the library lets through whatever reading a token raises
            raise KubeUnreachableError(
                f"{method} {path}: our credentials cannot be read: {_cause(error)}"
            ) from error
        for setting in settings.values():
            headers[setting["key"]] = setting["value"]
        try:
            wrapped = await self._api.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=timeout
            )
        except _BROKEN as error:
            raise KubeUnreachableError(f"{method} {path}: {_cause(error)}") from error
        response: aiohttp.ClientResponse = wrapped.response
        return response


async def connect(kubeconfig: str | None) -> KubeClient:
    """Make a client from a kubeconfig file, or from the pod's own service account when None.

    Raises:
        ConfigurationError: when neither can be read; the message says which was tried.
    """
    try:
        if kubeconfig is not None:
            api = await new_client_from_config(config_file=kubeconfig)
        else:
            configuration = Configuration()
            await asyncio.to_thread(load_incluster_config, configuration)
            api = ApiClient(configuration=configuration)
    except Exception as error:  # the library lets through whatever reading and parsing raises
        where = f"the kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
        raise ConfigurationError(
            f"cannot connect with {where}: {error}; inside a pod leave --kubeconfig out, "
            "elsewhere set it"
        ) from error
    return KubeClient(api)


def _event(line: bytes) -> WatchEvent:
    """Read one line of a watch.

    Raises:
        KubeStatusError: it tells that the watch has failed.
        ValueError: it is no event.
    """
    event: Any = json.loads(line)
    about = event.get("object") if isinstance(event, dict) else None
    if not isinstance(about, dict) or "type" not in event:
        raise ValueError(f"no event: {_text(line)}")
    if event["type"] == "ERROR":
        code = about.get("code")
        raise _failure(code if isinstance(code, int) else 500, json.dumps(about).encode())
    return WatchEvent(event["type"], about)


def _failure(code: int, data: bytes) -> Exception:
    """Read a `Status`, or whatever a proxy on the way answered instead of one."""
    try:
        status: Any = json.loads(data)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {}
    message = status.get("message") or _text(data) or f"HTTP {code}"
    return status_error(code, str(status.get("reason", "")), str(message))


def _text(data: bytes) -> str:
    """The start of a body, for a message."""
    return data[:200].decode("utf-8", "replace")


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
