"""The guarded GET over TLS, and with credentials: who is trusted, and who else that concerns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.credentials import RequestOptions, SourceCredentials
from budaiscaler.sources.http import HttpFetcher
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from tests.fakes.kube import FakeKube
from tests.sources.secured import (
    NAME,
    OTHER_CA,
    SECRET,
    at_loopback,
    bundle,
    demanding,
    put_secret,
    secured,
)
from tests.sources.server import OPEN, body, hang, prometheus, vector

TRUSTED = {"caBundle": bundle()}


class Lab:
    """A fetcher that finds every host at loopback, and credentials on an API server in memory."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.tls = TlsContexts()
        self.credentials = SourceCredentials(SecretReader(self.kube), self.tls)
        self.fetcher = HttpFetcher(
            guard=OPEN, deadline_s=2, lookup=lambda *where: list(at_loopback(*where))
        )

    async def get(self, url: str, **fields: Any) -> bytes | NoData:
        """GET with what a source of these fields sends."""
        raw = {"targetMetric": "queue", "targetValue": "1"}
        source = MetricsSource.model_validate(raw | fields)
        options = await self.credentials.options("ml", source)
        assert isinstance(options, RequestOptions), options
        return await self.fetcher.get(url, {}, {}, options=options)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """One for the test."""
    made = Lab()
    yield made
    await made.fetcher.close()
    await made.tls.close()


@pytest.mark.parametrize(
    "tls",
    [
        pytest.param(TRUSTED, id="its-authority"),
        pytest.param(TRUSTED | {"serverName": NAME}, id="its-other-name"),
        pytest.param({"insecureSkipVerify": True}, id="any"),
        pytest.param({"insecureSkipVerify": True, "serverName": "x.example"}, id="any-name"),
    ],
)
async def test_trusted(lab: Lab, tls: dict[str, Any]) -> None:
    """A certificate of an authority that the source names is good, or any if it says so."""
    with secured(body(200, "1")) as server:
        assert await lab.get(server.url, tls=tls) == b"1"


@pytest.mark.parametrize(
    "tls",
    [
        pytest.param(None, id="of-the-system"),
        pytest.param({"caBundle": bundle(OTHER_CA)}, id="of-others"),
        pytest.param(TRUSTED | {"serverName": "other.example"}, id="another-name"),
        pytest.param({"serverName": NAME}, id="only-a-name"),
    ],
)
async def test_not_trusted(lab: Lab, tls: dict[str, Any] | None) -> None:
    """Nothing is sent to a server whose certificate is not by the authority and of the name."""
    put_secret(lab.kube, value=SECRET)
    auth = {"bearerTokenSecretRef": {"name": "token", "key": "value"}}
    with secured(body(200, "1")) as server:
        found = await lab.get(server.url, tls=tls, auth=auth)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.UNREACHABLE
    assert "set tls.caBundle to its authority" in found.message
    assert server.seen == []


async def test_connections_are_not_shared(lab: Lab) -> None:
    """Who trusts nobody asks nothing over the connection of one who trusts anybody."""
    with secured(body(200, "1")) as server:
        careless = await lab.get(server.url, tls={"insecureSkipVerify": True})
        careful = await lab.get(server.url, tls={"caBundle": bundle(OTHER_CA)})
        named = await lab.get(server.url, tls=TRUSTED)
        misnamed = await lab.get(server.url, tls=TRUSTED | {"serverName": "other.example"})

    assert (careless, named) == (b"1", b"1")
    assert isinstance(careful, NoData)
    assert isinstance(misnamed, NoData)


async def test_whom_a_wrong_authority_stops(lab: Lab) -> None:
    """A scaler that trusts the wrong authority, however often, keeps no other from asking."""
    with secured(body(200, "1")) as server:
        for _ in range(10):
            await lab.get(server.url, tls={"caBundle": bundle(OTHER_CA)})
        found = await lab.get(server.url, tls=TRUSTED)

    assert found == b"1"


async def test_a_time_of_ones_own(lab: Lab) -> None:
    """`scrapeTimeout` shortens the deadline, says so, and stops nobody who has more patience."""
    with prometheus(hang) as server:
        hasty = [await lab.get(server.url, scrapeTimeout="50ms") for _ in range(5)]
        server.answer = body(200, "1")
        patient = await lab.get(server.url)

    found = hasty[-1]
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert "did not answer in full within 0.05 s" in found.message
    assert "raise scrapeTimeout" in found.message
    assert patient == b"1"


async def test_refused(lab: Lab) -> None:
    """A server that refuses a token says nothing of it; the rotated one is sent at once."""
    put_secret(lab.kube, value=SECRET)
    auth = {"bearerTokenSecretRef": {"name": "token", "key": "value"}}
    with prometheus(demanding(body(200, "1"), "Bearer rotated")) as server:
        found = await lab.get(server.url, auth=auth)
        put_secret(lab.kube, value="rotated")
        rotated = await lab.get(server.url, auth=auth)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.HTTP_ERROR
    assert "check headers and auth" in found.message
    assert SECRET not in found.message
    assert rotated == b"1"


async def test_where_a_redirect_points(lab: Lab) -> None:
    """Credentials go to the endpoint and no further."""
    put_secret(lab.kube, value=SECRET)
    auth = {"bearerTokenSecretRef": {"name": "token", "key": "value"}}
    with (
        prometheus(vector("1")) as elsewhere,
        prometheus(body(302, "", Location=elsewhere.url)) as server,
    ):
        found = await lab.get(server.url, auth=auth)

    assert isinstance(found, NoData)
    assert elsewhere.seen == []
