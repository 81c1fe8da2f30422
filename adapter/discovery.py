"""Discovery documents: constant, so that they are never empty and equal in every copy.

One placeholder resource stands for all metrics. A live list was empty at install time and slow with
thousands of entries wherever it was tried, and nobody reads it: HPA asks by name. `verbs` is
exactly `get`: with `list` or `delete`, garbage collection and namespace deletion would take metrics
for objects.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from adapter import wire
from adapter.wire import GROUP, GROUP_VERSION, VERSION, Json

PLACEHOLDER = "externalmetrics"
KIND = "ExternalMetricValueList"

_VERSION = {"groupVersion": GROUP_VERSION, "version": VERSION}
_GROUP: Json = {"name": GROUP, "versions": [_VERSION], "preferredVersion": _VERSION}


@dataclass(frozen=True, slots=True)
class Document:
    """A constant answer with its media type and its strong ETag, in double quotes."""

    body: bytes
    content_type: str
    etag: str


def _document(content: Json, content_type: str = "application/json") -> Document:
    body = wire.encode(content)
    return Document(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _aggregated(version: str) -> Document:
    content: Json = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": GROUP, "creationTimestamp": None},
                "versions": [
                    {
                        "version": VERSION,
                        "resources": [
                            {
                                "resource": PLACEHOLDER,
                                "responseKind": {"group": GROUP, "version": VERSION, "kind": KIND},
                                "scope": "Namespaced",
                                "singularResource": "",
                                "verbs": ["get"],
                            }
                        ],
                        "freshness": "Current",
                    }
                ],
            }
        ],
    }
    media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    return _document(content, media)


GROUP_LIST = _document({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]})
"""`/apis` for clients that know no aggregated discovery."""

API_GROUP = _document({"kind": "APIGroup", "apiVersion": "v1", **_GROUP})
"""`/apis/<group>`."""

RESOURCE_LIST = _document(
    {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": [
            {
                "name": PLACEHOLDER,
                "singularName": "",
                "namespaced": True,
                "kind": KIND,
                "verbs": ["get"],
            }
        ],
    }
)
"""`/apis/<group>/<version>`."""

OPENAPI_V2 = _document(
    {
        "swagger": "2.0",
        "info": {"title": "budaiscaler-adapter", "version": VERSION},
        "paths": {},
    }
)
"""`/openapi/v2`, without a schema: kube-apiserver logs a 404 there as an error, again and again."""

OPENAPI_V3 = _document({"paths": {}})
"""`/openapi/v3`, without a schema: after a 404 kube-apiserver would never ask for it again."""

_AGGREGATED = {version: _aggregated(version) for version in ("v2", "v2beta1")}


def root(accept: str) -> Document:
    """Choose the document for `/apis` by the Accept header, in the client's order of preference."""
    for clause in parse_accept(accept):
        if clause.media == "application/json" and clause.parameters.get("as"):
            wanted = clause.parameters
            if wanted["as"] == "APIGroupDiscoveryList" and wanted.get("g") == "apidiscovery.k8s.io":
                document = _AGGREGATED.get(wanted.get("v", ""))
                if document is not None:
                    return document
        elif clause.media in _JSON_RANGES:
            return GROUP_LIST
    return GROUP_LIST


def accepts_json(accept: str) -> bool:
    """Tell whether plain JSON is acceptable; `as=Table` and protobuf clauses fall through."""
    clauses = parse_accept(accept)
    return not clauses or any(
        clause.media in _JSON_RANGES and not clause.parameters.get("as") for clause in clauses
    )


_JSON_RANGES = frozenset({"application/json", "application/*", "*/*"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an Accept header."""

    media: str
    parameters: dict[str, str]
    quality: float


def parse_accept(header: str) -> list[Clause]:
    """Parse an Accept header, best first; clauses of equal quality keep their order."""
    clauses = []
    for part in header.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if not media:
            continue
        pairs = dict(pair.split("=", 1) for pair in parameters if "=" in pair)
        try:
            quality = float(pairs.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if quality > 0:
            clauses.append(Clause(media.lower(), pairs, quality))
    return sorted(clauses, key=lambda clause: -clause.quality)
