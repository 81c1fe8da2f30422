"""APIServices: whether those who serve them answer, and handing requests over to them, over TLS.

As kube-aggregator does it: the server's certificate is checked against the caBundle and the name
`<service>.<namespace>.svc`, ours is the front proxy's, and headers tell who asks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDict

from adapter.identity import MASTERS, User
from budaiscaler.domain import times
from budaiscaler.domain.errors import KubeStatusError
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures
from budaiscaler.playground.apiserver.discovery import Aggregated
from budaiscaler.playground.apiserver.requests import Request
from budaiscaler.playground.apiserver.store import Change, Key, Store

STORE = "apiservices.apiregistration.k8s.io"
TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=2.0)
CHECK_EVERY_S = 2.0
_AGGREGATOR = User(name="system:kube-aggregator", groups=(MASTERS,))


class Handed(NamedTuple):
    """What an aggregated server answered."""

    status: int
    content_type: str
    body: bytes


@dataclass(slots=True)
class Aggregator:
    """Knows every APIService. Use as an async context manager.

    Attributes:
        certificate: file with the certificate of the front proxy.
        key: file with its key.
        now: for the times of conditions.
    """

    store: Store
    certificate: Path
    key: Path
    now: Callable[[], datetime]
    _heard: dict[str, tuple[tuple[Json, ...], bool]] = field(default_factory=dict)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.store.subscribe(self._follow)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def versions(self) -> list[Aggregated]:
        """What others serve, as far as it was heard."""
        return [
            Aggregated(
                service["spec"]["group"],
                service["spec"]["version"],
                *self._heard.get(service["metadata"]["name"], ((), False)),
            )
            for service in self._services()
        ]

    def find(self, group: str, version: str) -> Json | None:
        """The APIService by which others serve that version."""
        found = self.store.find(Key(STORE, "", f"{version}.{group}"))
        return found if found is not None and found["spec"].get("service") else None

    def serves(self, group: str) -> bool:
        """Whether others serve a version of that group."""
        return any(service["spec"]["group"] == group for service in self._services())

    async def hand_over(self, service: Json, request: Request) -> Handed:
        """Let the server of an APIService answer.

        Raises:
            KubeStatusError: 503, it cannot be reached or its certificate is not the right one.
        """
        headers = CIMultiDict({"Accept": request.accept or "application/json"})
        if request.raw:
            headers["Content-Type"] = request.content_type
        query = f"?{urlencode(request.query)}" if request.query else ""
        return await self._ask(
            service, request.method, f"{request.path}{query}", request.user, headers, request.raw
        )

    async def run(self) -> None:
        """Keep the conditions of all APIServices true, until cancelled."""
        while True:
            self._changed.clear()
            async with asyncio.TaskGroup() as group:
                for service in self._services():
                    group.create_task(self._check(service))
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _services(self) -> Iterator[Json]:
        return (body for body in self.store.objects(STORE) if body["spec"].get("service"))

    def _follow(self, change: Change) -> None:
        # Only the spec is of interest: the status of an APIService is what we write.
        is_same = change.before is not None and change.before.get("spec") == change.after.get(
            "spec"
        )
        is_news = change.type == "DELETED" or not is_same
        if is_news and change.key.collection in {STORE, "services"}:
            self._changed.set()

    async def _check(self, service: Json) -> None:
        name, spec = service["metadata"]["name"], service["spec"]
        path = f"/apis/{spec['group']}/{spec['version']}"
        resources: tuple[Json, ...] = self._heard.get(name, ((), False))[0]
        try:
            handed = await self._ask(service, "GET", path, _AGGREGATOR, CIMultiDict(), b"")
            if handed.status != 200:  # noqa: PLR2004 - HTTP
                raise failures.unavailable(f"bad status from {path}: {handed.status}")
            resources = tuple(json.loads(handed.body).get("resources") or ())
        except KubeStatusError as error:
            is_there = self._service(spec["service"]) is not None
            reason = "FailedDiscoveryCheck" if is_there else "ServiceNotFound"
            self._tell(name, "False", reason, f"failing or missing response: {error}")
        except (AttributeError, ValueError) as error:
            message = f"{path} is no list of resources: {error}"
            self._tell(name, "False", "FailedDiscoveryCheck", message)
        else:
            self._heard[name] = (resources, True)
            self._tell(name, "True", "Passed", "all checks passed")
            return
        self._heard[name] = (resources, False)

    def _tell(self, name: str, status: str, reason: str, message: str) -> None:
        key = Key(STORE, "", name)
        service = self.store.find(key)
        if service is None:
            return
        known = (service.get("status") or {}).get("conditions") or ()
        condition: Json = next((one for one in known if one.get("type") == "Available"), {})
        if condition.get("status") == status and condition.get("reason") == reason:
            return
        since = condition.get("lastTransitionTime")
        if condition.get("status") != status or since is None:
            since = times.rfc3339(self.now())
        told = {
            "type": "Available",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        }
        others = [one for one in known if one.get("type") != "Available"]
        self.store.put(key, {**service, "status": {"conditions": [*others, told]}})

    async def _ask(
        self,
        service: Json,
        method: str,
        path: str,
        user: User,
        headers: CIMultiDict[str],
        raw: bytes,
    ) -> Handed:
        reference = service["spec"]["service"]
        name, namespace = reference["name"], reference["namespace"]
        host = self._host(reference)
        url = f"https://{host}:{reference.get('port', 443)}{path}"
        headers.add("X-Remote-User", user.name)
        for group in user.groups:
            headers.add("X-Remote-Group", group)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)
        try:
            async with self._session.request(
                method,
                url,
                data=raw or None,
                headers=headers,
                ssl=self._context(service["spec"]),
                server_hostname=f"{name}.{namespace}.svc",
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                return Handed(answer.status, answer.headers.get("Content-Type", ""), body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            cause = str(error) or type(error).__name__
            raise failures.unavailable(f"error trying to reach service: {cause}") from error

    def _host(self, reference: Json) -> str:
        service = self._service(reference)
        if service is None:
            raise failures.unavailable(
                f'service/{reference["name"]} in "{reference["namespace"]}" is not present'
            )
        return str(service["spec"].get("externalName") or "localhost")

    def _service(self, reference: Json) -> Json | None:
        return self.store.find(Key("services", reference["namespace"], reference["name"]))

    def _context(self, spec: Mapping[str, str]) -> ssl.SSLContext:
        bundle = spec.get("caBundle", "")
        key = f"{bundle}/{spec.get('insecureSkipTLSVerify')}"
        if key not in self._contexts:
            context = ssl.create_default_context()
            if spec.get("insecureSkipTLSVerify"):
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            elif bundle:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=_pem(bundle))
            context.load_cert_chain(self.certificate, self.key)
            self._contexts[key] = context
        return self._contexts[key]


def _pem(bundle: str) -> str:
    try:
        return base64.b64decode(bundle, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"spec.caBundle is no PEM in base64: {error}") from error
