"""Flags and environment: what wins, what is refused, and how the refusal helps."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import settings
from budaiscaler.runtime.settings import ServerSettings


def read(*arguments: str) -> ServerSettings:
    return settings.read(ServerSettings, list(arguments))


def test_defaults() -> None:
    """Without any flag a copy runs in its own namespace, with the durations of client-go."""
    found = read()

    assert found.kubeconfig is None
    assert found.namespace == "budaiscaler-system"
    assert (found.lease_duration, found.lease_renew_deadline, found.lease_retry_period) == (
        15,
        10,
        2,
    )


def test_identities_differ() -> None:
    """Two copies on one host have different names in the Lease."""
    assert read().identity != read().identity


def test_flags() -> None:
    """Flags are written with dashes, durations with units."""
    found = read("--lease-duration", "1m", "--lease-renew-deadline=40s", "--log-level", "debug")

    assert (found.lease_duration, found.lease_renew_deadline) == (60, 40)
    assert found.log_level == "debug"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flag is also an environment variable, and the flag wins."""
    monkeypatch.setenv("BUDAISCALER_NAMESPACE", "from-environment")
    monkeypatch.setenv("BUDAISCALER_LEASE_DURATION", "30s")

    assert read().namespace == "from-environment"
    assert read().lease_duration == 30
    assert read("--namespace", "from-flag").namespace == "from-flag"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--log-level", "loud"], "debug, info, warning, error", id="log-level"),
        pytest.param(["--lease-duration", "soon"], "--lease-duration: .*15s", id="no-duration"),
        pytest.param(["--lease-duration", "inf"], "--lease-duration: .*15s", id="for-ever"),
        pytest.param(["--lease-retry-period", "0"], "--lease-retry-period: .*greater", id="zero"),
        pytest.param(["--lease-retry-period", "-1"], "--lease-retry-period: ", id="negative"),
        pytest.param(["--lease-duration", "10s"], "retry-period < renew-deadline", id="duration"),
        pytest.param(["--lease-renew-deadline", "2s"], "two copies could lead", id="deadline"),
        pytest.param(
            ["--lease-retry-period", "0", "--lease-duration", "x"],
            "--lease-duration: .*; --lease-retry-period: ",
            id="all-at-once",
        ),
    ],
)
def test_refused(arguments: list[str], message: str) -> None:
    """What cannot work is refused before the start; every wrong flag is named."""
    with pytest.raises(ConfigurationError, match=message):
        read(*arguments)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--no-such-flag"], 2, "--no-such-flag", id="unknown"),
        pytest.param(["--help"], 0, "--lease-retry-period", id="help"),
    ],
)
def test_printed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """An unknown flag and a call for help are answered on the terminal."""
    with pytest.raises(SystemExit) as raised:
        read(*arguments)

    assert raised.value.code == code
    printed = capsys.readouterr()
    assert words in printed.out + printed.err
