"""The fixtures of the end-to-end tests."""

import os
import re
from collections.abc import Iterator

import pytest

from e2e.cluster.components import Settings
from e2e.cluster.control_plane import ControlPlane

TEST_TIMEOUT_S = 120
NAME_LENGTH = 63


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test have its own timeout, but never count the cluster's start against one.

    The first test that asks for the cluster may have to build Kubernetes. What the fixtures wait
    for has deadlines of its own.
    """
    for item in items:
        marker = item.get_closest_marker("timeout")
        limit = marker.args[0] if marker and marker.args else TEST_TIMEOUT_S
        item.add_marker(pytest.mark.timeout(limit, func_only=True), append=False)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with three nodes, for the whole session; its logs stay in the directory."""
    # Workers of pytest-xdist (gw0, gw1, ...) each have a cluster, and so a range of addresses.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    settings = Settings(pod_cidr=f"127.{10 + worker}.0.1/16")
    with ControlPlane(tmp_path_factory.mktemp("cluster"), settings) as cluster:
        yield cluster


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, named after it; all in it goes when the test ends."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:NAME_LENGTH].strip("-")
    control_plane.kubectl.run("create", "namespace", name)
    yield name
    control_plane.kubectl.run("delete", "namespace", name, "--wait=false")
