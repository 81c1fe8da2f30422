"""A gate of TLS and credentials before a server that asks for neither, in a thread of ours."""

import base64
import http.server
import ssl
import threading
import urllib.error
import urllib.request
from types import TracebackType
from typing import Final, Self

from e2e.cluster import certs

POLL_S: Final = 0.05
TIMEOUT_S: Final = 10.0


class Gate:
    """Passes on requests that show an accepted `Authorization`, and answers 401 to all others.

    Args:
        upstream: Base URL of the server behind it.
        pair: Its certificate and key.

    Attributes:
        accepted: Values of the header that are good.
        passed: Paths of requests that were passed on.
    """

    def __init__(self, upstream: str, pair: certs.KeyPair) -> None:
        self.accepted: set[str] = set()
        self.passed: list[str] = []
        self._upstream = upstream
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,))

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"https://127.0.0.1:{self._server.server_port}"

    def ask(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        """Pass a request on."""
        self.passed.append(path)
        request = urllib.request.Request(
            f"{self._upstream}{path}", body, {"Content-Type": kind} if kind else {}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def bearer(token: str) -> str:
    """The header for a token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The header for a user and a password."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _handler(gate: Gate) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            if self.headers.get("Authorization") in gate.accepted:
                kind = self.headers.get("Content-Type", "")
                status, answer = gate.ask(self.command, self.path, body, kind)
            else:
                status, answer = 401, b"who are you?"
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler
