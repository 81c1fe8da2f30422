"""Specs that the rules are asked about: at run time here, and by a real API server in e2e."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests import samples

Json = dict[str, Any]

CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").decode()
TOKEN = {"bearerTokenSecretRef": {"name": "prometheus", "key": "token"}}
BASIC = {"basicSecretRef": {"name": "prometheus"}}
KEY = {"name": "keys", "key": "queue.token"}


def of_source(**fields: Any) -> Json:
    """A spec whose only source has these fields as well."""
    return samples.raw_spec(samples.total(**fields))


def of_type(kind: str, **fields: Any) -> Json:
    """A spec whose only source is of that type."""
    return samples.raw_spec(
        {"metricSourceType": kind, "targetMetric": "q", "targetValue": "5", **fields}
    )


def of_object(**fields: Any) -> Json:
    """A spec whose only source is a metric of an object that is fine but for these fields."""
    described = {"apiVersion": "v1", "kind": "Service", "name": "chat", **fields}
    return of_type("custom", describedObject=described)


def of_rules(direction: str = "scaleUp", **fields: Any) -> Json:
    """A spec with these rules in one direction."""
    return samples.raw_spec(behavior={direction: fields})


def of_hint(**fields: Any) -> Json:
    """A spec with one schedule hint."""
    return samples.raw_spec(scheduleHints=[hint(**fields)])


def hint(**fields: Any) -> Json:
    """A schedule hint that is fine but for these fields."""
    return {
        "name": "day",
        "cronExpression": "0 9 * * 1-5",
        "targetReplicas": 5,
        "duration": "2h",
        **fields,
    }


def _zero_policy() -> Json:
    return {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 60}]}


FINE = [
    *(
        pytest.param(of_hint(cronExpression=text), id=f"cron-{text}")
        for text in (
            "* * * * *",
            "*/15 0-6/2 1,15 * ?",
            "0 8 * JAN-mar Mon-FRI",
            "5/10 00 01 1 0,6",
            "59 23 31 12 6",
            "0,30,45-50/5 9-17 * * sun,sat",
            "0  9\t* * 1-5",
            "TZ=Europe/Berlin 0 9 * * 1-5",
            "CRON_TZ=Etc/GMT+3 0 9 * * 1-5",
            "0 0 29 2 *",
            "0 0 31 2 mon",
        )
    ),
    *(
        pytest.param(of_hint(duration=text), id=f"duration-{text}")
        for text in ("90s", "1h30m", "24h", "1d", "1.5h", "500ms", "0s", "0")
    ),
    *(pytest.param(of_hint(prewarm=text), id=f"prewarm-{text}") for text in ("auto", "10m", "0s")),
    *(
        pytest.param(of_hint(timeZone=text), id=f"zone-{text}")
        for text in ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST5EDT")
    ),
    pytest.param(of_hint(targetReplicas=0), id="hint-of-none"),
    pytest.param(
        samples.raw_spec(scheduleHints=[hint(name=f"h{n}") for n in range(64)]), id="most-hints"
    ),
    *(
        pytest.param(of_rules(maxScaleRate=text), id=f"rate-{text}")
        for text in ("2.0", "0.5", "1000", "500m")
    ),
    pytest.param(of_rules("scaleDown", maxScaleRate="2.0"), id="rate-above-1-down"),
    *(
        pytest.param(of_rules(startingPods={"startingPodWeight": text}), id=f"weight-{text}")
        for text in ("0", "0.5", "1", "1.0", "750m")
    ),
    pytest.param(
        {**of_rules(**_zero_policy()), "scalingStrategy": "KPA"}, id="policy-of-0-without-hpa"
    ),
    *(
        pytest.param(samples.raw_spec(costConfig={field: value}), id=f"{field}-{value!r}")
        for field in ("budgetPerHour", "budgetPerDay")
        for value in ("10.00", 3, "0", 0, "2500m")
    ),
    pytest.param(of_type("inferenceEngine", inferenceEngineConfig={"engineType": "vllm"}), id="e"),
    pytest.param(
        of_source(inferenceEngineConfig={"engineType": "tgi", "metricsPort": 0, "metricsPath": ""}),
        id="engine-port-0",
    ),
    pytest.param(of_type("resource", targetMetric="memory"), id="resource-memory"),
    pytest.param(of_type("custom", targetMetric="cpu"), id="custom-cpu"),
    *(
        pytest.param(of_object(apiVersion=version, kind=kind), id=f"object-{version}-{kind}")
        for version, kind in (("v1", "Service"), ("networking.k8s.io/v1", "Ingress"))
    ),
    *(
        pytest.param(of_type("pod", port=value), id=f"port-{value!r}")
        for value in ("8000", 8000, 1, "65535", "metrics", "http-9", "9p", "", "08000")
    ),
    *(
        pytest.param(of_type("pod", path=text), id=f"path-{text}")
        for text in ("/metrics", "metrics", "", "/a?b=c&d=%20")
    ),
    *(
        pytest.param(of_source(scrapeTimeout=text), id=f"timeout-{text}")
        for text in ("2s", "500ms", "1m")
    ),
    pytest.param(of_source(fallback={"replicas": 3}), id="fallback"),
    pytest.param(of_source(fallback={"replicas": 0, "after": "5m"}), id="fallback-after"),
    pytest.param(of_source(auth=TOKEN), id="bearer"),
    pytest.param(of_source(auth=BASIC), id="basic"),
    pytest.param(of_source(tls={"caBundle": CA}), id="ca"),
    pytest.param(of_source(tls={"insecureSkipVerify": True}), id="skip-verify"),
    pytest.param(
        of_source(
            headers={"X-Scope-OrgID": "a"}, headersFrom=[{"name": "X-Key", "secretKeyRef": KEY}]
        ),
        id="headers-from",
    ),
    pytest.param(
        of_source(headersFrom=[{"name": "Authorization", "secretKeyRef": KEY}]), id="own-auth"
    ),
    pytest.param(
        of_source(headersFrom=[{"name": f"X-{n}", "secretKeyRef": KEY} for n in range(16)]),
        id="most-headers-from",
    ),
    *(
        pytest.param(samples.raw_spec(gpuConfig={"dcgmEndpoint": text}), id=f"dcgm-{text}")
        for text in ("http://dcgm-exporter:9400/metrics", "dcgm:9400", "")
    ),
    *(
        pytest.param(samples.raw_spec(predictionConfig={"lookAheadMinutes": n}), id=f"ahead-{n}")
        for n in (1, 5, 60, 90)
    ),
]
"""Accepted by both."""

_CRON = "cronExpression must be five"
_ZONE = "the time zone, in timeZone"
_DURATION = "duration must be a length"
_HEADERS = "headersFrom must have plain names"

BROKEN = [
    *(
        pytest.param(of_hint(cronExpression=text), _CRON, id=f"cron-{text!r}")
        for text in (
            "",
            "0 9 * *",
            "0 9 * * 1-5 2026",
            "@daily",
            "R * * * *",
            "H 9 * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "0 9 * * 7",
            "0 9 * * L",
            "0 9 * * mon#2",
            "*/0 * * * *",
            "1- * * * *",
            "1,,2 * * * *",
            "0 9 * * 1-5\n",
            "0 9 * foo *",
            "TZ= 0 9 * * *",
            "TZ=../etc 0 9 * * *",
        )
    ),
    *(
        pytest.param(of_hint(duration=text), _DURATION, id=f"duration-{text!r}")
        for text in ("", "2", "h", "2 h", "-2h", "2H", "1w", "PT2H", "two hours", "1h\n")
    ),
    *(
        pytest.param(of_hint(prewarm=text), "prewarm must be", id=f"prewarm-{text!r}")
        for text in ("", "Auto", "-1m", "10")
    ),
    *(
        pytest.param(of_hint(timeZone=text), _ZONE, id=f"zone-{text!r}")
        for text in ("", "/etc/passwd", "Europe/", "../UTC", "Europe Berlin", "UTC\n")
    ),
    pytest.param(
        of_hint(cronExpression="TZ=UTC 0 9 * * *", timeZone="UTC"),
        "timeZone must not be set",
        id="two-zones",
    ),
    pytest.param(
        samples.raw_spec(scheduleHints=[hint(), hint()]),
        "scheduleHints must have different",
        id="same-hint-twice",
    ),
    *(
        pytest.param(of_rules(direction, maxScaleRate=text), "maxScaleRate must", id=f"rate-{text}")
        for direction in ("scaleUp", "scaleDown")
        for text in ("0", "-1", "fast", "")
    ),
    *(
        pytest.param(
            of_rules(startingPods={"startingPodWeight": text}),
            "startingPodWeight must",
            id=f"weight-{text}",
        )
        for text in ("-0.1", "1.1", "half", "50%")
    ),
    *(
        pytest.param(of_rules(direction, **_zero_policy()), "a policy of the HPA", id=direction)
        for direction in ("scaleUp", "scaleDown")
    ),
    *(
        pytest.param(
            samples.raw_spec(costConfig={field: value}), f"{field} must be", id=f"{field}-{value!r}"
        )
        for field in ("budgetPerHour", "budgetPerDay")
        for value in ("-1", -1, "ten", "", "1e999999")
    ),
    pytest.param(of_type("inferenceEngine"), "inferenceEngineConfig must be", id="no-engine"),
    *(
        pytest.param(of_object(**{field: text}), f"describedObject.{field}", id=f"{field}-{text!r}")
        for field, text in (
            ("apiVersion", ""),
            ("apiVersion", "../v1"),
            ("kind", ""),
            ("kind", "services/status"),
            ("name", ""),
        )
    ),
    pytest.param(of_type("resource"), "targetMetric must be cpu", id="resource-of-another-name"),
    *(
        pytest.param(of_type("pod", port=value), "port must be", id=f"port-{value!r}")
        for value in ("0", 0, "65536", 65536, -1, "80 80", "HTTP", "a--b", "-a", "8000/", "a\n")
    ),
    *(
        pytest.param(of_type("pod", path=text), "path must be", id=f"path-{text!r}")
        for text in ("/a b", "/a\n", "/a\r\nHost: b")
    ),
    pytest.param(
        of_source(inferenceEngineConfig={"engineType": "vllm", "metricsPath": "/a b"}),
        "metricsPath must be",
        id="engine-path",
    ),
    *(
        pytest.param(of_source(scrapeTimeout=text), "scrapeTimeout must", id=f"timeout-{text!r}")
        for text in ("", "0", "0s", "2", "-2s", "soon")
    ),
    *(
        pytest.param(
            of_source(fallback={"replicas": 3, "after": text}), "fallback.after", id=f"after-{text}"
        )
        for text in ("", "0s", "5")
    ),
    pytest.param(of_source(auth={}), "auth must have exactly", id="auth-of-nothing"),
    pytest.param(of_source(auth={**TOKEN, **BASIC}), "auth must have exactly", id="auth-of-both"),
    pytest.param(
        of_source(auth=TOKEN, headers={"authorization": "Basic x"}),
        "auth must not be set beside",
        id="auth-and-header",
    ),
    pytest.param(
        of_source(auth=TOKEN, headersFrom=[{"name": "Authorization", "secretKeyRef": KEY}]),
        "auth must not be set beside",
        id="auth-and-header-from",
    ),
    *(
        pytest.param(
            of_source(auth={"bearerTokenSecretRef": {"name": name, "key": key}}),
            "name and key must be",
            id=f"secret-{name}-{key}",
        )
        for name, key in (("", "k"), ("a", ""), ("../b", "k"), ("a/b", "k"), ("a", "../k"))
    ),
    *(
        pytest.param(
            of_source(auth={"basicSecretRef": ref}),
            "name, usernameKey and passwordKey",
            id=f"basic-{'-'.join(ref)}",
        )
        for ref in (
            {"name": "A"},
            {"name": "a", "usernameKey": ""},
            {"name": "a", "passwordKey": "b/c"},
        )
    ),
    *(
        pytest.param(
            of_source(headersFrom=[{"name": name, "secretKeyRef": KEY}]),
            _HEADERS,
            id=f"from-{name}",
        )
        for name in ("a b", "", "Content-Length", "ä")
    ),
    pytest.param(
        of_source(
            headersFrom=[{"name": "X-a", "secretKeyRef": KEY}, {"name": "x-A", "secretKeyRef": KEY}]
        ),
        "headers and headersFrom must name",
        id="same-header-from-twice",
    ),
    pytest.param(
        of_source(headers={"x-a": "1"}, headersFrom=[{"name": "X-A", "secretKeyRef": KEY}]),
        "headers and headersFrom must name",
        id="same-header-in-both",
    ),
    *(
        pytest.param(
            samples.raw_spec(gpuConfig={"dcgmEndpoint": text}),
            "dcgmEndpoint must",
            id=f"dcgm-{text}",
        )
        for text in ("ftp://a", "http://", "a b")
    ),
]
"""Refused by both, by the rule whose message begins like this."""

TOLD_LATER = [
    *(
        pytest.param(of_hint(cronExpression=text), _CRON, id=f"cron-{text}")
        for text in ("30-10 * * * *", "* * * * fri-mon", "0 0 31 2 *", "0 0 31 4,6,9,11 ?")
    ),
    *(
        pytest.param(of_hint(timeZone=text), _ZONE, id=f"zone-{text}")
        for text in ("Europe/Berln", "europe/berlin", "Mars", "Europe", "Local")
    ),
    pytest.param(of_hint(cronExpression="TZ=Mars/Base 0 9 * * *"), _ZONE, id="zone-in-front"),
    pytest.param(of_type("pod", port="a-name-too-long-for-a-port"), "port must be", id="long-port"),
    pytest.param(
        of_source(tls={"caBundle": base64.b64encode(b"no certificate").decode()}),
        "tls.caBundle must",
        id="ca-without-certificate",
    ),
]
"""Refused at run time only: CEL cannot tell."""

NOT_ENCODED = {"caBundle": "-----BEGIN CERTIFICATE-----"}
"""Refused by the schema at admission, and by a rule at run time."""


def everything() -> Json:
    """A spec with every field there is, of both schemas of the original and of ours."""
    direction = {
        "stabilizationWindowSeconds": 30,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}],
        "tolerance": "0.1",
        "maxScaleRate": "2.0",
        "startingPods": {
            "startingPodWeight": "0.5",
            "maxStartingPods": 2,
            "maxStartingPodPercent": 50,
            "bypassGateOnPanic": True,
        },
    }
    source = {
        "name": "queue",
        "metricSourceType": "prometheus",
        "targetMetric": "queue_depth",
        "targetValue": "10",
        "targetType": "AverageValue",
        "endpoint": "http://prometheus.monitoring:9090",
        "promQL": "sum(queue_depth)",
        "headers": {"X-Scope-OrgID": "ml"},
        "headersFrom": [{"name": "X-Key", "secretKeyRef": KEY}],
        "auth": TOKEN,
        "tls": {"caBundle": CA, "serverName": "prometheus", "insecureSkipVerify": False},
        "protocolType": "https",
        "port": "metrics",
        "path": "/metrics",
        "scrapeTimeout": "2s",
        "inferenceEngineConfig": {
            "engineType": "sglang",
            "metricsPort": 30000,
            "metricsPath": "/metrics",
        },
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "chat"},
        "optional": True,
        "fallback": {"after": "5m", "replicas": 3, "behavior": "CurrentReplicasIfHigher"},
    }
    basic = {"basicSecretRef": {"name": "b", "usernameKey": "user", "passwordKey": "pass"}}
    return {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": "chat",
            "namespace": "ml",
            "fieldPath": "spec",
            "resourceVersion": "1",
            "uid": "1-2",
        },
        "subTargetSelector": {"roleName": "decode"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "scalingStrategy": "BudScaler",
        "metricsSources": [source, {**samples.level(), "auth": basic}],
        "behavior": {"scaleUp": direction, "scaleDown": direction},
        "gpuConfig": {
            "enabled": True,
            "gpuMemoryThreshold": 80,
            "gpuComputeThreshold": 70,
            "metricsSource": "dcgm",
            "dcgmEndpoint": "http://dcgm-exporter:9400/metrics",
            "topologyAware": True,
            "preferredGPUType": "H200",
            "vgpuSupport": True,
            "vgpuEnabled": True,
        },
        "costConfig": {
            "enabled": True,
            "cloudProvider": "azure",
            "budgetPerHour": "10.00",
            "budgetPerDay": 200,
            "preferSpotInstances": True,
            "spotFallbackToOnDemand": False,
            "costOptimizationMode": "cost-optimized",
            "onPriceRise": "Reduce",
            "maxSpotPercentage": 70,
        },
        "predictionConfig": {
            "enabled": True,
            "lookAheadMinutes": 15,
            "historicalDataDays": 7,
            "enableLearning": True,
            "minConfidence": 0.7,
            "maxPredictedReplicas": 8,
            "predictionMetrics": ["queue_depth"],
            "seasonalMetrics": ["queue_depth"],
            "scheduleHints": [
                {"cronExpression": "0 9 * * *", "expectedLoad": "500", "preScaleMinutes": 10}
            ],
        },
        "scheduleHints": [hint(timeZone="Europe/Berlin", prewarm="auto")],
        "multiClusterConfig": {
            "enabled": True,
            "federationMode": "active-passive",
            "targetClusters": ["a"],
            "clusterWeights": {"a": 100},
            "failoverEnabled": True,
            "clusterSelector": {"region": "eu"},
            "federatedMetrics": True,
        },
        "mode": "Recommend",
        "paused": "ScaleDown",
        "hpa": {"manage": "Never"},
    }
