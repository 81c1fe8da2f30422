"""Numbers of inference engines, asked for by names that hold for every version of them."""

from __future__ import annotations

from budaiscaler.domain.api.sources import EngineType
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import engines, scraping
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import Credentials
from budaiscaler.sources.pages import Look
from budaiscaler.sources.scraping import Looker, Question


class EngineSource:
    """Reads the engine of each ready pod."""

    def __init__(self, pages: Looker, credentials: Credentials) -> None:
        self._pages = pages
        self._credentials = credentials

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Ask the pods, or share their pages; see `Source.fetch`."""
        source, config = request.source, request.source.inference_engine_config
        if config is None:
            message = "inferenceEngineConfig must be set for a source of type inferenceEngine"
            return NoData(NoDataReason.BAD_ENDPOINT, message)
        port = str(config.metrics_port) if config.metrics_port else None
        endpoint = await scraping.endpoint(
            self._credentials, request, port=port, path=config.metrics_path
        )
        if isinstance(endpoint, NoData):
            return endpoint
        name, engine = source.target_metric, config.engine_type
        measures = engines.find(engine, name)

        def answer(look: Look) -> float | NoData:
            return read(look, measures, name, engine)

        names = frozenset().union(*(measure.names for measure in measures))
        question = Question(endpoint, names, answer, measures[0].adds_up)
        return await scraping.scrape(self._pages, request, question)


def read(look: Look, measures: engines.Measures, name: str, engine: EngineType) -> float | NoData:
    """Read the first of several measures that the page has."""
    for measure in measures:
        found = measure.read(look)
        if found is not None:
            return found
    series = " nor ".join(dict.fromkeys(measure.series for measure in measures))
    known = ", ".join(sorted(engines.ALIASES[engine]))
    message = (
        f"its page has no {series}: check targetMetric {name}, metricsPort and metricsPath; "
        f"names known for {engine}: {known}"
    )
    return NoData(NoDataReason.METRIC_NOT_FOUND, message)
