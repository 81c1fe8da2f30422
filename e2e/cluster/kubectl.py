"""The kubectl that was built with the cluster, as its administrator or as anyone else."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.cluster import waiting

TIMEOUT_S: Final = 60.0
SHOWN_CHARACTERS: Final = 4000


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with one identity.

    Attributes:
        program: The kubectl binary.
        kubeconfig: Whose identity it has.
        cache: Where it may keep what it discovers, instead of in the home directory.
    """

    program: Path
    kubeconfig: Path
    cache: Path

    def run(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002  as in subprocess.run
        check: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl.

        Raises:
            ClusterError: It ran past the timeout or, unless `check` is off, it failed.
        """
        shown = f"kubectl {' '.join(args)}"
        try:
            done = subprocess.run(
                [self.program, f"--kubeconfig={self.kubeconfig}", *args],
                input=input,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                env={**os.environ, "KUBECACHEDIR": str(self.cache)},
            )
        except subprocess.TimeoutExpired as error:
            raise waiting.ClusterError(f"{shown} ran past {timeout_s:g} s") from error
        if check and done.returncode:
            raise waiting.ClusterError(f"{shown} failed ({done.returncode}):\n{done.stderr}")
        return done

    def json(self, *args: str, check: bool = True) -> Any:
        """Run kubectl with `-o json` and return what it printed; None if it failed unchecked."""
        done = self.run(*args, "-o", "json", check=check)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply manifests server-side, under the field manager `e2e`."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self.run("apply", "--server-side", "--field-manager=e2e", "-f", "-", input=body)

    def wait_for(
        self,
        predicate: Callable[[Any], bool],
        *args: str,
        what: str,
        timeout_s: float = TIMEOUT_S,
        interval_s: float = 0.3,
    ) -> Any:
        """Repeat `kubectl get <args> -o json` until `predicate` accepts it, and return that.

        An object that does not exist yet is waited for as well. Failing that, the error shows
        the last answer.
        """
        last = "it was never answered"

        def probe() -> Any:
            nonlocal last
            done = self.run("get", *args, "-o", "json", check=False)
            if done.returncode:
                last = done.stderr
                return None
            document = json.loads(done.stdout)
            if predicate(document):
                return document
            last = json.dumps(document, indent=1)
            return None

        return waiting.until(
            probe,
            what=f"{what} (kubectl get {' '.join(args)})",
            timeout_s=timeout_s,
            interval_s=interval_s,
            hint=lambda: f"--- the last answer\n{last[-SHOWN_CHARACTERS:]}",
        )
