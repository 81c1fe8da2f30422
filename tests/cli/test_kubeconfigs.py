"""Which namespace is meant where nobody says: the one of kubectl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from budaiscaler.cli import kubeconfigs
from tests.cli.running import Ran, write

CONTEXTS = [
    {"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "ml"}},
    {"name": "prod", "context": {"cluster": "c", "user": "u"}},
    {"name": "empty", "context": None},
]


def config(current: str | None, contexts: Any = CONTEXTS) -> dict[str, Any]:
    """A kubeconfig."""
    return {"kind": "Config", "current-context": current, "contexts": contexts}


@pytest.mark.parametrize(
    ("content", "namespace"),
    [
        pytest.param(config("dev"), "ml", id="named"),
        pytest.param(config("prod"), "default", id="not-named"),
        pytest.param(config("empty"), "default", id="an-empty-context"),
        pytest.param(config("gone"), "default", id="no-such-context"),
        pytest.param(config(None, None), "default", id="none-at-all"),
        pytest.param("a: [", "default", id="no-yaml"),
        pytest.param("- 1", "default", id="no-kubeconfig"),
    ],
)
def test_the_namespace_of_the_current_context(content: Any, namespace: str, tmp_path: Path) -> None:
    """Or `default`, where it names none."""
    assert kubeconfigs.namespace(write(tmp_path, "config", content)) == namespace


def test_a_file_that_is_not_there() -> None:
    """It is told when somebody connects with it."""
    assert kubeconfigs.namespace("/nowhere") == "default"


def test_of_several_files(tmp_path: Path) -> None:
    """The context of one may be described in another."""
    one = write(tmp_path, "one", config("prod"))
    other = write(tmp_path, "other", config("dev", []))
    assert kubeconfigs.namespace(os.pathsep.join([one, other])) == "ml"


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given wins over the environment, and that over the home directory."""
    monkeypatch.setenv("KUBECONFIG", "/theirs")
    assert (kubeconfigs.path("/mine"), kubeconfigs.path(None)) == ("/mine", "/theirs")
    monkeypatch.delenv("KUBECONFIG")
    assert kubeconfigs.path(None) == str(Path.home() / ".kube" / "config")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """One whose current context names a namespace, of a server that nobody listens for."""
    server = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    whole = {**config("dev"), "clusters": [server], "users": [{"name": "u", "user": {}}]}
    return write(tmp_path, "kubeconfig", whole)


@pytest.mark.parametrize(
    ("arguments", "namespace"),
    [pytest.param([], "ml", id="left-out"), pytest.param(["-n", "web"], "web", id="told")],
)
def test_a_live_scaler_is_looked_for_where_kubectl_would(
    arguments: list[str], namespace: str, kubeconfig: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the namespace of the current context, unless another is told."""
    ran = Ran(capsys, "explain", "chat", "--kubeconfig", kubeconfig, *arguments)
    assert ran.code == 1
    assert f"/namespaces/{namespace}/budaiscalers/chat" in ran.err


def test_a_recorded_one_is_so_too(
    kubeconfig: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both commands mean the same scaler by the same words."""
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    ran = Ran(capsys, "test", "--record", "chat", "--log", write(tmp_path, "log", ""))
    assert "no decision of ml/chat" in ran.err
