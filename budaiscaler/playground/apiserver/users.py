"""Who there is, by bearer token, and what the reviews say about them.

Whoever has a token may do anything, and who has none nothing: there is no RBAC here. The objects of
it are stored, and nobody reads them; the real server proves them in `e2e`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from adapter.identity import ANONYMOUS, MASTERS, User, authenticated
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Kind

ADMIN = authenticated(User(name="admin", groups=(MASTERS,)))
_SERVICE_ACCOUNT = "system:serviceaccount:"
_ANYTHING: Json = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_ANY_PATH: Json = {"verbs": ["*"], "nonResourceURLs": ["*"]}


@dataclass(slots=True)
class Users:
    """Users by token, and tokens by name."""

    _by_token: dict[str, User] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, name: str) -> str:
        """The token of a user, who exists from now on."""
        if name not in self._tokens:
            token = secrets.token_urlsafe(24)
            self._tokens[name] = token
            self._by_token[token] = _user(name)
        return self._tokens[name]

    def find(self, token: str) -> User | None:
        """Whose token it is."""
        return self._by_token.get(token)

    def review(self, kind: Kind, asker: User, body: Any) -> Json:
        """Answer a review.

        Raises:
            KubeStatusError: 400, it is none.
        """
        if not isinstance(body, dict):
            raise failures.bad_request("the body is no object")
        spec = body.get("spec") or {}
        if kind.kind.endswith("AccessReview"):
            _check_access(kind, spec)
        status = self._status(kind, asker, spec)
        metadata = {"creationTimestamp": None, **(body.get("metadata") or {})}
        told: Json = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return {**told, "spec": spec, "status": status} if spec else {**told, "status": status}

    def _status(self, kind: Kind, asker: User, spec: Json) -> Json:
        match kind.kind:
            case "TokenReview":
                user = self.find(str(spec.get("token", "")))
                if user is None:
                    return {"user": {}, "error": "invalid bearer token"}
                return {"authenticated": True, "user": _info(user)}
            case "SelfSubjectReview":
                return {"userInfo": _info(asker)}
            case "SelfSubjectRulesReview":
                return {
                    "resourceRules": [_ANYTHING],
                    "nonResourceRules": [_ANY_PATH],
                    "incomplete": False,
                }
            case "SelfSubjectAccessReview":
                return {"allowed": True, "reason": "everybody who is known may do anything here"}
            case _:
                name = spec.get("user", "")
                is_known = bool(name or spec.get("groups")) and name != ANONYMOUS.name
                reason = "everybody but the anonymous may do anything here"
                return {"allowed": is_known, "reason": reason}


def _check_access(kind: Kind, spec: Json) -> None:
    asked = [spec.get(name) for name in ("resourceAttributes", "nonResourceAttributes")]
    if sum(one is not None for one in asked) != 1:
        message = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause("FieldValueInvalid", f"Invalid value: null: {message}", "spec")
        raise failures.invalid(kind, "", [cause])


def _user(name: str) -> User:
    if name == ADMIN.name:
        return ADMIN
    groups: tuple[str, ...] = ()
    if name.startswith(_SERVICE_ACCOUNT):
        namespace = name.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return authenticated(User(name=name, groups=groups))


def _info(user: User) -> Json:
    info: Json = {"username": user.name, "groups": list(user.groups)}
    return {**info, "uid": user.uid} if user.uid else info
