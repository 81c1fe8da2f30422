"""Kubernetes' protobuf, as far as kubectl sends it: `kubectl create <kind>` and `kubectl auth`.

Those commands of kubectl have no JSON. Known are the messages below, by the numbers in the
`generated.proto` of `k8s.io/api`; a field that is not known is refused, never dropped. Answers are
always JSON, which every client takes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from budaiscaler.domain import times
from budaiscaler.kube.port import Json

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

_TABLE = """
Unknown: 1 type TypeMeta, 2 raw bytes, 3 encoding string, 4 contentType string
TypeMeta: 1 apiVersion string, 2 kind string
ObjectMeta: 1 name string, 2 generateName string, 3 namespace string, 4 selfLink string,
  5 uid string, 6 resourceVersion string, 7 generation int, 8 creationTimestamp Time,
  9 deletionTimestamp Time, 11 labels map, 12 annotations map, 13 ownerReferences OwnerReference*,
  14 finalizers string*
OwnerReference: 1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller bool,
  7 blockOwnerDeletion bool
LabelSelector: 1 matchLabels map, 2 matchExpressions LabelSelectorRequirement*
LabelSelectorRequirement: 1 key string, 2 operator string, 3 values string*
Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status Empty
NamespaceSpec: 1 finalizers string*
ConfigMap: 1 metadata ObjectMeta, 2 data map, 3 binaryData bytesmap, 4 immutable bool
Secret: 1 metadata ObjectMeta, 2 data bytesmap, 3 type string, 4 stringData map, 5 immutable bool
ServiceAccount: 1 metadata ObjectMeta, 4 automountServiceAccountToken bool
Service: 1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status Empty
ServiceSpec: 1 ports ServicePort*, 2 selector map, 3 clusterIP string, 4 type string,
  5 externalIPs string*, 7 sessionAffinity string, 8 loadBalancerIP string, 10 externalName string,
  11 externalTrafficPolicy string, 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool
ServicePort: 1 name string, 2 protocol string, 3 port int, 4 targetPort IntOrString, 5 nodePort int
Deployment: 1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status Empty
DeploymentSpec: 1 replicas int!, 2 selector LabelSelector, 3 template PodTemplateSpec,
  4 strategy DeploymentStrategy, 5 minReadySeconds int, 6 revisionHistoryLimit int, 7 paused bool,
  9 progressDeadlineSeconds int
DeploymentStrategy: 1 type string
PodTemplateSpec: 1 metadata ObjectMeta, 2 spec PodSpec
PodSpec: 2 containers Container*, 3 restartPolicy string, 6 dnsPolicy string, 7 nodeSelector map,
  8 serviceAccountName string, 9 serviceAccount string, 10 nodeName string, 11 hostNetwork bool,
  12 hostPID bool, 13 hostIPC bool, 16 hostname string, 17 subdomain string,
  19 schedulerName string, 24 priorityClassName string
Container: 1 name string, 2 image string, 3 command string*, 4 args string*, 5 workingDir string,
  6 ports ContainerPort*, 7 env EnvVar*, 8 resources Empty, 13 terminationMessagePath string,
  14 imagePullPolicy string, 16 stdin bool, 17 stdinOnce bool, 18 tty bool,
  20 terminationMessagePolicy string
ContainerPort: 1 name string, 2 hostPort int, 3 containerPort int, 4 protocol string,
  5 hostIP string
EnvVar: 1 name string, 2 value string
HorizontalPodAutoscaler: 1 metadata ObjectMeta, 2 spec HorizontalPodAutoscalerSpec, 3 status Empty
HorizontalPodAutoscalerSpec: 1 scaleTargetRef CrossVersionObjectReference, 2 minReplicas int!,
  3 maxReplicas int, 4 metrics MetricSpec*
CrossVersionObjectReference: 1 kind string, 2 name string, 3 apiVersion string
MetricSpec: 1 type string, 4 resource ResourceMetricSource
ResourceMetricSource: 1 name string, 2 target MetricTarget
MetricTarget: 1 type string, 2 value Quantity, 3 averageValue Quantity, 4 averageUtilization int
PodDisruptionBudget: 1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec, 3 status Empty
PodDisruptionBudgetSpec: 1 minAvailable IntOrString, 2 selector LabelSelector,
  3 maxUnavailable IntOrString
SelfSubjectReview: 1 metadata ObjectMeta, 2 status Empty
SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec, 3 status Empty
SelfSubjectRulesReviewSpec: 1 namespace string
SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec, 3 status Empty
SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes,
  2 nonResourceAttributes NonResourceAttributes
ResourceAttributes: 1 namespace string, 2 verb string, 3 group string, 4 version string,
  5 resource string, 6 subresource string, 7 name string
NonResourceAttributes: 1 path string, 2 verb string
Time: 1 seconds int, 2 nanos int
Quantity: 1 string string
IntOrString: 1 type int, 2 intVal int, 3 strVal string
Entry: 1 key string, 2 value string
BytesEntry: 1 key string, 2 value bytes
"""
"""Messages: number, name and type of each field; `*` may come often, `!` is kept at 0."""


class _Field(NamedTuple):
    name: str
    type: str
    is_list: bool
    keeps_zero: bool


def _read_table(text: str) -> dict[str, dict[int, _Field]]:
    messages: dict[str, dict[int, _Field]] = {"Empty": {}}
    for line in text.replace("\n  ", " ").strip().splitlines():
        name, _, fields = line.partition(":")
        messages[name] = {}
        for field in fields.split(","):
            number, key, kind = field.split()
            read = _Field(key, kind.rstrip("*!"), kind.endswith("*"), kind.endswith("!"))
            messages[name][int(number)] = read
    return messages


_MESSAGES = _read_table(_TABLE)
_VARINT, _BYTES = 0, 2
_NUMBERS = ("int", "bool")


def decode(raw: bytes) -> Json:
    """Read an object.

    Raises:
        ValueError: it is none, or has a field that is not known here.
    """
    if not raw.startswith(_MAGIC):
        raise ValueError("it does not begin as Kubernetes' protobuf does")
    envelope = _message("Unknown", raw[len(_MAGIC) :])
    told = envelope.get("type") or {}
    kind = told.get("kind", "")
    if "metadata" not in {field.name for field in _MESSAGES.get(kind, {}).values()}:
        raise ValueError(f"{kind} is not known in protobuf here; send JSON or YAML")
    return {**told, **_message(kind, base64.b64decode(envelope.get("raw", "")))}


def _message(name: str, raw: bytes) -> Json:
    known = _MESSAGES[name]
    body: Json = {}
    for number, value in _fields(raw):
        field = known.get(number)
        if field is None:
            raise ValueError(f"field {number} of {name} is not known in protobuf here; send JSON")
        read = _value(field.type, value)
        if field.type in {"map", "bytesmap"}:
            body.setdefault(field.name, {})[read.get("key", "")] = read.get("value", "")
        elif field.is_list:
            body.setdefault(field.name, []).append(read)
        elif read or field.keeps_zero:
            body[field.name] = read
    return body


def _value(kind: str, value: int | bytes) -> Any:
    if isinstance(value, int) is not (kind in _NUMBERS):
        raise ValueError(f"a {kind} is written as something else")
    if isinstance(value, int):
        return bool(value) if kind == "bool" else value
    reader = _READERS.get(kind)
    return reader(value) if reader else _message(kind, value)


def _time(raw: bytes) -> str | None:
    seconds = _message("Time", raw).get("seconds")
    try:
        return times.rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds else None
    except OverflowError as error:
        raise ValueError(f"{seconds} s is no time") from error


def _int_or_string(raw: bytes) -> int | str:
    read = _message("IntOrString", raw)
    found: int | str = read.get("strVal", "") if read.get("type") else read.get("intVal", 0)
    return found


_READERS: dict[str, Callable[[bytes], Any]] = {
    "string": bytes.decode,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "map": lambda raw: _message("Entry", raw),
    "bytesmap": lambda raw: _message("BytesEntry", raw),
    "Time": _time,
    "Quantity": lambda raw: _message("Quantity", raw).get("string", "0"),
    "IntOrString": _int_or_string,
    "Empty": lambda _: {},
}


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        number, wire = tag >> 3, tag & 7
        value, position = _varint(raw, position)
        if wire == _VARINT:
            yield number, value - (1 << 64) if value >> 63 else value
        elif wire == _BYTES and position + value <= len(raw):
            yield number, raw[position : position + value]
            position += value
        else:
            raise ValueError(f"field {number} cannot be read")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while position < len(raw) and shift < 64:  # noqa: PLR2004 - bits of the longest one
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, position
    raise ValueError("it ends in the middle of a number")
