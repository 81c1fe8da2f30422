"""Reviews: whose token it is, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, Resource
from tests.contract.server import ApiServer, Lack

SELF_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")

METRICS: Json = {
    "verb": "list",
    "group": "external.metrics.k8s.io",
    "version": "v1beta1",
    "resource": "desired-load",
    "namespace": "default",
}


async def reviewed(api: ApiServer, resource: Resource, kind: str, **spec: Any) -> Json:
    """Have something reviewed; gives the status."""
    body = {"apiVersion": resource.api_version, "kind": kind, "spec": spec}
    answer = await api.ask("POST", resource.collection(), body)
    assert answer.status == 201, answer.text
    assert answer.json["kind"] == kind
    status: Json = answer.json["status"]
    return status


async def test_token(api: ApiServer) -> None:
    """A ServiceAccount's token names it and its groups."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await api.kube.create(SERVICE_ACCOUNTS.collection(api.namespace), body)
    token = await api.reach.token(api.namespace, "robot")
    status = await reviewed(api, TOKEN_REVIEWS, "TokenReview", token=token)

    assert status["authenticated"] is True
    user = status["user"]
    assert user["username"] == f"system:serviceaccount:{api.namespace}:robot"
    assert set(user["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{api.namespace}",
        "system:authenticated",
    }


async def test_token_that_is_none(api: ApiServer) -> None:
    """A token of nobody is answered, as not authenticated."""
    status = await reviewed(api, TOKEN_REVIEWS, "TokenReview", token="made-up")

    assert not status.get("authenticated")
    assert not (status.get("user") or {}).get("username")


async def test_bad_credentials(api: ApiServer) -> None:
    """A request with a token of nobody is refused, and not taken for anonymous."""
    async with api.as_bearer("made-up") as stranger:
        answer = await stranger.ask("GET", api.widgets())

    answer.refusal(401, "Unauthorized")


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"resourceAttributes": METRICS}, id="resource"),
        pytest.param({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}, id="path"),
    ],
)
async def test_access(api: ApiServer, attributes: Json) -> None:
    """Administrators may do everything; others what they were given."""
    admin = await reviewed(
        api,
        SUBJECT_ACCESS_REVIEWS,
        "SubjectAccessReview",
        user="admin",
        groups=["system:masters", "system:authenticated"],
        **attributes,
    )
    stranger = await reviewed(
        api,
        SUBJECT_ACCESS_REVIEWS,
        "SubjectAccessReview",
        user="stranger",
        groups=["system:authenticated"],
        **attributes,
    )

    assert admin["allowed"] is True
    assert stranger["allowed"] is api.lacks(Lack.RBAC)


async def test_own_access(api: ApiServer) -> None:
    """`kubectl auth can-i` asks for itself."""
    status = await reviewed(
        api, SELF_REVIEWS, "SelfSubjectAccessReview", resourceAttributes=METRICS
    )

    assert status["allowed"] is True


async def test_review_of_nothing(api: ApiServer) -> None:
    """A review must say what of: a resource or a path."""
    body = {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": "SubjectAccessReview",
        "spec": {"user": "a"},
    }
    answer = await api.ask("POST", SUBJECT_ACCESS_REVIEWS.collection(), body)

    answer.refusal(422, "Invalid")
