"""Lists: selected, in pages, and of one moment."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import PODS
from tests.contract import crds
from tests.contract.server import ApiServer


async def five(api: ApiServer) -> None:
    """Make five widgets: a and b of team x, c of team y, d and e of none."""
    teams = {"a": "x", "b": "x", "c": "y", "d": None, "e": None}
    for name, team in teams.items():
        labels = {"tier": "1", **({"team": team} if team else {})}
        await api.widget(name, labels=labels)


def _names(answer: Json) -> list[str]:
    return [one["metadata"]["name"] for one in answer["items"]]


async def test_list(api: ApiServer) -> None:
    """A list is of its own kind, in the order of names, and has a version to watch from."""
    await five(api)
    answer = await api.kube.get(api.widgets())

    assert (answer["kind"], answer["apiVersion"]) == ("WidgetList", crds.WIDGETS.api_version)
    assert _names(answer) == ["a", "b", "c", "d", "e"]
    newest = max(int(one["metadata"]["resourceVersion"]) for one in answer["items"])
    assert int(answer["metadata"]["resourceVersion"]) >= newest


async def test_list_of_all_namespaces(api: ApiServer) -> None:
    """Without a namespace the list is of all of them."""
    await five(api)
    answer = await api.kube.get(crds.WIDGETS.collection(), {"labelSelector": "team=y"})

    own = [one for one in answer["items"] if one["metadata"]["namespace"] == api.namespace]
    assert _names({"items": own}) == ["c"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("team=x", "ab", id="equal"),
        pytest.param("team==x", "ab", id="double-equal"),
        pytest.param("team!=x", "cde", id="not-equal"),
        pytest.param("team in (x,y)", "abc", id="in"),
        pytest.param("team notin (x, z)", "cde", id="not-in"),
        pytest.param("team", "abc", id="exists"),
        pytest.param("!team", "de", id="absent"),
        pytest.param("tier=1,team!=x,team", "c", id="all-of-them"),
        pytest.param("tier>0,tier<2,team=y", "c", id="greater-and-less"),
        pytest.param("", "abcde", id="empty"),
    ],
)
async def test_label_selectors(api: ApiServer, selector: str, names: str) -> None:
    """The whole grammar of label selectors is understood."""
    await five(api)
    answer = await api.kube.get(api.widgets(), {"labelSelector": selector})

    assert _names(answer) == list(names)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("metadata.name=b", "b", id="name"),
        pytest.param("metadata.name!=b", "acde", id="not-name"),
        pytest.param("metadata.name=a,metadata.name!=a", "", id="both"),
    ],
)
async def test_field_selectors(api: ApiServer, selector: str, names: str) -> None:
    """Any kind can be selected by name, which is how we follow one object."""
    await five(api)
    answer = await api.kube.get(api.widgets(), {"fieldSelector": selector})

    assert _names(answer) == list(names)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"fieldSelector": "spec.color=red"}, id="field"),
        pytest.param({"labelSelector": "a=(b"}, id="label"),
        pytest.param({"limit": "2", "continue": "junk"}, id="continue"),
        pytest.param({"limit": "many"}, id="limit"),
    ],
)
async def test_bad_parameters(api: ApiServer, params: dict[str, Any]) -> None:
    """What cannot be selected by, or read, is a bad request and not an empty list."""
    (await api.ask("GET", api.widgets(), **params)).refusal(400, "BadRequest")


async def test_fields_of_pods(api: ApiServer) -> None:
    """Pods are selected by node and phase too."""
    for name, node in (("a", "n1"), ("b", "")):
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "containers": [{"name": "c", "image": "i"}],
                **({"nodeName": node} if node else {"schedulerName": "nobody"}),
                "automountServiceAccountToken": False,
            },
        }
        await api.kube.create(PODS.collection(api.namespace), body)

    for selector, names in (
        ("spec.nodeName=n1", ["a"]),
        ("spec.nodeName=", ["b"]),
        ("status.phase=Pending,metadata.name=b", ["b"]),
        ("status.phase!=Pending,metadata.name=b", []),
    ):
        answer = await api.kube.get(PODS.collection(api.namespace), {"fieldSelector": selector})
        assert _names(answer) == names


async def test_pages(api: ApiServer) -> None:
    """With a limit the list comes in pages, all of one version; the last has no token."""
    await five(api)
    pages: list[Json] = []
    params = {"limit": "2"}
    while True:
        page = await api.kube.get(api.widgets(), params)
        pages.append(page)
        if not page["metadata"].get("continue"):
            break
        params["continue"] = page["metadata"]["continue"]

    assert [_names(page) for page in pages] == [["a", "b"], ["c", "d"], ["e"]]
    assert [page["metadata"].get("remainingItemCount") for page in pages] == [3, 1, None]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1


async def test_pages_of_a_moment(api: ApiServer) -> None:
    """What is deleted and made between two pages changes nothing in them."""
    await five(api)
    first = await api.kube.get(api.widgets(), {"limit": "2"})
    await api.kube.delete(api.widget_path("c"))
    await api.widget("aa")
    token = first["metadata"]["continue"]
    rest = await api.kube.get(api.widgets(), {"limit": "9", "continue": token})

    assert _names(rest) == ["c", "d", "e"]
    assert _names(await api.kube.get(api.widgets())) == ["a", "aa", "b", "d", "e"]
