"""The port to the API server: what everything but `client` and the tests' fake sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Json = dict[str, Any]


class PatchType(StrEnum):
    """Content types of a patch; never left to be guessed."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK; errors are raised instead.

    The first is a BOOKMARK without a version: the server has accepted the watch.
    """

    type: str
    object: Json


class Kube(Protocol):
    """What we ask of an API server.

    Every method raises `KubeStatusError` (by class of failure) or `KubeUnreachableError`, and ends
    within a time limit of its own.
    """

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Read an object or a list."""
        ...

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`."""
        ...

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Change an object, or a subresource of it."""
        ...

    async def update(self, path: str, body: Json) -> Json:
        """Replace an object whose every field is ours (a Lease, our Secret); compares versions."""
        ...

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        """Delete an object; with `uid`, only if it is still that one."""
        ...

    def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        """Watch the collection at `path` until the server ends it, at most about `timeout_s`.

        Raises:
            ExpiredError: when the resourceVersion asked for is too old, at once or on the way.
        """
        ...


async def apply(
    kube: Kube, path: str, body: Json, *, field_manager: str, force: bool = True
) -> Json:
    """Apply `body` server-side: the fields in it become ours, those we left out are given up."""
    params = {"fieldManager": field_manager, "force": "true" if force else "false"}
    return await kube.patch(path, body, PatchType.APPLY, params)
