"""A scaler as the servers keep it: parsed once a generation, with the status others wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budaiscaler.domain import pausing
from budaiscaler.domain.api import validation
from budaiscaler.domain.api.base import API_VERSION, GROUP
from budaiscaler.domain.api.budaiscaler import KIND, ScalerSpec
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.pausing import Pausing
from budaiscaler.kube.events import ObjectRef
from budaiscaler.kube.port import Json


@dataclass(frozen=True, slots=True)
class Scaler:
    """What is kept of a `BudAIScaler`.

    Attributes:
        spec: parsed and checked, or the error that says what to change.
        strategy: as written, also where the spec is invalid; decides who evaluates it.
        annotations: those of our own group.
        status: as last seen, of all writers.
    """

    namespace: str
    name: str
    uid: str
    created: str
    generation: int
    spec: ScalerSpec | InvalidSpecError
    strategy: str
    annotations: Mapping[str, str]
    status: Mapping[str, Any]
    deleting: bool

    @property
    def ref(self) -> ObjectRef:
        """For events on it."""
        return ObjectRef(API_VERSION, KIND, self.namespace, self.name, self.uid)

    @property
    def asked(self) -> tuple[object, ...]:
        """What a user asked for: it differs after an edit, and not after a status write."""
        return self.uid, self.generation, tuple(sorted(self.annotations.items()))

    def paused(self, now: datetime) -> Pausing:
        """What is paused; of a spec that cannot be read, nothing is known."""
        if isinstance(self.spec, InvalidSpecError):
            return pausing.NOTHING
        return pausing.effective(self.spec.paused, self.annotations, now)

    def condition(self, kind: str) -> Mapping[str, Any] | None:
        """The condition of that type as last seen."""
        for condition in self.status.get("conditions") or ():
            if condition.get("type") == kind:
                found: Mapping[str, Any] = condition
                return found
        return None


def project_scaler(raw: Json, old: Scaler | None) -> Scaler:
    """Keep a scaler; status writes come back as events all the time, so a spec is parsed once."""
    metadata = raw["metadata"]
    uid, generation = metadata["uid"], int(metadata.get("generation", 0))
    parsed = (
        old.spec if old is not None and (old.uid, old.generation) == (uid, generation) else None
    )
    return Scaler(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=uid,
        created=str(metadata.get("creationTimestamp", "")),
        generation=generation,
        spec=parsed if parsed is not None else _parse(raw.get("spec")),
        strategy=str((raw.get("spec") or {}).get("scalingStrategy", "BudScaler")),
        annotations={
            key: value
            for key, value in (metadata.get("annotations") or {}).items()
            if key.startswith(f"{GROUP}/")
        },
        status=raw.get("status") or {},
        deleting="deletionTimestamp" in metadata,
    )


def _parse(raw: Any) -> ScalerSpec | InvalidSpecError:
    try:
        return validation.parse_spec(raw)
    except InvalidSpecError as error:
        return error
