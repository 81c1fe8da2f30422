"""Who asks."""

from __future__ import annotations

from typing import NamedTuple

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"


class User(NamedTuple):
    """An identity as the authorizer wants it; hashed at every request, which tuples are fast at."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def authenticated(user: User) -> User:
    """Append the group of everybody who proved an identity.

    The front proxy sends `system:aggregator` without any group; without this one the stock RBAC
    does not let it read discovery. Whom it names as anonymous has proved nothing, to it neither.
    """
    if (
        AUTHENTICATED in user.groups
        or UNAUTHENTICATED in user.groups
        or user.name == ANONYMOUS.name
    ):
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)
