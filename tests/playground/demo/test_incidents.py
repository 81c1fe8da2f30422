"""What goes wrong in a demo, where the watcher has meddled before."""

from __future__ import annotations

import pytest

from budaiscaler.kube.events import Recorder
from budaiscaler.kube.resources import DEPLOYMENTS
from budaiscaler.playground.demo.incidents import REVISION, Incidents
from budaiscaler.playground.manifests import NAMESPACE, NAMESPACES, SCALERS
from budaiscaler.playground.scenarios import Incident
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

DELETED, *REST = SCALERS


@pytest.fixture
def kube() -> FakeKube:
    """A cluster with the workloads of a demo, the first of which was deleted."""
    kube = FakeKube()
    kube.put(NAMESPACES.item(None, NAMESPACE), {})
    for name in REST:
        kube.put(DEPLOYMENTS.item(NAMESPACE, name), {"spec": {"template": {}}})
    return kube


@pytest.mark.parametrize(
    "incident", [Incident.KILL_POD, Incident.LOSE_PODS, Incident.ROLL_OUT], ids=str
)
async def test_a_deleted_workload_is_left_out(kube: FakeKube, incident: Incident) -> None:
    """The demo goes on, whatever happens to workloads that are not there any more."""
    await Incidents(kube, Recorder(kube, "playground", "demo")).happen(incident)


async def test_the_others_are_rolled_out(kube: FakeKube) -> None:
    """What is there still gets its new image."""
    await Incidents(kube, Recorder(kube, "playground", "demo")).happen(Incident.ROLL_OUT)
    for name in REST:
        template = kube.objects[DEPLOYMENTS.item(NAMESPACE, name)]["spec"]["template"]
        assert template["metadata"]["annotations"] == {REVISION: "2"}
