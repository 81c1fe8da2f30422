"""What can be asked for: built from the status of scalers, served from memory by every copy.

Freshness is judged when it is asked for, since it passes with time and not with events. A figure
whose scaler has data is as fresh as the leader's last word (`kube.lease`); one that is held is as
old as its last good decision. Past the grace both are an error, and the HPA freezes. As with that
word, a clock of the leader's that is ahead makes no figure younger than it is known here.

While an edit waits for its evaluation the last figures stand, or each edit would freeze the HPA for
a while; but only if they are about the same workload and were reported under the same strategy. A
load of 2 that was decided for one workload, read as that of another with 20 replicas, would take 18
of them away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from adapter import wire
from budaiscaler.domain import times
from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.budaiscaler import KIND, Strategy
from budaiscaler.domain.errors import InvalidSpecError, QuantityError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.cache import Cache, Key


@dataclass(frozen=True, slots=True)
class Item:
    """One published value.

    Attributes:
        labels: what selectors see.
        text: rendered for the wire; empty when there never was any data.
        said_since: time of the last good data where there is none now, by the leader's clock; None
            while there is.
        held_since: the same, but not later than when it was first read here.
        is_direct: whether the controller reports it, which scales by itself.
    """

    labels: Mapping[str, str]
    text: str
    said_since: datetime | None = None
    held_since: datetime | None = None
    is_direct: bool = False

    def as_of(self, leaders_word: datetime | None) -> datetime | None:
        """When this value was last known to be right; None if never."""
        if not self.text:
            return None
        return self.held_since if self.held_since is not None else leaders_word


@dataclass(slots=True)
class Store:
    """Items by namespace and metric name; kept up to date by the cache of scalers.

    Attributes:
        wall_clock: aware time.
    """

    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _items: dict[tuple[str, str], dict[Key, Item]] = field(default_factory=dict)
    _unchanged_since: dict[Key, int] = field(default_factory=dict)

    def follow(self, scalers: Cache[Scaler]) -> None:
        """Fill from the cache, now and on every change."""
        scalers.subscribe(self._on_scaler)

    def find(self, namespace: str, metric: str, scaler: str | None = None) -> list[Item] | None:
        """Items of a metric, those of one scaler when it is named; None for an unknown metric.

        Names do not differ by case. Naming the scaler makes it one look-up, however many there are.
        """
        of_name = self._items.get((namespace, metric.lower()))
        if of_name is None:
            return None
        if scaler is None:
            return list(of_name.values())
        item = of_name.get((namespace, scaler))
        return [] if item is None else [item]

    def _on_scaler(self, key: Key, old: Scaler | None, new: Scaler | None) -> None:
        after: dict[str, Item] = {}
        if new is not None:
            self._unchanged_since[key] = since = self._generation_since(key, old, new)
            after = dict(_items(new, new.status if _is_about(new.status, since) else {}))
        else:
            self._unchanged_since.pop(key, None)
        before = set(_names(old)) if old is not None else set()
        for name in before - after.keys():
            of_name = self._items.get((key[0], name), {})
            of_name.pop(key, None)
            if not of_name:
                self._items.pop((key[0], name), None)
        now = self.wall_clock()
        for name, item in after.items():
            of_name = self._items.setdefault((key[0], name), {})
            of_name[key] = _dated(item, of_name.get(key), now)

    def _generation_since(self, key: Key, old: Scaler | None, new: Scaler) -> int:
        """From which generation on the scaler is known to be about what it is about now.

        Of one that is seen for the first time, or of which an edit was missed, only the newest is
        known: in between it may have been about something else, and been reported on.
        """
        if (
            old is None
            or new.generation - old.generation not in {0, 1}
            or _subject(old) != _subject(new)
        ):
            return new.generation
        return self._unchanged_since.get(key, new.generation)


def _subject(scaler: Scaler) -> tuple[object, ...]:
    """What the figures of a scaler are about, and who reports them."""
    spec = scaler.spec
    target = None if isinstance(spec, InvalidSpecError) else spec.scale_target_ref
    return scaler.uid, scaler.strategy, target


def _is_about(status: Mapping[str, Any], since: int) -> bool:
    observed = status.get("observedGeneration")
    return isinstance(observed, int) and observed >= since


def _dated(item: Item, before: Item | None, now: datetime) -> Item:
    """Tell since when a held item is held, at the latest; it is kept until another time is said."""
    if item.said_since is None:
        return item
    if before is not None and before.said_since == item.said_since:
        return replace(item, held_since=before.held_since)
    return replace(item, held_since=min(item.said_since, now))


def _names(scaler: Scaler) -> Iterator[str]:
    yield naming.DESIRED_LOAD
    if not isinstance(scaler.spec, InvalidSpecError):
        for source in scaler.spec.metrics_sources:
            yield naming.published_metric(source.key)


def _items(scaler: Scaler, status: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    labels = {
        naming.LABEL_KIND: KIND,
        naming.LABEL_SCALER: scaler.name,
        naming.LABEL_STRATEGY: scaler.strategy,
    }
    held_since = times.parse(status.get("holdingSince"))
    direct = scaler.strategy != Strategy.HPA
    yield _item(
        naming.DESIRED_LOAD, labels, _load(status.get("desiredLoad")), held_since, is_direct=direct
    )
    if isinstance(scaler.spec, InvalidSpecError):
        return
    reported = {entry.get("name"): entry for entry in status.get("sources") or ()}
    source_labels = {key: labels[key] for key in (naming.LABEL_KIND, naming.LABEL_SCALER)}
    for source in scaler.spec.metrics_sources:
        entry = reported.get(source.key, {})
        since = times.parse(entry.get("noDataSince"))
        name = naming.published_metric(source.key)
        yield _item(name, source_labels, _value(entry.get("value")), since, is_direct=direct)


def _item(
    name: str,
    labels: Mapping[str, str],
    value: str | None,
    said_since: datetime | None,
    *,
    is_direct: bool,
) -> tuple[str, Item]:
    # Rendered once a change, not once a request: encoding took a tenth of the time of an answer.
    text = "" if value is None else wire.value_item(name, labels, value)
    return name, Item(labels, text, said_since, is_direct=is_direct)


def _load(text: Any) -> str | None:
    try:
        return _published(quantity.parse(str(text)))
    except QuantityError:
        return None


def _value(text: Any) -> str | None:
    try:
        return _published(float(text))
    except (TypeError, ValueError):
        return None


def _published(value: float) -> str | None:
    """Give what was reported as a quantity; HPAs read a negative one as an overflow."""
    return quantity.format_milli(value) if math.isfinite(value) and value >= 0 else None
