"""Which published source metrics some HPA reads: only those are worth a write when they move."""

from __future__ import annotations

from dataclasses import dataclass, field

from budaiscaler.kube.cache import Cache
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import HPAS

Names = frozenset[str]


@dataclass(slots=True)
class MetricReaders:
    """The external metrics that HPAs name, by namespace."""

    kube: Kube
    _cache: Cache[Names] = field(init=False)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cache = Cache(self.kube, HPAS.collection(), project_names)
        self._cache.subscribe(self._on_hpa)

    async def run(self) -> None:
        """Keep up to date until cancelled."""
        await self._cache.run()

    def reads(self, namespace: str, metric: str) -> bool:
        """Tell whether an HPA of that namespace names the metric."""
        return (namespace, metric) in self._counts

    def _on_hpa(self, key: tuple[str, str], old: Names | None, new: Names | None) -> None:
        for name in old or ():
            self._counts[key[0], name] -= 1
            if not self._counts[key[0], name]:
                del self._counts[key[0], name]
        for name in new or ():
            self._counts[key[0], name] = self._counts.get((key[0], name), 0) + 1


def project_names(raw: Json, _: Names | None) -> Names | None:
    """Keep the names of the external metrics, lower-cased as the HPA asks for them."""
    names = frozenset(
        str(metric["external"]["metric"]["name"]).lower()
        for metric in raw.get("spec", {}).get("metrics") or ()
        if metric.get("type") == "External"
    )
    return names or None
