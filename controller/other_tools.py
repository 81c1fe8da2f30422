"""Autoscalers of other tools that make no HPA, or none yet; what has one is left to it.

Their kinds may not be installed, and most clusters have none of their objects, so nothing watches
them: they are listed by namespace when somebody asks, and remembered for half a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from budaiscaler.domain.errors import ForbiddenError, KubeError, KubeUnreachableError, NotFoundError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import SCALED_OBJECTS, VERTICAL_POD_AUTOSCALERS, Resource
from budaiscaler.sources.coalescing import Shared
from controller.hpas import Target, target_key

REMEMBER_S = 30.0
FAILED_S = 5.0
"""A list that failed is tried again after so long, however many wait for it."""
ABSENT_S = 300.0

GENTLE_MODES = ("Off", "Initial")
"""Modes in which a VerticalPodAutoscaler leaves running pods alone."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rival:
    """An autoscaler of another tool.

    Attributes:
        who: kind and name, with what matters of it.
        remedy: what to do about it.
    """

    who: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A kind of autoscaler.

    Attributes:
        acts_on: the workload of an object and who it is; None where it does nothing to it.
    """

    resource: Resource
    acts_on: Callable[[Json], tuple[Target, Rival] | None]


def _scaled_object(item: Json) -> tuple[Target, Rival]:
    reference = item.get("spec", {}).get("scaleTargetRef", {})
    target = target_key(
        reference.get("apiVersion", "apps/v1"),
        reference.get("kind", "Deployment"),
        reference.get("name", ""),
    )
    return target, Rival(f"ScaledObject {item['metadata']['name']}", "remove it")


def _vertical(item: Json) -> tuple[Target, Rival] | None:
    """One that sizes running pods moves what a need is measured by, and evicts them to do so."""
    spec = item.get("spec", {})
    mode = (spec.get("updatePolicy") or {}).get("updateMode") or "Auto"
    if mode in GENTLE_MODES:
        return None
    reference = spec.get("targetRef") or {}
    target = target_key(
        reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
    )
    who = f"VerticalPodAutoscaler {item['metadata']['name']} with updateMode {mode}"
    return target, Rival(who, 'remove it, set its updateMode to "Off" or "Initial"')


TOOLS = (
    Tool(SCALED_OBJECTS, _scaled_object),
    Tool(VERTICAL_POD_AUTOSCALERS, _vertical),
)


Found = dict[Target, Rival]


@dataclass(slots=True)
class OtherTools:
    """Looks autoscalers of other tools up by workload."""

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _lists: Shared[tuple[Resource, str], Found | NoData] = field(init=False)
    _absent_until_s: dict[Resource, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lists = Shared(self.clock)

    async def on(self, namespace: str, target: Target) -> Rival | None:
        """The autoscaler of another tool on that workload; None if there is none.

        Raises:
            KubeError: they could not be listed, so nobody knows.
        """
        for tool in TOOLS:
            found = (await self._of(tool, namespace)).get(target)
            if found is not None:
                return found
        return None

    async def _of(self, tool: Tool, namespace: str) -> Found:
        if self.clock() < self._absent_until_s.get(tool.resource, 0.0):
            return {}
        found = await self._lists.get(
            (tool.resource, namespace),
            REMEMBER_S,
            lambda: self._list(tool, namespace),
            failure_max_age_s=FAILED_S,
        )
        if isinstance(found, NoData):
            raise KubeUnreachableError(found.message)
        return found

    async def _list(self, tool: Tool, namespace: str) -> Found | NoData:
        try:
            answer = await self.kube.get(tool.resource.collection(namespace))
        except NotFoundError:
            self._absent_until_s[tool.resource] = self.clock() + ABSENT_S  # it is not installed
            return {}
        except ForbiddenError as error:
            # Without the rule it is not ours to see; an HPA that it makes still is.
            _log.warning(
                "autoscalers_forbidden",
                kind=tool.resource.plural,
                namespace=namespace,
                error=str(error),
            )
            return {}
        except KubeError as error:
            return NoData(NoDataReason.UNREACHABLE, str(error))
        return dict(filter(None, map(tool.acts_on, answer.get("items") or ())))
