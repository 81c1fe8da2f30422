"""The cluster as a test holds it: everything up, any part of it down, everything gone."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from e2e.cluster import binaries, certs, kubeconfig, loopback, ports, waiting
from e2e.cluster.components import Component, Layout, Ports, Settings, command
from e2e.cluster.daemons import Daemon
from e2e.cluster.kubectl import Kubectl

READY_TIMEOUT_S: Final = 120.0
SETTLED_TIMEOUT_S: Final = 120.0


class ControlPlane:
    """A Kubernetes control plane in a directory of its own.

    Ports, certificates and data stay in the directory, so a component comes back where its clients
    left it, and another Python process can take the cluster over by naming the directory.

    Args:
        directory: Is created; holds everything, and the logs in `log/`.
        settings: For a cluster that already is there, what it was created with counts instead.
        guarded: End everything when this Python process ends, however that happens.
    """

    def __init__(
        self, directory: Path, settings: Settings | None = None, *, guarded: bool = True
    ) -> None:
        self.binaries = binaries.ensure()
        self.directory = directory.resolve()
        self.guarded = guarded
        self.settings, self.layout = self._load() or self._create(settings or Settings())
        self.daemons = {
            component: Daemon(
                component,
                command(component, self.layout, self.settings, self.binaries),
                self.directory,
                guarded=guarded,
            )
            for component in Component
        }

    @property
    def server(self) -> str:
        """The address of kube-apiserver."""
        return self.layout.server

    @property
    def pki(self) -> certs.Pki:
        """The certificates, among them the front proxy's: `pki.pair("front-proxy-client")`."""
        return self.layout.pki

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig("admin")

    @property
    def kubectl(self) -> Kubectl:
        """The administrator's kubectl."""
        return self.kubectl_as(self.kubeconfig)

    def kubectl_as(self, kubeconfig: Path) -> Kubectl:
        """Return kubectl with another identity (see `identities`)."""
        return Kubectl(self.binaries.kubectl, kubeconfig, self.directory / "kubectl-cache")

    def up(self) -> None:
        """Start what does not run, and wait until pods can be created and will get ready."""
        try:
            for component in (Component.ETCD, Component.APISERVER):
                self.start(component)
            others = [part for part in Component if not self.daemons[part].process]
            for component in others:
                self.daemons[component].start()
            for component in others:
                self._wait_ready(component)
            self._settle()
        except BaseException:
            self.down()
            raise

    def down(self, *, remove: bool = False) -> None:
        """End everything at once, with SIGKILL; also remove the directory if asked."""
        for component in reversed(Component):
            self.daemons[component].stop(hard=True)
        if remove:
            shutil.rmtree(self.directory)

    def start(self, component: str) -> None:
        """Start one component, on the port it always had, and wait until it is ready."""
        self.daemons[Component(component)].start()
        self._wait_ready(Component(component))

    def stop(self, component: str, *, hard: bool = False) -> None:
        """End one component and wait until it has gone; `hard` is SIGKILL at once."""
        self.daemons[Component(component)].stop(hard=hard)

    def restart(self, component: str, *, hard: bool = False) -> None:
        """Stop and start one component; what etcd holds stays."""
        self.stop(component, hard=hard)
        self.start(component)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)  # large; the logs stay

    def _load(self) -> tuple[Settings, Layout] | None:
        try:
            saved = json.loads((self.directory / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        try:
            return Settings(**saved["settings"]), Layout(self.directory, Ports(**saved["ports"]))
        except (KeyError, TypeError) as error:
            raise waiting.ClusterError(
                f"another version of this program made {self.directory}; take it down first"
            ) from error

    def _create(self, settings: Settings) -> tuple[Settings, Layout]:
        layout = Layout(self.directory, Ports(*ports.pick(len(dataclasses.fields(Ports)))))
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()):  # `down` would remove it all
            raise waiting.ClusterError(f"{self.directory} is not empty, and holds no cluster")
        pki = certs.Pki.create(self.directory / "pki")
        for name in certs.CLIENTS:
            kubeconfig.write(
                layout.kubeconfig(name),
                server=layout.server,
                authority=pki.cluster_authority,
                client=pki.pair(name),
            )
        saved = {
            "settings": dataclasses.asdict(settings),
            "ports": dataclasses.asdict(layout.ports),
        }
        (self.directory / "cluster.json").write_text(json.dumps(saved, indent=2))
        return settings, layout

    def _wait_ready(self, component: Component) -> None:
        address = self.layout.readiness(component)
        daemon = self.daemons[component]
        daemon.wait_until(lambda: loopback.get(address)[0] == 200, timeout_s=READY_TIMEOUT_S)

    def _settle(self) -> None:
        """Create the nodes, and wait until pods can come: for them, an account, and addresses."""
        names = [f"node-{number}" for number in range(self.settings.nodes)]
        self.kubectl.apply(*(_node(name) for name in names))
        self.kubectl.wait_for(
            lambda nodes: sum(map(_schedulable, nodes["items"])) >= len(names),
            "nodes",
            what=f"{len(names)} ready nodes",
            timeout_s=SETTLED_TIMEOUT_S,
        )
        self.kubectl.wait_for(
            lambda _: True,
            "serviceaccount/default",
            "--namespace=default",
            what="the controller manager to create the default ServiceAccount",
            timeout_s=SETTLED_TIMEOUT_S,
        )
        self._take_first_address(names[0])

    def _take_first_address(self, node: str) -> None:
        """Have one pod come and go, alone.

        With the first pod kwok makes its pool of addresses. Of two that come at once each may get a
        pool, and both the first address.
        """
        spec = {"nodeName": node, "containers": [{"name": "server", "image": "pretended"}]}
        metadata = {"name": "first", "namespace": "default"}
        self.kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        named = ("pod/first", "--namespace=default")
        self.kubectl.wait_for(
            lambda found: "podIP" in found["status"],
            *named,
            what="the first pod to have an address",
            timeout_s=SETTLED_TIMEOUT_S,
        )
        self.kubectl.run("delete", *named)


def _node(name: str) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def _schedulable(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not node["spec"].get("taints")
