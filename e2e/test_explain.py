"""`budaiscaler explain` of a live scaler by a kubeconfig, and again without the cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from e2e.cluster.control_plane import ControlPlane
from e2e.stories import Story


def budaiscaler(*arguments: str) -> str:
    """Run the command line."""
    command = [sys.executable, "-m", "budaiscaler.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_explain_a_live_scaler(story: Story, control_plane: ControlPlane, tmp_path: Path) -> None:
    """Its ladder is told; and what it saw, written down, is decided the same without a cluster."""
    story.deploy()
    story.start_load(32)
    scaler = story.scaler(hpa={"manage": "Never"})
    story.create(scaler)
    story.wait_for_load(4)
    live = ("explain", "chat", "-n", story.namespace, "--kubeconfig", str(control_plane.kubeconfig))
    told = budaiscaler(*live)
    assert "chat (HPA) at " in told
    assert "queue_depth: total 32 / 10 a replica = 3.2 replicas" in told
    assert "5 needs queue_depth >= 40." in told
    (tmp_path / "scaler.yaml").write_text(yaml.safe_dump(scaler))
    (tmp_path / "observation.yaml").write_text(budaiscaler(*live, "-o", "observation"))
    again = budaiscaler(
        "explain",
        "-f",
        str(tmp_path / "scaler.yaml"),
        "--observation",
        str(tmp_path / "observation.yaml"),
        "-o",
        "json",
    )
    assert json.loads(again)["desiredReplicas"] == 4
