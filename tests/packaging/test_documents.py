"""What the documents promise is what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.settings import AdapterSettings
from budaiscaler.cli.crd import crd_yaml
from budaiscaler.domain.api import validation
from controller.settings import ControllerSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SAMPLES = sorted(
    file
    for file in (ROOT / "manifests" / "samples").rglob("*.yaml")
    if file.parent.name != "tests"  # stories, which tests/stories tells
)
BASE = sorted((ROOT / "manifests" / "base").glob("*.yaml"))


def _documents(*files: Path) -> list[dict[str, Any]]:
    return [d for file in files for d in yaml.safe_load_all(file.read_text()) if d]


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_sample_is_a_valid_scaler(file: Path) -> None:
    """Every scaler among the samples passes the same checks as at run time."""
    scalers = [d for d in _documents(file) if d["kind"] == "BudAIScaler"]

    assert scalers
    for scaler in scalers:
        validation.parse_spec(scaler["spec"])


def test_the_first_scaler_of_the_readme_is_the_sample() -> None:
    """A reader who copies from the README gets what the samples hold, which is tested."""
    shown = re.findall(r"```yaml\n(apiVersion.*?)```", README, re.DOTALL)

    assert [(ROOT / "manifests/samples/first-scaler.yaml").read_text()] == shown


def test_the_readme_names_only_make_targets_that_exist() -> None:
    """Each `make` command of the documents is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"(?:`|\$ |&& |\()make (?:-s )?([a-z][a-z0-9-]*)", text))

    assert named
    assert named <= targets


def test_the_readme_links_to_files_that_exist() -> None:
    """No link of the documents leads nowhere."""
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / target).exists(), f"{document}: {target}"


def test_the_crd_of_the_manifests_is_the_generated_one() -> None:
    """The committed definition is what the types give."""
    committed = ROOT / "manifests/crd/scaler.bud.studio_budaiscalers.yaml"

    assert committed.read_text() == crd_yaml()


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        pytest.param("adapter.yaml", AdapterSettings, id="adapter"),
        pytest.param("controller.yaml", ControllerSettings, id="controller"),
    ],
)
def test_manifests_pass_only_flags_that_exist(
    file: str, settings: type[AdapterSettings | ControllerSettings]
) -> None:
    """A flag or variable in a Deployment is one that the server reads."""
    (deployment,) = (
        d for d in _documents(ROOT / "manifests/base" / file) if d["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    flags = {a.removeprefix("--").partition("=")[0] for a in container.get("args", [])}
    variables = {v["name"].removeprefix("BUDAISCALER_").lower() for v in container["env"]}

    assert {flag.replace("-", "_") for flag in flags} | variables <= set(settings.model_fields)


def test_workloads_run_restricted() -> None:
    """Every workload runs as nobody, without privileges, on a read-only root."""
    deployments = [d for d in _documents(*BASE) if d["kind"] == "Deployment"]

    assert len(deployments) == 2
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_no_role_has_wildcards_but_for_metric_names() -> None:
    """RBAC names what it grants; only metric names, which nobody knows beforehand, are any."""
    for role in _documents(*BASE):
        if role["kind"] not in {"Role", "ClusterRole"}:
            continue
        for rule in role["rules"]:
            assert "*" not in rule["verbs"], role["metadata"]["name"]
            assert "*" not in rule["apiGroups"], role["metadata"]["name"]
            if "*" in rule["resources"]:
                (group,) = rule["apiGroups"]
                assert group in {"external.metrics.k8s.io", "custom.metrics.k8s.io"}
                assert set(rule["verbs"]) <= {"get", "list"}


def test_secrets_are_read_by_name_only() -> None:
    """Nobody of us can list Secrets, and the adapter reads only its own, unless it is granted."""
    documents = _documents(*BASE)
    granted = "budaiscaler-source-secrets"
    assert granted not in [d["roleRef"]["name"] for d in documents if "roleRef" in d]
    for role in documents:
        if role.get("metadata", {}).get("name") == granted:
            assert [rule["verbs"] for rule in role["rules"]] == [["get"]]
            continue
        for rule in role.get("rules") or ():
            if "secrets" in rule.get("resources", ()) and rule["verbs"] != ["create"]:
                assert rule["resourceNames"] == ["budaiscaler-adapter-tls"]
                assert role["kind"] == "Role"
