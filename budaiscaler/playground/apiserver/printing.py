"""What the columns of built-in kinds show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from budaiscaler.domain import times
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import jsonpaths
from budaiscaler.playground.apiserver.kinds import Cell, Column

_MINUTE_S, _HOUR_S, _DAY_S, _YEAR_S = 60, 3600, 86400, 31536000


def age(since: Any, now: datetime) -> str:
    """Tell how long ago a time was, as kubectl does: 45s, 3m10s, 2h, 5d."""
    moment = times.parse(since) if isinstance(since, str) else None
    if moment is None:
        return "<unknown>"
    seconds = int((now - moment).total_seconds())
    if seconds < 0:
        return "0s" if seconds > -_MINUTE_S else "<invalid>"
    minutes, hours, days = seconds // _MINUTE_S, seconds // _HOUR_S, seconds // _DAY_S
    for limit, text in (
        (2 * _MINUTE_S, f"{seconds}s"),
        (10 * _MINUTE_S, _two(minutes, "m", seconds % _MINUTE_S, "s")),
        (3 * _HOUR_S, f"{minutes}m"),
        (8 * _HOUR_S, _two(hours, "h", minutes % 60, "m")),
        (2 * _DAY_S, f"{hours}h"),
        (8 * _DAY_S, _two(days, "d", hours % 24, "h")),
        (2 * _YEAR_S, f"{days}d"),
        (8 * _YEAR_S, _two(days // 365, "y", days % 365, "d")),
    ):
        if seconds < limit:
            return text
    return f"{days // 365}y"


def _two(count: int, unit: str, rest: int, smaller: str) -> str:
    return f"{count}{unit}{rest}{smaller}" if rest else f"{count}{unit}"


def at(path: str, missing: Any = "") -> Cell:
    """Show the value at a JSON path."""

    def cell(body: Json, _: datetime) -> Any:
        value = jsonpaths.first(path, body)
        return missing if value is None else value

    return cell


def count(path: str) -> Cell:
    """Show a number; 0 where there is none."""
    return at(path, 0)


def age_at(path: str) -> Cell:
    """Show how long ago the time at a path was."""
    return lambda body, now: age(jsonpaths.first(path, body), now)


def size(*paths: str) -> Cell:
    """Show how many entries the objects at the paths have together."""
    return lambda body, _: str(sum(len(jsonpaths.first(path, body) or ()) for path in paths))


AGE = Column("Age", age_at(".metadata.creationTimestamp"))


def _ready_of(ready: str, wanted: str) -> Cell:
    def cell(body: Json, _: datetime) -> str:
        found = jsonpaths.first(wanted, body)
        return f"{jsonpaths.first(ready, body) or 0}/{1 if found is None else found}"

    return cell


def _containers(field: str) -> Cell:
    def cell(body: Json, _: datetime) -> str:
        found = jsonpaths.first(".spec.template.spec.containers", body) or ()
        return ",".join(str(one.get(field, "")) for one in found)

    return cell


def labels_of(path: str) -> Cell:
    """Show a selector by labels."""

    def cell(body: Json, _: datetime) -> str:
        found = jsonpaths.first(path, body) or {}
        pairs = ",".join(f"{key}={value}" for key, value in sorted(found.items()))
        return pairs or "<none>"

    return cell


_IMAGES = (
    Column("Containers", _containers("name"), priority=1),
    Column("Images", _containers("image"), priority=1),
)
_SELECTOR = Column("Selector", labels_of(".spec.selector.matchLabels"), priority=1)

DEPLOYMENTS = (
    Column("Ready", _ready_of(".status.readyReplicas", ".spec.replicas")),
    Column("Up-to-date", count(".status.updatedReplicas"), "integer"),
    Column("Available", count(".status.availableReplicas"), "integer"),
    AGE,
    *_IMAGES,
    _SELECTOR,
)
STATEFUL_SETS = (
    Column("Ready", _ready_of(".status.readyReplicas", ".spec.replicas")),
    AGE,
    *_IMAGES,
)
REPLICA_SETS = (
    Column("Desired", count(".spec.replicas"), "integer"),
    Column("Current", count(".status.replicas"), "integer"),
    Column("Ready", count(".status.readyReplicas"), "integer"),
    AGE,
    *_IMAGES,
    _SELECTOR,
)


def _pod_ready(body: Json, _: datetime) -> str:
    statuses = jsonpaths.first(".status.containerStatuses", body) or ()
    containers = jsonpaths.first(".spec.containers", body) or ()
    return f"{sum(bool(one.get('ready')) for one in statuses)}/{len(containers)}"


def _pod_status(body: Json, _: datetime) -> str:
    if body["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = body.get("status") or {}
    for one in status.get("containerStatuses") or ():
        state = one.get("state") or {}
        for phase in ("waiting", "terminated"):
            if reason := (state.get(phase) or {}).get("reason"):
                return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _restarts(body: Json, _: datetime) -> str:
    statuses = jsonpaths.first(".status.containerStatuses", body) or ()
    return str(sum(int(one.get("restartCount", 0)) for one in statuses))


PODS = (
    Column("Ready", _pod_ready),
    Column("Status", _pod_status),
    Column("Restarts", _restarts),
    AGE,
    Column("IP", at(".status.podIP", "<none>"), priority=1),
    Column("Node", at(".spec.nodeName", "<none>"), priority=1),
    Column("Nominated Node", at(".status.nominatedNodeName", "<none>"), priority=1),
    Column("Readiness Gates", lambda _, __: "<none>", priority=1),
)


def _metric(spec: Json, current: Json | None) -> str:
    """One target of an HPA: what it is now, and what it should be."""
    name = str(spec["type"])
    source: Json = next((value for key, value in spec.items() if key != "type"), {})
    now: Json = next((value for key, value in (current or {}).items() if key != "type"), {})
    target, value = source.get("target") or {}, now.get("current") or {}
    if "averageUtilization" in target:
        shown, wanted = value.get("averageUtilization"), f"{target['averageUtilization']}%"
        shown = None if shown is None else f"{shown}%"
    else:
        key = "averageValue" if "averageValue" in target else "value"
        shown = value.get(key, value.get("averageValue"))
        wanted = str(target.get(key))
        if key == "averageValue" and name in {"External", "Object"}:
            wanted += " (avg)"
    text = f"{'<unknown>' if shown is None else shown}/{wanted}"
    return f"{source['name']}: {text}" if name == "Resource" else text


def _hpa_targets(body: Json, _: datetime) -> str:
    specs = jsonpaths.first(".spec.metrics", body) or ()
    current = jsonpaths.first(".status.currentMetrics", body) or ()
    told = [_metric(spec, current[i] if i < len(current) else None) for i, spec in enumerate(specs)]
    return ", ".join(told) or "<none>"


def _hpa_reference(body: Json, _: datetime) -> str:
    target = body["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


HPAS = (
    Column("Reference", _hpa_reference),
    Column("Targets", _hpa_targets),
    Column("MinPods", at(".spec.minReplicas", "<unset>")),
    Column("MaxPods", count(".spec.maxReplicas"), "integer"),
    Column("Replicas", count(".status.currentReplicas"), "integer"),
    AGE,
)


def _last_seen(body: Json, now: datetime) -> str:
    series = (body.get("series") or {}).get("lastObservedTime")
    seen = series or body.get("lastTimestamp") or body.get("eventTime")
    return age(seen or body["metadata"].get("creationTimestamp"), now)


def _first_seen(body: Json, now: datetime) -> str:
    return age(body.get("firstTimestamp") or body.get("eventTime"), now)


def _event_object(body: Json, _: datetime) -> str:
    about = body.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(body: Json, _: datetime) -> str:
    source = body.get("source") or {}
    host = source.get("host") or ""
    component = source.get("component") or body.get("reportingComponent") or ""
    return f"{component}, {host}" if host else str(component)


def _event_count(body: Json, _: datetime) -> int:
    series = (body.get("series") or {}).get("count")
    return int(series or body.get("count") or 1)


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", at(".type")),
    Column("Reason", at(".reason")),
    Column("Object", _event_object),
    Column("Subobject", at(".involvedObject.fieldPath"), priority=1),
    Column("Source", _event_source, priority=1),
    Column("Message", lambda body, _: str(body.get("message") or "").strip()),
    Column("First Seen", _first_seen, priority=1),
    Column("Count", _event_count, "integer", priority=1),
    Column("Name", at(".metadata.name"), priority=1),
)


def _ports(body: Json, _: datetime) -> str:
    found = jsonpaths.first(".spec.ports", body) or ()
    return ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in found) or "<none>"


SERVICES = (
    Column("Type", at(".spec.type", "ClusterIP")),
    Column("Cluster-IP", at(".spec.clusterIP", "<none>")),
    Column("External-IP", at(".spec.externalName", "<none>")),
    Column("Port(s)", _ports),
    AGE,
    Column("Selector", labels_of(".spec.selector"), priority=1),
)
LEASES = (Column("Holder", at(".spec.holderIdentity")), AGE)
NAMESPACES = (Column("Status", at(".status.phase")), AGE)
CONFIG_MAPS = (Column("Data", size(".data", ".binaryData")), AGE)
SECRETS = (Column("Type", at(".type", "Opaque")), Column("Data", size(".data"), "integer"), AGE)


def _node_status(body: Json, _: datetime) -> str:
    ready = jsonpaths.first('.status.conditions[?(@.type=="Ready")].status', body)
    return "Ready" if ready == "True" else "NotReady"


NODES = (
    Column("Status", _node_status),
    Column("Roles", lambda _, __: "<none>"),
    AGE,
    Column("Version", at(".status.nodeInfo.kubeletVersion")),
)


def _api_service(body: Json, _: datetime) -> str:
    service = (body.get("spec") or {}).get("service")
    return f"{service['namespace']}/{service['name']}" if service else "Local"


def _available(body: Json, _: datetime) -> str:
    available = '.status.conditions[?(@.type=="Available")]'
    status = jsonpaths.first(f"{available}.status", body) or "Unknown"
    reason = jsonpaths.first(f"{available}.reason", body)
    return str(status) if status == "True" or not reason else f"{status} ({reason})"


API_SERVICES = (Column("Service", _api_service), Column("Available", _available), AGE)
DEFINITIONS = (Column("Created At", at(".metadata.creationTimestamp"), "date"),)
