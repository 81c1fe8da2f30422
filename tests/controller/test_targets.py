"""Who is on a workload: the index gives what has to do with it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.resources import BUDAISCALERS, HPAS
from controller.hpas import Hpa, Target, project_hpa
from controller.targets import Targets
from tests.controller.world import NAMESPACE, hpa, scaler
from tests.fakes.kube import FakeKube

CHAT: Target = ("apps", "Deployment", "chat")
CODE: Target = ("apps", "Deployment", "code")


class Cluster:
    """Two caches that a test sets, and the index that follows them."""

    def __init__(self) -> None:
        kube = FakeKube()
        self.scalers: Cache[Scaler] = Cache(kube, BUDAISCALERS.collection(), project_scaler)
        self.hpas: Cache[Hpa] = Cache(kube, HPAS.collection(), project_hpa)
        self.targets = Targets(self.scalers, self.hpas)

    def set_scaler(self, name: str, **fields: Any) -> Scaler:
        """Create or change a scaler."""
        made = scaler(name, **fields)
        self.scalers._set((NAMESPACE, name), made)
        return made

    def set_hpa(self, name: str, **fields: Any) -> None:
        """Create or change an HPA."""
        self.hpas._set((NAMESPACE, name), hpa(name, **fields))

    def around(self, subject: Scaler) -> tuple[list[str], list[str]]:
        """Names of what a plan for a scaler gets to see."""
        scalers, hpas = self.targets.around(subject)
        return sorted(one.name for one in scalers), sorted(one.name for one in hpas)

    def concerned(self, target: Target) -> list[str]:
        """Names of the scalers that a change on a workload concerns."""
        keys = self.targets.concerned((NAMESPACE, target))
        assert {namespace for namespace, _ in keys} <= {NAMESPACE}
        return sorted(name for _, name in keys)


@pytest.fixture
def cluster() -> Cluster:
    """Two workloads with a scaler and an HPA each."""
    cluster = Cluster()
    for name in ("chat", "code"):
        cluster.set_scaler(name, scaleTargetRef={"name": name})
        cluster.set_hpa(f"{name}-hpa", target=name, owner=f"scaler-{name}", owner_name=name)
    return cluster


def test_only_its_own_workload_is_seen(cluster: Cluster) -> None:
    """However many scalers and HPAs there are, a plan gets those of one workload."""
    subject = cluster.set_scaler("chat")
    cluster.set_scaler("rival")
    cluster.set_hpa("theirs")

    assert cluster.around(subject) == (["chat", "rival"], ["chat-hpa", "theirs"])
    assert cluster.concerned(CHAT) == ["chat", "rival"]
    assert cluster.concerned(CODE) == ["code"]


def test_another_version_is_the_same_workload(cluster: Cluster) -> None:
    """Who names a workload by another version of its API is on it all the same."""
    cluster.set_scaler("rival", scaleTargetRef={"apiVersion": "apps/v1beta1", "name": "chat"})

    assert cluster.concerned(CHAT) == ["chat", "rival"]


@pytest.mark.parametrize(
    ("annotations", "hpas"),
    [
        pytest.param({}, ["chat-hpa"], id="of-its-name"),
        pytest.param(
            {naming.ADOPT_ANNOTATION: "theirs"}, ["chat-hpa", "theirs"], id="of-the-annotation"
        ),
    ],
)
def test_hpas_are_seen_by_name(
    cluster: Cluster, annotations: dict[str, str], hpas: list[str]
) -> None:
    """An HPA of the name that would be ours matters wherever it is, and so does whose it is."""
    cluster.set_hpa("chat-hpa", target="elsewhere", owner="scaler-code", owner_name="code")
    cluster.set_hpa("theirs", target="elsewhere")
    subject = cluster.set_scaler("chat", annotations=annotations)

    assert cluster.around(subject) == (["chat", "code"], hpas)


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"owner": "scaler-chat"}, id="owner"),
        pytest.param({"adopter": "scaler-chat"}, id="adopted"),
        pytest.param({"ours": True}, id="lost-its-owner"),
        pytest.param({"adopter": "scaler-before"}, id="of-an-earlier-scaler"),
        pytest.param(
            {"adopter": "scaler-chat", "owner": "x", "owner_kind": "Tool"}, id="a-tool-has-it"
        ),
    ],
)
def test_hpas_are_seen_by_their_marks(cluster: Cluster, marks: dict[str, Any]) -> None:
    """What tells of a scaler is seen by it, wherever it is."""
    cluster.set_hpa("far", target="elsewhere", **marks)

    assert cluster.around(cluster.set_scaler("chat"))[1] == ["chat-hpa", "far"]
    assert [one.name for one in cluster.targets.hpas_of((NAMESPACE, "chat"))] == ["chat-hpa", "far"]


def test_a_broken_scaler_is_where_its_hpa_is(cluster: Cluster) -> None:
    """Its spec tells nothing any more; it still has to do with the workload, and its rivals."""
    subject = cluster.set_scaler("chat", maxReplicas=0)
    cluster.set_scaler("rival")

    assert cluster.around(subject) == (["chat", "rival"], ["chat-hpa"])
    assert cluster.around(scaler("rival")) == (["chat", "rival"], ["chat-hpa"])
    assert cluster.concerned(CHAT) == ["chat", "rival"]


def test_what_moves_is_found_where_it_went(cluster: Cluster) -> None:
    """Scalers and HPAs may turn to another workload."""
    cluster.set_scaler("chat", scaleTargetRef={"name": "code"})
    cluster.set_hpa("chat-hpa", target="code", owner="scaler-chat", owner_name="chat")

    assert cluster.concerned(CHAT) == []
    assert cluster.concerned(CODE) == ["chat", "code"]


def test_nothing_is_kept_of_what_is_gone(cluster: Cluster) -> None:
    """An index that only grows would be a leak."""
    for name in ("chat", "code"):
        cluster.scalers._set((NAMESPACE, name), None)
        cluster.hpas._set((NAMESPACE, f"{name}-hpa"), None)

    targets = cluster.targets
    for index in (targets._scalers_on, targets._hpas_on, targets._hpas_of):
        assert index._keys == {}
