"""A workload of any kind, its engines, and a scaler of any strategy, for stories of all of them."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from budaiscaler.kube.resources import (
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from e2e.cluster import custom, waiting, workloads
from e2e.cluster.api import History, Object
from e2e.cluster.engines import Engines
from e2e.cluster.workloads import is_ready
from e2e.stories import EXACT, Story

TARGET: Final = 10
"""Requests of one replica."""
QUICK: Final[Object] = {
    "scaleUp": {"maxScaleRate": "10"},
    "scaleDown": {"maxScaleRate": "0.1", "stabilizationWindowSeconds": 1},
}
"""Steps that a test can wait for: neither a window nor a rate of a minute holds them up."""
SHORT_AVERAGES: Final = {
    "scaler.bud.studio/stable-window": "10",
    "scaler.bud.studio/panic-window": "5",
    "scaler.bud.studio/max-scale-down-rate": "10",
}
_WITHOUT_WINDOW: Final[Object] = {"scaleDown": {"stabilizationWindowSeconds": 1}}
KINDS: Final[dict[str, Resource]] = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "ReplicaSet": REPLICA_SETS,
    custom.KIND: custom.FLEETS,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy on a kind of workload."""

    strategy: str
    kind: str

    @property
    def name(self) -> str:
        """Of the workload and of its scaler."""
        return f"{self.strategy}-{self.kind}".lower()


@dataclass(frozen=True, slots=True)
class Fleet:
    """A row that plays.

    Attributes:
        engines: at its pods.
        replicas: that were asked for, from before its scaler came.
    """

    story: Story
    row: Row
    engines: Engines
    replicas: History[int]

    @property
    def _item(self) -> str:
        return KINDS[self.row.kind].item(self.story.namespace, self.row.name)

    def pods(self) -> list[Object]:
        """Its live pods."""
        path = f"{PODS.collection(self.story.namespace)}?labelSelector=app%3D{self.row.name}"
        found = self.story.api.get(path)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait_for_ready(self, replicas: int, *, timeout_s: float) -> None:
        """Wait until so many are asked for, and exactly so many pods are there and ready."""

        def probe() -> bool | None:
            pods = self.pods()
            asked = self.story.api.get(self._item)["spec"]["replicas"]
            are_ready = [is_ready(pod) for pod in pods] == [True] * replicas
            return True if are_ready and asked == replicas else None

        waiting.until(
            probe,
            what=f"{replicas} ready replicas of {self.row.name}",
            timeout_s=timeout_s,
            hint=lambda: (
                f"--- asked for so far: {self.replicas.values}, there are "
                f"{[is_ready(pod) for pod in self.pods()]}"
            ),
        )

    def roll_out(self) -> None:
        """Change the template, as a new image does."""
        change = {"metadata": {"annotations": {"rolled": "out"}}}
        self.story.api.patch(self._item, {"spec": {"template": change}})

    def wait_for_rollout(self, *, timeout_s: float) -> None:
        """Wait until all pods are of the changed template."""

        def probe() -> bool | None:
            annotated = (pod["metadata"].get("annotations") or {} for pod in self.pods())
            return True if all("rolled" in found for found in annotated) else None

        waiting.until(probe, what=f"{self.row.name} to be rolled out", timeout_s=timeout_s)

    def scaler(self, **spec: object) -> Object:
        """Describe its scaler: ten requests a replica, told by its engines."""
        found = self.story.scaler(
            self.row.name,
            scalingStrategy=self.row.strategy,
            scaleTargetRef={
                "apiVersion": KINDS[self.row.kind].api_version,
                "kind": self.row.kind,
                "name": self.row.name,
            },
            metricsSources=[
                {
                    "targetMetric": "requests_running",
                    "targetValue": str(TARGET),
                    "targetType": "AverageValue",
                    "inferenceEngineConfig": {
                        "engineType": "vllm",
                        "metricsPort": self.engines.port,
                    },
                }
            ],
            **{"behavior": _behavior(self.row.strategy), **spec},
        )
        if self.row.strategy == "KPA":
            found["metadata"]["annotations"] = dict(SHORT_AVERAGES)
        return found


def _behavior(strategy: str) -> Object:
    return copy.deepcopy({"HPA": EXACT, "KPA": _WITHOUT_WINDOW, "BudScaler": QUICK}[strategy])


@contextmanager
def playing(
    story: Story, rows: tuple[Row, ...], replicas: int, *, startup: str | None = None
) -> Iterator[tuple[Fleet, ...]]:
    """Have workloads of these rows, with engines and without scalers, while inside."""
    with ExitStack() as stack:
        if any(row.kind == custom.KIND for row in rows):
            stack.enter_context(custom.controlled(story.api, story.namespace))
        fleets = []
        for row in rows:
            body = workloads.deployment(story.namespace, row.name, replicas, startup=startup)
            body |= {"kind": row.kind, "apiVersion": KINDS[row.kind].api_version}
            if row.kind == "StatefulSet":
                body["spec"] |= {"serviceName": row.name, "podManagementPolicy": "Parallel"}
            resource = KINDS[row.kind]
            story.api.create(resource.collection(story.namespace), body)
            engines = Engines.of(story.api, story.namespace, row.name, "vllm")
            path = (
                f"{resource.collection(story.namespace)}?fieldSelector=metadata.name%3D{row.name}"
            )
            asked = History(story.api, path, lambda found: int(found["spec"]["replicas"]))
            stack.enter_context(engines)
            fleets.append(Fleet(story, row, engines, stack.enter_context(asked)))
            # Before its kind goes: of one that is gone, a scaler would tell that it is gone.
            stack.callback(story.delete, row.name)
        yield tuple(fleets)
