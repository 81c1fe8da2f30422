"""Answers for one metric: from memory, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter import selectors, wire
from adapter.store import Item, Store
from adapter.wire import ApiError
from budaiscaler.domain import times
from budaiscaler.domain.api import naming


@dataclass(frozen=True, slots=True)
class ExternalMetrics:
    """The read side of the metrics API.

    Attributes:
        leaders_word: when the evaluating leader last vouched for what it reported.
        grace: how long a value stands after it was last known to be right.
        wall_clock: aware time.
    """

    store: Store
    leaders_word: Callable[[], datetime | None]
    grace: timedelta
    wall_clock: Callable[[], datetime]

    def answer(self, namespace: str, metric: str, label_selector: str) -> bytes:
        """Give the encoded list of the items that are selected.

        An HPA adds the items up, so a list that leaves out the stale ones would read as low load:
        one stale item makes the whole answer an error.

        Raises:
            ApiError: 400 for a selector that does not parse, 404 for an unknown metric, 503 for one
                that has no data or whose data is too old.
        """
        try:
            selector = selectors.parse(label_selector)
        except selectors.SelectorError as error:
            raise ApiError(400, str(error)) from error
        items = self.store.find(namespace, metric, selector.demanded.get(naming.LABEL_SCALER))
        if items is None:
            raise ApiError(
                404, f"the metric {metric} is not published by any scaler in namespace {namespace}"
            )
        name = metric.lower()
        return wire.encode(
            wire.value_list(
                [self._render(name, item) for item in items if selector.matches(item.labels)]
            )
        )

    def _render(self, metric: str, item: Item) -> wire.Json:
        as_of = item.as_of(self.leaders_word())
        scaler = item.labels["scaler"]
        if as_of is None or item.value is None:
            raise ApiError(503, f"{metric} of scaler {scaler} has no data yet: see its conditions")
        if self.wall_clock() - as_of > self.grace:
            raise ApiError(
                503,
                f"{metric} of scaler {scaler} is not known since {times.rfc3339(as_of)}: "
                "see its conditions, and that the adapter has a leader",
            )
        return wire.value_item(metric, dict(item.labels), times.rfc3339(as_of), item.value)
