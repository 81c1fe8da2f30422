"""What a server says of its flags, and of those that it cannot use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from adapter.settings import AdapterSettings
from budaiscaler.runtime import settings
from budaiscaler.runtime.settings import ServerSettings
from controller.settings import ControllerSettings


@pytest.mark.parametrize(
    ("kind", "program"),
    [(AdapterSettings, "budaiscaler-adapter"), (ControllerSettings, "budaiscaler-controller")],
)
def test_help(capsys: pytest.CaptureFixture[str], kind: type[ServerSettings], program: str) -> None:
    """It names the program, says what a value is and with which unit, and nothing of our types."""
    with pytest.raises(SystemExit):
        settings.read(kind, ["--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(f"usage: {program} ")
    assert "--lease-duration DURATION After so long" in told
    assert "takes over. Default: 15s" in told
    assert "--prometheus-header HEADER Header to send" in told
    assert "--prometheus-credentials-for URLS" in told
    assert "One of debug, info, warning, error. Default: info" in told
    for ours in ("tuple", "None", "Undefined", "lambda", "float", "()"):
        assert ours not in told


def test_a_part_of_a_flag_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """The next version may have two that begin with it."""
    with pytest.raises(SystemExit) as raised:
        settings.read(ServerSettings, ["--lease-dur", "15s"])

    assert raised.value.code == 2
    assert "--lease-dur" in capsys.readouterr().err


@pytest.mark.parametrize("server", ["adapter", "controller"])
def test_a_flag_that_cannot_be_used_is_a_line_of_the_log(server: str) -> None:
    """Whoever collects the logs of the pod reads why it does not start."""
    ran = subprocess.run(
        [sys.executable, "-m", server, "--log-level", "loud"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 2
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("cannot_start", "error")
    assert told["error"] == "log-level must be one of debug, info, warning, error"
