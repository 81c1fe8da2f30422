"""Bearer tokens are reviewed by the cluster, once for many requests, and never guessed at."""

from __future__ import annotations

import asyncio

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from adapter.authn import Authenticator, RequestHeader
from adapter.identity import ANONYMOUS, User
from adapter.reviews import REMEMBER_S
from adapter.wire import ApiError
from budaiscaler.domain.errors import KubeUnreachableError, OverloadedError
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import TOKEN_REVIEWS
from tests.adapter.api import HEADERS, METRIC, PROXY, Api, Front
from tests.fakes.kube import FakeKube

JANE = {
    "username": "jane",
    "uid": "uid-7",
    "groups": ["developers"],
    "extra": {"authentication.kubernetes.io/pod-name": ["p1"]},
}


async def test_valid_token(api: Api) -> None:
    """A token is reviewed, and then access is for whom the cluster says it stands."""
    api.tokens["good"] = JANE
    api.allows = lambda spec: bool(spec["user"] == "jane")

    answer = await api.get(headers={"Authorization": "Bearer good"})

    assert answer.status == 200
    (review,) = api.reviews
    assert review["groups"] == ["developers", "system:authenticated"]
    assert review["uid"] == "uid-7"
    assert review["extra"] == {"authentication.kubernetes.io/pod-name": ["p1"]}


async def test_valid_but_not_allowed(api: Api) -> None:
    """A known user without the right is forbidden, and the message says what right is missing."""
    api.tokens["good"] = JANE
    api.allows = lambda _: False

    answer = await api.get(headers={"Authorization": "Bearer good"})

    assert answer.status == 403
    assert answer.json["reason"] == "Forbidden"
    assert answer.json["message"] == (
        'desired-load is forbidden: User "jane" cannot list resource "desired-load" in API group '
        '"external.metrics.k8s.io" in the namespace "ml"'
    )


@pytest.mark.parametrize(
    ("value", "is_reviewed"),
    [
        pytest.param("Bearer stolen", True, id="invalid"),
        pytest.param("Bearer", False, id="empty"),
        pytest.param("Bearer ", False, id="blank"),
        pytest.param("Basic YTpi", False, id="basic"),
        pytest.param("stolen", False, id="no-scheme"),
    ],
)
async def test_what_does_not_hold(api: Api, value: str, is_reviewed: bool) -> None:  # noqa: FBT001 - a column
    """A credential that does not hold is a refusal, never anonymous, whatever anonymous may do."""
    answer = await api.get(headers={"Authorization": value})

    assert answer.status == 401
    assert answer.json["reason"] == "Unauthorized"
    assert "stolen" not in answer.text
    assert bool(api.token_reviews) is is_reviewed
    assert api.reviews == []


async def test_scheme_in_any_case(api: Api) -> None:
    """The scheme is written in any case, and blanks around the token do not count."""
    api.tokens["good"] = JANE

    answer = await api.get(headers={"Authorization": "bearer   good "})

    assert answer.status == 200
    assert api.token_reviews == ["good"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KubeUnreachableError("refused"), id="unreachable"),
        pytest.param(OverloadedError(503, "ServiceUnavailable", "busy"), id="busy"),
    ],
)
async def test_no_review_possible(api: Api, error: Exception) -> None:
    """When the cluster cannot review, nobody gets in, and it is not blamed on the token."""
    assert isinstance(error, KubeUnreachableError | OverloadedError)
    api.tokens["good"] = JANE
    api.kube.fail("create", "tokenreviews", error)

    answer = await api.get(headers={"Authorization": "Bearer good"})

    assert answer.status == 503
    assert answer.json["reason"] == "ServiceUnavailable"
    assert "Retry-After" not in answer.headers
    api.kube.heal()
    assert (await api.get(headers={"Authorization": "Bearer good"})).status == 200


async def test_proxy_before_token(api: Api) -> None:
    """A user that the front proxy names needs no token, and a token beside it is not reviewed."""
    answer = await api.get(
        METRIC, client=PROXY, headers={"X-Remote-User": "joe", "Authorization": "Bearer stolen"}
    )

    assert answer.status == 200
    assert api.token_reviews == []


def headers(token: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {token}"}))


class Cluster:
    """Reviews tokens, and counts."""

    def __init__(self, kube: FakeKube) -> None:
        self.valid = {"good"}
        self.reviewed: list[str] = []
        kube.answers[TOKEN_REVIEWS.collection()] = self.review
        self.authenticator = Authenticator(kube, Front(RequestHeader.read(HEADERS)))

    def review(self, body: Json) -> Json:
        token = body["spec"]["token"]
        self.reviewed.append(token)
        return {"status": {"authenticated": token in self.valid, "user": {"username": token}}}

    async def who(self, token: str) -> str | int:
        try:
            return (await self.authenticator.authenticate(None, headers(token))).name
        except ApiError as error:
            return error.code


async def test_one_review_for_many(kube: FakeKube) -> None:
    """A thousand requests with one token at the same time cost one review."""
    cluster = Cluster(kube)

    names = await asyncio.gather(*(cluster.who("good") for _ in range(1000)))

    assert set(names) == {"good"}
    assert cluster.reviewed == ["good"]


@pytest.mark.looptime
async def test_revoked(kube: FakeKube) -> None:
    """A token that is revoked works for ten seconds at most, and one made valid after as long."""
    cluster = Cluster(kube)
    assert await cluster.who("good") == "good"
    assert await cluster.who("late") == 401
    cluster.valid = {"late"}
    await asyncio.sleep(REMEMBER_S - 0.1)
    assert await cluster.who("good") == "good"
    assert await cluster.who("late") == 401

    await asyncio.sleep(0.2)

    assert await cluster.who("good") == 401
    assert await cluster.who("late") == "late"
    assert len(cluster.reviewed) == 4


async def test_failures_are_not_remembered(kube: FakeKube) -> None:
    """That a review failed says nothing about the next one."""
    cluster = Cluster(kube)
    kube.fail("create", "tokenreviews", KubeUnreachableError("refused"))
    assert await cluster.who("good") == 503

    kube.heal()

    assert await cluster.who("good") == "good"


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="empty"),
        pytest.param({"authenticated": False, "user": {"username": "jane"}}, id="denied"),
        pytest.param({"user": {"username": "jane"}}, id="no-verdict"),
        pytest.param({"error": "no such key"}, id="error"),
    ],
)
async def test_reviews_without_a_yes(kube: FakeKube, status: Json) -> None:
    """Only a review that says so makes a token valid."""
    cluster = Cluster(kube)
    kube.answers[TOKEN_REVIEWS.collection()] = lambda _: {"status": status}

    assert await cluster.who("good") == 401


async def test_nothing_presented(kube: FakeKube) -> None:
    """Who presents nothing is anonymous, and that costs no review."""
    cluster = Cluster(kube)

    user = await cluster.authenticator.authenticate(None, CIMultiDictProxy(CIMultiDict()))

    assert user == ANONYMOUS == User("system:anonymous", ("system:unauthenticated",))
    assert cluster.reviewed == []
