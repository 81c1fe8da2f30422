"""Prometheus with credentials: whose go where, and what is never shared or mixed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import Sample
from budaiscaler.sources.instant_queries import PrometheusSource
from budaiscaler.sources.operator_credentials import OperatorAccess
from tests.fakes.kube import FakeKube
from tests.sources.secured import (
    CA,
    NAME,
    OTHER_CA,
    SECRET,
    at_loopback,
    bundle,
    demanding,
    port_of,
    put_secret,
    secured,
)
from tests.sources.server import Prometheus, body, prometheus, prometheus_source, request, vector

BEARER: dict[str, Any] = {"auth": {"bearerTokenSecretRef": {"name": "token", "key": "value"}}}
BASIC = {"auth": {"basicSecretRef": {"name": "token", "usernameKey": "user"}}}
HELD = f"Bearer {SECRET}"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """What the operator has mounted."""
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def server() -> Iterator[Prometheus]:
    """A Prometheus that answers everybody."""
    with prometheus(vector("1")) as running:
        yield running


async def once(source: PrometheusSource, endpoint: str | None, **fields: Any) -> Sample | NoData:
    """Ask, and close."""
    try:
        return await source.fetch(request(endpoint, **fields))
    finally:
        await source.close()


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        pytest.param(BEARER, f"Bearer {SECRET}", id="bearer"),
        pytest.param(BASIC, "Basic bWU6aHVudGVyMg==", id="basic"),
    ],
)
async def test_credentials_of_a_user(kube: FakeKube, fields: dict[str, Any], accepted: str) -> None:
    """They are sent, beside the tenant, by POST and in no URL."""
    put_secret(kube, value=SECRET, user="me", password="hunter2")
    tenant = {"headers": {"X-Scope-OrgID": "ml"}}
    with prometheus(demanding(vector("7"), accepted)) as server:
        found = await once(prometheus_source(kube=kube), server.url, **fields, **tenant)

    assert isinstance(found, Sample)
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.promql) == ("POST", "/api/v1/query", "up")
    assert seen.headers["x-scope-orgid"] == "ml"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(BEARER, id="bearer"),
        pytest.param(BASIC, id="basic"),
        pytest.param({"headers": {"X-Key": f"key={SECRET}"}}, id="header"),
        pytest.param({}, id="user-of-the-endpoint"),
    ],
)
@pytest.mark.parametrize("is_decoded", [False, True], ids=["as-sent", "decoded"])
async def test_a_server_that_repeats_what_it_was_sent(
    kube: FakeKube, fields: dict[str, Any], *, is_decoded: bool
) -> None:
    """Its words about a query are passed on, unless a secret is among them."""
    put_secret(kube, value=SECRET, user="me", password=SECRET)

    def repeat(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        sent = f"key={SECRET}" if is_decoded else (server.seen[-1].authorization or f"key={SECRET}")
        body(400, json.dumps({"error": f"not for {sent}"}))(server, handler, promql)

    with prometheus(repeat) as server:
        endpoint = server.url if fields else server.url.replace("://", f"://me:{SECRET}@")
        found = await once(prometheus_source(kube=kube), endpoint, **fields)

    assert isinstance(found, NoData)
    assert found.message == "Prometheus refuses promQL: it does not parse"


async def test_a_server_that_says_what_is_wrong_to_one_with_credentials(kube: FakeKube) -> None:
    """Its words are told to them as to everybody."""
    put_secret(kube, value=SECRET)
    with prometheus(body(400, json.dumps({"error": "Bearer is no metric"}))) as server:
        found = await once(prometheus_source(kube=kube), server.url, **BEARER)

    assert isinstance(found, NoData)
    assert found.message == "Prometheus refuses promQL: Bearer is no metric"


@pytest.mark.parametrize(
    ("tls", "is_trusted"),
    [
        pytest.param({"caBundle": bundle()}, True, id="its-authority"),
        pytest.param({"insecureSkipVerify": True}, True, id="any"),
        pytest.param({"caBundle": bundle(), "serverName": NAME}, True, id="its-other-name"),
        pytest.param(None, False, id="of-the-system"),
        pytest.param({"caBundle": bundle(OTHER_CA)}, False, id="of-others"),
        pytest.param({"caBundle": bundle(), "serverName": "x.example"}, False, id="another-name"),
    ],
)
async def test_tls(kube: FakeKube, tls: dict[str, Any] | None, *, is_trusted: bool) -> None:
    """Nothing is sent to a server whose certificate is not as the source wants it."""
    put_secret(kube, value=SECRET)
    with secured(vector("7")) as server:
        found = await once(
            prometheus_source(kube=kube, resolve=at_loopback), server.url, tls=tls, **BEARER
        )

    assert isinstance(found, Sample) is is_trusted
    assert bool(server.seen) is is_trusted
    if isinstance(found, NoData):
        assert found.reason is NoDataReason.UNREACHABLE
        assert "set tls.caBundle to its authority" in found.message


async def test_answers_are_not_shared(kube: FakeKube) -> None:
    """The same query with other credentials, or by another namespace's, is asked for itself."""
    for namespace in ("ml", "other"):
        put_secret(kube, namespace=namespace, value=SECRET)
    source = prometheus_source(kube=kube)
    with prometheus(vector("1")) as server:
        for fields in ({}, BEARER, BEARER | {"namespace": "other"}, {"headers": {"a": "b"}}) * 2:
            asked = request(server.url, max_age_s=60, **fields)
            assert isinstance(await source.fetch(asked), Sample)
        await source.close()

    sent = [(seen.authorization, seen.headers.get("a")) for seen in server.seen]
    assert sent == [(None, None), (HELD, None), (HELD, None), (None, "b")]


async def test_a_refused_secret_is_read_anew(kube: FakeKube) -> None:
    """A token that was rotated after it was read is sent with the next query."""
    put_secret(kube, value="old")
    source = prometheus_source(kube=kube)
    with prometheus(demanding(vector("1"), "Bearer new")) as server:
        refused = await source.fetch(request(server.url, **BEARER))
        put_secret(kube, value="new")
        found = await source.fetch(request(server.url, **BEARER))
        await source.close()

    assert isinstance(refused, NoData)
    assert "refuses our credentials (HTTP 401): check auth and headers" in refused.message
    assert isinstance(found, Sample)


async def test_the_operators_token(server: Prometheus, token_file: Path) -> None:
    """It goes to the operator's own Prometheus and to those listed, by path and all."""
    operator = OperatorAccess(
        bearer_token_file=token_file,
        headers=(("X-Scope-OrgID", "ops"),),
        credentials_for=(f"{server.url}/listed/",),
    )
    source = prometheus_source(operator=operator, default_endpoint=server.url)
    for endpoint in (
        None,
        server.url,
        f"{server.url}/",
        f"{server.url}/listed",
        f"{server.url}/listed/more",
        f"{server.url}/other",
        f"{server.url}/listed/../other",
        server.url.replace("127.0.0.1", "localhost"),
        server.url.replace("127.0.0.1", "127.0.0.1."),
        server.url.replace("://", "://me:mine@"),
    ):
        await source.fetch(request(endpoint, f"q{len(server.seen)}"))
    await source.close()

    sent = [seen.authorization == HELD for seen in server.seen]
    assert sent[:4] == [True] * 4
    assert not any(sent[4:])
    assert len(sent) > 6
    tenants = [seen.headers.get("x-scope-orgid") for seen in server.seen]
    assert tenants == ["ops" if held else None for held in sent]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"headers": {"X-Scope-OrgID": "others"}}, id="tenant"),
        pytest.param(BEARER, id="auth"),
        pytest.param({"tls": {"insecureSkipVerify": True}}, id="tls"),
        pytest.param(
            {"headersFrom": [{"name": "x", "secretKeyRef": {"name": "a", "key": "b"}}]},
            id="headers-from",
        ),
    ],
)
async def test_nothing_goes_beside_it(
    server: Prometheus, token_file: Path, fields: dict[str, Any]
) -> None:
    """Where the operator's token goes, no scaler chooses a tenant or switches off a check."""
    source = prometheus_source(
        operator=OperatorAccess(bearer_token_file=token_file), default_endpoint=server.url
    )
    found = await once(source, None, **fields)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ENDPOINT
    assert f"leave out {next(iter(fields))}" in found.message
    assert server.seen == []


async def test_a_rotated_file(tmp_path: Path) -> None:
    """A token that is rotated is read again, at once when the old one is refused."""
    token_file = tmp_path / "link"
    for content in ("old", "rotated"):
        (tmp_path / content).write_text(content)
    token_file.symlink_to("old")
    with prometheus(demanding(vector("1"), "Bearer rotated")) as server:
        source = prometheus_source(
            operator=OperatorAccess(bearer_token_file=token_file), default_endpoint=server.url
        )
        refused = await source.fetch(request(None))
        token_file.unlink()
        token_file.symlink_to("rotated")
        found = await once(source, None)

    assert isinstance(refused, NoData)
    assert isinstance(found, Sample)


@pytest.mark.parametrize(
    ("content", "flag", "words"),
    [
        pytest.param(None, "bearer_token_file", "cannot be read", id="missing"),
        pytest.param(b"", "bearer_token_file", "is empty", id="empty"),
        pytest.param(b"\xff", "bearer_token_file", "cannot be read", id="no-text"),
        pytest.param(b"hunter2\nX: y", "bearer_token_file", "no header may have", id="two-lines"),
        pytest.param(b"hunter2", "basic_auth_file", "must hold user:password", id="no-password"),
        pytest.param(b"hunter2", "ca_file", "has no certificates", id="no-certificate"),
    ],
)
async def test_files_that_are_none(
    server: Prometheus, tmp_path: Path, content: bytes | None, flag: str, words: str
) -> None:
    """What the operator has to mend is said without what the file holds; nothing is asked."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    operator = replace(OperatorAccess(), **{flag: path})  # type: ignore[arg-type] # one of a table
    found = await once(prometheus_source(operator=operator, default_endpoint=server.url), None)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.SECRET_NOT_READABLE
    assert words in found.message
    assert "hunter2" not in found.message
    assert server.seen == []


async def test_the_operators_authorities(tmp_path: Path) -> None:
    """The operator's own Prometheus is checked by the operator's authorities, with a password."""
    (tmp_path / "ca").write_bytes(CA.certificate)
    (tmp_path / "basic").write_text("me:hunter2")
    operator = OperatorAccess(basic_auth_file=tmp_path / "basic", ca_file=tmp_path / "ca")
    with secured(demanding(vector("1"), "Basic bWU6aHVudGVyMg==")) as server:
        source = prometheus_source(
            operator=operator, default_endpoint=server.url, resolve=at_loopback
        )
        found = await once(source, None)

    assert isinstance(found, Sample)


async def test_denied_addresses(server: Prometheus) -> None:
    """A user's endpoint leads to no denied address, by whatever name; the operator's own may."""
    port = port_of(server)
    own = prometheus_source(guard=AddressGuard(), default_endpoint=server.url)
    assert isinstance(await once(own, None), Sample)

    for endpoint in (
        f"{server.url}/user",
        f"http://[::ffff:127.0.0.1]:{port}",
        f"http://innocent.example:{port}",
        f"http://127.1:{port}",
        f"http://0:{port}",
    ):
        source = prometheus_source(
            guard=AddressGuard(),
            default_endpoint=server.url,
            **({"resolve": at_loopback} if "innocent" in endpoint else {}),  # type: ignore[arg-type] # only that
        )
        found = await once(source, endpoint)
        assert isinstance(found, NoData), endpoint
        assert found.reason is NoDataReason.DENIED_ADDRESS, found
        assert "--allow-source-ranges" in found.message

    assert len(server.seen) == 1


async def test_a_name_that_is_rebound(server: Prometheus) -> None:
    """What was checked is what is connected to: a name is looked up once a connection."""
    asked: list[str] = []

    def rebind(host: str, port: int) -> Any:
        asked.append(host)
        return at_loopback(host, port) if len(asked) > 1 else [(0, 0, 0, "", ("192.0.2.1", port))]

    found = await once(
        prometheus_source(guard=AddressGuard(), resolve=rebind, deadline_s=0.3),
        f"http://rebound.example:{port_of(server)}",
    )

    assert isinstance(found, NoData)
    assert asked == ["rebound.example"]
    assert server.seen == []


async def test_an_enforced_label(server: Prometheus) -> None:
    """At the operator's, by whatever path, queries are limited to the scaler's namespace."""
    operator = OperatorAccess(enforced_label="namespace")
    source = prometheus_source(operator=operator, default_endpoint=server.url)
    for endpoint in (None, f"{server.url}/x", server.url.replace("127.0.0.1", "localhost")):
        asked = request(endpoint, 'sum(q{namespace="b"})', namespace="ml", targetType="Value")
        await source.fetch(asked)
    refused = await source.fetch(request(None, "info(q)"))
    await source.close()

    limited, own = 'sum(q{namespace="ml"})', 'sum(q{namespace="b"})'
    assert [seen.promql for seen in server.seen] == [limited, limited, own]
    assert isinstance(refused, NoData)
    assert refused.reason is NoDataReason.BAD_QUERY
    assert "cannot be limited to the series of this namespace (namespace)" in refused.message


async def test_a_query_that_the_operators_label_limits_is_not_shared(server: Prometheus) -> None:
    """Two namespaces that ask the same at the operator's get each their own answer."""
    operator = OperatorAccess(enforced_label="namespace")
    source = prometheus_source(operator=operator, default_endpoint=server.url)
    for namespace in ("a", "b", "a"):
        await source.fetch(request(None, "q", namespace=namespace, max_age_s=60))
    await source.close()

    assert [seen.promql for seen in server.seen] == ['q{namespace="a"}', 'q{namespace="b"}']
