"""May they: delegated to the cluster by SubjectAccessReview, and closed when it cannot answer."""

from __future__ import annotations

from typing import NamedTuple

from async_lru import alru_cache

from adapter.identity import MASTERS, User
from adapter.wire import GROUP, VERSION, ApiError
from budaiscaler.domain.errors import KubeError
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS

ALWAYS_ALLOWED = frozenset({"/healthz", "/livez", "/readyz"})
"""Probes come anonymously; sub-paths are not among them, as in the Go library."""

REMEMBER_S = 10.0
REMEMBERED = 4096


class Attributes(NamedTuple):
    """What is asked for; answers are remembered by it.

    A metric has `namespace` and `resource`, everything else a `path`.
    """

    verb: str
    path: str = ""
    namespace: str = ""
    resource: str = ""

    def spec(self) -> Json:
        """Render the part of a SubjectAccessReview that says what is asked."""
        if self.resource:
            return {
                "resourceAttributes": {
                    "verb": self.verb,
                    "group": GROUP,
                    "version": VERSION,
                    "namespace": self.namespace,
                    "resource": self.resource,
                }
            }
        return {"nonResourceAttributes": {"verb": self.verb, "path": self.path}}

    def __str__(self) -> str:
        if self.resource:
            return (
                f'cannot {self.verb} resource "{self.resource}" in API group "{GROUP}" '
                f'in the namespace "{self.namespace}"'
            )
        return f'cannot {self.verb} path "{self.path}"'


def of_metric(namespace: str, metric: str, *, watch: bool) -> Attributes:
    """Say what a read of a metric is: a GET without an object's name is a list."""
    return Attributes("watch" if watch else "list", namespace=namespace, resource=metric)


def of_path(method: str, path: str) -> Attributes:
    """Say what any other request is."""
    return Attributes("get" if method in {"GET", "HEAD"} else method.lower(), path=path)


class Authorizer:
    """Asks the cluster, and remembers both answers for ten seconds."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._review = alru_cache(maxsize=REMEMBERED, ttl=REMEMBER_S)(self._ask)

    async def authorize(self, user: User, attributes: Attributes) -> None:
        """Return if it is allowed.

        Raises:
            ApiError: 403 when it is not, 503 when nobody can tell.
        """
        if MASTERS in user.groups or attributes.path in ALWAYS_ALLOWED:
            return
        if not await self._review(user, attributes):
            raise ApiError(
                403,
                f'{attributes.resource or "path"} is forbidden: User "{user.name}" {attributes}',
            )

    async def _ask(self, user: User, attributes: Attributes) -> bool:
        body = {
            "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user.name,
                "groups": list(user.groups),
                "uid": user.uid,
                "extra": {key: list(values) for key, values in user.extra},
                **attributes.spec(),
            },
        }
        try:
            answer = await self._kube.create(SUBJECT_ACCESS_REVIEWS.collection(), body)
        except KubeError as error:
            raise ApiError(503, "access cannot be checked now: no SubjectAccessReview") from error
        return answer.get("status", {}).get("allowed") is True
