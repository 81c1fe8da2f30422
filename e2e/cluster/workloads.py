"""What tests do with pretended pods: describe a Deployment, wait for its pods, look at them."""

from collections.abc import Callable
from typing import Any, Final

from e2e.cluster.control_plane import ControlPlane

STARTUP_ANNOTATION: Final = "e2e.budaiscaler/startup"
GPU: Final = "nvidia.com/gpu"

Object = dict[str, Any]
Pods = list[Object]


def deployment(
    namespace: str,
    name: str,
    replicas: int,
    *,
    startup: str | None = None,
    gpus: int = 0,
    annotations: dict[str, str] | None = None,
) -> Object:
    """Return a Deployment whose pods are labelled `app: <name>`.

    Args:
        namespace: Its namespace.
        name: Its name.
        replicas: How many pods it wants.
        startup: How long a pod takes to get ready, as "5s"; None for at once.
        gpus: How many GPUs a pod wants, of the eight on each node.
        annotations: What else to annotate the pods with.
    """
    labels = {"app": name}
    waits = {STARTUP_ANNOTATION: startup} if startup else {}
    limits = {GPU: str(gpus)} if gpus else {}
    container = {"name": "server", "image": "pretended", "resources": {"limits": limits}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {**waits, **(annotations or {})}},
                "spec": {"containers": [container]},
            },
        },
    }


def wait_for_pods(
    cluster: ControlPlane,
    namespace: str,
    predicate: Callable[[Pods], bool],
    what: str,
    *,
    timeout_s: float = 60.0,
) -> Pods:
    """Wait until `predicate` accepts the pods of a namespace, and return them."""
    answer = cluster.kubectl.wait_for(
        lambda found: predicate(found["items"]),
        "pods",
        f"--namespace={namespace}",
        what=what,
        timeout_s=timeout_s,
    )
    pods: Pods = answer["items"]
    return pods


def wait_for_ready(
    cluster: ControlPlane, namespace: str, count: int, *, timeout_s: float = 60.0
) -> Pods:
    """Wait until a namespace has exactly so many pods, all of them ready."""
    return wait_for_pods(
        cluster,
        namespace,
        lambda pods: len(pods) == count and all(map(is_ready, pods)),
        f"{count} pods, all ready",
        timeout_s=timeout_s,
    )


def is_ready(pod: Object) -> bool:
    """Say whether a pod is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def ready_since(pod: Object) -> str:
    """Say when a pod became ready, in whole seconds."""
    (condition,) = (c for c in pod["status"]["conditions"] if c["type"] == "Ready")
    return str(condition["lastTransitionTime"])


def addresses(pods: Pods) -> set[str]:
    """Return the addresses of the pods that have one."""
    return {pod["status"]["podIP"] for pod in pods if "podIP" in pod["status"]}
