"""How the API server routes kinds, as its discovery tells; remembered for five minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube.port import Json, Kube

DISCOVERY_TTL_S = 300.0


@dataclass(slots=True)
class Kinds:
    """Looks routes up.

    Attributes:
        clock: monotonic seconds.
    """

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _routes: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)

    async def plurals(self, api_version: str) -> Mapping[str, str]:
        """Plural by kind, and the subresource paths as keys of their own.

        Raises:
            NotFoundError: the cluster does not serve that version.
            KubeError: it could not be asked.
        """
        known = self._routes.get(api_version)
        if known is not None and self.clock() - known[0] < DISCOVERY_TTL_S:
            return known[1]
        group, _, version = (quote(part, safe="") for part in api_version.rpartition("/"))
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
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

    async def plural(self, api_version: str, kind: str) -> str:
        """Plural of a kind.

        Raises:
            NotFoundError: no such kind; the message says what is missing.
            KubeError: the API server could not be asked.
        """
        plural = (await self.plurals(api_version)).get(kind)
        if plural is None:
            raise NotFoundError(404, "NotFound", f"kind {kind} does not exist in {api_version}")
        return plural
