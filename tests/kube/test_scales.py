"""Any kind with a `scale` can be read, and one without is told apart from one that is missing."""

from __future__ import annotations

import pytest

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, NotFoundError
from budaiscaler.kube.kinds import DISCOVERY_TTL_S
from budaiscaler.kube.resources import PODS
from budaiscaler.kube.scales import Scale, ScaleReader
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
    kube.put(SCALE, {"spec": {"replicas": 4}, "status": {"replicas": 3}})
    return kube


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_read(kube: FakeKube) -> None:
    """The scale tells replicas asked for, replicas there are, and which pods they are."""
    reader = ScaleReader(kube)
    scale = await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")
    assert scale == Scale(spec_replicas=4, status_replicas=3)

    kube.objects[SCALE]["status"]["selector"] = "app=chat"
    scale = await reader.read(API_VERSION, "LeaderWorkerSet", "ml", "chat")
    assert scale == Scale(spec_replicas=4, status_replicas=3, selector="app=chat")


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


SEEM_READY = ("ready", "terminating", "failed")


def select(kube: FakeKube, spec: int, status: int, *pods: str, of: str = "chat") -> None:
    """Make the scale select `of`, and put pods of it; each tells what is the matter with it."""
    kube.objects[SCALE] = {
        "spec": {"replicas": spec},
        "status": {"replicas": status, "selector": f"app={of},role=leader"},
    }
    for number, state in enumerate(pods):
        conditions = [{"type": "Ready", "status": str(state in SEEM_READY)}]
        if state == "no-room":
            conditions.append({"type": "PodScheduled", "status": "False"})
        metadata: dict[str, object] = {"labels": {"app": of, "role": "leader", "other": "x"}}
        if state == "terminating":
            metadata["deletionTimestamp"] = "2026-01-05T12:00:00Z"
        phase = "Failed" if state == "failed" else "Running"
        status_ = {"phase": phase, "conditions": conditions}
        kube.put(PODS.item("ml", f"{of}-{number}"), {"metadata": metadata, "status": status_})


async def replicas(kube: FakeKube) -> Replicas:
    async with watching(kube) as workloads:
        found = await workloads.find(API_VERSION, "LeaderWorkerSet", "ml", "chat")
    assert found.startups_s == ()
    return found.replicas


async def test_a_starting_pod_of_a_custom_kind_is_not_ready(kube: FakeKube) -> None:
    """Its scale counts it as soon as it is there; a level times that would double for ever."""
    select(kube, 8, 8, *["ready"] * 4, *["starting"] * 4)

    assert await replicas(kube) == Replicas(current=8, ready=4)


@pytest.mark.parametrize(
    ("pods", "ready", "unschedulable"),
    [
        pytest.param(["ready", "terminating", "failed"], 1, 0, id="only-live-ones-count"),
        pytest.param(["ready", "ready", "no-room"], 2, 1, id="without-a-node"),
        pytest.param(["ready"] * 5, 5, 0, id="a-rollouts-surge"),
        pytest.param(["ready"] * 4 + ["starting"], 4, 0, id="a-surge-that-starts"),
        pytest.param(["ready"] * 16, 4, 0, id="groups-of-four"),
        pytest.param(["ready"] * 15 + ["starting"], 3, 0, id="a-group-that-misses-one"),
        pytest.param(["ready"] * 15, 3, 0, id="a-group-that-is-being-made"),
        pytest.param([], 0, 0, id="none"),
    ],
)
async def test_replicas_of_a_custom_kind_are_its_pods_or_groups_of_them(
    kube: FakeKube, pods: list[str], ready: int, unschedulable: int
) -> None:
    """Four replicas of one pod, or of as many as there are for each."""
    select(kube, 4, 4, *pods)
    select(kube, 4, 4, "ready", "ready", of="stranger")
    select(kube, 4, 4)

    assert await replicas(kube) == Replicas(4, ready, unschedulable)


async def test_a_custom_kind_that_tells_no_replicas(kube: FakeKube) -> None:
    """A controller that fills no status has as many replicas as are asked for, not one group."""
    select(kube, 4, 0, *["ready"] * 3, "starting")

    assert await replicas(kube) == Replicas(current=4, ready=3)


async def test_pods_of_a_custom_kind_in_pages(kube: FakeKube) -> None:
    """All pages count."""
    kube.page_size = 3
    select(kube, 8, 8, *["ready"] * 8)

    assert await replicas(kube) == Replicas(8, 8)


async def test_a_custom_kind_without_replicas(kube: FakeKube) -> None:
    """Nothing is divided by the replicas that there are not."""
    select(kube, 0, 0)

    assert await replicas(kube) == Replicas(0, 0)


async def test_a_scale_without_a_selector(kube: FakeKube) -> None:
    """Its pods cannot be counted, and that is told instead of a number being made up."""
    assert await replicas(kube) == Replicas(current=4, ready=3, are_counted=False)


async def test_an_answer_that_is_no_list(kube: FakeKube) -> None:
    """What something in between answers is not a workload without pods."""
    select(kube, 4, 4, "ready")
    kube.objects[PODS.collection("ml")] = {"kind": "Status"}
    with pytest.raises(KubeUnreachableError, match="no list"):
        await ScaleReader(kube).pods(Scale(4, 4, "app=chat"), "ml")


async def test_pods_that_cannot_be_listed(kube: FakeKube) -> None:
    """It is a failure of the look-up, and not a workload without pods."""
    select(kube, 4, 4, "ready")
    async with watching(kube) as workloads:
        kube.fail("get", "/namespaces/ml/pods", KubeUnreachableError("refused"))
        with pytest.raises(KubeUnreachableError):
            await workloads.find(API_VERSION, "LeaderWorkerSet", "ml", "chat")


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


async def test_asking_for_replicas_touches_nothing_else(kube: FakeKube) -> None:
    """It is a patch of one field of the scale, whatever the kind."""
    await ScaleReader(kube).write(API_VERSION, "LeaderWorkerSet", "ml", "chat", 7)

    (call,) = kube.made("patch", "/scale")
    assert (call.path, call.body) == (SCALE, {"spec": {"replicas": 7}})
    assert kube.objects[SCALE]["spec"] == {"replicas": 7}


async def test_asking_for_replicas_of_a_kind_without_a_scale(kube: FakeKube) -> None:
    """It says so, as reading does."""
    with pytest.raises(NotFoundError, match="has no scale subresource"):
        await ScaleReader(kube).write(API_VERSION, "Plan", "ml", "chat", 7)
