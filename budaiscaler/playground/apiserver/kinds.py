"""What kinds there are, and how each is routed, stored and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from budaiscaler.kube.port import Json

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

Cell = Callable[[Json, datetime], Any]
"""What a column shows of an object at a time."""


class Column(NamedTuple):
    """One column of a Table.

    Attributes:
        type: `string`, `integer`, `number`, `boolean` or `date`.
        priority: 0 is always shown, above that with `-o wide` only.
    """

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    description: str = ""
    format: str = ""


class ScalePaths(NamedTuple):
    """Where a kind keeps what its scale subresource tells; paths such as `.spec.replicas`."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: str | None = ".spec.selector"


@dataclass(frozen=True, slots=True)
class Kind:
    """One version of one kind.

    Attributes:
        plural: the path segment.
        store: collection it is stored in; kinds that show the same objects share one.
        scale: None without a scale subresource.
        schema: structural schema of a custom resource; None stores whatever is sent.
        columns: between NAME and the end of the Table.
        counts_generations: whether a change of the spec counts up metadata.generation.
        needs_version: whether an update must say which version it replaces.
        is_custom: whether a CustomResourceDefinition made it.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    store: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    has_status: bool = False
    scale: ScalePaths | None = None
    schema: Json | None = None
    columns: tuple[Column, ...] = ()
    list_kind: str = ""
    counts_generations: bool = False
    needs_version: bool = False
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        """`group/version`, as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural.group`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def title(self) -> str:
        """`Kind.group`, as messages about invalid objects name it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


@dataclass(slots=True)
class Kinds:
    """Every kind that is served, by group, version and plural."""

    by_route: dict[tuple[str, str, str], Kind] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.by_route.values())

    def add(self, kind: Kind) -> None:
        """Serve a kind, or the new definition of it."""
        self.by_route[kind.group, kind.version, kind.plural] = kind

    def remove(self, group: str, plural: str) -> None:
        """Serve no version of it any more."""
        for route in [r for r in self.by_route if (r[0], r[2]) == (group, plural)]:
            del self.by_route[route]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Look a kind up as a path names it."""
        return self.by_route.get((group, version, plural))

    def stored_in(self, collection: str) -> Kind | None:
        """Look up a kind that shows what is stored there."""
        return next((kind for kind in self if kind.store == collection), None)

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, the core group first, the preferred version of each first."""
        found: dict[str, list[str]] = {}
        for kind in sorted(self, key=lambda kind: kind.group):
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return found
