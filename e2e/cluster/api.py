"""The API server as a test asks it: in this process, in milliseconds; kubectl takes a hundred."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from e2e.cluster import certs, loopback, waiting

T = TypeVar("T")

FIELD_MANAGER: Final = "e2e"
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
READ_TIMEOUT_S: Final = 300.0
RETRY_S: Final = 0.1
JOIN_TIMEOUT_S: Final = 5.0
START_TIMEOUT_S: Final = 30.0

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """An API server, asked with one identity.

    Attributes:
        server: its base URL.
        client: the certificate to show, if any.
        headers: to send with every request, a token for example.
    """

    server: str
    client: certs.KeyPair | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        headers: loopback.Headers = (),
        content_type: str = "application/json",
    ) -> loopback.Answer:
        """Send a request, whatever comes of it."""
        given = [*self.headers, *dict(headers).items()]
        if body is not None:
            given.append(("Content-Type", content_type))
        return loopback.ask(
            method,
            f"{self.server}{path}",
            client=self.client,
            headers=given,
            body=json.dumps(body) if body is not None else None,
        )

    def get(self, path: str) -> Any:
        """Read an object, a list, or an aggregated API's answer."""
        return self._must("GET", path)

    def find(self, path: str) -> Object | None:
        """Read an object; None if it does not exist."""
        answer = self.ask("GET", path)
        return None if answer.status == 404 else self._checked("GET", path, answer)

    def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection."""
        return self._must("POST", path, body)

    def patch(self, path: str, body: Object) -> Object:
        """Change an object by a merge patch, as a person with kubectl would."""
        return self._must("PATCH", path, body, MERGE)

    def apply(self, path: str, body: Object) -> Object:
        """Apply an object server-side."""
        manager = f"fieldManager={FIELD_MANAGER}&force=true"
        return self._must("PATCH", f"{path}?{manager}", body, APPLY)

    def delete(self, path: str) -> None:
        """Delete an object or a collection; what is not there is fine."""
        answer = self.ask("DELETE", path)
        if answer.status != 404:
            self._checked("DELETE", path, answer)

    def _must(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        answer = self.ask(method, path, body, content_type=content_type)
        return self._checked(method, path, answer)

    def _checked(self, method: str, path: str, answer: loopback.Answer) -> Object:
        if not 200 <= answer.status < 300:
            raise waiting.ClusterError(f"{method} {path}: HTTP {answer.status}: {answer.text}")
        document: Object = answer.json()
        return document


@dataclass(frozen=True, slots=True)
class Moment(Generic[T]):
    """One value of a history, and when it was seen, in monotonic seconds."""

    at_s: float
    value: T


@dataclass(slots=True)
class History(Generic[T]):
    """Every value that something of the objects of a collection ever had; a poll would miss some.

    Use as a context manager. It survives restarts of the API server.

    Attributes:
        path: of the collection, with a field selector for one object.
        project: what of an object is of interest; None stands for its absence.
    """

    api: Api
    path: str
    project: Callable[[Object], T]
    moments: list[Moment[T | None]] = field(default_factory=list)
    _started: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _connection: http.client.HTTPConnection | None = None

    @property
    def values(self) -> list[T | None]:
        """The values in their order, each once while it lasted."""
        return [moment.value for moment in list(self.moments)]

    def wait_for(self, value: T, *, timeout_s: float) -> Moment[T | None]:
        """Wait until the newest value is this one; one that does not last, `wait_for_all` sees."""
        return self.wait_until(lambda seen: seen == value, f"{value!r}", timeout_s=timeout_s)

    def wait_for_all(self, *values: T | None, timeout_s: float) -> None:
        """Wait until it had exactly these values, also if it kept one for no time at all."""
        self.wait_until(lambda _: self.values == list(values), f"{values}", timeout_s=timeout_s)

    def wait_until(
        self, accepts: Callable[[T | None], bool], what: str, *, timeout_s: float
    ) -> Moment[T | None]:
        """Wait until the newest value is accepted."""

        def probe() -> Moment[T | None] | None:
            newest = self.moments[-1] if self.moments else None
            return newest if newest is not None and accepts(newest.value) else None

        return waiting.until(
            probe,
            what=f"{what} at {self.path}",
            timeout_s=timeout_s,
            interval_s=0.02,
            hint=lambda: f"--- seen so far: {self.values}",
        )

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S):
            raise waiting.ClusterError(f"{self.path} cannot be watched")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        sock = self._connection.sock if self._connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread
        if self._thread:
            self._thread.join(JOIN_TIMEOUT_S)

    def _follow(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                self._watch()
            self._ended.wait(RETRY_S)

    def _watch(self) -> None:
        """Take what exists, up to a first bookmark, and then every change."""
        address = (
            f"{self.api.server}{self.path}{'&' if '?' in self.path else '?'}watch=true"
            "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        )
        connection = loopback.open_connection(address, self.api.client, READ_TIMEOUT_S)
        self._connection = connection
        with contextlib.closing(connection):
            answer = loopback.send(connection, "GET", address, self.api.headers)
            while answer.status == 200 and (line := answer.readline()):
                if self._ended.is_set():
                    return
                self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        if event["type"] == "BOOKMARK":
            self._started.set()
            return
        if event["type"] == "ERROR":
            raise OSError(f"the watch ended: {event['object']}")
        value = None if event["type"] == "DELETED" else self.project(event["object"])
        if not self.moments or self.moments[-1].value != value:
            self.moments.append(Moment(time.monotonic(), value))
