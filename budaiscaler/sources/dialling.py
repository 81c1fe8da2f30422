"""Connections of `urllib3` that are made within the time of their query, and to no denied address.

By itself it tries each address of a host for as long as the time-out says, so a host with fifty
addresses that swallow everything would hold a thread for minutes; and it can be told to stop only
once it is connected. What is checked is the address that the socket is given, so a name that
resolves to something else a moment later leads nowhere else.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from budaiscaler.sources.addresses import AddressGuard

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
        guard: which addresses may be connected to; None for a server of the operator's own.
        tls: checks the certificate of an https server; None is by the system's authorities.
        server_name: to expect in it; None expects the host.
    """

    resolve: Resolve
    left_s: Callable[[], float]
    address_timeout_s: float
    guard: AddressGuard | None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


class DeniedAddressError(NewConnectionError):
    """An address that must not be connected to; `denied` says which and why."""

    def __init__(self, connection: HTTPConnection, denied: str) -> None:
        super().__init__(connection, "the address is denied")
        self.denied = denied


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
        addresses = tuple(self._addresses())
        self._check(addresses)
        for *_, address in addresses:
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

    def _check(self, addresses: Addresses) -> None:
        """Refuse a name of which one address is denied."""
        guard = self.dialling.guard
        for *_, address in addresses if guard is not None else ():
            if guard is not None and (refusal := guard.refusal(str(address[0]))) is not None:
                raise DeniedAddressError(self, f"{address[0]}, {refusal}")

    def _left_s(self) -> float:
        left_s = self.dialling.left_s()
        if left_s <= 0:
            raise ConnectTimeoutError(self, "the time of the query is over")
        return left_s


class Https(Http, HTTPSConnection):
    """The same with TLS; its handshake ends within the time-out of the address."""

    def connect(self) -> None:
        """Connect, and check the certificate as the context says and in no other way."""
        context = self.dialling.tls or _by_system()
        self.ssl_context, self.cert_reqs = context, context.verify_mode
        self.ca_certs = self.ca_cert_dir = self.ca_cert_data = None
        self.assert_hostname = None if context.check_hostname else False
        self.server_hostname = self.dialling.server_name
        super().connect()
        self.is_verified = True  # as far as its user wants it to be; urllib3 warns otherwise


@lru_cache(maxsize=1)
def _by_system() -> ssl.SSLContext:
    return ssl.create_default_context()
