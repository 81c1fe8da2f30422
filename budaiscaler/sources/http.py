"""One guarded GET for every source that speaks HTTP to an endpoint that a user names.

A user's endpoint is not to be trusted: it may hang, drip, answer a gigabyte, redirect, or be a name
that leads into places where only we can go. So a request has one deadline from end to end, a body
has a limit and is never decompressed, redirects and proxies are not followed, and a connection is
made only to an address that was checked: the resolver hands out checked addresses, and the socket
factory, which is the last to see one before the connection is made, checks it again.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import endpoints
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.credentials import PLAIN, RequestOptions
from budaiscaler.sources.origins import LONGEST_PAUSE_S, REQUESTS, Origins

MAX_BODY_BYTES = 4 * 2**20
LOOKUPS = 8
"""Threads for DNS: a server of names that hangs keeps one for many seconds, and must not keep those
that the rest of the process looks names up with."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what one fetcher does.

    Attributes:
        requests: at once, over all origins.
        longest_pause_s: between two attempts at an origin that does not answer.
        body_bytes: of an answer.
        keeps_connections: for the next request to the same origin.
    """

    requests: int = REQUESTS
    longest_pause_s: float = LONGEST_PAUSE_S
    body_bytes: int = MAX_BODY_BYTES
    keeps_connections: bool = True


Lookup = Callable[[str, int], list[tuple[Any, ...]]]
"""Resolves a host and a port as `socket.getaddrinfo` does; blocks."""


def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    """Ask the system."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class HttpFetcher:
    """Fetches bodies. Use within one event loop, and close at the end.

    Args:
        guard: which addresses may be asked.
        deadline_s: from connecting to the last byte; waiting for one's turn may take as long again.
        clock: monotonic seconds.
        lookup: resolves names.
        limits: of what it does.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        deadline_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        lookup: Lookup = look_up,
        limits: Limits | None = None,
    ) -> None:
        self._guard = guard
        self._limits = limits or Limits()
        self._resolver = _CheckedResolver(guard, lookup)
        self._origins = Origins(
            deadline_s, clock, self._limits.requests, self._limits.longest_pause_s
        )
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions = PLAIN,
    ) -> bytes | NoData:
        """GET and give the body of a 200, or say what is wrong.

        Args:
            endpoint: an http or https URL, complete; it may carry user and password.
            params: added to its query, unless it has one of that name.
            headers: sent with it; they appear in no message.
            options: what else is sent, how its certificate is checked, and how long it may take.
        """
        parts = urlsplit(endpoint)
        given = parse_qs(parts.query, keep_blank_values=True)
        added = {name: value for name, value in params.items() if name not in given}
        sent = {"user-agent": "budaiscaler"} | {k.lower(): value for k, value in headers.items()}
        sent |= options.headers
        if parts.username is not None and "authorization" in sent:
            message = (
                "endpoint has a user, and auth or headers have an Authorization: leave one of "
                "them out"
            )
            return NoData(NoDataReason.BAD_ENDPOINT, message)
        sent["accept-encoding"] = "identity"
        origin = endpoints.origin(endpoint)
        return await self._origins.ask(
            origin,
            lambda: self._ask(origin, endpoint, added, sent, options),
            deadline_s=options.deadline_s,
            way=(options.tls, options.server_name),
        )

    async def close(self) -> None:
        """Close kept connections."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def _ask(
        self,
        origin: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        options: RequestOptions,
    ) -> bytes | NoData:
        session = self._session or self._open()
        try:
            async with session.get(
                url,
                params=params,
                headers=headers,
                allow_redirects=False,
                ssl=True if options.tls is None else options.tls,
                server_hostname=options.server_name,
            ) as response:
                if response.status in _REFUSED:
                    options.refused()
                problem = _problem(response, origin)
                return problem or await _body(response, origin, self._limits.body_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _explain(error, origin)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # by origins instead
            resolver=self._resolver,
            socket_factory=self._socket,
            force_close=not self._limits.keeps_connections,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, to = address
        _check(self._guard, str(to[0]))
        made = socket.socket(family, kind, proto)
        made.setblocking(False)  # noqa: FBT003 - the standard library's
        return made


class _DeniedAddressError(OSError):
    """An address that must not be connected to; the text says which and why."""


class _CheckedResolver(AbstractResolver):
    """Gives only addresses that were checked; one bad one among several refuses the name."""

    def __init__(self, guard: AddressGuard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(LOOKUPS, "source-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up and check."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        for *_, address in found:
            _check(self._guard, address[0])
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host, host=address[0], port=port, family=kind, proto=proto, flags=flags
            )
            for kind, _, proto, _, address in found
            if family in {socket.AF_UNSPEC, kind}
        ]

    async def close(self) -> None:
        """Let go of the threads, without waiting for one that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check(guard: AddressGuard, address: str) -> None:
    if (refusal := guard.refusal(address)) is not None:
        raise _DeniedAddressError(f"{address}, {refusal}")


def _problem(response: aiohttp.ClientResponse, origin: str) -> NoData | None:
    """What keeps the answer's body from being read."""
    status = response.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        message = (
            f"{origin} redirects elsewhere (HTTP {status}), which is not followed: set endpoint to "
            "where it points"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    if status in _REFUSED:
        message = f"{origin} refuses our credentials (HTTP {status}): check headers and auth"
        return NoData(NoDataReason.HTTP_ERROR, message)
    if status == HTTPStatus.NOT_FOUND:
        message = f"{origin} has nothing there (HTTP 404): check the path of endpoint"
        return NoData(NoDataReason.HTTP_ERROR, message)
    if status != HTTPStatus.OK:
        message = f"{origin} answered HTTP {status} where 200 is wanted: see its log"
        return NoData(NoDataReason.HTTP_ERROR, message)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        message = f"{origin} compresses its answer, though asked not to: switch that off"
        return NoData(NoDataReason.BAD_ANSWER, message)
    return None


async def _body(response: aiohttp.ClientResponse, origin: str, most_bytes: int) -> bytes | NoData:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            response.close()  # or the rest would be waited for
            message = f"{origin} answered more than {most_bytes >> 20} MiB: answer less"
            return NoData(NoDataReason.BAD_ANSWER, message)
    return bytes(body)


def _explain(error: Exception, origin: str) -> NoData:
    """Say what an owner of a scaler can do; the library's own texts may quote what was sent."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = NoDataReason.UNREACHABLE
    if isinstance(cause, _DeniedAddressError):
        reason = NoDataReason.DENIED_ADDRESS
        message = (
            f"{origin} leads to {cause}, which no source may ask: use the address of a service or "
            "pod, or have the operator open the range with --allow-source-ranges"
        )
    elif isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN:
        message = f"the host of {origin} cannot be looked up now: check the cluster's DNS"
    elif isinstance(cause, socket.gaierror | UnicodeError):  # a label that is empty or too long
        reason = NoDataReason.UNKNOWN_HOST
        message = f"the host of {origin} is not known: check endpoint for a typo"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        message = (
            f"the certificate of {origin} is not trusted, or not for that host: set tls.caBundle "
            "to its authority, or tls.serverName to its name"
        )
    elif isinstance(error, aiohttp.ClientSSLError):
        message = f"{origin} does not speak TLS as we do: check the scheme and port of endpoint"
    elif isinstance(error, aiohttp.InvalidURL):
        reason = NoDataReason.BAD_ENDPOINT
        message = "endpoint has no usable host: write a name, or an address in its usual form"
    elif isinstance(error, aiohttp.ClientConnectionError | OSError):
        message = f"{origin} cannot be reached: check that it runs"
    else:
        reason = NoDataReason.BAD_ANSWER
        message = f"{origin} did not answer as an HTTP server does: check the port of endpoint"
    return NoData(reason, message)
