"""What a file must hold to be a scaler, or an observation of one."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.explaining import observations, subjects
from budaiscaler.domain.readings import NoData, Reading
from tests import samples
from tests.explaining import worlds
from tests.explaining.worlds import document, explain, observed, subject


def without(key: str) -> dict[str, Any]:
    """A scaler that lacks a part."""
    return {name: value for name, value in document().items() if name != key}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param(None, "no object; write a BudAIScaler", id="nothing"),
        pytest.param({"kind": "BudAIScaler"}, "is no scaler; write scaler.bud.studio", id="group"),
        pytest.param(without("metadata"), "metadata: a scaler has a name", id="no-metadata"),
        pytest.param(
            {**document(), "metadata": {"nam": "a"}}, "metadata: a scaler has a name", id="no-name"
        ),
        pytest.param(
            {**document(), "metadata": {"name": 3}}, "metadata: a scaler has a name", id="a-number"
        ),
        pytest.param(
            {**document(), "metadata": {"name": "a", "annotations": ["x"]}},
            "metadata.annotations: no annotations; write a name and a text each",
            id="annotations-are-no-list",
        ),
        pytest.param(without("spec"), "spec: Input should be", id="no-spec"),
        pytest.param({**document(), "sepc": {}}, "sepc: unknown key; did you mean spec?", id="key"),
        pytest.param(
            {**document(), "metadata": {"name": "a", "annotations": {"x": True}}},
            "metadata.annotations.x: an annotation is a text; write it in quotes: 'True'",
            id="annotation",
        ),
        pytest.param(document(metricsSources=3), "spec.metricsSources: Input", id="no-list"),
        pytest.param(document(metricsSources=[3]), "spec.metricsSources[0]: Input", id="no-source"),
        pytest.param(
            document(behavior={"scaleUp": {"policies": [{"typ": "Pods"}]}}),
            "spec.behavior.scaleUp.policies[0].typ: unknown key; did you mean type?",
            id="deep-in-it",
        ),
        pytest.param(
            document(colour="blue"), "spec.colour: unknown key; known are behavior", id="far-off"
        ),
    ],
)
def test_what_is_no_scaler(raw: Any, problem: str) -> None:
    """The problem names the place, and what to write there."""
    with pytest.raises(InvalidInputError) as caught:
        subjects.read(raw)
    found = [str(one) for one in caught.value.problems]
    assert any(one.startswith(problem) or problem in one for one in found), found


def test_headers_have_any_names() -> None:
    """Keys that are the user's own are not unknown."""
    source = {**samples.total(), "headers": {"X-Scope-OrgID": "a"}}
    assert subject(source).spec.metrics_sources[0].headers == {"X-Scope-OrgID": "a"}


def test_annotations_of_others_are_no_matter() -> None:
    """Only those of our group are kept."""
    raw = document(notes={"paused": "Both"})
    raw["metadata"]["annotations"]["example.com/team"] = "ml"
    assert list(subjects.read(raw).annotations) == ["scaler.bud.studio/paused"]


@pytest.mark.parametrize(
    ("replicas", "ready", "starting"),
    [
        pytest.param({"current": 6}, 6, 0, id="all-ready"),
        pytest.param({"current": 6, "starting": 2}, 4, 2, id="some-start"),
        pytest.param({"current": 6, "unschedulable": 2}, 4, 0, id="some-have-no-node"),
        pytest.param({"current": 6, "ready": 3}, 3, 3, id="told"),
        pytest.param({"current": 1, "starting": 3}, 0, 1, id="never-below-none"),
    ],
)
def test_who_is_ready(replicas: dict[str, int], ready: int, starting: int) -> None:
    """Left out, it is everybody who is not told to be otherwise."""
    seen = explain(subject(), {"replicas": replicas, "readings": {"usage": 70}}).observation
    assert (seen.replicas.ready, seen.replicas.lost_or_starting) == (ready, starting)


def test_what_is_seen() -> None:
    """Ages, shares and GPUs become what a decision sees; null is no data."""
    about = subject(samples.total(), samples.total(name="b"))
    readings = {"queue": {"value": 8, "age": "12s", "answered": 3, "of": 4}, "b": None}
    seen = explain(about, observed(4, readings, gpu={"memory": 80})).observation
    assert seen.readings["queue"] == Reading(8, 12, 3, 4)
    assert isinstance(seen.readings["b"], NoData)
    assert not isinstance(seen.gpu, NoData)
    assert seen.gpu is not None
    assert seen.gpu.memory == Reading(80)
    assert isinstance(seen.gpu.compute, NoData)


def test_a_name_of_no_source_is_a_problem() -> None:
    """Also where all else is right."""
    with pytest.raises(InvalidInputError, match=r"readings.usge: unknown key; did you mean usage"):
        observations.read(observed(4, {"usge": 1}), subject())


def test_what_was_not_told_is_not_written() -> None:
    """An observation that goes out again has no key that did not come in."""
    given = observations.read({"replicas": {"current": 4}}, subject())
    assert observations.to_json(given) == {
        "replicas": {"current": 4, "starting": 0, "unschedulable": 0},
        "readings": {},
    }


def test_paused_by_annotation() -> None:
    """A pause holds one decision, too."""
    about = subject(notes={"paused": "Both"})
    assert worlds.desired(about, observed(4, {"usage": 700})) == 4
