"""Schemas of custom resources: what is pruned, filled in, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import structural, validating

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "default": 1},
                "inner": {
                    "type": "object",
                    "default": {},
                    "properties": {"name": {"type": "string", "default": "x"}},
                },
                "items": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "string"}}},
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "marks": {"type": "object", "additionalProperties": {"type": "string"}},
                "maybe": {"type": "string", "nullable": True},
            },
        }
    },
}

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["count", "inner", "items", "a", "free", "x"]), inner)
    ),
    max_leaves=10,
)


def test_pruning_tells_what_it_dropped() -> None:
    """With the path of each; what an object carries by right stays."""
    body = {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": "a", "nmae": "b"},
        "extra": 1,
        "spec": {
            "cuont": 2,
            "items": [{"a": "x"}, {"b": "y"}],
            "free": {"anything": {"goes": True}},
            "marks": {"any": "key"},
        },
    }
    pruned, dropped = structural.prune(body, SCHEMA)

    assert dropped == ["extra", "metadata.nmae", "spec.cuont", "spec.items[1].b"]
    assert pruned["spec"] == {
        "items": [{"a": "x"}, {}],
        "free": {"anything": {"goes": True}},
        "marks": {"any": "key"},
    }
    assert pruned["metadata"] == {"name": "a"}


def test_defaults_are_filled_in_from_the_outside_in() -> None:
    """A default may be an object that itself has defaults."""
    assert structural.default({"spec": {}}, SCHEMA)["spec"] == {"count": 1, "inner": {"name": "x"}}
    assert "spec" not in structural.default({}, SCHEMA)


def test_null_counts_as_left_out_unless_it_is_allowed() -> None:
    """So a null cannot undo a default."""
    filled = structural.default({"spec": {"count": None, "maybe": None}}, SCHEMA)
    assert (filled["spec"]["count"], filled["spec"]["maybe"]) == (1, None)


@given(plain)
def test_pruning_and_defaulting_are_done_after_one_round(value: Any) -> None:
    """Whatever was sent, what is stored comes out of a second round unchanged."""
    body = {"spec": value}
    once = structural.default(structural.prune(body, SCHEMA)[0], SCHEMA)
    twice, dropped = structural.prune(once, SCHEMA)

    assert dropped == []
    assert structural.default(twice, SCHEMA) == once


@pytest.mark.parametrize(
    ("schema", "good", "bad", "told"),
    [
        pytest.param({"maximum": 3}, 3, 4, "less than or equal to 3", id="maximum"),
        pytest.param(
            {"maximum": 3, "exclusiveMaximum": True}, 2, 3, "less than 3", id="exclusive-maximum"
        ),
        pytest.param({"minimum": 1}, 1, 0, "greater than or equal to 1", id="minimum"),
        pytest.param(
            {"minimum": 1, "exclusiveMinimum": True}, 2, 1, "greater than 1", id="exclusive-minimum"
        ),
        pytest.param({"multipleOf": 5}, 10, 11, "multiple of 5", id="multiple"),
        pytest.param({"minLength": 2}, "ab", "a", "at least 2 chars", id="short"),
        pytest.param({"maxLength": 2}, "ab", "abc", "more than 2", id="long"),
        pytest.param({"pattern": "^a"}, "ab", "b", "should match '^a'", id="pattern"),
        pytest.param({"minItems": 1}, [1], [], "at least 1 items", id="few-items"),
        pytest.param({"maxItems": 1}, [1], [1, 2], "at most 1 items", id="many-items"),
        pytest.param({"minProperties": 1}, {"a": 1}, {}, "at least 1 properties", id="few"),
        pytest.param({"maxProperties": 0}, {}, {"a": 1}, "at most 0 items", id="many"),
        pytest.param(
            {"x-kubernetes-list-type": "set"}, [1, 2], [1, 1], "Duplicate value: 1", id="set"
        ),
        pytest.param({"type": "integer"}, 2.0, 2.5, "must be of type integer", id="integer"),
        pytest.param({"type": "integer"}, 2, True, '"boolean"', id="boolean-is-no-number"),
        pytest.param({"type": "boolean"}, True, 1, '"integer"', id="number-is-no-boolean"),
        pytest.param({"type": "string", "nullable": True}, None, 1, '"integer"', id="nullable"),
        pytest.param({"type": "string"}, "", None, '"null"', id="null"),
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1, True, "(anyOf)", id="any"
        ),
        pytest.param(
            {"oneOf": [{"minimum": 1}, {"minimum": 5}]}, 2, 6, "(oneOf)", id="one-and-only-one"
        ),
        pytest.param({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4, "equal to 3", id="all"),
        pytest.param({"not": {"enum": ["a"]}}, "b", "a", "(not)", id="not"),
    ],
)
def test_what_a_schema_forbids(schema: Json, good: Any, bad: Any, told: str) -> None:
    """Each rule lets the one through and names what is wrong with the other."""
    whole = {"properties": {"x": schema}}

    assert validating.check({"x": good}, whole) == []
    (cause,) = validating.check({"x": bad}, whole)
    assert told in cause.message
    assert cause.field.startswith("x")
