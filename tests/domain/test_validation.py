"""The rules of a spec at run time; a real API server is asked about their CEL in e2e."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import validation
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.errors import InvalidSpecError
from tests import rules, samples, strategies

UNNAMED = {"targetMetric": "queue", "targetValue": "5", "promQL": "sum(q)"}
EXTERNAL = {"targetMetric": "queue", "targetValue": "5", "metricSourceType": "external"}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(samples.raw_spec(), id="smallest"),
        pytest.param(samples.raw_spec(minReplicas=7, maxReplicas=7), id="min-equals-max"),
        pytest.param(samples.raw_spec(minReplicas=0), id="down-to-zero"),
        pytest.param(
            samples.raw_spec(UNNAMED, {**UNNAMED, "name": "other"}), id="one-of-two-is-named"
        ),
        pytest.param(samples.raw_spec({**UNNAMED, "name": "Desired_Load"}), id="nearly-reserved"),
        pytest.param(
            samples.raw_spec({"targetMetric": "queue", "targetValue": "5"}), id="pod-without-promql"
        ),
        pytest.param(
            samples.raw_spec({**UNNAMED, "promQL": ""}), id="an-empty-field-is-an-absent-one"
        ),
        pytest.param(samples.raw_spec(behavior=samples.tolerance("0")), id="tolerance-zero"),
        pytest.param(samples.raw_spec(behavior={"scaleUp": {}}), id="rules-without-tolerance"),
        pytest.param(samples.raw_spec(somethingNew={"of": "a newer server"}), id="unknown-field"),
    ],
)
def test_a_spec_that_makes_sense_is_accepted(raw: dict[str, Any]) -> None:
    """Whatever no rule forbids is parsed."""
    assert validation.parse_spec(raw).scale_target_ref.name == "chat"


@pytest.mark.parametrize(
    ("raw", "field", "remedy"),
    [
        pytest.param(
            samples.raw_spec(minReplicas=8, maxReplicas=7),
            "spec: minReplicas",
            "lower minReplicas or raise maxReplicas",
            id="min-above-max",
        ),
        pytest.param(
            {**samples.raw_spec(), "metricsSources": []},
            "spec: metricsSources",
            "add one with targetMetric",
            id="no-source",
        ),
        pytest.param(
            samples.raw_spec(UNNAMED, UNNAMED),
            "spec: metricsSources must have different names",
            "set name",
            id="same-metric-twice",
        ),
        pytest.param(
            samples.raw_spec({**UNNAMED, "name": "A"}, {**UNNAMED, "name": "a"}),
            "spec: metricsSources must have different names",
            "set name",
            id="names-that-differ-by-case",
        ),
        pytest.param(
            samples.raw_spec({**UNNAMED, "name": "a b"}, {**UNNAMED, "name": "a%b"}),
            "spec: two of metricsSources would be published as a_b",
            "set name",
            id="names-that-a-path-makes-equal",
        ),
        pytest.param(
            samples.raw_spec(scaleTargetRef={"name": ""}),
            "spec.scaleTargetRef: scaleTargetRef.name",
            "name the workload",
            id="no-target",
        ),
        *(
            pytest.param(
                samples.raw_spec(scaleTargetRef={"name": "chat", "apiVersion": text}),
                "spec.scaleTargetRef: scaleTargetRef.apiVersion",
                '"apps/v1"',
                id=f"api-version-{text!r}",
            )
            for text in ("", "apps", "apps/v1/pods", "../api/v1/pods?watch=1", "v1\n", "../v1")
        ),
        *(
            pytest.param(
                samples.raw_spec(scaleTargetRef={"name": "chat", "kind": text}),
                "spec.scaleTargetRef: scaleTargetRef.kind",
                '"Deployment"',
                id=f"kind-{text!r}",
            )
            for text in ("", "deployments/scale", "..", "Deploy ment")
        ),
        pytest.param(
            samples.raw_spec(samples.total(), {**UNNAMED, "name": "Desired-Load"}),
            "spec.metricsSources[1]: targetMetric must be set",
            "desired-load, which is the name of the decision",
            id="reserved-name",
        ),
        pytest.param(
            samples.raw_spec({**UNNAMED, "targetMetric": ""}),
            "spec.metricsSources[0]: targetMetric must be set",
            "targetMetric must be set",
            id="empty-metric",
        ),
        pytest.param(
            samples.raw_spec(samples.total("0")),
            "spec.metricsSources[0]: targetValue",
            'for example "5"',
            id="target-zero",
        ),
        pytest.param(
            samples.raw_spec(samples.total("-1")),
            "spec.metricsSources[0]: targetValue",
            'for example "5"',
            id="target-negative",
        ),
        pytest.param(
            samples.raw_spec(samples.total("seventy")),
            "spec.metricsSources[0]: targetValue",
            'for example "5"',
            id="target-no-number",
        ),
        pytest.param(
            samples.raw_spec(samples.total("1e9999999")),
            "spec.metricsSources[0]: targetValue",
            'for example "5"',
            id="target-beyond-all-floats",
        ),
        pytest.param(
            samples.raw_spec(
                {"targetMetric": "q", "targetValue": "5", "metricSourceType": "prometheus"}
            ),
            "spec.metricsSources[0]: promQL",
            "promQL must be set",
            id="prometheus-without-promql",
        ),
        pytest.param(
            samples.raw_spec({**UNNAMED, "metricSourceType": "prometheus", "promQL": ""}),
            "spec.metricsSources[0]: promQL",
            "promQL must be set",
            id="prometheus-with-empty-promql",
        ),
        pytest.param(
            samples.raw_spec(behavior=samples.tolerance("-0.1", "0.1")),
            "spec.behavior.scaleUp: tolerance",
            'for example "0.1"',
            id="negative-tolerance",
        ),
        pytest.param(
            samples.raw_spec(behavior=samples.tolerance("0.1", "10%")),
            "spec.behavior.scaleDown: tolerance",
            'for example "0.1"',
            id="percent-as-tolerance",
        ),
    ],
)
def test_a_broken_rule_names_the_field_and_the_remedy(
    raw: dict[str, Any], field: str, remedy: str
) -> None:
    """Who wrote the spec learns where it is wrong and what to write instead."""
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(raw)
    assert str(caught.value).startswith(field)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://queue",
        "HTTPS://queue.default:8443/load?kind=all#top",
        "queue.default:8080/load",
        "10.0.0.1",
        "http://[fd00::1]:8080/",
        "[fd00::1]",
        "http://me:secret@queue/load",
        "http://bücher.example/",
        "http://queue?x=/",
        "queue.default/load?of=http://other",
        "http://queue:65535",
    ],
)
def test_endpoints_of_external_sources(endpoint: str) -> None:
    """A URL with or without its scheme will do; none at all is a name on the metrics API."""
    source = samples.spec({**EXTERNAL, "endpoint": endpoint}).metrics_sources[0]
    assert source.endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://queue",
        "file:///etc/passwd",
        "http://",
        "http:///load",
        "http://:8080",
        "http://queue:port",
        "http://queue:123456",
        "http://queue:65536",
        "http://queue:0",
        "http://que ue",
        "http://queue/a b",
        "http://queue\n",
        "http://[fd00::1",
        "unix:///run/docker.sock",
        "javascript:alert(1)",
    ],
)
def test_endpoints_that_are_none(endpoint: str) -> None:
    """Everything else is refused before it is asked, whether or not the type is said."""
    told = _refusal(samples.raw_spec({**EXTERNAL, "endpoint": endpoint}))
    assert told.startswith("spec.metricsSources[0]: endpoint must be an http or https URL")
    told = _refusal(samples.raw_spec(samples.total(endpoint=endpoint)))
    assert told.startswith("spec.metricsSources[0]: the endpoint of a prometheus source must be")


@pytest.mark.parametrize("endpoint", ["http://prometheus/x?a=b", "prometheus:9090#x", "a/?"])
def test_a_prometheus_is_named_without_a_query(endpoint: str) -> None:
    """Paths and queries are added to it; what has no effect may say anything."""
    told = _refusal(samples.raw_spec(samples.total(endpoint=endpoint)))
    assert told.startswith("spec.metricsSources[0]: the endpoint of a prometheus source must be")
    pod = {"targetMetric": "q", "targetValue": "1", "endpoint": endpoint}
    assert samples.spec(pod).metrics_sources[0].endpoint == endpoint


def test_a_long_port_is_refused_at_once() -> None:
    """Whatever is written, nobody computes on it for years: servers read specs in their loop."""
    told = _refusal(samples.raw_spec(samples.level(port="9" * 64)))
    assert "port must be a number from 1 to 65535" in told


@pytest.mark.parametrize(
    "headers",
    [
        {"a b": "c"},
        {"": "c"},
        {"a:": "c"},
        {"a\r\nb": "c"},
        {"ä": "c"},
        {"a": "b\r\nx: y"},
        {"a": "b\n"},
        {"a": "\0"},
        {"a": "ä"},
        {"Content-Length": "9"},
        {"TRANSFER-ENCODING": "chunked"},
        {"Connection": "keep-alive"},
        {"accept-encoding": "gzip"},
    ],
)
def test_headers_that_cannot_be_sent(headers: dict[str, str]) -> None:
    """Neither a second header in the value of one, nor a change of how answers are framed."""
    told = _refusal(samples.raw_spec({**EXTERNAL, "headers": headers}))
    assert told.startswith("spec.metricsSources[0]: headers must have plain names")


def test_headers() -> None:
    """All else is sent as it is written, an empty value and another host too."""
    headers = {"Authorization": "Bearer a.b-c_d~e+f/g=", "X_1": "", "Host": "x", "x": "\ta, b"}
    source = samples.spec({**EXTERNAL, "headers": headers}).metrics_sources[0]
    assert source.headers == headers


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        pytest.param(None, "spec: ", id="no-spec"),
        pytest.param([], "spec: ", id="a-list"),
        pytest.param({}, "spec.scaleTargetRef: Field required; spec.maxReplicas", id="empty"),
        pytest.param(samples.raw_spec(maxReplicas="many"), "spec.maxReplicas: ", id="no-integer"),
        pytest.param(samples.raw_spec(maxReplicas=0), "spec.maxReplicas: ", id="max-zero"),
        pytest.param(samples.raw_spec(minReplicas=-1), "spec.minReplicas: ", id="min-negative"),
        pytest.param(
            samples.raw_spec(scalingStrategy="VPA"), "spec.scalingStrategy: ", id="no-strategy"
        ),
        pytest.param(
            samples.raw_spec(samples.total(), {"targetMetric": "q"}),
            "spec.metricsSources[1].targetValue: ",
            id="no-target-value",
        ),
        pytest.param(
            samples.raw_spec(samples.total(targetType="Total")),
            "spec.metricsSources[0].targetType: ",
            id="no-target-type",
        ),
        pytest.param(
            samples.raw_spec(behavior={"scaleDown": {"policies": [{"type": "Pods", "value": -1}]}}),
            "spec.behavior.scaleDown.policies[0].value: ",
            id="deep-inside",
        ),
    ],
)
def test_what_does_not_parse_is_named_by_its_path(raw: Any, start: str) -> None:
    """An error of the types names the field as it stands in the YAML."""
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(raw)
    assert str(caught.value).startswith(start)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """A user does not mend one field to learn of the next."""
    raw = samples.raw_spec(samples.total("0"), scaleTargetRef={"name": ""}, minReplicas=101)
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(raw)
    assert str(caught.value).count(";") == 2


def test_every_rule_that_the_crd_carries_holds_at_run_time_too() -> None:
    """No row of the table is left out of `parse_spec`: each has an example here that breaks it."""
    breaking = [
        samples.raw_spec(minReplicas=101),
        {**samples.raw_spec(), "metricsSources": []},
        samples.raw_spec(UNNAMED, UNNAMED),
        samples.raw_spec(scaleTargetRef={"name": ""}),
        samples.raw_spec(scaleTargetRef={"name": "chat", "apiVersion": "../v1", "kind": "../x"}),
        samples.raw_spec({**UNNAMED, "targetMetric": ""}),
        samples.raw_spec(samples.total("0")),
        samples.raw_spec({**UNNAMED, "metricSourceType": "prometheus", "promQL": ""}),
        samples.raw_spec({**EXTERNAL, "endpoint": "ftp://queue"}),
        samples.raw_spec({**UNNAMED, "endpoint": "ftp://queue"}),
        samples.raw_spec({**EXTERNAL, "headers": {"a b": "c"}}),
        samples.raw_spec(
            {**UNNAMED, "describedObject": {"apiVersion": "../v1", "kind": "../x", "name": ""}}
        ),
        samples.raw_spec(behavior=samples.tolerance("-1")),
    ]
    cases = [*rules.BROKEN, *rules.TOLD_LATER]
    told = " ".join(map(_refusal, [*breaking, *(case.values[0] for case in cases)]))
    table = [rule for of_type in validation.BY_TYPE.values() for rule in of_type]
    assert [rule.message for rule in table if rule.message not in told] == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        pytest.param(UNNAMED, SourceType.PROMETHEUS, id="by-its-promql"),
        pytest.param({**UNNAMED, "promQL": ""}, SourceType.POD, id="an-empty-promql-is-none"),
        pytest.param({"targetMetric": "q", "targetValue": "1"}, SourceType.POD, id="without"),
        pytest.param({**UNNAMED, "metricSourceType": "custom"}, SourceType.CUSTOM, id="as-written"),
    ],
)
def test_a_type_left_out_is_told_by_what_is_there(source: dict[str, Any], kind: SourceType) -> None:
    """Prometheus with an expression, pod without, and what is written always wins."""
    assert samples.spec(source).metrics_sources[0].source_type is kind


def test_a_source_is_called_by_its_name_or_else_by_its_metric() -> None:
    """Readings, status and published metrics find the source under its key."""
    sources = samples.spec(UNNAMED, {**UNNAMED, "name": "other"}).metrics_sources
    assert [source.key for source in sources] == ["queue", "other"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(samples.raw_spec())), _json)
def test_no_object_stops_the_reader(field: str, junk: Any) -> None:
    """Whatever stands in a field, the answer is a spec or an `InvalidSpecError`."""
    try:
        told = validation.parse_spec({**samples.raw_spec(), field: junk}).scaling_strategy.value
    except InvalidSpecError as error:
        told = str(error)
    assert told.startswith(("spec", "HPA", "KPA", "BudScaler"))


@given(strategies.specs())
def test_a_spec_survives_the_way_over_the_wire(spec: Any) -> None:
    """Written as JSON and read again, it is the same spec."""
    assert validation.parse_spec(spec.model_dump(mode="json", by_alias=True)) == spec


def _refusal(raw: Any) -> str:
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(raw)
    return str(caught.value)
