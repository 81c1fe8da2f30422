"""Who owns whom: what a garbage collector knows, kept up to date by the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.store import Change, Key, Store


@dataclass(slots=True)
class Dependents:
    """Objects by the uids of their owners."""

    store: Store
    _owned: dict[str, set[Key]] = field(default_factory=dict)
    _living: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store.subscribe(self._follow)

    def of(self, uid: str) -> list[Key]:
        """What names that object as an owner."""
        return sorted(self._owned.get(uid, ()))

    def abandoned_by(self, uid: str) -> list[Key]:
        """What that object, which is gone, owned, and no other object does."""
        return [
            key
            for key in self.of(uid)
            if (found := self.store.find(key)) is not None and self.is_abandoned(found)
        ]

    def is_abandoned(self, body: Json) -> bool:
        """Whether an object has owners, and none of them exists."""
        owners = owner_uids(body)
        return bool(owners) and not any(uid in self._living for uid in owners)

    def _follow(self, change: Change) -> None:
        if change.before is not None:
            for uid in owner_uids(change.before):
                self._owned.get(uid, set()).discard(change.key)
                if not self._owned.get(uid):
                    self._owned.pop(uid, None)
        uid = change.after["metadata"].get("uid", "")
        if change.type == "DELETED":
            self._living.discard(uid)
            return
        self._living.add(uid)
        for owner in owner_uids(change.after):
            self._owned.setdefault(owner, set()).add(change.key)


def owner_uids(body: Json) -> list[str]:
    """The uids of an object's owners."""
    return [owner["uid"] for owner in body["metadata"].get("ownerReferences") or ()]
