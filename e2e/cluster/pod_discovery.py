"""Tells Prometheus which pods there are.

Debian builds Prometheus without its Kubernetes service discovery. This answers in its place, by
HTTP, with a target for each pod and labels of the names that Kubernetes' discovery gives them, so
the relabelling rules are the ones that work in a real cluster.
"""

import json
import re
from typing import Any

from e2e.cluster import loopback, serving
from e2e.cluster.control_plane import ControlPlane


class PodDiscovery:
    """An HTTP service discovery of the pods of a cluster."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._server = serving.Server(self._answer)

    @property
    def url(self) -> str:
        """What to give Prometheus as `http_sd_configs.url`."""
        return f"http://{self._server.target}/"

    def start(self) -> None:
        """Listen."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening; Prometheus goes on with the targets it knows."""
        self._server.stop()

    def _answer(self) -> serving.Answer:
        admin = self._cluster.pki.pair("admin")
        status, body = loopback.get(f"{self._cluster.server}/api/v1/pods", client=admin)
        if status != 200:
            return serving.Answer(503, "text/plain", body)
        pods = json.loads(body)["items"]
        groups = [_group(pod) for pod in pods if pod["status"].get("podIP")]
        return serving.Answer(200, "application/json", json.dumps(groups))


def _group(pod: dict[str, Any]) -> dict[str, Any]:
    metadata, address = pod["metadata"], pod["status"]["podIP"]
    conditions = pod["status"].get("conditions", [])
    labels = {
        "namespace": metadata["namespace"],
        "pod_name": metadata["name"],
        "pod_ip": address,
        "pod_node_name": pod["spec"]["nodeName"],
        "pod_phase": pod["status"]["phase"],
        "pod_ready": next((c["status"].lower() for c in conditions if c["type"] == "Ready"), ""),
    }
    for kind in ("label", "annotation"):
        for key, value in metadata.get(f"{kind}s", {}).items():
            labels[f"pod_{kind}_{re.sub('[^a-zA-Z0-9_]', '_', key)}"] = value
    meta = {f"__meta_kubernetes_{name}": value for name, value in labels.items()}
    return {"targets": [address], "labels": meta}
