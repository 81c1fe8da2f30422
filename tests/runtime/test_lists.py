"""Lists on the command line and in the environment: headers, endpoints, and the label."""

from __future__ import annotations

import pytest

from adapter.settings import AdapterSettings
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import settings


def read(*arguments: str) -> AdapterSettings:
    """The settings of an adapter with these flags."""
    return settings.read(AdapterSettings, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param([], (), id="none"),
        pytest.param(["--prometheus-header=X-Org: a|b"], (("X-Org", "a|b"),), id="one"),
        pytest.param(
            ["--prometheus-header=A: 1, 2", "--prometheus-header", "B: c:d"],
            (("A", "1, 2"), ("B", "c:d")),
            id="two",
        ),
    ],
)
def test_headers(arguments: list[str], found: tuple[tuple[str, str], ...]) -> None:
    """The flag can be repeated; a value keeps its commas and colons."""
    assert read(*arguments).prometheus_header == found


def test_headers_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """There each stands on a line."""
    monkeypatch.setenv("BUDAISCALER_PROMETHEUS_HEADER", "A: 1\nB: 2")
    assert read().prometheus_header == (("A", "1"), ("B", "2"))


def test_endpoints() -> None:
    """Those that the operator's credentials go to are separated by commas."""
    found = read("--prometheus-credentials-for=http://a:1, http://b/x,")
    assert found.prometheus_credentials_for == ("http://a:1", "http://b/x")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--prometheus-header=hunter2"], "write for example", id="header"),
        pytest.param(["--prometheus-header=a b: hunter2"], "is no header", id="header-name"),
        pytest.param(["--enforce-namespace-label=a-b"], "--enforce-namespace-label", id="label"),
        pytest.param(["--enforce-namespace-label=__name__"], "--enforce-namespace", id="own-label"),
        pytest.param(
            ["--prometheus-bearer-token-file=/a", "--prometheus-basic-auth-file=/b"],
            "exclude each other: set one",
            id="two-credentials",
        ),
    ],
)
def test_refused(arguments: list[str], words: str) -> None:
    """Each says what to write, and repeats no value that may be a secret."""
    with pytest.raises(ConfigurationError) as refused:
        read(*arguments)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)
