"""Who asks, and can it be believed: the front proxy's headers, or a bearer token.

Headers are believed only from a client whose certificate the TLS layer verified against the
requestheader CA, the only CA it trusts, and whose common name that configuration allows. Everything
else presents a token, which the cluster reviews. Nothing presented is anonymous; something
presented that does not hold is a refusal, never anonymous.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from adapter.identity import ANONYMOUS, User, authenticated
from adapter.reviews import RefusedError, Reviews
from adapter.wire import ApiError
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import TOKEN_REVIEWS

PeerCertificate = Mapping[str, Any]
"""A verified certificate as `ssl.SSLSocket.getpeercert` gives it."""


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """How the front proxy vouches, from `kube-system/extension-apiserver-authentication`.

    Attributes:
        client_ca: PEM bundle, the only one that may vouch.
        allowed_names: common names; empty allows any certificate of that CA.
        uid_headers: absent on older servers; then no uid is believed.
    """

    client_ca: str
    allowed_names: tuple[str, ...]
    username_headers: tuple[str, ...]
    group_headers: tuple[str, ...]
    extra_prefixes: tuple[str, ...]
    uid_headers: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Mapping[str, str]) -> RequestHeader:
        """Read the ConfigMap's data.

        Raises:
            ConfigurationError: when the cluster has no front proxy configured, so that nobody could
                reach us through the API server, or when it cannot be read.
        """
        client_ca = data.get("requestheader-client-ca-file", "")
        if not client_ca:
            raise ConfigurationError(
                "kube-system/extension-apiserver-authentication has no "
                "requestheader-client-ca-file: "
                "start kube-apiserver with --requestheader-client-ca-file and its companions"
            )

        def names(key: str) -> tuple[str, ...]:
            try:
                found = json.loads(data.get(key) or "[]")
            except ValueError:
                found = None
            if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
                raise ConfigurationError(
                    f"kube-system/extension-apiserver-authentication: {key} is no list of names"
                )
            return tuple(found)

        return cls(
            client_ca=client_ca,
            allowed_names=names("requestheader-allowed-names"),
            username_headers=names("requestheader-username-headers"),
            group_headers=names("requestheader-group-headers"),
            extra_prefixes=tuple(p.lower() for p in names("requestheader-extra-headers-prefix")),
            uid_headers=names("requestheader-uid-headers"),
        )

    def user(self, peer: PeerCertificate, headers: CIMultiDictProxy[str]) -> User | None:
        """Read the user a verified front proxy names; None when it names none.

        Raises:
            ApiError: 401 when this certificate may not vouch.
        """
        common_name = _common_name(peer)
        if self.allowed_names and common_name not in self.allowed_names:
            raise ApiError(
                401,
                f"the client certificate's name {common_name!r} is not among "
                f"requestheader-allowed-names {list(self.allowed_names)}",
            )
        name = next((value for key in self.username_headers if (value := headers.get(key))), None)
        if name is None:
            return None
        return User(
            name=name,
            groups=tuple(g for key in self.group_headers for g in headers.getall(key, [])),
            uid=next((value for key in self.uid_headers if (value := headers.get(key))), ""),
            extra=self._extra(headers),
        )

    def _extra(self, headers: CIMultiDictProxy[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: dict[str, list[str]] = {}
        for key, value in headers.items():
            for prefix in self.extra_prefixes:
                if key.lower().startswith(prefix):
                    # Header names carry `/` as %2f, and their case says nothing.
                    found.setdefault(unquote(key[len(prefix) :]).lower(), []).append(value)
        return tuple((key, tuple(values)) for key, values in sorted(found.items()))


class RequestHeaderSource(Protocol):
    """Where the front proxy's configuration comes from; it may change at any time."""

    @property
    def current(self) -> RequestHeader | None:
        """The last good one; None before the first."""
        ...


class Authenticator:
    """Turns credentials into a user."""

    def __init__(self, kube: Kube, request_header: RequestHeaderSource) -> None:
        self._kube = kube
        self._request_header = request_header
        self._reviews = Reviews(self._ask, "credentials cannot be checked now: no TokenReview")

    async def authenticate(
        self, peer: PeerCertificate | None, headers: CIMultiDictProxy[str]
    ) -> User:
        """Find out who asks.

        Args:
            peer: the client's certificate if it presented one and TLS verified it.
            headers: of the request.

        Raises:
            ApiError: 401 for credentials that do not hold, 503 when they cannot be checked.
        """
        configuration = self._request_header.current
        if peer and configuration is not None:
            user = configuration.user(peer, headers)
            if user is not None:
                return authenticated(user)
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            try:
                return await self._reviews.granted(token.strip())
            except RefusedError:
                raise ApiError(401, "the bearer token is not valid") from None
        if scheme:
            raise ApiError(401, "only bearer tokens and the front proxy are supported")
        return ANONYMOUS

    async def _ask(self, token: str) -> User | None:
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": "TokenReview",
            "spec": {"token": token},
        }
        answer = await self._kube.create(TOKEN_REVIEWS.collection(), body)
        status = answer.get("status") or {}
        if not status.get("authenticated"):
            return None
        user = status.get("user") or {}
        extra = user.get("extra") or {}
        return authenticated(
            User(
                name=user.get("username", ""),
                groups=tuple(user.get("groups") or ()),
                uid=user.get("uid", ""),
                extra=tuple((key, tuple(values)) for key, values in sorted(extra.items())),
            )
        )


def _common_name(peer: PeerCertificate) -> str:
    for relative_name in peer.get("subject", ()):
        for key, value in relative_name:
            if key == "commonName":
                return str(value)
    return ""
