"""The JSON of the metrics API: lists of values, and `Status` objects for every failure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

GROUP = "external.metrics.k8s.io"
VERSION = "v1beta1"
GROUP_VERSION = f"{GROUP}/{VERSION}"

Json = dict[str, Any]

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class ApiError(Exception):
    """A failure that is answered to the client as a `Status`.

    Attributes:
        code: HTTP status; the reason follows from it.
        message: for the client: what is wrong and what to do; no query and no secret stands in it.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def status(code: int, message: str) -> Json:
    """Render a failure; client-go reads `code` and `reason` and shows `message`."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": REASONS.get(code, "Unknown"),
        "details": {},
        "code": code,
    }


def value_item(name: str, labels: Mapping[str, str], value: str) -> str:
    """Render one `ExternalMetricValue` up to its time, which `value_list` puts in.

    Args:
        name: of the metric, never empty.
        labels: of the item.
        value: a quantity of at most milli precision, finite and not negative.
    """
    rendered = _encode({"metricName": name, "metricLabels": labels, "value": value})
    return f'{rendered[:-1]},"timestamp":"'


def value_list(items: Iterable[tuple[str, str]]) -> bytes:
    """Put an `ExternalMetricValueList` together; its items are never null.

    Args:
        items: each as `value_item` rendered it, and its time: RFC 3339 with a zone; a naive one
            would make the whole list undecodable.
    """
    joined = ",".join([f'{item}{timestamp}"}}' for item, timestamp in items])
    return f"{_LIST_HEAD}{joined}]}}".encode()


def encode(document: Json) -> bytes:
    """Encode compactly, with keys as given: deterministic for an equal document."""
    return _encode(document).encode()


_encode = json.JSONEncoder(separators=(",", ":")).encode
_LIST_HEAD = (
    f'{{"kind":"ExternalMetricValueList","apiVersion":"{GROUP_VERSION}","metadata":{{}},"items":['
)
