"""Numbers of the pods themselves: from JSON, or from a page in Prometheus' text format."""

from __future__ import annotations

import math

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import engines, scraping
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import Credentials
from budaiscaler.sources.measures import total
from budaiscaler.sources.pages import Look
from budaiscaler.sources.scraping import Looker, Question


class PodSource:
    """Reads one number off each ready pod."""

    def __init__(self, pages: Looker, credentials: Credentials) -> None:
        self._pages = pages
        self._credentials = credentials

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Ask the pods, or share their pages; see `Source.fetch`."""
        source = request.source
        endpoint = await scraping.endpoint(self._credentials, request)
        if isinstance(endpoint, NoData):
            return endpoint
        name = source.target_metric

        def answer(look: Look) -> float | NoData:
            return mean(look, name)

        adds_up = not engines.unit_of(name).is_share
        question = Question(endpoint, frozenset({name}), answer, adds_up)
        return await scraping.scrape(self._pages, request, question)


def mean(look: Look, name: str) -> float | NoData:
    """The mean over the series of that name, as the original has it."""
    found = look.now.found.get(name, ())
    if isinstance(found, NoData):
        return found
    if not found:
        message = f"its page has no {name}: check targetMetric, port and path"
        return NoData(NoDataReason.METRIC_NOT_FOUND, message)
    values = [series.value for series in found]
    return total(values) / len(values) if all(map(math.isfinite, values)) else math.nan
