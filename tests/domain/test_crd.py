"""The generated CustomResourceDefinition: structural, bounded, documented, with every rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from budaiscaler.domain.api import crd, validation
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef
from budaiscaler.domain.api.sources import DescribedObject, MetricsSource
from tests import samples

Node = dict[str, Any]

RULES_AT: dict[type, str] = {
    ScalerSpec: "spec",
    ScaleTargetRef: "spec.scaleTargetRef",
    MetricsSource: "spec.metricsSources[]",
    ScalingRules: "spec.behavior.scaleUp",
    DescribedObject: "spec.metricsSources[].describedObject",
}


def _version() -> Node:
    version: Node = crd.budaiscaler_crd()["spec"]["versions"][0]
    return version


def _schema() -> Node:
    schema: Node = _version()["schema"]["openAPIV3Schema"]
    return schema


def _walk(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _walk(child, f"{path}.{name}".removeprefix("."))
    if "items" in node:
        yield from _walk(node["items"], f"{path}[]")


NODES = dict(_walk(_schema(), ""))


@pytest.mark.parametrize(
    "keyword",
    ["anyOf", "oneOf", "allOf", "$ref", "$defs", "title", "const"],
)
def test_the_schema_has_nothing_that_a_structural_one_may_not_have(keyword: str) -> None:
    """References are inlined, unions resolved, and pydantic's ornaments gone, at every depth."""
    assert [path for path, node in NODES.items() if keyword in node] == []


def test_a_map_says_what_its_values_are_and_how_many() -> None:
    """Only where keys are the user's own; without a bound the API server refuses rules over it."""
    maps = {path: node for path, node in NODES.items() if "additionalProperties" in node}
    assert set(maps) == {"spec.metricsSources[].headers"}
    for node in maps.values():
        assert node["additionalProperties"] == {"type": "string", "maxLength": 4096}
        assert node["maxProperties"] == 16


def test_every_node_has_a_type_and_only_one() -> None:
    """A structural schema says of each field what it is."""
    kinds = {node.get("type") for node in NODES.values()}
    assert kinds == {"object", "array", "string", "integer"}


def test_every_list_is_bounded_and_says_how_it_is_merged() -> None:
    """Without a bound the API server refuses rules over it; without a type an apply replaces it."""
    lists = {path: node for path, node in NODES.items() if node["type"] == "array"}
    assert [
        path
        for path, node in lists.items()
        if "maxItems" not in node or "x-kubernetes-list-type" not in node
    ] == []


def test_every_string_is_bounded() -> None:
    """By a length, a format or a closed list; `metadata` and the type's name are the server's."""
    unbounded = {
        path
        for path, node in NODES.items()
        if node["type"] == "string" and not {"maxLength", "format", "enum"} & node.keys()
    }
    assert unbounded == {"apiVersion", "kind"}


def test_every_field_is_described() -> None:
    """`kubectl explain` has a sentence for each; an item of a list is described by the list."""
    silent = {
        path
        for path, node in NODES.items()
        if path.startswith(("spec", "status"))
        and not path.endswith("[]")
        and not node.get("description", "").endswith(".")
    }
    assert silent == set()


@pytest.mark.parametrize("model", validation.BY_TYPE)
def test_every_rule_is_carried(model: type) -> None:
    """Each row of the table stands on its type, with its message."""
    expected = [{"rule": rule.cel, "message": rule.message} for rule in validation.BY_TYPE[model]]
    assert NODES[RULES_AT[model]]["x-kubernetes-validations"] == expected


def test_rules_stand_wherever_their_type_does() -> None:
    """Growing and shrinking have the same rules, and a name fits into a label."""
    down, up = NODES["spec.behavior.scaleDown"], NODES["spec.behavior.scaleUp"]
    assert down["x-kubernetes-validations"] == up["x-kubernetes-validations"]
    assert NODES[""]["x-kubernetes-validations"][0]["rule"] == "size(self.metadata.name) <= 63"


def test_the_server_fills_in_the_defaults_that_we_would() -> None:
    """A default of the schema is the model's own, and none of them is missing."""
    defaults = {path: node["default"] for path, node in NODES.items() if "default" in node}
    bare = ScalerSpec.model_validate(
        {"scaleTargetRef": {"name": "chat"}, "maxReplicas": 1, "metricsSources": []}
    )
    assert defaults == {
        "spec.scaleTargetRef.apiVersion": bare.scale_target_ref.api_version,
        "spec.scaleTargetRef.kind": bare.scale_target_ref.kind,
        "spec.minReplicas": bare.min_replicas,
        "spec.scalingStrategy": bare.scaling_strategy,
        "spec.hpa.manage": bare.hpa.manage,
    }


def test_what_must_be_given_is_what_has_no_default() -> None:
    """Required fields are those that no scaler can do without."""
    required = {
        path: sorted(node["required"])
        for path, node in NODES.items()
        if path.startswith("spec") and "required" in node
    }
    assert required == {
        "spec": ["maxReplicas", "metricsSources", "scaleTargetRef"],
        "spec.scaleTargetRef": ["name"],
        "spec.metricsSources[]": ["targetMetric", "targetValue"],
        "spec.behavior.scaleUp.policies[]": ["periodSeconds", "type", "value"],
        "spec.behavior.scaleDown.policies[]": ["periodSeconds", "type", "value"],
    }


def test_fields_are_called_as_in_the_yaml() -> None:
    """Every field of the sample spec exists in the schema, under that very name."""
    raw = samples.raw_spec(behavior=samples.tolerance("0.1"), hpa={"manage": "Auto"})
    assert raw.keys() <= NODES["spec"]["properties"].keys()
    source = raw["metricsSources"][0]
    assert source.keys() <= NODES["spec.metricsSources[]"]["properties"].keys()


def test_two_writers_can_share_a_status() -> None:
    """It is a subresource, and conditions and sources merge by key, so each owns its own."""
    assert _version()["subresources"] == {"status": {}}
    keys = {
        path: node["x-kubernetes-list-map-keys"]
        for path, node in NODES.items()
        if node.get("x-kubernetes-list-type") == "map"
    }
    assert keys == {"status.sources": ["name"], "status.conditions": ["type"]}


def test_every_column_shows_a_field_that_exists() -> None:
    """`kubectl get` has no column that stays empty for ever."""
    for column in _version()["additionalPrinterColumns"]:
        path = column["jsonPath"].removeprefix(".")
        if path.startswith("metadata.") or "[?" in path:
            continue
        assert NODES[path]["type"] == column["type"], column["name"]


def test_a_union_that_no_crd_can_express_is_refused_when_it_is_generated() -> None:
    """A type that would need one stops `make generate`, not a cluster."""
    union = {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]}
    with pytest.raises(ValueError, match="cannot express"):
        crd.structural(union, {})


def test_a_string_without_a_bound_is_refused_when_it_is_generated() -> None:
    """Forgetting a length is told at once."""
    with pytest.raises(ValueError, match="without maxLength"):
        crd.structural({"type": "string"}, {})


@pytest.mark.parametrize(
    ("node", "rewritten"),
    [
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "title": "T"},
            {"type": "integer"},
            id="an-optional-loses-its-null",
        ),
        pytest.param(
            {"$ref": "#/$defs/A", "description": "at the place"},
            {"type": "object", "description": "at the place"},
            id="the-description-at-the-place-of-use-wins",
        ),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 0},
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            id="an-open-bound-is-a-flag",
        ),
        pytest.param(
            {"type": "string", "const": "A"},
            {"type": "string", "enum": ["A"]},
            id="a-constant-is-a-list-of-one",
        ),
        pytest.param(
            {"$ref": "#/$defs/A", "default": {"b": 1}}, {"type": "object", "description": "of A"},
            id="a-default-object-is-left-to-its-fields",
        ),
    ],
)  # fmt: skip
def test_json_schema_is_rewritten_for_a_crd(node: Node, rewritten: Node) -> None:
    """What the two dialects say differently is translated."""
    definitions = {"A": {"type": "object", "description": "of A"}}
    assert crd.structural(node, definitions) == rewritten
