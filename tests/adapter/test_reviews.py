"""Reviews cost the cluster little, and nobody waits for them long, whatever strangers send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from adapter import authz
from adapter.authn import Authenticator
from adapter.authz import Authorizer
from adapter.identity import ANONYMOUS, User
from adapter.reviews import AT_ONCE, GRANTS, REFUSALS, REMEMBER_S, TIMEOUT_S, WAITING
from adapter.wire import ApiError
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from tests.adapter.api import HPA, Front
from tests.fakes.kube import FakeKube
from tests.fakes.link import Link

pytestmark = pytest.mark.looptime

KNOWN = User(HPA, ("system:authenticated",))
BATCH = 256
"""As many as may wait at once; divides the limits."""


class Counting(Link):
    """Counts the reviews that are under way, and the most there were."""

    now = most = total = 0

    async def create(self, path: str, body: Json) -> Json:
        self.now, self.total = self.now + 1, self.total + 1
        self.most = max(self.most, self.now)
        try:
            return await super().create(path, body)
        finally:
            self.now -= 1


class Cluster:
    """Knows one token and one user; a review takes five milliseconds unless a test says else."""

    def __init__(self, kube: FakeKube) -> None:
        self.link = Counting(kube, answer_after_s={"create": 0.005})
        self.authenticator = Authenticator(self.link, Front(None))
        self.authorizer = Authorizer(self.link)
        kube.answers[TOKEN_REVIEWS.collection()] = lambda body: {
            "status": {"authenticated": body["spec"]["token"] == "good", "user": {"username": "x"}}
        }
        kube.answers[SUBJECT_ACCESS_REVIEWS.collection()] = lambda body: {
            "status": {"allowed": body["spec"]["user"] == HPA}
        }

    async def token(self, token: str) -> int:
        """Present a token; gives the status."""
        headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {token}"}))
        return await _status(self.authenticator.authenticate(None, headers))

    async def access(self, user: User, metric: str = "desired-load") -> int:
        """Ask for a metric; gives the status."""
        attributes = authz.of_metric("ml", metric, watch=False)
        return await _status(self.authorizer.authorize(user, attributes))

    async def token_flood(self, count: int, first: int = 0) -> list[int]:
        numbers = range(first, first + count)
        return await asyncio.gather(*(self.token(f"made-up-{number}") for number in numbers))

    async def path_flood(self, count: int, first: int = 0) -> list[int]:
        numbers = range(first, first + count)
        asked = (self.access(ANONYMOUS, f"made-up-{number}") for number in numbers)
        return await asyncio.gather(*asked)


async def _status(request: Awaitable[object]) -> int:
    try:
        await request
    except ApiError as error:
        return error.code
    return 200


@pytest.fixture
def cluster(kube: FakeKube) -> Cluster:
    return Cluster(kube)


Ask = Callable[[Cluster], Awaitable[int]]
ASKS = [
    pytest.param(lambda cluster: cluster.token("good"), id="token"),
    pytest.param(lambda cluster: cluster.access(KNOWN), id="access"),
]


@pytest.mark.parametrize("ask", ASKS)
async def test_a_cluster_that_hangs(cluster: Cluster, ask: Ask) -> None:
    """When no review is answered nobody gets in, and hears so within two seconds."""
    cluster.link.is_hanging = True

    assert await ask(cluster) == 503

    assert asyncio.get_running_loop().time() == pytest.approx(TIMEOUT_S)
    cluster.link.is_hanging = False
    assert await ask(cluster) == 200


@pytest.mark.parametrize("ask", ASKS)
async def test_a_slow_cluster(cluster: Cluster, ask: Ask) -> None:
    """An answer within the limit counts, and one that would come later does not."""
    cluster.link.answer_after_s = {"create": TIMEOUT_S + 0.1}
    assert await ask(cluster) == 503

    cluster.link.answer_after_s = {"create": TIMEOUT_S - 0.1}

    assert await ask(cluster) == 200


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(lambda cluster: cluster.token_flood(3000), id="tokens"),
        pytest.param(lambda cluster: cluster.path_flood(3000), id="paths"),
    ],
)
async def test_a_flood(cluster: Cluster, flood: Callable[[Cluster], Awaitable[list[int]]]) -> None:
    """Of thousands at once a few are reviewed at a time, some wait, and the rest is refused."""
    answers = await flood(cluster)

    assert cluster.link.most == AT_ONCE
    assert cluster.link.total == AT_ONCE + WAITING
    assert answers.count(503) == 3000 - AT_ONCE - WAITING
    assert 200 not in answers


async def test_too_many_hear_so_at_once(cluster: Cluster) -> None:
    """Who is one too many need not wait for a cluster that hangs to be told."""
    cluster.link.is_hanging = True
    waiting = asyncio.ensure_future(cluster.token_flood(AT_ONCE + WAITING))
    await asyncio.sleep(0.1)

    assert await cluster.token("good") == 503

    assert asyncio.get_running_loop().time() == pytest.approx(0.1)
    assert set(await waiting) == {503}
    assert asyncio.get_running_loop().time() == pytest.approx(TIMEOUT_S)


async def test_room_comes_back(cluster: Cluster) -> None:
    """After a cluster that hung, and callers that left, as many are reviewed as ever."""
    cluster.link.is_hanging = True
    await cluster.token_flood(1000)
    leaving = asyncio.ensure_future(cluster.token_flood(100))
    await asyncio.sleep(0.1)
    assert cluster.link.now == AT_ONCE
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    cluster.link.is_hanging = False
    cluster.link.most = 0

    answers = await cluster.token_flood(AT_ONCE + WAITING)

    assert set(answers) == {401}
    assert cluster.link.most == AT_ONCE


async def test_the_known_do_not_wait_for_strangers(cluster: Cluster) -> None:
    """However many strangers ask, with tokens or without, the HPA is answered after one review."""
    floods = [
        asyncio.ensure_future(cluster.token_flood(1000)),
        asyncio.ensure_future(cluster.path_flood(1000)),
    ]
    await asyncio.sleep(0.001)
    assert cluster.link.now == 2 * AT_ONCE

    assert await cluster.access(KNOWN) == 200

    assert asyncio.get_running_loop().time() == pytest.approx(0.006)
    await asyncio.gather(*floods)


async def test_garbage_does_not_push_out_grants(cluster: Cluster) -> None:
    """A token and an access that were granted are remembered through a flood of refusals."""
    cluster.link.answer_after_s = {"create": 0.0001}
    assert await cluster.token("good") == 200
    assert await cluster.access(KNOWN) == 200

    for first in range(0, GRANTS + BATCH, BATCH):
        assert set(await cluster.token_flood(BATCH, first)) == {401}
        assert set(await cluster.path_flood(BATCH, first)) == {403}
    cluster.link.is_cut = True

    assert asyncio.get_running_loop().time() < REMEMBER_S
    assert await cluster.token("good") == 200
    assert await cluster.access(KNOWN) == 200


async def test_refusals_take_little_memory(cluster: Cluster) -> None:
    """Of refusals the newest are remembered, up to a limit, and none beyond its time."""
    cluster.link.answer_after_s = {"create": 0.0001}
    for first in range(0, REFUSALS + BATCH, BATCH):
        await cluster.token_flood(BATCH, first)
    reviewed = cluster.link.total

    assert await cluster.token(f"made-up-{REFUSALS + BATCH - 1}") == 401
    assert cluster.link.total == reviewed
    assert await cluster.token("made-up-0") == 401
    assert cluster.link.total == reviewed + 1

    await asyncio.sleep(REMEMBER_S)
    assert await cluster.token(f"made-up-{REFUSALS + BATCH - 1}") == 401
    assert cluster.link.total == reviewed + 2
