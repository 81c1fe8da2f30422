"""Whatever is sent, it is stored or refused in words, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budaiscaler.domain.errors import KubeStatusError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, HPAS, PODS, Resource
from tests.playground.apiserver.world import DEFINITIONS, GADGETS, SERVICES, World, gadgets

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices")

names = st.sampled_from(
    [
        "spec", "status", "metadata", "name", "labels", "containers", "template", "selector",
        "metrics", "behavior", "scaleUp", "scaleTargetRef", "kind", "maxReplicas", "ports", "port",
        "group", "version", "versions", "names", "plural", "schema", "openAPIV3Schema", "type",
        "conditions", "replicas", "size", "service", "resource", "target", "ownerReferences",
    ]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text("ab-.", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=5),
    max_leaves=15,
)

TEMPLATE: Json = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "a", "image": "b", "ports": [{"containerPort": 1}]}]},
}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
METRIC = {"type": "Pods", "pods": {"target": {"type": "AverageValue", "averageValue": "1"}}}
METADATA: Json = {
    "name": "a",
    "labels": {"a": "b"},
    "finalizers": ["a/b"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "1"}],
}
FINE: tuple[tuple[Resource, Json], ...] = (
    (PODS, {**TEMPLATE, "status": {"conditions": [{"type": "Ready"}], "containerStatuses": [{}]}}),
    (DEPLOYMENTS, {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}),
    (
        HPAS,
        {
            "spec": {
                "scaleTargetRef": TARGET,
                "maxReplicas": 1,
                "metrics": [METRIC],
                "behavior": {"scaleUp": {"policies": []}},
            },
            "status": {"currentMetrics": [METRIC], "conditions": [{"type": "X"}]},
        },
    ),
    (SERVICES, {"spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}}),
    (GADGETS, {"spec": {"size": {"count": 1}}, "status": {"running": 1, "pods": "a=b"}}),
    (DEFINITIONS, gadgets(additionalPrinterColumns=[{"name": "A", "jsonPath": ".a", "type": "b"}])),
    (
        API_SERVICES,
        {
            "metadata": {"name": "v1.a"},
            "spec": {"group": "a", "version": "v1", "service": {"name": "a", "namespace": "b"}},
            "status": {"conditions": [{"type": "Available"}]},
        },
    ),
)
"""Of each kind one that is well formed; in it something is replaced by anything."""


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], new)
    return changed


@st.composite
def nearly_fine(draw: st.DrawFn) -> tuple[Resource, Json]:
    """A well-formed object, but for one or two places."""
    resource, body = draw(st.sampled_from(FINE))
    body = {**body, "metadata": {**METADATA, **body.get("metadata", {})}}
    for _ in range(draw(st.integers(1, 2))):
        places = [place for place in _places(body) if place]
        body = _replaced(body, draw(st.sampled_from(places)), draw(values))
    return resource, body


async def _survives(resource: Resource, body: Json) -> None:
    world = World()
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    scope = None if resource in (DEFINITIONS, API_SERVICES) else "default"
    path = resource.collection(scope)
    fine = next(one for kind, one in FINE if kind is resource)
    name = {**METADATA, **fine.get("metadata", {})}["name"]
    item = f"{path}/{name}"
    await _tried(world.kube.create(path, body))
    await _tried(world.kube.create(path, {**fine, "metadata": {"name": name}}))
    for target in (item, f"{item}/status"):
        await _tried(world.kube.patch(target, body, PatchType.MERGE))
    told = {"apiVersion": resource.api_version, "kind": _KINDS[resource.plural], **body}
    query = {"fieldManager": "m", "force": "true"}
    for target in (item, f"{item}/status"):
        await _tried(world.kube.patch(target, told, PatchType.APPLY, query))

    for accept in ("", TABLE):
        await world.ask("GET", path, accept=accept)
    for document in ("/apis", "/openapi/v3", "/apis/example.org/v1"):
        await _tried(world.kube.get(document))


_KINDS = {
    "pods": "Pod",
    "deployments": "Deployment",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "services": "Service",
    "gadgets": "Gadget",
    "customresourcedefinitions": "CustomResourceDefinition",
    "apiservices": "APIService",
}


async def _tried(request: Awaitable[object]) -> None:
    with contextlib.suppress(KubeStatusError):
        await request


@pytest.mark.timeout(120)
@given(nearly_fine())
@settings(max_examples=100)
def test_garbage_is_stored_or_refused(sent: tuple[Resource, Json]) -> None:
    """Lists, Tables and discovery go on working for everybody."""
    asyncio.run(_survives(*sent))
