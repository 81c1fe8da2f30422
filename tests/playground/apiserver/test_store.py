"""The store keeps objects by collection, and remembers what changed for a while."""

from __future__ import annotations

import pytest

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import store as stores
from budaiscaler.playground.apiserver.store import Change, ForgottenError, Key, Store

A, B = Key("things", "ns", "a"), Key("things", "ns", "b")
OTHER = Key("others", "ns", "a")


def body(name: str = "a", **fields: object) -> Json:
    return {"metadata": {"name": name, "namespace": "ns"}, **fields}


def test_every_change_has_a_version_of_its_own() -> None:
    """Versions only rise, over all collections, and each object carries the one of its change."""
    store = Store()
    first = store.put(A, body())
    second = store.put(OTHER, body())
    third = store.put(A, body(changed=True))

    versions = [int(one["metadata"]["resourceVersion"]) for one in (first, second, third)]
    assert versions == sorted(set(versions))
    assert store.version == versions[-1]
    assert store.find(A) == third


def test_an_object_that_was_handed_out_stays_as_it_was() -> None:
    """A change makes a new object, so that who holds the old one may go on reading it."""
    store = Store()
    given = body()
    first = store.put(A, given)
    store.put(A, body(changed=True))

    assert "changed" not in first
    assert "resourceVersion" not in given["metadata"]


def test_lists_are_in_order_and_of_one_namespace() -> None:
    """By namespace and name, whatever came first."""
    store = Store()
    for name, namespace in (("b", "x"), ("a", "y"), ("a", "x")):
        store.put(Key("things", namespace, name), {"metadata": {"name": f"{namespace}/{name}"}})

    def names(namespace: str | None) -> list[str]:
        return [one["metadata"]["name"] for one in store.objects("things", namespace)]

    assert names(None) == ["x/a", "x/b", "y/a"]
    assert names("x") == ["x/a", "x/b"]
    assert names("z") == []


def test_history_tells_what_happened_since() -> None:
    """Each change once, of that collection only, with the state before it."""
    store = Store()
    store.put(A, body())
    since = store.version
    store.put(OTHER, body())
    store.put(A, body(changed=True))
    store.put(B, body("b"))
    store.remove(A)

    happened = store.since(since, "things")
    assert [(change.type, change.key) for change in happened] == [
        ("MODIFIED", A),
        ("ADDED", B),
        ("DELETED", A),
    ]
    assert happened[0].before is not None
    assert "changed" not in happened[0].before
    assert happened[2].after["metadata"]["resourceVersion"] == str(store.version)


def test_a_compacted_history_is_said_to_be_forgotten() -> None:
    """From before it nothing can be told, which is not the same as that nothing happened."""
    store = Store()
    store.put(A, body())
    since = store.version
    store.put(A, body(changed=True))
    store.compact()

    with pytest.raises(ForgottenError, match=f"too old resource version: {since}"):
        store.since(since, "things")
    assert store.since(store.version, "things") == []


def test_history_is_bounded() -> None:
    """A server that runs for days remembers the newest changes only, and knows what it forgot."""
    store = Store()
    start = store.version
    for _ in range(stores.HISTORY + 5):
        store.put(A, body())

    assert len(store.since(store.version - 3, "things")) == 3
    with pytest.raises(ForgottenError):
        store.since(start, "things")


def test_listeners_hear_every_change_until_they_leave() -> None:
    """In their order; who has left hears no more."""
    store, heard = Store(), list[Change]()
    leave = store.subscribe(heard.append)
    store.put(A, body())
    store.remove(A)
    leave()
    store.put(A, body())

    assert [change.type for change in heard] == ["ADDED", "DELETED"]
