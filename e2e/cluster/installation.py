"""BudAIScaler on the cluster, as shipped: its kustomize base, its own ServiceAccounts, no more.

No kubelet runs here, so the servers are processes of this machine. The base is applied without its
Deployments, and its Service leads to this machine; whatever RBAC rule it lacks, the servers lack.
"""

import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.cluster import identities, ports
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.daemons import Daemon

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv" / "bin" / "python"
NAMESPACE: Final = "budaiscaler-system"
ADAPTER: Final = "budaiscaler-adapter"
CONTROLLER: Final = "budaiscaler-controller"
API_SERVICE: Final = "v1beta1.external.metrics.k8s.io"
READY_TIMEOUT_S: Final = 45.0
_LEFT_OUT: Final = frozenset({"Deployment", "PodDisruptionBudget"})


@dataclass(frozen=True, slots=True)
class Server:
    """One copy of the adapter or the controller.

    Attributes:
        probe: base URL of its probes.
    """

    daemon: Daemon
    port: int
    probe: str

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.daemon.start()
        self.daemon.wait_until(lambda: self.get("/readyz")[0] == 200, timeout_s=READY_TIMEOUT_S)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """GET directly, without the API server; status 0 means that nothing answers."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(f"{self.probe}{path}", headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""


@dataclass(slots=True)
class Installation:
    """Applies the base and makes servers.

    Attributes:
        port: where kube-apiserver finds the adapter; an adapter's own, or a balancer's.
        flags: for every adapter, over those that make it quick enough for tests.
    """

    cluster: ControlPlane
    port: int = field(default_factory=lambda: ports.pick(1)[0])
    flags: dict[str, str] = field(default_factory=dict)

    def apply(self) -> None:
        """Apply the base; waits until the API server knows the new kind."""
        kubectl = self.cluster.kubectl
        self.cluster.kubectl.apply(*(d for d in self.documents() if d["kind"] == "Namespace"))
        kubectl.apply(*self.documents())
        kubectl.wait_for(
            lambda found: (
                "True"
                in [
                    c["status"]
                    for c in found["status"].get("conditions", [])
                    if c["type"] == "Established"
                ]
            ),
            "crd/budaiscalers.scaler.bud.studio",
            what="the CRD to be established",
        )

    def documents(self) -> list[dict[str, Any]]:
        """The base as shipped, with the Service led to this machine."""
        printed = self.cluster.kubectl.run("kustomize", str(ROOT / "manifests" / "base")).stdout
        documents = [d for d in yaml.safe_load_all(printed) if d["kind"] not in _LEFT_OUT]
        for document in documents:
            if document["kind"] == "Service":
                document["spec"] = {
                    "type": "ExternalName",
                    "externalName": "localhost",
                    "ports": [{"name": "https", "port": self.port}],
                }
            elif document["kind"] == "APIService":
                document["spec"]["service"]["port"] = self.port
        return documents

    def adapter(self, name: str = ADAPTER, *, port: int | None = None, **flags: str) -> Server:
        """Make one copy of the adapter; `flags` are its own, with `_` for `-`."""
        port = self.port if port is None else port
        wanted = {
            "secure_port": str(port),
            "evaluation_interval": "500ms",
            "shutdown_delay": "1s",
            **self.flags,
            **flags,
        }
        daemon = self._daemon(name, "adapter", ADAPTER, wanted)
        return Server(daemon, port, f"https://127.0.0.1:{port}")

    def controller(self, name: str = CONTROLLER, **flags: str) -> Server:
        """Make one copy of the controller."""
        (port,) = ports.pick(1)
        daemon = self._daemon(
            name,
            "controller",
            CONTROLLER,
            {"probe_port": str(port), "resync_interval": "2s", **flags},
        )
        return Server(daemon, port, f"http://127.0.0.1:{port}")

    def _daemon(self, name: str, module: str, account: str, flags: Mapping[str, str]) -> Daemon:
        kubeconfig = identities.service_account(self.cluster, NAMESPACE, account)
        given = {
            "kubeconfig": str(kubeconfig),
            "bind_address": "127.0.0.1",
            "identity": name,
            **flags,
        }
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
        command = [str(PYTHON), "-I", "-m", module, *arguments]
        return Daemon(name, command, self.cluster.directory, guarded=self.cluster.guarded)
