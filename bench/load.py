"""Load by `wrk`, and what it measured."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

CONNECTIONS = 16
THREADS = 1
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one run.

    Attributes:
        per_s: requests answered a second.
        p99_ms: latency that 99 of 100 stay under.
        failures: answers other than 2xx and 3xx, and broken connections.
    """

    per_s: float
    p99_ms: float
    failures: int


def ensure() -> None:
    """Install wrk where that is possible.

    Raises:
        RuntimeError: when it is missing and cannot be installed here.
    """
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError("the benchmark needs wrk: install Debian's package of that name")
    subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=True, timeout=300)


def run(url: str, seconds: int, headers: dict[str, str]) -> Measured:
    """Ask `url` over keep-alive connections for so long."""
    command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    return read(done.stdout)


def read(text: str) -> Measured:
    """Read what wrk printed."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if rate is None or p99 is None:
        raise RuntimeError(f"wrk printed no result:\n{text}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    failures = int(refused[1]) if refused else 0
    failures += sum(map(int, broken.groups())) if broken else 0
    return Measured(float(rate[1]), float(p99[1]) * _UNITS_MS[p99[2]], failures)
