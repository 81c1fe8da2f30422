"""What the stories do: describe scalers, set the load, and look at what comes of it."""

import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS, EVENTS, HPAS
from e2e.cluster import loopback, waiting, workloads
from e2e.cluster.api import Api, History, Object
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Running, condition
from e2e.cluster.prometheus import RealPrometheus

METRICS: Final = "/apis/external.metrics.k8s.io/v1beta1"
DESIRED_LOAD: Final = "desired-load"
SYNC_S: Final = 2.0
"""Between two looks of the HPA controller at an HPA."""
PUBLISH_GRACE_S: Final = 40.0
"""Of published values: short for the story that waits for its end, and longer than it takes another
copy to take over from a leader that was killed, on a busy machine."""
SETTLE_S: Final = 45.0
"""Enough for a scrape, an evaluation, a reconciliation and two syncs, on a machine so busy that it
does nothing for seconds. Nothing takes longer by it but a failure."""

EXACT: Final[Object] = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "tolerance": "0",
        "policies": [
            {"type": "Percent", "value": 900, "periodSeconds": 15},
            {"type": "Pods", "value": 100, "periodSeconds": 15},
        ],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "tolerance": "0",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}
"""The behaviour with which an HPA lands on every value at once."""


@dataclass(frozen=True, slots=True)
class Story:
    """One test's namespace on the running installation.

    The load is a gauge of the test's own, `queue_depth`, of which a scaler takes the sum.
    """

    running: Running
    prometheus: RealPrometheus
    exporter: Exporter
    namespace: str

    @property
    def api(self) -> Api:
        """The API server, asked as its administrator."""
        return self.running.api

    # Before.

    def deploy(self, name: str = "chat", replicas: int = 1) -> None:
        """Make a Deployment and wait for its pods."""
        body = workloads.deployment(self.namespace, name, replicas)
        self.api.create(DEPLOYMENTS.collection(self.namespace), body)
        self.wait_for_ready(replicas, name)

    def wait_for_ready(
        self, replicas: int, name: str = "chat", *, timeout_s: float = SETTLE_S
    ) -> None:
        """Wait until a Deployment has exactly so many replicas, all of them ready."""

        def is_done(found: Object) -> bool:
            status = found.get("status", {})
            counts = (status.get("replicas", 0), status.get("readyReplicas", 0))
            return bool(found["spec"]["replicas"] == replicas and counts == (replicas, replicas))

        self.wait_for(
            DEPLOYMENTS.item(self.namespace, name),
            is_done,
            f"{replicas} ready pods",
            timeout_s=timeout_s,
        )

    def set_load(self, value: float, model: str = "a") -> None:
        """Set the load of one model; Prometheus scrapes it within a second."""
        self.exporter.set("queue_depth", value, story=self.namespace, model=model)

    def start_load(self, value: float, model: str = "a") -> None:
        """Set a load for the first time, and wait until Prometheus has it."""
        self.set_load(value, model)
        self.prometheus.wait_for_value(self.query(model), value)

    def query(self, model: str = "") -> str:
        """PromQL of the load of one model, or of all."""
        chosen = f',model="{model}"' if model else ""
        return f'sum(queue_depth{{story="{self.namespace}"{chosen}}})'

    def source(self, model: str = "", **fields: Any) -> Object:
        """A source that takes one replica for ten of the load."""
        return {
            "targetMetric": "queue_depth",
            "targetValue": "10",
            "targetType": "AverageValue",
            "promQL": self.query(model),
            **fields,
        }

    def scaler(self, name: str = "chat", **spec: Any) -> Object:
        """Describe a scaler of the Deployment of its own name; `spec` adds and replaces fields."""
        return {
            "apiVersion": BUDAISCALERS.api_version,
            "kind": "BudAIScaler",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "scaleTargetRef": {"name": name},
                "minReplicas": 1,
                "maxReplicas": 20,
                "scalingStrategy": "HPA",
                "metricsSources": [self.source()],
                "behavior": copy.deepcopy(EXACT),
                **spec,
            },
        }

    def create(self, scaler: Object) -> Object:
        """Create a scaler."""
        return self.api.create(BUDAISCALERS.collection(self.namespace), scaler)

    def edit(self, change: Object, name: str = "chat") -> Object:
        """Change a scaler by a merge patch."""
        return self.api.patch(BUDAISCALERS.item(self.namespace, name), change)

    def delete(self, name: str = "chat") -> None:
        """Delete a scaler."""
        self.api.delete(BUDAISCALERS.item(self.namespace, name))

    def own_hpa(self, name: str, target: str = "chat", **spec: Any) -> Object:
        """Describe an HPA of a user's own on the load of a scaler named as the Deployment."""
        selector = {"matchLabels": {"kind": "BudAIScaler", "scaler": target}}
        return {
            "apiVersion": HPAS.api_version,
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
                "minReplicas": 1,
                "maxReplicas": 30,
                "metrics": [
                    {
                        "type": "External",
                        "external": {
                            "metric": {"name": DESIRED_LOAD, "selector": selector},
                            "target": {"type": "AverageValue", "averageValue": "1"},
                        },
                    }
                ],
                "behavior": copy.deepcopy(EXACT),
                **spec,
            },
        }

    # After.

    def replicas(self, name: str = "chat") -> History[int]:
        """Every number of replicas that a Deployment is asked for from now on."""
        path = f"{DEPLOYMENTS.collection(self.namespace)}?fieldSelector=metadata.name%3D{name}"
        return History(self.api, path, lambda found: int(found["spec"]["replicas"]))

    def hpas(self) -> History[tuple[str, str]]:
        """Name and uid of the HPA of the namespace, whenever it changes; None when one goes."""
        path = HPAS.collection(self.namespace)
        return History(self.api, path, lambda o: (o["metadata"]["name"], o["metadata"]["uid"]))

    def verdicts(self, path: str, *kinds: str) -> History[tuple[str | None, ...]]:
        """Status of conditions of the objects at `path`, whenever one changes."""
        return History(self.api, path, lambda found: tuple(condition(found, k) for k in kinds))

    def current(self, name: str = "chat") -> Object:
        """A scaler as it stands."""
        found: Object = self.api.get(BUDAISCALERS.item(self.namespace, name))
        return found

    def hpa(self, name: str = "chat-hpa") -> Object | None:
        """An HPA as it stands; None if there is none."""
        return self.api.find(HPAS.item(self.namespace, name))

    def wait_for(
        self,
        path: str,
        accepts: Callable[[Object], bool],
        what: str,
        *,
        timeout_s: float = SETTLE_S,
    ) -> Object:
        """Wait until an object exists and is as wanted; failing that, show how it was."""
        last: Object | None = None

        def probe() -> Object | None:
            nonlocal last
            last = self.api.find(path)
            return last if last is not None and accepts(last) else None

        return waiting.until(
            probe,
            what=f"{what} at {path}",
            timeout_s=timeout_s,
            hint=lambda: f"--- the last answer\n{_shown(last)}",
        )

    def wait_for_hpa(
        self,
        accepts: Callable[[Object], bool] = lambda _: True,
        *,
        what: str = "an HPA",
        name: str = "chat-hpa",
        timeout_s: float = SETTLE_S,
    ) -> Object:
        """Wait until an HPA exists and is as wanted."""
        path = HPAS.item(self.namespace, name)
        return self.wait_for(path, accepts, what, timeout_s=timeout_s)

    def wait_until_gone(self, path: str, *, timeout_s: float = SETTLE_S) -> None:
        """Wait until an object does not exist any more."""
        waiting.until(
            lambda: True if self.api.find(path) is None else None,
            what=f"{path} to be gone",
            timeout_s=timeout_s,
            hint=lambda: f"--- it is still there\n{_shown(self.api.find(path))}",
        )

    def wait_for_condition(
        self,
        kind: str,
        status: str,
        reason: str,
        *,
        name: str = "chat",
        saying: str = "",
        timeout_s: float = SETTLE_S,
    ) -> str:
        """Wait until a scaler's condition is so, for that reason, in these words among others.

        Gives its message. Words are waited for where the condition may first be true of less.
        """
        found = self.wait_for(
            BUDAISCALERS.item(self.namespace, name),
            lambda o: (
                (condition(o, kind), condition(o, kind, "reason")) == (status, reason)
                and saying in (condition(o, kind, "message") or "")
            ),
            f"{kind}={status} ({reason}) {saying}".strip(),
            timeout_s=timeout_s,
        )
        return condition(found, kind, "message") or ""

    def wait_for_status(
        self, accepts: Callable[[Object], bool], what: str, *, name: str = "chat"
    ) -> Object:
        """Wait until a scaler's status is as wanted: it is written after what it tells of."""
        path = BUDAISCALERS.item(self.namespace, name)
        found = self.wait_for(path, lambda o: accepts(o.get("status", {})), what)
        status: Object = found["status"]
        return status

    def published(
        self, metric: str = DESIRED_LOAD, selector: str = "", *, namespace: str = ""
    ) -> loopback.Answer:
        """Ask for a metric as the HPA controller does: through the API server."""
        path = self._metric(metric, selector, namespace or self.namespace)
        headers = {"Accept": "application/vnd.kubernetes.protobuf, */*"}
        return self.api.ask("GET", path, headers=headers)

    def wait_for_load(
        self, replicas: int, *, scaler: str = "chat", timeout_s: float = SETTLE_S
    ) -> Object:
        """Wait until every copy publishes a load for so many replicas; gives its only item."""

        def asks(answer: loopback.Answer) -> bool:
            items = answer.json()["items"] if answer.status == 200 else []
            return len(items) == 1 and math.ceil(amount(items[0]["value"])) == replicas

        answer = self.wait_for_answers(
            asks, f"a load of {replicas} replicas", scaler=scaler, timeout_s=timeout_s
        )
        item: Object = answer.json()["items"][0]
        return item

    def wait_for_refusal(self, status: int, *, scaler: str = "chat") -> loopback.Answer:
        """Wait until the load of a scaler is an error wherever it is asked for."""
        return self.wait_for_answers(
            lambda answer: answer.status == status, f"HTTP {status}", scaler=scaler
        )

    def wait_for_answers(
        self,
        accepts: Callable[[loopback.Answer], bool],
        what: str,
        *,
        metric: str = DESIRED_LOAD,
        scaler: str = "chat",
        timeout_s: float = SETTLE_S,
    ) -> loopback.Answer:
        """Wait until a scaler's metric is answered as wanted, wherever it is asked for.

        Through the API server a test reaches either copy, and the other may not yet know what the
        first one told. Gives the answer of the API server.
        """
        selector = f"kind=BudAIScaler,scaler={scaler}"
        path = self._metric(metric, selector, self.namespace)
        last: list[loopback.Answer] = []

        def probe() -> loopback.Answer | None:
            last[:] = [self.published(metric, selector)]
            if accepts(last[0]):
                last.extend(
                    self.running.ask_as(copy, path, user="admin", groups=("system:masters",))
                    for copy in self.running.adapters
                    if copy.daemon.process
                )
            return last[0] if all(map(accepts, last)) else None

        return waiting.until(
            probe,
            what=f"{what} as {metric} of {scaler}",
            timeout_s=timeout_s,
            interval_s=0.05,
            hint=lambda: f"--- the last answers\n{last}\n{_shown(self.current(scaler))}",
        )

    @staticmethod
    def _metric(metric: str, selector: str, namespace: str) -> str:
        parameter = f"?labelSelector={quote(selector)}" if selector else ""
        return f"{METRICS}/namespaces/{namespace}/{quote(metric, safe='')}{parameter}"

    def events(
        self, reason: str = "", *, name: str = "chat", kind: str = "BudAIScaler"
    ) -> list[Object]:
        """The events on an object, oldest first; with `reason` only those."""
        found = self.api.get(EVENTS.collection(self.namespace))["items"]
        return sorted(
            (
                event
                for event in found
                if (event["regarding"]["kind"], event["regarding"]["name"]) == (kind, name)
                and event["reason"] == (reason or event["reason"])
            ),
            key=lambda event: str(event.get("eventTime") or ""),
        )

    def wait_for_event(self, reason: str, *, name: str = "chat") -> Object:
        """Wait until there is an event of that reason, and only one of them."""

        def probe() -> Object | None:
            found = self.events(reason, name=name)
            assert len(found) < 2, f"more than one event {reason}: {told(found)}"
            return found[0] if found else None

        return waiting.until(
            probe,
            what=f"an event {reason} on {name}",
            timeout_s=SETTLE_S,
            hint=lambda: f"--- events on it\n{told(self.events(name=name))}",
        )


@contextmanager
def namespaced(api: Api, name: str) -> Iterator[None]:
    """A namespace for the while."""
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield
    # First what acts there, so that it does not write into a namespace that is going.
    api.delete(BUDAISCALERS.collection(name))
    api.delete(f"/api/v1/namespaces/{name}")


def amount(text: str) -> float:
    """Read a quantity as we publish it: a whole number, or one of thousandths."""
    assert re.fullmatch(r"\d+m?", text), f"{text!r} is no canonical quantity"
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def told(events: list[Object]) -> list[str]:
    """Events in short, for messages."""
    return [f"{e['type']} {e['reason']}: {e.get('note', '')}" for e in events]


def _shown(document: Object | None) -> str:
    if document is not None:
        document = {**document, "metadata": {**document["metadata"], "managedFields": []}}
    return json.dumps(document, indent=1)
