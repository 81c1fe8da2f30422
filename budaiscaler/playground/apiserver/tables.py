"""How answers are shown: whole, as Tables for kubectl, or as metadata only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapter import discovery
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import versions
from budaiscaler.playground.apiserver.kinds import Column, Kind

_META = "meta.k8s.io"
_NAME = Column("Name", lambda body, _: body["metadata"]["name"], format="name")
_HOW = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


def wanted(accept: str) -> str:
    """Read the Accept header: `Table`, `PartialObjectMetadata`, or nothing for the whole."""
    for clause in discovery.parse_accept(accept):
        if clause.media != "application/json":
            continue
        shown = clause.parameters.get("as", "")
        if shown in _HOW and clause.parameters.get("g") == _META:
            return shown.removesuffix("List")
        if not shown:
            return ""
    return ""


def table(
    kind: Kind,
    stored: Sequence[Json],
    metadata: Json,
    query: Mapping[str, str],
    now: datetime,
    *,
    with_columns: bool = True,
) -> Json:
    """Show objects as rows."""
    columns = kind.columns if kind.store == "events" else (_NAME, *kind.columns)
    include = query.get("includeObject", "Metadata")
    return {
        "kind": "Table",
        "apiVersion": f"{_META}/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(one) for one in columns] if with_columns else None,
        "rows": [
            {
                "cells": [_cell(column, body, now) for column in columns],
                "object": _object(kind, body, include),
            }
            for body in stored
        ],
    }


def partial(stored: Json) -> Json:
    """Show the metadata of one object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"{_META}/v1",
        "metadata": stored["metadata"],
    }


def partial_list(stored: Sequence[Json], metadata: Json) -> Json:
    """Show the metadata of many."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"{_META}/v1",
        "metadata": metadata,
        "items": [partial(body) for body in stored],
    }


def _cell(column: Column, body: Json, now: datetime) -> Any:
    """What a column shows; built-in kinds are not validated, and one must not hide the others."""
    try:
        return column.cell(body, now)
    except (AttributeError, LookupError, TypeError, ValueError):
        return "<invalid>"


def _definition(column: Column) -> Json:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description or column.name,
        "priority": column.priority,
    }


def _object(kind: Kind, stored: Json, include: str) -> Json | None:
    if include == "None":
        return None
    return versions.show(kind, stored) if include == "Object" else partial(stored)
