"""A contest: who writes the replicas in a manifest again soon after having done so."""

from __future__ import annotations

import pytest

from budaiscaler.domain import contests
from budaiscaler.domain.contests import Write, contested_by


def writes(*at_s: float, manager: str = "flux") -> list[Write]:
    """Writes of one manager."""
    return [Write(manager, s) for s in at_s]


@pytest.mark.parametrize(
    ("seen", "now_s", "by"),
    [
        pytest.param([], 0, None, id="none"),
        pytest.param(writes(0), 1, None, id="one"),
        pytest.param(writes(0, 60), 61, "flux", id="two"),
        pytest.param(writes(0, 600), 601, "flux", id="ten-minutes-apart"),
        pytest.param(writes(0, 601), 602, None, id="longer-apart"),
        pytest.param(writes(0, 599), 1198, "flux", id="until-ten-minutes-of-calm"),
        pytest.param(writes(0, 599), 1199, None, id="calm"),
        pytest.param(writes(0, 599, 1190), 1789, "flux", id="no-calm"),
        pytest.param([*writes(0), *writes(9, manager="argo")], 9, None, id="two-that-wrote-once"),
        pytest.param(
            [*writes(0), *writes(9, manager="argo"), *writes(20)], 21, "flux", id="one-of-two"
        ),
    ],
)
def test_two_writes_within_ten_minutes_until_ten_minutes_of_calm(
    seen: list[Write], now_s: float, by: str | None
) -> None:
    """Of the same manager: once may be a person."""
    assert contested_by(seen, now_s) == by


@pytest.mark.parametrize(
    ("manager", "remedy"),
    [
        pytest.param("argocd-controller", "ignoreDifferences", id="argo"),
        pytest.param("kustomize-controller", "in Flux, leave spec.replicas out", id="flux"),
        pytest.param("helm-controller", "values of the chart", id="flux-helm"),
        pytest.param("deployer", "leave spec.replicas out of what it applies", id="another"),
    ],
)
def test_the_message_says_what_to_configure_where(manager: str, remedy: str) -> None:
    """By the tool, where it is known."""
    message = contests.message(manager)
    assert f"field manager {manager} " in message
    assert remedy in message
