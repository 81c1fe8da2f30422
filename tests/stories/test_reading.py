"""What of a file of stories is refused, and with which words."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.stories import reading
from tests.explaining import worlds
from tests.stories.telling import no_files, raw

QUEUE = {"source": "queue", "total": "1x99"}
POLICY = {"apiVersion": "kubeai.io/v1alpha1", "kind": "AIInferenceAutoscalerPolicy"}


def problems(written: Any) -> list[str]:
    """All that is wrong with a file."""
    with pytest.raises(InvalidInputError) as caught:
        reading.read(written, no_files)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param(
            {"inputs": [QUEUE], "ivents": []}, "ivents: unknown key; did you mean", id="key"
        ),
        pytest.param(
            {"inputs": [{"source": "queu", "total": "1x99"}]},
            "inputs[0].source: unknown key; did you mean queue?",
            id="source",
        ),
        pytest.param(
            {"inputs": [{"source": "queue", "totl": "1"}]}, "did you mean total?", id="input-key"
        ),
        pytest.param({"inputs": [{"source": "queue"}]}, "either total", id="no-series"),
        pytest.param({"inputs": [{**QUEUE, "values": "1x99"}]}, "either total", id="two-series"),
        pytest.param({"inputs": [{"total": "1x99"}]}, "write one of source, gpu", id="no-subject"),
        pytest.param({"inputs": [{**QUEUE, "price": 1}]}, "write one of source", id="two-subjects"),
        pytest.param({"inputs": [{"price": 1, "total": "1"}]}, "a price has neither", id="price"),
        pytest.param({"inputs": [{"price": "1x9 nan"}]}, "no price", id="price-that-is-none"),
        pytest.param({"inputs": [{"price": "1-1x9"}]}, "no price", id="negative-price"),
        pytest.param({"inputs": [{"price": 1e308}]}, "no price", id="absurd-price"),
        pytest.param({"inputs": [{"gpu": "fans", "values": "1x99"}]}, "gpu: memory or", id="gpu"),
        pytest.param({"inputs": [{**QUEUE, "total": "1y"}]}, "is no series", id="notation"),
        pytest.param({"events": [{"at": "1m"}]}, "write one thing that happens", id="no-event"),
        pytest.param(
            {"events": [{"at": "1m", "lose": 1, "resume": True}]},
            "write one thing",
            id="two-events",
        ),
        pytest.param(
            {"events": [{"at": "1m", "restart": "node"}]}, "cannot be restarted", id="restart"
        ),
        pytest.param(
            {"events": [{"at": "1m", "pause": "Down"}]}, "write Both, ScaleUp", id="no-pause"
        ),
        pytest.param({"events": [{"at": "soon", "lose": 1}]}, "is no duration", id="no-time"),
        pytest.param({"interval": "0s"}, "interval: Input should be greater than 0", id="interval"),
        pytest.param({"start": "2026-01-05T09:00:00"}, "timezone", id="no-zone"),
        pytest.param({"replicas": {"current": -1}}, "replicas.current", id="negative"),
        pytest.param({"scaler": POLICY}, "not supported yet", id="policy"),
        pytest.param({"scaler": {"kind": "Pod"}}, "is no scaler", id="no-scaler"),
        pytest.param(
            {"scaler": worlds.document(minReplica=2)}, "did you mean minReplicas?", id="spec-key"
        ),
        pytest.param({"expect": [{"at": "15d", "desired": 4}]}, "two weeks", id="too-long"),
        pytest.param({"expect": []}, "at least 1 item", id="no-expectation"),
        pytest.param({"expect": [{"desired": 4}]}, "write one time", id="no-span"),
        pytest.param({"expect": [{"at": "1m", "to": "2m", "desired": 4}]}, "one time", id="spans"),
        pytest.param({"expect": [{"from": "1m", "desired": 4}]}, "one time", id="no-end"),
        pytest.param(
            {"expect": [{"from": "2m", "to": "1m", "desired": 4}]},
            "before it begins",
            id="backwards",
        ),
        pytest.param({"expect": [{"at": "1m"}]}, "nothing is expected", id="nothing"),
        pytest.param({"expect": [{"at": "1m", "actions": 1}]}, "are of a span", id="sum-at"),
        pytest.param({"expect": [{"over": "1m", "cost": 1}]}, "add an input price", id="no-price"),
        pytest.param({"expect": [{"at": "1m", "desired": "six"}]}, "is no bound", id="no-bound"),
        pytest.param({"expect": [{"at": "1m", "reasons": ["combin"]}]}, "'combine'", id="stage"),
        pytest.param(
            {"expect": [{"at": "1m", "conditions": {"Pausd": "Absent"}}]},
            "'Pausd' is no condition",
            id="condition",
        ),
        pytest.param(
            {"expect": [{"at": "1m", "conditions": {"Paused": "yes"}}]}, "write True", id="status"
        ),
        pytest.param(
            {"inputs": [{"source": "queue", "total": "1x3"}]},
            "it reaches to 10m, and the input of queue ends at 1m",
            id="past-the-end",
        ),
    ],
)
def test_what_is_refused(fields: dict[str, Any], problem: str) -> None:
    """The problem names the place and the remedy."""
    found = problems({"stories": [raw(**fields)]})
    assert any(problem in one and one.startswith("stories[0]") for one in found), found


def test_all_problems_are_told_at_once() -> None:
    """Whoever mends one finds no second behind it."""
    bad = raw(inputs=[{"source": "queu", "total": "1x99"}], events=[{"at": "1m"}])
    assert len(problems({"stories": [bad, bad]})) == 4


@pytest.mark.parametrize("written", [None, [], "stories", {"stories": []}, {}])
def test_what_is_no_file_of_stories(written: Any) -> None:
    """It says what one holds."""
    assert "stories" in problems(written)[0]


def test_a_price_that_is_one_number_never_ends() -> None:
    """And a series of prices does."""
    (story,) = reading.read(
        {"stories": [raw({"over": "1h", "cost": "<=9"}, inputs=[{"price": 1.02}])]}, no_files
    )
    assert story.ends_s() == 3600
    ends = raw({"over": "1h", "cost": "<=9"}, inputs=[{"price": "1.02x9"}])
    assert "the input of price ends at 2m30s" in problems({"stories": [ends]})[0]
