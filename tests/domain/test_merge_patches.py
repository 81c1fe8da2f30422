"""Merge patches: RFC 7386, and the way back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import merge_patches


def _objects(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    plain = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        ),
        max_leaves=12,
    )
    return st.dictionaries(st.text(max_size=2), plain, max_size=4)


values = st.integers() | st.text(max_size=3)
objects, with_nulls = _objects(values), _objects(values | st.none())


@pytest.mark.parametrize(
    ("document", "patch", "wanted"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replace"),
        pytest.param({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}, id="add"),
        pytest.param({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}, id="remove"),
        pytest.param({"a": ["b"]}, {"a": "c"}, {"a": "c"}, id="list-by-text"),
        pytest.param({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}, id="deep"),
        pytest.param({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}, id="lists-are-whole"),
        pytest.param({"a": "foo"}, None, None, id="null"),
        pytest.param({"e": None}, {"a": 1}, {"e": None, "a": 1}, id="null-in-the-document-stays"),
        pytest.param([1, 2], {"a": "b", "c": None}, {"a": "b"}, id="list-by-object"),
        pytest.param({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}, id="nulls-make-nothing"),
    ],
)
def test_merge_patch(document: Any, patch: Any, wanted: Any) -> None:
    """The examples of RFC 7386."""
    before = copy.deepcopy(document)

    assert merge_patches.apply(document, patch) == wanted
    assert document == before


@given(document=with_nulls, patch=with_nulls)
def test_a_merge_patch_applied_twice_is_the_same(document: Any, patch: Any) -> None:
    """What it says is a state, not a step."""
    once = merge_patches.apply(document, patch)
    assert merge_patches.apply(once, patch) == once


@given(before=objects, after=objects)
def test_the_patch_between_two_documents_leads_from_one_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """However deep they differ; and of one that is the same it is empty."""
    assert merge_patches.apply(before, merge_patches.between(before, after)) == after
    assert merge_patches.between(after, after) == {}
