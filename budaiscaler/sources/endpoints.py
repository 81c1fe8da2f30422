"""Endpoints as users write them: completed where they leave no doubt, shown without secrets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from budaiscaler.domain.readings import NoData, NoDataReason

SCHEMES = frozenset({"http", "https"})
_SCHEME = re.compile("[a-zA-Z][a-zA-Z0-9+.-]*://")


def complete(endpoint: str) -> str | None:
    """Complete a URL: a missing scheme is http. None when it is no http or https URL."""
    full = endpoint if _SCHEME.match(endpoint) else f"http://{endpoint}"
    try:
        parts = urlsplit(full)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return full if usable else None


def normalise_endpoint(endpoint: str | None) -> str | NoData:
    """Complete a base URL: a missing scheme is http, a trailing slash goes."""
    if not endpoint:
        message = "no Prometheus is known: set endpoint on the source, or --prometheus-url for all"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    full = complete(endpoint)
    if full is None or {"?", "#"} & set(full):
        message = (
            "endpoint is no http or https URL: write for example http://prometheus.monitoring:9090"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return full.rstrip("/")


def public(endpoint: str) -> str:
    """The endpoint without user and password, which a URL may carry."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def origin(endpoint: str) -> str:
    """Scheme, host and port of a complete URL, the same however it is written."""
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
