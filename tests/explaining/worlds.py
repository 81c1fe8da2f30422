"""Scalers and observations as files hold them, and what is explained of them."""

from __future__ import annotations

from typing import Any

from budaiscaler.domain.api.base import API_VERSION, GROUP
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.explaining import explanation, observations, subjects
from budaiscaler.domain.explaining.explanation import Explanation
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.kube.port import Json
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.conftest import NOON


def level(target: str = "70", **fields: Any) -> Json:
    """A source of the pods, called `usage`."""
    return {"metricSourceType": "pod", "targetMetric": "usage", "targetValue": target, **fields}


def document(
    *sources: Json, strategy: str = "BudScaler", notes: Json | None = None, **fields: Any
) -> Json:
    """A scaler as it stands in a manifest, from 1 to 100 replicas."""
    spec = samples.raw_spec(*(sources or (level(),)), scalingStrategy=strategy, **fields)
    annotations = {f"{GROUP}/{name}": text for name, text in (notes or {}).items()}
    metadata = {"name": "chat", "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def subject(*sources: Json, **fields: Any) -> Subject:
    """The same, read."""
    return subjects.read(document(*sources, **fields))


def observed(current: int, readings: Json | None = None, **fields: Any) -> Json:
    """An observation at noon; all replicas are ready unless told."""
    replicas = {"current": current, **fields.pop("replicas", {})}
    return {"now": NOON, "replicas": replicas, "readings": readings or {}, **fields}


def explain(about: Subject, observation: Json) -> Explanation:
    """Explain one of these."""
    given = observations.read(observation, about)
    return explanation.explain(about, given, given.now or NOON, unit_factor)


def desired(about: Subject, observation: Json) -> int:
    """The answer alone."""
    return explain(about, observation).decision.desired_replicas
