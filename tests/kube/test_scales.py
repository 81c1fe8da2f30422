"""Any kind with a `scale` can be read, and one without is told apart from one that is missing."""

from __future__ import annotations

import pytest

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, NotFoundError
from budaiscaler.kube.scales import DISCOVERY_TTL_S, Scale, ScaleReader
from tests.fakes.kube import FakeKube
from tests.kube.cluster import watching

pytestmark = pytest.mark.looptime

GROUP = "/apis/leaderworkerset.x-k8s.io/v1"
API_VERSION = "leaderworkerset.x-k8s.io/v1"
SCALE = f"{GROUP}/namespaces/ml/leaderworkersets/chat/scale"


@pytest.fixture
def kube() -> FakeKube:
    """A server with one custom kind that has a scale, and one that has none."""
    kube = FakeKube()
    kube.objects[GROUP] = {
        "resources": [
            {"name": "leaderworkersets", "kind": "LeaderWorkerSet"},
            {"name": "leaderworkersets/scale", "kind": "Scale"},
            {"name": "leaderworkersets/status", "kind": "LeaderWorkerSet"},
            {"name": "plans", "kind": "Plan"},
        ]
    }
    kube.objects[SCALE] = {"spec": {"replicas": 4}, "status": {"replicas": 3}}
    return kube


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_read(kube: FakeKube) -> None:
    """The scale tells replicas asked for and replicas there are."""
    scale = await ScaleReader(kube).read(API_VERSION, "LeaderWorkerSet", "ml", "chat")

    assert scale == Scale(spec_replicas=4, status_replicas=3)


async def test_core_group(kube: FakeKube) -> None:
    """A kind of the core group is found where the core group is served."""
    kube.objects["/api/v1"] = {
        "resources": [
            {"name": "replicationcontrollers", "kind": "ReplicationController"},
            {"name": "replicationcontrollers/scale", "kind": "Scale"},
        ]
    }
    kube.objects["/api/v1/namespaces/ml/replicationcontrollers/chat/scale"] = {"spec": {}}

    scale = await ScaleReader(kube).read("v1", "ReplicationController", "ml", "chat")

    assert scale == Scale(0, 0)


async def test_target_of_a_custom_kind(kube: FakeKube) -> None:
    """A workload of a custom kind is found by its scale."""
    async with watching(kube) as workloads:
        found = await workloads.find(API_VERSION, "LeaderWorkerSet", "ml", "chat")

    assert found.replicas == Replicas(current=4, ready=3)
    assert found.startups_s == ()


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "message"),
    [
        pytest.param("nope.io/v1", "Thing", "x", "does not serve nope.io/v1", id="group"),
        pytest.param(API_VERSION, "Thing", "x", "kind Thing does not exist in leader", id="kind"),
        pytest.param(API_VERSION, "Plan", "x", "kind Plan of .* has no scale", id="no-scale"),
        pytest.param(API_VERSION, "LeaderWorkerSet", "code", "not found", id="object"),
        pytest.param(API_VERSION, "leaderworkersets", "x", "does not exist", id="plural-for-kind"),
        pytest.param(API_VERSION, "leaderworkersets/scale", "x", "no scale", id="path-for-kind"),
        pytest.param("apps/v1", "DaemonSet", "x", "does not serve apps/v1", id="other-apps-kind"),
    ],
)
async def test_what_is_missing(
    kube: FakeKube, api_version: str, kind: str, name: str, message: str
) -> None:
    """The message says whether group, kind, scale or object is missing."""
    async with watching(kube) as workloads:
        with pytest.raises(NotFoundError, match=message):
            await workloads.find(api_version, kind, "ml", name)


async def test_discovery_is_remembered(kube: FakeKube) -> None:
    """How kinds are routed is asked for once in five minutes; scales are read each time."""
    clock = Clock()
    reader = ScaleReader(kube, clock)
    for _ in range(10):
        await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")
    assert [call.path for call in kube.calls].count(GROUP) == 1
    assert [call.path for call in kube.calls].count(SCALE) == 10

    clock.now_s = DISCOVERY_TTL_S
    await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")

    assert [call.path for call in kube.calls].count(GROUP) == 2


async def test_failures_are_not_remembered(kube: FakeKube) -> None:
    """A group that is not served yet, or a server that is away, is asked again at once."""
    reader = ScaleReader(kube)
    known = kube.objects.pop(GROUP)
    with pytest.raises(NotFoundError):
        await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")
    kube.fail("get", GROUP, KubeUnreachableError("refused"))
    with pytest.raises(KubeUnreachableError):
        await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")

    kube.heal()
    kube.objects[GROUP] = known

    assert await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat") == Scale(4, 3)
