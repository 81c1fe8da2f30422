"""Which objects a list or a watch is about: label selectors and field selectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapter import selectors
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, jsonpaths
from budaiscaler.playground.apiserver.kinds import Kind

Test = Callable[[Json], bool]

_EVERYWHERE = ("metadata.name", "metadata.namespace")
_BY_STORE: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets.apps": ("status.replicas",),
    "jobs.batch": ("status.successful",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
"""Fields that can be selected by, beyond those that every kind has; as a kube-apiserver has it."""

_REGARDING = "regarding."


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for."""

    tests: tuple[Test, ...] = ()

    def takes(self, body: Json) -> bool:
        """Tell whether an object, as it is stored, is selected."""
        return all(test(body) for test in self.tests)


def read(kind: Kind, query: Mapping[str, str], name: str | None = None) -> Selection:
    """Read the selectors of a request; `name` narrows it to one object.

    Raises:
        KubeStatusError: 400, for a selector that is none or a field that cannot be selected by.
    """
    tests: list[Test] = []
    if text := query.get("labelSelector", ""):
        try:
            selector = selectors.parse(text)
        except selectors.SelectorError as error:
            raise failures.bad_request(str(error)) from error
        tests.append(lambda body: selector.matches(body["metadata"].get("labels") or {}))
    tests.extend(_field(kind, part) for part in _parts(query.get("fieldSelector", "")))
    if name is not None:
        tests.append(lambda body: body["metadata"]["name"] == name)
    return Selection(tuple(tests))


def _parts(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _field(kind: Kind, part: str) -> Test:
    path, is_equal, wanted = _split(part)
    if kind.store == "events" and path.startswith(_REGARDING):
        path = f"involvedObject.{path.removeprefix(_REGARDING)}"
    known = (*_EVERYWHERE, *_BY_STORE.get(kind.store, ()))
    if path not in known:
        raise failures.bad_request(
            f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label '
            f'selector "", field selector "{part}": field label not supported: {path}'
        )

    def test(body: Json) -> bool:
        value = jsonpaths.first(f".{path}", body)
        if path == "source":
            value = (body.get("source") or {}).get("component") or body.get("reportingComponent")
        return (_text(value) == wanted) is is_equal

    return test


def _split(part: str) -> tuple[str, bool, str]:
    for operator, is_equal in (("!=", False), ("==", True), ("=", True)):
        path, found, wanted = part.partition(operator)
        if found:
            return path, is_equal, wanted
    raise failures.bad_request(f"invalid selector: '{part}'; can't understand '{part}'")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
