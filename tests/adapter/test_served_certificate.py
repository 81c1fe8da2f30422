"""What is served is kept up to date, and whatever fails leaves the last good state in place."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapter.certificates import OwnCertificate
from adapter.served_certificate import CA_BUNDLE_EVERY_S, ServedCertificate, keep_ca_bundle
from adapter.telemetry import Telemetry
from budaiscaler.domain.errors import ConfigurationError, KubeUnreachableError
from budaiscaler.kube.resources import API_SERVICES
from budaiscaler.runtime.tls import KeyPair
from tests.adapter import pki
from tests.conftest import NOON
from tests.fakes.kube import FakeKube

API_SERVICE = "v1beta1.external.metrics.k8s.io"
PATH = API_SERVICES.item(None, API_SERVICE)
OURS = {"name": "adapter", "namespace": "budaiscaler-system"}


class Source:
    """Gives a pair, or fails."""

    answer: KeyPair | Exception = pki.SERVED

    async def load(self) -> KeyPair:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def served(source: Source) -> ServedCertificate:
    return ServedCertificate(source, Telemetry(), wall_clock=lambda: pki.NOW)


async def test_problems() -> None:
    """Readiness hears that nothing is loaded, that it is expired, and nothing while all is well."""
    certificate = served(Source())
    assert certificate.problem() == "not loaded"

    await certificate.refresh()
    assert certificate.problem() is None

    certificate.wall_clock = lambda: pki.SERVED.not_after + timedelta(seconds=1)
    assert certificate.problem() == "expired"


@pytest.mark.looptime
async def test_kept_through_failures() -> None:
    """What cannot be loaded now leaves the last good one in place, and is tried again."""
    source = Source()
    certificate = served(source)
    await certificate.refresh()
    keeping = asyncio.ensure_future(certificate.keep(20))
    source.answer = ConfigurationError("the file is gone")
    await asyncio.sleep(50)
    assert certificate.problem() is None

    renewed = pki.SERVING.pair
    source.answer = renewed
    await asyncio.sleep(20)

    certificate.wall_clock = lambda: pki.SERVED.not_after + timedelta(seconds=1)
    assert certificate.problem() is None
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_trust() -> None:
    """Only a CA that takes another's place is one for which connections must come anew."""
    certificate = served(Source())

    assert certificate.trust(pki.FRONT_PROXY.pem) is False
    await certificate.refresh()
    assert certificate.trust(pki.FRONT_PROXY.pem) is False
    assert certificate.trust(pki.CLUSTER.pem) is True
    with pytest.raises(ConfigurationError):
        certificate.trust("junk")
    assert certificate.trust(pki.CLUSTER.pem) is False


@pytest.mark.looptime
async def test_the_bundle_is_put_back(kube: FakeKube) -> None:
    """Our CA comes into the APIService once there is one, and back after whatever removes it."""
    own = OwnCertificate(kube, "budaiscaler-system", "tls", ("adapter",), lambda: NOON)
    await own.load()
    keeping = asyncio.ensure_future(
        keep_ca_bundle(kube, API_SERVICE, service="adapter", namespace=OURS["namespace"], own=own)
    )
    await asyncio.sleep(1)  # there is no APIService yet
    kube.put(PATH, {"spec": {"service": {"name": "another", "namespace": "x"}}})
    await asyncio.sleep(CA_BUNDLE_EVERY_S)
    assert "caBundle" not in kube.objects[PATH]["spec"]

    for trouble in (False, True):
        kube.put(PATH, {"spec": {"service": OURS}})
        if trouble:
            kube.fail("patch", PATH, KubeUnreachableError("refused"))
            await asyncio.sleep(CA_BUNDLE_EVERY_S)
            kube.heal()
        await asyncio.sleep(CA_BUNDLE_EVERY_S)
        assert kube.objects[PATH]["spec"]["caBundle"]

    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
