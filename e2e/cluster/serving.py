"""A small HTTP server in a thread of this process, for what tests serve themselves."""

import http.server
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from e2e.cluster import ports

POLL_S: Final = 0.05
JOIN_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer a GET with."""

    status: int
    content_type: str
    body: str


class Server:
    """Answers every GET by calling `answer`.

    Args:
        answer: Returns the answer; called in the server's threads.
        host: Where to listen.
        port: Where to listen; if left out, a free port is chosen, and kept while stopped.
    """

    def __init__(
        self, answer: Callable[[], Answer], host: str = "127.0.0.1", port: int | None = None
    ) -> None:
        self.host = host
        self.port = port if port is not None else ports.pick(1)[0]
        self._answer = answer
        self._running: tuple[http.server.ThreadingHTTPServer, threading.Thread] | None = None

    @property
    def target(self) -> str:
        """Its `host:port`."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Listen, unless it does."""
        if self._running:
            return
        server = http.server.ThreadingHTTPServer((self.host, self.port), _handler(self._answer))
        thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
        self._running = server, thread
        thread.start()

    def stop(self) -> None:
        """Refuse connections from now on, as a server that has died."""
        if self._running:
            server, thread = self._running
            server.shutdown()
            thread.join(JOIN_TIMEOUT_S)
            server.server_close()
        self._running = None


def _handler(answer: Callable[[], Answer]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = answer()
            body = given.body.encode()
            self.send_response(given.status)
            self.send_header("Content-Type", given.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler
