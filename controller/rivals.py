"""Who may act on a workload: an autoscaler of others always, and of our own scalers the older.

Two HPAs on one workload block each other, and nobody can stop another tool's. So where one is, we
yield and say who is there. An HPA of another scaler of ours counts for as long as it stands: an
older scaler whose spec was broken by an edit acts on nothing new, and keeps the HPA that it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from budaiscaler.domain import conditions
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import Manage, Mode, Strategy
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler
from controller import hpas
from controller.hpas import Hpa, Target
from controller.other_tools import Rival

DIRECT = frozenset({Strategy.KPA, Strategy.BUD_SCALER})
"""Strategies of which the controller scales the workload itself."""


def acts(scaler: Scaler) -> bool:
    """Whether a scaler claims its workload, rather than only publishing or doing nothing."""
    spec = scaler.spec
    if isinstance(spec, InvalidSpecError) or scaler.deleting:
        return False
    is_own = spec.scaling_strategy in DIRECT or spec.hpa.manage is Manage.AUTO
    return is_own and spec.mode is Mode.AUTO


def refusal(
    scaler: Scaler,
    target: Target,
    name: str,
    scalers: Iterable[Scaler],
    theirs: Iterable[Hpa],
    other: Rival | None,
) -> Condition | None:
    """Say why a scaler must not act on a workload; None when it may.

    Args:
        scaler: that would act.
        target: the workload.
        name: of the HPA by which it would; empty where it needs none.
        scalers: those that live, as far as they are on the workload or hold an HPA of `theirs`.
        theirs: HPAs that are not the scaler's.
        other: an autoscaler of another tool on the workload, if there is one.
    """
    living = {other.uid: other for other in scalers}
    older = _oldest_rival(scaler, target, living.values())
    if older is not None:
        return _conflict(scaler, f"BudAIScaler {older.name} is older and scales the same workload")
    for hpa in theirs:
        holder = living.get(hpa.holder[1]) if hpa.holder is not None else None
        if hpa.name == name:
            if not _is_free(hpa, holder, scaler, target):
                return _foreign(scaler, hpa, holder, is_here=hpa.target == target)
        elif hpa.target != target or _is_left_over(hpa, holder):
            continue
        elif holder is None:
            return _foreign(scaler, hpa, holder, is_here=True)
        elif _age(holder) < _age(scaler):
            whose = f"HPA {hpa.name} of BudAIScaler {holder.name}, which is older,"
            return _conflict(scaler, f"{whose} is on the same workload")
    if other is not None:
        message = (
            f"{other.who} is on the same workload, so {_instead(scaler)}: {other.remedy}, or set "
            f"{_way_out(scaler)}"
        )
        return Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", message)
    return None


def _age(scaler: Scaler) -> tuple[str, str]:
    """Sorts the oldest first, ties by uid."""
    return scaler.created, scaler.uid


def _oldest_rival(scaler: Scaler, target: Target, scalers: Iterable[Scaler]) -> Scaler | None:
    rivals = [
        other
        for other in scalers
        if acts(other)
        and not isinstance(other.spec, InvalidSpecError)
        and hpas.of_spec(other.spec.scale_target_ref) == target
        and _age(other) < _age(scaler)
    ]
    return min(rivals, key=_age, default=None)


def _is_left_over(hpa: Hpa, holder: Scaler | None) -> bool:
    """Whether a scaler made it that is gone, so that the cluster is about to collect it."""
    return holder is None and hpa.is_made


def _is_free(hpa: Hpa, holder: Scaler | None, scaler: Scaler, target: Target) -> bool:
    """Whether an HPA of the name that we would use may become ours.

    One that an earlier scaler of our name left may; another only where the annotation names it, it
    is on our workload, and nobody has it.
    """
    if _is_left_over(hpa, holder) and hpa.holder is not None and hpa.holder[0] == scaler.name:
        return True
    is_meant = scaler.annotations.get(naming.ADOPT_ANNOTATION) == hpa.name
    return is_meant and hpa.target == target and hpa.owner is None and holder is None


def _foreign(scaler: Scaler, hpa: Hpa, holder: Scaler | None, *, is_here: bool) -> Condition:
    if hpa.owner is not None:
        whose = f"owned by {hpa.owner[0]} {hpa.owner[1]}"
    else:
        whose = f"taken over by BudAIScaler {holder.name}" if holder is not None else "not ours"
    if not is_here:
        _, kind, name = hpa.target
        where, remedy = f"is on {kind} {name}", "name another one, or rename this scaler"
    elif hpa.owner is not None or holder is not None:
        where, remedy = "is on the same workload", f"remove it, or set {_way_out(scaler)}"
    else:
        where = "is on the same workload"
        remedy = (
            f"remove it, take it over with the annotation {naming.ADOPT_ANNOTATION}: {hpa.name}, "
            f"or set {_way_out(scaler)}"
        )
    message = f"HPA {hpa.name}, {whose}, {where}, so {_instead(scaler)}: {remedy}"
    return Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", message)


def _conflict(scaler: Scaler, message: str) -> Condition:
    told = f"{message}: delete one, or set {_way_out(scaler)}"
    return Condition(conditions.ABLE_TO_SCALE, "False", "ConflictDetected", told)


def _instead(scaler: Scaler) -> str:
    return "we scale nothing" if scaler.strategy in DIRECT else "we only publish"


def _way_out(scaler: Scaler) -> str:
    """What keeps a scaler that does not act."""
    return "spec.mode: Recommend" if scaler.strategy in DIRECT else "spec.hpa.manage: Never"
