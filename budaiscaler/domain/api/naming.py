"""Names that the outside sees: published metrics, children, labels."""

from __future__ import annotations

import re

DESIRED_LOAD = "desired-load"
"""Reserved metric name: the decision itself, in replicas."""

LABEL_SCALER = "scaler"
LABEL_KIND = "kind"
LABEL_STRATEGY = "strategy"

ADOPT_ANNOTATION = "scaler.bud.studio/adopt-hpa"
PAUSED_ANNOTATION = "scaler.bud.studio/paused"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "budaiscaler"
SCALER_LABEL = "scaler.bud.studio/scaler"

_ILLEGAL = re.compile(r"[^a-z0-9_.:|\-]")


def published_metric(source: str) -> str:
    """Give the name a source is published under.

    client-go lower-cases the metric name before it asks, and `/` and `%` cannot stand in a path
    segment, so every other character becomes `_`. A name made of dots only would be a path step.
    """
    name = _ILLEGAL.sub("_", source.lower())
    return name.replace(".", "_") if name.strip(".") == "" else name


def is_path_segment(metric: str) -> bool:
    """Whether the API server takes a name as part of a path, and so an HPA as a metric's."""
    return metric not in {"", ".", ".."} and not {"/", "%"} & set(metric)


def child_hpa(scaler: str) -> str:
    """Name of the HPA that the controller owns for a scaler."""
    return f"{scaler}-hpa"
