"""KEDA's ScaledObjects, where KEDA is installed: another autoscaler that we yield to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from budaiscaler.domain.errors import ForbiddenError, NotFoundError
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import SCALED_OBJECTS
from controller.hpas import target_key

REMEMBER_S = 30.0
ABSENT_S = 300.0

Targets = dict[tuple[str, str, str], str]

_log = structlog.get_logger()


@dataclass(slots=True)
class ScaledObjects:
    """Looks ScaledObjects up by workload; remembers a namespace for half a minute."""

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Targets]] = field(default_factory=dict)
    _absent_until_s: float = 0.0

    async def on(self, namespace: str, target: tuple[str, str, str]) -> str | None:
        """Name of the ScaledObject on that workload; None if there is none.

        Raises:
            KubeError: they could not be listed, so nobody knows.
        """
        now_s = self.clock()
        if now_s < self._absent_until_s:
            return None
        known = self._known.get(namespace)
        if known is None or now_s - known[0] > REMEMBER_S:
            known = self._known[namespace] = (now_s, await self._list(namespace))
        return known[1].get(target)

    async def _list(self, namespace: str) -> Targets:
        try:
            answer = await self.kube.get(SCALED_OBJECTS.collection(namespace))
        except NotFoundError:
            self._absent_until_s = self.clock() + ABSENT_S  # KEDA is not installed
            return {}
        except ForbiddenError as error:
            # Without the rule KEDA is not ours to see; the HPA it makes still is.
            _log.warning("scaled_objects_forbidden", namespace=namespace, error=str(error))
            return {}
        found: Targets = {}
        for item in answer.get("items") or ():
            reference = item.get("spec", {}).get("scaleTargetRef", {})
            target = target_key(
                reference.get("apiVersion", "apps/v1"),
                reference.get("kind", "Deployment"),
                reference.get("name", ""),
            )
            found[target] = item["metadata"]["name"]
        return found
