"""Deletion: of this object and no other, with those that it owns, once nobody holds it back."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import CONFIG_MAPS, PODS
from tests.contract import crds
from tests.contract.server import ApiServer, Lack
from tests.contract.waiting import until


async def gone(api: ApiServer, path: str) -> bool | None:
    try:
        await api.kube.get(path)
    except NotFoundError:
        return True
    return None


async def test_answer(api: ApiServer) -> None:
    """A deletion is answered by a Status that names what went."""
    made = await api.widget()
    answer = await api.ask("DELETE", api.widget_path())

    status = answer.json
    assert answer.status == 200
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"] == {
        "name": "one",
        "group": crds.GROUP,
        "kind": "widgets",
        "uid": made["metadata"]["uid"],
    }
    assert await gone(api, api.widget_path())


async def test_only_this_one(api: ApiServer) -> None:
    """With a uid only that very object is deleted, not the next of its name."""
    made = await api.widget()
    await api.kube.delete(api.widget_path(), uid=made["metadata"]["uid"])
    again = await api.widget()
    options = {"preconditions": {"uid": made["metadata"]["uid"]}}
    answer = await api.ask("DELETE", api.widget_path(), options)

    assert "UID in" in answer.refusal(409, "Conflict")["message"]
    assert await api.kube.get(api.widget_path()) == again


async def test_only_this_version(api: ApiServer) -> None:
    """With a version only the object as it was read is deleted."""
    made = await api.widget()
    await api.kube.patch(api.widget_path(), {"spec": {"color": "blue"}}, PatchType.MERGE)
    options = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}

    (await api.ask("DELETE", api.widget_path(), options)).refusal(409, "Conflict")


async def test_finalizers(api: ApiServer) -> None:
    """A finalizer holds an object, marked as going, until it is taken away."""
    body = crds.widget()
    body["metadata"]["finalizers"] = ["contract.budaiscaler/hold"]
    made = await api.kube.create(api.widgets(), body)
    await api.kube.delete(api.widget_path())
    going = await api.kube.get(api.widget_path())

    assert going["metadata"]["uid"] == made["metadata"]["uid"]
    assert going["metadata"]["deletionTimestamp"].endswith("Z")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 0
    assert going["metadata"]["generation"] == 2
    with pytest.raises(ConflictError):
        await api.widget()
    await api.kube.delete(api.widget_path())  # again: it is going still

    changed = await api.kube.patch(
        api.widget_path(), {"metadata": {"finalizers": None}}, PatchType.MERGE
    )
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert await gone(api, api.widget_path())


async def config_map(api: ApiServer, name: str, *owners: Json) -> Json:
    """Make a ConfigMap that goes with its owners.

    Owners are ConfigMaps as well: of a kind that is new, the real garbage collector hears late.
    """
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    metadata = {"name": name, "ownerReferences": references}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return await api.kube.create(CONFIG_MAPS.collection(api.namespace), body)


async def test_owned_objects_go_too(api: ApiServer) -> None:
    """What an object owns is deleted in the background, and what others own stays."""
    one, two = await config_map(api, "one"), await config_map(api, "two")
    await config_map(api, "of-one", one)
    kept = await config_map(api, "of-two", two)
    await api.kube.delete(CONFIG_MAPS.item(api.namespace, "one"))

    path = CONFIG_MAPS.item(api.namespace, "of-one")
    await until(lambda: gone(api, path), "its ConfigMap to go")
    assert await api.kube.get(CONFIG_MAPS.item(api.namespace, "of-two")) == kept


async def test_owner_of_another_uid(api: ApiServer) -> None:
    """An object whose owner is gone already, and replaced by another of its name, goes as well."""
    one = await config_map(api, "one")
    await api.kube.delete(CONFIG_MAPS.item(api.namespace, "one"))
    await config_map(api, "one")
    await config_map(api, "orphan", one)

    path = CONFIG_MAPS.item(api.namespace, "orphan")
    await until(lambda: gone(api, path), "the orphan to go")


async def test_orphans(api: ApiServer) -> None:
    """Asked to, a deletion leaves what the object owned, without its owner."""
    one = await config_map(api, "one")
    await config_map(api, "kept", one)
    path = CONFIG_MAPS.item(api.namespace, "one")
    await api.ask("DELETE", path, {"propagationPolicy": "Orphan"})

    async def released() -> bool | None:
        found = await api.kube.get(CONFIG_MAPS.item(api.namespace, "kept"))
        return None if found["metadata"].get("ownerReferences") else True

    await until(lambda: gone(api, path), "the owner to go")
    await until(released, "the ConfigMap to be nobody's")


async def test_many_at_once(api: ApiServer) -> None:
    """A collection is deleted as far as a selector goes."""
    for name, team in (("a", "x"), ("b", "x"), ("c", "y")):
        await api.widget(name, labels={"team": team})
    answer = await api.ask("DELETE", api.widgets(), labelSelector="team=x")

    assert answer.status == 200
    assert answer.json["kind"] == "WidgetList"
    rest = await api.kube.get(api.widgets())
    assert [one["metadata"]["name"] for one in rest["items"]] == ["c"]


async def test_grace_of_a_pod(api: ApiServer) -> None:
    """A pod that nobody runs goes at once, and one on a node only when its kubelet says so."""
    for name, node in (("pending", {}), ("running", {"nodeName": "nowhere"})):
        spec = {"containers": [{"name": "c", "image": "i"}], "schedulerName": "nobody", **node}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        await api.kube.create(PODS.collection(api.namespace), body)
    await api.kube.delete(PODS.item(api.namespace, "pending"))
    await api.kube.delete(PODS.item(api.namespace, "running"))

    assert await gone(api, PODS.item(api.namespace, "pending"))
    if api.lacks(Lack.KUBELETS):
        assert await gone(api, PODS.item(api.namespace, "running"))
    else:
        going = await api.kube.get(PODS.item(api.namespace, "running"))
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        assert going["metadata"]["deletionTimestamp"]
