"""Where the serving certificate comes from: made once for all copies, or mounted by others."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapter.certificates import MountedCertificate, OwnCertificate, publish_ca_bundle
from budaiscaler.domain.errors import (
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
)
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import API_SERVICES, SECRETS
from tests.adapter import pki
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.fakes.link import Link

NAMES = ("adapter.budaiscaler-system.svc", "adapter")
PATH = SECRETS.item("budaiscaler-system", "adapter-tls")
API_SERVICE = "v1beta1.external.metrics.k8s.io"
SERVICE = {"name": "adapter", "namespace": "budaiscaler-system"}


def own(
    kube: FakeKube | Link, now: datetime = NOON, names: tuple[str, ...] = NAMES
) -> OwnCertificate:
    """The certificate of one copy."""
    return OwnCertificate(kube, "budaiscaler-system", "adapter-tls", names, lambda: now)


def field(kube: FakeKube, key: str) -> bytes:
    return base64.b64decode(kube.objects[PATH]["data"][key])


async def test_made_when_there_is_none(kube: FakeKube) -> None:
    """The first copy makes a TLS Secret with a CA and a leaf, and serves that leaf."""
    certificate = own(kube)

    leaf = await certificate.load()

    secret = kube.objects[PATH]
    assert secret["type"] == "kubernetes.io/tls"
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert leaf.certificate == field(kube, "tls.crt")
    assert leaf.dns_names == set(NAMES)
    assert certificate.ca_bundle == field(kube, "ca.crt")


async def test_the_second_copy_reads_it(kube: FakeKube) -> None:
    """A copy that comes later serves what is there and writes nothing."""
    first = await own(kube).load()
    writes = len(kube.made("create")) + len(kube.made("update"))

    second = own(kube)

    assert await second.load() == first
    assert second.ca_bundle == field(kube, "ca.crt")
    assert len(kube.made("create")) + len(kube.made("update")) == writes


async def test_two_copies_at_once(kube: FakeKube) -> None:
    """Two that find none at the same time end up serving the same one."""
    copies = [own(Link(kube, answer_after_s={"get": 0.001})) for _ in range(2)]

    first, second = await asyncio.gather(*(copy.load() for copy in copies))

    assert first == second
    assert copies[0].ca_bundle == copies[1].ca_bundle == field(kube, "ca.crt")


async def test_renewed_at_two_thirds(kube: FakeKube) -> None:
    """The leaf is renewed when two thirds of its life are over, under the same CA."""
    first = await own(kube).load()
    bundle = field(kube, "ca.crt")
    assert await own(kube, NOON + timedelta(days=240)).load() == first

    later = own(kube, NOON + timedelta(days=244))
    renewed = await later.load()

    assert renewed != first
    assert renewed.not_after == NOON + timedelta(days=244 + 365)
    assert later.ca_bundle == field(kube, "ca.crt") == bundle
    assert await own(kube, NOON + timedelta(days=245)).load() == renewed


async def test_two_copies_renew_at_once(kube: FakeKube) -> None:
    """Two that renew at the same time end up serving the same leaf."""
    await own(kube).load()
    later = NOON + timedelta(days=300)
    copies = [own(Link(kube, answer_after_s={"get": 0.001}), later) for _ in range(2)]

    first, second = await asyncio.gather(*(copy.load() for copy in copies))

    assert first == second
    assert first.certificate == field(kube, "tls.crt")


async def test_a_new_name(kube: FakeKube) -> None:
    """A Service that was renamed gets a leaf for its new name, which keeps the old ones."""
    await own(kube).load()
    renamed = own(kube, names=("metrics.budaiscaler-system.svc",))

    leaf = await renamed.load()

    assert leaf.dns_names == {"metrics.budaiscaler-system.svc", *NAMES}
    assert await own(kube).load() == leaf


async def test_other_data_stays(kube: FakeKube) -> None:
    """A renewal keeps labels that others put on the Secret."""
    await own(kube).load()
    kube.objects[PATH]["metadata"]["labels"] = {"team": "ml"}

    await own(kube, NOON + timedelta(days=300)).load()

    assert kube.objects[PATH]["metadata"]["labels"] == {"team": "ml"}


def encoded(**data: bytes) -> dict[str, str]:
    return {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}


GOOD = {"ca_crt": pki.SERVING.pair.certificate, "ca_key": pki.SERVING.pair.key}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="no-data"),
        pytest.param({}, id="empty"),
        pytest.param(encoded(**GOOD), id="no-leaf"),
        pytest.param(encoded(tls_crt=pki.SERVED.certificate, tls_key=pki.SERVED.key), id="no-ca"),
        pytest.param(encoded(**GOOD, tls_crt=b"x", tls_key=b"y"), id="leaf-is-none"),
        pytest.param({**encoded(**GOOD, tls_crt=b"x"), "tls.key": "%%%"}, id="no-base64"),
        pytest.param(
            encoded(ca_crt=b"x", ca_key=b"y", tls_crt=pki.SERVED.certificate, tls_key=b"z"),
            id="ca-is-none-when-it-is-needed",
        ),
    ],
)
async def test_a_broken_secret(kube: FakeKube, data: Mapping[str, str] | None) -> None:
    """A Secret that cannot be used is named, with what to do about it."""
    kube.put(PATH, {"data": data})
    long_after = pki.NOW + timedelta(days=3650)

    with pytest.raises(
        ConfigurationError, match=r"budaiscaler-system/adapter-tls cannot be used.*delete it"
    ):
        await own(kube, long_after).load()


async def test_not_allowed(kube: FakeKube) -> None:
    """A missing right is passed on in the API server's words."""
    kube.fail("get", "/secrets/", ForbiddenError(403, "Forbidden", "cannot get secrets"))

    with pytest.raises(ForbiddenError, match="cannot get secrets"):
        await own(kube).load()


async def test_keeps_changing(kube: FakeKube) -> None:
    """A Secret that somebody else writes all the time is given up with a clear error."""
    kube.fail("create", "/secrets", ConflictError(409, "AlreadyExists", "exists"))

    with pytest.raises(KubeError, match="keeps changing"):
        await own(kube).load()


async def test_mounted_files(tmp_path: Path) -> None:
    """Mounted files are read as they are now, each time."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(b"c1")
    key.write_bytes(b"k1")
    mounted = MountedCertificate(certificate, key)
    first = await mounted.load()

    certificate.write_bytes(b"c2")
    key.write_bytes(b"k2")
    second = await mounted.load()

    assert (first.certificate, first.key) == (b"c1", b"k1")
    assert (second.certificate, second.key) == (b"c2", b"k2")


async def test_missing_files(tmp_path: Path) -> None:
    """A file that is not there is named, with the flags that say where it should be."""
    mounted = MountedCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")

    with pytest.raises(ConfigurationError, match=r"tls\.crt.*--tls-cert-file"):
        await mounted.load()


@pytest.fixture
def api_service(kube: FakeKube) -> str:
    """Our APIService as the manifests make it."""
    path = API_SERVICES.item(None, API_SERVICE)
    kube.put(path, {"spec": {"group": "external.metrics.k8s.io", "service": SERVICE}})
    return path


async def publish(kube: FakeKube) -> bool:
    """As the copy does whose Service is the one of the manifests."""
    return await publish_ca_bundle(
        kube, API_SERVICE, service="adapter", namespace="budaiscaler-system", bundle=b"bundle"
    )


async def test_published(kube: FakeKube, api_service: str) -> None:
    """The bundle is put in once; an equal one is not written again."""
    assert await publish(kube) is True
    assert await publish(kube) is False

    spec: Json = kube.objects[api_service]["spec"]
    assert spec["caBundle"] == base64.b64encode(b"bundle").decode()
    assert spec["service"]["name"] == "adapter"
    assert len(kube.made("patch")) == 1


@pytest.mark.parametrize(
    "reverted",
    [
        pytest.param({}, id="removed"),
        pytest.param({"caBundle": "b2xk"}, id="another"),
        pytest.param({"insecureSkipTLSVerify": True}, id="verification-switched-off"),
    ],
)
async def test_put_back(kube: FakeKube, api_service: str, reverted: Json) -> None:
    """What a tool reverts is put back, and verification is switched on again."""
    await publish(kube)
    kube.put(api_service, {"spec": {"service": SERVICE, **reverted}})

    assert await publish(kube) is True

    bundle = base64.b64encode(b"bundle").decode()
    assert kube.objects[api_service]["spec"] == {"service": SERVICE, "caBundle": bundle}


@pytest.mark.parametrize(
    "service",
    [
        pytest.param({"name": "keda-metrics-apiserver", "namespace": "keda"}, id="another"),
        pytest.param({**SERVICE, "namespace": "other"}, id="of-another-installation"),
        pytest.param(None, id="local"),
    ],
)
async def test_the_api_service_of_another_is_left_alone(kube: FakeKube, service: Json) -> None:
    """Our CA in it would take its metrics from the whole cluster; the error says whose it is."""
    path = API_SERVICES.item(None, API_SERVICE)
    kube.put(path, {"spec": {"service": service, "caBundle": "dGhlaXJz"}})

    with pytest.raises(ConfigurationError, match="only one server can have this API") as raised:
        await publish(kube)

    assert kube.objects[path]["spec"]["caBundle"] == "dGhlaXJz"
    assert str((service or {}).get("namespace")) in str(raised.value)


async def test_no_api_service(kube: FakeKube) -> None:
    """Without an APIService there is nothing to put it into, and the caller is told."""
    with pytest.raises(NotFoundError):
        await publish(kube)
