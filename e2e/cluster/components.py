"""What the cluster consists of, and how each part is called. Nothing is started here."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.cluster import certs
from e2e.cluster.binaries import Binaries

STAGES: Final = Path(__file__).parents[1] / "manifests" / "kwok-stages.yaml"
SERVICE_CIDR: Final = "10.96.0.0/24"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"


class Component(enum.StrEnum):
    """The programs of a cluster, in the order in which they start."""

    ETCD = "etcd"
    APISERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"
    KWOK = "kwok"


@dataclass(frozen=True, slots=True)
class Settings:
    """What may differ from one cluster to the next.

    Attributes:
        nodes: How many nodes to create; each has 64 cores, 8 GPUs and room for 1000 pods.
        pod_cidr: Where kwok takes pod addresses from. Two clusters at once need two.
        hpa_sync_s: How often the real HPA controller looks; Kubernetes' own default is 15.
        extra_flags: By component name, what else to pass to it, as feature gates.
    """

    nodes: int = 3
    pod_cidr: str = "127.10.0.1/16"
    hpa_sync_s: int = 2
    extra_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports; chosen once and kept, so that clients find a restarted server."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int
    kwok: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are."""

    directory: Path
    ports: Ports

    @property
    def pki(self) -> certs.Pki:
        """The certificates."""
        return certs.Pki(self.directory / "pki")

    @property
    def server(self) -> str:
        """The address of kube-apiserver."""
        return f"https://127.0.0.1:{self.ports.apiserver}"

    def kubeconfig(self, name: str) -> Path:
        """Return where the kubeconfig of a client lies."""
        return self.directory / "kubeconfig" / f"{name}.yaml"

    def readiness(self, component: Component) -> str:
        """Return the address that answers 200 once a component is ready."""
        ports = self.ports
        return {
            Component.ETCD: f"http://127.0.0.1:{ports.etcd}/health",
            Component.APISERVER: f"{self.server}/readyz",
            Component.CONTROLLER_MANAGER: f"https://127.0.0.1:{ports.controller_manager}/healthz",
            Component.SCHEDULER: f"https://127.0.0.1:{ports.scheduler}/healthz",
            Component.KWOK: f"http://127.0.0.1:{ports.kwok}/healthz",
        }[component]


def command(
    component: Component, layout: Layout, settings: Settings, binaries: Binaries
) -> tuple[str, ...]:
    """Return the command line of a component."""
    flags = {
        Component.ETCD: _etcd,
        Component.APISERVER: _apiserver,
        Component.CONTROLLER_MANAGER: _controller_manager,
        Component.SCHEDULER: _scheduler,
        Component.KWOK: _kwok,
    }[component](layout, settings)
    extra = settings.extra_flags.get(component, ())
    return (str(binaries.named(component)), *flags, *extra)


def _etcd(layout: Layout, settings: Settings) -> list[str]:
    client, peer = (
        f"http://127.0.0.1:{port}" for port in (layout.ports.etcd, layout.ports.etcd_peer)
    )
    return [
        "--name=e2e",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=e2e={peer}",
        "--log-level=warn",
        # A crash of etcd loses nothing by this, only one of the machine would.
        "--unsafe-no-fsync",
    ]


def _apiserver(layout: Layout, settings: Settings) -> list[str]:
    pki = layout.pki
    serving, front_proxy = pki.pair("apiserver"), pki.pair("front-proxy-client")
    return [
        f"--etcd-servers=http://127.0.0.1:{layout.ports.etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.apiserver}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={pki.cluster_authority.files.certificate}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        # Endpoints must not be loopback addresses, and there is no other to publish.
        "--endpoint-reconciler-type=none",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki.directory / 'sa.pub'}",
        f"--service-account-signing-key-file={pki.pair('sa').key}",
        f"--requestheader-client-ca-file={pki.front_proxy_authority.files.certificate}",
        f"--requestheader-allowed-names={certs.FRONT_PROXY_NAME}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-uid-headers=X-Remote-Uid",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front_proxy.certificate}",
        f"--proxy-client-key-file={front_proxy.key}",
        # Without it, a stopping server waits a minute for its watches.
        "--shutdown-watch-termination-grace-period=2s",
        # Aggregated servers are reached by the name of their Service, not by its endpoints.
        "--enable-aggregator-routing=false",
    ]


def _controller_manager(layout: Layout, settings: Settings) -> list[str]:
    kubeconfig = layout.kubeconfig(Component.CONTROLLER_MANAGER)
    pki = layout.pki
    return [
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.controller_manager}",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki.pair('sa').key}",
        f"--root-ca-file={pki.cluster_authority.files.certificate}",
        # It would be created in /usr.
        f"--flex-volume-plugin-dir={layout.directory / 'volume-plugins'}",
        # The defaults, 20 requests a second, make every large Deployment a matter of minutes.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        f"--horizontal-pod-autoscaler-sync-period={settings.hpa_sync_s}s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
    ]


def _scheduler(layout: Layout, settings: Settings) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig(Component.SCHEDULER)}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.scheduler}",
        "--leader-elect=false",
    ]


def _kwok(layout: Layout, settings: Settings) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig(Component.KWOK)}",
        f"--config={STAGES}",
        "--manage-all-nodes=true",
        f"--cidr={settings.pod_cidr}",
        "--node-ip=127.0.0.1",
        f"--server-address=127.0.0.1:{layout.ports.kwok}",
        # Heartbeats go to the nodes' status. A Lease would bind each node to one run of kwok,
        # and a restarted kwok would leave its pods alone until the old Lease has expired.
        "--node-lease-duration-seconds=0",
    ]
