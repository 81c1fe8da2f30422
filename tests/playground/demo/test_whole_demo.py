"""The whole demo, as a user starts it: real processes, for a few seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

pytestmark = pytest.mark.timeout(240)

ENDS_WITHIN_S = 120
FIELDS = {
    *("name", "strategy", "replicas", "decisions", "errors"),
    *("replicaHours", "cost", "overTarget"),
}


@contextmanager
def demo(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start it, with its temporary files in `directory`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "budaiscaler.cli", "demo", *arguments],
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def children(directory: Path) -> dict[int, str]:
    """Processes whose command names something in `directory`, as those of a demo do."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(directory) in command:
                found[int(entry.name)] = command
    return found


def read_until(stream: IO[str] | None, text: str) -> str:
    """Read lines until one has the text."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines))


def assert_nothing_is_left(directory: Path) -> None:
    """Neither a file nor a process."""
    assert list(directory.iterdir()) == []
    assert children(directory) == {}


def test_without_a_screen_it_ends_with_a_summary(tmp_path: Path) -> None:
    """All three strategies decide on what the pods tell, the twin beside them, and none fails."""
    arguments = ("--headless", "--duration", "8s", "--speed", "45", "--seed", "3", "-o", "json")
    with demo(tmp_path, *arguments) as process:
        out, told = process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 0, told
    summary = json.loads(out)
    assert {one["name"]: one["strategy"] for one in summary["scalers"]} == {
        "chat-hpa": "HPA",
        "chat-kpa": "KPA",
        "chat-bud": "BudScaler",
    }
    assert (summary["twin"]["name"], summary["twin"]["strategy"]) == ("plain-hpa", "HPA")
    assert all(one["decisions"] >= 1 for one in summary["scalers"])
    everyone = (*summary["scalers"], summary["twin"])
    for one in everyone:
        assert one.keys() == FIELDS
        assert one["errors"] == 0
        replicas = one["replicas"]
        assert 1 <= replicas["min"] <= replicas["last"] <= replicas["max"] <= 20
        # Six minutes of the story, of two replicas or more, at 12 dollars an hour.
        assert 1 / 10 <= one["replicaHours"] < 20 / 10
        assert one["cost"] == pytest.approx(12 * one["replicaHours"], abs=0.02)
        assert 0 <= one["overTarget"] <= 6
    # The crowd of this seed comes after two minutes, and nobody can do without more replicas.
    assert max(one["replicas"]["max"] for one in everyone) > 3
    assert summary["events"] >= 1
    assert summary["errors"] == 0
    assert "export KUBECONFIG=" in told
    assert "SuccessfulRescale" in told
    assert_nothing_is_left(tmp_path)


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C, however often, ends adapter and controller as well, and takes the files away."""
    with demo(tmp_path, "--headless", "--speed", "10") as process:
        read_until(process.stdout, "HPACreated")
        servers = [number for number, one in children(tmp_path).items() if " -m " in one]
        assert len(servers) == 2
        for number in servers:
            os.kill(number, signal.SIGSTOP)  # they do not end when they are told
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 130
    assert_nothing_is_left(tmp_path)


def test_interrupted_in_its_start_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """However early: half of it may be there."""
    with demo(tmp_path, "--headless") as process:
        until_s = time.monotonic() + ENDS_WITHIN_S
        while not list(tmp_path.iterdir()) and time.monotonic() < until_s:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 130
    assert_nothing_is_left(tmp_path)


def test_it_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """As in `budaiscaler demo | head`: without a word, and nothing left."""
    with demo(tmp_path, "--speed", "10") as process:
        read_until(process.stdout, "KUBECONFIG")
        assert process.stdout is not None
        process.stdout.close()
        _, told = process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 1
    assert told == ""
    assert_nothing_is_left(tmp_path)


def test_killed_it_takes_its_servers_along(tmp_path: Path) -> None:
    """Whoever sends SIGKILL has no processes to look for; only files are left."""
    with demo(tmp_path, "--headless", "--speed", "10") as process:
        read_until(process.stdout, "HPACreated")
        servers = children(tmp_path)
        assert len(servers) == 2
        for number in servers:
            os.kill(number, signal.SIGSTOP)  # they do not end by themselves, without an API server
        process.kill()
        process.communicate(timeout=ENDS_WITHIN_S)
        until_s = time.monotonic() + ENDS_WITHIN_S
        while children(tmp_path) and time.monotonic() < until_s:
            time.sleep(0.02)
        left = children(tmp_path)
        for number in left:
            os.kill(number, signal.SIGKILL)

    assert left == {}


def test_a_server_that_dies_ends_the_demo(tmp_path: Path) -> None:
    """With an exit code, a sentence that says which one, and nothing left."""
    with demo(tmp_path, "--headless", "--speed", "10") as process:
        read_until(process.stdout, "HPACreated")
        controller = next(
            number for number, command in children(tmp_path).items() if "-m controller" in command
        )
        os.kill(controller, signal.SIGKILL)
        _, told = process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 1
    assert told.startswith("the controller ended by itself")
    assert "Traceback" not in told
    assert_nothing_is_left(tmp_path)
