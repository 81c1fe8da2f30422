"""What serves metrics.k8s.io and custom.metrics.k8s.io here, where no kubelet measures anything.

A test says how much all ready pods of an app use together, and they share it evenly; the pods are
those of the API server at that moment. One that became ready has nothing to do at first, since who
asks may not know of it yet, and would miss its part. Our servers and the HPA controller ask through
the aggregation layer, as in any cluster.
"""

import base64
import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from e2e.cluster import ports
from e2e.cluster.api import Api, Object
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.workloads import is_ready, ready_since

NAMESPACE: Final = "kube-system"
SERVICE: Final = "pretended-metrics"
RESOURCE: Final = ("metrics.k8s.io", "v1beta1")
CUSTOM: Final = ("custom.metrics.k8s.io", "v1beta2")
WINDOW_S: Final = 1
SHIFT_S: Final = 2
"""Until a pod that became ready has its part; one more than we mean, as whole ones are told."""
AVAILABLE_TIMEOUT_S: Final = 90.0
JOIN_TIMEOUT_S: Final = 5.0

Whose = tuple[str, str, str]
"""Namespace, app and metric."""


@dataclass(slots=True)
class MetricsApis:
    """Serves both groups from a thread of this process.

    Attributes:
        api: the API server, asked for pods.
        loads: what the pods use together.
        answering: how many pods answer, by namespace and app; all where it is not told.
        objects: values of objects by what of the path tells of them.
        is_down: whether every question is refused, as by an API server that reaches nobody.
    """

    api: Api
    loads: dict[Whose, float] = field(default_factory=dict)
    answering: dict[tuple[str, str], int] = field(default_factory=dict)
    objects: dict[str, float] = field(default_factory=dict)
    is_down: bool = False

    def answer(self, path: str, selector: str) -> tuple[int, Object]:
        """Answer one GET."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if len(parts) <= 3:
            return self._discover(parts)
        if self.is_down:
            return 503, _failure(503)
        group, _, _, namespace, *rest = parts[1:]
        app = selector.removeprefix("app=")
        if group == RESOURCE[0]:
            return 200, {"kind": "PodMetricsList", "items": self._usages(namespace, app)}
        if rest[:2] == ["pods", "*"]:
            items = list(self._values(namespace, app, rest[2]))
        else:
            known = self.objects.get("/".join([namespace, *rest]))
            items = [_value(namespace, rest[1], rest[-1], known)] if known is not None else []
        return 200, {
            "kind": "MetricValueList",
            "apiVersion": "/".join(CUSTOM),
            "metadata": {},
            "items": items,
        }

    def _discover(self, parts: list[str]) -> tuple[int, Object]:
        """Name one resource a group, as servers do whose metrics come and go."""
        if parts == ["openapi", "v2"]:
            information = {"title": SERVICE, "version": "1"}
            return 200, {"swagger": "2.0", "info": information, "paths": {}}
        if len(parts) != 3:
            return 404, _failure(404)
        resource = {
            "name": "pods",
            "singularName": "",
            "namespaced": True,
            "verbs": ["get", "list"],
        }
        if parts[1] == CUSTOM[0]:
            resource = {**resource, "name": "custommetrics", "verbs": ["get"]}
        body = {"groupVersion": "/".join(parts[1:]), "resources": [{**resource, "kind": "Metrics"}]}
        return 200, {"kind": "APIResourceList", "apiVersion": "v1", **body}

    def _pods(self, namespace: str, app: str, metric: str) -> Iterator[tuple[str, float]]:
        found = self.api.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{app}")
        ready = {
            pod["metadata"]["name"]: ready_since(pod)
            for pod in found["items"]
            if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
        }
        load = self.loads.get((namespace, app, metric))
        if load is None:
            return
        if (namespace, app) in self.answering:
            for name in list(ready)[: self.answering[namespace, app]]:
                yield name, load / len(ready)
            return
        old = {name for name, since in ready.items() if _age_s(since) >= SHIFT_S} or ready.keys()
        for name in ready:
            yield name, load / len(old) if name in old else 0.0

    def _usages(self, namespace: str, app: str) -> list[Object]:
        items: dict[str, Object] = {}
        for metric, form in (("cpu", "{:.0f}n"), ("memory", "{:.0f}m")):
            scale = 1e9 if metric == "cpu" else 1e3
            for name, amount in self._pods(namespace, app, metric):
                item = items.setdefault(name, {})
                item[metric] = form.format(amount * scale)
        return [
            {
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
                "timestamp": _now(),
                "window": f"{WINDOW_S}s",
                "containers": [{"name": "server", "usage": usage}],
            }
            for name, usage in items.items()
        ]

    def _values(self, namespace: str, app: str, metric: str) -> Iterator[Object]:
        for name, amount in self._pods(namespace, app, metric):
            yield _value(namespace, name, metric, amount)


@contextlib.contextmanager
def serving(cluster: ControlPlane, api: Api) -> Iterator[MetricsApis]:
    """Serve inside; the registrations go at the end, or they would block namespaces from going."""
    apis = MetricsApis(api)
    authority = cluster.pki.cluster_authority
    name = f"{SERVICE}.{NAMESPACE}.svc"
    directory = cluster.directory / SERVICE
    directory.mkdir(exist_ok=True)
    pair = authority.issue(directory, "serving", common_name=name, dns_names=(name,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    (port,) = ports.pick(1)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler(apis))
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    bundle = base64.b64encode(authority.files.certificate.read_bytes()).decode()
    registrations = [_registration(*group, port, bundle) for group in (RESOURCE, CUSTOM)]
    try:
        cluster.kubectl.apply(_service(port), *registrations)
        for one in registrations:
            cluster.kubectl.wait_for(
                lambda found: any(
                    (c["type"], c["status"]) == ("Available", "True")
                    for c in found.get("status", {}).get("conditions", ())
                ),
                f"apiservice/{one['metadata']['name']}",
                what="the pretended metrics to be available",
                timeout_s=AVAILABLE_TIMEOUT_S,
            )
        yield apis
    finally:
        for one in registrations:
            cluster.kubectl.run(
                "delete", "--ignore-not-found", f"apiservice/{one['metadata']['name']}"
            )
        cluster.kubectl.run(
            "delete", "--ignore-not-found", f"service/{SERVICE}", f"--namespace={NAMESPACE}"
        )
        server.shutdown()
        server.server_close()
        thread.join(JOIN_TIMEOUT_S)


def _handler(apis: MetricsApis) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            selector = parse_qs(parts.query).get("labelSelector", [""])[0]
            status, document = apis.answer(parts.path, selector)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler


def _value(namespace: str, about: str, metric: str, value: float) -> Object:
    return {
        "describedObject": {
            "kind": "Pod",
            "namespace": namespace,
            "name": about,
            "apiVersion": "v1",
        },
        "metric": {"name": metric, "selector": None},
        "timestamp": _now(),
        "windowSeconds": WINDOW_S,
        "value": f"{value * 1000:.0f}m",
    }


def _age_s(since: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _failure(code: int) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}


def _service(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE},
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"port": port, "protocol": "TCP"}],
        },
    }


def _registration(group: str, version: str, port: int, bundle: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": SERVICE, "namespace": NAMESPACE, "port": port},
            "caBundle": bundle,
        },
    }
