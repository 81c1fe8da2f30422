"""Objects as they are made: what the server adds, and what it does not take."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import (
    InvalidObjectError,
    KubeStatusError,
    OverloadedError,
)
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, HPAS, PODS, SECRETS, Resource
from tests.playground.apiserver.world import CONFIG_MAPS, SERVICES, World

API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices")
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
CONTAINER = {"name": "a", "image": "b"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}


@pytest.mark.parametrize(
    ("resource", "spec", "path", "value"),
    [
        pytest.param(
            DEPLOYMENTS, {"selector": {}, "template": TEMPLATE}, "replicas", 1, id="deployment"
        ),
        pytest.param(
            DEPLOYMENTS,
            {"replicas": 0, "selector": {}, "template": TEMPLATE},
            "replicas",
            0,
            id="deployment-of-none",
        ),
        pytest.param(
            HPAS, {"scaleTargetRef": TARGET, "maxReplicas": 3}, "minReplicas", 1, id="hpa"
        ),
        pytest.param(PODS, {"containers": [CONTAINER]}, "restartPolicy", "Always", id="pod"),
        pytest.param(SERVICES, {"ports": [{"port": 1}]}, "type", "ClusterIP", id="service"),
    ],
)
async def test_defaults(
    world: World, resource: Resource, spec: Json, path: str, value: Any
) -> None:
    """What was left out is filled in, and what was said stays, also a 0."""
    body = {"metadata": {"name": "chat"}, "spec": spec}
    made = await world.kube.create(resource.collection("default"), body)

    assert made["spec"][path] == value


async def test_a_new_pod_is_pending(world: World) -> None:
    """Its status is the server's to begin with, whatever was sent."""
    body = {
        "metadata": {"generateName": "chat-"},
        "spec": {"containers": [CONTAINER]},
        "status": {"phase": "Running"},
    }
    made = await world.kube.create(PODS.collection("default"), body)

    assert made["status"]["phase"] == "Pending"
    assert made["metadata"]["name"].startswith("chat-")
    assert len(made["metadata"]["name"]) == len("chat-") + 5


async def test_plain_text_of_a_secret_is_coded(world: World) -> None:
    """It is write-only, as on a real server."""
    body = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
    made = await world.kube.create(SECRETS.collection("default"), body)

    assert (made["data"], "stringData" in made) == ({"a": "Yg=="}, False)


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        pytest.param(HPAS, {"spec": {"maxReplicas": 1}}, "spec.scaleTargetRef", id="hpa"),
        pytest.param(DEPLOYMENTS, {"spec": {}}, "spec.template", id="deployment"),
        pytest.param(PODS, {"spec": {}}, "spec.containers", id="pod"),
        pytest.param(API_SERVICES, {"spec": {"group": "a"}}, "spec.version", id="api-service"),
        pytest.param(
            API_SERVICES,
            {"spec": {"group": "a", "version": "v1", "service": {"name": "x"}}},
            "spec.service.namespace",
            id="service-of-an-api-service",
        ),
    ],
)
async def test_what_must_be_there(world: World, resource: Resource, body: Json, field: str) -> None:
    """An object that would make every list of its kind fail is not stored."""
    namespace = None if resource is API_SERVICES else "default"
    with pytest.raises(InvalidObjectError, match=f"{field}: Required value"):
        await world.kube.create(resource.collection(namespace), {"metadata": {"name": "a"}, **body})
    assert (await world.kube.get(resource.collection(namespace)))["items"] == []


@pytest.mark.parametrize(
    ("metadata", "code", "told"),
    [
        pytest.param("text", 400, "metadata is no object", id="metadata"),
        pytest.param({"labels": ["a"]}, 400, "metadata.labels is no object", id="labels"),
        pytest.param({"finalizers": "a"}, 400, "metadata.finalizers is no list", id="finalizers"),
        pytest.param({"ownerReferences": [{"name": "x"}]}, 400, "has no uid", id="owner"),
        pytest.param({"annotations": {"a": 1}}, 422, "must be a string", id="number"),
        pytest.param({"name": "a" * 254}, 422, "RFC 1123", id="long-name"),
        pytest.param({"resourceVersion": "1"}, 400, "should not be set", id="version"),
    ],
)
async def test_metadata_of_another_form(world: World, metadata: Any, code: int, told: str) -> None:
    """It is refused in words, and nothing is stored."""
    if isinstance(metadata, dict):
        metadata = {"name": "a", **metadata}
    with pytest.raises(KubeStatusError, match=told) as caught:
        await world.kube.create(CONFIG_MAPS, {"metadata": metadata})

    assert caught.value.code == code
    assert (await world.kube.get(CONFIG_MAPS))["items"] == []


async def test_what_the_server_keeps_cannot_be_changed(world: World) -> None:
    """Uid, time of creation and generation are what they were."""
    made = await world.config_map("a")
    change = {"metadata": {"creationTimestamp": "2000-01-01T00:00:00Z", "generation": 7}}
    changed = await world.kube.patch(f"{CONFIG_MAPS}/a", change, PatchType.MERGE)

    assert changed == made


async def test_a_dry_run_stores_nothing(world: World) -> None:
    """It shows what would come of it, defaults and all."""
    version = world.store.version
    path = DEPLOYMENTS.collection("default")
    body = {"metadata": {"name": "a"}, "spec": {"selector": {}, "template": TEMPLATE}}
    answer = await world.ask("POST", path, body, dryRun="All")

    assert isinstance(answer.body, dict)
    assert answer.body["spec"]["replicas"] == 1
    assert world.store.version == version


async def test_an_api_that_nobody_serves_now(world: World) -> None:
    """Its requests fail with a 503 that says why, which our servers take for "try again"."""
    service = {"name": "far", "namespace": "default"}
    spec = {"group": "far.example", "version": "v1", "service": service}
    body = {"metadata": {"name": "v1.far.example"}, "spec": spec}
    await world.kube.create(API_SERVICES.collection(), body)

    with pytest.raises(OverloadedError, match='service/far in "default" is not present'):
        await world.kube.get("/apis/far.example/v1/namespaces/default/things")
