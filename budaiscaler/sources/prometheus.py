"""One connection to a Prometheus by `prometheus-api-client`, which is synchronous, with limits.

The client waits for ever by default and retries on its own. So a query goes through a session with
retries off that reads at most `MAX_BODY_BYTES`, follows no redirect, and ends at its deadline:
time-outs of `requests` count from the last byte, so a server that sends one now and then would keep
the thread for ever. Whoever waits for the thread cuts its connection, and since there may be none
yet at that moment, the thread looks whether it was cut after each step that could not be.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError
from urllib3.util.retry import Retry

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import credentials, dialling, results
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.credentials import RequestOptions
from budaiscaler.sources.endpoints import public

T = TypeVar("T")

MAX_BODY_BYTES = 8 * 2**20
CONNECT_TIMEOUT_S = 2.0
_CHUNK = 64 * 1024
_BAD_QUERY_CODES = frozenset({400, 422})
"""Prometheus answers 400 for what does not parse and 422 for what cannot be executed."""

_CREDENTIALS_CODES = frozenset({401, 403})

_NO_SOCKET = (AttributeError, OSError, RuntimeError, ValueError)
"""What urllib3 raises for a connection that has no socket yet, or none any more."""


class _RefusedError(requests.RequestException):
    """A status other than 200; the client's own error would keep it only as text."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class _TooLargeError(requests.RequestException):
    """A body over the limit."""


class Connection:
    """A connection to one server, for one query at a time.

    Args:
        endpoint: base URL.
        read_timeout_s: longest wait for the next bytes.
        resolve: looks up the host.
        options: what is sent along, and how the certificate is checked.
        guard: which addresses may be asked; None for a server of the operator's own.

    Attributes:
        is_refused: whether the server did not accept our credentials for the last query.
    """

    def __init__(
        self,
        endpoint: str,
        read_timeout_s: float,
        resolve: dialling.Resolve,
        options: RequestOptions,
        guard: AddressGuard | None,
    ) -> None:
        self._endpoint = endpoint
        self._secrets = credentials.secrets(options, endpoint)
        self.is_refused = False
        self._adapter = _BoundedAdapter(resolve, options, guard)
        session = requests.Session()
        session.trust_env = False  # neither proxies nor a netrc of the operator's machine
        self._client = PrometheusConnect(
            url=endpoint,
            headers=dict(options.headers),
            session=session,
            timeout=(CONNECT_TIMEOUT_S, read_timeout_s),  # type: ignore[arg-type] # a pair is fine
            method="POST",
        )
        # The client has mounted an adapter of its own on the endpoint, but as it is written there.
        session.adapters.clear()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter)

    def query(self, expression: str, until_s: float) -> tuple[float, ...] | NoData:
        """Ask and wait, until a monotonic time at most; runs in a thread.

        Only looking up the host may take longer.
        """
        return self._ask(
            lambda: results.read_result(self._client.custom_query(expression)), until_s
        )

    def query_by(self, expression: str, label: str, until_s: float) -> dict[str, float] | NoData:
        """Ask for a vector, of which each series has this one label."""
        return self._ask(
            lambda: results.read_by_label(self._client.custom_query(expression), label), until_s
        )

    def query_range(
        self, expression: str, start_s: float, end_s: float, step_s: float, until_s: float
    ) -> tuple[results.Point, ...] | NoData:
        """Ask for a value every `step_s` between two times, in seconds since 1970."""
        start, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (start_s, end_s))
        return self._ask(
            lambda: results.read_points(
                self._client.custom_query_range(expression, start, end, f"{step_s:g}")
            ),
            until_s,
        )

    def _ask(self, ask: Callable[[], T | NoData], until_s: float) -> T | NoData:
        self._adapter.begin(until_s)
        self.is_refused = False
        try:
            return ask()
        except (
            requests.RequestException,
            ValueError,
            LookupError,
            TypeError,
            RecursionError,
        ) as error:
            if isinstance(error, _RefusedError):
                self.is_refused = error.status in _CREDENTIALS_CODES
            return _explain(error, public(self._endpoint), self._secrets)

    def cut(self) -> None:
        """End the query, from another thread; of no use afterwards."""
        self._adapter.cut()

    def close(self) -> None:
        """Give the connection up while no query runs."""
        self._client.close()


class _BoundedAdapter(HTTPAdapter):
    """Reads a body up to a limit and until a time, and can be cut off from another thread."""

    def __init__(
        self, resolve: dialling.Resolve, options: RequestOptions, guard: AddressGuard | None
    ) -> None:
        super().__init__(max_retries=Retry(total=0, redirect=0))
        self._dialling = dialling.Dialling(
            resolve, self._left_s, CONNECT_TIMEOUT_S, guard, options.tls, options.server_name
        )
        self._until_s = math.inf
        self._is_cut = False
        self._connection: Any = None
        self._response: Any = None

    def begin(self, until_s: float) -> None:
        """Take up the next query, which may last until then."""
        self._until_s, self._response = until_s, None

    def _left_s(self) -> float:
        """Seconds that are left of the query; none once it was cut."""
        return 0.0 if self._is_cut else self._until_s - time.monotonic()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs["stream"] = True
        _move_to_body(request)
        response = self._response = super().send(request, *args, **kwargs)
        body = bytearray()
        self._demand_time(response)
        for chunk in response.iter_content(_CHUNK):
            self._demand_time(response)
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                response.close()
                raise _TooLargeError("the answer is too large")
        if response.status_code != requests.codes["ok"]:
            raise _RefusedError(response.status_code, bytes(body[:_CHUNK]))
        response._content = bytes(body)  # noqa: SLF001 - how requests itself keeps a body that was read
        return response

    def _demand_time(self, response: requests.Response) -> None:
        if self._left_s() <= 0:
            response.close()
            raise requests.Timeout

    def cut(self) -> None:
        """Make what is waited for fail at once: the head of the answer, or its body."""
        self._is_cut = True
        with suppress(*_NO_SOCKET):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        with suppress(*_NO_SOCKET):
            self._response.raw.shutdown()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Give the pool to use, made to tell which connection it dials."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = dialling.Https if pool.scheme == "https" else dialling.Http
        pool.ConnectionCls = partial(self._dial, kind)
        return pool

    def _dial(self, kind: type[dialling.Http], *args: Any, **kwargs: Any) -> dialling.Http:
        self._connection = connection = kind(*args, **kwargs)
        connection.dialling = self._dialling
        return connection


def _move_to_body(request: requests.PreparedRequest) -> None:
    """Send the parameters as a form: the client posts them in the URL, whose length is limited."""
    url, _, form = (request.url or "").partition("?")
    request.url, request.body = url, form
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    request.headers["Content-Length"] = str(len(form))


def _explain(error: Exception, endpoint: str, secrets: Collection[str]) -> NoData:
    """Say what an owner of a scaler can do; never the credentials, never a stack."""
    if isinstance(error, _RefusedError):
        return _explain_status(error, endpoint, secrets)
    if isinstance(error, _TooLargeError):
        message = f"{endpoint} answered more than {MAX_BODY_BYTES >> 20} MiB; aggregate in promQL"
        return NoData(NoDataReason.BAD_ANSWER, message)
    if isinstance(error, requests.Timeout):
        return NoData(
            NoDataReason.TIMEOUT, f"{endpoint} did not answer in time; is the query too expensive?"
        )
    if isinstance(error, requests.exceptions.InvalidURL):
        message = "endpoint has no usable host: write a name, or an address in its usual form"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    if isinstance(error, requests.ConnectionError):
        return _explain_connection(error, endpoint)
    return NoData(NoDataReason.BAD_ANSWER, f"{endpoint} did not answer as a Prometheus does")


def _explain_connection(error: requests.ConnectionError, endpoint: str) -> NoData:
    cause = _cause(error)
    if isinstance(cause, NameResolutionError):
        message = f"the host of {endpoint} is not known: check endpoint for a typo"
        return NoData(NoDataReason.UNKNOWN_HOST, message)
    if isinstance(cause, dialling.DeniedAddressError):
        message = (
            f"{endpoint} leads to {cause.denied}, which no source may ask: use the address of a "
            "service or pod, or have the operator open the range with --allow-source-ranges"
        )
        return NoData(NoDataReason.DENIED_ADDRESS, message)
    if isinstance(error, requests.exceptions.SSLError):
        message = (
            f"the certificate of {endpoint} is not trusted, or not for that host, or it speaks no "
            "TLS: set tls.caBundle to its authority, or tls.serverName to its name, or use http"
        )
        return NoData(NoDataReason.UNREACHABLE, message)
    return NoData(NoDataReason.UNREACHABLE, f"{endpoint} cannot be reached: check that it runs")


def _explain_status(error: _RefusedError, endpoint: str, secrets: Collection[str]) -> NoData:
    if error.status in _BAD_QUERY_CODES:
        detail = results.error_text(error.body, secrets)
        return NoData(
            NoDataReason.BAD_QUERY, f"Prometheus refuses promQL: {detail or 'it does not parse'}"
        )
    if error.status in _CREDENTIALS_CODES:
        message = (
            f"{endpoint} refuses our credentials (HTTP {error.status}): check auth and headers"
        )
        return NoData(NoDataReason.HTTP_ERROR, message)
    if error.status == requests.codes["not_found"]:
        message = f"{endpoint} has no /api/v1/query (HTTP 404): check the path of endpoint"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    if requests.codes["multiple_choices"] <= error.status < requests.codes["bad_request"]:
        message = (
            f"{endpoint} redirects elsewhere, which is not followed: set endpoint to where it "
            "points"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return NoData(NoDataReason.HTTP_ERROR, f"{endpoint} answered HTTP {error.status}")


def _cause(error: BaseException) -> object:
    """Look through what `requests` wraps; urllib3 keeps the last failure as its reason."""
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", None) or cause
