"""Scenarios, and the objects of a demo."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from budaiscaler.cli import demo
from budaiscaler.domain.api import validation
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.playground import manifests
from budaiscaler.playground.demo import shown
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.scenarios import SCENARIOS, Incident

BASE = Path(__file__).parents[2] / "manifests" / "base"
BEGAN = datetime(2026, 11, 26, 23, 57, 30, tzinfo=UTC)


def test_those_that_can_be_asked_for_are_those_there_are() -> None:
    """The command line names them without importing the playground."""
    assert tuple(SCENARIOS) == demo.SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("strategy", Strategy)
def test_every_scaler_is_valid(name: str, strategy: Strategy) -> None:
    """In each scenario, for each strategy; also around midnight."""
    fields = SCENARIOS[name].fields(BEGAN)
    spec = validation.parse_spec(manifests.scaler("chat", strategy, **fields)["spec"])

    assert spec.scaling_strategy is strategy


def test_a_schedule_begins_five_minutes_into_the_story() -> None:
    """At the whole minute, as cron has it."""
    hint = SCENARIOS["schedule"].fields(BEGAN)["scheduleHints"][0]

    assert hint["cronExpression"] == "2 0 * * *"


def test_an_outage_ends_and_comes_again() -> None:
    """Six minutes of each twenty."""
    happened = [
        (second, incident) for second in range(3600) for incident in SCENARIOS["outage"].at(second)
    ]

    assert happened[:4] == [
        (300, Incident.BREAK_METRICS),
        (660, Incident.MEND_METRICS),
        (1500, Incident.BREAK_METRICS),
        (1860, Incident.MEND_METRICS),
    ]


def test_a_story_begins_with_enough_replicas(tmp_path: Path) -> None:
    """So that what goes wrong later is what is shown."""
    options = Options(tmp_path, SCENARIOS["outage"])
    rate, shape = shown.traffic(options)

    assert shown.first_replicas(options) * shape.served_per_s() > 1.2 * rate(0)
    assert shown.first_replicas(Options(tmp_path, SCENARIOS["diurnal"])) >= 2


def test_our_own_parts_are_those_that_are_shipped() -> None:
    """APIService, names and namespace of the manifests, but for where the Service leads."""
    shipped = {
        (body["kind"], body["metadata"]["name"]): body
        for file in BASE.glob("*.yaml")
        for body in yaml.safe_load_all(file.read_text())
        if body and "metadata" in body
    }

    assert manifests.api_service() == shipped["APIService", manifests.API_SERVICE]
    for _, body in manifests.installed(6443):
        if body["kind"] not in ("CustomResourceDefinition", "APIService"):
            other = shipped[body["kind"], body["metadata"]["name"]]
            assert body["metadata"].get("namespace") == other["metadata"].get("namespace")
