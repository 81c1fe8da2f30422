"""Who is on which workload: an index over scalers and HPAs, kept as their caches change.

A pass looks at the few objects that have to do with one workload, and an event asks for the few
scalers that it concerns, however many there are in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.cache import Cache, Key
from controller import hpas
from controller.hpas import Hpa, Target

Place = tuple[str, Target]
"""Namespace and workload."""


@dataclass(frozen=True, slots=True)
class _Index:
    """Keys of objects by what they point at, of any type; in the order in which they came."""

    _keys: dict[object, dict[Key, None]] = field(default_factory=dict)

    def move(self, key: Key, old: Iterable[object], new: Iterable[object]) -> None:
        before, after = set(old), set(new)
        for where in before - after:
            keys = self._keys.get(where, {})
            keys.pop(key, None)
            if not keys:
                self._keys.pop(where, None)
        for where in after - before:
            self._keys.setdefault(where, {})[key] = None

    def at(self, where: object) -> list[Key]:
        return list(self._keys.get(where, ()))


@dataclass(slots=True)
class Targets:
    """Follows both caches from their beginning; whoever listens to them later finds it up to date.

    Attributes:
        scalers: all scalers.
        hpas: all HPAs.
    """

    scalers: Cache[Scaler]
    hpas: Cache[Hpa]
    _scalers_on: _Index = field(default_factory=_Index)
    _hpas_on: _Index = field(default_factory=_Index)
    _hpas_of: _Index = field(default_factory=_Index)

    def __post_init__(self) -> None:
        self.scalers.subscribe(self._on_scaler)
        self.hpas.subscribe(self._on_hpa)

    def hpas_of(self, scaler: Key) -> list[Hpa]:
        """The HPAs whose marks name that scaler, rightly or not."""
        return self._hpas(self._hpas_of.at(scaler))

    def concerned(self, place: Place) -> set[Key]:
        """The scalers that aim at a workload, or have an HPA on it."""
        holders = {
            (hpa.namespace, hpa.holder[0])
            for hpa in self._hpas(self._hpas_on.at(place))
            if hpa.holder is not None
        }
        return holders.union(self._scalers_on.at(place))

    def around(self, scaler: Scaler) -> tuple[list[Scaler], list[Hpa]]:
        """What a plan for a scaler depends on.

        Returns:
            The scalers that aim at its workload or hold one of the HPAs; and the HPAs that are on
            its workload, are marked with its name, or have the name of its own.
        """
        namespace, marked = scaler.namespace, self.hpas_of((scaler.namespace, scaler.name))
        places = _places_of_scaler(scaler) or {(namespace, hpa.target) for hpa in marked}
        names = (naming.child_hpa(scaler.name), scaler.annotations.get(naming.ADOPT_ANNOTATION))
        keys = {(namespace, hpa.name): None for hpa in marked}
        keys |= {(namespace, name): None for name in names if name}
        for place in places:
            keys |= dict.fromkeys(self._hpas_on.at(place))
        found = self._hpas(keys)
        rivals = {key: None for place in places for key in self._scalers_on.at(place)}
        rivals |= {(namespace, hpa.holder[0]): None for hpa in found if hpa.holder is not None}
        known = self.scalers.objects
        return [known[key] for key in rivals if key in known], found

    def _hpas(self, keys: Iterable[Key]) -> list[Hpa]:
        known = self.hpas.objects
        return [known[key] for key in keys if key in known]

    def _on_scaler(self, key: Key, old: Scaler | None, new: Scaler | None) -> None:
        self._scalers_on.move(key, _places_of_scaler(old), _places_of_scaler(new))

    def _on_hpa(self, key: Key, old: Hpa | None, new: Hpa | None) -> None:
        self._hpas_on.move(key, _place_of_hpa(old), _place_of_hpa(new))
        self._hpas_of.move(key, _holders_of_hpa(old), _holders_of_hpa(new))


def _places_of_scaler(scaler: Scaler | None) -> set[Place]:
    """None where nobody knows, because the spec is broken."""
    if scaler is None or isinstance(scaler.spec, InvalidSpecError):
        return set()
    return {(scaler.namespace, hpas.of_spec(scaler.spec.scale_target_ref))}


def _place_of_hpa(hpa: Hpa | None) -> set[Place]:
    return {(hpa.namespace, hpa.target)} if hpa is not None else set()


def _holders_of_hpa(hpa: Hpa | None) -> set[Key]:
    return {(hpa.namespace, name) for name in hpa.named} if hpa is not None else set()
