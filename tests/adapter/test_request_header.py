"""The front proxy's configuration is followed as it changes; a bad one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapter.authn import RequestHeader
from adapter.request_header import NAME, NAMESPACE, WatchedRequestHeader
from budaiscaler.domain.errors import ConfigurationError, ForbiddenError
from budaiscaler.kube.resources import CONFIG_MAPS
from tests.adapter.api import HEADERS
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

PATH = CONFIG_MAPS.item(NAMESPACE, NAME)


@dataclass(slots=True)
class Trust:
    """What TLS was told to trust; refuses what is no CA."""

    told: list[RequestHeader] = field(default_factory=list)

    def __call__(self, configuration: RequestHeader) -> None:
        if "broken" in configuration.client_ca:
            raise ConfigurationError("no CA")
        self.told.append(configuration)


@asynccontextmanager
async def watching(kube: FakeKube, trust: Trust) -> AsyncIterator[WatchedRequestHeader]:
    watched = WatchedRequestHeader(kube, trust)
    task = asyncio.ensure_future(watched.run())
    await asyncio.sleep(1)
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_read_and_followed(kube: FakeKube) -> None:
    """What stands there is read, and a rotation is told to TLS as soon as it is seen."""
    kube.put(PATH, {"data": HEADERS})
    trust = Trust()

    async with watching(kube, trust) as watched:
        assert watched.current == RequestHeader.read(HEADERS)
        kube.put(PATH, {"data": {**HEADERS, "requestheader-client-ca-file": "new CA"}})
        await asyncio.sleep(1)

        assert watched.current is not None
        assert watched.current.client_ca == "new CA"
        assert [told.client_ca for told in trust.told][1:] == ["new CA"]


async def test_other_config_maps(kube: FakeKube) -> None:
    """No other ConfigMap is read, nor asked for."""
    kube.put(CONFIG_MAPS.item(NAMESPACE, "another"), {"data": HEADERS})

    async with watching(kube, Trust()) as watched:
        assert watched.current is None
    assert {(call.params or {})["fieldSelector"] for call in kube.calls} == {
        f"metadata.name={NAME}"
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({**HEADERS, "requestheader-allowed-names": "[front-proxy"}, id="no-json"),
        pytest.param({**HEADERS, "requestheader-allowed-names": '{"a": 1}'}, id="no-list"),
        pytest.param({**HEADERS, "requestheader-client-ca-file": ""}, id="no-ca"),
        pytest.param({**HEADERS, "requestheader-client-ca-file": "broken"}, id="ca-is-none"),
        pytest.param({}, id="empty"),
        pytest.param(None, id="no-data"),
    ],
)
async def test_unusable(kube: FakeKube, data: dict[str, str] | None) -> None:
    """A configuration that cannot be used leaves the last good one; the next good one counts."""
    kube.put(PATH, {"data": HEADERS})
    trust = Trust()

    async with watching(kube, trust) as watched:
        kube.put(PATH, {"data": data})
        await asyncio.sleep(1)
        assert watched.current == RequestHeader.read(HEADERS)
        assert len(trust.told) == 1
        kube.put(PATH, {"data": {**HEADERS, "requestheader-allowed-names": "[]"}})
        await asyncio.sleep(1)

        assert watched.current is not None
        assert watched.current.allowed_names == ()


async def test_deleted(kube: FakeKube) -> None:
    """Somebody deletes it: the API server writes it again, and meanwhile the last one stands."""
    kube.put(PATH, {"data": HEADERS})

    async with watching(kube, Trust()) as watched:
        kube.remove(PATH)
        await asyncio.sleep(1)
        assert watched.current == RequestHeader.read(HEADERS)


async def test_equal_ones_are_not_told(kube: FakeKube) -> None:
    """A write that changes nothing of it makes no new context."""
    kube.put(PATH, {"data": HEADERS})
    trust = Trust()

    async with watching(kube, trust):
        for number in range(5):
            kube.put(PATH, {"data": HEADERS, "metadata": {"labels": {"n": str(number)}}})
            await asyncio.sleep(1)

    assert len(trust.told) == 1


async def test_not_allowed(kube: FakeKube, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the right to read it the log names the missing RoleBinding, until it is there."""
    kube.fail("get", "/configmaps", ForbiddenError(403, "Forbidden", "no"))

    async with watching(kube, Trust()) as watched:
        await asyncio.sleep(30)
        assert capsys.readouterr().out.count("extension-apiserver-authentication-reader") == 3
        kube.heal()
        kube.put(PATH, {"data": HEADERS})
        await asyncio.sleep(31)
        assert watched.current is not None
        capsys.readouterr()
        await asyncio.sleep(60)
        assert "extension-apiserver-authentication-reader" not in capsys.readouterr().out
