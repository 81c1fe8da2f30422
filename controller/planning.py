"""What is to be done about a scaler's HPA: pure, from what the caches show.

Two HPAs on one workload block each other, and nobody can stop another tool's. So a foreign HPA or
ScaledObject always wins, we yield and say who is there; among our own scalers the older wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from budaiscaler.domain import conditions
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec, Strategy
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json
from controller import children, hpas
from controller.hpas import Hpa


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        wanted: the HPA to have; None for none.
        replaces: an HPA whose whole spec must become ours first, because it is being adopted.
        removes: HPAs of ours to get rid of, after `wanted` is there.
        conditions: what is to be told.
    """

    wanted: Json | None = None
    replaces: Hpa | None = None
    removes: tuple[Hpa, ...] = ()
    conditions: tuple[Condition, ...] = ()


def acts(scaler: Scaler) -> bool:
    """Whether a scaler scales its workload, rather than only publishing."""
    spec = scaler.spec
    if isinstance(spec, InvalidSpecError) or scaler.deleting:
        return False
    return spec.scaling_strategy is not Strategy.HPA or spec.hpa.manage is Manage.AUTO


def plan(
    scaler: Scaler, scalers: Iterable[Scaler], all_hpas: Iterable[Hpa], scaled_object: str | None
) -> Plan:
    """Decide what to do.

    Args:
        scaler: whose HPA it is about.
        scalers: all scalers of its namespace.
        all_hpas: all HPAs of its namespace.
        scaled_object: name of a KEDA ScaledObject on the same workload, if there is one.
    """
    spec = scaler.spec
    if isinstance(spec, InvalidSpecError):
        return Plan()  # an edit that went wrong takes nothing away
    here = list(all_hpas)
    ours = tuple(hpa for hpa in here if hpa.is_child_of(scaler.name, scaler.uid))
    if spec.scaling_strategy is not Strategy.HPA:
        message = f"scalingStrategy {spec.scaling_strategy} is not decided by this version: use HPA"
        told = Condition(conditions.READY, "False", "StrategyNotSupported", message)
        return Plan(removes=ours, conditions=(told,))
    if spec.hpa.manage is Manage.NEVER:
        message = "hpa.manage is Never: point your own HPA at desired-load"
        told = Condition(conditions.ABLE_TO_SCALE, "True", "PublishOnly", message)
        return Plan(removes=ours, conditions=(told,))
    own_name = naming.child_hpa(scaler.name)
    name = scaler.annotations.get(naming.ADOPT_ANNOTATION) or own_name
    # One that the annotation names no longer goes back to who had it, and is foreign from then on.
    given_back = [replace(hpa, owner=None) for hpa in ours if hpa.name not in (name, own_name)]
    theirs = [*given_back, *(hpa for hpa in here if hpa not in ours)]
    refusal = _refusal(scaler, spec, scalers, theirs, scaled_object)
    if refusal is not None:
        return Plan(removes=ours, conditions=(refusal,))

    return Plan(
        wanted=children.hpa(scaler, spec, name),
        replaces=next((hpa for hpa in theirs if hpa.name == name), None),
        removes=tuple(hpa for hpa in ours if hpa.name != name),
        conditions=tuple(_told(spec, name, next((h for h in ours if h.name == name), None))),
    )


def _refusal(
    scaler: Scaler,
    spec: ScalerSpec,
    scalers: Iterable[Scaler],
    theirs: list[Hpa],
    scaled_object: str | None,
) -> Condition | None:
    """Say why we must not act on the workload; None when we may."""
    target = hpas.of_spec(spec.scale_target_ref)
    older = _older(scaler, target, scalers)
    if older is not None:
        message = f"BudAIScaler {older.name} is older and scales the same workload: delete one"
        return Condition(conditions.ABLE_TO_SCALE, "False", "ConflictDetected", message)
    adopted = scaler.annotations.get(naming.ADOPT_ANNOTATION)
    for hpa in theirs:
        is_here = hpa.target == target
        if hpa.name == (adopted or naming.child_hpa(scaler.name)):
            # What an earlier scaler of our name left is about to be collected, unless it is ours.
            if hpa.scaler == scaler.name or (is_here and hpa.owner is None and adopted):
                continue
            return _foreign(hpa, is_here=is_here)
        if is_here and hpa.scaler is None:
            return _foreign(hpa, is_here=True)
    if scaled_object is not None:
        message = (
            f"ScaledObject {scaled_object} is on the same workload, so we only publish: "
            "remove it, or set spec.hpa.manage: Never"
        )
        return Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", message)
    return None


def _foreign(hpa: Hpa, *, is_here: bool) -> Condition:
    whose = f"owned by {hpa.owner[0]} {hpa.owner[1]}" if hpa.owner else "not ours"
    if not is_here:
        _, kind, name = hpa.target
        where, remedy = f"is on {kind} {name}", "name another one, or rename this scaler"
    elif hpa.owner:
        where, remedy = "is on the same workload", "remove it, or set spec.hpa.manage: Never"
    else:
        where = "is on the same workload"
        remedy = (
            f"remove it, take it over with the annotation {naming.ADOPT_ANNOTATION}: {hpa.name}, "
            "or set spec.hpa.manage: Never"
        )
    message = f"HPA {hpa.name}, {whose}, {where}, so we only publish: {remedy}"
    return Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", message)


def _older(
    scaler: Scaler, target: tuple[str, str, str], scalers: Iterable[Scaler]
) -> Scaler | None:
    rivals = [
        other
        for other in scalers
        if other.uid != scaler.uid
        and acts(other)
        and not isinstance(other.spec, InvalidSpecError)
        and hpas.of_spec(other.spec.scale_target_ref) == target
        and (other.created, other.uid) < (scaler.created, scaler.uid)
    ]
    return min(rivals, key=lambda other: (other.created, other.uid), default=None)


def _told(spec: ScalerSpec, name: str, child: Hpa | None) -> Iterable[Condition]:
    native = child.condition("AbleToScale") if child is not None else None
    if native is not None and native.get("status") == "False":
        reason, message = str(native.get("reason")), str(native.get("message"))
        yield Condition(
            conditions.ABLE_TO_SCALE, "False", reason, f"HPA {name} cannot scale: {message}"
        )
    else:
        workload = f"{spec.scale_target_ref.kind} {spec.scale_target_ref.name}"
        yield Condition(
            conditions.ABLE_TO_SCALE, "True", "HPAOwned", f"HPA {name} scales {workload}"
        )
    if spec.min_replicas == 0:
        message = "minReplicas is 0, but an HPA of a stock cluster cannot go below 1: it gets 1"
        yield Condition(conditions.SCALE_TO_ZERO, "False", "HPAMinimumIsOne", message)
