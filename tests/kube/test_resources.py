"""Paths are those the API server routes, and no name can leave its place in them."""

from __future__ import annotations

import pytest

from budaiscaler.kube import resources
from budaiscaler.kube.resources import Resource


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(resources.PODS.collection(), "/api/v1/pods", id="core-everywhere"),
        pytest.param(
            resources.PODS.collection("ml"), "/api/v1/namespaces/ml/pods", id="core-namespace"
        ),
        pytest.param(
            resources.HPAS.item("ml", "chat-hpa"),
            "/apis/autoscaling/v2/namespaces/ml/horizontalpodautoscalers/chat-hpa",
            id="group-item",
        ),
        pytest.param(
            resources.DEPLOYMENTS.item("ml", "chat", "scale"),
            "/apis/apps/v1/namespaces/ml/deployments/chat/scale",
            id="subresource",
        ),
        pytest.param(
            resources.API_SERVICES.item(None, "v1beta1.external.metrics.k8s.io"),
            "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io",
            id="cluster-scoped",
        ),
        pytest.param(
            resources.PODS.item("a/../../b", "c?d=#e"),
            "/api/v1/namespaces/a%2F..%2F..%2Fb/pods/c%3Fd%3D%23e",
            id="hostile-names",
        ),
        pytest.param(
            Resource("../api", "v1?watch=1", "pods/x").collection("ml"),
            "/apis/..%2Fapi/v1%3Fwatch%3D1/namespaces/ml/pods%2Fx",
            id="hostile-kind",
        ),
    ],
)
def test_paths(path: str, expected: str) -> None:
    """Core and named groups, scopes and subresources each have their shape."""
    assert path == expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param(Resource("", "v1", "pods"), "v1", id="core"),
        pytest.param(Resource("apps", "v1", "deployments"), "apps/v1", id="group"),
    ],
)
def test_api_version(resource: Resource, expected: str) -> None:
    """Objects carry group and version joined, and the core group has no name."""
    assert resource.api_version == expected
