"""Connections of `urllib3` that are made within the time of their query.

By itself it tries each address of a host for as long as the time-out says, so a host with fifty
addresses that swallow everything would hold a thread for minutes; and it can be told to stop only
once it is connected.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

Addresses = Iterable[tuple[Any, ...]]
"""As `socket.getaddrinfo` gives them."""

Resolve = Callable[[str, int], Addresses]
"""Looks up the addresses of a host and port; may take long, and raises `OSError`."""


def resolve(host: str, port: int) -> Addresses:
    """Look them up as the machine is set up to."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(frozen=True, slots=True)
class Dialling:
    """How a connection is made.

    Attributes:
        left_s: seconds that are left of the query; none or fewer when it is over.
        address_timeout_s: longest time for one address.
    """

    resolve: Resolve
    left_s: Callable[[], float]
    address_timeout_s: float


class Http(HTTPConnection):
    """A connection without TLS.

    Attributes:
        dialling: set by whoever makes it; the library calls the constructor.
    """

    dialling: Dialling

    def connect(self) -> None:
        """Connect, and look whether there is time left: till now nobody could cut this."""
        super().connect()
        self._left_s()

    def _new_conn(self) -> socket.socket:
        failure = OSError("the host has no address")
        for *_, address in self._addresses():
            timeout_s = min(self.dialling.address_timeout_s, self._left_s())
            try:
                found = socket.create_connection(address[:2], timeout_s)
            except OSError as error:
                failure = error
            else:
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return found
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "the connection was not made in time") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def _addresses(self) -> Addresses:
        try:
            return self.dialling.resolve(self._dns_host.strip("[]"), self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error

    def _left_s(self) -> float:
        left_s = self.dialling.left_s()
        if left_s <= 0:
            raise ConnectTimeoutError(self, "the time of the query is over")
        return left_s


class Https(Http, HTTPSConnection):
    """The same with TLS; its handshake ends within the time-out of the address."""
