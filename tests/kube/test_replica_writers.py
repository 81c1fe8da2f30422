"""Who changes the replicas of a workload in its manifest, rather than scaling it."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.contests import WRITES_KEPT
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workloads
from tests.fakes.kube import FakeKube
from tests.kube.caching import settle
from tests.kube.cluster import path, watching

pytestmark = pytest.mark.looptime

OWNS: Json = {"f:spec": {"f:replicas": {}}}


def entry(manager: str, fields: Json = OWNS, **also: str) -> Json:
    """An entry of `managedFields`."""
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields, **also}


def write(kube: FakeKube, replicas: int, *entries: Json, uid: str = "chat") -> None:
    """Change a Deployment, as those that own its fields now."""
    metadata = {"uid": uid, "managedFields": list(entries)}
    kube.put(path("Deployment", "chat"), {"metadata": metadata, "spec": {"replicas": replicas}})


async def managers(workloads: Workloads) -> list[str]:
    await settle()
    found = await workloads.find("apps/v1", "Deployment", "ml", "chat")
    return [write.manager for write in found.writes]


HPA = entry("kube-controller-manager", subresource="scale")


async def test_a_manifest_that_is_applied_again_and_again(kube: FakeKube) -> None:
    """Each change of the number counts with its time, and those of the autoscaler do not."""
    write(kube, 2, entry("argocd-controller"))
    async with watching(kube) as workloads:
        assert await managers(workloads) == [], "how it began was nobody's change"
        for _ in range(2):
            write(kube, 4, HPA)
            await settle()
            write(kube, 2, entry("argocd-controller"))
            await asyncio.sleep(60)
        assert await managers(workloads) == ["argocd-controller"] * 2
        found = await workloads.find("apps/v1", "Deployment", "ml", "chat")
        first, second = (write.at_s for write in found.writes)
        assert second - first == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize(
    ("replicas", "entries"),
    [
        pytest.param(4, [HPA], id="an-autoscaler"),
        pytest.param(4, [entry("kubectl", subresource="scale")], id="kubectl-scale"),
        pytest.param(4, [entry("kube-controller-manager")], id="the-cluster"),
        pytest.param(2, [entry("flux")], id="the-same-number"),
        pytest.param(4, [HPA, entry("flux")], id="the-same-number-after-scaling"),
        pytest.param(4, [entry("flux", {"f:spec": {"f:template": {}}}), HPA], id="another-field"),
        pytest.param(4, [], id="nobody-known"),
        pytest.param(4, [{"manager": "odd"}], id="no-fields"),
    ],
)
async def test_what_is_no_write_of_somebody_else(
    kube: FakeKube, replicas: int, entries: list[Json]
) -> None:
    """Scaling is what the subresource is for, and a number that stays is no change."""
    write(kube, 2)
    async with watching(kube) as workloads:
        write(kube, replicas, *entries)
        assert await managers(workloads) == []


async def test_another_workload_of_the_name_begins_anew(kube: FakeKube) -> None:
    """Nothing is kept of one that is gone."""
    write(kube, 2)
    async with watching(kube) as workloads:
        write(kube, 3, entry("flux"))
        assert await managers(workloads) == ["flux"]
        write(kube, 4, entry("flux"), uid="another")
        assert await managers(workloads) == []
        kube.remove(path("Deployment", "chat"))
        await settle()
        assert workloads._writes == {}


async def test_only_the_latest_are_kept(kube: FakeKube) -> None:
    """However long the fight lasts."""
    write(kube, 1)
    async with watching(kube) as workloads:
        for replicas in range(2, 40):
            write(kube, replicas, entry("flux"))
        assert len(await managers(workloads)) == WRITES_KEPT
