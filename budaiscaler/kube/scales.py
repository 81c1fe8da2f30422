"""The `scale` subresource of any kind, found by discovery."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import Resource

DISCOVERY_TTL_S = 300.0


@dataclass(frozen=True, slots=True)
class Scale:
    """What a scale subresource tells: replicas asked for and replicas there are."""

    spec_replicas: int
    status_replicas: int


@dataclass(slots=True)
class ScaleReader:
    """Reads scales; remembers how kinds are routed for five minutes.

    Attributes:
        clock: monotonic seconds.
    """

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _routes: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)

    async def read(self, api_version: str, kind: str, namespace: str, name: str) -> Scale:
        """Read the scale of one object.

        Raises:
            NotFoundError: no such kind, object or scale subresource; the message says which.
        """
        group, _, version = api_version.rpartition("/")
        plurals = await self._plurals(api_version)
        plural = plurals.get(kind)
        if plural is None:
            raise NotFoundError(404, "NotFound", f"kind {kind} does not exist in {api_version}")
        if f"{plural}/scale" not in plurals:
            raise NotFoundError(
                404, "NotFound", f"kind {kind} of {api_version} has no scale subresource"
            )
        resource = Resource(group, version, plural)
        answer = await self.kube.get(resource.item(namespace, name, "scale"))
        return Scale(
            spec_replicas=int(answer.get("spec", {}).get("replicas", 0)),
            status_replicas=int(answer.get("status", {}).get("replicas", 0)),
        )

    async def _plurals(self, api_version: str) -> dict[str, str]:
        """Plural by kind, and the subresource paths as keys of their own."""
        known = self._routes.get(api_version)
        if known is not None and self.clock() - known[0] < DISCOVERY_TTL_S:
            return known[1]
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            answer: Json = await self.kube.get(path)
        except NotFoundError as error:
            raise NotFoundError(
                404, "NotFound", f"the cluster does not serve {api_version}"
            ) from error
        plurals: dict[str, str] = {}
        for item in answer.get("resources") or ():
            if "/" in item["name"]:
                plurals[item["name"]] = item["name"]
            else:
                plurals.setdefault(item["kind"], item["name"])
        self._routes[api_version] = (self.clock(), plurals)
        return plurals
