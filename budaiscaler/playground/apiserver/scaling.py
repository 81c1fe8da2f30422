"""The scale subresource of any kind that has one."""

from __future__ import annotations

import copy
from typing import Any

from budaiscaler.kube import selectors
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, jsonpaths
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Kind, ScalePaths

API_VERSION = "autoscaling/v1"


def show(kind: Kind, stored: Json) -> Json:
    """Read the scale of an object.

    Raises:
        KubeStatusError: 404 without the subresource; 500 if the object has no replicas.
    """
    paths = _paths(kind)
    replicas = jsonpaths.first(paths.spec, stored)
    if replicas is None:
        raise failures.internal(f'the spec replicas field "{paths.spec}" does not exist')
    status: Json = {"replicas": jsonpaths.first(paths.status, stored) or 0}
    if paths.selector and (selector := jsonpaths.first(paths.selector, stored)):
        status["selector"] = selector if isinstance(selector, str) else selectors.render(selector)
    known = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {key: stored["metadata"][key] for key in known if key in stored["metadata"]},
        "spec": {"replicas": replicas},
        "status": status,
    }


def replicas(kind: Kind, stored: Json, body: Any) -> int:
    """Read how many replicas a Scale asks for.

    Raises:
        KubeStatusError: 400 or 422, it is none.
    """
    _paths(kind)
    if not isinstance(body, dict):
        raise failures.bad_request("the body is no Scale")
    wanted = (body.get("spec") or {}).get("replicas", 0)
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise failures.bad_request(f"spec.replicas is {wanted!r}, which is no whole number")
    if wanted < 0:
        message = f"Invalid value: {wanted}: must be greater than or equal to 0"
        cause = Cause("FieldValueInvalid", message, "spec.replicas")
        raise failures.invalid(kind, stored["metadata"]["name"], [cause])
    return wanted


def with_replicas(kind: Kind, stored: Json, wanted: int) -> Json:
    """The object once it asks for so many replicas."""
    changed = copy.deepcopy(stored)
    jsonpaths.put(_paths(kind).spec, changed, wanted)
    return changed


def _paths(kind: Kind) -> ScalePaths:
    if kind.scale is None:
        raise failures.no_such_path()
    return kind.scale
