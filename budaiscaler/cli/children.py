"""The HPA of a story: the controller's own plan for a scaler that is alone on its workload."""

from __future__ import annotations

from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.pausing import Pausing
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json
from controller import planning


def child(subject: Subject, paused: Pausing) -> Json | None:
    """Render it; None where the controller makes none."""
    scaler = Scaler(
        namespace="default",
        name=subject.name,
        uid=subject.name,
        created="",
        generation=1,
        spec=subject.spec,
        strategy=str(subject.spec.scaling_strategy),
        annotations=subject.annotations,
        status={},
        deleting=False,
    )
    return planning.plan(scaler, [scaler], [], None, paused).wanted
