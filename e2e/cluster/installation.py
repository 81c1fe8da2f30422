"""BudAIScaler on the cluster, as shipped: its kustomize base, its own ServiceAccounts, no more.

No kubelet runs here, so the servers are processes of this machine. The base is applied without its
Deployments, and its Service leads to this machine; whatever RBAC rule it lacks, the servers lack.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from budaiscaler.evaluator.settings import EvaluatorSettings
from budaiscaler.runtime.settings import ServerSettings
from e2e.cluster import certs, identities, loopback, ports, waiting
from e2e.cluster.api import Api, History
from e2e.cluster.balancer import Balancer
from e2e.cluster.components import Component
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.daemons import Daemon

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv" / "bin" / "python"
NAMESPACE: Final = "budaiscaler-system"
ADAPTER: Final = "budaiscaler-adapter"
CONTROLLER: Final = "budaiscaler-controller"
API_SERVICE: Final = "v1beta1.external.metrics.k8s.io"
READY_TIMEOUT_S: Final = 90.0
OUTAGE_TAIL_S: Final = 15.0
"""A request that was under way when the API server went fails that much later at most."""
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

    @property
    def name(self) -> str:
        """Its identity in the Lease."""
        return self.daemon.name

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.daemon.start()
        self.daemon.wait_until(lambda: self.get("/readyz")[0] == 200, timeout_s=READY_TIMEOUT_S)

    def get(self, path: str, headers: loopback.Headers = ()) -> tuple[int, str]:
        """GET directly, without the API server; status 0 means that nothing answers."""
        answer = self.ask("GET", path, headers=headers)
        return answer.status, answer.text

    def ask(
        self,
        method: str,
        path: str,
        *,
        client: certs.KeyPair | None = None,
        headers: loopback.Headers = (),
    ) -> loopback.Answer:
        """Send any request directly, without the API server."""
        return loopback.ask(method, f"{self.probe}{path}", client=client, headers=headers)


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
        documents = self.documents()
        kubectl.apply(*(d for d in documents if d["kind"] == "Namespace"))
        kubectl.apply(*documents)
        kubectl.wait_for(
            lambda found: condition(found, "Established") == "True",
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
            "shutdown_delay": "2s",
            **self._evaluator_flags,
            **self.flags,
            **flags,
        }
        daemon = self._daemon(name, "adapter", ADAPTER, wanted)
        return Server(daemon, port, f"https://127.0.0.1:{port}")

    @property
    def _evaluator_flags(self) -> dict[str, str]:
        """Flags of whoever evaluates."""
        quick = {
            "evaluation_interval": "500ms",
            "allow_source_ranges": "127.0.0.0/8",  # all there is here
        }
        known = EvaluatorSettings.model_fields.keys() - ServerSettings.model_fields.keys()
        return quick | {name: value for name, value in self.flags.items() if name in known}

    def wait_until_available(self) -> None:
        """Wait until the API server reaches the adapter, and takes its certificate."""
        self.cluster.kubectl.wait_for(
            lambda found: condition(found, "Available") == "True",
            f"apiservice/{API_SERVICE}",
            what="the adapter's API to be available",
            timeout_s=READY_TIMEOUT_S,
        )

    def controller(
        self, name: str = CONTROLLER, *, probe_port: int | None = None, **flags: str
    ) -> Server:
        """Make one copy of the controller."""
        port = ports.pick(1)[0] if probe_port is None else probe_port
        daemon = self._daemon(
            name,
            "controller",
            CONTROLLER,
            {"probe_port": str(port), "resync_interval": "2s", **self._evaluator_flags, **flags},
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


@dataclass(slots=True)
class Running:
    """Everything up: two adapters behind one address, as behind a Service, and a controller.

    Attributes:
        api: the API server, asked as its administrator.
        first_discovery: what the adapter said of its group before there was any scaler.
        available_after_s: from when the adapters were ready until the API server had noticed.
        api_server_log_start: where the API server's log ended when the adapter became available.
        outages: when a test took the API server away, in seconds since the epoch.
        expected_refusals: paths of which a test saw to it that they were forbidden.
    """

    cluster: ControlPlane
    api: Api
    installation: Installation
    adapters: tuple[Server, Server]
    controller: Server
    first_discovery: loopback.Answer
    available_after_s: float
    api_server_log_start: int
    outages: list[tuple[float, float]] = field(default_factory=list)
    expected_refusals: set[str] = field(default_factory=set)

    @property
    def servers(self) -> tuple[Server, ...]:
        """All of them."""
        return (*self.adapters, self.controller)

    @property
    def leader(self) -> Server:
        """The adapter that evaluates now."""
        return next(server for server in self.adapters if server.name == self.holder(ADAPTER))

    @property
    def follower(self) -> Server:
        """The adapter that only serves."""
        return next(server for server in self.adapters if server is not self.leader)

    def lease(self, name: str) -> dict[str, Any]:
        """The Lease of the adapters or the controllers."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{name}"
        found: dict[str, Any] = self.api.get(path)
        return found

    def holder(self, name: str) -> str:
        """Who holds that Lease; empty when it was given back."""
        return str(self.lease(name)["spec"].get("holderIdentity", ""))

    def holders(self, name: str) -> History[str]:
        """Who holds that Lease, whenever that changes."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        return History(
            self.api,
            f"{path}?fieldSelector=metadata.name%3D{name}",
            lambda found: str(found["spec"].get("holderIdentity", "")),
        )

    def wait_for_leader(
        self, *, other_than: str = "", timeout_s: float = READY_TIMEOUT_S
    ) -> Server:
        """Wait until an adapter leads, and vouches for its reports."""

        def probe() -> Server | None:
            holder = self.holder(ADAPTER)
            found = [server for server in self.adapters if server.name == holder]
            return found[0] if found and holder != other_than else None

        return waiting.until(probe, what="an adapter to lead", timeout_s=timeout_s)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """A while without an API server; what is logged about it then is no error of ours."""
        started_s = time.time()
        try:
            yield
        finally:
            self.outages.append((started_s, time.time() + OUTAGE_TAIL_S))

    def ask_as(
        self, server: Server, path: str, *, user: str, groups: tuple[str, ...] = ()
    ) -> loopback.Answer:
        """GET from one copy as kube-apiserver does: with its certificate, in a user's name."""
        headers = [("X-Remote-User", user), *(("X-Remote-Group", group) for group in groups)]
        client = identities.front_proxy(self.cluster)
        return server.ask("GET", path, client=client, headers=headers)

    def figure(self, server: Server, name: str, /, **labels: str) -> float | None:
        """Read one of a server's own metrics; None if it is not there."""
        if server is self.controller:
            text = server.get("/metrics")[1]
        else:
            asked = self.ask_as(server, "/metrics", user="admin", groups=("system:masters",))
            text = asked.text
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(label in series for label in wanted):
                return float(value)
        return None


@contextmanager
def running(cluster: ControlPlane, **flags: str) -> Iterator[Running]:
    """Install and start everything; `flags` are for the adapters."""
    with ExitStack() as stack:
        first, second = ports.pick(2)
        balancer = stack.enter_context(Balancer([first, second]))
        installation = Installation(cluster, balancer.port, flags)
        installation.apply()
        adapters = (
            installation.adapter(port=first),
            installation.adapter(f"{ADAPTER}-2", port=second),
        )
        controller = installation.controller()
        for server in (*adapters, controller):
            stack.callback(server.daemon.stop)
            server.daemon.start()
        for server in (*adapters, controller):
            server.start()
        ready_s = time.monotonic()
        api = Api(cluster.server, cluster.pki.pair("admin"))
        installation.wait_until_available()
        log = cluster.daemons[Component.APISERVER].log
        started = Running(
            cluster,
            api,
            installation,
            adapters,
            controller,
            first_discovery=loopback.Answer(0, {}, ""),
            available_after_s=time.monotonic() - ready_s,
            api_server_log_start=log.stat().st_size,
        )
        started.first_discovery = started.ask_as(
            adapters[0], "/apis/external.metrics.k8s.io/v1beta1", user="system:kube-aggregator"
        )
        yield started


def condition(found: Mapping[str, Any], kind: str, part: str = "status") -> str | None:
    """A condition's status, or another part of it; None if the object does not have it."""
    conditions = found.get("status", {}).get("conditions") or ()
    return next((c.get(part) for c in conditions if c["type"] == kind), None)
