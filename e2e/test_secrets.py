"""Credentials from Secrets: nothing is asked without a grant, and nothing of them is shown."""

import base64
import time
from pathlib import Path
from typing import Any

from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster.api import Object
from e2e.cluster.gate import Gate, basic, bearer
from e2e.cluster.installation import ADAPTER, NAMESPACE
from e2e.stories import SYNC_S, Story
from e2e.test_external_source import endpoint

TOKEN = "tkn-3f9c1e7a5b"
ROTATED = "tkn-0d8b2f6c4e"
PASSWORD = "pwd-7c5a9e1d3b"
GRANT_S = 90.0
"""Until a grant is seen: failures are kept for ten seconds, and the breaker may be open."""


def secret(name: str, **values: str) -> Object:
    """Describe a Secret."""
    return {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "stringData": values}


def grant(story: Story) -> None:
    """Bind the ClusterRole that is shipped to the adapter, in the namespace of the story."""
    story.running.cluster.kubectl.run(
        "create",
        "rolebinding",
        "budaiscaler-source-secrets",
        "--clusterrole=budaiscaler-source-secrets",
        f"--serviceaccount={NAMESPACE}:{ADAPTER}",
        f"--namespace={story.namespace}",
    )


def open_gate(story: Story, directory: Path, upstream: str) -> tuple[Gate, Object]:
    """Make a gate before a server, and the `tls` with which a source trusts it."""
    authority = story.running.cluster.pki.cluster_authority
    pair = authority.issue(
        directory, "gate", common_name="gate", dns_names=("localhost",), addresses=("127.0.0.1",)
    )
    bundle = base64.b64encode(authority.files.certificate.read_bytes()).decode()
    return Gate(upstream, pair), {"caBundle": bundle}


def assert_shown_nowhere(story: Story, *secrets: str) -> None:
    """Look for them in everything that our servers wrote."""
    written = [str(story.api.get(BUDAISCALERS.collection(story.namespace)))]
    written += [str(story.api.get(f"/apis/events.k8s.io/v1/namespaces/{story.namespace}/events"))]
    written += [server.daemon.log.read_text() for server in story.running.servers]
    for text in secrets:
        encoded = base64.b64encode(text.encode()).decode().rstrip("=")[:-1]
        assert not any(text in one or encoded in one for one in written), text


def test_a_secret_that_is_granted_at_last(story: Story, tmp_path: Path) -> None:
    """Without a RoleBinding nothing is asked and replicas stay; with it the source scales."""
    secrets = f"/api/v1/namespaces/{story.namespace}/secrets"
    story.running.expected_refusals.add(f"{secrets}/token")
    story.deploy(replicas=2)
    story.api.create(secrets, secret("token", value=f"{TOKEN}\n"))
    with endpoint('{"value": 40}') as load:
        gate, tls = open_gate(story, tmp_path, f"http://{load.server.target}")
        gate.accepted = {bearer(TOKEN)}
        fields: dict[str, Any] = {
            "metricSourceType": "external",
            "targetMetric": "queue_depth",
            "targetValue": "10",
            "targetType": "AverageValue",
            "auth": {"bearerTokenSecretRef": {"name": "token", "key": "value"}},
            "tls": tls,
            "scrapeTimeout": "2s",
        }
        with gate, story.replicas() as replicas:
            story.create(story.scaler(metricsSources=[fields | {"endpoint": f"{gate.url}/load"}]))
            refused = story.wait_for_condition("Ready", "False", "NoData")
            time.sleep(2 * SYNC_S)
            held, asked = list(replicas.values), list(gate.passed)
            grant(story)
            replicas.wait_for(4, timeout_s=GRANT_S)
            story.wait_for_condition("Ready", "True", "ScalerReady", timeout_s=GRANT_S)

            gate.accepted = {bearer(ROTATED)}
            change = {"stringData": {"value": ROTATED}}
            story.api.patch(f"{secrets}/token", change)
            load.say('{"value": 70}')
            replicas.wait_for(7, timeout_s=GRANT_S)

    assert (held, asked) == ([2], [])
    assert "bind ClusterRole budaiscaler-source-secrets to our ServiceAccount" in refused
    assert_shown_nowhere(story, TOKEN, ROTATED)


def test_a_prometheus_behind_a_gate(story: Story, tmp_path: Path) -> None:
    """With bearer token or password, over TLS, by POST; with another authority nothing is sent."""
    grant(story)
    secrets = f"/api/v1/namespaces/{story.namespace}/secrets"
    story.api.create(secrets, secret("token", value=TOKEN))
    story.api.create(secrets, secret("login", username="me", password=PASSWORD))
    story.start_load(40)
    gate, tls = open_gate(story, tmp_path, story.prometheus.url)
    gate.accepted = {bearer(TOKEN), basic("me", PASSWORD)}
    token = {"bearerTokenSecretRef": {"name": "token", "key": "value"}}
    sources: dict[str, Object] = {
        "bearer": {"auth": token, "tls": tls},
        "basic": {"auth": {"basicSecretRef": {"name": "login"}}, "tls": tls},
        "careless": {"auth": token, "tls": {"insecureSkipVerify": True}},
        "stranger": {"tls": tls},
        "misnamed": {"auth": token, "tls": tls | {"serverName": "other.example"}},
        "distrusting": {"auth": token},
        "keyless": {
            "auth": {"bearerTokenSecretRef": {"name": "token", "key": "other"}}, "tls": tls
        },
    }  # fmt: skip
    good = ("bearer", "basic", "careless")
    story.deploy("chat", replicas=2)
    with gate, story.replicas() as replicas:
        for name, fields in sources.items():
            story.create(
                story.scaler(
                    name,
                    scaleTargetRef={"name": "chat"},
                    metricsSources=[story.source(endpoint=gate.url, **fields)],
                    hpa={"manage": "Never"},
                )
            )
        for name in good:
            story.wait_for_load(4, scaler=name)
        told = {
            name: story.wait_for_condition("Ready", "False", "NoData", name=name)
            for name in sources
            if name not in good
        }

    assert set(gate.passed) == {"/api/v1/query"}
    assert replicas.values == [2]
    assert "refuses our credentials (HTTP 401)" in told["stranger"]
    assert "set tls.caBundle to its authority" in told["misnamed"]
    assert "set tls.caBundle to its authority" in told["distrusting"]
    assert "Secret token has no key other" in told["keyless"]
    assert_shown_nowhere(story, TOKEN, PASSWORD)
