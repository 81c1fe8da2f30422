"""Custom objects by their schema: refused, completed, and pruned."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidObjectError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import BUDAISCALERS
from tests.contract import crds
from tests.contract.server import ApiServer, Lack


@pytest.mark.parametrize(
    ("spec", "field", "told"),
    [
        pytest.param({"color": None}, "spec.color", "Required value", id="required"),
        pytest.param({"color": 7}, "spec.color", 'must be of type string: "integer"', id="type"),
        pytest.param({"color": "RED"}, "spec.color", "should match '^[a-z]+$'", id="pattern"),
        pytest.param(
            {"replicas": -1}, "spec.replicas", "should be greater than or equal to 0", id="minimum"
        ),
        pytest.param(
            {"replicas": 1.5}, "spec.replicas", 'must be of type int32: "float64"', id="fraction"
        ),
        pytest.param({"size": "L"}, "spec.size", 'supported values: "S", "M"', id="enum"),
        pytest.param(
            {"words": ["a", "b", "c", "d"]},
            "spec.words",
            "Too many: 4: must have at most 3 items",
            id="items",
        ),
        pytest.param(
            {"words": ["a", 7]}, "spec.words[1]", 'must be of type string: "integer"', id="item"
        ),
        pytest.param({"words": "a"}, "spec.words", 'must be of type array: "string"', id="no-list"),
        pytest.param(
            {"marks": {"a": 7}}, "spec.marks.a", 'must be of type string: "integer"', id="map"
        ),
        pytest.param(
            {"amount": True},
            "spec.amount",
            'must be of type integer,string: "boolean"',
            id="int-or-string",
        ),
        pytest.param(
            {"ports": [{"number": 1}, {"number": 1}]},
            "spec.ports[1]",
            'Duplicate value: {"number":1}',
            id="twice-in-a-map",
        ),
        pytest.param(
            {"ports": [{"name": "x"}]}, "spec.ports[0].number", "Required value", id="key-of-a-map"
        ),
    ],
)
async def test_invalid(api: ApiServer, spec: Json, field: str, told: str) -> None:
    """What the schema forbids is refused, with the field and what is wrong with it."""
    body = crds.widget(**spec)
    body["spec"] = {key: value for key, value in body["spec"].items() if value is not None}
    status = (await api.ask("POST", api.widgets(), body)).refusal(422, "Invalid")

    assert status["message"].startswith('Widget.contract.budaiscaler "one" is invalid: ')
    details = status["details"]
    assert (details["name"], details["group"], details["kind"]) == ("one", crds.GROUP, "Widget")
    (cause, *_) = (one for one in details["causes"] if one["field"] == field)
    assert told in cause["message"]
    assert f"{field}: {cause['message']}" in status["message"]


async def test_all_that_is_wrong(api: ApiServer) -> None:
    """Everything that is wrong is told at once."""
    body = crds.widget(color="RED", size="L", replicas=-1)
    status = (await api.ask("POST", api.widgets(), body)).refusal(422, "Invalid")

    causes = {cause["field"]: cause["reason"] for cause in status["details"]["causes"]}
    assert causes["spec.color"] == causes["spec.replicas"] == "FieldValueInvalid"
    assert causes["spec.size"] == "FieldValueNotSupported"


async def test_no_spec(api: ApiServer) -> None:
    """An object without its required part is refused."""
    body = crds.widget()
    del body["spec"]
    status = (await api.ask("POST", api.widgets(), body)).refusal(422, "Invalid")

    assert "spec: Required value" in status["message"]


async def test_defaults(api: ApiServer) -> None:
    """Fields left out get their defaults, also in items of lists; empty objects are not made up."""
    made = await api.widget(ports=[{"number": 80}])

    assert made["spec"] == {
        "color": "red",
        "replicas": 1,
        "limits": {"cpu": "1"},
        "ports": [{"number": 80, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        pytest.param({"note": None}, {"note": None}, id="nullable"),
        pytest.param({"replicas": None}, {"replicas": 1}, id="default-for-null"),
        pytest.param({"limits": None}, {"limits": {"cpu": "1"}}, id="default-object-for-null"),
        pytest.param(
            {"limits": {"memory": "1"}},
            {"limits": {"cpu": "1", "memory": "1"}},
            id="default-inside",
        ),
        pytest.param({"amount": 5}, {"amount": 5}, id="int"),
        pytest.param({"amount": "5%"}, {"amount": "5%"}, id="string"),
        pytest.param(
            {"anything": {"a": {"b": [1]}}}, {"anything": {"a": {"b": [1]}}}, id="unknown-kept"
        ),
        pytest.param({"marks": {"a": "b"}}, {"marks": {"a": "b"}}, id="map"),
        pytest.param({"replicas": 0}, {"replicas": 0}, id="zero-is-no-default"),
    ],
)
async def test_as_it_is_kept(api: ApiServer, spec: dict[str, Any], found: Json) -> None:
    """Null where the schema allows it, amounts of both types, and objects of any shape are kept."""
    made = await api.widget(**spec)

    assert {key: made["spec"][key] for key in found} == found


async def test_null_that_is_not_allowed(api: ApiServer) -> None:
    """A null without a default, where none is allowed, is dropped as if it were left out."""
    made = await api.widget(size=None)

    assert "size" not in made["spec"]


async def test_pruned(api: ApiServer) -> None:
    """Fields that the schema does not know are dropped, and the answer warns of each."""
    body = crds.widget(colour="red", limits={"gpu": "1"})
    answer = await api.ask("POST", api.widgets(), body)

    assert answer.json["spec"] == {"color": "red", "replicas": 1, "limits": {"cpu": "1"}}
    assert answer.headers.getall("Warning") == [
        '299 - "unknown field \\"spec.colour\\""',
        '299 - "unknown field \\"spec.limits.gpu\\""',
    ]


async def test_pruned_in_silence(api: ApiServer) -> None:
    """Asked to ignore them, the server drops unknown fields without a word."""
    body = crds.widget(colour="red")
    answer = await api.ask("POST", api.widgets(), body, fieldValidation="Ignore")

    assert "colour" not in answer.json["spec"]
    assert "Warning" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_strict(api: ApiServer, method: str) -> None:
    """As kubectl asks for it, an unknown field is an error, whatever the way it comes in."""
    body = crds.widget(colour="red", limits={"gpu": "1"})
    path, content_type = api.widgets(), "application/json"
    if method != "POST":
        path = api.widget_path()
        made = await api.widget()
        body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    if method == "PATCH":
        content_type = PatchType.MERGE
    answer = await api.ask(method, path, body, content_type=content_type, fieldValidation="Strict")

    message = answer.refusal(
        400 if method != "PATCH" else 422, "BadRequest" if method != "PATCH" else "Invalid"
    )["message"]
    assert 'strict decoding error: unknown field "spec.colour"' in message
    assert 'unknown field "spec.limits.gpu"' in message


async def test_strict_apply(api: ApiServer) -> None:
    """An apply of a field that the schema does not know is refused without being asked to."""
    answer = await api.ask(
        "PATCH",
        api.widget_path(),
        crds.widget(colour="red"),
        content_type=PatchType.APPLY,
        fieldManager="ours",
        fieldValidation="Strict",
    )

    assert "colour" in answer.json["message"]
    assert answer.status >= 400


async def test_invalid_status(api: ApiServer) -> None:
    """A status obeys the schema too, which our own writers rely on to be told."""
    await api.widget()
    change = {"status": {"conditions": [{"type": "Ready", "status": "Perhaps"}]}}

    with pytest.raises(InvalidObjectError, match=r"status.conditions\[0\].status"):
        await api.kube.patch(api.widget_path(subresource="status"), change, PatchType.MERGE)


async def test_rules(api: ApiServer) -> None:
    """A rule of the CRD refuses; where rules are not evaluated, the object is taken."""
    answer = await api.ask("POST", api.widgets(), crds.widget(replicas=13))

    if api.lacks(Lack.CEL):
        assert answer.status == 201
    else:
        status = answer.refusal(422, "Invalid")
        assert crds.UNLUCKY in status["message"]
        assert [cause["field"] for cause in status["details"]["causes"]] == ["spec"]


def scaler(**spec: Any) -> Json:
    """A scaler as a user writes it."""
    return {
        "apiVersion": BUDAISCALERS.api_version,
        "kind": "BudAIScaler",
        "metadata": {"name": "chat"},
        "spec": {
            "scaleTargetRef": {"name": "chat"},
            "maxReplicas": 9,
            "scalingStrategy": "HPA",
            "metricsSources": [{"targetMetric": "requests", "targetValue": "10"}],
            **spec,
        },
    }


async def test_our_own_kind(api: ApiServer) -> None:
    """A scaler gets its defaults, keeps what it says, and is refused where its schema says so."""
    path = BUDAISCALERS.collection(api.namespace)
    made = await api.kube.create(path, scaler())

    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "chat",
    }
    answer = await api.ask("POST", path, scaler(scalingStrategy="Magic"))
    status = answer.refusal(422, "Invalid")
    assert 'supported values: "HPA", "KPA", "BudScaler"' in status["message"]
