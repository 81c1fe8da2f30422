"""Discovery: never empty, equal in every copy, in the form that was asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import discovery
from tests.adapter.api import GROUP_VERSION, Api

GROUP = "external.metrics.k8s.io"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2_BETA = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
AGGREGATOR = f"{V2},{V2_BETA}"


@pytest.mark.parametrize(
    ("accept", "content_type", "api_version"),
    [
        pytest.param(V2, V2, "apidiscovery.k8s.io/v2", id="v2"),
        pytest.param(V2_BETA, V2_BETA, "apidiscovery.k8s.io/v2beta1", id="v2beta1"),
        pytest.param(AGGREGATOR, V2, "apidiscovery.k8s.io/v2", id="the-aggregator"),
        pytest.param(f"{AGGREGATOR},application/json", V2, "apidiscovery.k8s.io/v2", id="kubectl"),
        pytest.param(f"{V2};q=0.5,{V2_BETA}", V2_BETA, "apidiscovery.k8s.io/v2beta1", id="quality"),
        pytest.param(
            "application/json; v=v2; as=APIGroupDiscoveryList; g=apidiscovery.k8s.io",
            V2,
            "apidiscovery.k8s.io/v2",
            id="any-order",
        ),
        pytest.param("application/json", "application/json", "v1", id="plain"),
        pytest.param("", "application/json", "v1", id="nothing"),
        pytest.param("*/*", "application/json", "v1", id="anything"),
        pytest.param(f"{V2};q=0", "application/json", "v1", id="not-wanted"),
        pytest.param(
            V2.replace("v=v2", "v=v3"), "application/json", "v1", id="a-version-of-the-future"
        ),
        pytest.param(
            "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json", "v1", id="table"
        ),
    ],
)
async def test_root(api: Api, accept: str, content_type: str, api_version: str) -> None:
    """The root answers the best form that it knows, and says in the type which one that is."""
    answer = await api.get("/apis", headers={"Accept": accept})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.json["apiVersion"] == api_version
    assert GROUP in answer.text


async def test_aggregated(api: Api) -> None:
    """The aggregated document lists our version as current, with a resource that can be got."""
    document = (await api.get("/apis", headers={"Accept": AGGREGATOR})).json

    (group,) = document["items"]
    assert document["kind"] == "APIGroupDiscoveryList"
    assert group["metadata"]["name"] == GROUP
    (version,) = group["versions"]
    assert (version["version"], version["freshness"]) == ("v1beta1", "Current")
    (resource,) = version["resources"]
    assert resource["verbs"] == ["get"]
    assert resource["scope"] == "Namespaced"
    assert resource["responseKind"] == {
        "group": GROUP,
        "version": "v1beta1",
        "kind": "ExternalMetricValueList",
    }


async def test_plain(api: Api) -> None:
    """Clients that know no aggregated discovery get a list of groups."""
    document = (await api.get("/apis", headers={"Accept": "application/json"})).json

    assert document["kind"] == "APIGroupList"
    (group,) = document["groups"]
    assert group["preferredVersion"] == {"groupVersion": f"{GROUP}/v1beta1", "version": "v1beta1"}


async def test_group(api: Api) -> None:
    """The group says which versions it has."""
    document = (await api.get(f"/apis/{GROUP}")).json

    assert (document["kind"], document["apiVersion"]) == ("APIGroup", "v1")
    assert [version["version"] for version in document["versions"]] == ["v1beta1"]


@pytest.mark.parametrize("query", ["", "?timeout=32s", "?pretty=true&limit=500&resourceVersion=0"])
async def test_resources(api: Api, query: str) -> None:
    """The resource list is never empty and offers exactly `get`, whatever else is asked with it."""
    for name in list(api.kube.objects):
        api.kube.remove(name)

    document = (await api.get(f"{GROUP_VERSION}{query}")).json

    assert document["kind"] == "APIResourceList"
    assert document["groupVersion"] == f"{GROUP}/v1beta1"
    assert [resource["verbs"] for resource in document["resources"]] == [["get"]]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/apis", AGGREGATOR),
        ("/apis", V2_BETA),
        ("/apis", "application/json"),
        (f"/apis/{GROUP}", "*/*"),
        (GROUP_VERSION, "*/*"),
        ("/openapi/v2", "application/json"),
        ("/openapi/v3", "application/json"),
    ],
)
async def test_not_modified(api: Api, path: str, accept: str) -> None:
    """Who has the document already gets a 304 without a body, and who has another gets it."""
    first = await api.get(path, headers={"Accept": accept})
    etag = first.headers["ETag"]

    same = await api.get(path, headers={"Accept": accept, "If-None-Match": etag})
    other = await api.get(path, headers={"Accept": accept, "If-None-Match": '"another"'})

    assert etag.startswith('"')
    assert etag.endswith('"')
    assert (same.status, same.text) == (304, "")
    assert same.headers["ETag"] == etag
    assert (other.status, other.text) == (200, first.text)
    assert first.headers["Vary"] == "Accept"


async def test_tags_differ_by_form(api: Api) -> None:
    """The tag of one form is not that of another, or a cache would mix them up."""
    tags = {
        (await api.get("/apis", headers={"Accept": accept})).headers["ETag"]
        for accept in (V2, V2_BETA, "application/json")
    }

    assert len(tags) == 3


def test_equal_in_every_copy() -> None:
    """Two processes make the same documents with the same tags."""
    program = (
        "from adapter import discovery as d;"
        "print([x.etag for x in (d.GROUP_LIST, d.API_GROUP, d.RESOURCE_LIST, d.root('*/*'))],"
        f"d.root({V2!r}).etag)"
    )

    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1


@pytest.mark.parametrize("path", ["/openapi/v2", "/openapi/v3"])
async def test_openapi(api: Api, path: str) -> None:
    """The OpenAPI aggregator, which sends no Accept and no group, gets a document, not an error."""
    answer = await api.as_user("system:aggregator", path)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["paths"] == {}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("application/vnd.kubernetes.protobuf, */*", True, id="the-hpa-controller"),
        pytest.param("application/json", True, id="json"),
        pytest.param("", True, id="nothing"),
        pytest.param("application/*;q=0.1", True, id="application"),
        pytest.param("APPLICATION/JSON", True, id="upper-case"),
        pytest.param(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", True, id="kubectl-get"
        ),
        pytest.param("application/json;as=Table;v=v1;g=meta.k8s.io", False, id="table-only"),
        pytest.param("application/yaml", False, id="yaml"),
        pytest.param("application/vnd.kubernetes.protobuf", False, id="protobuf-only"),
        pytest.param("text/html, image/png", False, id="browser"),
    ],
)
def test_acceptable(accept: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """Plain JSON is answered wherever it is acceptable at all."""
    assert discovery.accepts_json(accept) is expected


@given(st.text(alphabet='aplicton/jsv2;=*,.q0 1"', max_size=60))
def test_any_header(accept: str) -> None:
    """Whatever stands in the header, the root has an answer."""
    assert discovery.root(accept).body
    assert discovery.accepts_json(accept) in {True, False}
