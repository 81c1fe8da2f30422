"""Paths of the API: pure, so that every URL we ask for can be tested without a socket."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server routes it.

    Attributes:
        group: empty for the core group.
        version: for example `v1`.
        plural: lower-case plural, the path segment.
    """

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """`group/version`, as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str | None = None) -> str:
        """Path of the list, of all namespaces when `namespace` is None."""
        # Users name kinds to be scaled, so no part may carry a path of its own.
        group, version, plural = (_segment(p) for p in (self.group, self.version, self.plural))
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        scope = f"/namespaces/{_segment(namespace)}" if namespace is not None else ""
        return f"{root}{scope}/{plural}"

    def item(self, namespace: str | None, name: str, subresource: str | None = None) -> str:
        """Path of one object, or of a subresource of it."""
        path = f"{self.collection(namespace)}/{_segment(name)}"
        return f"{path}/{subresource}" if subresource else path


def _segment(text: str) -> str:
    return quote(text, safe="")


BUDAISCALERS = Resource("scaler.bud.studio", "v1alpha1", "budaiscalers")
HPAS = Resource("autoscaling", "v2", "horizontalpodautoscalers")
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects")
VERTICAL_POD_AUTOSCALERS = Resource("autoscaling.k8s.io", "v1", "verticalpodautoscalers")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
PODS = Resource("", "v1", "pods")
CONFIG_MAPS = Resource("", "v1", "configmaps")
SECRETS = Resource("", "v1", "secrets")
EVENTS = Resource("events.k8s.io", "v1", "events")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews")
SUBJECT_ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews")
