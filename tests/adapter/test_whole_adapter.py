"""The adapter put together: it starts, serves what it evaluated, and hands over when it stops."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Iterator
from pathlib import Path

import aiohttp
import pytest

from adapter import server
from budaiscaler.domain.errors import BudAIScalerError, ConfigurationError, ForbiddenError
from budaiscaler.runtime import tls
from tests.adapter import pki
from tests.adapter.api import GROUP_VERSION, HEADERS, PROXY
from tests.adapter.copies import (
    API_SERVICE,
    FRONT_PROXY,
    SECRET,
    cluster,
    holder,
    options,
    running,
    until,
)
from tests.fakes.kube import FakeKube
from tests.sources.server import Prometheus, prometheus, vector


@pytest.fixture
def kube() -> FakeKube:
    return cluster()


@pytest.fixture
def source() -> Iterator[Prometheus]:
    with prometheus(vector("3")) as made:
        yield made


async def test_starts_and_serves(kube: FakeKube, source: Prometheus) -> None:
    """It becomes ready, and publishes what it decided, under a certificate that verifies."""
    async with running(kube, source.url) as copy:
        await until(copy.published)

        assert await copy.published() == {"chat": "3"}
        assert (await copy.ready())[0] == 200
        assert (await copy.get(GROUP_VERSION))[0] == 200
        assert holder(kube) == copy.options.identity
        status, metrics = await copy.get("/metrics")
        assert status == 200
        assert "budaiscaler_leader 1.0" in metrics
        assert 'budaiscaler_desired_replicas{name="chat",namespace="ml"} 3.0' in metrics
        assert "budaiscaler_certificate_expiry_timestamp_seconds" in metrics


async def test_its_ca_is_published(kube: FakeKube, source: Prometheus) -> None:
    """The APIService tells kube-apiserver which CA verifies us."""
    async with running(kube, source.url):
        await until(lambda: "caBundle" in kube.objects[API_SERVICE]["spec"])

        bundle = kube.objects[API_SERVICE]["spec"]["caBundle"]
        assert bundle == kube.objects[SECRET]["data"]["ca.crt"]
        assert b"PRIVATE KEY" not in base64.b64decode(bundle)


async def test_not_ready_at_once(kube: FakeKube, source: Prometheus) -> None:
    """Readiness says what is missing: who may vouch, and a first evaluation."""
    kube.remove(FRONT_PROXY)
    kube.fail("get", "/leases/", ForbiddenError(403, "Forbidden", "no"))

    async with running(kube, source.url) as copy:
        await asyncio.sleep(0.05)
        status, report = await copy.ready()
        assert status == 503
        assert "[-]front-proxy failed: its configuration is not read" in report
        assert "[-]evaluation failed: no leader has evaluated every scaler yet" in report
        assert "[+]certificate ok" in report
        assert (await copy.get("/livez", client=None))[0] == 200

        kube.heal()
        kube.put(FRONT_PROXY, {"data": HEADERS})
        await until(lambda: _is_accepted(copy.ready()))


async def _is_accepted(asked: Awaitable[tuple[int, str]]) -> bool:
    """Whether the answer is 200; a handshake that fails is a refusal."""
    try:
        return (await asked)[0] == 200
    except aiohttp.ClientError:
        return False


async def test_two_copies(kube: FakeKube, source: Prometheus) -> None:
    """Both serve the same, one evaluates, and the other takes over as soon as that one stops."""
    async with running(kube, source.url) as first:
        await until(first.published)
        async with running(kube, source.url) as second:
            await until(second.published)
            assert await second.published() == await first.published()
            assert "budaiscaler_leader 0.0" in (await second.get("/metrics"))[1]

            await first.stop()
            await until(lambda: holder(kube) == second.options.identity)

            assert await second.published() == {"chat": "3"}


async def test_drains(kube: FakeKube, source: Prometheus) -> None:
    """Told to stop, it first says so, goes on answering and leading, and then gives all back."""
    async with running(kube, source.url, "--shutdown-delay=1s") as copy:
        await until(copy.published)
        assert copy.task is not None
        copy.task.cancel()
        await asyncio.sleep(0.02)

        status, report = await copy.ready()
        assert status == 503
        assert "[-]shutdown failed: draining" in report
        assert await copy.published() == {"chat": "3"}
        assert holder(kube) == copy.options.identity

        await asyncio.gather(copy.task, return_exceptions=True)
        assert copy.task.cancelled()
        assert holder(kube) == ""
        with pytest.raises(aiohttp.ClientConnectionError):
            await copy.get()


async def test_rotation_of_the_front_proxy(kube: FakeKube, source: Prometheus) -> None:
    """A CA that the ConfigMap no longer lists vouches for nobody from then on."""
    renewed = pki.authority("front-proxy-ca-2")
    client = renewed.client("front-proxy-client")
    async with running(kube, source.url) as copy:
        await until(copy.published)

        kube.put(FRONT_PROXY, {"data": {**HEADERS, "requestheader-client-ca-file": renewed.pem}})
        await until(lambda: _is_accepted(copy.get(client=client)))

        with pytest.raises(aiohttp.ClientError):
            await copy.get(client=PROXY)


async def test_a_broken_rotation(kube: FakeKube, source: Prometheus) -> None:
    """A CA that is none changes nothing, and crashes nothing."""
    async with running(kube, source.url) as copy:
        await until(copy.published)

        kube.put(FRONT_PROXY, {"data": {**HEADERS, "requestheader-client-ca-file": "junk"}})
        await asyncio.sleep(0.02)

        assert (await copy.get())[0] == 200


async def test_mounted_certificate(kube: FakeKube, source: Prometheus, tmp_path: Path) -> None:
    """Mounted files are served and reloaded; half a renewal leaves the last good ones in place."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(pki.SERVED.certificate)
    key.write_bytes(pki.SERVED.key)
    arguments = (
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        "--tls-reload-interval=20ms",
    )
    other = pki.authority("other")
    renewed = tls.issue_leaf(other.pair, (pki.SERVICE,), pki.NOW)
    async with running(kube, source.url, *arguments) as copy:
        copy.trusted = pki.SERVING.pair.certificate
        await until(copy.published)
        assert SECRET not in kube.objects
        assert "caBundle" not in kube.objects[API_SERVICE]["spec"]

        certificate.write_bytes(renewed.certificate)
        await asyncio.sleep(0.05)
        kube.put(FRONT_PROXY, {"data": {**HEADERS, "requestheader-allowed-names": "[]"}})
        await asyncio.sleep(0.02)
        assert (await copy.get())[0] == 200

        key.write_bytes(renewed.key)
        copy.trusted = other.pair.certificate

        await until(lambda: _is_accepted(copy.get()))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            ("--tls-cert-file=/nowhere/tls.crt", "--tls-private-key-file=/nowhere/tls.key"),
            ConfigurationError,
            "--tls-cert-file",
            id="no-files",
        ),
        pytest.param(
            (f"--tls-cert-file={__file__}", f"--tls-private-key-file={__file__}"),
            ConfigurationError,
            "serving certificate and its key cannot be used",
            id="no-certificate",
        ),
        pytest.param((), ForbiddenError, "cannot get secrets", id="not-allowed"),
    ],
)
async def test_cannot_start(
    kube: FakeKube, arguments: tuple[str, ...], error: type[BudAIScalerError], message: str
) -> None:
    """Without a certificate it does not start, and says why; it leads nobody meanwhile."""
    kube.fail("get", "/secrets/", ForbiddenError(403, "Forbidden", "cannot get secrets"))

    with pytest.raises(error, match=message):
        await server.run(kube, options("http://127.0.0.1:1", *arguments))

    assert holder(kube) == ""


async def test_a_broken_watch(kube: FakeKube, source: Prometheus) -> None:
    """A copy that is cut off from the scalers keeps serving them while the others vouch."""
    async with running(kube, source.url) as copy:
        await until(copy.published)

        kube.fail("watch", "/budaiscalers", ForbiddenError(403, "Forbidden", "no"))
        kube.fail("get", "/apis/scaler.bud.studio", ForbiddenError(403, "Forbidden", "no"))
        kube.end_watches(ForbiddenError(403, "Forbidden", "no"))
        await asyncio.sleep(0.05)

        assert await copy.published() == {"chat": "3"}
        assert (await copy.ready())[0] == 200
