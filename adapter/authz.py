"""May they: delegated to the cluster by SubjectAccessReview, and closed when it cannot answer."""

from __future__ import annotations

from typing import NamedTuple

from adapter.identity import ANONYMOUS, MASTERS, User
from adapter.reviews import RefusedError, Reviews
from adapter.wire import GROUP, VERSION, ApiError
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import SUBJECT_ACCESS_REVIEWS

ALWAYS_ALLOWED = frozenset({"/healthz", "/livez", "/readyz"})
"""Probes come anonymously; sub-paths are not among them, as in the Go library."""

UNAVAILABLE = "access cannot be checked now: no SubjectAccessReview"


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
    """Asks the cluster, and remembers both answers for ten seconds.

    What anybody asks without credentials waits in a line of its own, so that a flood of it makes no
    HPA wait.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._of_anybody = Reviews(self._ask, UNAVAILABLE)
        self._of_known = Reviews(self._ask, UNAVAILABLE)

    async def authorize(self, user: User, attributes: Attributes) -> None:
        """Return if it is allowed.

        Raises:
            ApiError: 403 when it is not, 503 when nobody can tell.
        """
        if MASTERS in user.groups or attributes.path in ALWAYS_ALLOWED:
            return
        reviews = self._of_anybody if user is ANONYMOUS else self._of_known
        try:
            await reviews.granted(user, attributes)
        except RefusedError:
            raise ApiError(
                403,
                f'{attributes.resource or "path"} is forbidden: User "{user.name}" {attributes}',
            ) from None

    async def _ask(self, user: User, attributes: Attributes) -> bool | None:
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
        answer = await self._kube.create(SUBJECT_ACCESS_REVIEWS.collection(), body)
        return (answer.get("status") or {}).get("allowed") is True or None
