"""A server before 1.35 drops the tolerance of an HPA: its own dead band of 10 % is stepped over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import stories
from e2e.cluster import installation
from e2e.cluster.api import Api
from e2e.cluster.components import Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.exporter import Exporter
from e2e.cluster.prometheus import RealPrometheus
from e2e.stories import Story

WITHOUT_TOLERANCE = ("--feature-gates=HPAConfigurableTolerance=false",)


@pytest.fixture
def older(tmp_path: Path, prometheus: RealPrometheus, exporter: Exporter) -> Iterator[Story]:
    """A story on a cluster of its own, where nobody knows the field."""
    settings = Settings(
        nodes=1,
        pod_cidr="127.150.0.1/16",
        extra_flags={
            "kube-apiserver": WITHOUT_TOLERANCE,
            "kube-controller-manager": WITHOUT_TOLERANCE,
        },
    )
    with (
        ControlPlane(tmp_path / "state", settings) as cluster,
        installation.running(cluster, prometheus_url=prometheus.url) as running,
        stories.namespaced(Api(cluster.server, cluster.pki.pair("admin")), "older"),
    ):
        yield Story(running, prometheus, exporter, "older")


def test_a_step_inside_the_dead_band(older: Story) -> None:
    """From ten, a need of eleven would be held by the HPA: twelve are asked for, and it is said."""
    older.start_load(100)
    older.deploy(replicas=10)
    older.create(older.scaler())
    message = older.wait_for_condition("ExactScaling", "False", "ToleranceNotSupported")
    hpa = older.wait_for_hpa()
    with older.replicas() as replicas:
        older.set_load(110)
        replicas.wait_for(12, timeout_s=stories.SETTLE_S)
        older.set_load(20)
        replicas.wait_for(2, timeout_s=stories.SETTLE_S)

    assert "1.35" in message
    assert "tolerance" not in hpa["spec"]["behavior"]["scaleUp"]
    assert replicas.values == [10, 12, 2]
