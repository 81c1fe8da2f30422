"""The form of built-in kinds: no more than that without which readers of them would stumble.

Schemas as of custom resources, for validation only: nothing is pruned by them.
"""

from __future__ import annotations

from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import validating
from budaiscaler.playground.apiserver.failures import Cause

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_FLAG: Json = {"type": "boolean"}
_TEXTS: Json = {"type": "object", "additionalProperties": _TEXT}


def _object(*required: str, **properties: Json) -> Json:
    """An object; fields that may be absent may be null, too."""
    told = {
        name: schema if name in required else {**schema, "nullable": True}
        for name, schema in properties.items()
    }
    return {"type": "object", "required": list(required), "properties": told}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_ANY = _object()
_CONDITIONS = _list(_object("type", type=_TEXT, status=_TEXT))
_PORT = _object(containerPort=_NUMBER, protocol=_TEXT)
_CONTAINER = _object("name", name=_TEXT, image=_TEXT, ports=_list(_PORT))
_POD = _object("containers", containers=_list(_CONTAINER), nodeName=_TEXT)
_STATE = _object(waiting=_ANY, terminated=_ANY, running=_ANY)
_CONTAINER_STATUS = _object(restartCount=_NUMBER, ready=_FLAG, state=_STATE)
_SELECTOR = _object(
    matchLabels=_TEXTS,
    matchExpressions=_list(_object("key", "operator", key=_TEXT, operator=_TEXT)),
)
_TEMPLATE = _object(metadata=_object(labels=_TEXTS), spec=_POD)
_REPLICAS = _object(
    **dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), _NUMBER),
    conditions=_CONDITIONS,
)
_WORKLOAD = _object(
    "spec",
    spec=_object("selector", "template", replicas=_NUMBER, selector=_SELECTOR, template=_TEMPLATE),
    status=_REPLICAS,
)
_BEHAVIOR = _object(scaleUp=_ANY, scaleDown=_ANY)
_METRIC: Json = {**_object("type", type=_TEXT), "additionalProperties": _ANY}
_HPA = _object(
    "spec",
    spec=_object(
        "scaleTargetRef",
        "maxReplicas",
        scaleTargetRef=_object("kind", "name", kind=_TEXT, name=_TEXT, apiVersion=_TEXT),
        maxReplicas=_NUMBER,
        minReplicas=_NUMBER,
        metrics=_list(_METRIC),
        behavior=_BEHAVIOR,
    ),
    status=_object(currentReplicas=_NUMBER, currentMetrics=_list(_METRIC), conditions=_CONDITIONS),
)
_SERVICE = _object(
    spec=_object(
        type=_TEXT,
        externalName=_TEXT,
        selector=_TEXTS,
        ports=_list(_object("port", port=_NUMBER, protocol=_TEXT)),
    )
)
_API_SERVICE = _object(
    "spec",
    spec=_object(
        "group",
        "version",
        group=_TEXT,
        version=_TEXT,
        caBundle=_TEXT,
        insecureSkipTLSVerify=_FLAG,
        service=_object("name", "namespace", name=_TEXT, namespace=_TEXT, port=_NUMBER),
    ),
    status=_object(conditions=_CONDITIONS),
)
_COLUMN = _object(
    "name", "type", "jsonPath", name=_TEXT, type=_TEXT, jsonPath=_TEXT, priority=_NUMBER,
    description=_TEXT, format=_TEXT,
)  # fmt: skip
_SCALE = _object(
    "specReplicasPath", "statusReplicasPath", specReplicasPath=_TEXT, statusReplicasPath=_TEXT,
    labelSelectorPath=_TEXT,
)  # fmt: skip
_VERSION = _object(
    "name", "served", "storage", "schema", name=_TEXT, served=_FLAG, storage=_FLAG,
    schema=_object("openAPIV3Schema", openAPIV3Schema=_ANY),
    subresources=_object(status=_ANY, scale=_SCALE), additionalPrinterColumns=_list(_COLUMN),
)  # fmt: skip
_NAMES = _object(
    "kind", "plural", kind=_TEXT, plural=_TEXT, singular=_TEXT, listKind=_TEXT,
    shortNames=_list(_TEXT), categories=_list(_TEXT),
)  # fmt: skip
_DEFINITION = _object(
    "spec",
    spec=_object(
        "group", "scope", "names", "versions", group=_TEXT, scope=_TEXT, names=_NAMES,
        versions=_list(_VERSION),
    ),
    status=_object(conditions=_CONDITIONS),
)  # fmt: skip
_FORMS: dict[str, Json] = {
    "pods": _object(
        "spec",
        spec=_POD,
        status=_object(
            phase=_TEXT, conditions=_CONDITIONS, containerStatuses=_list(_CONTAINER_STATUS)
        ),
    ),
    "services": _SERVICE,
    "secrets": _object(data=_TEXTS, stringData=_TEXTS, type=_TEXT),
    "configmaps": _object(data=_TEXTS, binaryData=_TEXTS),
    "deployments.apps": _WORKLOAD,
    "statefulsets.apps": _WORKLOAD,
    "daemonsets.apps": _WORKLOAD,
    "replicasets.apps": _object("spec", spec=_object("selector", selector=_SELECTOR)),
    "horizontalpodautoscalers.autoscaling": _HPA,
    "apiservices.apiregistration.k8s.io": _API_SERVICE,
    "customresourcedefinitions.apiextensions.k8s.io": _DEFINITION,
}
_OTHERS = _object(spec=_ANY, status=_ANY)
"""What has a spec or a status has an object there."""


def check(store: str, body: Json) -> list[Cause]:
    """What is missing or of another form."""
    form: Any = _FORMS.get(store, _OTHERS)
    return validating.check({key: body[key] for key in body if key != "metadata"}, form)
