"""The adapter's application over real TLS on loopback, before a cluster in memory."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from adapter.app import Readiness, make_app
from adapter.authn import Authenticator, RequestHeader
from adapter.authz import Authorizer
from adapter.external_metrics import ExternalMetrics
from adapter.serving import Server, ServingContext
from adapter.store import Store
from adapter.telemetry import Telemetry
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import BUDAISCALERS, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from tests.adapter import pki
from tests.adapter.publishing import Published
from tests.conftest import NOON
from tests.fakes.kube import FakeKube

GROUP_VERSION = "/apis/external.metrics.k8s.io/v1beta1"
METRIC = f"{GROUP_VERSION}/namespaces/ml/desired-load"

HPA = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
PROXY = pki.FRONT_PROXY.client("front-proxy-client")

HEADERS = {
    "requestheader-client-ca-file": pki.FRONT_PROXY.pem,
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
}


@dataclass(slots=True)
class Front:
    """The front proxy's configuration, as the adapter last read it."""

    current: RequestHeader | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True)
class Api:
    """A running adapter, and who may do what in its cluster.

    Attributes:
        tokens: the user behind each valid token.
        allows: whether a SubjectAccessReview, by its spec, is allowed.
        moved: how far the wall clock is ahead of the leader's word.
    """

    kube: FakeKube
    front: Front
    context: ServingContext
    server: Server
    readiness: Readiness
    store: Store
    port: int = 0
    tokens: dict[str, Json] = field(default_factory=dict)
    allows: Callable[[Json], bool] = lambda _: True

    async def get(
        self,
        path: str = METRIC,
        *,
        client: bytes | None = None,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        method: str = "GET",
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """Ask over a connection of its own, presenting `client`."""
        connector = aiohttp.TCPConnector(ssl=tls or pki.context(client), force_close=True)
        async with (
            aiohttp.ClientSession(
                f"https://localhost:{self.port}",
                connector=connector,
                skip_auto_headers=("Accept", "Content-Type"),
            ) as session,
            session.request(method, path, headers=headers, allow_redirects=False) as response,
        ):
            return Answer(response.status, response.headers, await response.text())

    async def as_user(
        self, user: str, path: str = METRIC, *groups: str, method: str = "GET"
    ) -> Answer:
        """Ask as kube-apiserver does for a user."""
        headers = [("X-Remote-User", user), *(("X-Remote-Group", group) for group in groups)]
        return await self.get(path, client=PROXY, headers=headers, method=method)

    @property
    def reviews(self) -> list[Json]:
        """The specs of all SubjectAccessReviews so far."""
        made = self.kube.made("create", SUBJECT_ACCESS_REVIEWS.collection())
        return [call.body["spec"] for call in made]

    @property
    def token_reviews(self) -> list[str]:
        """The tokens that were reviewed so far."""
        made = self.kube.made("create", TOKEN_REVIEWS.collection())
        return [call.body["spec"]["token"] for call in made]

    def review_token(self, body: Json) -> Json:
        user = self.tokens.get(body["spec"]["token"])
        return {"status": {"authenticated": user is not None, "user": user or {}}}

    def review_access(self, body: Json) -> Json:
        return {"status": {"allowed": self.allows(body["spec"])}}


@asynccontextmanager
async def serving(kube: FakeKube, *, drain_s: float = 0.0) -> AsyncIterator[Api]:
    """Run the application; one scaler `chat` in `ml` publishes a load of 7."""
    scalers: Cache[Scaler] = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    store = Store()
    store.follow(scalers)
    front = Front(RequestHeader.read(HEADERS))
    context = ServingContext()
    context.use(pki.SERVED, pki.FRONT_PROXY.pem)
    readiness = Readiness()

    def now() -> datetime:
        return NOON + timedelta(seconds=1)

    app = make_app(
        metrics=ExternalMetrics(store, lambda _: NOON, lambda _: NOON, timedelta(minutes=5), now),
        authenticator=Authenticator(kube, front),
        authorizer=Authorizer(kube),
        readiness=readiness,
        telemetry=Telemetry(),
    )
    server = Server(app, context, "localhost", 0, drain_s)
    Published(kube).put(desiredLoad="7")
    task = asyncio.ensure_future(scalers.run())
    await scalers.synced.wait()
    async with server:
        assert server._listener is not None
        port: int = server._listener.sockets[0].getsockname()[1]
        api = Api(kube, front, context, server, readiness, store, port)
        kube.answers[TOKEN_REVIEWS.collection()] = api.review_token
        kube.answers[SUBJECT_ACCESS_REVIEWS.collection()] = api.review_access
        yield api
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
