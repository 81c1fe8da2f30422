"""What `--export` writes is valid, and its stories hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from budaiscaler.cli import main
from budaiscaler.domain.api import validation
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.playground.demo import export
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.scenarios import SCENARIOS

BEGAN = datetime(2026, 11, 26, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_shown_is_written_down(tmp_path: Path, name: str) -> None:
    """A workload and a valid scaler in each file, and the stories pass `budaiscaler test`."""
    options = Options(tmp_path, SCENARIOS[name])
    directory = tmp_path / "shown"
    export.prepare(directory)
    export.write(directory, options, options.scenario.fields(BEGAN))

    for scaler in ("chat-hpa", "chat-kpa", "chat-bud"):
        deployment, found = yaml.safe_load_all((directory / f"{scaler}.yaml").read_text())
        assert deployment["kind"] == "Deployment"
        assert found["metadata"]["name"] == found["spec"]["scaleTargetRef"]["name"] == scaler
        validation.parse_spec(found["spec"])
    assert not any("&id" in file.read_text() for file in directory.iterdir()), "people read them"
    main.main(["test", str(directory / export.STORIES)])


def test_a_story_that_must_not_hold_does_not(tmp_path: Path) -> None:
    """The stories are about these scalers: one that may have no more than eight fails."""
    options = Options(tmp_path, SCENARIOS["burst"])
    export.write(tmp_path, options, {"maxReplicas": 8})

    with pytest.raises(SystemExit):
        main.main(["test", str(tmp_path / export.STORIES)])


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Before anything is started."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--export"):
        export.prepare(tmp_path / "file" / "below")
