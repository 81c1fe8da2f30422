"""The programs of the cluster: built or unpacked once, then taken from a cache.

The Go tools are built from `e2e/tools`, whose go.mod and go.sum pin every version; their hash is
the name of the cache directory, so a changed version is built anew and an old one stays usable.
Prometheus is Debian's. Its package is unpacked into the cache and not installed: that needs no
root, starts no service, and leaves the machine as it was.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import waiting

TOOLS: Final = Path(__file__).parents[1] / "tools"
NEEDED_GO: Final = (1, 26)
BUILD_TIMEOUT_S: Final = 3600
PACKAGE_TIMEOUT_S: Final = 300


@dataclass(frozen=True, slots=True)
class Binaries:
    """The directory of the Go tools, and each tool by its usual name."""

    directory: Path

    @property
    def etcd(self) -> Path:
        """etcd; its package directory, hence its file, is called `server`."""
        return self.directory / "server"

    @property
    def kubectl(self) -> Path:
        """The kubectl of the control plane's own version."""
        return self.directory / "kubectl"

    def named(self, name: str) -> Path:
        """Return the program called `name`."""
        return self.etcd if name == "etcd" else self.directory / name


@dataclass(frozen=True, slots=True)
class PrometheusBinaries:
    """Prometheus and its tool for checking rules and configurations."""

    prometheus: Path
    promtool: Path


def ensure() -> Binaries:
    """Return the Go tools, built first if they are missing (minutes, and some GB of Go caches)."""
    definition = (TOOLS / "go.mod").read_bytes() + (TOOLS / "go.sum").read_bytes()
    directory = _cache() / hashlib.sha256(definition).hexdigest()[:16] / "bin"
    if not directory.is_dir():
        print("building etcd, Kubernetes and kwok, once: some minutes", file=sys.stderr)
        _create(directory, _build)
    return Binaries(directory)


def ensure_prometheus() -> PrometheusBinaries:
    """Return Prometheus from the PATH, else from Debian's package, unpacked into the cache."""
    installed, tool = shutil.which("prometheus"), shutil.which("promtool")
    if installed and tool:
        return PrometheusBinaries(Path(installed), Path(tool))
    directory = _cache() / "prometheus"
    if not directory.is_dir():
        _create(directory, _unpack_prometheus)
    programs = directory / "usr" / "bin"
    return PrometheusBinaries(programs / "prometheus", programs / "promtool")


def _cache() -> Path:
    if chosen := os.environ.get("BUDAISCALER_E2E_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "budaiscaler" / "e2e"


def _create(directory: Path, fill: Callable[[Path], None]) -> None:
    """Fill a directory beside `directory`, then rename it: an interrupted build leaves nothing."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".making-") as parent:
        made = Path(parent) / directory.name
        made.mkdir()
        fill(made)
        if not directory.is_dir():  # another process may have been faster
            made.rename(directory)


def _build(directory: Path) -> None:
    version = _version_of("k8s.io/kubernetes")
    link = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
    # GOTOOLCHAIN=local: say that Go is too old instead of downloading another one.
    environment = {"CGO_ENABLED": "0", "GOBIN": str(directory), "GOTOOLCHAIN": "local"}
    _run([_go(), "install", "-ldflags", link, "tool"], TOOLS, BUILD_TIMEOUT_S, environment)


def _version_of(module: str) -> str:
    found = re.search(
        rf"^\s*{re.escape(module)} (v\S+)", (TOOLS / "go.mod").read_text(), re.MULTILINE
    )
    if not found:
        raise waiting.ClusterError(f"e2e/tools/go.mod does not require {module}")
    return found[1]


def _go() -> str:
    """Return a Go that is new enough, also from where its own installer puts it."""
    candidates = [shutil.which("go"), "/usr/local/go/bin/go"]
    seen = []
    for program in candidates:
        if not program or not Path(program).is_file():
            continue
        # Not in TOOLS: there, a Go that is too old fails instead of naming its version.
        printed = _run([program, "env", "GOVERSION"], Path("/"), 60, {"GOTOOLCHAIN": "local"})
        found = re.match(r"go(\d+)\.(\d+)", printed)
        if found and (int(found[1]), int(found[2])) >= NEEDED_GO:
            return program
        seen.append(f"{program} is {printed.strip()}")
    raise waiting.ClusterError(
        f"the end-to-end cluster is built with Go {'.'.join(map(str, NEEDED_GO))} or newer, and "
        f"{'; '.join(seen) or 'there is no Go here'}.\n"
        "Debian's own is too old; install Go 1.26 or newer and put it on the PATH."
    )


def _unpack_prometheus(directory: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise waiting.ClusterError(
            "Prometheus is missing, and this is no Debian from whose package it could be taken; "
            "install Prometheus 2.42 or newer so that prometheus and promtool are on the PATH."
        )
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".package-") as download:
        fetch = ["apt-get", "download", "--quiet", "prometheus"]
        try:
            _run(fetch, Path(download), PACKAGE_TIMEOUT_S)
        except waiting.ClusterError:
            if os.geteuid() != 0:
                raise
            # A fresh image has no package lists; only root may fetch them.
            _run(["apt-get", "update", "--quiet"], Path(download), PACKAGE_TIMEOUT_S)
            _run(fetch, Path(download), PACKAGE_TIMEOUT_S)
        (package,) = Path(download).glob("prometheus_*.deb")
        _run(["dpkg-deb", "-x", str(package), str(directory)], directory, PACKAGE_TIMEOUT_S)


def _run(
    command: list[str],
    directory: Path,
    timeout_s: float,
    environment: dict[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise waiting.ClusterError(f"{command[0]} ran past {timeout_s:g} s: {command}") from error
    if done.returncode:
        raise waiting.ClusterError(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout
