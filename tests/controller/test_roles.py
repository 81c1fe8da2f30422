"""What the manifests allow: to the controller what it asks for, and to people their scalers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from budaiscaler.domain.api import naming
from tests.controller.world import World, settle
from tests.fakes.kube import Call

BASE = Path(__file__).parents[2] / "manifests" / "base"

Grant = tuple[str, str, str]
"""API group, resource and verb."""


def cluster_roles(file: str) -> dict[str, dict[str, Any]]:
    """The ClusterRoles of a manifest, by name."""
    documents = yaml.safe_load_all((BASE / file).read_text())
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == "ClusterRole"}


SCALES = {
    ("apps", f"{kind}/scale", verb)
    for kind in ("deployments", "replicasets", "statefulsets")
    for verb in ("get", "patch")
}
"""What the evaluator of the controller needs beside, to scale by itself."""


def granted(role: dict[str, Any]) -> set[Grant]:
    """What a role grants, one by one."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(call: Call) -> set[Grant]:
    """What the API server asks for before it answers a request."""
    _, group, _, *rest = call.path.removeprefix("/").split("/")
    if rest[0] == "namespaces":
        rest = rest[2:]
    resource = "/".join((rest[0], *rest[2:]))
    verb = "list" if call.verb == "get" and len(rest) == 1 else call.verb
    makes = (
        verb == "patch" and len(rest) == 2 and isinstance(call.body, dict) and "spec" in call.body
    )
    return {(group, resource, verb)} | ({(group, resource, "create")} if makes else set())


@pytest.mark.looptime
async def test_the_controller_may_do_what_it_does_and_no_more() -> None:
    """Over a life in which it makes, adopts, gives back and deletes, each grant is needed once."""
    world = World()
    world.add_hpa("theirs")
    world.add_scaler()
    async with world.controlled():
        world.annotate(**{naming.ADOPT_ANNOTATION: "theirs"})
        await settle()
        world.annotate()
        await settle()
        world.remove_hpa("theirs")
        await settle()
        world.edit(hpa={"manage": "Never"})
        await settle()

    asked = set[Grant]().union(*(needed(call) for call in world.kube.calls))
    allowed = granted(cluster_roles("controller-rbac.yaml")["budaiscaler-controller"])
    assert allowed - asked == SCALES
    assert asked <= allowed


def test_people_get_their_scalers_with_their_namespace() -> None:
    """Who may view may look, who may edit or administer may change, and nobody writes status."""
    by_role: dict[str, set[Grant]] = {"view": set(), "edit": set(), "admin": set()}
    for role in cluster_roles("user-roles.yaml").values():
        for label, value in role["metadata"]["labels"].items():
            assert value == "true"
            by_role[label.removeprefix("rbac.authorization.k8s.io/aggregate-to-")] |= granted(role)
    scalers = "scaler.bud.studio", "budaiscalers"
    reads = {(*scalers, verb) for verb in ("get", "list", "watch")}
    writes = {
        (*scalers, verb) for verb in ("create", "update", "patch", "delete", "deletecollection")
    }

    assert by_role == {"view": reads, "edit": reads | writes, "admin": reads | writes}


def test_the_roles_of_people_are_installed() -> None:
    """A manifest that the kustomization does not name would help nobody."""
    resources = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]

    assert "user-roles.yaml" in resources
