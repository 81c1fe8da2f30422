"""Sets of fields: what of an object can be owned, and how it is written down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import fieldsets
from budaiscaler.playground.apiserver.shapes import Shape

SCHEMA: Json = {
    "properties": {
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
        "words": {"type": "array", "items": {"type": "string"}},
        "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"],
            "items": {"properties": {"protocol": {"default": "TCP"}}},
        },
    }
}
OBJECT: Json = {
    "plain": {"a": 1, "b": {"c": None}},
    "empty": {},
    "whole": {"a": 1, "b": 2},
    "words": ["x", "y"],
    "names": ["n", "m"],
    "ports": [{"port": 80, "name": "web"}],
}
PORT = 'k:{"port":80,"protocol":"TCP"}'
PATHS = {
    ("f:plain", "f:a"),
    ("f:plain", "f:b", "f:c"),
    ("f:empty",),
    ("f:whole",),
    ("f:words",),
    ("f:names", 'v:"n"'),
    ("f:names", 'v:"m"'),
    ("f:ports", PORT),
    ("f:ports", PORT, "f:port"),
    ("f:ports", PORT, "f:name"),
}

elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "f:."])
paths = st.lists(elements, min_size=1, max_size=4).map(tuple)


def test_what_can_be_owned() -> None:
    """Fields one by one, lists as their schema says, and what is atomic as a whole."""
    assert set(fieldsets.leaves(OBJECT, Shape(SCHEMA))) == PATHS


def test_items_of_built_in_kinds_are_told_apart_by_the_table() -> None:
    """Containers by name, their ports by number and protocol, conditions by type."""
    pod = {
        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    found = fieldsets.leaves(pod, Shape())

    container = ("f:spec", "f:containers", 'k:{"name":"a"}')
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    assert (*container, "f:ports", port, "f:containerPort") in found
    assert ("f:status", "f:conditions", 'k:{"type":"Ready"}', "f:status") in found


def test_a_list_with_an_item_without_its_key_is_owned_as_a_whole() -> None:
    """Nobody could tell its items apart."""
    found = fieldsets.leaves({"ports": [{"name": "x"}]}, Shape(SCHEMA))
    assert set(found) == {("f:ports",)}


@given(st.sets(paths, max_size=8))
def test_written_and_read_again(known: set[fieldsets.Path]) -> None:
    """`fieldsV1` loses nothing: also that an object is owned itself, and fields in it."""
    known = {path for path in known if "f:." not in path}
    assert fieldsets.decode(fieldsets.encode(known)) == known


def test_taking_a_field_out() -> None:
    """Only that one goes, and the object it is taken from stays as it was."""
    shape = Shape(SCHEMA)
    changed = fieldsets.without(OBJECT, ("f:plain", "f:b", "f:c"), shape)
    changed = fieldsets.without(changed, ("f:names", 'v:"n"'), shape)
    changed = fieldsets.without(changed, ("f:ports", PORT, "f:name"), shape)

    assert changed == {
        **OBJECT,
        "plain": {"a": 1, "b": {}},
        "names": ["m"],
        "ports": [{"port": 80}],
    }
    assert "name" in OBJECT["ports"][0]
    assert fieldsets.without(changed, ("f:ports", PORT), shape)["ports"] == []
    assert fieldsets.without(changed, ("f:nowhere", "f:a"), shape) == changed


def test_paths_in_messages() -> None:
    """As a person would write them."""
    path = ("f:spec", "f:ports", PORT, "f:name")
    assert fieldsets.dotted(path) == '.spec.ports[port=80,protocol="TCP"].name'
    assert fieldsets.dotted(("f:names", 'v:"n"')) == '.names[="n"]'
