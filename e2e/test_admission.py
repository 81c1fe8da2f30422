"""Story g: the real API server refuses exactly the scalers that we refuse at run time.

Rules stand in one table, once as CEL and once as Python; here both are asked the same questions.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from budaiscaler.domain.api import crd, validation
from budaiscaler.domain.api.budaiscaler import MAX_SOURCES
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster.installation import Running
from e2e.stories import Story
from tests import rules

SOURCE = "metricsSources.0"
UP = "behavior.scaleUp"
GONE = object()

Change = Callable[[dict[str, Any]], None]


def put(*changes: tuple[str, Any]) -> Change:
    """Set fields by path; `GONE` removes one."""

    def change(spec: dict[str, Any]) -> None:
        for path, value in changes:
            *parents, last = path.split(".")
            at: Any = spec
            for parent in parents:
                at = at[int(parent)] if parent.isdigit() else at.setdefault(parent, {})
            if value is GONE:
                del at[last]
            else:
                at[last] = value

    return change


def sources(*metrics: dict[str, str]) -> Change:
    """Replace the sources."""
    return put(("metricsSources", [{"targetValue": "5", **metric} for metric in metrics]))


def policy(**fields: Any) -> Change:
    """One policy that is fine but for these fields."""
    return put((f"{UP}.policies", [{"type": "Pods", "value": 4, "periodSeconds": 15, **fields}]))


def say(text: str) -> str:
    """The message of the one rule that begins like this."""
    table = [rule.message for of_type in validation.BY_TYPE.values() for rule in of_type]
    (message,) = (message for message in table if message.startswith(text))
    return message


BOUNDS = say("minReplicas must not")
NO_SOURCE = say("metricsSources must have at least")
SAME_NAME = say("metricsSources must have different")
NO_TARGET = say("scaleTargetRef.name")
API_VERSION = say("scaleTargetRef.apiVersion")
KIND = say("scaleTargetRef.kind")
METRIC_NAME = say("targetMetric must be set")
VALUE = say("targetValue must be")
PROMQL = say("promQL must be set")
TOLERANCE = say("tolerance must be")
ENDPOINT = say("endpoint must be")
PROMETHEUS = say("the endpoint of a prometheus")
HEADERS = say("headers must have")
EXTERNAL = (f"{SOURCE}.metricSourceType", "external")

FINE = [
    pytest.param(put(), id="as-is"),
    pytest.param(put(("minReplicas", 20)), id="min-is-max"),
    pytest.param(put(("minReplicas", 0)), id="min-0"),
    pytest.param(put(("minReplicas", GONE)), id="min-left-out"),
    pytest.param(put(("scaleTargetRef", {"name": "x"})), id="target-by-name"),
    *(
        pytest.param(put(("scaleTargetRef.apiVersion", text)), id=f"version-{text}")
        for text in ("v1", "apps/v1", "leaderworkerset.x-k8s.io/v1alpha1", "a/v1beta1")
    ),
    pytest.param(put(("scaleTargetRef.kind", "K" * 63)), id="kind-63"),
    *(
        pytest.param(put((f"{SOURCE}.targetValue", text)), id=f"target-{text}")
        for text in ("500m", "1.5", ".5", "5.", "1e3", "1E3", "1k", "2Ki", "+5", "1E", "100n")
    ),
    *(
        pytest.param(put((f"{UP}.tolerance", text)), id=f"tolerance-{text}")
        for text in ("0", "0.05", "100m", "-0", "10")
    ),
    pytest.param(sources({"targetMetric": "a"}, {"targetMetric": "b"}), id="two-sources"),
    pytest.param(
        sources({"targetMetric": "a"}, {"targetMetric": "a", "name": "b"}), id="same-metric-named"
    ),
    pytest.param(
        sources({"targetMetric": "desired-load", "name": "x"}), id="reserved-metric-renamed"
    ),
    pytest.param(sources({"targetMetric": "", "name": "x"}), id="empty-metric-named"),
    pytest.param(
        sources(*({"targetMetric": f"m{n}"} for n in range(MAX_SOURCES))), id="most-sources"
    ),
    pytest.param(put((f"{SOURCE}.metricSourceType", "pod")), id="pod-source"),
    pytest.param(put((f"{SOURCE}.promQL", "")), id="empty-promql-without-type"),
    *(
        pytest.param(put(EXTERNAL, (f"{SOURCE}.endpoint", text)), id=f"external-{text}")
        for text in ("", "http://a", "HTTPS://a.b:1/c?d#e", "a:80/b", "http://[::1]:1", "ü.example")
    ),
    *(
        pytest.param(put((f"{SOURCE}.endpoint", text)), id=f"prometheus-{text}")
        for text in ("", "https://u:p@a.b:65535/c/", "a:80", "[::1]")
    ),
    pytest.param(
        put((f"{SOURCE}.endpoint", "ftp://a"), (f"{SOURCE}.metricSourceType", "pod")),
        id="endpoint-without-effect",
    ),
    pytest.param(put((f"{SOURCE}.headers", {})), id="no-headers"),
    pytest.param(put((f"{SOURCE}.headers", {"X-A": "b c", "Host": ""})), id="headers"),
    pytest.param(put((f"{SOURCE}.headers", {f"h{n}": "v" for n in range(16)})), id="most-headers"),
    pytest.param(put((f"{SOURCE}.headers", {"a": "v" * 4096})), id="longest-header"),
    pytest.param(put(("scalingStrategy", "KPA")), id="another-strategy"),
    pytest.param(put(("scalingStrategy", GONE)), id="default-strategy"),
    pytest.param(put(("hpa.manage", "Never")), id="manage-never"),
    pytest.param(put(("hpa", {})), id="hpa-empty"),
    pytest.param(put(("behavior", {})), id="behavior-empty"),
    pytest.param(put((UP, {})), id="rules-empty"),
    pytest.param(put((f"{UP}.stabilizationWindowSeconds", 3600)), id="longest-window"),
    pytest.param(put((f"{UP}.selectPolicy", "Disabled")), id="policy-disabled"),
    pytest.param(put((f"{UP}.policies", [])), id="no-policies"),
    pytest.param(policy(periodSeconds=1800, value=2**31 - 1), id="largest-policy"),
    pytest.param(put(("ofTheFuture", {"a": 1})), id="unknown-field"),
]

BROKEN_RULES = [
    pytest.param(put(("minReplicas", 21)), BOUNDS, id="min-above-max"),
    pytest.param(
        put(("minReplicas", GONE), ("maxReplicas", 1), ("minReplicas", 2)),
        BOUNDS,
        id="min-above-max-of-1",
    ),
    pytest.param(put(("metricsSources", [])), NO_SOURCE, id="no-source"),
    pytest.param(
        sources({"targetMetric": "a"}, {"targetMetric": "A"}), SAME_NAME, id="same-metric"
    ),
    pytest.param(
        sources({"targetMetric": "a"}, {"targetMetric": "b", "name": "a"}),
        SAME_NAME,
        id="name-is-anothers-metric",
    ),
    pytest.param(put(("scaleTargetRef.name", "")), NO_TARGET, id="empty-target"),
    *(
        pytest.param(put(("scaleTargetRef.apiVersion", text)), API_VERSION, id=f"version-{text}")
        for text in ("", "apps", "apps/v1/pods", "../api/v1/pods?watch=1", "../v1")
    ),
    *(
        pytest.param(put(("scaleTargetRef.kind", text)), KIND, id=f"kind-{text}")
        for text in ("", "deployments/scale", "..")
    ),
    pytest.param(sources({"targetMetric": ""}), METRIC_NAME, id="empty-metric"),
    pytest.param(sources({"targetMetric": "a", "name": ""}), METRIC_NAME, id="empty-name"),
    pytest.param(sources({"targetMetric": "Desired-Load"}), METRIC_NAME, id="reserved-metric"),
    pytest.param(
        sources({"targetMetric": "a", "name": "desired-load"}), METRIC_NAME, id="reserved-name"
    ),
    *(
        pytest.param(put((f"{SOURCE}.targetValue", text)), VALUE, id=f"target-{text}")
        for text in ("0", "0m", "-1", "0Ki", "abc", "5kk", "1,5", "NaN", "Inf", "1e")
    ),
    *(
        pytest.param(put((f"{SOURCE}.targetValue", text)), VALUE, id=f"target-{text!r}")
        for text in ("", " 5", "5 ", "5\n")
    ),
    # kube-apiserver would compute for minutes on a quantity with a large exponent.
    pytest.param(put((f"{SOURCE}.targetValue", "1e999999")), VALUE, id="target-exponent"),
    pytest.param(put((f"{UP}.tolerance", "1e999999")), TOLERANCE, id="tolerance-exponent"),
    pytest.param(put((f"{UP}.tolerance", "some")), TOLERANCE, id="tolerance-no-number"),
    pytest.param(
        put((f"{SOURCE}.metricSourceType", "prometheus"), (f"{SOURCE}.promQL", GONE)),
        PROMQL,
        id="prometheus-without-query",
    ),
    pytest.param(
        put((f"{SOURCE}.metricSourceType", "prometheus"), (f"{SOURCE}.promQL", "")),
        PROMQL,
        id="prometheus-with-empty-query",
    ),
    *(
        pytest.param(put(EXTERNAL, (f"{SOURCE}.endpoint", text)), ENDPOINT, id=f"external-{text!r}")
        for text in (
            "ftp://a",
            "http://",
            "http:///a",
            "http://a:b",
            "http://a:0",
            "http://a:65536",
            "a b",
            "http://a\n",
            "http://[a",
        )
    ),
    *(
        pytest.param(put((f"{SOURCE}.endpoint", text), *type_), PROMETHEUS, id=f"{text!r}-{said}")
        for text in ("ftp://a", "http://a?b", "a/#", "http://a:65536")
        for said, type_ in (
            ("said", [(f"{SOURCE}.metricSourceType", "prometheus")]),
            ("guessed", []),
        )
    ),
    *(
        pytest.param(put((f"{SOURCE}.headers", headers)), HEADERS, id=f"headers-{headers!r}")
        for headers in (
            {"a b": ""},
            {"": "a"},
            {"a": "b\r\nc: d"},
            {"a": "b\n"},
            {"ä": ""},
            {"a": "ä"},
        )
    ),
    *(
        pytest.param(put((f"{SOURCE}.headers", {name: "1"})), HEADERS, id=f"header-{name}")
        for name in ("Content-Length", "TE", "transfer-encoding", "Accept-Encoding")
    ),
    pytest.param(put((f"{UP}.tolerance", "-0.1")), TOLERANCE, id="negative-tolerance-up"),
    pytest.param(
        put(("behavior.scaleDown.tolerance", "-1")), TOLERANCE, id="negative-tolerance-down"
    ),
]

BROKEN_SCHEMA = [
    *(
        pytest.param(put((field, GONE)), id=f"without-{field.rpartition('.')[2]}")
        for field in (
            "scaleTargetRef",
            "scaleTargetRef.name",
            "maxReplicas",
            "metricsSources",
            f"{SOURCE}.targetMetric",
            f"{SOURCE}.targetValue",
        )
    ),
    *(
        pytest.param(put((path, value)), id=f"{path.rpartition('.')[2]}-{value}")
        for path, value in (
            ("maxReplicas", 0),
            ("maxReplicas", 2**31),
            ("minReplicas", -1),
            ("scalingStrategy", "hpa"),
            ("hpa.manage", "never"),
            (f"{SOURCE}.metricSourceType", "Prometheus"),
            (f"{SOURCE}.targetType", "Average"),
            (f"{SOURCE}.headers", {f"h{n}": "v" for n in range(17)}),
            (f"{SOURCE}.headers", {"h": "v" * 4097}),
            (f"{SOURCE}.headers", {"h": 5}),
            (f"{UP}.selectPolicy", "max"),
            (f"{UP}.stabilizationWindowSeconds", -1),
            (f"{UP}.stabilizationWindowSeconds", 3601),
        )
    ),
    *(
        pytest.param(policy(**fields), id=f"policy-{'-'.join(map(str, *fields.items()))}")
        for fields in (
            {"type": "pods"},
            {"value": -1},
            {"value": 2**31},
            {"periodSeconds": 0},
            {"periodSeconds": 1801},
        )
    ),
    *(
        pytest.param(put((path, value)), id=f"{path}-{value}")
        for path, value in (
            (f"{SOURCE}.port", 1.5),
            (f"{SOURCE}.protocolType", "ftp"),
            (f"{SOURCE}.inferenceEngineConfig", {"engineType": "llama"}),
            (f"{SOURCE}.tls", {"caBundle": 5}),
            (f"{SOURCE}.tls", rules.NOT_ENCODED),
            (f"{SOURCE}.optional", "yes"),
            (f"{SOURCE}.fallback", {"replicas": -1}),
            (f"{SOURCE}.fallback", {"replicas": 1, "behavior": "Dynamic"}),
            ("mode", "recommend"),
            ("paused", "Up"),
            ("gpuConfig.gpuMemoryThreshold", 101),
            ("gpuConfig.metricsSource", "smi"),
            ("costConfig.cloudProvider", "ibm"),
            ("costConfig.budgetPerHour", 1.5),
            ("predictionConfig.lookAheadMinutes", 0),
            ("predictionConfig.minConfidence", 1.5),
            ("predictionConfig.minConfidence", "0.7"),
            ("predictionConfig.enabled", "true"),
            ("multiClusterConfig.clusterWeights", {"a": "1"}),
            ("scheduleHints", [rules.hint(name=f"h{n}") for n in range(65)]),
            ("scheduleHints", [rules.hint(targetReplicas="5")]),
        )
    ),
    pytest.param(put((f"{SOURCE}.targetValue", "1" * 65)), id="target-65"),
    pytest.param(put((f"{UP}.tolerance", "0." + "1" * 63)), id="tolerance-65"),
    pytest.param(put(("scaleTargetRef.kind", "K" * 64)), id="kind-64"),
    pytest.param(put(("scaleTargetRef.name", "n" * 254)), id="target-name-254"),
    pytest.param(put(("scaleTargetRef.apiVersion", "v" * 254)), id="api-version-254"),
    pytest.param(put((f"{SOURCE}.targetMetric", "m" * 254)), id="metric-254"),
    pytest.param(put((f"{SOURCE}.name", "n" * 254)), id="name-254"),
    pytest.param(put((f"{SOURCE}.endpoint", "h" * 2049)), id="endpoint-2049"),
    pytest.param(put((f"{SOURCE}.promQL", "q" * 16385)), id="promql-16385"),
    pytest.param(
        sources(*({"targetMetric": f"m{n}"} for n in range(MAX_SOURCES + 1))), id="too-many-sources"
    ),
    pytest.param(
        put((f"{UP}.policies", [{"type": "Pods", "value": 1, "periodSeconds": 1}] * 17)),
        id="too-many-policies",
    ),
    *(
        pytest.param(put((path, value)), id=f"{path.rpartition('.')[2]}-of-another-type")
        for path, value in (
            ("maxReplicas", "5"),
            ("minReplicas", 1.5),
            ("minReplicas", True),
            ("scaleTargetRef", "chat"),
            ("scaleTargetRef.name", 5),
            ("metricsSources", {"targetMetric": "a"}),
            (f"{SOURCE}.targetValue", 5),
            (f"{SOURCE}.promQL", ["up"]),
            ("behavior", []),
            ("hpa", "Never"),
            (f"{UP}.stabilizationWindowSeconds", "5"),
        )
    ),
]


def spec_with(change: Change) -> dict[str, Any]:
    """A spec that is fine, changed."""
    spec = copy.deepcopy(
        {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
            "minReplicas": 1,
            "maxReplicas": 20,
            "scalingStrategy": "HPA",
            "metricsSources": [
                {"targetMetric": "queue_depth", "targetValue": "5", "promQL": "sum(queue_depth)"}
            ],
        }
    )
    change(spec)
    return spec


def admitted(running: Running, spec: dict[str, Any], name: str = "chat") -> tuple[int, str]:
    """What the API server says of it, without keeping it."""
    body = {
        "apiVersion": BUDAISCALERS.api_version,
        "kind": "BudAIScaler",
        "metadata": {"name": name},
        "spec": spec,
    }
    answer = running.api.ask("POST", f"{BUDAISCALERS.collection('default')}?dryRun=All", body)
    return answer.status, answer.json().get("message", "")


@pytest.mark.parametrize("change", FINE)
def test_accepted_by_both(budaiscaler: Running, change: Change) -> None:
    """What is in order is admitted, and is read at run time."""
    spec = spec_with(change)

    assert admitted(budaiscaler, spec) == (201, "")
    assert validation.parse_spec(spec).max_replicas > 0


@pytest.mark.parametrize(("change", "message"), BROKEN_RULES)
def test_refused_by_both_alike(budaiscaler: Running, change: Change, message: str) -> None:
    """What breaks a rule is refused by both, in the same words that say what to write."""
    spec = spec_with(change)
    status, told = admitted(budaiscaler, spec)
    with pytest.raises(InvalidSpecError) as refusal:
        validation.parse_spec(spec)

    assert (status, told.count(message)) == (422, 1), told
    assert str(refusal.value).count(message) == 1


@pytest.mark.parametrize("spec", rules.FINE)
def test_the_whole_api_accepted_by_both(budaiscaler: Running, spec: dict[str, Any]) -> None:
    """The same of all that came with the other sources, schedules and budgets."""
    assert admitted(budaiscaler, spec) == (201, "")
    assert validation.parse_spec(spec).max_replicas > 0


@pytest.mark.parametrize(("spec", "start"), rules.BROKEN)
def test_the_whole_api_refused_by_both_alike(
    budaiscaler: Running, spec: dict[str, Any], start: str
) -> None:
    """A mistake is told in the same words by both."""
    message = say(start)
    status, told = admitted(budaiscaler, spec)
    with pytest.raises(InvalidSpecError) as refusal:
        validation.parse_spec(spec)

    assert (status, told.count(message)) == (422, 1), told
    assert str(refusal.value).count(message) == 1


@pytest.mark.parametrize(("spec", "start"), rules.TOLD_LATER)
def test_what_cel_cannot_tell(budaiscaler: Running, spec: dict[str, Any], start: str) -> None:
    """Such a scaler is admitted, and is told of its mistake when it is read."""
    with pytest.raises(InvalidSpecError) as refusal:
        validation.parse_spec(spec)

    assert admitted(budaiscaler, spec) == (201, "")
    assert str(refusal.value).count(say(start)) == 1


def test_what_cel_cannot_tell_is_told_in_the_status(story: Story) -> None:
    """A zone that does not exist is admitted, and Ready says what to write instead."""
    story.deploy()
    story.create(story.scaler(scheduleHints=[rules.hint(timeZone="Europe/Berln")]))
    told = story.wait_for_condition("Ready", "False", "InvalidSpec")

    assert told == f"spec.scheduleHints[0]: {say('the time zone')}"


@pytest.mark.parametrize("change", BROKEN_SCHEMA)
def test_refused_by_both(budaiscaler: Running, change: Change) -> None:
    """What the schema does not allow is refused by both, and both name the field."""
    spec = spec_with(change)
    status, told = admitted(budaiscaler, spec)
    with pytest.raises(InvalidSpecError) as refusal:
        validation.parse_spec(spec)

    assert status == 422, told
    assert "spec" in told
    assert str(refusal.value).startswith("spec.")


def test_every_rule_is_asked() -> None:
    """No rule of the table is left out above."""
    asked = {case.values[1] for case in BROKEN_RULES}
    asked |= {say(str(case.values[1])) for case in [*rules.BROKEN, *rules.TOLD_LATER]}

    assert asked == {rule.message for of_type in validation.BY_TYPE.values() for rule in of_type}


@pytest.mark.parametrize(
    ("length", "status"),
    [
        pytest.param(crd.NAME_LIMIT, 201, id="longest"),
        pytest.param(crd.NAME_LIMIT + 1, 422, id="too-long"),
    ],
)
def test_name_fits_into_a_label(budaiscaler: Running, length: int, status: int) -> None:
    """A scaler's name becomes a label value, so a longer one is refused with that reason."""
    answered, told = admitted(budaiscaler, spec_with(put()), "n" * length)

    assert answered == status, told
    assert ("becomes a label value" in told) == (status == 422)
