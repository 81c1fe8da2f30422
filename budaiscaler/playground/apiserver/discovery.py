"""Discovery: which groups, versions and resources there are, in both forms that clients ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter import discovery
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.kinds import Kind, Kinds

_GROUP = "apidiscovery.k8s.io"
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The version of an API that somebody else serves.

    Attributes:
        resources: its `APIResourceList.resources`, as it was last heard.
        is_current: whether it answers.
    """

    group: str
    version: str
    resources: tuple[Json, ...] = ()
    is_current: bool = False


def aggregated_version(accept: str) -> str | None:
    """Read whether the client wants the aggregated form: `v2`, `v2beta1`, or None."""
    for clause in discovery.parse_accept(accept):
        if clause.media == "application/json":
            parameters = clause.parameters
            if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("g") == _GROUP:
                return parameters.get("v")
            if not parameters.get("as"):
                return None
    return None


def media_type(version: str) -> str:
    """The content type of the aggregated form."""
    return f"application/json;g={_GROUP};v={version};as=APIGroupDiscoveryList"


def core_versions(address: str) -> Json:
    """`/api` for clients that know no aggregated discovery."""
    by_client = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": by_client}


def group_list(kinds: Kinds, others: Iterable[Aggregated]) -> Json:
    """`/apis` for those clients."""
    groups = [
        group for name in _versions(kinds, others) if (group := api_group(kinds, others, name))
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(kinds: Kinds, others: Iterable[Aggregated], name: str) -> Json | None:
    """`/apis/<group>`; None for a group that is not served."""
    versions = _versions(kinds, others).get(name)
    if not versions or not name:
        return None
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    group: Json = {"name": name, "versions": told, "preferredVersion": told[0]}
    return {"kind": "APIGroup", "apiVersion": "v1", **group}


def resource_list(kinds: Kinds, group: str, version: str) -> Json | None:
    """`/apis/<group>/<version>`; None for a version that is not served."""
    found = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [resource for kind in found for resource in _resources(kind)],
    }


def aggregated_list(
    kinds: Kinds, others: Iterable[Aggregated], version: str, *, core: bool
) -> Json:
    """`/api` or `/apis` in the aggregated form."""
    elsewhere = {(one.group, one.version): one for one in others}
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [_version(kinds, elsewhere, group, one) for one in versions],
        }
        for group, versions in _versions(kinds, elsewhere.values()).items()
        if (not group) is core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{_GROUP}/{version}",
        "metadata": {},
        "items": items,
    }


def _versions(kinds: Kinds, others: Iterable[Aggregated]) -> dict[str, list[str]]:
    found = kinds.groups()
    for one in others:
        known = found.setdefault(one.group, [])
        if one.version not in known:
            known.append(one.version)
    return found


def _resources(kind: Kind) -> list[Json]:
    whole: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        whole["shortNames"] = list(kind.short_names)
    if kind.categories:
        whole["categories"] = list(kind.categories)
    part: Json = {"singularName": "", "namespaced": kind.namespaced}
    found = [whole]
    if kind.has_status:
        found.append(
            {**part, "name": f"{kind.plural}/status", "kind": kind.kind, "verbs": _OF_PARTS}
        )
    if kind.scale:
        found.append({**part, "name": f"{kind.plural}/scale", **_SCALE, "verbs": _OF_PARTS})
    return found


_OF_PARTS = ["get", "patch", "update"]


def _version(
    kinds: Kinds, elsewhere: Mapping[tuple[str, str], Aggregated], group: str, version: str
) -> Json:
    other = elsewhere.get((group, version))
    if other is not None:
        resources, is_current = list(other.resources), other.is_current
    else:
        served = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
        resources, is_current = [one for kind in served for one in _resources(kind)], True
    whole = {
        one["name"]: _described(one, group, version) for one in resources if "/" not in one["name"]
    }
    for one in resources:
        plural, _, subresource = one["name"].partition("/")
        if subresource and plural in whole:
            whole[plural].setdefault("subresources", []).append(
                {
                    "subresource": subresource,
                    "responseKind": _response_kind(one, group, version),
                    "verbs": one["verbs"],
                }
            )
    return {
        "version": version,
        "resources": list(whole.values()),
        "freshness": "Current" if is_current else "Stale",
    }


def _described(resource: Json, group: str, version: str) -> Json:
    described: Json = {
        "resource": resource["name"],
        "responseKind": _response_kind(resource, group, version),
        "scope": "Namespaced" if resource["namespaced"] else "Cluster",
        "singularResource": resource.get("singularName", ""),
        "verbs": resource["verbs"],
    }
    kept = {key: resource[key] for key in ("shortNames", "categories") if resource.get(key)}
    return {**described, **kept}


def _response_kind(resource: Json, group: str, version: str) -> Json:
    return {
        "group": resource.get("group", group),
        "version": resource.get("version", version),
        "kind": resource["kind"],
    }
