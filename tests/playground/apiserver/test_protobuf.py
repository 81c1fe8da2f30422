"""What kubectl sends in protobuf; the bytes are those of kubectl 1.36."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.errors import KubeStatusError
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import protobuf
from budaiscaler.playground.apiserver.requests import Request
from budaiscaler.playground.apiserver.routing import Answer
from budaiscaler.playground.apiserver.users import ADMIN
from tests.playground.apiserver.world import World

CAN_I = (
    "azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPQoQCgASABoAIgAq"
    "ADIAOABCABIfCh0KB2RlZmF1bHQSBGxpc3QaACIAKgRwb2RzMgA6ABoICAASABoAIAAaACIA"
)
"""`kubectl auth can-i list pods`."""
DEPLOYMENT = (
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErgBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoYBCAAS"
    "DAoKCgNhcHASA3dlYhpsChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkwSLgoFbmdpbngSBW5naW54KgAyCgoA"
    "EAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAY"
    "ACAAKAA4ABoAIgA="
)
"""`kubectl create deployment web --image=nginx --replicas=0 --port=80`."""
SECRET = "azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAXgSAXkaABoAIgA="
"""`kubectl create secret generic s --from-literal=x=y`."""
SERVICE = (
    "azhzAAoNCgJ2MRIHU2VydmljZRJsChsKAWUSABoAIgAqADIAOABCAFoICgNhcHASAWUSSQoYCgM0NDMSA1RDUBi7AyIH"
    "CAAQuwMaACgAEggKA2FwcBIBZRoAIgxFeHRlcm5hbE5hbWU6AEIAUglsb2NhbGhvc3RaAGAAaAAaAgoAGgAiAA=="
)
"""`kubectl create service externalname e --external-name localhost --tcp=443`."""
JOB = base64.b64encode(b"k8s\x00\x0a\x0f\x0a\x08batch/v1\x12\x03Job").decode()

LABELS = {"app": "web"}


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        pytest.param(
            CAN_I,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {
                        "namespace": "default",
                        "verb": "list",
                        "resource": "pods",
                    }
                },
            },
            id="access-review",
        ),
        pytest.param(
            DEPLOYMENT,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "labels": LABELS},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": LABELS},
                    "template": {
                        "metadata": {"labels": LABELS},
                        "spec": {
                            "containers": [
                                {
                                    "name": "nginx",
                                    "image": "nginx",
                                    "ports": [{"containerPort": 80}],
                                }
                            ]
                        },
                    },
                },
            },
            id="deployment-of-none",
        ),
        pytest.param(
            SECRET,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "s"},
                "data": {"x": base64.b64encode(b"y").decode()},
            },
            id="bytes",
        ),
        pytest.param(
            SERVICE,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "e", "labels": {"app": "e"}},
                "spec": {
                    "type": "ExternalName",
                    "externalName": "localhost",
                    "selector": {"app": "e"},
                    "ports": [{"name": "443", "protocol": "TCP", "port": 443, "targetPort": 443}],
                },
            },
            id="int-or-string",
        ),
    ],
)
def test_what_kubectl_sends(raw: str, wanted: Json) -> None:
    """It is read as the JSON that another client would have sent; zero replicas are not lost."""
    assert protobuf.decode(base64.b64decode(raw)) == wanted


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(b"{}", "does not begin", id="no-protobuf"),
        pytest.param(b"k8s\x00\xff", "in the middle", id="cut-off"),
        pytest.param(base64.b64decode(JOB), "Job is not known in protobuf here", id="kind"),
        pytest.param(base64.b64decode(SECRET)[:-12], "cannot be read|middle", id="short"),
    ],
)
def test_what_cannot_be_read_is_refused(raw: bytes, why: str) -> None:
    """In words that say what to send instead; nothing is dropped in silence."""
    with pytest.raises(ValueError, match=why):
        protobuf.decode(raw)


@given(st.binary(max_size=60))
def test_garbage_is_refused(raw: bytes) -> None:
    """By one kind of error, whatever it is."""
    with contextlib.suppress(ValueError):
        protobuf.decode(b"k8s\x00" + raw)


async def test_an_answer_in_json(world: World) -> None:
    """Who sends protobuf takes JSON, and a kind that is not known is a 415."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    request = Request(
        "POST", path, {}, ADMIN, base64.b64decode(CAN_I), protobuf.MEDIA_TYPE, "application/json"
    )
    answer = await world.router.answer(request)
    assert isinstance(answer, Answer)
    assert isinstance(answer.body, dict)
    assert answer.body["status"]["allowed"] is True

    bad = Request("POST", path, {}, ADMIN, base64.b64decode(JOB), protobuf.MEDIA_TYPE)
    with pytest.raises(KubeStatusError, match="send JSON or YAML") as caught:
        await world.router.answer(bad)
    assert caught.value.code == 415
