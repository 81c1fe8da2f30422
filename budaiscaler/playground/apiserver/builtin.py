"""The built-in kinds: what our manifests, our servers and a person with kubectl use."""

from __future__ import annotations

from collections.abc import Iterator

from budaiscaler.playground.apiserver import printing
from budaiscaler.playground.apiserver.kinds import Column, Kind, ScalePaths

_ALL = ("all",)
_AGE = (printing.AGE,)
_WORKLOAD_SCALE = ScalePaths()


def kinds() -> Iterator[Kind]:
    """List them."""
    yield _kind(
        "", "v1", "Namespace", "namespaces", short=("ns",), columns=printing.NAMESPACES,
        namespaced=False, status=True,
    )  # fmt: skip
    yield _kind(
        "", "v1", "Pod", "pods", short=("po",), columns=printing.PODS, categories=_ALL,
        status=True, generations=True,
    )  # fmt: skip
    yield _kind(
        "", "v1", "Service", "services", short=("svc",), columns=printing.SERVICES,
        categories=_ALL, status=True,
    )  # fmt: skip
    yield _kind(
        "", "v1", "Node", "nodes", short=("no",), columns=printing.NODES, namespaced=False,
        status=True,
    )  # fmt: skip
    yield _kind("", "v1", "ConfigMap", "configmaps", short=("cm",), columns=printing.CONFIG_MAPS)
    yield _kind("", "v1", "Secret", "secrets", columns=printing.SECRETS)
    yield _kind("", "v1", "ServiceAccount", "serviceaccounts", short=("sa",))
    yield _kind("", "v1", "Endpoints", "endpoints", short=("ep",))
    yield _kind("", "v1", "Event", "events", short=("ev",), columns=printing.EVENTS, store="events")
    yield _kind(
        "events.k8s.io", "v1", "Event", "events", short=("ev",), columns=printing.EVENTS,
        store="events",
    )  # fmt: skip
    for kind, plural, short, columns in (
        ("Deployment", "deployments", ("deploy",), printing.DEPLOYMENTS),
        ("StatefulSet", "statefulsets", ("sts",), printing.STATEFUL_SETS),
        ("ReplicaSet", "replicasets", ("rs",), printing.REPLICA_SETS),
    ):
        yield _kind(
            "apps", "v1", kind, plural, short=short, columns=columns, categories=_ALL, status=True,
            generations=True, scale=_WORKLOAD_SCALE,
        )  # fmt: skip
    yield _kind(
        "apps", "v1", "DaemonSet", "daemonsets", short=("ds",), categories=_ALL, status=True,
        generations=True,
    )  # fmt: skip
    yield _kind("batch", "v1", "Job", "jobs", categories=_ALL, status=True, generations=True)
    yield _kind(
        "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",),
        columns=printing.HPAS, categories=_ALL, status=True,
    )  # fmt: skip
    yield _kind(
        "coordination.k8s.io", "v1", "Lease", "leases", columns=printing.LEASES, versioned=True
    )
    yield _kind(
        "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",), status=True,
        generations=True,
    )  # fmt: skip
    yield _kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
    rbac = "rbac.authorization.k8s.io"
    yield _kind(rbac, "v1", "Role", "roles")
    yield _kind(rbac, "v1", "RoleBinding", "rolebindings")
    yield _kind(rbac, "v1", "ClusterRole", "clusterroles", namespaced=False)
    yield _kind(rbac, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
    yield _kind(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
        short=("crd", "crds"), columns=printing.DEFINITIONS, namespaced=False, status=True,
        generations=True,
    )  # fmt: skip
    yield _kind(
        "apiregistration.k8s.io", "v1", "APIService", "apiservices", columns=printing.API_SERVICES,
        namespaced=False, status=True,
    )  # fmt: skip
    authn, authz = "authentication.k8s.io", "authorization.k8s.io"
    yield _review(authn, "TokenReview", "tokenreviews")
    yield _review(authn, "SelfSubjectReview", "selfsubjectreviews")
    yield _review(authz, "SubjectAccessReview", "subjectaccessreviews")
    yield _review(authz, "SelfSubjectAccessReview", "selfsubjectaccessreviews")
    yield _review(authz, "SelfSubjectRulesReview", "selfsubjectrulesreviews")


def _kind(
    group: str,
    version: str,
    kind: str,
    plural: str,
    *,
    short: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    columns: tuple[Column, ...] = _AGE,
    store: str = "",
    namespaced: bool = True,
    status: bool = False,
    generations: bool = False,
    versioned: bool = False,
    scale: ScalePaths | None = None,
) -> Kind:
    return Kind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        store=store or (f"{plural}.{group}" if group else plural),
        list_kind=f"{kind}List",
        namespaced=namespaced,
        short_names=short,
        categories=categories,
        has_status=status,
        scale=scale,
        columns=columns,
        counts_generations=generations,
        needs_version=versioned,
    )


def _review(group: str, kind: str, plural: str) -> Kind:
    """A question: it can be created, and nothing is stored."""
    return Kind(
        group=group,
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        store="",
        namespaced=False,
        verbs=("create",),
    )
