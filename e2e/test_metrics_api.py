"""What the metrics API answers, through the API server and directly: C02, C08-C16, C27-C43."""

import time
from collections.abc import Iterator

import pytest

from e2e import stories
from e2e.cluster import identities, loopback, waiting
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Running
from e2e.cluster.prometheus import RealPrometheus
from e2e.stories import METRICS, Story

GROUP = "external.metrics.k8s.io"
PROBED_S = 0.1
AGGREGATOR = "system:kube-aggregator"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = V2.replace("v=v2;", "v=v2beta1;")


def as_aggregator(running: Running, path: str, accept: str = "") -> loopback.Answer:
    """Ask a copy as the aggregator does: its certificate, its name, no groups."""
    headers = [("X-Remote-User", AGGREGATOR), *([("Accept", accept)] if accept else [])]
    client = identities.front_proxy(running.cluster)
    return running.adapters[0].ask("GET", path, client=client, headers=headers)


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("", id="none"),
        pytest.param("application/json", id="json"),
        pytest.param("*/*", id="any"),
        pytest.param("application/vnd.kubernetes.protobuf, */*", id="protobuf-or-any"),
    ],
)
def test_availability_probe(budaiscaler: Running, accept: str) -> None:
    """C02, C13, C16: the aggregator's probe, without a group, is answered in 100 ms."""
    path = f"/apis/{GROUP}/v1beta1"
    as_aggregator(budaiscaler, path, accept)  # its access has been reviewed now

    def quick() -> loopback.Answer | None:
        began_s = time.monotonic()
        found = as_aggregator(budaiscaler, path, accept)
        return found if time.monotonic() - began_s < PROBED_S else None

    # The machine may be busy, but hardly all the time.
    answer = waiting.until(quick, what=f"an answer in {PROBED_S:g} s", timeout_s=60)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/v1beta1",
        "resources": [
            {
                "name": "externalmetrics",
                "singularName": "",
                "namespaced": True,
                "kind": "ExternalMetricValueList",
                "verbs": ["get"],
            }
        ],
    }


def test_discovery_is_never_empty(budaiscaler: Running) -> None:
    """C14: before there was any scaler, the group said the same as it says now."""
    path = f"/apis/{GROUP}/v1beta1"

    assert budaiscaler.first_discovery.status == 200
    assert budaiscaler.first_discovery.text == as_aggregator(budaiscaler, path).text
    assert as_aggregator(budaiscaler, f"{path}?timeout=32s").json()["resources"]


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        pytest.param(f"{V2},{V2BETA1},application/json", "v2", id="aggregator"),
        pytest.param(V2, "v2", id="v2"),
        pytest.param(V2BETA1, "v2beta1", id="v2beta1"),
    ],
)
def test_aggregated_discovery(budaiscaler: Running, accept: str, version: str) -> None:
    """C08, C09, C11: `/apis` answers the aggregated document with content, a type, and an ETag."""
    answer = as_aggregator(budaiscaler, "/apis", accept)
    document = answer.json()
    again = budaiscaler.adapters[0].ask(
        "GET",
        "/apis",
        client=identities.front_proxy(budaiscaler.cluster),
        headers={
            "X-Remote-User": AGGREGATOR,
            "Accept": accept,
            "If-None-Match": answer.headers["etag"],
        },
    )

    assert answer.status == 200
    parameters = {part.strip() for part in answer.headers["content-type"].split(";")}
    assert parameters == {
        "application/json",
        "g=apidiscovery.k8s.io",
        f"v={version}",
        "as=APIGroupDiscoveryList",
    }
    assert (document["kind"], document["apiVersion"]) == (
        "APIGroupDiscoveryList",
        f"apidiscovery.k8s.io/{version}",
    )
    (group,) = document["items"]
    assert group["metadata"]["name"] == GROUP
    (served,) = group["versions"]
    assert (served["version"], served["freshness"]) == ("v1beta1", "Current")
    assert [resource["verbs"] for resource in served["resources"]] == [["get"]]
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("/apis", "APIGroupList", id="list"),
        pytest.param(f"/apis/{GROUP}", "APIGroup", id="group"),
    ],
)
def test_plain_discovery(budaiscaler: Running, path: str, kind: str) -> None:
    """C10, C12: clients that know no aggregated discovery get the list and the group."""
    document = as_aggregator(budaiscaler, path, "application/json").json()

    assert (document["kind"], document["apiVersion"]) == (kind, "v1")
    group = document["groups"][0] if kind == "APIGroupList" else document
    assert group["name"] == GROUP
    assert group["preferredVersion"] == {"groupVersion": f"{GROUP}/v1beta1", "version": "v1beta1"}


@pytest.fixture(scope="module")
def published(
    budaiscaler: Running, prometheus: RealPrometheus, exporter: Exporter
) -> Iterator[Story]:
    """Two scalers that publish, for every question of this module."""
    story = Story(budaiscaler, prometheus, exporter, "metrics-api")
    with stories.namespaced(story.api, story.namespace):
        story.deploy()
        story.start_load(30)
        for name, source in (("chat", "queue_depth"), ("code", "Foo_Bar:Baz/5%")):
            spec = {"scaleTargetRef": {"name": "chat"}, "hpa": {"manage": "Never"}}
            sources = [story.source(name=source)]
            story.create(story.scaler(name, metricsSources=sources, **spec))
            story.wait_for_load(3, scaler=name)
        yield story


QUESTIONS = [
    pytest.param("GET", "desired-load", 200, None, 2, id="all"),
    pytest.param("GET", "DESIRED-Load", 200, None, 2, id="upper-case"),
    pytest.param("GET", "foo_bar:baz_5_", 200, None, 1, id="configured-in-upper-case"),
    pytest.param("GET", "desired-load?labelSelector=scaler%3Dchat", 200, None, 1, id="equals"),
    pytest.param("GET", "desired-load?labelSelector=scaler%3D%3Dchat", 200, None, 1, id="double"),
    pytest.param("GET", "desired-load?labelSelector=scaler%21%3Dchat", 200, None, 1, id="differs"),
    pytest.param(
        "GET", "desired-load?labelSelector=scaler+in+%28chat%2Cx%29", 200, None, 1, id="in"
    ),
    pytest.param(
        "GET", "desired-load?labelSelector=scaler+notin+%28chat%29%2Ckind", 200, None, 1, id="notin"
    ),
    pytest.param("GET", "desired-load?labelSelector=%21scaler", 200, None, 0, id="lacks"),
    pytest.param("GET", "desired-load?labelSelector=scaler%3Dnobody", 200, None, 0, id="nobody"),
    pytest.param(
        "GET",
        "desired-load?timeout=3s&pretty=true&limit=500",
        200,
        None,
        2,
        id="unknown-parameters",
    ),
    pytest.param("GET", "unheard-of", 404, "NotFound", "unheard-of", id="unknown-metric"),
    pytest.param("GET", "desired-load/more", 404, "NotFound", "", id="longer-path"),
    pytest.param("GET", "", 404, "NotFound", "", id="no-metric"),
    pytest.param(
        "GET",
        "desired-load?labelSelector=a%3D%3D%3Db",
        400,
        "BadRequest",
        "selector",
        id="malformed",
    ),
    pytest.param(
        "GET", "desired-load?labelSelector=%28", 400, "BadRequest", "selector", id="parenthesis"
    ),
    pytest.param("GET", "desired-load?watch=true", 405, "MethodNotAllowed", "watched", id="watch"),
    *(
        pytest.param(method, "desired-load", 405, "MethodNotAllowed", method, id=method.lower())
        for method in ("POST", "PUT", "PATCH", "DELETE")
    ),
]


@pytest.mark.parametrize("through", ["api-server", "directly"])
@pytest.mark.parametrize(("method", "rest", "status", "reason", "told"), QUESTIONS)
def test_question(
    published: Story,
    method: str,
    rest: str,
    status: int,
    reason: str | None,
    told: int | str,
    through: str,
) -> None:
    """Every question has its status: items that are selected, or a `Status` that says why not."""
    path = f"{METRICS}/namespaces/{published.namespace}/{rest}"
    if through == "directly":
        answer = published.running.adapters[0].ask(
            method,
            path,
            client=identities.front_proxy(published.running.cluster),
            headers=[("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")],
        )
    else:
        answer = published.api.ask(method, path)
    document = answer.json()

    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    if reason is None:
        assert document["kind"] == "ExternalMetricValueList"
        assert len(document["items"]) == told
    else:
        found = {key: document[key] for key in ("kind", "apiVersion", "status", "code", "reason")}
        assert found == {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": status,
            "reason": reason,
        }
        assert str(told) in document["message"]
        assert "retry-after" not in answer.headers


def test_hpa_shape(published: Story) -> None:
    """C27: an HPA's own Accept header gets JSON with every field, and a time with a zone."""
    answer = published.published("queue_depth", "scaler=chat")
    item = answer.json()["items"][0]

    assert answer.headers["content-type"] == "application/json"
    assert item.pop("timestamp").endswith("Z")
    assert item == {
        "metricName": "queue_depth",
        "metricLabels": {"kind": "BudAIScaler", "scaler": "chat"},
        "value": "30",
    }


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        pytest.param(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 200, id="table"
        ),
        pytest.param("application/yaml", 406, id="yaml"),
        pytest.param("application/vnd.kubernetes.protobuf", 406, id="protobuf-only"),
    ],
)
def test_negotiation(published: Story, accept: str, status: int) -> None:
    """C40, C41: whoever takes JSON among others gets it; who does not is told so, in JSON."""
    path = f"{METRICS}/namespaces/{published.namespace}/desired-load"
    answer = published.api.ask("GET", path, headers={"Accept": accept})

    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json()["kind"] == ("ExternalMetricValueList" if status == 200 else "Status")
