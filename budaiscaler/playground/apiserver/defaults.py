"""What a kube-apiserver fills into built-in kinds, as far as somebody here reads it."""

from __future__ import annotations

import base64
from collections.abc import Callable

from budaiscaler.kube.port import Json

_SCALE_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: Json = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_POD_SPEC: Json = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER: Json = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
}


def fill(store: str, body: Json) -> Json:
    """Fill in what was left out; `body` is not changed."""
    filler = _FILLERS.get(store)
    return body if filler is None else filler(body)


def _spec(body: Json, **values: object) -> Json:
    return {**body, "spec": {**values, **(body.get("spec") or {})}}


def _pod_spec(spec: Json) -> Json:
    filled = {**_POD_SPEC, **spec}
    filled["containers"] = [_container(one) for one in spec.get("containers") or ()]
    return filled


def _container(container: Json) -> Json:
    filled = {**_CONTAINER, **container}
    if ports := container.get("ports"):
        filled["ports"] = [{"protocol": "TCP", **port} for port in ports]
    return filled


def _templated(body: Json) -> Json:
    template = body["spec"].get("template")
    if not template:
        return body
    template = {
        **template,
        "metadata": template.get("metadata") or {},
        "spec": _pod_spec(template.get("spec") or {}),
    }
    return {**body, "spec": {**body["spec"], "template": template}}


def _deployment(body: Json) -> Json:
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    return _templated(
        _spec(
            body,
            replicas=1,
            strategy={"type": "RollingUpdate", "rollingUpdate": rolling},
            revisionHistoryLimit=10,
            progressDeadlineSeconds=600,
        )
    )


def _stateful_set(body: Json) -> Json:
    return _templated(
        _spec(
            body,
            replicas=1,
            podManagementPolicy="OrderedReady",
            updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            revisionHistoryLimit=10,
        )
    )


def _hpa(body: Json) -> Json:
    spec = {"minReplicas": 1, **(body.get("spec") or {})}
    if not spec.get("metrics"):
        spec["metrics"] = [_CPU]
    if spec.get("behavior") is not None:
        behavior = spec["behavior"]
        spec["behavior"] = {
            **behavior,
            "scaleUp": {**_SCALE_UP, **(behavior.get("scaleUp") or {})},
            "scaleDown": {**_SCALE_DOWN, **(behavior.get("scaleDown") or {})},
        }
    return {**body, "spec": spec}


def _pod(body: Json) -> Json:
    status = {"phase": "Pending", "qosClass": "BestEffort", **(body.get("status") or {})}
    return {**body, "spec": _pod_spec(body.get("spec") or {}), "status": status}


def _service(body: Json) -> Json:
    filled = _spec(body, type="ClusterIP", sessionAffinity="None")
    ports = [
        {"protocol": "TCP", "targetPort": port.get("port"), **port}
        for port in filled["spec"].get("ports") or ()
    ]
    return {**filled, "spec": {**filled["spec"], **({"ports": ports} if ports else {})}}


def _namespace(body: Json) -> Json:
    metadata = body["metadata"]
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    status = body.get("status") or {"phase": "Active"}
    return {**body, "metadata": {**metadata, "labels": labels}, "status": status}


def _secret(body: Json) -> Json:
    filled = {"type": "Opaque", **body}
    plain = filled.pop("stringData", None)
    if plain:
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        filled["data"] = {**(filled.get("data") or {}), **coded}
    return filled


_FILLERS: dict[str, Callable[[Json], Json]] = {
    "deployments.apps": _deployment,
    "statefulsets.apps": _stateful_set,
    "replicasets.apps": lambda body: _templated(_spec(body, replicas=1)),
    "horizontalpodautoscalers.autoscaling": _hpa,
    "pods": _pod,
    "services": _service,
    "namespaces": _namespace,
    "secrets": _secret,
}
