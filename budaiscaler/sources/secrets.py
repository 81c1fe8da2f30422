"""Secrets that sources name: read in the scaler's own namespace, and kept for a minute at most.

We have no right to read Secrets of our own accord: a RoleBinding in each namespace grants it, so
whoever owns a namespace decides whether its Secrets may be used for this.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from budaiscaler.domain.errors import ForbiddenError, KubeError, NotFoundError, UnauthorizedError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.resources import SECRETS
from budaiscaler.sources.coalescing import Shared

CLUSTER_ROLE = "budaiscaler-source-secrets"
"""Shipped, and bound to nobody."""
KEPT_S = 55.0
"""With the time that a read takes, a rotated Secret is seen within a minute."""
FAILURE_KEPT_S = 10.0
"""Or a grant that is made at last would be seen a minute late."""
LIMIT_S = 5.0
LONGEST = 8192
"""Characters of one value; no server takes longer headers, and each is kept in memory."""
READS = 8
"""At once, on the API server."""


class SecretText:
    """A text that shows itself to nobody who does not ask for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, to be sent and to be put nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(...)"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a secret is not to be pickled or copied")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


Values = tuple[SecretText, ...]


class ObjectReader(Protocol):
    """What we ask of the API server."""

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read an object within a time limit.

        Raises:
            KubeError: it cannot be read.
        """
        ...


class SecretReader:
    """Reads keys of Secrets, each at most once a minute however many ask for it.

    Args:
        kube: asked with our own rights.
        clock: monotonic seconds.
    """

    def __init__(self, kube: ObjectReader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._reads = asyncio.Semaphore(READS)
        self._known: Shared[tuple[str, str, tuple[str, ...]], Values | NoData] = Shared(clock)

    async def read(self, namespace: str, name: str, *keys: str) -> Values | NoData:
        """Give the values of these keys, without white space around them."""
        return await self._known.get(
            (namespace, name, keys),
            KEPT_S,
            lambda: self._read(namespace, name, keys),
            failure_max_age_s=FAILURE_KEPT_S,
        )

    def drop(self, namespace: str, name: str, *keys: str) -> None:
        """Read them anew the next time: a server did not accept what they say."""
        self._known.drop((namespace, name, keys))

    async def close(self) -> None:
        """Give up what is under way."""
        await self._known.close()

    async def _read(self, namespace: str, name: str, keys: tuple[str, ...]) -> Values | NoData:
        try:
            async with asyncio.timeout(LIMIT_S), self._reads:
                found = await self._kube.get(SECRETS.item(namespace, name))
        except TimeoutError:
            message = f"Secret {name} was not read in time: check that the API server answers"
            return NoData(NoDataReason.TIMEOUT, message)
        except KubeError as error:
            return _explain(error, namespace, name)
        values = []
        for key in keys:
            value = _value(found, name, key)
            if isinstance(value, NoData):
                return value
            values.append(value)
        return tuple(values)


def _value(found: Mapping[str, Any], name: str, key: str) -> SecretText | NoData:
    encoded = (found.get("data") or {}).get(key)
    if encoded is None:
        message = f"Secret {name} has no key {key}: add it, or name another one"
        return NoData(NoDataReason.SECRET_KEY_MISSING, message)
    try:
        # Whoever made it with `echo` has put a line's end into it.
        text = base64.b64decode(encoded, validate=True).decode().strip()
    except (binascii.Error, TypeError, ValueError):
        message = f"key {key} of Secret {name} is no text: store the bare value in it"
        return NoData(NoDataReason.SECRET_KEY_MISSING, message)
    if not 0 < len(text) <= LONGEST:
        message = f"key {key} of Secret {name} must hold 1 to {LONGEST} characters"
        return NoData(NoDataReason.SECRET_KEY_MISSING, message)
    return SecretText(text)


def _explain(error: KubeError, namespace: str, name: str) -> NoData:
    if isinstance(error, NotFoundError):
        message = f"Secret {name} does not exist in namespace {namespace}: create it"
        return NoData(NoDataReason.SECRET_NOT_READABLE, message)
    if isinstance(error, ForbiddenError | UnauthorizedError):
        message = (
            f"we may not read Secret {name} in namespace {namespace}: bind ClusterRole "
            f"{CLUSTER_ROLE} to our ServiceAccount there by a RoleBinding, as "
            "manifests/samples/secrets.yaml does"
        )
        return NoData(NoDataReason.SECRET_NOT_READABLE, message)
    message = f"Secret {name} cannot be read now: check that the API server answers"
    return NoData(NoDataReason.UNREACHABLE, message)
