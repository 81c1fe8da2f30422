"""Several scalers of ours on one workload: the older acts, the same one whoever is asked."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.api import naming
from controller.planning import plan
from tests.controller.plans import ADOPTING, FOREIGN, verdict
from tests.controller.world import hpa, scaler

JANUARY, FEBRUARY = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("mine", "other", "is_mine"),
    [
        pytest.param({"created": JANUARY}, {"created": FEBRUARY}, True, id="i-am-older"),
        pytest.param({"created": FEBRUARY}, {"created": JANUARY}, False, id="i-am-younger"),
        pytest.param({"uid": "a"}, {"uid": "b"}, True, id="tie-by-uid"),
        pytest.param({"uid": "b"}, {"uid": "a"}, False, id="tie-by-uid-the-other-way"),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "scaleTargetRef": {"name": "code"}},
            True,
            id="older-elsewhere",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "hpa": {"manage": "Never"}},
            True,
            id="older-only-publishes",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "mode": "Recommend"},
            True,
            id="older-only-recommends",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "scalingStrategy": "KPA"},
            False,
            id="older-is-scaled-by-the-controller",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "deleting": True},
            True,
            id="older-is-being-deleted",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {"created": JANUARY, "maxReplicas": 0},
            True,
            id="older-is-invalid",
        ),
        pytest.param(
            {"created": FEBRUARY},
            {
                "created": JANUARY,
                "scaleTargetRef": {"apiVersion": "apps/v1beta1", "name": "chat"},
            },
            False,
            id="the-same-workload-by-another-version",
        ),
    ],
)
def test_of_two_scalers_the_older_acts(
    mine: dict[str, Any], other: dict[str, Any], *, is_mine: bool
) -> None:
    """One of two scalers on a workload acts, the same one whoever is asked; ties go by uid."""
    subject, rival = scaler(**mine), scaler("rival", **other)
    planned = plan(subject, [rival, subject], [], None)

    assert (planned.wanted is not None) == is_mine
    if not is_mine:
        assert verdict(planned)[3] == [("AbleToScale", "False", "ConflictDetected")]
        assert "BudAIScaler rival is older" in planned.conditions[0].message


def test_the_younger_gives_its_child_up() -> None:
    """An HPA that the younger has, from when it was alone, goes; the older's is not in its way."""
    older, younger = scaler("older", created=JANUARY), scaler("younger", created=FEBRUARY)
    hpas = [hpa("younger-hpa", owner=younger.uid, owner_name="younger")]
    both = [older, younger]

    assert verdict(plan(younger, both, hpas, None))[:3] == (None, None, ("younger-hpa",))
    assert verdict(plan(older, both, hpas, None))[:3] == ("older-hpa", None, ())


@pytest.mark.parametrize(
    ("mine", "theirs", "is_mine"),
    [
        pytest.param(FEBRUARY, {"created": JANUARY, "maxReplicas": 0}, False, id="invalid"),
        pytest.param(JANUARY, {"created": FEBRUARY, "maxReplicas": 0}, True, id="but-younger"),
        pytest.param(
            FEBRUARY,
            {"created": JANUARY, "scaleTargetRef": {"name": "code"}},
            False,
            id="about-to-turn-elsewhere",
        ),
        pytest.param(FEBRUARY, {"created": JANUARY, "deleting": True}, False, id="deleting"),
        pytest.param(
            FEBRUARY, {"created": JANUARY, "mode": "Recommend"}, False, id="not-removed-yet"
        ),
    ],
)
@pytest.mark.parametrize("mark", ["owner", "adopter"])
def test_the_hpa_of_an_older_scaler_is_waited_out(
    mine: str, theirs: dict[str, Any], mark: str, *, is_mine: bool
) -> None:
    """Whatever became of the older scaler: while its HPA stands, there is no second one."""
    subject, older = scaler(created=mine), scaler("older", **theirs)
    standing = hpa("older-hpa", **{mark: older.uid}, owner_name="older")
    planned = plan(subject, [subject, older], [standing], None)

    assert (planned.wanted is not None) == is_mine
    if not is_mine:
        assert verdict(planned)[3] == [("AbleToScale", "False", "ConflictDetected")]
        assert "HPA older-hpa of BudAIScaler older" in planned.conditions[0].message


def test_what_a_dead_scaler_made_is_not_waited_for() -> None:
    """The cluster collects it, so a scaler that was made anew need not go through a complaint."""
    subject = scaler()
    left = hpa("older-hpa", owner="scaler-older", owner_name="older")

    assert verdict(plan(subject, [subject], [left], None))[0] == "chat-hpa"


def test_the_hpa_of_a_broken_scaler_yields_to_an_older_one() -> None:
    """The younger cannot be asked what it wants; the older acts, so its HPA goes all the same."""
    older, broken = scaler("older", created=JANUARY), scaler(created=FEBRUARY, maxReplicas=0)
    standing = hpa(owner=broken.uid)
    planned = plan(broken, [older, broken], [standing], None)

    assert verdict(planned) == (
        None,
        None,
        ("chat-hpa",),
        [("AbleToScale", "False", "ConflictDetected")],
    )


def test_what_another_scaler_took_over_is_not_adopted() -> None:
    """One that lives has it, so nobody takes it away, and the message says who it is."""
    other = scaler("code", scaleTargetRef={"name": "code"})
    subject = scaler(annotations=ADOPTING)
    taken = hpa("theirs", adopter=other.uid, owner_name="code")
    planned = plan(subject, [other, subject], [taken], None)

    assert verdict(planned) == (None, None, (), [FOREIGN])
    assert "taken over by BudAIScaler code" in planned.conditions[0].message
    assert "adopt-hpa" not in planned.conditions[0].message


def test_another_scalers_child_is_not_adopted() -> None:
    """The annotation takes nothing from a scaler that lives, and offers no way to do so."""
    other = scaler("code", scaleTargetRef={"name": "code"})
    subject = scaler(annotations={naming.ADOPT_ANNOTATION: "code-hpa"})
    taken = hpa("code-hpa", target="code", owner=other.uid, owner_name="code")
    planned = plan(subject, [other, subject], [taken], None)

    assert verdict(planned) == (None, None, (), [FOREIGN])
    assert "owned by BudAIScaler code" in planned.conditions[0].message
