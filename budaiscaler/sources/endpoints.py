"""Endpoints as users write them."""

from __future__ import annotations

from urllib.parse import urlsplit

from budaiscaler.domain.readings import NoData, NoDataReason


def normalise_endpoint(endpoint: str | None) -> str | NoData:
    """Complete a base URL: a missing scheme is http, a trailing slash goes."""
    if not endpoint:
        message = "no Prometheus is known: set endpoint on the source, or --prometheus-url for all"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    full = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        parts = urlsplit(full)
        usable = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.query or parts.fragment)
        )
    except ValueError:
        usable = False
    if not usable:
        message = (
            "endpoint is no http or https URL: write for example http://prometheus.monitoring:9090"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return full.rstrip("/")


def public(endpoint: str) -> str:
    """The endpoint without user and password, which a URL may carry."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
