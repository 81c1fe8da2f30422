"""Lists, in pages of one moment: a continued list shows what there was when it began."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, selecting, versions
from budaiscaler.playground.apiserver.kinds import Kind
from budaiscaler.playground.apiserver.store import Store

_REST = "rest-"
MOST_CONTINUED = 64
"""Lists under way; the oldest is forgotten, and told to begin again."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list.

    Attributes:
        items: as they are stored.
        version: of the whole list.
        token: to go on with; empty at the end.
        remaining: how many are to come.
    """

    items: list[Json]
    version: int
    token: str = ""
    remaining: int = 0


@dataclass(slots=True)
class Lists:
    """Makes pages, and remembers what is left of each list."""

    store: Store
    _rests: dict[str, tuple[int, list[Json]]] = field(default_factory=dict)

    def page(self, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> Page:
        """Make one page.

        Raises:
            KubeStatusError: 400 for a selector or a limit that is none, 410 for a list that is
                forgotten.
        """
        try:
            limit = int(query.get("limit") or 0)
        except ValueError as error:
            raise failures.bad_request(f"limit is no number: {query['limit']}") from error
        if token := query.get("continue"):
            if not token.startswith(_REST):
                raise failures.bad_request(f"continue key is not valid: {token[:40]}")
            if token not in self._rests:
                raise failures.expired(
                    "The provided continue parameter is too old to display a consistent list "
                    "result. You can start a new list without the continue parameter."
                )
            version, items = self._rests[token]
        else:
            selection = selecting.read(kind, query)
            version = self.store.version
            items = [b for b in self.store.objects(kind.store, namespace) if selection.takes(b)]
        if not 0 < limit < len(items):
            return Page(items, version)
        return Page(items[:limit], version, self._keep(version, items[limit:]), len(items) - limit)

    def forget(self) -> None:
        """Forget the lists that are under way."""
        self._rests.clear()

    def _keep(self, version: int, rest: list[Json]) -> str:
        token = f"{_REST}{secrets.token_urlsafe(12)}"
        self._rests[token] = (version, rest)
        if len(self._rests) > MOST_CONTINUED:
            del self._rests[next(iter(self._rests))]
        return token


def render(kind: Kind, page: Page) -> Json:
    """Write a page as the list of a kind."""
    return {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": list_metadata(page),
        "items": [versions.show(kind, body) for body in page.items],
    }


def list_metadata(page: Page) -> Json:
    """Write the metadata of a list."""
    metadata: Json = {"resourceVersion": str(page.version)}
    if page.token:
        metadata |= {"continue": page.token, "remainingItemCount": page.remaining}
    return metadata
