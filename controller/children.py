"""Renders the HPA that the controller keeps: pure, from a scaler's spec.

The native HPA reads what it can itself (`native_metrics`), and `desired-load` for all the rest; it
stabilises, limits rates and acts. The behaviour is the user's own. Where there is none, shrinking
is limited to ten percent a minute: the stock default, everything at once after five minutes, is too
fast for replicas that take minutes to load.

Every field of the spec is named, also those that the API server would default. Only what we name is
compared and put back when somebody edits it. And only what we name is sure to follow the scaler: a
field that we leave out goes with the next apply only if nobody else has it too, and somebody has
whenever an HPA was taken over. Its whole spec was replaced then, and such an update counts as a
manager of its own beside our apply, even under the same name.
"""

from __future__ import annotations

from typing import Any

from budaiscaler.domain import pausing
from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.behavior import ScalingRules, SelectPolicy
from budaiscaler.domain.api.budaiscaler import KIND, ScalerSpec
from budaiscaler.domain.pausing import Pausing
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import HPAS
from controller import native_metrics
from controller.hpas import ADOPTED_BY

EXACT = "0"
"""The HPA's own dead band is closed where `desired-load` is all it reads: `decide()` has applied
the scaler's, and an HPA's swallows an exact step of ten percent, which no published value can get
past. It is one for all its metrics, so for those that it reads itself it is the scaler's."""

NOT_OF_AN_HPA = {"tolerance", "max_scale_rate", "starting_pods"}
"""Fields of a direction that the HPA either lacks or leaves to us."""

_DOUBLE = {"type": "Percent", "value": 100, "periodSeconds": 15}

SCALE_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _DOUBLE],
    "tolerance": EXACT,
}
"""What the API server fills in for a field that is left out, but for the tolerance."""

SCALE_DOWN: Json = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [_DOUBLE],
    "tolerance": EXACT,
}
"""The same downwards. The API server leaves this window to a flag of the cluster's HPA controller,
300 s unless set; the scaler's documented default is 300 s, and a field that is not named is not
kept. Who runs with another flag says so in the scaler."""

GENTLE_SCALE_DOWN: Json = {
    **SCALE_DOWN,
    "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
}
"""Ours, for a scaler without any behaviour."""


def hpa(
    scaler: Scaler,
    spec: ScalerSpec,
    name: str,
    *,
    adopted: bool = False,
    paused: Pausing = pausing.NOTHING,
) -> Json:
    """Render the whole object, with the fields we own and no others.

    Args:
        scaler: whose it is.
        spec: its spec.
        name: of the HPA; another than `<scaler>-hpa` where the scaler's annotation says so.
        adopted: whether it was somebody's before us, and is to be his again.
        paused: directions in which it must not act, whatever its metrics say.
    """
    metrics, is_exact = native_metrics.render(scaler, spec)
    return {
        "apiVersion": HPAS.api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": scaler.namespace,
            **(_adoption(scaler) if adopted else _ownership(scaler)),
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": spec.scale_target_ref.api_version,
                "kind": spec.scale_target_ref.kind,
                "name": spec.scale_target_ref.name,
            },
            # A stock cluster refuses 0; a condition says so.
            "minReplicas": max(1, spec.min_replicas),
            "maxReplicas": spec.max_replicas,
            "metrics": metrics,
            "behavior": _paused(_behavior(spec, is_exact=is_exact), paused),
        },
    }


def _ownership(scaler: Scaler) -> Json:
    return {
        "labels": {
            naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
            naming.SCALER_LABEL: scaler.name,
        },
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": scaler.name,
                "uid": scaler.uid,
                "controller": True,
            }
        ],
    }


def _adoption(scaler: Scaler) -> Json:
    """Marks that take nothing from its owner: the label that tells the tool, Helm say, stays."""
    return {
        "labels": {naming.SCALER_LABEL: scaler.name},
        "annotations": {ADOPTED_BY: f"{scaler.name}/{scaler.uid}"},
    }


def _behavior(spec: ScalerSpec, *, is_exact: bool) -> Json:
    given = spec.behavior
    bands: list[Json] = [{}, {}]
    if not is_exact:
        both = (spec.tolerance_up(), spec.tolerance_down())
        bands = [{"tolerance": quantity.format_milli(band)} for band in both]
    up, down = bands
    if given is None:
        return {"scaleUp": {**SCALE_UP, **up}, "scaleDown": {**GENTLE_SCALE_DOWN, **down}}
    return {
        "scaleUp": {**SCALE_UP, **up, **_rules(given.scale_up)},
        "scaleDown": {**SCALE_DOWN, **down, **_rules(given.scale_down)},
    }


def _paused(behavior: Json, paused: Pausing) -> Json:
    """Switch directions off; everything else is as it will be again."""
    ways = [way for way, is_off in (("scaleUp", paused.up), ("scaleDown", paused.down)) if is_off]
    off = {"selectPolicy": str(SelectPolicy.DISABLED)}
    return behavior | {way: {**behavior[way], **off} for way in ways}


def _rules(rules: ScalingRules | None) -> Json:
    """What the user says of a direction, as far as the HPA is to know."""
    if rules is None:
        return {}
    rendered: dict[str, Any] = rules.model_dump(
        by_alias=True, exclude_none=True, exclude=NOT_OF_AN_HPA, mode="json"
    )
    return rendered
