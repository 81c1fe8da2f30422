"""What is set and does nothing is named, and nothing that does something is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.algorithms import verdicts
from budaiscaler.domain.api import crd, effects, validation
from budaiscaler.domain.api.effects_table import ANNOTATIONS, EFFECTIVE, ROWS
from tests import rules, samples

GROUP = "scaler.bud.studio"


def _paths(node: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, child in node.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, child["description"]
        yield from _paths(child, f"{here}.")
        yield from _paths(child.get("items", {}), f"{here}[].")


def _schema() -> tuple[tuple[str, str], ...]:
    """Each field, and its description."""
    version = crd.budaiscaler_crd()["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return tuple(_paths(spec, ""))


def test_no_field_of_the_schema_is_silently_ignored() -> None:
    """Each either has its effect, or the table says when it has none; so does each old one."""
    known = {*EFFECTIVE, *ROWS}
    unspoken = {
        path
        for path in ROWS
        if not any(other.startswith((f"{path}.", f"{path}[]")) for other in known)
    }

    def is_known(path: str) -> bool:
        return path in known or path.startswith(
            tuple(f"{block}{end}" for block in unspoken for end in (".", "[]"))
        )

    schema = [path for path, _ in _schema()]
    assert len(schema) > 100
    assert [path for path in schema if not is_known(path)] == []
    assert known - set(schema) == set()
    assert set(ROWS) & EFFECTIVE == set()


def test_the_schema_promises_nothing_of_what_never_has_an_effect() -> None:
    """Whoever reads `kubectl explain` first need not find it out from a condition."""
    never = {
        path
        for path, rows in ROWS.items()
        if any(row.when is None and not row.is_planned for row in rows)
    }
    described = dict(_schema())
    assert len(never) > 5
    assert {path for path in never if "Without effect" not in described[path]} == set()


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        pytest.param(samples.raw_spec(), (), id="nothing"),
        pytest.param(
            samples.raw_spec(scaleTargetRef={"name": "chat", "namespace": "ml", "uid": "1"}),
            ("scaleTargetRef.namespace", "scaleTargetRef.uid"),
            id="target",
        ),
        pytest.param(
            samples.raw_spec(subTargetSelector={"roleName": "decode"}),
            ("subTargetSelector",),
            id="sub-target",
        ),
        pytest.param(
            rules.of_rules(maxScaleRate="2.0", startingPods={"startingPodWeight": "0.5"}),
            ("behavior.scaleUp.maxScaleRate", "behavior.scaleUp.startingPods.startingPodWeight"),
            id="rates-of-an-hpa",
        ),
        pytest.param(
            {**rules.of_rules(maxScaleRate="2.0"), "scalingStrategy": "KPA"}, (), id="rates-of-kpa"
        ),
        pytest.param(
            {
                **rules.of_rules("scaleDown", startingPods={"maxStartingPods": 2}),
                "scalingStrategy": "KPA",
            },
            ("behavior.scaleDown.startingPods.maxStartingPods",),
            id="starting-pods-downwards",
        ),
        pytest.param(
            samples.raw_spec(
                behavior={"scaleUp": {"stabilizationWindowSeconds": 0, "tolerance": "0"}},
                hpa={"manage": "Never"},
            ),
            ("behavior.scaleUp.stabilizationWindowSeconds",),
            id="a-user's-own-hpa",
        ),
        pytest.param(
            {**samples.raw_spec(hpa={"manage": "Never"}), "scalingStrategy": "BudScaler"},
            ("hpa.manage",),
            id="hpa-of-another-strategy",
        ),
        pytest.param(
            rules.of_type("pod", endpoint="http://a", promQL="up"),
            ("metricsSources[0].endpoint", "metricsSources[0].promQL"),
            id="pod-with-endpoint",
        ),
        pytest.param(
            rules.of_source(port="80", path="/m", protocolType="https"),
            tuple(f"metricsSources[0].{field}" for field in ("protocolType", "port", "path")),
            id="prometheus-with-port",
        ),
        pytest.param(
            rules.of_type("external", endpoint="http://a", protocolType="http", headers={"a": "b"}),
            ("metricsSources[0].protocolType",),
            id="external-with-protocol",
        ),
        pytest.param(
            rules.of_type("external", headers={"a": "b"}, auth=rules.TOKEN),
            ("metricsSources[0].headers", "metricsSources[0].auth"),
            id="external-without-endpoint",
        ),
        pytest.param(
            rules.of_type("resource", targetMetric="cpu", tls={"insecureSkipVerify": True}),
            ("metricsSources[0].tls",),
            id="resource-with-tls",
        ),
        pytest.param(
            rules.of_type("external", endpoint="http://a", tls={"insecureSkipVerify": True}),
            ("metricsSources[0].tls",),
            id="tls-of-http",
        ),
        pytest.param(
            rules.of_type("external", endpoint="HTTPS://a", tls={"insecureSkipVerify": True}),
            (),
            id="tls-of-https",
        ),
        pytest.param(
            rules.of_source(endpoint="prometheus:9090", tls={"serverName": "a"}),
            ("metricsSources[0].tls",),
            id="tls-of-an-endpoint-without-a-scheme",
        ),
        pytest.param(
            rules.of_source(tls={"serverName": "a"}), (), id="tls-of-the-operator's-prometheus"
        ),
        pytest.param(
            rules.of_type("pod", tls={"serverName": "a"}),
            ("metricsSources[0].tls",),
            id="tls-of-pods-by-http",
        ),
        pytest.param(
            rules.of_type("pod", protocolType="https", tls={"serverName": "a"}),
            (),
            id="tls-of-pods-by-https",
        ),
        pytest.param(
            rules.of_source(tls={"caBundle": rules.CA, "insecureSkipVerify": True}),
            ("metricsSources[0].tls.caBundle",),
            id="authorities-that-are-not-asked",
        ),
        pytest.param(
            rules.of_type(
                "inferenceEngine",
                port="1",
                path="/m",
                inferenceEngineConfig={"engineType": "vllm", "metricsPort": 8000},
            ),
            ("metricsSources[0].port",),
            id="port-of-the-engine-comes-first",
        ),
        pytest.param(
            rules.of_type("pod", inferenceEngineConfig={"engineType": "vllm"}),
            ("metricsSources[0].inferenceEngineConfig",),
            id="pod-with-engine",
        ),
        pytest.param(
            samples.raw_spec(
                samples.total(), samples.level(optional=True, port="8000")
            ),
            ("metricsSources[1].port",),
            id="of-the-second-source",
        ),
        pytest.param(
            samples.raw_spec(
                gpuConfig={"enabled": True, "topologyAware": True, "vgpuEnabled": False}
            ),
            ("gpuConfig.topologyAware",),
            id="gpu-placement",
        ),
        pytest.param(
            samples.raw_spec(
                gpuConfig={"enabled": True, "gpuMemoryThreshold": 0, "gpuComputeThreshold": 80}
            ),
            ("gpuConfig.gpuMemoryThreshold",),
            id="gpu-threshold-of-0",
        ),
        pytest.param(
            samples.raw_spec(
                gpuConfig={"metricsSource": "nvml", "dcgmEndpoint": "http://a"},
            ),
            ("gpuConfig.dcgmEndpoint",),
            id="dcgm-of-nvml",
        ),
        pytest.param(
            samples.raw_spec(
                costConfig={"enabled": True, "budgetPerHour": 3},
                predictionConfig={"enabled": True, "minConfidence": 0.7},
                scheduleHints=[rules.hint(prewarm="auto", timeZone="Europe/Berlin")],
                multiClusterConfig={"enabled": True},
            ),
            ("costConfig", "predictionConfig", "multiClusterConfig"),
            id="blocks-of-later",
        ),
        pytest.param(
            samples.raw_spec(
                costConfig={"enabled": False, "budgetPerHour": 3},
                predictionConfig={"enabled": False, "enableLearning": False},
                scheduleHints=[],
                multiClusterConfig={},
            ),
            (),
            id="blocks-that-are-off",
        ),
        pytest.param(
            samples.raw_spec(
                samples.total(optional=False, tls={}), minReplicas=1, mode="Auto", paused="None",
                hpa={"manage": "Auto"}, gpuConfig={"enabled": False},
            ),
            (),
            id="defaults-that-the-server-writes-out",
        ),
    ],
)  # fmt: skip
def test_fields_without_effect(raw: dict[str, Any], named: tuple[str, ...]) -> None:
    """Each is named by its path, in the order of the schema, with a reason."""
    told = effects.without_effect(validation.parse_spec(raw))
    assert tuple(text.partition(" (")[0] for text in told) == named
    assert all(text.endswith(")") for text in told)


def test_annotations() -> None:
    """Those of our group that do nothing are named, unknown ones and misspelt ones too."""
    annotations = {
        f"{GROUP}/adopt-hpa": "mine",
        f"{GROUP}/panic-threshold": "200",
        f"{GROUP}/pause": "Both",
        f"{GROUP}/target-queue": "5",
        "example.com/panic-threshold": "200",
    }
    told = effects.without_effect(samples.spec(), annotations)
    assert told == (
        f"annotation {GROUP}/panic-threshold (of the strategy KPA)",
        f"annotation {GROUP}/pause (nobody reads it)",
        f"annotation {GROUP}/target-queue (use targetValue of the source)",
    )


def test_tuning_annotations_belong_to_the_other_strategies() -> None:
    """KPA has all of them, BudScaler those that are not of panic or averages."""
    kpa = effects.without_effect(
        samples.spec(scalingStrategy="KPA"), dict.fromkeys(ANNOTATIONS, "")
    )
    budscaler = effects.without_effect(
        samples.spec(scalingStrategy="BudScaler"), dict.fromkeys(ANNOTATIONS, "")
    )
    of_kpa = {text for text in budscaler if text.endswith("(of the strategy KPA)")}
    assert {*budscaler} - {*kpa} == of_kpa
    assert len(of_kpa) == 8
    assert kpa == (
        *(
            f"annotation {GROUP}/{name}"
            for name in (
                "cost-max-daily (use costConfig.budgetPerDay)",
                "cost-max-hourly (use costConfig.budgetPerHour)",
                "cost-prefer-spot (use costConfig.preferSpotInstances)",
                "gpu-preferred-type (placement is the scheduler's)",
                "gpu-topology-aware (placement is the scheduler's)",
            )
        ),
    )


def test_pods_are_named_to_the_controller_of_replica_sets_only() -> None:
    """A StatefulSet takes its last pod away, whatever any annotation says."""
    named = {f"{GROUP}/pod-deletion-cost": "true"}
    for kind, why in (("StatefulSet", ["on Deployments and ReplicaSets"]), ("ReplicaSet", [])):
        spec = samples.spec(scalingStrategy="KPA", scaleTargetRef={"kind": kind, "name": "chat"})
        told = effects.without_effect(spec, named)
        assert [text.rstrip(")").rpartition(", ")[2] for text in told] == why
    assert len(effects.without_effect(samples.spec(), named)) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"subTargetSelector": {"roleName": "a"}}, "NoEffect", id="never"),
        pytest.param({"predictionConfig": {"enabled": True}}, "NotYetSupported", id="later"),
    ],
)
def test_the_condition(fields: dict[str, Any], reason: str) -> None:
    """It stands while there is something to name, and says whether waiting for it is worth it."""
    (condition,) = verdicts.of_effects(samples.spec(**fields), {})
    assert (condition.type, condition.status) == (conditions.FIELDS_WITHOUT_EFFECT, "True")
    assert condition.reason == reason
    assert next(iter(fields)) in condition.message


def test_no_condition_without_a_cause() -> None:
    """A scaler of which everything has its effect is told nothing."""
    assert list(verdicts.of_effects(samples.spec(), {})) == []
