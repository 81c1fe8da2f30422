"""A scaler as it is kept: parsed once a generation, with the status that everybody wrote."""

from __future__ import annotations

from typing import Any

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.kube.events import ObjectRef
from budaiscaler.kube.port import Json
from tests import samples


def _raw(**metadata: Any) -> Json:
    raw = samples.scaler()
    raw["metadata"] |= {"uid": "uid-1", **metadata}
    return raw


def _project(raw: Json, old: Scaler | None = None) -> Scaler:
    return project_scaler(raw, old)


def test_what_the_servers_need_is_kept() -> None:
    """Who it is, what it asks for, who evaluates it, and what was said of it."""
    raw = _raw(creationTimestamp="2026-01-05T11:00:00Z")
    raw["status"] = {"desiredScale": 3}
    scaler = _project(raw)
    assert (scaler.namespace, scaler.name, scaler.uid) == ("ml", "chat", "uid-1")
    assert (scaler.generation, scaler.created) == (1, "2026-01-05T11:00:00Z")
    assert isinstance(scaler.spec, ScalerSpec)
    assert (scaler.strategy, scaler.status, scaler.deleting) == ("HPA", {"desiredScale": 3}, False)
    assert scaler.ref == ObjectRef(
        "scaler.bud.studio/v1alpha1", "BudAIScaler", "ml", "chat", "uid-1"
    )


def test_a_status_write_does_not_parse_the_spec_again() -> None:
    """The same generation keeps the very object; errors are kept, too."""
    first = _project(_raw())
    raw = _raw()
    raw["status"] = {"desiredScale": 9}
    assert _project(raw, first).spec is first.spec
    invalid = _raw()
    invalid["spec"]["maxReplicas"] = 0
    broken = _project(invalid)
    assert isinstance(broken.spec, InvalidSpecError)
    assert _project(invalid, broken).spec is broken.spec


def test_an_edit_and_another_object_are_parsed_anew() -> None:
    """A new generation, and a scaler made again under the name with generation 1."""
    first = _project(_raw())
    assert _project(_raw(generation=2), first).spec is not first.spec
    assert _project(_raw(uid="uid-2"), first).spec is not first.spec


def test_the_strategy_is_known_where_the_spec_is_not() -> None:
    """Who tells the user that it is invalid is decided by it; left out it is the default."""
    raw = _raw()
    raw["spec"] = {"scalingStrategy": "HPA"}
    assert _project(raw).strategy == "HPA"
    del raw["spec"]
    scaler = _project(raw)
    assert scaler.strategy == "BudScaler"
    assert isinstance(scaler.spec, InvalidSpecError)


def test_only_annotations_of_our_own_are_kept() -> None:
    """Those of other tools are large, and none of our business."""
    ours = {"scaler.bud.studio/adopt-hpa": "old"}
    assert _project(_raw(annotations={**ours, "kubectl.io/last": "x" * 9})).annotations == ours
    assert _project(_raw(annotations=None)).annotations == {}


def test_a_condition_is_found_by_its_type() -> None:
    """Whoever wrote it; one that is not there is None."""
    raw = _raw()
    raw["status"] = {"conditions": [{"type": "AbleToScale"}, {"type": "Ready", "status": "True"}]}
    scaler = _project(raw)
    assert scaler.condition("Ready") == {"type": "Ready", "status": "True"}
    assert scaler.condition("ScalingActive") is None
    assert _project(_raw()).condition("Ready") is None


def test_a_scaler_that_is_being_deleted_says_so() -> None:
    """A finalizer may keep it for hours."""
    assert _project(_raw(deletionTimestamp="2026-01-05T12:00:00Z")).deleting
