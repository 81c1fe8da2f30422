"""The front proxy's configuration, watched, since its CA may rotate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from adapter.authn import RequestHeader
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import CONFIG_MAPS

NAMESPACE = "kube-system"
NAME = "extension-apiserver-authentication"

_log = structlog.get_logger()

Data = dict[str, str]


@dataclass(slots=True)
class WatchedRequestHeader:
    """Keeps the last good configuration.

    Attributes:
        changed: called with each new one, to have TLS trust its CA; raises `ConfigurationError`
            for a CA that is none.
    """

    kube: Kube
    changed: Callable[[RequestHeader], None]
    _current: RequestHeader | None = None
    _cache: Cache[Data] = field(init=False)

    def __post_init__(self) -> None:
        self._cache = Cache(
            self.kube,
            CONFIG_MAPS.collection(NAMESPACE),
            _data,
            field_selector=f"metadata.name={NAME}",
        )
        self._cache.subscribe(self._on_change)

    @property
    def current(self) -> RequestHeader | None:
        """The last good one; None before the first."""
        return self._current

    async def run(self) -> None:
        """Keep up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run())
            group.create_task(self._complain())

    async def _complain(self) -> None:
        """Say what is missing when nothing could be read; without it nobody can be believed."""
        while self._current is None:
            await asyncio.sleep(10)
            if self._current is None:
                _log.error(
                    "front_proxy_configuration_missing",
                    remedy=f"bind our service account in {NAMESPACE} to the role "
                    "extension-apiserver-authentication-reader by a RoleBinding",
                )

    def _on_change(self, _: Key, __: Data | None, new: Data | None) -> None:
        if new is None:
            return  # deleted: kube-apiserver writes it again; the last good one stands
        try:
            configuration = RequestHeader.read(new)
            self.changed(configuration)
        except ConfigurationError as error:
            _log.error("front_proxy_configuration_unusable", error=str(error))
        else:
            self._current = configuration


def _data(raw: Json, _: Data | None) -> Data:
    return dict(raw.get("data") or {})
