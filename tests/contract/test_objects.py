"""Objects: made, read, listed, replaced; and what is said when that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from budaiscaler.domain import times
from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import CONFIG_MAPS, DEPLOYMENTS
from tests.contract import crds
from tests.contract.server import ApiServer


def config_map(name: str, **labels: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": {"a": "b"},
    }


async def test_created(api: ApiServer) -> None:
    """A created object has an identity, a version, a time, its namespace and a generation."""
    answer = await api.ask("POST", api.widgets(), crds.widget())
    made = answer.json
    metadata = made["metadata"]
    created = times.parse(metadata["creationTimestamp"])

    assert answer.status == 201
    assert (made["apiVersion"], made["kind"]) == (crds.WIDGETS.api_version, "Widget")
    assert (metadata["namespace"], metadata["name"]) == (api.namespace, "one")
    assert metadata["generation"] == 1
    assert metadata["uid"].count("-") == 4
    assert int(metadata["resourceVersion"]) > 0
    assert created is not None
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    assert await api.kube.get(api.widget_path()) == made


async def test_generated_name(api: ApiServer) -> None:
    """With generateName the server appends something random, each time anew."""
    body = crds.widget()
    body["metadata"] = {"generateName": "some-"}
    names = {(await api.kube.create(api.widgets(), body))["metadata"]["name"] for _ in range(3)}

    assert len(names) == 3
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


async def test_what_a_client_may_not_say(api: ApiServer) -> None:
    """Status, uid, time and generation of a new object are the server's alone."""
    body = crds.widget()
    body["status"] = {"note": "made up"}
    body["metadata"] |= {"uid": "x", "generation": 7, "creationTimestamp": "2001-01-01T00:00:00Z"}
    made = await api.kube.create(api.widgets(), body)

    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["uid"] != "x"
    assert not made["metadata"]["creationTimestamp"].startswith("2001")


async def test_made_twice(api: ApiServer) -> None:
    """A second object of a name is refused as AlreadyExists, which our events rely on."""
    await api.widget()
    answer = await api.ask("POST", api.widgets(), crds.widget())

    status = answer.refusal(409, "AlreadyExists")
    assert status["details"] == {"name": "one", "group": crds.GROUP, "kind": "widgets"}
    with pytest.raises(ConflictError, match=r'widgets.contract.budaiscaler "one" already exists'):
        await api.widget()


async def test_not_there(api: ApiServer) -> None:
    """A missing object is a Status that names it, whether read, changed or deleted."""
    for method, body in (("GET", None), ("DELETE", None), ("PUT", _versioned())):
        status = (await api.ask(method, api.widget_path(), body)).refusal(404, "NotFound")
        assert status["message"] == 'widgets.contract.budaiscaler "one" not found'
        assert status["details"] == {"name": "one", "group": crds.GROUP, "kind": "widgets"}


def _versioned() -> Json:
    body = crds.widget()
    body["metadata"]["resourceVersion"] = "1"
    return body


async def test_no_such_namespace(api: ApiServer) -> None:
    """Nothing can be made in a namespace that does not exist."""
    answer = await api.ask("POST", crds.WIDGETS.collection("nowhere"), crds.widget())

    status = answer.refusal(404, "NotFound")
    assert status["message"] == 'namespaces "nowhere" not found'
    assert (await api.kube.get(crds.WIDGETS.collection("nowhere")))["items"] == []


@pytest.mark.parametrize(
    ("change", "code", "reason", "told"),
    [
        pytest.param({"metadata": {"name": "Not_A_Name"}}, 422, "Invalid", "RFC 1123", id="name"),
        pytest.param(
            {"metadata": {}}, 422, "Invalid", "name or generateName is required", id="no-name"
        ),
        pytest.param(
            {"metadata": {"name": "a", "namespace": "elsewhere"}},
            400,
            "BadRequest",
            "the namespace of the provided object does not match",
            id="namespace",
        ),
        pytest.param({"kind": "Gadget"}, 422, "Invalid", "must be Widget", id="kind"),
        pytest.param({"apiVersion": "apps/v1"}, 400, "BadRequest", "apps/v1", id="version"),
        pytest.param(
            {"metadata": {"name": "a", "labels": {"a": "b c"}}},
            422,
            "Invalid",
            "a valid label",
            id="label",
        ),
    ],
)
async def test_cannot_be_made(
    api: ApiServer, change: Json, code: int, reason: str, told: str
) -> None:
    """An object whose frame is wrong is refused, and the message says what is wrong."""
    answer = await api.ask("POST", api.widgets(), crds.widget() | change)

    assert told in answer.refusal(code, reason)["message"]
    assert (await api.kube.get(api.widgets()))["items"] == []


async def test_no_json(api: ApiServer) -> None:
    """A body that cannot be read is a bad request."""
    answer = await api.ask("POST", api.widgets(), "{")

    answer.refusal(400, "BadRequest")


async def test_yaml(api: ApiServer) -> None:
    """A body may be YAML, if it says so."""
    text = "{apiVersion: contract.budaiscaler/v1, kind: Widget, metadata: {name: one}, spec: {color: red}}"  # noqa: E501 - one line of YAML
    answer = await api.ask("POST", api.widgets(), text, content_type="application/yaml")

    assert answer.status == 201
    assert answer.json["spec"]["color"] == "red"


async def test_method_that_is_none(api: ApiServer) -> None:
    """What cannot be done to a path is not allowed."""
    path = CONFIG_MAPS.item(api.namespace, "a")

    (await api.ask("POST", path, config_map("a"))).refusal(405, "MethodNotAllowed")


async def test_replaced(api: ApiServer) -> None:
    """An update with the version that was read replaces all of the spec, and the version moves."""
    made = await api.widget(size="S")
    del made["spec"]["size"]
    updated = await api.kube.update(api.widget_path(), made)

    assert "size" not in updated["spec"]
    assert int(updated["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    for kept in ("uid", "creationTimestamp"):
        assert updated["metadata"][kept] == made["metadata"][kept]


async def test_replaced_too_late(api: ApiServer) -> None:
    """An update of a version that is not the newest is a conflict, and changes nothing."""
    made = await api.widget()
    newest = await api.kube.update(api.widget_path(), {**made, "spec": {"color": "blue"}})
    answer = await api.ask("PUT", api.widget_path(), {**made, "spec": {"color": "green"}})

    status = answer.refusal(409, "Conflict")
    assert "the object has been modified" in status["message"]
    assert status["details"] == {"name": "one", "group": crds.GROUP, "kind": "widgets"}
    assert await api.kube.get(api.widget_path()) == newest


async def test_replaced_without_a_version(api: ApiServer) -> None:
    """A custom object can only be replaced by who has read it; a ConfigMap by anybody."""
    await api.widget()
    answer = await api.ask("PUT", api.widget_path(), crds.widget(color="blue"))
    assert "resourceVersion" in answer.refusal(422, "Invalid")["message"]

    path = CONFIG_MAPS.item(api.namespace, "a")
    await api.kube.create(CONFIG_MAPS.collection(api.namespace), config_map("a"))
    updated = await api.kube.update(path, {**config_map("a"), "data": {"c": "d"}})
    assert updated["data"] == {"c": "d"}


async def test_another_of_the_same_name(api: ApiServer) -> None:
    """An update that carries the uid of an object that is gone does not hit its successor."""
    made = await api.widget()
    other = {
        **made,
        "metadata": {**made["metadata"], "uid": "1d8a6ee8-0000-4000-8000-5c1a7dbe0000"},
    }

    (await api.ask("PUT", api.widget_path(), other)).refusal(409, "Conflict")


async def test_named_otherwise(api: ApiServer) -> None:
    """The name in the path and that in the object must agree."""
    made = await api.widget()
    made["metadata"]["name"] = "two"

    (await api.ask("PUT", api.widget_path(), made)).refusal(400, "BadRequest")


async def test_nothing_changed(api: ApiServer) -> None:
    """An update that changes nothing writes nothing: the version stays."""
    made = await api.widget()

    assert (await api.kube.update(api.widget_path(), made)) == made


async def test_dry_run(api: ApiServer) -> None:
    """A dry run is answered as the real thing is, and leaves nothing behind."""
    answer = await api.ask("POST", api.widgets(), crds.widget(), dryRun="All")

    assert answer.status == 201
    assert answer.json["spec"]["replicas"] == 1
    with pytest.raises(NotFoundError):
        await api.kube.get(api.widget_path())


async def test_defaults_of_a_deployment(api: ApiServer) -> None:
    """A Deployment gets the defaults that we read: replicas and the surge of its rollouts."""
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "chat"}},
            "template": {
                "metadata": {"labels": {"app": "chat"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    made = await api.kube.create(DEPLOYMENTS.collection(api.namespace), body)

    assert made["metadata"]["generation"] == 1
    assert made["spec"]["replicas"] == 0
    assert made["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
