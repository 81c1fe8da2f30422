"""Address ranges on the command line and in the environment."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from adapter.settings import AdapterSettings
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import settings


def read(*arguments: str) -> tuple[str, ...]:
    """The ranges that an adapter opens."""
    return tuple(map(str, settings.read(AdapterSettings, list(arguments)).allow_source_ranges))


def test_none_by_default() -> None:
    """Nothing is open unless the operator says so."""
    assert read() == ()


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param(["--allow-source-ranges=127.0.0.0/8"], ("127.0.0.0/8",), id="one"),
        pytest.param(
            ["--allow-source-ranges", "127.0.0.0/8, ::1"], ("127.0.0.0/8", "::1/128"), id="two"
        ),
        pytest.param(["--allow-source-ranges="], (), id="empty"),
        pytest.param(["--allow-source-ranges=169.254.20.10"], ("169.254.20.10/32",), id="address"),
    ],
)
def test_flag(arguments: list[str], found: tuple[str, ...]) -> None:
    """Ranges are separated by commas, and an address is a range of one."""
    assert read(*arguments) == found


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is written as the flag is."""
    monkeypatch.setenv("BUDAISCALER_ALLOW_SOURCE_RANGES", "127.0.0.0/8,fe80::/10")
    found = settings.read(AdapterSettings, []).allow_source_ranges
    assert found == (ip_network("127.0.0.0/8"), ip_network("fe80::/10"))


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1/8", "10.0.0.0/33", "127.0.0.0/8;::1"])
def test_refused(text: str) -> None:
    """What is no range stops the start; a range with bits beyond its length may be a typo."""
    with pytest.raises(ConfigurationError, match=r'--allow-source-ranges: .*write for example "'):
        read(f"--allow-source-ranges={text}")
