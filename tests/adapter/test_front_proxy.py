"""Whom the front proxy names is believed, and nobody else's word counts."""

from __future__ import annotations

import dataclasses
import ssl
from datetime import timedelta

import aiohttp
import pytest

from adapter.authn import RequestHeader
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.kube.port import Json
from tests.adapter import pki
from tests.adapter.api import GROUP_VERSION, HEADERS, HPA, METRIC, PROXY, Api

ADMIN = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}


def refuse_anonymous(spec: Json) -> bool:
    return bool(spec["user"] != "system:anonymous")


async def test_the_hpa_controller(api: Api) -> None:
    """What the HPA controller asks through kube-apiserver is answered."""
    answer = await api.as_user(HPA, METRIC, "system:serviceaccounts", "system:authenticated")

    assert answer.status == 200
    assert [item["value"] for item in answer.json["items"]] == ["7"]
    assert [review["user"] for review in api.reviews] == [HPA]


@pytest.mark.parametrize("groups", [(), ("system:unauthenticated",)], ids=repr)
async def test_anonymous_at_the_proxy(api: Api, groups: tuple[str, ...]) -> None:
    """Whom kube-apiserver itself does not know is not authenticated by having come through it."""
    await api.as_user("system:anonymous", METRIC, *groups)

    assert [review["groups"] for review in api.reviews] == [list(groups)]


async def test_spoofed_without_certificate(api: Api) -> None:
    """Headers without a certificate are as if they were not there: the client is anonymous."""
    api.allows = refuse_anonymous

    answer = await api.get(headers=ADMIN)

    assert answer.status == 403
    assert 'User "system:anonymous"' in answer.json["message"]
    assert api.reviews[0]["groups"] == ["system:unauthenticated"]


@pytest.mark.parametrize(
    "signer",
    [
        pytest.param(pki.CLUSTER, id="of-the-cluster"),
        pytest.param(pki.SERVING, id="of-our-own"),
        pytest.param(pki.authority("front-proxy-ca"), id="of-the-same-name"),
    ],
)
async def test_spoofed_with_a_certificate(api: Api, signer: pki.Authority) -> None:
    """A certificate of any other CA never vouches, though its name is an allowed one."""
    forged = signer.client("front-proxy-client")

    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await api.get(client=forged, headers=ADMIN)

    assert api.reviews == []


async def test_expired_certificate(api: Api) -> None:
    """An expired certificate of the front proxy is refused in the handshake."""
    expired = pki.FRONT_PROXY.client("front-proxy-client", ends_in=-timedelta(days=1))

    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await api.get(client=expired, headers=ADMIN)


async def test_name_that_is_not_allowed(api: Api) -> None:
    """A certificate of the right CA with another name is refused, and the log can say which."""
    other = pki.FRONT_PROXY.client("somebody-else")

    answer = await api.get(client=other, headers=ADMIN)

    assert answer.status == 401
    assert "'somebody-else' is not among requestheader-allowed-names" in answer.json["message"]
    assert api.reviews == []


async def test_any_name_when_none_is_listed(api: Api) -> None:
    """An empty list of names allows every certificate of the CA."""
    api.front.current = RequestHeader.read({**HEADERS, "requestheader-allowed-names": "[]"})

    answer = await api.get(
        client=pki.FRONT_PROXY.client("somebody-else"), headers={"X-Remote-User": "jane"}
    )

    assert answer.status == 200
    assert api.reviews[0]["user"] == "jane"


async def test_groups_uid_and_extra(api: Api) -> None:
    """Every group and every extra value reaches the review; keys are decoded and lower-cased."""
    headers = [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "developers"),
        ("X-Remote-Group", "ops, with a comma"),
        ("X-Remote-Uid", "uid-7"),
        ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "one"),
        ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "two"),
        ("X-Remote-Extra-Scopes", "a"),
    ]

    await api.get(client=PROXY, headers=headers)

    (review,) = api.reviews
    assert review["user"] == "jane"
    assert review["groups"] == ["developers", "ops, with a comma", "system:authenticated"]
    assert review["uid"] == "uid-7"
    assert review["extra"] == {
        "authentication.kubernetes.io/credential-id": ["one", "two"],
        "scopes": ["a"],
    }


async def test_authenticated_is_added_once(api: Api) -> None:
    """Whoever is named belongs to the authenticated, also when no group came along."""
    await api.as_user("system:aggregator", GROUP_VERSION)
    await api.as_user("jane", METRIC, "system:authenticated")

    assert [review["groups"] for review in api.reviews] == [["system:authenticated"]] * 2


async def test_uid_is_not_believed_unasked(api: Api) -> None:
    """A cluster that does not announce a header for uids sends none, so none is believed."""
    data = {key: value for key, value in HEADERS.items() if "uid" not in key}
    api.front.current = RequestHeader.read(data)

    await api.get(client=PROXY, headers={"X-Remote-User": "jane", "X-Remote-Uid": "forged"})

    assert api.reviews[0]["uid"] == ""


async def test_proxy_that_names_nobody(api: Api) -> None:
    """The proxy's own certificate without a user is nobody's credential."""
    api.allows = refuse_anonymous

    answer = await api.get(client=PROXY, headers={"X-Remote-User": ""})

    assert answer.status == 403
    assert "system:anonymous" in answer.json["message"]


async def test_masters(api: Api) -> None:
    """The group of masters is allowed everything, without a review."""
    api.allows = lambda _: False

    answer = await api.as_user("system:kube-aggregator", GROUP_VERSION, "system:masters")

    assert answer.status == 200
    assert api.reviews == []


async def test_before_the_configuration_is_read(api: Api) -> None:
    """Until the cluster's configuration is known nobody is believed by headers."""
    api.front.current = None
    api.allows = refuse_anonymous

    assert (await api.get(client=PROXY, headers=ADMIN)).status == 403


def test_configuration() -> None:
    """The configuration is read as kube-apiserver writes it; a missing list is an empty one."""
    read = RequestHeader.read({"requestheader-client-ca-file": "PEM"})

    assert dataclasses.asdict(read) == {
        "client_ca": "PEM",
        "allowed_names": (),
        "username_headers": (),
        "group_headers": (),
        "extra_prefixes": (),
        "uid_headers": (),
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({}, "--requestheader-client-ca-file", id="no-front-proxy"),
        pytest.param({"requestheader-client-ca-file": ""}, "has no requestheader", id="empty-ca"),
        *(
            pytest.param(
                {**HEADERS, "requestheader-allowed-names": text},
                "requestheader-allowed-names is no list of names",
                id=text,
            )
            for text in ("[", "x", '"front-proxy-client"', '{"a": 1}', "5", "[1]", "null", "[null]")
        ),
    ],
)
def test_unusable_configuration(data: dict[str, str], message: str) -> None:
    """What cannot be read is refused whole: half a list of names could allow everybody."""
    with pytest.raises(ConfigurationError, match=message):
        RequestHeader.read(data)
