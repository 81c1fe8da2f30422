"""The rules of the whole API at run time; a real API server is asked the same in e2e."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.api import validation
from budaiscaler.domain.errors import InvalidSpecError
from tests import rules, samples


@pytest.mark.parametrize("raw", rules.FINE)
def test_what_makes_sense_is_accepted(raw: dict[str, Any]) -> None:
    """Whatever no rule forbids is parsed, and means the same when it is written out again."""
    spec = validation.parse_spec(raw)
    assert validation.parse_spec(spec.model_dump(mode="json", by_alias=True)) == spec


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        *rules.BROKEN,
        *rules.TOLD_LATER,
        pytest.param(
            rules.of_source(tls=rules.NOT_ENCODED), "tls.caBundle must", id="ca-not-encoded"
        ),
    ],
)
def test_what_breaks_a_rule_is_told_by_it_alone(raw: dict[str, Any], start: str) -> None:
    """One mistake is one sentence, which says where it is and what to write instead."""
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(raw)
    where, _, message = str(caught.value).partition(": ")
    assert where.startswith("spec")
    assert message.startswith(start)
    assert str(caught.value).count("spec") == 1


def test_a_mistake_deep_inside_is_told_with_its_path() -> None:
    """Who has two sources and a header from a Secret learns which one is meant."""
    wrong = samples.level(
        headersFrom=[{"name": "X-Key", "secretKeyRef": {"name": "../x", "key": "k"}}]
    )
    with pytest.raises(InvalidSpecError) as caught:
        validation.parse_spec(samples.raw_spec(samples.total(), wrong))
    path = "spec.metricsSources[1].headersFrom[0].secretKeyRef: "
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        pytest.param({"path": "metrics"}, {"path": "/metrics"}, id="path-without-slash"),
        pytest.param({"path": "/metrics"}, {"path": "/metrics"}, id="path"),
        pytest.param({"path": ""}, {"path": None}, id="empty-path"),
        pytest.param({"port": 8080}, {"port": "8080"}, id="port-as-number"),
        pytest.param({"port": ""}, {"port": None}, id="empty-port"),
    ],
)
def test_ways_to_write_one_thing_are_read_as_one(
    fields: dict[str, Any], read: dict[str, Any]
) -> None:
    """Where the original was lenient so are we, and what comes after sees one form."""
    (source,) = validation.parse_spec(rules.of_type("pod", **fields)).metrics_sources
    assert source.model_dump(include=set(read)) == read


def test_an_engine_port_of_0_is_none() -> None:
    """The original took 0 and an empty path as left out."""
    config = {"engineType": "vllm", "metricsPort": 0, "metricsPath": ""}
    raw = rules.of_type("inferenceEngine", inferenceEngineConfig=config)
    engine = validation.parse_spec(raw).metrics_sources[0].inference_engine_config
    assert engine is not None
    assert (engine.metrics_port, engine.metrics_path) == (None, None)
