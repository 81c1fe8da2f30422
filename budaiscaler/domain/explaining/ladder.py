"""The text form of an explanation: a ladder that one can read aloud, from readings to result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from budaiscaler.domain import times
from budaiscaler.domain.algorithms import native
from budaiscaler.domain.api.budaiscaler import Manage, Mode, Strategy
from budaiscaler.domain.decision import Rung
from budaiscaler.domain.explaining.explanation import Explanation
from budaiscaler.domain.explaining.flips import Flip


def lines(explanation: Explanation, flips: Iterable[Flip] | None) -> Iterator[str]:
    """Write it.

    Args:
        explanation: the decision.
        flips: what would change it; None where only its history could tell.
    """
    decision, subject = explanation.decision, explanation.subject
    current = explanation.observation.replicas.current
    yield (
        f"{subject.name} ({subject.spec.scaling_strategy}) at {times.rfc3339(explanation.now)}: "
        f"{moves(current, decision.desired_replicas)}, bound by {decision.bound_by}"
    )
    is_published = subject.spec.scaling_strategy is Strategy.HPA
    if is_published and explanation.desired_load is not None:
        yield f"desired load: {explanation.desired_load:g} replicas"
    yield ""
    yield from rungs(decision.rungs)
    if is_published:
        yield f"  {_ahead(explanation)}"
    yield ""
    for one in explanation.conditions:
        yield f"{one.type} is {one.status} ({one.reason}): {one.message}"
    yield ""
    if decision.next_change is not None:
        at = times.rfc3339(decision.next_change.at)
        yield f"By itself it would change at {at}: {decision.next_change.message}."
    yield from answers(flips)


def _ahead(explanation: Explanation) -> str:
    """What stands between the number of the HPA strategy and the replicas."""
    spec = explanation.subject.spec
    _, natives = native.split(spec, has_child=True)
    if spec.hpa.manage is Manage.NEVER or spec.mode is Mode.RECOMMEND:
        still = "an HPA of your own, if one reads it: its behavior and its dead band"
    elif natives:
        still = "the HPA: its behavior and its dead band"
    else:
        still = "the HPA: its behavior, and before Kubernetes 1.35 its dead band"
    return f"Ahead of the replicas is still {still}. `budaiscaler test` tells that in time."


def rungs(steps: Iterable[Rung]) -> Iterator[str]:
    """Write the steps, one a line; a count stands where it changes."""
    shown = [(str(rung.stage), moves(rung.before, rung.after), rung.message) for rung in steps]
    stage_width = max((len(stage) for stage, _, _ in shown), default=0)
    count_width = max((len(count) for _, count, _ in shown), default=0)
    for stage, count, message in shown:
        yield f"  {stage:<{stage_width}}  {count:>{count_width}}  {message}"


def answers(flips: Iterable[Flip] | None) -> Iterator[str]:
    """Say what would change the answer; the last line of the text."""
    if flips is None:
        yield "What was seen before has a part in it: no reading alone tells what would change it."
        return
    told = list(map(str, flips))
    if told:
        yield "Another answer, all else as it is:"
        yield from (f"  {one}" for one in told)
    else:
        yield "No single reading would change the answer."


def moves(before: int, after: int) -> str:
    """`4 -> 6`, or just the count that stays."""
    return f"{before} -> {after}" if before != after else f"stays {after}"
