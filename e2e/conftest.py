"""The fixtures of the end-to-end tests."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import stories
from e2e.cluster import installation
from e2e.cluster.api import Api
from e2e.cluster.components import Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Running
from e2e.cluster.prometheus import RealPrometheus
from e2e.stories import Story

TEST_TIMEOUT_S = 300
NAME_LENGTH = 63
AUDIT_LOG = "audit.log"
AUDIT_POLICY = Path(__file__).parent / "manifests" / "audit-policy.yaml"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of this directory."""
    config.addinivalue_line("markers", "last: runs after everything else; it looks back at the run")
    config.addinivalue_line("markers", "slow: takes minutes; left out of `make e2e`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests of the cluster itself first and those that look back last; set their timeouts.

    Each test has its own timeout, but the cluster's start is never counted against one: the first
    test that asks for it may have to build Kubernetes. What fixtures wait for has deadlines of its
    own.
    """
    for item in items:
        marker = item.get_closest_marker("timeout")
        limit = marker.args[0] if marker and marker.args else TEST_TIMEOUT_S
        item.add_marker(pytest.mark.timeout(limit, func_only=True), append=False)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.name.startswith(("test_contract", "test_harness")):
        return 0  # they bring APIs that fail, or take the cluster apart, before ours run on it
    return 2 if item.get_closest_marker("last") else 1


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with three nodes, for the whole session; its logs stay in the directory."""
    # Workers of pytest-xdist (gw0, gw1, ...) each have a cluster, and so a range of addresses.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    directory = tmp_path_factory.mktemp("cluster")
    audit = (
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={directory / AUDIT_LOG}",
    )
    settings = Settings(pod_cidr=f"127.{10 + worker}.0.1/16", extra_flags={"kube-apiserver": audit})
    with ControlPlane(directory / "state", settings) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def audit_log(control_plane: ControlPlane) -> Path:
    """Where the API server writes down what our servers ask of it."""
    return control_plane.directory.parent / AUDIT_LOG


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    """The Prometheus of scalers that name none, for the whole session."""
    with RealPrometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(scope="session")
def exporter(prometheus: RealPrometheus) -> Iterator[Exporter]:
    """What that Prometheus scrapes; each test has series of its own, by a label."""
    with Exporter() as server:
        prometheus.scrape(server.target)
        yield server


@pytest.fixture(scope="session")
def budaiscaler(
    control_plane: ControlPlane, prometheus: RealPrometheus, exporter: Exporter
) -> Iterator[Running]:
    """BudAIScaler as shipped, with two adapters and a controller, for the whole session."""
    flags = {"prometheus_url": prometheus.url, "publish_grace": f"{stories.PUBLISH_GRACE_S:g}s"}
    with installation.running(control_plane, **flags) as running:
        prometheus.wait_for("up", lambda samples: [s.value for s in samples] == [1])
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, named after it; all in it goes when the test ends."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:NAME_LENGTH].strip("-")
    with stories.namespaced(Api(control_plane.server, control_plane.pki.pair("admin")), name):
        yield name


@pytest.fixture
def story(
    namespace: str, budaiscaler: Running, prometheus: RealPrometheus, exporter: Exporter
) -> Story:
    """One test's namespace on the running installation."""
    return Story(budaiscaler, prometheus, exporter, namespace)
