"""Contexts of TLS for sources, made in a thread and kept: one takes tens of milliseconds."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from budaiscaler.domain.api.sources import SourceTls
from budaiscaler.domain.readings import NoData, NoDataReason

MOST = 256
"""Kept at a time; the one that was not used for longest goes first."""
LIMIT_S = 10.0

_Key = tuple[str | None, bool]


@dataclass(slots=True)
class TlsContexts:
    """Makes each context once. Close at the end."""

    _known: OrderedDict[_Key, asyncio.Future[ssl.SSLContext | NoData]] = field(
        default_factory=OrderedDict
    )
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "source-tls")
    )

    async def context(self, tls: SourceTls | None) -> ssl.SSLContext | NoData | None:
        """Give the context that checks certificates as the source says; None is the usual one."""
        if tls is None:
            return None
        return await self._get((tls.ca_bundle or None, tls.insecure_skip_verify))

    async def close(self) -> None:
        """Let go of the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _get(self, key: _Key) -> ssl.SSLContext | NoData:
        made = self._known.get(key)
        if made is None or made.cancelled():
            made = asyncio.get_running_loop().run_in_executor(self._threads, _make, *key)
            self._known[key] = made
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await asyncio.shield(made)
        except TimeoutError:
            message = "TLS could not be set up in time: too many different caBundles are waiting"
            return NoData(NoDataReason.TIMEOUT, message)


def _make(ca_bundle: str | None, insecure: bool) -> ssl.SSLContext | NoData:  # noqa: FBT001 - as cached
    if insecure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_bundle is None:
        return ssl.create_default_context()
    try:
        pem = base64.b64decode(ca_bundle, validate=True).decode("ascii")
        return ssl.create_default_context(cadata=pem)
    except (binascii.Error, ValueError, ssl.SSLError):
        message = (
            "tls.caBundle holds no certificates: write PEM there, base64-encoded, for example by "
            "base64 -w0 ca.crt"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
