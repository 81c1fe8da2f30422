"""What is to be done about a scaler's HPA: pure, from what the caches show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from budaiscaler.domain import conditions, pausing
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import Manage, Mode, ScalerSpec
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.pausing import Pausing
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json
from controller import children, hpas, rivals
from controller.hpas import Hpa, Target
from controller.other_tools import Rival


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        wanted: the HPA to have; None for none, or for leaving what there is.
        replaces: an HPA whose whole spec must become ours first, because it is being taken over.
        removes: HPAs to get rid of, after `wanted` is there: what we made is deleted, and what we
            took over given back.
        conditions: what is to be told.
        keeps: reasons of conditions that were told before and stay as they are.
        is_ours: whether it is ours to tell of scalings.
    """

    wanted: Json | None = None
    replaces: Hpa | None = None
    removes: tuple[Hpa, ...] = ()
    conditions: tuple[Condition, ...] = ()
    keeps: tuple[str, ...] = ()
    is_ours: bool = True


TOLD_OF_SPEC = ("HPAMinimumIsOne", "ToleranceNotSupported")
"""Reasons that hold for an HPA until a spec that can be read changes it."""


def workload(scaler: Scaler, all_hpas: Iterable[Hpa]) -> Target | None:
    """The workload of a scaler: by its spec, or where that is broken, of the HPA that it has."""
    if not isinstance(scaler.spec, InvalidSpecError):
        return hpas.of_spec(scaler.spec.scale_target_ref)
    return next((child.target for child in _children(scaler, all_hpas)), None)


def plan(
    scaler: Scaler,
    scalers: Iterable[Scaler],
    all_hpas: Iterable[Hpa],
    other: Rival | None,
    paused: Pausing = pausing.NOTHING,
) -> Plan:
    """Decide what to do.

    Args:
        scaler: whose HPA it is about.
        scalers: all that are on its workload or hold one of the HPAs.
        all_hpas: all that are on its workload, carry its marks, or have the name of its own.
        other: an autoscaler of another tool on the same workload, if there is one.
        paused: directions in which the HPA must not act now.
    """
    here = list(all_hpas)
    ours = _children(scaler, here)
    others = [hpa for hpa in here if hpa not in ours]
    # Taken over by an earlier scaler of this name, or a tool has come to control it.
    strays = tuple(hpa for hpa in others if hpa.was_adopted_by(scaler.name))
    spec = scaler.spec
    if isinstance(spec, InvalidSpecError):
        return _as_it_stands(scaler, scalers, ours, others, strays, other)
    # What the annotation names no longer goes back to its owner, and is foreign from then on.
    adopts = scaler.annotations.get(naming.ADOPT_ANNOTATION)
    given_back = [hpa for hpa in ours if hpa.is_adopted and hpa.name != adopts]
    theirs = [*(replace(hpa, adopted_by=None) for hpa in given_back), *others]
    if spec.scaling_strategy in rivals.DIRECT:
        # The evaluator scales, and tells of it; an HPA of an earlier strategy would as well.
        return Plan(removes=(*ours, *strays), is_ours=False)
    name, target = _own_name(scaler), hpas.of_spec(spec.scale_target_ref)
    refusal = _only_publishes(spec) or rivals.refusal(scaler, target, name, scalers, theirs, other)
    if refusal is not None:
        return Plan(removes=(*ours, *strays), conditions=(refusal,))
    child = next((hpa for hpa in ours if hpa.name == name), None)
    replaces = next((hpa for hpa in theirs if hpa.name == name), None)
    was_theirs = (child is not None and child.is_adopted) or (
        replaces is not None and not replaces.is_made
    )
    return Plan(
        wanted=children.hpa(scaler, spec, name, adopted=was_theirs, paused=paused),
        replaces=replaces,
        removes=tuple(hpa for hpa in (*ours, *strays) if hpa.name != name),
        conditions=tuple(_told(spec, name, child)),
    )


def _only_publishes(spec: ScalerSpec) -> Condition | None:
    if spec.mode is Mode.RECOMMEND:
        message = "mode is Recommend: decided and published, and nothing is scaled; Auto would"
        return Condition(conditions.ABLE_TO_SCALE, "True", "RecommendOnly", message)
    if spec.hpa.manage is Manage.NEVER:
        message = "hpa.manage is Never: point your own HPA at desired-load"
        return Condition(conditions.ABLE_TO_SCALE, "True", "PublishOnly", message)
    return None


def _as_it_stands(
    scaler: Scaler,
    scalers: Iterable[Scaler],
    ours: tuple[Hpa, ...],
    others: Iterable[Hpa],
    strays: tuple[Hpa, ...],
    other: Rival | None,
) -> Plan:
    """An edit that went wrong takes nothing away; what stands yields to others as ever."""
    if not ours:
        return Plan(removes=strays, keeps=conditions.WITHOUT_CHILD)
    child = ours[0]
    refusal = rivals.refusal(scaler, child.target, child.name, scalers, others, other)
    if refusal is not None:
        return Plan(removes=(*ours, *strays), conditions=(refusal,))
    able = _able(child.name, child.target, child)
    return Plan(removes=strays, conditions=(able,), keeps=TOLD_OF_SPEC)


def inexact() -> Condition:
    """Say that the API server did not take the HPA's tolerance."""
    message = (
        "this API server drops the tolerance of an HPA: it is older than 1.35, or has that feature "
        "off. So steps within 10 % are not exact: up goes to the first count beyond 10 %, down is "
        "held. Upgrade Kubernetes, or accept it"
    )
    return Condition(conditions.EXACT_SCALING, "False", "ToleranceNotSupported", message)


def _own_name(scaler: Scaler) -> str:
    return scaler.annotations.get(naming.ADOPT_ANNOTATION) or naming.child_hpa(scaler.name)


def _children(scaler: Scaler, all_hpas: Iterable[Hpa]) -> tuple[Hpa, ...]:
    return tuple(hpa for hpa in all_hpas if hpa.is_child_of(scaler.name, scaler.uid))


def _told(spec: ScalerSpec, name: str, child: Hpa | None) -> Iterable[Condition]:
    yield _able(name, hpas.of_spec(spec.scale_target_ref), child)
    if spec.min_replicas == 0:
        message = "minReplicas is 0, but an HPA of a stock cluster cannot go below 1: it gets 1"
        yield Condition(conditions.SCALE_TO_ZERO, "False", "HPAMinimumIsOne", message)


def _able(name: str, target: Target, child: Hpa | None) -> Condition:
    native = child.condition("AbleToScale") if child is not None else None
    if native is not None and native.get("status") == "False":
        message = f"HPA {name} cannot scale: {native.get('message')}"
        return Condition(conditions.ABLE_TO_SCALE, "False", str(native.get("reason")), message)
    message = f"HPA {name} scales {target[1]} {target[2]}"
    return Condition(conditions.ABLE_TO_SCALE, "True", "HPAOwned", message)
