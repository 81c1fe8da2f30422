"""Story g: what a person sees with kubectl."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster.installation import API_SERVICE, condition
from e2e.cluster.kubectl import Kubectl
from e2e.stories import DESIRED_LOAD, METRICS, Story


@pytest.fixture
def kubectl(story: Story) -> Kubectl:
    """The administrator's kubectl."""
    return story.running.cluster.kubectl


@pytest.fixture
def scaled(story: Story) -> Story:
    """A scaler that has scaled its Deployment to three."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_load(3)
    story.wait_for(
        BUDAISCALERS.item(story.namespace, "chat"),
        lambda found: found["status"].get("actualScale") == 3,
        "a status that tells of three replicas",
    )
    story.wait_for_event("HPACreated")
    story.wait_for_condition("AbleToScale", "True", "HPAOwned")
    story.wait_for_condition("Ready", "True", "ScalerReady")
    return story


COLUMNS = ["NAME", "MIN", "MAX", "REPLICAS", "DESIRED", "STRATEGY", "READY", "REASON"]
WIDE = ["TARGET", "LOAD", "BOUND-BY", "ABLE", "PAUSED", "LAST-SCALE"]


@pytest.mark.parametrize(
    ("flags", "columns", "row"),
    [
        pytest.param((), COLUMNS, "chat 1 20 3 3 HPA True ScalerReady", id="narrow"),
        pytest.param(
            ("-o", "wide"),
            COLUMNS + WIDE,
            "chat 1 20 3 3 HPA True ScalerReady chat 3 combine True",
            id="wide",
        ),
    ],
)
def test_columns(
    scaled: Story, kubectl: Kubectl, flags: tuple[str, ...], columns: list[str], row: str
) -> None:
    """`kubectl get bas` shows bounds, replicas now and wanted, and whether and why it works."""
    header, *rows = kubectl.run(
        "get", "bas", f"--namespace={scaled.namespace}", *flags
    ).stdout.splitlines()

    assert header.split() == [*columns, "AGE"]
    (line,) = rows
    assert line.split()[: len(row.split())] == row.split()


def test_explain(kubectl: Kubectl) -> None:
    """`kubectl explain` describes each field of the spec, with units and defaults."""
    printed = kubectl.run("explain", "budaiscaler.spec", "--recursive=false").stdout

    for field in ("scaleTargetRef", "maxReplicas", "metricsSources"):
        assert re.search(rf"^  {field}\s+<\S+> -required-$", printed, re.MULTILINE), printed
    assert "Fewest replicas. Default: 1." in printed
    assert "enum: HPA, KPA, BudScaler" in printed


def test_api_resources(kubectl: Kubectl) -> None:
    """C15: our metrics group is listed with a row and without a complaint, and so is our kind."""
    metrics = kubectl.run("api-resources", "--api-group=external.metrics.k8s.io")
    scalers = kubectl.run("api-resources", "--api-group=scaler.bud.studio")

    assert (metrics.stderr, scalers.stderr) == ("", "")
    assert metrics.stdout.splitlines()[1].split() == [
        "externalmetrics",
        "external.metrics.k8s.io/v1beta1",
        "true",
        "ExternalMetricValueList",
    ]
    assert scalers.stdout.splitlines()[1].split()[:2] == ["budaiscalers", "bas"]


def test_raw_load(scaled: Story, kubectl: Kubectl) -> None:
    """C27: `kubectl get --raw` shows the load in the shape that an HPA reads."""
    path = f"{METRICS}/namespaces/{scaled.namespace}/{DESIRED_LOAD}"
    document = json.loads(kubectl.run("get", "--raw", path).stdout)
    item = document["items"][0]
    time = datetime.strptime(item.pop("timestamp"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)

    assert document == {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metricName": DESIRED_LOAD,
                "metricLabels": {"kind": "BudAIScaler", "scaler": "chat", "strategy": "HPA"},
                "value": "3",
            }
        ],
    }
    assert datetime.now(UTC) - time < timedelta(seconds=30)


def test_api_service_is_available(story: Story, kubectl: Kubectl) -> None:
    """C01: the registration is available, because the check passed, 35 s after the adapter."""
    service = kubectl.json("get", "apiservice", API_SERVICE)

    assert condition(service, "Available") == "True"
    assert condition(service, "Available", "reason") == "Passed"
    assert service["spec"].get("insecureSkipTLSVerify") is not True
    assert story.running.available_after_s < 35


def test_bad_scaler_is_refused(story: Story, kubectl: Kubectl) -> None:
    """`kubectl apply` of a bad scaler fails and says what to write instead."""
    scaler = json.dumps(story.scaler(minReplicas=30))
    done = kubectl.run("apply", "-f", "-", input=scaler, check=False)

    assert done.returncode != 0
    assert "lower minReplicas or raise maxReplicas" in done.stderr
    assert kubectl.json("get", "bas", f"--namespace={story.namespace}")["items"] == []


def test_describe_shows_why(scaled: Story, kubectl: Kubectl) -> None:
    """`kubectl describe` tells the ladder from the reading to the result, and what happened."""
    printed = kubectl.run("describe", "bas", "chat", f"--namespace={scaled.namespace}").stdout

    assert "queue_depth: total 30 / 10 a replica = 3 replicas" in printed
    assert "created HPA chat-hpa" in printed
