"""Stories of a decision log: what was decided is decided again, from what was seen."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from budaiscaler.cli import recording as command
from budaiscaler.cli import telling
from budaiscaler.cli.children import child
from budaiscaler.cli.files import FileError
from budaiscaler.domain import times
from budaiscaler.domain.decision import State
from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.stories import recording, runner
from budaiscaler.domain.stories.steps import Step
from budaiscaler.kube.port import Json
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.conftest import NOON
from tests.explaining import worlds
from tests.stories.telling import story

FROM_NOON = {"start": times.rfc3339(NOON)}
LEVEL = {
    "metricSourceType": "inferenceEngine",
    "targetMetric": "gpu_cache_usage_perc",
    "targetValue": "70",
    "inferenceEngineConfig": {"engineType": "vllm"},
}


def log(steps: tuple[Step, ...], spec: Json, name: str = "chat") -> str:
    """The lines that a server logs of decisions: one where the answer changed."""
    lines, last = [], None
    for step in steps:
        said = (step.decision.desired_replicas, step.decision.bound_by)
        if said != last:
            seen = {
                "replicas": dataclasses.asdict(step.replicas),
                "readings": {key: dataclasses.asdict(one) for key, one in step.readings.items()},
                "startup_p95_s": 60.0,
                "annotations": {},
            }
            line = {
                "event": "decision", "namespace": "ml", "name": name, "generation": 1,
                "now": (NOON + timedelta(seconds=step.at_s)).isoformat(), "spec": spec,
                "observation": seen, "state": dataclasses.asdict(State()),
                "desired_replicas": step.decision.desired_replicas,
            }  # fmt: skip
            lines.append(json.dumps(line, default=str))
        last = said
    return "\n".join(["not json", '{"event": "other"}', *lines])


def told(*sources: Json, **fields: Any) -> tuple[tuple[Step, ...], Json]:
    """A story that is told, and the spec of its scaler."""
    scaler = worlds.document(*sources)
    about = story(scaler=scaler, startup="60s", **FROM_NOON, **fields)
    return runner.run(about, child, unit_factor), scaler["spec"]


@pytest.mark.parametrize(
    ("sources", "inputs"),
    [
        pytest.param([samples.total()], {"queue": "4x5 9x20 _x5 3x30"}, id="total"),
        pytest.param([LEVEL], {"gpu_cache_usage_perc": "2.8x5 5x60"}, id="level-in-another-unit"),
    ],
)
def test_a_recorded_story_holds(
    sources: list[Json], inputs: dict[str, str], tmp_path: Path
) -> None:
    """Told again, each decision of the log comes out at its time."""
    given = [{"source": name, "total": series} for name, series in inputs.items()]
    steps, spec = told(*sources, inputs=given)
    (tmp_path / "log").write_text(log(steps, spec))
    recorded = command.record(str(tmp_path / "log"), "ml", "chat", None, None)
    (tmp_path / "story.yaml").write_text(recorded)
    (outcome,) = telling.tell([str(tmp_path / "story.yaml")])
    assert len(outcome.story.given.expect) > 2
    assert outcome.failures == ()


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    """Of one scaler, in one span of time."""
    steps, spec = told(samples.total(), total="4x5 9x20 3x30")
    lines = log(steps, spec) + "\n" + log(steps, spec, name="other")
    (tmp_path / "log").write_text(lines)
    first = NOON + timedelta(seconds=90)
    recorded = command.record(str(tmp_path / "log"), "ml", "chat", first, None)
    (found,) = yaml.safe_load(recorded)["stories"]
    assert times.parse(found["start"]) == first
    assert found["replicas"]["current"] == 4
    with pytest.raises(FileError, match=r"no decision of ml/nobody in that time; .*kubectl logs"):
        command.record(str(tmp_path / "log"), "ml", "nobody", None, None)


@pytest.mark.parametrize(
    ("before", "after", "edit"),
    [
        pytest.param({}, {"maxReplicas": 5}, {"maxReplicas": 5}, id="added"),
        pytest.param({"paused": "ScaleDown"}, {}, {"paused": None}, id="removed"),
        pytest.param(
            {"behavior": {"scaleUp": {"tolerance": "0.2"}, "scaleDown": {"tolerance": "0"}}},
            {"behavior": {"scaleDown": {"tolerance": "0"}}},
            {"behavior": {"scaleUp": None}},
            id="removed-inside",
        ),
    ],
)
def test_an_edit_between_two_decisions_is_one_in_the_story(
    before: Json, after: Json, edit: Json, tmp_path: Path
) -> None:
    """It is a patch of what differs, however deep, so that the story has the later spec."""
    steps, spec = told(samples.total(), total="9x50")
    later = dataclasses.replace(steps[-1], at_s=120)
    text = log(steps[:1], spec | before) + "\n" + log((later,), spec | after)
    (tmp_path / "log").write_text(text)
    (found,) = yaml.safe_load(command.record(str(tmp_path / "log"), "ml", "chat", None, None))[
        "stories"
    ]
    assert found["events"] == [{"at": "120s", "edit": edit}]


def test_a_line_of_another_version_is_told(tmp_path: Path) -> None:
    """It is no crash."""
    line = {"event": "decision", "namespace": "ml", "name": "chat", "now": NOON.isoformat()}
    (tmp_path / "log").write_text(json.dumps(line))
    with pytest.raises(FileError, match="a version that this one does not know"):
        command.record(str(tmp_path / "log"), "ml", "chat", None, None)


def test_a_line_without_a_time_is_told() -> None:
    """Nor is that one."""
    with pytest.raises(InvalidInputError, match="is no time"):
        recording.story("chat", [{"now": "noon"}], unit_factor)


def test_how_a_source_is_asked_is_left_out(tmp_path: Path) -> None:
    """A story asks nobody, and a password stays where it is."""
    steps, spec = told(samples.total(), total="4x50")
    (source,) = spec["metricsSources"]
    spec = {**spec, "metricsSources": [{**source, "auth": {}, "tls": {"caBundle": "eA=="}}]}
    (tmp_path / "log").write_text(log(steps, spec))
    recorded = command.record(str(tmp_path / "log"), "ml", "chat", None, None)
    assert "caBundle" not in recorded
