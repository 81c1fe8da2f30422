"""The TLS endpoint: each handshake gets the newest certificate and trusts the newest CA.

An `SSLContext` cannot forget a CA, so a change makes a new context, and the server-name callback of
the listening one hands it to the handshake; it also fires for clients that send no name, such as
the API server's availability probe. What was verified before a CA went must not outlive it: session
tickets are off, the certificate of a session resumed all the same (TLS 1.2 can do it by number) is
not believed, and connections made before are closed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from asyncio import sslproto
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from adapter.authn import PeerCertificate
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime.tls import KeyPair

KEEPALIVE_S = 120.0
"""Above the 90 s after which Go closes an idle connection, so that it is never us in a race."""

CLOSE_TIMEOUT_S = 10.0
HANDSHAKE_TIMEOUT_S = 10.0
READ_BUFFER_BYTES = 32 * 1024

MOST_CONNECTIONS = 2000
"""Far more than API servers and balancers open; idle ones take less than 100 KiB each."""

_log = structlog.get_logger()


class ServingContext:
    """The context to listen with; `use` changes what it serves."""

    def __init__(self) -> None:
        self.listening = _context()
        self._newest = self.listening
        # The annotation of the standard library is narrower than what it calls us with.
        self.listening.sni_callback = self._hand_over

    def use(self, pair: KeyPair, client_ca: str | None) -> None:
        """Serve `pair`, and believe client certificates of `client_ca`; without one, of nobody.

        Raises:
            ConfigurationError: one of them is none; what was used before still is.
        """
        newest = _context()
        try:
            _load(newest, pair)
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"the serving certificate and its key cannot be used: {error}"
            ) from error
        if client_ca is not None:
            try:
                newest.load_verify_locations(cadata=client_ca)
            except (ssl.SSLError, ValueError) as error:
                raise ConfigurationError(
                    f"the CA of the front proxy cannot be used: {error}"
                ) from error
        self._newest = newest

    def _hand_over(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: ssl.SSLContext
    ) -> None:
        connection.context = self._newest


def verified_peer(transport: asyncio.Transport | None) -> PeerCertificate | None:
    """Give the client's certificate, if this very connection presented one and verified it."""
    line = transport.get_extra_info("ssl_object") if transport is not None else None
    if line is None or line.session_reused:
        return None
    peer: PeerCertificate | None = line.getpeercert()
    return peer


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Asked for, not demanded: token clients and probes have none. A connection keeps the mode it
    # began with, so the listening context must have it too.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Load a pair from memory; the library reads only files, so they live for this moment."""
    with tempfile.TemporaryDirectory(prefix="budaiscaler-") as directory:
        file = Path(directory) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)


@dataclass(slots=True)
class Server:
    """The listening server as a context manager.

    Attributes:
        drain_s: how long it goes on serving after it was told to stop, so that load balancers
            notice before connections are refused.
        draining: readiness says no from then on.
        most_connections: above so many a new one is ended at once.
    """

    app: web.Application
    context: ServingContext
    host: str | None
    port: int
    drain_s: float
    draining: bool = False
    most_connections: int = MOST_CONNECTIONS
    _runner: web.AppRunner | None = None
    _listener: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        # 256 KiB a connection by default, also for those that never send a byte: an anonymous
        # client with two thousand of them would take half a gigabyte. A TLS record is 16 KiB.
        sslproto.SSLProtocol.max_size = READ_BUFFER_BYTES
        logging.getLogger("aiohttp.server").addFilter(_without_malformed)
        self._runner = web.AppRunner(
            self.app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=CLOSE_TIMEOUT_S,
            handle_signals=False,
        )
        await self._runner.setup()
        self._listener = await asyncio.get_running_loop().create_server(
            self._connection,
            self.host,
            self.port,
            ssl=self.context.listening,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            backlog=1024,
        )
        _log.info("serving", host=self.host or "*", port=self.port)
        return self

    def _connection(self) -> asyncio.BaseProtocol:
        """Make the protocol of a connection that was just accepted."""
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= self.most_connections:
            return _Refusal()
        return server()

    def close_connections(self) -> None:
        """End every connection, so that clients come anew; Go repeats what it was reading."""
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                connection.force_close()  # a gentle close leaves an idle one open, and deaf

    async def __aexit__(self, *_: object) -> None:
        self.draining = True
        try:
            await asyncio.sleep(self.drain_s)
        finally:
            if self._listener is not None:
                self._listener.close()
            if self._runner is not None:
                await self._runner.cleanup()


class _Refusal(asyncio.Protocol):
    """Ends a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def _without_malformed(record: logging.LogRecord) -> bool:
    """Keep what is no HTTP out of the log: anybody can send it, and a token may stand in it."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)
