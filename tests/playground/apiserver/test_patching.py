"""Patches: RFC 6902, and the strategic ones of built-in kinds."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from budaiscaler.playground.apiserver import patching, strategic
from budaiscaler.playground.apiserver.patching import PatchError, RefusedTestError
from budaiscaler.playground.apiserver.shapes import Shape


@pytest.mark.parametrize(
    ("document", "steps", "wanted"),
    [
        pytest.param(
            {"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}, id="add"
        ),
        pytest.param(
            {"a": [1, 3]},
            [{"op": "add", "path": "/a/1", "value": 2}],
            {"a": [1, 2, 3]},
            id="insert",
        ),
        pytest.param(
            {"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}, id="append"
        ),
        pytest.param({"a": {"b": 1}}, [{"op": "remove", "path": "/a/b"}], {"a": {}}, id="remove"),
        pytest.param(
            {"a": [1, 2]},
            [{"op": "replace", "path": "/a/0", "value": 9}],
            {"a": [9, 2]},
            id="replace",
        ),
        pytest.param({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}, id="move"),
        pytest.param(
            {"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}, id="copy"
        ),
        pytest.param(
            {"x/y": {"~": 1}},
            [{"op": "replace", "path": "/x~1y/~0", "value": 2}],
            {"x/y": {"~": 2}},
            id="escapes",
        ),
        pytest.param(
            {"a": 1},
            [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}],
            {},
            id="test-holds",
        ),
        pytest.param(
            {"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}, id="whole"
        ),
    ],
)
def test_json_patch(document: Any, steps: list[Any], wanted: Any) -> None:
    """Each operation of RFC 6902, and pointers with escapes."""
    before = copy.deepcopy(document)

    assert patching.apply_json(document, steps) == wanted
    assert document == before


@pytest.mark.parametrize(
    ("step", "why"),
    [
        pytest.param({"op": "remove", "path": "/b"}, "cannot be applied", id="nothing-there"),
        pytest.param({"op": "replace", "path": "/b", "value": 1}, "cannot be", id="replace"),
        pytest.param({"op": "add", "path": "/x/y", "value": 1}, "cannot be", id="no-parent"),
        pytest.param({"op": "add", "path": "/a/9", "value": 1}, "beyond the end", id="index"),
        pytest.param({"op": "add", "path": "/a/-1", "value": 1}, "negative", id="negative"),
        pytest.param({"op": "add", "path": "a", "value": 1}, "no JSON pointer", id="pointer"),
        pytest.param({"op": "eat", "path": "/a"}, "Unexpected kind: eat", id="operation"),
        pytest.param({"path": "/a"}, "cannot be applied", id="no-operation"),
        pytest.param("text", "cannot be applied", id="no-step"),
    ],
)
def test_a_json_patch_that_does_not_fit(step: Any, why: str) -> None:
    """It changes nothing, and says which step it was."""
    document = {"a": [1]}
    with pytest.raises(PatchError, match=why):
        patching.apply_json(document, [{"op": "add", "path": "/ok", "value": 1}, step])
    assert document == {"a": [1]}


def test_a_test_that_does_not_hold() -> None:
    """It is told apart, since it is what a writer asked for."""
    with pytest.raises(RefusedTestError, match="testing value /a failed"):
        patching.apply_json({"a": 1}, [{"op": "test", "path": "/a", "value": 2}])


POD = Shape().field("spec")


@pytest.mark.parametrize(
    ("document", "patch", "wanted"),
    [
        pytest.param(
            {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]},
            {"containers": [{"name": "a", "image": "2"}]},
            {"containers": [{"name": "a", "image": "2"}, {"name": "b"}]},
            id="item-by-key",
        ),
        pytest.param(
            {"containers": [{"name": "a"}]},
            {
                "containers": [{"name": "b"}],
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            },
            {"containers": [{"name": "b"}, {"name": "a"}]},
            id="order",
        ),
        pytest.param(
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"$patch": "delete", "name": "a"}]},
            {"containers": [{"name": "b"}]},
            id="delete-an-item",
        ),
        pytest.param(
            {"containers": [{"name": "a"}]},
            {"containers": [{"$patch": "replace"}, {"name": "c"}]},
            {"containers": [{"name": "c"}]},
            id="replace-a-list",
        ),
        pytest.param(
            {"nodeSelector": {"a": "b", "c": "d"}},
            {"nodeSelector": {"a": None}},
            {"nodeSelector": {"c": "d"}},
            id="null-removes",
        ),
        pytest.param(
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
            id="retain-keys",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
            {"finalizers": ["b", "c"]},
            id="primitive-list",
        ),
        pytest.param(
            {"tolerations": [{"key": "a"}]},
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "b"}]},
            id="list-without-a-key",
        ),
        pytest.param({"a": {"b": 1}}, {"a": {"$patch": "delete"}}, {}, id="delete-an-object"),
        pytest.param(
            {"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}, id="replace"
        ),
    ],
)
def test_strategic_merge_patch(document: Any, patch: Any, wanted: Any) -> None:
    """Lists of built-in kinds merge by their keys, and directives say what a merge cannot."""
    before = copy.deepcopy(document)

    assert strategic.merge(document, patch, POD) == wanted
    assert document == before


def test_an_item_without_its_key_cannot_be_merged() -> None:
    """It is refused instead of appended."""
    with pytest.raises(PatchError, match="an item of containers has no name"):
        strategic.merge({"containers": []}, {"containers": [{"image": "x"}]}, POD)
