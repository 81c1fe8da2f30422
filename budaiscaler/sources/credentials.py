"""What is sent beside a request: headers, credentials, and how the other side is checked.

Asked once a fetch, for a scaler's namespace and source, so a rotated Secret is used as soon as it
is seen. Whatever is shared between scalers afterwards (answers, connections, breakers) is kept by
`RequestOptions.identity`, so that nobody gets what another one's credentials fetched.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets as randomness
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

from budaiscaler.domain.api import durations
from budaiscaler.domain.api.rules.sources import HEADER_NAME, HEADER_VALUE, HEADERS_OF_OURS
from budaiscaler.domain.api.sources import MetricsSource, SourceAuth
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.secrets import SecretReader, SecretText
from budaiscaler.sources.trust import TlsContexts

_KEY = randomness.token_bytes(32)
"""Of the identities, which are kept: what they are made of cannot be guessed from them."""


def _nothing() -> None:
    """Forget nothing."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Ready to be sent with a request.

    Attributes:
        headers: by name in lower case; values of Secrets among them.
        tls: checks certificates; None is by the system's authorities.
        server_name: to expect in the certificate; None expects the host.
        deadline_s: longest time for the request; None is the operator's.
        identity: the same for whoever may share an answer; says nothing of what it is made of.
        refused: to be called when the server did not accept the credentials (401 or 403).
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    deadline_s: float | None = None
    identity: str = ""
    refused: Callable[[], None] = field(default=_nothing, compare=False, repr=False)


PLAIN = RequestOptions()
"""Nothing beside the request."""


class Credentials(Protocol):
    """Makes options of what users write."""

    async def options(self, namespace: str, source: MetricsSource) -> RequestOptions | NoData:
        """Give what to send, or say what of it cannot be had; ends within a time limit."""
        ...


class SourceCredentials:
    """Options from a source's fields and from Secrets of its namespace."""

    def __init__(self, secrets: SecretReader, tls: TlsContexts) -> None:
        self._secrets = secrets
        self._tls = tls

    async def options(self, namespace: str, source: MetricsSource) -> RequestOptions | NoData:
        """See `Credentials.options`."""
        deadline_s = deadline(source)
        if isinstance(deadline_s, NoData):
            return deadline_s
        reading = _Reading(self._secrets, namespace)
        headers = await _headers(reading, source)
        if isinstance(headers, NoData):
            return headers
        context = await self._tls.context(source.tls)
        if isinstance(context, NoData):
            return context
        tls = source.tls
        return RequestOptions(
            headers,
            context,
            tls.server_name if tls is not None else None,
            deadline_s,
            identity(
                namespace if reading.read else "",
                *(f"{name}:{headers[name]}" for name in sorted(headers)),
                tls.model_dump_json() if tls is not None else "",
                f"{deadline_s}",
            ),
            reading.drop,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one source reads of Secrets.

    Attributes:
        read: name and keys of each.
    """

    secrets: SecretReader
    namespace: str
    read: list[tuple[str, ...]] = field(default_factory=list)

    async def values(self, name: str, *keys: str) -> tuple[SecretText, ...] | NoData:
        """Give the values of keys of a Secret."""
        self.read.append((name, *keys))
        return await self.secrets.read(self.namespace, name, *keys)

    def drop(self) -> None:
        """Read all of it anew the next time."""
        for name, *keys in self.read:
            self.secrets.drop(self.namespace, name, *keys)


async def _headers(reading: _Reading, source: MetricsSource) -> dict[str, str] | NoData:
    headers = {name.lower(): value for name, value in (source.headers or {}).items()}
    for entry in source.headers_from or ():
        name = entry.name.lower()
        if not re.fullmatch(HEADER_NAME, name) or name in HEADERS_OF_OURS or name in headers:
            return _bad(f"headersFrom cannot set {name!r}: it is set already, or not yours to set")
        values = await reading.values(entry.secret_key_ref.name, entry.secret_key_ref.key)
        if isinstance(values, NoData):
            return values
        headers[name] = values[0].reveal()
    authorization = await _authorization(reading, source.auth or SourceAuth())
    if isinstance(authorization, NoData):
        return authorization
    if authorization is not None:
        if "authorization" in headers:
            return _bad("auth is set and headers have Authorization: leave one of them out")
        headers["authorization"] = authorization
    unsendable = [name for name, value in headers.items() if not is_sendable(value)]
    if unsendable:
        return _bad(f"the value of header {unsendable[0]} has characters that no header may have")
    return headers


async def _authorization(reading: _Reading, auth: SourceAuth) -> str | NoData | None:
    token, basic = auth.bearer_token_secret_ref, auth.basic_secret_ref
    if token is not None and basic is not None:
        return _bad("auth has a bearer token and a basic one: leave one of them out")
    if token is not None:
        values = await reading.values(token.name, token.key)
        return values if isinstance(values, NoData) else f"Bearer {values[0].reveal()}"
    if basic is None:
        return None
    values = await reading.values(basic.name, basic.username_key, basic.password_key)
    return values if isinstance(values, NoData) else basic_authorization(*values)


def basic_authorization(user: SecretText, password: SecretText) -> str:
    """Value of the header for a user and a password."""
    pair = f"{user.reveal()}:{password.reveal()}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def secrets(options: RequestOptions, endpoint: str) -> tuple[str, ...]:
    """What a server is sent that must not be repeated: values of headers, and passwords in them."""
    sent = list(options.headers.values())
    parts = urlsplit(endpoint)
    if parts.password:
        user, password = (
            SecretText(unquote(text or "")) for text in (parts.username, parts.password)
        )
        sent.append(basic_authorization(user, password))
    told = {word for value in sent for word in value.split()} - {"Basic", "Bearer"}
    for word in tuple(told):
        with suppress(ValueError):
            told.add(base64.b64decode(word, validate=True).decode().partition(":")[2])
    return tuple(told)


def identity(*parts: str) -> str:
    """Digest texts so that only the same ones give the same, and none can be told from it."""
    digest = hashlib.blake2b(key=_KEY, digest_size=16)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def is_sendable(value: str) -> bool:
    """Whether a header may have this value."""
    return re.fullmatch(HEADER_VALUE, value) is not None


def deadline(source: MetricsSource) -> float | NoData | None:
    """Longest time that the source gives one request, in seconds; None if it leaves that open."""
    text = source.scrape_timeout
    if text is None:
        return None
    try:
        seconds = durations.parse_s(text)
    except InvalidSpecError as error:
        return _bad(f"scrapeTimeout: {error}")
    return seconds if seconds > 0 else _bad("scrapeTimeout must be above 0: write for example 2s")


def _bad(message: str) -> NoData:
    return NoData(NoDataReason.BAD_ENDPOINT, message)
