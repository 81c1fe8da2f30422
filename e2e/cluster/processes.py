"""A running program, known by a record file that outlives whoever started it.

Pids are reused, so a record also names when the process started: nothing else is ever signalled.
Thus a cluster that one command started can be stopped by the next one, and the guard can end what
a killed test run left.
"""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import waiting

STOP_TIMEOUT_S: Final = 30.0
KILL_TIMEOUT_S: Final = 5.0


def record(directory: Path, name: str) -> Path:
    """Return where the record file of a program lies."""
    return directory / "run" / f"{name}.json"


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: Its number.
        started: When it started, in clock ticks since boot; with the pid, unique.
        command: What was asked for, for a reader of the file.
    """

    pid: int
    started: int
    command: tuple[str, ...]

    @classmethod
    def started_as(cls, pid: int, command: tuple[str, ...]) -> "Process":
        """Describe a child of ours that was just started (or has already ended)."""
        return cls(pid, _started(pid) or 0, command)

    @classmethod
    def recorded(cls, record: Path) -> "Process | None":
        """Return the process that `record` names if it still runs, None otherwise."""
        try:
            document = json.loads(record.read_text())
        except FileNotFoundError:
            return None
        process = cls(document["pid"], document["started"], tuple(document["command"]))
        return process if process.runs() else None

    def write(self, path: Path) -> None:
        """Write the record file, whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(path)

    def runs(self) -> bool:
        """Say whether it still runs."""
        return _started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, to this process only."""
        if self.runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, *, hard: bool = False) -> None:
        """End it and wait until it has gone: politely first, unless `hard`."""
        if not hard:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a frozen process could not hear it
            if self._gone_within(STOP_TIMEOUT_S):
                return
        self.signal(signal.SIGKILL)
        if not self._gone_within(KILL_TIMEOUT_S):
            raise waiting.ClusterError(f"pid {self.pid} survives SIGKILL: {self.command[0]}")

    def resident_kib(self) -> int:
        """Return its resident memory, 0 once it has gone."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)

    def _gone_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.runs():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True


def _started(pid: int) -> int | None:
    """Return when a process started; None if it has gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may itself contain spaces and parentheses.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(fields[18])
