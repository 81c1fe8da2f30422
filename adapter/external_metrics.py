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
        leaders_word: when the evaluating leader last vouched for what it reported, as far as is
            known at the time given.
        controllers_word: the same of the controllers' leader, for scalers that it evaluates.
        grace: how long a value stands after it was last known to be right.
        wall_clock: aware time.
    """

    store: Store
    leaders_word: Callable[[datetime], datetime | None]
    controllers_word: Callable[[datetime], datetime | None]
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
        now = self.wall_clock()
        word = self.leaders_word(now)
        return wire.value_list(
            [
                (item.text, times.rfc3339(self._known_as_of(metric, item, word, now)))
                for item in items
                if selector.matches(item.labels)
            ]
        )

    def _known_as_of(
        self, metric: str, item: Item, leaders_word: datetime | None, now: datetime
    ) -> datetime:
        as_of = item.as_of(self.controllers_word(now) if item.is_direct else leaders_word)
        if as_of is not None and now - as_of <= self.grace:
            return as_of
        what = f"{metric.lower()} of scaler {item.labels[naming.LABEL_SCALER]}"
        if as_of is None:
            raise ApiError(503, f"{what} has no data yet: see its conditions")
        raise ApiError(
            503,
            f"{what} is not known since {times.rfc3339(as_of)}: "
            "see its conditions, and that the adapter has a leader",
        )
