"""The generated CustomResourceDefinition: structural, bounded, documented, with every rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from budaiscaler.domain.api import crd, validation
from budaiscaler.domain.api.behavior import ScalingRules, StartingPods
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef
from budaiscaler.domain.api.features import CostConfig, GpuConfig, ScheduleHint
from budaiscaler.domain.api.sources import (
    BasicSecretRef,
    DescribedObject,
    Fallback,
    HeaderFrom,
    InferenceEngineConfig,
    MetricsSource,
    SecretKeyRef,
    SourceAuth,
    SourceTls,
)
from tests import rules

Node = dict[str, Any]

SOURCE = "spec.metricsSources[]"
RULES_AT: dict[type, tuple[str, ...]] = {
    ScalerSpec: ("spec",),
    ScaleTargetRef: ("spec.scaleTargetRef",),
    MetricsSource: (SOURCE,),
    DescribedObject: (f"{SOURCE}.describedObject",),
    InferenceEngineConfig: (f"{SOURCE}.inferenceEngineConfig",),
    SourceAuth: (f"{SOURCE}.auth",),
    SecretKeyRef: (
        f"{SOURCE}.auth.bearerTokenSecretRef",
        f"{SOURCE}.headersFrom[].secretKeyRef",
    ),
    BasicSecretRef: (f"{SOURCE}.auth.basicSecretRef",),
    HeaderFrom: (f"{SOURCE}.headersFrom[]",),
    SourceTls: (f"{SOURCE}.tls",),
    Fallback: (f"{SOURCE}.fallback",),
    ScalingRules: ("spec.behavior.scaleUp", "spec.behavior.scaleDown"),
    StartingPods: ("spec.behavior.scaleUp.startingPods", "spec.behavior.scaleDown.startingPods"),
    GpuConfig: ("spec.gpuConfig",),
    CostConfig: ("spec.costConfig",),
    ScheduleHint: ("spec.scheduleHints[]",),
}
INT_OR_STRING = "x-kubernetes-int-or-string"


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
    count = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    maps = {
        path: (node["additionalProperties"], node["maxProperties"])
        for path, node in NODES.items()
        if "additionalProperties" in node
    }
    assert maps == {
        f"{SOURCE}.headers": ({"type": "string", "maxLength": 4096}, 16),
        "spec.multiClusterConfig.clusterWeights": (count, 64),
        "spec.multiClusterConfig.clusterSelector": ({"type": "string", "maxLength": 253}, 64),
        "status.multiClusterStatus.clusterDistribution": (count, 64),
    }


def test_every_node_has_a_type_and_only_one() -> None:
    """A structural schema says of each field what it is, but where a number may be text."""
    either = {path for path, node in NODES.items() if node.get(INT_OR_STRING)}
    kinds = {node.get("type") for path, node in NODES.items() if path not in either}
    assert kinds == {"object", "array", "string", "integer", "number", "boolean"}
    assert either == {
        f"{SOURCE}.port",
        "spec.costConfig.budgetPerHour",
        "spec.costConfig.budgetPerDay",
    }
    assert all("type" not in NODES[path] for path in either)


def test_every_list_is_bounded_and_says_how_it_is_merged() -> None:
    """Without a bound the API server refuses rules over it; without a type an apply replaces it."""
    lists = {path: node for path, node in NODES.items() if node.get("type") == "array"}
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
        if (node.get("type") == "string" or INT_OR_STRING in node)
        and not {"maxLength", "format", "enum"} & node.keys()
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


def test_every_field_says_what_holds_without_it() -> None:
    """A default, that it is required, or that it does nothing anyway."""

    def wanted(path: str) -> tuple[str, ...]:
        owner, _, name = path.rpartition(".")
        is_required = name in NODES[owner].get("required", ())
        return ("equired",) if is_required else ("Default", "Without effect", "required for that")

    unsaid = {
        path
        for path, node in NODES.items()
        if path.startswith("spec.") and not path.endswith("[]")
        if not any(words in node["description"] for words in wanted(path))
    }
    assert unsaid == set()


@pytest.mark.parametrize("model", validation.BY_TYPE)
def test_every_rule_is_carried(model: type[BaseModel]) -> None:
    """Each row of the table stands on its type, with its message, wherever that type is used."""
    expected = [
        {"rule": rule.cel, "message": rule.message}
        for rule in validation.BY_TYPE[model]
        if rule.cel is not None
    ]
    for path in RULES_AT[model]:
        assert NODES[path].get("x-kubernetes-validations", []) == expected


def test_rules_stand_nowhere_else() -> None:
    """But on the object as a whole, whose name must fit into a label."""
    ruled = {path for path, node in NODES.items() if "x-kubernetes-validations" in node}
    only_at_run_time = {f"{SOURCE}.tls"}
    of_types = {path for paths in RULES_AT.values() for path in paths}
    assert ruled == {""} | of_types - only_at_run_time
    assert NODES[""]["x-kubernetes-validations"][0]["rule"] == "size(self.metadata.name) <= 63"


def test_the_server_fills_in_the_defaults_that_we_would() -> None:
    """A default of the schema is the model's own, and none of them is missing.

    Where a default is measured or depends on another field, as with lookAheadMinutes, there is
    none: filled in, it would look as if the user had set it.
    """
    secret = {"name": "s", "key": "k"}
    full = {
        "auth": {"basicSecretRef": {"name": "s"}},
        "tls": {},
        "fallback": {"replicas": 1},
        "headersFrom": [{"name": "X", "secretKeyRef": secret}],
    }
    bare = ScalerSpec.model_validate(
        {
            "scaleTargetRef": {"name": "chat"},
            "maxReplicas": 1,
            "metricsSources": [{"targetMetric": "q", "targetValue": "1", **full}],
            "scheduleHints": [],
            **{key: {} for key in NODES["spec"]["properties"] if key.endswith("Config")},
        }
    )
    dumped = bare.model_dump(mode="json", by_alias=True)
    defaults = {path: node["default"] for path, node in NODES.items() if "default" in node}
    ours = {
        path: value
        for path, value in _leaves(dumped, "spec")
        if value is not None and path not in GIVEN
    }
    assert defaults == ours


GIVEN = {
    "spec.scaleTargetRef.name",
    "spec.maxReplicas",
    f"{SOURCE}.targetMetric",
    f"{SOURCE}.targetValue",
    f"{SOURCE}.auth.basicSecretRef.name",
    f"{SOURCE}.fallback.replicas",
    f"{SOURCE}.headersFrom[].name",
    f"{SOURCE}.headersFrom[].secretKeyRef.name",
    f"{SOURCE}.headersFrom[].secretKeyRef.key",
}
"""What the smallest spec says itself."""


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield path, value


def test_what_must_be_given_is_what_has_no_default() -> None:
    """Required fields are those that no scaler can do without."""
    required = {
        path: sorted(node["required"])
        for path, node in NODES.items()
        if path.startswith("spec") and "required" in node
    }
    policy = ["periodSeconds", "type", "value"]
    assert required == {
        "spec": ["maxReplicas", "metricsSources", "scaleTargetRef"],
        "spec.scaleTargetRef": ["name"],
        SOURCE: ["targetMetric", "targetValue"],
        f"{SOURCE}.inferenceEngineConfig": ["engineType"],
        f"{SOURCE}.auth.bearerTokenSecretRef": ["key", "name"],
        f"{SOURCE}.auth.basicSecretRef": ["name"],
        f"{SOURCE}.headersFrom[]": ["name", "secretKeyRef"],
        f"{SOURCE}.headersFrom[].secretKeyRef": ["key", "name"],
        f"{SOURCE}.fallback": ["replicas"],
        f"{SOURCE}.describedObject": ["apiVersion", "kind", "name"],
        "spec.behavior.scaleUp.policies[]": policy,
        "spec.behavior.scaleDown.policies[]": policy,
        "spec.scheduleHints[]": ["cronExpression", "duration", "name", "targetReplicas"],
    }


def test_fields_are_called_as_in_the_yaml() -> None:
    """The example with every field has those of the schema, under these very names, and no more."""
    maps = [path for path, node in NODES.items() if "additionalProperties" in node]
    written = {
        next((path for path in maps if leaf.startswith(f"{path}.")), leaf.removesuffix("[]"))
        for leaf, _ in _leaves(rules.everything(), "spec")
    }
    leaves = {
        path
        for path, node in NODES.items()
        if path.startswith("spec") and not path.endswith("[]") and "properties" not in node
        if "properties" not in node.get("items", {})
    }
    assert written == leaves


def test_two_writers_can_share_a_status() -> None:
    """It is a subresource, and conditions and sources merge by key, so each owns its own."""
    assert _version()["subresources"] == {"status": {}}
    keys = {
        path: node["x-kubernetes-list-map-keys"]
        for path, node in NODES.items()
        if path.startswith("status") and node.get("x-kubernetes-list-type") == "map"
    }
    assert keys == {"status.sources": ["name"], "status.conditions": ["type"]}


def test_columns() -> None:
    """Those of the original in its order, with what one needs to see why among them."""
    columns = _version()["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if not column.get("priority")]
    wide = [column["name"] for column in columns if column.get("priority")]
    originals = ["MIN", "MAX", "REPLICAS", "STRATEGY", "READY", "AGE"]
    assert [name for name in shown if name in originals] == originals
    assert shown == ["MIN", "MAX", "REPLICAS", "DESIRED", "STRATEGY", "READY", "REASON", "AGE"]
    assert wide == ["TARGET", "LOAD", "BOUND-BY", "ABLE", "PAUSED", "LAST-SCALE"]
    assert len({column["jsonPath"] for column in columns}) == len(columns)


def test_every_column_shows_a_field_that_exists() -> None:
    """`kubectl get` has no column that stays empty for ever."""
    for column in _version()["additionalPrinterColumns"]:
        path = column["jsonPath"].removeprefix(".")
        if path.startswith("metadata.") or "[?" in path:
            continue
        node = NODES[path]
        kind = "date" if node.get("format") == "date-time" else node["type"]
        assert kind == column["type"], column["name"]


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
