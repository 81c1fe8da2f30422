"""What is installed in the playground, as objects: our own parts, and what is shown.

Our own are those of `manifests/base`, as far as an API server without pods of ours has use for
them; the Service leads to this machine instead of to pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND, Strategy
from budaiscaler.domain.api.crd import budaiscaler_crd
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import API_SERVICES, DEPLOYMENTS, HPAS, Resource
from budaiscaler.playground.fleet.serving import PORT

SYSTEM = "budaiscaler-system"
NAMESPACE = "default"
ADAPTER, CONTROLLER = "budaiscaler-adapter", "budaiscaler-controller"
API_SERVICE = "v1beta1.external.metrics.k8s.io"

MOST_REPLICAS = 20
TARGETS = {"requests_running": 60, "requests_waiting": 30}
"""Of one replica, for requests of usual lengths; `shown.targets` has those for others."""

NAMESPACES = Resource("", "v1", "namespaces")
SERVICES = Resource("", "v1", "services")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")

SCALERS: dict[str, Strategy] = {
    "chat-hpa": Strategy.HPA,
    "chat-kpa": Strategy.KPA,
    "chat-bud": Strategy.BUD_SCALER,
}
"""Name by strategy: each has a workload of its own, and the same traffic."""

TWIN = "plain-hpa"
"""A workload, and the plain HPA that is on it."""

WORKLOADS = (*SCALERS, TWIN)


def installed(adapter_port: int) -> Iterator[tuple[str, Json]]:
    """Our own parts: the collection to create each in, and the object, in their order."""
    yield CRDS.collection(), budaiscaler_crd()
    yield (
        NAMESPACES.collection(),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}},
    )
    for name in (ADAPTER, CONTROLLER):
        metadata = {"name": name, "namespace": SYSTEM}
        yield (
            SERVICE_ACCOUNTS.collection(SYSTEM),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        )
    yield SERVICES.collection(SYSTEM), _service(adapter_port)
    yield API_SERVICES.collection(), api_service(adapter_port)


def api_service(port: int = 443) -> Json:
    """That of the adapter, which puts its CA into it."""
    return {
        "apiVersion": API_SERVICES.api_version,
        "kind": "APIService",
        "metadata": {"name": API_SERVICE},
        "spec": {
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": ADAPTER, "namespace": SYSTEM, "port": port},
        },
    }


def _service(adapter_port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": ADAPTER, "namespace": SYSTEM},
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"name": "https", "port": adapter_port}],
        },
    }


def deployment(name: str, replicas: int) -> Json:
    """A workload of pretended vLLM servers."""
    labels = {"app": name}
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "vllm",
                            "image": "vllm/vllm-openai:v0.10.2",
                            "ports": [{"name": "http", "containerPort": PORT}],
                            "resources": {"limits": {"nvidia.com/gpu": "4"}},
                        }
                    ]
                },
            },
        },
    }


def scaler(
    name: str, strategy: Strategy, targets: Mapping[str, int] = TARGETS, **fields: Any
) -> Json:
    """A scaler of the workload of that name; `fields` are added to its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": MOST_REPLICAS,
            "scalingStrategy": str(strategy),
            "metricsSources": [_source(metric, target) for metric, target in targets.items()],
            **fields,
        },
    }


def _source(metric: str, target: int) -> Json:
    return {
        "metricSourceType": "inferenceEngine",
        "targetMetric": metric,
        "targetValue": str(target),
        "inferenceEngineConfig": {"engineType": "vllm", "metricsPort": PORT},
    }


def plain_hpa(targets: Mapping[str, int] = TARGETS) -> Json:
    """What most begin with: the same figures and targets, the stock behaviour, nothing else."""
    return {
        "apiVersion": HPAS.api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": TWIN, "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": TWIN},
            "minReplicas": 1,
            "maxReplicas": MOST_REPLICAS,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": metric},
                        "target": {"type": "AverageValue", "averageValue": str(target)},
                    },
                }
                for metric, target in targets.items()
            ],
        },
    }
