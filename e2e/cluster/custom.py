"""A kind of workload that nobody but these tests knows, with a scale subresource and a controller.

Its controller is a thread of this process. It keeps a Deployment for each object, so that the pods
are those of real controllers, and tells in the status what a scale subresource shows.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from budaiscaler.kube.resources import DEPLOYMENTS, Resource
from e2e.cluster import waiting
from e2e.cluster.api import Api, Object

GROUP: Final = "e2e.budaiscaler"
KIND: Final = "InferenceFleet"
FLEETS: Final = Resource(GROUP, "v1", "inferencefleets")
ROLE: Final = "e2e-fleets"
POLL_S: Final = 0.1
JOIN_TIMEOUT_S: Final = 5.0

SERVED_TIMEOUT_S: Final = 60.0

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ROLES: Final = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_DEFINITION: Final[Object] = {
    "metadata": {"name": f"{FLEETS.plural}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": KIND, "plural": FLEETS.plural, "singular": "inferencefleet"},
        "versions": [
            {
                "name": FLEETS.version,
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": _OPEN, "status": _OPEN},
                    }
                },
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
            }
        ],
    },
}
_GRANTED: Final[Object] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": ROLE, "labels": {"scaler.bud.studio/aggregate-to-targets": "true"}},
    "rules": [
        {"apiGroups": [GROUP], "resources": [f"{FLEETS.plural}/scale"], "verbs": ["get", "patch"]}
    ],
}
"""What an administrator adds for a kind of his own; see manifests/base/evaluator-rbac.yaml."""


@contextlib.contextmanager
def controlled(api: Api, namespace: str) -> Iterator[None]:
    """Have the kind, our right to scale it, and its controller in one namespace, while inside.

    The right stays: a last look at a target whose kind goes must find it gone, and not forbidden.
    """
    api.apply(f"{_ROLES}/{ROLE}", _GRANTED)
    with served(api, _DEFINITION, FLEETS.collection(namespace)):
        ended = threading.Event()
        thread = threading.Thread(target=_control, args=(api, namespace, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(JOIN_TIMEOUT_S)


@contextlib.contextmanager
def served(api: Api, definition: Object, path: str) -> Iterator[None]:
    """Have the kind of a definition, whose objects are at `path`, while inside.

    It is gone afterwards: until then, the next test could not define it again.
    """
    at = f"{_CRDS}/{definition['metadata']['name']}"
    api.create(_CRDS, definition)
    try:
        waiting.until(
            lambda: True if api.ask("GET", path).status == 200 else None,
            what=f"{path} to be served",
            timeout_s=SERVED_TIMEOUT_S,
        )
        yield
    finally:
        api.delete(at)
        waiting.until(
            lambda: True if api.find(at) is None else None,
            what=f"{at} to be gone",
            timeout_s=SERVED_TIMEOUT_S,
        )


def pods_of(name: str) -> str:
    """Name of the Deployment behind an object."""
    return f"{name}-pods"


def _control(api: Api, namespace: str, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(waiting.ClusterError, AssertionError):
            for fleet in api.get(FLEETS.collection(namespace))["items"]:
                _reconcile(api, namespace, fleet)
        time.sleep(POLL_S)


def _reconcile(api: Api, namespace: str, fleet: dict[str, Any]) -> None:
    name, wanted = fleet["metadata"]["name"], fleet["spec"]["replicas"]
    path = DEPLOYMENTS.item(namespace, pods_of(name))
    found = api.find(path)
    if found is None:
        spec = {"selector": fleet["spec"]["selector"], "template": fleet["spec"]["template"]}
        body = {"metadata": {"name": pods_of(name)}, "spec": {**spec, "replicas": wanted}}
        api.create(DEPLOYMENTS.collection(namespace), body)
        return
    template = fleet["spec"]["template"]["metadata"].get("annotations")
    if found["spec"]["replicas"] != wanted:
        api.patch(path, {"spec": {"replicas": wanted}})
    if found["spec"]["template"]["metadata"].get("annotations") != template:
        metadata = {"annotations": template}
        api.patch(path, {"spec": {"template": {"metadata": metadata}}})
    labels = fleet["spec"]["selector"]["matchLabels"]
    status = {
        "replicas": found.get("status", {}).get("replicas", 0),
        "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
    }
    if fleet.get("status") != status:
        api.patch(f"{FLEETS.item(namespace, name)}/status", {"status": status})
