"""HPAs as the controller keeps them, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import KIND, ScaleTargetRef
from budaiscaler.kube.port import Json

ADOPTED_BY = f"{GROUP}/adopted-by"
"""Annotation of an HPA that we took over: `<name>/<uid>` of the scaler. An owner reference would
have the cluster collect with the scaler what was somebody's before us."""

Target = tuple[str, str, str]
"""Group, kind and name of a workload."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """A scaling by the native HPA controller.

    Attributes:
        at: its time, as written by the server.
        before: replicas that stood; as many as after where nobody saw them.
        after: replicas that it wrote.
    """

    at: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Hpa:
    """What is kept of an HPA.

    Attributes:
        owner: kind, name and uid of its controlling owner; None if it has none.
        adopted_by: name and uid of the scaler that took it over; None if none did.
        raw: labels, annotations of our group, owner references and spec as the server has them, for
            comparison.
        rescale: the last one; None before a first.
    """

    namespace: str
    name: str
    uid: str
    target: Target
    owner: tuple[str, str, str] | None
    owner_group: str
    adopted_by: tuple[str, str] | None
    raw: Json
    status: Mapping[str, Any]
    rescale: Rescale | None = None

    @property
    def holder(self) -> tuple[str, str] | None:
        """Name and uid of the scaler that made it or took it over; None if it is not one of ours.

        What another tool controls is that tool's, whatever our mark says.
        """
        if self.owner is None:
            return self.adopted_by
        kind, name, uid = self.owner
        return (name, uid) if (kind, self.owner_group) == (KIND, GROUP) else None

    @property
    def is_made(self) -> bool:
        """Whether a scaler of ours owns it, so that the cluster collects it with the scaler."""
        return self.owner is not None and self.holder is not None

    @property
    def is_adopted(self) -> bool:
        """Whether it was somebody's before us, so that it is to be given back."""
        return self.adopted_by is not None and not self.is_made

    @property
    def named(self) -> set[str]:
        """Names of all scalers that its marks tell of, whether or not they still hold."""
        labels = self.raw["metadata"]["labels"]
        named = {mark[0] for mark in (self.holder, self.adopted_by) if mark is not None}
        if labels.get(naming.MANAGED_BY_LABEL) == naming.MANAGED_BY:
            named.add(labels.get(naming.SCALER_LABEL, ""))
        return named - {""}

    def was_adopted_by(self, scaler: str) -> bool:
        """Whether a scaler of that name took it over: one of now, or of before."""
        return self.is_adopted and self.adopted_by is not None and self.adopted_by[0] == scaler

    def is_child_of(self, scaler: str, uid: str) -> bool:
        """Whether it is that scaler's; one that lost its owner, in a restored backup say, is too.

        Our labels stand for the lost owner: an HPA that was adopted does not carry both of them.
        """
        if self.owner is not None or self.adopted_by is not None:
            return self.holder is not None and self.holder[1] == uid
        labels = self.raw["metadata"]["labels"]
        marks = labels.get(naming.MANAGED_BY_LABEL), labels.get(naming.SCALER_LABEL)
        return marks == (naming.MANAGED_BY, scaler)

    def carries(self, metadata: Json) -> bool:
        """Whether it has all of these marks, whatever it has beside them."""
        live = self.raw["metadata"]
        return not any(
            lacks(live[part], metadata.get(part, {})) for part in ("labels", "annotations")
        ) and all(
            any(not lacks(one, wanted) for one in live["ownerReferences"])
            for wanted in metadata.get("ownerReferences", ())
        )

    def condition(self, kind: str) -> Mapping[str, Any] | None:
        """A condition of the native HPA controller."""
        for condition in self.status.get("conditions") or ():
            if condition.get("type") == kind:
                found: Mapping[str, Any] = condition
                return found
        return None


def project_hpa(raw: Json, old: Hpa | None) -> Hpa:
    """Keep an HPA."""
    metadata, spec = raw["metadata"], raw.get("spec", {})
    reference = spec.get("scaleTargetRef", {})
    owner = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
    annotations = metadata.get("annotations") or {}
    adopter, _, adopter_uid = annotations.get(ADOPTED_BY, "").partition("/")
    return Hpa(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        target=target_key(
            reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
        ),
        owner=(owner["kind"], owner["name"], owner["uid"]) if owner else None,
        owner_group=_group(owner["apiVersion"]) if owner else "",
        adopted_by=(adopter, adopter_uid) if adopter and adopter_uid else None,
        raw={
            "metadata": {
                "labels": metadata.get("labels") or {},
                "annotations": {k: v for k, v in annotations.items() if k.startswith(f"{GROUP}/")},
                "ownerReferences": metadata.get("ownerReferences") or [],
            },
            "spec": spec,
        },
        status=raw.get("status") or {},
        rescale=_rescale(
            raw.get("status") or {},
            old.rescale if old is not None and old.uid == metadata["uid"] else None,
        ),
    )


def _rescale(status: Json, known: Rescale | None) -> Rescale | None:
    """Keep a scaling as it was told first: what stood before is gone at the next write."""
    at = status.get("lastScaleTime")
    if not at:
        return known
    if known is not None and known.at == at:
        return known
    counts = (int(status.get(key) or 0) for key in ("currentReplicas", "desiredReplicas"))
    return Rescale(str(at), *counts)


def target_key(api_version: str, kind: str, name: str) -> Target:
    """Group, kind and name: the same workload whatever version names it."""
    return _group(api_version), kind, name


def of_spec(reference: ScaleTargetRef) -> Target:
    """The target of a scaler in the same form."""
    return target_key(reference.api_version, reference.kind, reference.name)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def lacks(live: Any, wanted: Any) -> bool:
    """Tell whether something of `wanted` is missing in `live`.

    What stands beside our fields does not count, or we would fight with whoever put it there. A
    list is one value, as it is to the API server: a metric with one selector more is another one.
    """
    if isinstance(wanted, dict):
        return not isinstance(live, dict) or any(lacks(live.get(k), v) for k, v in wanted.items())
    return bool(live != wanted)
