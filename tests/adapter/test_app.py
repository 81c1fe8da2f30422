"""Every answer has the form clients expect, also where there is nothing to answer."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import KubeUnreachableError
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS
from tests.adapter.api import GROUP_VERSION, HPA, METRIC, Answer, Api


def is_status(answer: Answer, code: int, reason: str) -> bool:
    """Whether an answer is a failure as client-go reads it."""
    body = answer.json
    return (
        (answer.status, body["code"]) == (code, code)
        and (body["kind"], body["apiVersion"]) == ("Status", "v1")
        and (body["status"], body["reason"]) == ("Failure", reason)
        and bool(body["message"])
        and answer.headers["Content-Type"] == "application/json"
        and "Retry-After" not in answer.headers
    )


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.kubernetes.protobuf, */*",
        "application/json",
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        None,
    ],
)
async def test_a_metric(api: Api, accept: str | None) -> None:
    """A metric is plain JSON, however clients spell what they accept."""
    answer = await api.get(headers={"Accept": accept} if accept else None)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metricName": "desired-load",
                "metricLabels": {"kind": "BudAIScaler", "scaler": "chat", "strategy": "HPA"},
                "timestamp": "2026-01-05T12:00:00Z",
                "value": "7",
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("labelSelector=scaler%3Dchat", 1),
        ("labelSelector=scaler%3Dcode", 0),
        ("labelSelector=scaler+in+%28chat%2Ccode%29", 1),
        ("labelSelector=", 1),
        ("limit=500&resourceVersion=0&timeout=32s&pretty", 1),
        ("watch=false", 1),
        ("watch=0", 1),
    ],
)
async def test_queries(api: Api, query: str, count: int) -> None:
    """The selector selects; other parameters do not matter; an empty list is a list."""
    answer = await api.get(f"{METRIC}?{query}")

    assert answer.status == 200
    assert len(answer.json["items"]) == count


@pytest.mark.parametrize("metric", ["Desired-Load", "DESIRED-LOAD", "desired%2Dload"])
async def test_names(api: Api, metric: str) -> None:
    """Names do not differ by case, nor by how the path is encoded."""
    answer = await api.get(f"{GROUP_VERSION}/namespaces/ml/{metric}")

    assert [item["metricName"] for item in answer.json["items"]] == ["desired-load"]


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        pytest.param(f"{METRIC}?labelSelector=a+in", 400, "BadRequest", id="bad-selector"),
        pytest.param(
            f"{GROUP_VERSION}/namespaces/ml/unknown", 404, "NotFound", id="unknown-metric"
        ),
        pytest.param(f"{GROUP_VERSION}/namespaces/x/desired-load", 404, "NotFound", id="namespace"),
        pytest.param(f"{GROUP_VERSION}/desired-load", 404, "NotFound", id="no-namespace"),
        pytest.param(f"{GROUP_VERSION}/namespaces/ml", 404, "NotFound", id="no-metric"),
        pytest.param(f"{GROUP_VERSION}/namespaces/ml/a/b", 404, "NotFound", id="too-deep"),
        pytest.param(f"{GROUP_VERSION}/namespaces/ml/a%2Fb", 404, "NotFound", id="encoded-slash"),
        pytest.param(
            "/apis/external.metrics.k8s.io/v1", 404, "NotFound", id="version-of-the-future"
        ),
        pytest.param("/apis/apps/v1", 404, "NotFound", id="another-group"),
        pytest.param("/", 404, "NotFound", id="root"),
        pytest.param("/favicon.ico", 404, "NotFound", id="browser"),
        pytest.param(f"{METRIC}?watch=true", 405, "MethodNotAllowed", id="watch"),
        pytest.param(f"{METRIC}?watch=1", 405, "MethodNotAllowed", id="watch-1"),
        pytest.param(f"{METRIC}?watch", 405, "MethodNotAllowed", id="watch-without-a-value"),
    ],
)
async def test_failures(api: Api, path: str, code: int, reason: str) -> None:
    """Every failure of a read is a Status with the code and the reason that belong together."""
    assert is_status(await api.get(path), code, reason)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [METRIC, GROUP_VERSION, "/apis", "/livez", "/metrics"])
async def test_methods(api: Api, path: str, method: str) -> None:
    """Nothing can be written."""
    answer = await api.get(path, method=method)

    assert is_status(answer, 405, "MethodNotAllowed")
    assert "read-only" in answer.json["message"]


@pytest.mark.parametrize("path", [METRIC, GROUP_VERSION, f"/apis/{'external.metrics.k8s.io'}"])
async def test_not_acceptable(api: Api, path: str) -> None:
    """Who accepts no JSON is told so, in JSON."""
    answer = await api.get(path, headers={"Accept": "application/yaml"})

    assert is_status(answer, 406, "NotAcceptable")


async def test_stale(api: Api) -> None:
    """A value that is too old is a failure that the HPA controller does not retry on its own."""
    path = next(path for path in api.kube.objects if path.endswith("/chat"))
    scaler = api.kube.objects[path]
    api.kube.put(
        path, {**scaler, "status": {"desiredLoad": "7", "holdingSince": "2026-01-01T00:00:00Z"}}
    )

    answer = await api.as_user(HPA)

    assert is_status(answer, 503, "ServiceUnavailable")


async def test_no_secret_in_failures(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """A crash is told to the log and not to the client."""

    def crash(_: object) -> dict[str, object]:
        raise RuntimeError("password=hunter2 http://10.0.0.1/?query=sum(secret)")

    api.kube.answers[SUBJECT_ACCESS_REVIEWS.collection()] = crash

    answer = await api.get()

    assert is_status(answer, 500, "InternalError")
    assert "hunter2" not in answer.text
    assert "10.0.0.1" not in answer.text
    assert "hunter2" in capsys.readouterr().out
    api.kube.fail("create", "subjectaccessreviews", KubeUnreachableError("10.0.0.1: hunter2"))
    answer = await api.get()
    assert is_status(answer, 503, "ServiceUnavailable")
    assert "hunter2" not in answer.text


async def test_readiness(api: Api) -> None:
    """Not ready says what is missing; ready says so, check by check when asked."""
    missing: str | None = "not listed yet"
    api.readiness.add("scalers", lambda: missing)
    api.readiness.add("certificate", lambda: None)

    not_ready = await api.get("/readyz")
    missing = None
    ready = await api.get("/readyz")
    verbose = await api.get("/readyz?verbose")

    assert not_ready.status == 503
    assert not_ready.text == "[-]scalers failed: not listed yet\n[+]certificate ok"
    assert (ready.status, ready.text) == (200, "ok")
    assert (verbose.status, verbose.text) == (200, "[+]scalers ok\n[+]certificate ok")
    assert ready.headers["Content-Type"].startswith("text/plain")


async def test_alive_without_being_ready(api: Api) -> None:
    """A copy that is not ready is alive all the same, or it would be restarted for waiting."""
    api.readiness.add("scalers", lambda: "not listed yet")

    for path in ("/livez", "/healthz"):
        answer = await api.get(path)
        assert (answer.status, answer.text) == (200, "ok")


async def test_own_metrics(api: Api) -> None:
    """Requests are counted by method and code, refusals too."""
    await api.get()
    await api.get("/nothing")
    await api.get(METRIC, method="POST")

    text = (await api.get("/metrics")).text

    assert 'budaiscaler_adapter_requests_total{code="200",verb="GET"} 1.0' in text
    assert 'budaiscaler_adapter_requests_total{code="404",verb="GET"} 1.0' in text
    assert 'budaiscaler_adapter_requests_total{code="405",verb="POST"} 1.0' in text
    assert "budaiscaler_adapter_request_duration_seconds_bucket" in text


async def test_version(api: Api) -> None:
    """The version is told to who may ask for it."""
    assert (await api.get("/version")).json["gitVersion"].startswith("v")


async def test_head(api: Api) -> None:
    """A HEAD is answered like a GET without the body."""
    answer = await api.get(METRIC, method="HEAD")

    assert (answer.status, answer.text) == (200, "")
