"""Who pays for a replica: the lowest rung of the ladder that needs it.

What the readings need is lowest, then what is held for want of them, then what each later stage
adds, in the order in which the stages act. So what only a window still holds is not charged to the
load, nor is what a schedule asks for and the load needs as well charged to the schedule.

Ten replicas stand; the queue needs 4, a schedule asks for 6, and the stabilisation window holds 9.
Then combine is charged 4, schedule 2 and stabilization 3. The tenth is needed by nobody and still
there, which is charged to final.
"""

from __future__ import annotations

from budaiscaler.domain.decision import Code, Decision, Rung, Stage

_NO_READING = frozenset(
    {
        Code.NO_DATA,
        Code.PARTIAL_DATA,
        Code.FALLBACK,
        Code.OPTIONAL_LEFT_OUT,
        Code.LOST_OR_STARTING,
    }
)
"""Rungs of sources that are made of something else than a reading."""

_ORDER = (
    Stage.COMBINE,
    Stage.SOURCE,
    *(stage for stage in Stage if stage not in {Stage.COMBINE, Stage.SOURCE, Stage.FINAL}),
)
"""Stages as `Decision.bound_by` has them: a need is of combine, and a hold for want of data of
source."""


def charged(decision: Decision, standing: int) -> dict[Stage, int]:
    """Share out the replicas that stand.

    Args:
        decision: with its ladder.
        standing: replicas; those that never had a place cost nothing, and are not among them.

    Returns:
        Replicas by stage, all above 0; they sum to `standing`.
    """
    combine = Stage.COMBINE if _is_by_reading(decision) else Stage.SOURCE
    needs: dict[Stage, int] = {}
    for rung in decision.rungs:
        stage = combine if rung.stage is Stage.COMBINE else _payer(rung)
        needs[stage] = max(rung.after, needs.get(stage, 0))
    shares, covered = {}, 0
    for stage in _ORDER:
        more = min(needs.get(stage, 0), standing) - covered
        if more > 0:
            shares[stage] = more
            covered += more
    if covered < standing:
        shares[Stage.FINAL] = standing - covered
    return shares


def _is_by_reading(decision: Decision) -> bool:
    """Whether a reading won, and not what stands in for one; what follows is its or theirs."""
    asked = {
        rung.after
        for rung in decision.rungs
        if rung.stage is Stage.SOURCE and rung.code not in _NO_READING
    }
    return any(
        rung.code is Code.LARGEST_NEED and rung.stage is Stage.COMBINE and rung.after in asked
        for rung in decision.rungs
    )


def _payer(rung: Rung) -> Stage:
    if rung.code is Code.OPTIONAL_LEFT_OUT:
        return Stage.FINAL  # it is told, and asks for nothing
    is_reading = rung.stage is Stage.SOURCE and rung.code not in _NO_READING
    return Stage.COMBINE if is_reading else rung.stage
