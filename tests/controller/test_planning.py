"""Whose HPA is on a workload: the table of who yields to whom."""

from __future__ import annotations

from typing import Any

import pytest

from controller.hpas import Hpa, project_hpa
from controller.other_tools import Rival
from controller.planning import plan
from tests.controller.plans import (
    ADOPTING,
    FOREIGN,
    OWN,
    OWNED,
    PUBLISH,
    RECOMMEND,
    verdict,
)
from tests.controller.world import hpa, raw_hpa, scaler

CPU = {"metrics": [{"type": "Resource"}]}


def another_groups(name: str) -> Hpa:
    """An HPA whose owner has the name of our kind, in another API group."""
    raw = raw_hpa(name, owner="x")
    raw["metadata"]["ownerReferences"][0]["apiVersion"] = "scaler.example.com/v1"
    return project_hpa(raw, None)


def made_by_a_tool(name: str, adopter: str) -> Hpa:
    """An HPA that we took over, and that another tool has made its own since."""
    raw = raw_hpa(name, owner="x", owner_kind="Tool", owner_name="chat", adopter=adopter)
    return project_hpa(raw, None)


def merely_listed(name: str) -> Hpa:
    """An HPA with an owner that does not control it."""
    raw = raw_hpa(name, owner="x", owner_kind="Tool")
    raw["metadata"]["ownerReferences"][0]["controller"] = False
    return project_hpa(raw, None)


@pytest.mark.parametrize(
    ("fields", "hpas", "wanted", "replaces", "removes", "told"),
    [
        pytest.param({}, [], "chat-hpa", None, (), [OWNED], id="alone"),
        pytest.param({}, [hpa(owner=OWN)], "chat-hpa", None, (), [OWNED], id="child-is-there"),
        pytest.param(
            {}, [hpa(ours=True)], "chat-hpa", None, (), [OWNED], id="child-that-lost-its-owner"
        ),
        pytest.param(
            {}, [hpa(ours=True, owner_name="code")], None, None, (), [FOREIGN],
            id="child-of-another-that-lost-its-owner",
        ),
        pytest.param({}, [hpa("theirs")], None, None, (), [FOREIGN], id="foreign"),
        pytest.param(
            {}, [hpa("theirs"), hpa(owner=OWN)], None, None, ("chat-hpa",), [FOREIGN],
            id="foreign-beside-ours",
        ),
        pytest.param(
            {}, [hpa("theirs", target="code")], "chat-hpa", None, (), [OWNED],
            id="foreign-elsewhere",
        ),
        pytest.param({}, [hpa()], None, None, (), [FOREIGN], id="foreign-of-our-name"),
        pytest.param(
            {}, [hpa(target="code")], None, None, (), [FOREIGN], id="foreign-of-our-name-elsewhere"
        ),
        pytest.param(
            {}, [hpa("theirs", owner="x", owner_kind="Tool")], None, None, (), [FOREIGN],
            id="owned-by-a-tool",
        ),
        pytest.param(
            {}, [hpa("x", owner="x", owner_kind="Tool", ours=True)], None, None, (), [FOREIGN],
            id="our-labels-on-what-a-tool-owns",
        ),
        pytest.param(
            {}, [another_groups("x")], None, None, (), [FOREIGN], id="owned-by-our-kind-of-another"
        ),
        pytest.param(
            {"annotations": ADOPTING}, [merely_listed("theirs")], "theirs", "theirs", (), [OWNED],
            id="adopt-what-somebody-owns-without-control",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs")], "theirs", "theirs", (), [OWNED], id="adopt"
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs", adopter=OWN)], "theirs", None, (), [OWNED],
            id="adopted",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs", adopter="scaler-before")], "theirs", "theirs",
            (), [OWNED], id="adopted-by-an-earlier-one-of-our-name",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs", adopter="x", owner_name="gone")], "theirs",
            "theirs", (), [OWNED], id="adopted-by-one-that-is-gone",
        ),
        pytest.param(
            {}, [hpa("theirs", adopter="x", owner_name="gone")], None, None, (), [FOREIGN],
            id="what-one-that-is-gone-adopted-is-foreign",
        ),
        pytest.param(
            {}, [hpa("theirs", adopter="scaler-before")], None, None, ("theirs",), [FOREIGN],
            id="what-an-earlier-one-of-our-name-adopted-goes-back",
        ),
        pytest.param(
            {}, [hpa(adopter="scaler-before")], None, None, ("chat-hpa",), [FOREIGN],
            id="so-does-what-it-adopted-under-our-name",
        ),
        pytest.param(
            {}, [hpa("theirs", target="code", adopter="scaler-before")], "chat-hpa", None,
            ("theirs",), [OWNED], id="also-where-it-is-in-nobodys-way",
        ),
        pytest.param(
            {}, [hpa(owner=OWN, adopter=OWN)], "chat-hpa", None, (), [OWNED],
            id="an-owner-reference-outweighs-a-mark",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [made_by_a_tool("theirs", adopter=OWN)],
            None, None, ("theirs",), [FOREIGN], id="a-tool-came-to-own-what-we-adopted",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs"), hpa(owner=OWN)], "theirs", "theirs",
            ("chat-hpa",), [OWNED], id="adopt-instead-of-ours",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [], "theirs", None, (), [OWNED], id="adopt-what-is-not-there"
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs"), hpa("more")], None, None, (), [FOREIGN],
            id="adopt-one-of-two",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs", target="code")], None, None, (), [FOREIGN],
            id="adopt-of-another-workload",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs", owner="x", owner_kind="Tool")],
            None, None, (), [FOREIGN], id="adopt-what-a-tool-owns",
        ),
        pytest.param(
            {}, [hpa("theirs", adopter=OWN)], None, None, ("theirs",), [FOREIGN],
            id="annotation-was-taken-away",
        ),
        pytest.param(
            {}, [hpa(adopter=OWN)], None, None, ("chat-hpa",), [FOREIGN],
            id="annotation-was-taken-away-from-one-of-our-name",
        ),
        pytest.param(
            {}, [hpa("theirs", owner=OWN)], "chat-hpa", None, ("theirs",), [OWNED],
            id="annotation-was-taken-away-from-one-that-we-made",
        ),
        pytest.param(
            {"annotations": ADOPTING}, [hpa("theirs"), hpa("before", adopter=OWN)], None, None,
            ("before",), [FOREIGN], id="annotation-names-another-now",
        ),
        pytest.param(
            {"scaleTargetRef": {"name": "code"}}, [hpa("theirs", adopter=OWN)], "chat-hpa", None,
            ("theirs",), [OWNED], id="annotation-was-taken-away-and-the-target-changed",
        ),
        pytest.param(
            {}, [hpa(owner="scaler-before")], "chat-hpa", "chat-hpa", (), [OWNED],
            id="left-by-an-earlier-one-of-our-name",
        ),
        pytest.param({"hpa": {"manage": "Never"}}, [], None, None, (), [PUBLISH], id="never"),
        pytest.param(
            {"hpa": {"manage": "Never"}}, [hpa(owner=OWN), hpa("theirs")], None, None,
            ("chat-hpa",), [PUBLISH], id="never-any-more",
        ),
        pytest.param(
            {"hpa": {"manage": "Never"}, "annotations": ADOPTING}, [hpa("theirs", adopter=OWN)],
            None, None, ("theirs",), [PUBLISH], id="never-after-adoption",
        ),
        pytest.param(
            {"mode": "Recommend"}, [hpa(owner=OWN), hpa("theirs")], None, None, ("chat-hpa",),
            [RECOMMEND], id="recommend",
        ),
        pytest.param(
            {"mode": "Recommend", "annotations": ADOPTING}, [hpa("theirs", adopter=OWN)],
            None, None, ("theirs",), [RECOMMEND], id="recommend-after-adoption",
        ),
        pytest.param(
            {"scalingStrategy": "KPA"}, [hpa(owner=OWN)], None, None, ("chat-hpa",), [],
            id="another-strategy",
        ),
        pytest.param(
            {"minReplicas": 0}, [], "chat-hpa", None, (),
            [OWNED, ("ScaleToZero", "False", "HPAMinimumIsOne")], id="minimum-of-zero",
        ),
        pytest.param(
            {"maxReplicas": 0}, [hpa(owner=OWN)], None, None, (), [OWNED],
            id="an-invalid-spec-takes-nothing-away",
        ),
        pytest.param(
            {"maxReplicas": 0, "annotations": ADOPTING},
            [hpa("theirs", adopter=OWN), hpa(target="code", adopter="scaler-before")],
            None, None, ("chat-hpa",), [OWNED], id="an-invalid-spec-gives-back-what-is-not-ours",
        ),
        pytest.param(
            {"maxReplicas": 0}, [hpa(owner=OWN), hpa("theirs")], None, None, ("chat-hpa",),
            [FOREIGN], id="what-an-invalid-spec-keeps-yields-to-a-foreign-one",
        ),
        pytest.param(
            {"maxReplicas": 0}, [hpa("theirs")], None, None, (), [], id="an-invalid-spec-has-none"
        ),
    ],
)  # fmt: skip
def test_who_is_on_the_workload(
    fields: dict[str, Any],
    hpas: list[Hpa],
    wanted: str | None,
    replaces: str | None,
    removes: tuple[str, ...],
    told: list[tuple[str, ...]],
) -> None:
    """What is wanted, taken over and removed follows from who is there, and is told."""
    subject = scaler(**fields)

    assert verdict(plan(subject, [subject], hpas, None)) == (wanted, replaces, removes, told)


@pytest.mark.parametrize(
    ("hpas", "fields", "words"),
    [
        pytest.param(
            [hpa("theirs")],
            {},
            ("HPA theirs, not ours", "adopt-hpa: theirs", "spec.hpa.manage: Never"),
            id="foreign",
        ),
        pytest.param(
            [hpa("theirs", owner="x", owner_kind="Tool", owner_name="t")],
            {},
            ("HPA theirs, owned by Tool t", "remove it", "spec.hpa.manage: Never"),
            id="owned",
        ),
        pytest.param(
            [hpa(target="code")], {}, ("HPA chat-hpa", "on Deployment code", "rename"), id="name"
        ),
        pytest.param(
            [hpa("theirs", target="code")],
            {"annotations": ADOPTING},
            ("HPA theirs", "on Deployment code", "name another one"),
            id="adopt-elsewhere",
        ),
    ],
)
def test_a_refusal_says_who_and_what_to_do(
    hpas: list[Hpa], fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    """The message names the other one and each way out; what cannot be adopted is not offered."""
    subject = scaler(**fields)
    (told,) = plan(subject, [subject], hpas, None).conditions

    for word in words:
        assert word in told.message
    assert ("adopt-hpa" in told.message) == ("adopt-hpa: theirs" in words)


def test_another_tools_autoscaler_wins() -> None:
    """A ScaledObject, say, on the workload is an autoscaler like a foreign HPA; ours goes."""
    subject = scaler()
    planned = plan(subject, [subject], [hpa(owner=OWN)], Rival("ScaledObject queue", "remove it"))

    assert verdict(planned) == (None, None, ("chat-hpa",), [FOREIGN])
    assert "ScaledObject queue" in planned.conditions[0].message


def test_what_the_native_controller_cannot_is_passed_on() -> None:
    """When the HPA controller cannot scale, its reason and message are the scaler's."""
    raw = hpa(owner=OWN)
    told = {
        "type": "AbleToScale",
        "status": "False",
        "reason": "FailedGetScale",
        "message": "no matches for kind Model",
    }
    child = Hpa(
        **{field: getattr(raw, field) for field in raw.__dataclass_fields__}
        | {"status": {"conditions": [told]}}
    )
    subject = scaler()
    (condition,) = plan(subject, [subject], [child], None).conditions

    assert (condition.status, condition.reason) == ("False", "FailedGetScale")
    assert "no matches for kind Model" in condition.message
