"""What the operator holds for Prometheus: read from files that are mounted, and read again.

Whoever may write scalers gets none of it: it goes to servers that the operator named, and where it
goes nothing of a scaler's goes along. A header of theirs beside our token could choose another
tenant, and their `tls` could switch off the check of who is given the token.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from budaiscaler.domain.api.sources import MetricsSource, SourceTls
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.credentials import (
    RequestOptions,
    basic_authorization,
    deadline,
    identity,
    is_sendable,
)
from budaiscaler.sources.secrets import KEPT_S, SecretText
from budaiscaler.sources.trust import TlsContexts

LIMIT_S = 5.0
LARGEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class OperatorAccess:
    """What the operator sets for Prometheus.

    Attributes:
        url: of the operator's own, for sources that name none.
        bearer_token_file: holds the token.
        basic_auth_file: holds `user:password`.
        ca_file: holds the authorities to trust instead of the system's.
        headers: sent along.
        credentials_for: further base URLs that all of this goes to.
        enforced_label: every selector must carry the scaler's namespace under it; empty is off.
    """

    url: str | None = None
    bearer_token_file: Path | None = None
    basic_auth_file: Path | None = None
    ca_file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()
    credentials_for: tuple[str, ...] = ()
    enforced_label: str = ""

    @property
    def holds_any(self) -> bool:
        """Whether there is anything to send, or to check a server by."""
        files = (self.bearer_token_file, self.basic_auth_file, self.ca_file)
        return any(files) or bool(self.headers) or "@" in urlsplit(self.url or "").netloc


class OperatorCredentials:
    """Options of the operator's; see `Credentials`."""

    def __init__(
        self,
        access: OperatorAccess,
        tls: TlsContexts,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._tls = tls
        self._files: Shared[Path, SecretText | NoData] = Shared(clock)

    async def options(self, _: str, source: MetricsSource) -> RequestOptions | NoData:
        """See `Credentials.options`; refuses what the source would send itself."""
        if (refusal := _refusal(source)) is not None:
            return refusal
        headers = await self._headers()
        if isinstance(headers, NoData):
            return headers
        ca = await self._read(self._access.ca_file, "--prometheus-ca-file")
        if isinstance(ca, NoData):
            return ca
        context = await self._tls.context(_bundle(ca))
        if isinstance(context, NoData):
            return _unusable("the file of the operator's --prometheus-ca-file has no certificates")
        deadline_s = deadline(source)
        if isinstance(deadline_s, NoData):
            return deadline_s
        sent = identity("operator", *(f"{name}:{headers[name]}" for name in sorted(headers)))
        return RequestOptions(
            headers,
            context,
            deadline_s=deadline_s,
            identity=identity(sent, ca.reveal() if ca is not None else "", f"{deadline_s}"),
            refused=self._drop,
        )

    async def close(self) -> None:
        """Give up what is being read."""
        await self._files.close()

    async def _headers(self) -> dict[str, str] | NoData:
        headers = {name.lower(): value for name, value in self._access.headers}
        authorization = await self._authorization()
        if isinstance(authorization, NoData):
            return authorization
        if authorization is not None:
            headers["authorization"] = authorization
        if not all(map(is_sendable, headers.values())):
            return _unusable("what the operator has us send has characters no header may have")
        return headers

    async def _authorization(self) -> str | NoData | None:
        token = await self._read(self._access.bearer_token_file, "--prometheus-bearer-token-file")
        if token is not None:
            return token if isinstance(token, NoData) else f"Bearer {token.reveal()}"
        pair = await self._read(self._access.basic_auth_file, "--prometheus-basic-auth-file")
        if pair is None or isinstance(pair, NoData):
            return pair
        user, colon, password = pair.reveal().partition(":")
        if not colon:
            return _unusable("--prometheus-basic-auth-file must hold user:password")
        return basic_authorization(SecretText(user), SecretText(password))

    async def _read(self, path: Path | None, flag: str) -> SecretText | NoData | None:
        if path is None:
            return None
        return await self._files.get(path, KEPT_S, lambda: _load(path, flag))

    def _drop(self) -> None:
        for path in (self._access.bearer_token_file, self._access.basic_auth_file):
            if path is not None:
                self._files.drop(path)


def _refusal(source: MetricsSource) -> NoData | None:
    fields = {
        "headers": source.headers,
        "headersFrom": source.headers_from,
        "auth": source.auth,
        "tls": source.tls,
    }
    given = [name for name, value in fields.items() if value]
    if not given:
        return None
    message = (
        "this Prometheus is asked with the operator's credentials: leave out "
        f"{' and '.join(given)}, or name an endpoint of your own"
    )
    return NoData(NoDataReason.BAD_ENDPOINT, message)


def _bundle(ca: SecretText | None) -> SourceTls | None:
    if ca is None:
        return None
    return SourceTls.model_construct(ca_bundle=base64.b64encode(ca.reveal().encode()).decode())


async def _load(path: Path, flag: str) -> SecretText | NoData:
    try:
        async with asyncio.timeout(LIMIT_S):
            text = await asyncio.to_thread(_text, path)
    except (OSError, ValueError):  # no UTF-8 is a ValueError, and a time-out an OSError
        return _unusable(f"the file of the operator's {flag} cannot be read: have it mounted")
    return SecretText(text) if text else _unusable(f"the file of {flag} is empty")


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES).decode().strip()


def _unusable(message: str) -> NoData:
    return NoData(NoDataReason.SECRET_NOT_READABLE, message)
