"""HPAs as the controller keeps them, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import KIND, ScaleTargetRef
from budaiscaler.kube.port import Json


@dataclass(frozen=True, slots=True)
class Hpa:
    """What is kept of an HPA.

    Attributes:
        owner: kind, name and uid of its controlling owner; None if it has none.
        raw: labels, owner references and spec as the server has them, for comparison.
    """

    namespace: str
    name: str
    uid: str
    target: tuple[str, str, str]
    owner: tuple[str, str, str] | None
    owner_group: str
    raw: Json
    status: Mapping[str, Any]

    def is_owned_by(self, uid: str) -> bool:
        """Whether the scaler with that uid controls it."""
        return self.owner is not None and self.owner[2] == uid

    def is_child_of(self, scaler: str, uid: str) -> bool:
        """Whether it is that scaler's; one that lost its owner, in a restored backup say, is too.

        Our labels stand for the lost owner: an HPA that we gave back does not carry them.
        """
        labels = self.raw["metadata"]["labels"]
        marks = labels.get(naming.MANAGED_BY_LABEL), labels.get(naming.SCALER_LABEL)
        is_orphan = self.owner is None and marks == (naming.MANAGED_BY, scaler)
        return self.is_owned_by(uid) or is_orphan

    def carries(self, metadata: Json) -> bool:
        """Whether it has all of these labels and owner references, whatever it has beside them."""
        live = self.raw["metadata"]
        owners = live["ownerReferences"]
        return not lacks(live["labels"], metadata["labels"]) and all(
            any(not lacks(one, wanted) for one in owners) for wanted in metadata["ownerReferences"]
        )

    @property
    def scaler(self) -> str | None:
        """Name of the scaler that controls it; None if it is not one of ours."""
        if self.owner is None or self.owner[0] != KIND or self.owner_group != GROUP:
            return None
        return self.owner[1]

    def condition(self, kind: str) -> Mapping[str, Any] | None:
        """A condition of the native HPA controller."""
        for condition in self.status.get("conditions") or ():
            if condition.get("type") == kind:
                found: Mapping[str, Any] = condition
                return found
        return None


def project_hpa(raw: Json, _: Hpa | None) -> Hpa:
    """Keep an HPA."""
    metadata, spec = raw["metadata"], raw.get("spec", {})
    reference = spec.get("scaleTargetRef", {})
    owner = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
    return Hpa(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        target=target_key(
            reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
        ),
        owner=(owner["kind"], owner["name"], owner["uid"]) if owner else None,
        owner_group=_group(owner["apiVersion"]) if owner else "",
        raw={
            "metadata": {
                "labels": metadata.get("labels") or {},
                "ownerReferences": metadata.get("ownerReferences") or [],
            },
            "spec": spec,
        },
        status=raw.get("status") or {},
    )


def target_key(api_version: str, kind: str, name: str) -> tuple[str, str, str]:
    """Group, kind and name: the same workload whatever version names it."""
    return _group(api_version), kind, name


def of_spec(reference: ScaleTargetRef) -> tuple[str, str, str]:
    """The target of a scaler in the same form."""
    return target_key(reference.api_version, reference.kind, reference.name)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def lacks(live: Any, wanted: Any) -> bool:
    """Tell whether something of `wanted` is missing in `live`.

    What the server defaulted beside it does not count, or we would write for ever. Lists of equal
    length are compared item by item.
    """
    if isinstance(wanted, dict):
        return not isinstance(live, dict) or any(lacks(live.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) != len(wanted):
            return True
        return any(lacks(a, b) for a, b in zip(live, wanted, strict=True))
    return bool(live != wanted)
