"""Access is the cluster's decision: asked exactly, remembered shortly, closed when unknown."""

from __future__ import annotations

import asyncio

import pytest

from adapter import authz
from adapter.authz import Authorizer
from adapter.identity import User
from adapter.reviews import REMEMBER_S
from adapter.wire import ApiError
from budaiscaler.domain.errors import KubeUnreachableError
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS
from tests.adapter.api import GROUP_VERSION, METRIC, Api
from tests.fakes.kube import FakeKube

JANE = User("jane", ("developers",))
READ = authz.of_metric("ml", "queue", watch=False)


@pytest.mark.parametrize(
    ("path", "method", "attributes"),
    [
        pytest.param(
            f"{GROUP_VERSION}/namespaces/ml/Foo_Bar?labelSelector=a",
            "GET",
            {
                "resourceAttributes": {
                    "verb": "list",
                    "group": "external.metrics.k8s.io",
                    "version": "v1beta1",
                    "namespace": "ml",
                    "resource": "foo_bar",
                }
            },
            id="metric",
        ),
        pytest.param(
            f"{METRIC}?watch=true",
            "GET",
            {
                "resourceAttributes": {
                    "verb": "watch",
                    "group": "external.metrics.k8s.io",
                    "version": "v1beta1",
                    "namespace": "ml",
                    "resource": "desired-load",
                }
            },
            id="watch",
        ),
        pytest.param(
            "/apis", "GET", {"nonResourceAttributes": {"verb": "get", "path": "/apis"}}, id="root"
        ),
        pytest.param(
            f"{GROUP_VERSION}?timeout=32s",
            "GET",
            {"nonResourceAttributes": {"verb": "get", "path": GROUP_VERSION}},
            id="discovery",
        ),
        pytest.param(
            "/metrics",
            "GET",
            {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}},
            id="own-metrics",
        ),
        pytest.param(
            "/no/such/path",
            "GET",
            {"nonResourceAttributes": {"verb": "get", "path": "/no/such/path"}},
            id="unknown-path",
        ),
        pytest.param(
            "/healthz/x",
            "GET",
            {"nonResourceAttributes": {"verb": "get", "path": "/healthz/x"}},
            id="below-a-probe",
        ),
        pytest.param(
            "/apis",
            "DELETE",
            {"nonResourceAttributes": {"verb": "delete", "path": "/apis"}},
            id="write",
        ),
    ],
)
async def test_what_is_asked(api: Api, path: str, method: str, attributes: Json) -> None:
    """The review asks for exactly what the request does."""
    await api.as_user("jane", path, "developers", method=method)

    (review,) = api.reviews
    assert {key: value for key, value in review.items() if key.endswith("Attributes")} == attributes


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/readyz?verbose"])
async def test_probes(api: Api, path: str) -> None:
    """Probes are answered to anybody, without asking anybody."""
    api.allows = lambda _: False

    assert (await api.get(path)).status == 200
    assert api.reviews == []


@pytest.mark.parametrize("path", [GROUP_VERSION, METRIC, "/metrics", "/apis", "/version", "/x"])
async def test_anonymous(api: Api, path: str) -> None:
    """Without credentials everything else is forbidden, also what does not exist."""
    api.allows = lambda spec: bool(spec["user"] != "system:anonymous")

    answer = await api.get(path)

    assert answer.status == 403
    assert answer.json["reason"] == "Forbidden"


async def test_own_metrics(api: Api) -> None:
    """The adapter's own metrics are given to who may get `/metrics`, and to nobody else."""
    api.allows = lambda spec: bool(spec["user"] == "prometheus")

    denied = await api.as_user("jane", "/metrics")
    allowed = await api.as_user("prometheus", "/metrics")

    assert (denied.status, allowed.status) == (403, 200)
    assert "budaiscaler_adapter_requests_total" in allowed.text


async def test_nobody_can_tell(api: Api) -> None:
    """When the cluster cannot decide, nobody gets in; probes still do."""
    api.kube.fail("create", "subjectaccessreviews", KubeUnreachableError("10.0.0.1: refused"))

    answer = await api.as_user("jane")

    assert answer.status == 503
    assert "10.0.0.1" not in answer.text
    assert "Retry-After" not in answer.headers
    assert (await api.get("/livez")).status == 200


class Cluster:
    """Decides, and counts."""

    def __init__(self, kube: FakeKube) -> None:
        self.status: Json = {"allowed": True}
        self.asked = 0
        kube.answers[SUBJECT_ACCESS_REVIEWS.collection()] = self.review
        self.authorizer = Authorizer(kube)

    def review(self, _: Json) -> Json:
        self.asked += 1
        return {"status": self.status}

    async def ask(self, user: User = JANE, attributes: authz.Attributes = READ) -> int:
        try:
            await self.authorizer.authorize(user, attributes)
        except ApiError as error:
            return error.code
        return 200


async def test_one_review_for_many(kube: FakeKube) -> None:
    """A thousand equal requests at the same time cost one review."""
    cluster = Cluster(kube)

    answers = await asyncio.gather(*(cluster.ask() for _ in range(1000)))

    assert set(answers) == {200}
    assert cluster.asked == 1


@pytest.mark.parametrize(
    ("user", "attributes"),
    [
        pytest.param(User("joe", ("developers",)), READ, id="user"),
        pytest.param(User("jane", ("ops",)), READ, id="groups"),
        pytest.param(User("jane", ("developers",), "uid-2"), READ, id="uid"),
        pytest.param(User("jane", ("developers",), extra=(("scopes", ("a",)),)), READ, id="extra"),
        pytest.param(JANE, authz.of_metric("other", "queue", watch=False), id="namespace"),
        pytest.param(JANE, authz.of_metric("ml", "load", watch=False), id="metric"),
        pytest.param(JANE, authz.of_metric("ml", "queue", watch=True), id="verb"),
        pytest.param(JANE, authz.of_path("GET", "/apis"), id="path"),
    ],
)
async def test_answers_are_not_mixed(
    kube: FakeKube, user: User, attributes: authz.Attributes
) -> None:
    """What one user may is no answer for another, nor for anything else."""
    cluster = Cluster(kube)
    assert await cluster.ask() == 200
    cluster.status = {"allowed": False}

    assert await cluster.ask(user, attributes) == 403


@pytest.mark.looptime
async def test_remembered_for_ten_seconds(kube: FakeKube) -> None:
    """An answer stands for ten seconds, also when the cluster is away; then it is closed."""
    cluster = Cluster(kube)
    assert await cluster.ask() == 200
    kube.fail("create", "subjectaccessreviews", KubeUnreachableError("refused"))
    await asyncio.sleep(REMEMBER_S - 0.1)
    assert await cluster.ask() == 200

    await asyncio.sleep(0.2)

    assert await cluster.ask() == 503
    kube.heal()
    cluster.status = {"allowed": False}
    assert await cluster.ask() == 403


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"allowed": False},
        {"allowed": None},
        {"allowed": "true"},
        {"denied": False},
        {"evaluationError": "x"},
    ],
    ids=repr,
)
async def test_only_a_yes_is_a_yes(kube: FakeKube, status: Json) -> None:
    """Whatever is not plainly allowed is forbidden."""
    cluster = Cluster(kube)
    cluster.status = status

    assert await cluster.ask() == 403
