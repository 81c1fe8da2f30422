"""Credentials of users: what is sent, what is refused, and what is shared with whom."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.errors import status_error
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.credentials import RequestOptions, SourceCredentials
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import MOST, TlsContexts
from tests.fakes.kube import FakeKube
from tests.sources.secured import OTHER_CA, SECRET, bundle, put_secret

TOKEN = {"bearerTokenSecretRef": {"name": "token", "key": "value"}}
BASIC = {"basicSecretRef": {"name": "login"}}


def header_from(name: str, key: str = "value") -> dict[str, Any]:
    """An entry of `headersFrom`."""
    return {"name": name, "secretKeyRef": {"name": "token", "key": key}}


async def options(kube: FakeKube, namespace: str = "ml", **fields: Any) -> RequestOptions | NoData:
    """What is sent for a source of these fields."""
    raw = {"metricSourceType": "external", "targetMetric": "queue", "targetValue": "1"}
    source = MetricsSource.model_validate(raw | fields)
    tls = TlsContexts()
    try:
        return await SourceCredentials(SecretReader(kube), tls).options(namespace, source)
    finally:
        await tls.close()


@pytest.fixture
def kube() -> FakeKube:
    """With a token and a login in it, the same in two namespaces."""
    made = FakeKube()
    for namespace in ("ml", "other"):
        put_secret(made, namespace=namespace, value=SECRET, umlaut="ä", lines="a\nb: c")
        put_secret(made, "login", namespace, username="me", password=f"{SECRET}:ä")
    return made


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"headers": {"X-Key": "1"}}, {"x-key": "1"}, id="headers"),
        pytest.param({"headersFrom": [header_from("X-Key")]}, {"x-key": SECRET}, id="headers-from"),
        pytest.param({"auth": TOKEN}, {"authorization": f"Bearer {SECRET}"}, id="bearer"),
        pytest.param(
            {"auth": BASIC},
            {"authorization": "Basic bWU6aHVudGVyMi1hbmQtbW9yZTrDpA=="},
            id="basic",
        ),
        pytest.param(
            {"auth": TOKEN, "headers": {"X-Scope-OrgID": "ml"}},
            {"x-scope-orgid": "ml", "authorization": f"Bearer {SECRET}"},
            id="tenant-and-bearer",
        ),
    ],
)
async def test_what_is_sent(
    kube: FakeKube, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    """Each field becomes the headers it says, and what is ready to be sent does not show them."""
    found = await options(kube, **fields)

    assert isinstance(found, RequestOptions)
    assert found.headers == headers
    assert SECRET not in repr(found)
    assert "Basic" not in repr(found)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {"auth": TOKEN, "headers": {"authorization": "x"}}, "leave one of them out", id="twice"
        ),
        pytest.param(
            {"auth": TOKEN, "headersFrom": [header_from("AUTHORIZATION")]},
            "leave one of them out",
            id="twice-from",
        ),
        pytest.param(
            {"headers": {"X-A": "1"}, "headersFrom": [header_from("x-a")]}, "set already", id="both"
        ),
        pytest.param({"auth": TOKEN | BASIC}, "a bearer token and a basic one", id="two-kinds"),
        pytest.param(
            {"headersFrom": [header_from("Transfer-Encoding")]}, "not yours to set", id="framing"
        ),
        pytest.param({"headersFrom": [header_from("a b")]}, "'a b'", id="no-name"),
        pytest.param(
            {"headersFrom": [header_from("x", "lines")]}, "header x has characters", id="two-lines"
        ),
        pytest.param(
            {"headersFrom": [header_from("x", "umlaut")]}, "header x has characters", id="umlaut"
        ),
        pytest.param({"tls": {"caBundle": "eA=="}}, "tls.caBundle holds no", id="no-certificate"),
        pytest.param({"tls": {"caBundle": "%"}}, "tls.caBundle holds no", id="no-base64"),
        pytest.param({"scrapeTimeout": "soon"}, "is no duration", id="no-duration"),
        pytest.param({"scrapeTimeout": "0s"}, "scrapeTimeout must be above 0", id="no-time"),
    ],
)
async def test_what_cannot_be_sent(kube: FakeKube, fields: dict[str, Any], words: str) -> None:
    """Each says what to change, and no value is repeated."""
    found = await options(kube, **fields)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ENDPOINT
    assert words in found.message
    assert SECRET not in found.message


@pytest.mark.parametrize("fields", [{"auth": TOKEN}, {"auth": BASIC}], ids=["bearer", "basic"])
async def test_without_the_right(kube: FakeKube, fields: dict[str, Any]) -> None:
    """A Secret that nobody granted us keeps the source from being asked at all."""
    kube.fail("get", "/secrets/", status_error(403, "Forbidden", "no"))
    found = await options(kube, **fields)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.SECRET_NOT_READABLE


async def test_identities(kube: FakeKube) -> None:
    """What is sent, how it is checked, and whose Secret it is: any difference makes another."""
    kinds: list[dict[str, Any]] = [
        {},
        {"headers": {"a": "1"}},
        {"headers": {"a": "1", "b": ""}},
        {"headers": {"a": "1\tb:"}},
        {"auth": TOKEN},
        {"auth": BASIC},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"auth": TOKEN, "namespace": "other"},
        {"tls": {"insecureSkipVerify": True}},
        {"tls": {"caBundle": bundle()}},
        {"tls": {"caBundle": bundle(OTHER_CA)}},
        {"tls": {"caBundle": bundle(), "serverName": "a.example"}},
        {"scrapeTimeout": "2s"},
    ]
    found = [await options(kube, **fields) for fields in kinds]
    again = [await options(kube, **fields) for fields in kinds]
    shared = await options(kube, namespace="other")
    put_secret(kube, value="rotated")
    rotated = await options(kube, auth=TOKEN)

    identities = [one.identity for one in found if isinstance(one, RequestOptions)]
    assert len(set(identities)) == len(kinds)
    assert identities == [one.identity for one in again if isinstance(one, RequestOptions)]
    assert isinstance(shared, RequestOptions)
    assert shared.identity == identities[0]
    assert isinstance(rotated, RequestOptions)
    assert rotated.identity not in identities


async def test_refused_credentials(kube: FakeKube) -> None:
    """Once a server refuses what a Secret says, it is read anew for the next request."""
    reader, tls = SecretReader(kube), TlsContexts()
    credentials = SourceCredentials(reader, tls)
    source = MetricsSource.model_validate(
        {"targetMetric": "queue", "targetValue": "1", "auth": TOKEN}
    )
    first = await credentials.options("ml", source)
    put_secret(kube, value="rotated")
    assert isinstance(first, RequestOptions)
    first.refused()
    second = await credentials.options("ml", source)
    await tls.close()

    assert isinstance(second, RequestOptions)
    assert second.headers == {"authorization": "Bearer rotated"}


async def test_contexts_are_made_once() -> None:
    """The same authorities share a context, and only so many are kept."""
    tls = TlsContexts()

    def source(**fields: Any) -> MetricsSource:
        return MetricsSource.model_validate(
            {"targetMetric": "queue", "targetValue": "1", "tls": fields}
        )

    one = await tls.context(source(caBundle=bundle()).tls)
    same = await tls.context(source(caBundle=bundle(), serverName="a").tls)
    other = await tls.context(source(insecureSkipVerify=True).tls)
    for number in range(MOST):
        await tls.context(source(caBundle=f"{number:08}").tls)
    anew = await tls.context(source(caBundle=bundle()).tls)
    await tls.close()

    assert one is same
    assert one is not other
    assert anew is not one
