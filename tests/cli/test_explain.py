"""`budaiscaler explain`: a ladder for people, JSON for programs, and what goes back in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from budaiscaler.kube.port import Json
from tests import samples
from tests.cli.running import Ran, write
from tests.explaining import worlds

SCALER = worlds.document(
    samples.total("5", name="num_requests_waiting"), samples.total("300", name="rps")
)
OBSERVATION = """\
now: 2026-01-05T09:30:00Z
replicas: {current: 4, ready: 4, starting: 0, unschedulable: 0}
lastScaleTime: 2026-01-05T09:00:00Z
readings:
  num_requests_waiting: 38
  rps: {value: 1250, age: 12s, answered: 4, of: 4}
pricePerReplicaHour: 1.02
forecast: {replicas: 10, confidence: 0.8}
"""

TEXT = """\
chat (BudScaler) at 2026-01-05T09:30:00Z: 4 -> 7, bound by combine

  source   4 -> 8  num_requests_waiting: total 38 / 5 a replica = 7.6 replicas
  source   4 -> 5  rps: total 1250 / 300 a replica = 4.167 replicas
  combine  4 -> 8  the largest need wins: num_requests_waiting
  combine  8 -> 7  0.8 of the way from 4 to a load of 7.6 is 7
  final    4 -> 7  4 -> 7 replicas
"""

FLIPS = """\
Another answer, all else as it is:
  8 needs num_requests_waiting >= 39
  6 needs num_requests_waiting <= 32.5
  8 needs rps >= 2326
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Arguments that name the scaler and its observation."""
    scaler = write(tmp_path, "scaler.yaml", SCALER)
    return "-f", scaler, "--observation", write(tmp_path, "obs.yaml", OBSERVATION)


def test_text(files: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """It can be read aloud, from the readings to what would flip the answer."""
    ran = Ran(capsys, "explain", *files)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(TEXT)
    assert ran.out.endswith(FLIPS)
    assert "FieldsWithoutEffect is True" in ran.out
    assert "Ahead of the replicas" not in ran.out


def test_text_of_the_hpa_strategy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is published is told, and that nothing would change the answer."""
    fixed = worlds.document(samples.total(), strategy="HPA", minReplicas=3, maxReplicas=3)
    scaler = write(tmp_path, "s.yaml", fixed)
    observation = write(tmp_path, "o.yaml", worlds.observed(3, {"queue": 2.5}))
    out = Ran(capsys, "explain", "-f", scaler, "--observation", observation).out
    assert "chat (HPA) at 2026-01-05T12:00:00Z: stays 3, bound by bounds" in out
    assert "desired load: 3 replicas" in out
    assert out.endswith("No single reading would change the answer.\n")


RESOURCE = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}


@pytest.mark.parametrize(
    ("sources", "fields", "still"),
    [
        pytest.param(
            [samples.total()],
            {},
            "the HPA: its behavior, and before Kubernetes 1.35 its dead band.",
            id="a-load-alone",
        ),
        pytest.param(
            [samples.total(), RESOURCE], {}, "the HPA: its behavior and its dead band.", id="mixed"
        ),
        pytest.param(
            [samples.total(), RESOURCE],
            {"hpa": {"manage": "Never"}},
            "an HPA of your own, if one reads it: its behavior and its dead band.",
            id="of-ones-own",
        ),
        pytest.param(
            [samples.total()], {"mode": "Recommend"}, "an HPA of your own", id="only-recommended"
        ),
    ],
)
def test_what_an_hpa_still_does_is_told(
    sources: list[Json],
    fields: Json,
    still: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The number is what it is asked for, and not yet what comes of it."""
    scaler = write(tmp_path, "s.yaml", worlds.document(*sources, strategy="HPA", **fields))
    observation = write(tmp_path, "o.yaml", worlds.observed(3, {"queue": 2.5}))
    out = Ran(capsys, "explain", "-f", scaler, "--observation", observation).out
    assert f"Ahead of the replicas is still {still}" in out


def test_json(files: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Every part of the documented form is there."""
    found = json.loads(Ran(capsys, "explain", *files, "-o", "json").out)
    assert list(found) == [
        "desiredReplicas", "desiredLoad", "boundBy", "reasons", "conditions", "next", "inputs",
    ]  # fmt: skip
    assert (found["desiredReplicas"], found["desiredLoad"], found["boundBy"]) == (7, 7, "combine")
    assert found["reasons"][-1] == {
        "stage": "final", "code": "Result", "from": 4, "to": 7, "message": "4 -> 7 replicas",
    }  # fmt: skip
    (without,) = (one for one in found["conditions"] if one["type"] == "FieldsWithoutEffect")
    assert "pricePerReplicaHour" in without["message"]
    assert "forecast" in without["message"]
    assert found["next"] is None
    assert found["inputs"]["readings"]["rps"] == {
        "value": 1250, "age": "12s", "answered": 4, "of": 4,
    }  # fmt: skip


def test_an_observation_goes_back_in(
    files: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `-o observation` writes is what `--observation` reads, to the same answer."""
    written = Ran(capsys, "explain", *files, "-o", "observation").out
    assert yaml.safe_load(written)["readings"]["num_requests_waiting"] == 38
    again = (*files[:3], write(tmp_path, "again.yaml", written))
    assert Ran(capsys, "explain", *again).out == Ran(capsys, "explain", *files).out


@pytest.mark.parametrize("written", ["1e3", "+1E3", "1.e3", "1.0e3", ".1e4", "1000.0", "1000"])
def test_numbers_are_those_of_kubectl(
    written: str, files: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exponent needs no dot, as in JSON."""
    observation = OBSERVATION.replace("38", written).replace("current: 4", "current: 4.0")
    again = (*files[:3], write(tmp_path, "exponent.yaml", observation))
    assert "num_requests_waiting: total 1000 / 5 a replica" in Ran(capsys, "explain", *again).out


def test_what_is_no_number_is_no_data(
    files: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing falls for it, and JSON has null, since it knows no NaN."""
    observation = OBSERVATION.replace("38", ".nan").replace("1250", ".inf")
    again = (*files[:3], write(tmp_path, "nan.yaml", observation))
    out = Ran(capsys, "explain", *again, "-o", "json").out
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["desiredReplicas"] == 4
    assert found["inputs"]["readings"]["num_requests_waiting"] is None


def test_next_is_when_it_changes_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window that holds lets go at a time that is told."""
    scaler = write(tmp_path, "scaler.yaml", worlds.document())
    observation = worlds.observed(6, {"usage": 20}, lastScaleTime="2026-01-05T11:58:00Z")
    arguments = ("-f", scaler, "--observation", write(tmp_path, "obs.yaml", observation))
    found = json.loads(Ran(capsys, "explain", *arguments, "-o", "json").out)
    assert (found["desiredReplicas"], found["boundBy"]) == (6, "stabilization")
    assert found["next"]["time"] == "2026-01-05T12:03:00Z"
    text = Ran(capsys, "explain", *arguments).out
    assert "By itself it would change at 2026-01-05T12:03:00Z" in text


@pytest.mark.parametrize(
    ("scaler", "observation", "lines"),
    [
        pytest.param(
            yaml.safe_dump(SCALER).replace("minReplicas", "minReplica"),
            OBSERVATION,
            ["scaler.yaml:17: spec.minReplica: unknown key; did you mean minReplicas?"],
            id="key-of-the-spec",
        ),
        pytest.param(
            SCALER,
            OBSERVATION.replace("rps", "rsp").replace("lastScale", "lastScal"),
            [
                "obs.yaml:6: readings.rsp: unknown key; did you mean rps?",
                "obs.yaml:3: lastScalTime: unknown key; did you mean lastScaleTime?",
            ],
            id="keys-of-the-observation",
        ),
        pytest.param(
            SCALER,
            OBSERVATION.replace("12s", "12x"),
            ["obs.yaml:6: readings.rps.age: '12x' is no duration; write for example"],
            id="no-duration",
        ),
        pytest.param(
            SCALER,
            OBSERVATION.replace("38", "many"),
            ["obs.yaml:5: readings.num_requests_waiting: Input should be a valid number; write it"],
            id="no-number",
        ),
        pytest.param(
            yaml.safe_dump(SCALER).replace("'300'", "300"),
            OBSERVATION,
            ["scaler.yaml:16: spec.metricsSources[1].targetValue: Input should be a valid st"],
            id="no-text",
        ),
        pytest.param(
            {**SCALER, "kind": "AIInferenceAutoscalerPolicy", "apiVersion": "kubeai.io/v1alpha1"},
            OBSERVATION,
            ["scaler.yaml:2: kind: AIInferenceAutoscalerPolicy is not supported yet"],
            id="policy",
        ),
        pytest.param(SCALER, "a: [", ["obs.yaml:1: no YAML"], id="no-yaml"),
        pytest.param(
            SCALER,
            f"{OBSERVATION}now: 2026-01-06T00:00:00Z",
            ["obs.yaml:9: now stands"],
            id="twice",
        ),
        pytest.param(SCALER, "", ["obs.yaml: 0 documents, and there must be one"], id="empty"),
        pytest.param(SCALER, "- 1", ["obs.yaml:1: no observation"], id="a-list"),
    ],
)
def test_what_is_wrong_with_a_file(
    scaler: object,
    observation: str,
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error names file, line and path, and every problem at once."""
    one, two = write(tmp_path, "scaler.yaml", scaler), write(tmp_path, "obs.yaml", observation)
    ran = Ran(capsys, "explain", "-f", one, "--observation", two)
    assert (ran.code, ran.out) == (1, "")
    told = [line.removeprefix(f"{tmp_path}/") for line in ran.err.splitlines()]
    assert len(told) == len(lines)
    assert all(map(str.startswith, told, lines)), told


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["explain"], id="nothing"),
        pytest.param(["explain", "chat", "-f", "chat.yaml"], id="both"),
        pytest.param(["explain", "-f", "chat.yaml"], id="no-observation"),
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to write."""
    ran = Ran(capsys, *arguments)
    assert ran.code == 1
    assert "write -f FILE --observation FILE, or NAME" in ran.err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The error is a sentence."""
    ran = Ran(capsys, "explain", "-f", "/nowhere.yaml", "--observation", "/nowhere.yaml")
    assert (ran.code, ran.err) == (1, "/nowhere.yaml: cannot be read: No such file or directory\n")


def test_the_scaler_is_found_among_others(
    tmp_path: Path, files: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A manifest may hold its workload, too."""
    both = f"kind: Deployment\n---\n{yaml.safe_dump(SCALER)}"
    ran = Ran(capsys, "explain", "-f", write(tmp_path, "both.yaml", both), *files[2:])
    assert ran.out.startswith(TEXT)
