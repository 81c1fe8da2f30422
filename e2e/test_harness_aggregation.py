"""The API server passes requests for an aggregated API on to us, and says who asks."""

import base64
import http.server
import json
import queue
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import certs, identities, waiting
from e2e.cluster.balancer import Balancer
from e2e.cluster.control_plane import ControlPlane

GROUP, VERSION = "harness.e2e.budaiscaler", "v1"


@pytest.fixture
def asked(
    control_plane: ControlPlane, tmp_path: Path
) -> Iterator[tuple[int, "queue.SimpleQueue[tuple[str, str]]"]]:
    """A TLS server that trusts only the front proxy; its port, and who asked it through whom."""
    authority = control_plane.pki.cluster_authority
    name = "harness.default.svc"
    serving = authority.issue(tmp_path, "serving", common_name=name, dns_names=(name,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(serving.certificate, serving.key)
    context.load_verify_locations(control_plane.pki.front_proxy_authority.files.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    seen: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.connection, ssl.SSLSocket)
            proxy: Any = self.connection.getpeercert() or {}
            names = [value for part in proxy.get("subject", ()) for _, value in part]
            seen.put((self.headers.get("X-Remote-User", ""), ",".join(names)))
            resources = {"kind": "APIResourceList", "groupVersion": f"{GROUP}/{VERSION}"}
            body = json.dumps({"apiVersion": "v1", "resources": [], **resources}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with Balancer([server.server_port]) as balancer:
            yield balancer.port, seen
        server.shutdown()
        thread.join()


def test_requests_arrive_with_their_user(
    control_plane: ControlPlane, asked: tuple[int, "queue.SimpleQueue[tuple[str, str]]"]
) -> None:
    """A proxied request shows the front proxy's certificate and names the user behind it."""
    port, seen = asked
    authority = control_plane.pki.cluster_authority.files.certificate
    kubectl = control_plane.kubectl
    kubectl.apply(service(port), api_service(port, authority))
    try:
        kubectl.wait_for(
            lambda found: "True" in {c["status"] for c in found["status"].get("conditions", [])},
            f"apiservice/{VERSION}.{GROUP}",
            what="the aggregated API to be available",
        )
        admins = ("system:masters",)
        alice = control_plane.kubectl_as(identities.user(control_plane, "Alice", admins))
        asking = ("get", "--raw", f"/apis/{GROUP}/{VERSION}")
        waiting.until(  # requests are passed on only some time after it is said that they would be
            lambda: True if alice.run(*asking, check=False).returncode == 0 else None,
            what="a request to be passed on",
            timeout_s=60,
        )
        users = {seen.get(timeout=5) for _ in range(seen.qsize())}
    finally:
        kubectl.run("delete", f"apiservice/{VERSION}.{GROUP}")
        kubectl.run("delete", "service/harness", "--namespace=default")

    assert ("Alice", certs.FRONT_PROXY_NAME) in users


def service(port: int) -> dict[str, Any]:
    """Return a Service that stands for a port of this machine."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "harness", "namespace": "default"},
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"port": port, "protocol": "TCP"}],
        },
    }


def api_service(port: int, authority: Path) -> dict[str, Any]:
    """Return the APIService that sends a group's requests to that Service."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{VERSION}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": "harness", "namespace": "default", "port": port},
            "caBundle": base64.b64encode(authority.read_bytes()).decode(),
        },
    }
