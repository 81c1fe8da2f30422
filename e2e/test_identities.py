"""Who may ask the adapter, at its own port, without the API server: C48-C50, C54-C58."""

from pathlib import Path

import pytest

from e2e.cluster import certs, identities, loopback
from e2e.cluster.installation import Running
from e2e.stories import METRICS, Story

SPOOFED = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")]


@pytest.fixture
def load(story: Story) -> str:
    """The path of a load that is published."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_load(3)
    return f"{METRICS}/namespaces/{story.namespace}/desired-load"


def ask(
    running: Running,
    path: str,
    headers: loopback.Headers = (),
    client: certs.KeyPair | None = None,
) -> loopback.Answer:
    """Ask the first copy directly."""
    return running.adapters[0].ask("GET", path, headers=headers, client=client)


def reason(answer: loopback.Answer) -> tuple[int, str]:
    """Status and reason of a refusal."""
    return answer.status, answer.json()["reason"]


def test_token_decides(story: Story, load: str) -> None:
    """C54: a ServiceAccount's token is worth what the cluster's RBAC says, and nothing more."""
    kubectl = story.running.cluster.kubectl
    for name in ("reader", "stranger"):
        kubectl.run("create", "serviceaccount", name, f"--namespace={story.namespace}")
    kubectl.run(
        "create",
        "rolebinding",
        "reader",
        "--clusterrole=budaiscaler-metrics-reader",
        f"--serviceaccount={story.namespace}:reader",
        f"--namespace={story.namespace}",
    )

    def bearer(name: str) -> list[tuple[str, str]]:
        token = identities.token(story.running.cluster, story.namespace, name)
        return [("Authorization", f"Bearer {token}")]

    allowed = ask(story.running, load, bearer("reader"))
    assert (allowed.status, len(allowed.json()["items"])) == (200, 1)
    # What was allowed here is not allowed next door.
    assert reason(
        ask(story.running, load.replace(story.namespace, "default"), bearer("reader"))
    ) == (403, "Forbidden")
    refused = ask(story.running, load, bearer("stranger"))
    assert reason(refused) == (403, "Forbidden")
    assert f"system:serviceaccount:{story.namespace}:stranger" in refused.json()["message"]
    # Headers beside a token make nobody another.
    assert reason(ask(story.running, load, [*bearer("stranger"), *SPOOFED])) == (403, "Forbidden")


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param("Bearer not.a.token", id="no-token"),
        pytest.param("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", id="unsigned-token"),
        pytest.param("Basic YWRtaW46YWRtaW4=", id="basic"),
    ],
)
def test_bad_credentials(story: Story, load: str, credentials: str) -> None:
    """C55: credentials that do not hold are refused; they never make an anonymous."""
    answer = ask(story.running, load, [("Authorization", credentials)])

    assert reason(answer) == (401, "Unauthorized")


def test_spoofed_headers(story: Story, load: str) -> None:
    """C48: who claims to be somebody without a certificate is anonymous, and may nothing."""
    answer = ask(story.running, load, SPOOFED)

    assert reason(answer) == (403, "Forbidden")
    assert "system:anonymous" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_anonymous_probes(budaiscaler: Running, path: str) -> None:
    """C56: probes need no identity."""
    answer = ask(budaiscaler, path)

    assert (answer.status, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    "path",
    [
        "/apis",
        "/apis/external.metrics.k8s.io/v1beta1",
        "/metrics",
        "/openapi/v2",
        "/readyz/scalers",
    ],
)
def test_anonymous_may_nothing_else(budaiscaler: Running, path: str) -> None:
    """C57: discovery, our own metrics, and whatever else there is, need one."""
    assert reason(ask(budaiscaler, path)) == (403, "Forbidden")


def test_front_proxy_is_believed(story: Story, load: str) -> None:
    """C58: the front proxy's certificate vouches for the user and the groups it names."""
    client = identities.front_proxy(story.running.cluster)

    assert ask(story.running, load, SPOOFED, client).status == 200
    nobody = ask(story.running, load, [("X-Remote-User", "nobody")], client)
    assert reason(nobody) == (403, "Forbidden")
    assert '"nobody"' in nobody.json()["message"]
    # The certificate alone is nobody.
    assert reason(ask(story.running, load, (), client)) == (403, "Forbidden")


def test_only_its_own_authority_vouches(story: Story, load: str, tmp_path: Path) -> None:
    """C49: a certificate of the cluster's authority with the front proxy's name is not believed."""
    pki = story.running.cluster.pki
    name = certs.FRONT_PROXY_NAME
    forged = pki.cluster_authority.issue(tmp_path, "forged", common_name=name)
    answer = ask(story.running, load, SPOOFED, forged)

    assert answer.status in (0, 401), answer
    # It is the certificate, not the connection: without it the same request is answered.
    assert ask(story.running, load, SPOOFED).status == 403


def test_only_allowed_names_vouch(story: Story, load: str, tmp_path: Path) -> None:
    """C50: another certificate of the front proxy's authority is known, but may not vouch."""
    authority = story.running.cluster.pki.front_proxy_authority
    other = authority.issue(tmp_path, "other", common_name="somebody-else")
    answer = ask(story.running, load, SPOOFED, other)

    assert reason(answer) == (401, "Unauthorized")
    assert "somebody-else" in answer.json()["message"]
