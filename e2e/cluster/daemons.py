"""Programs that run beside the tests and can be stopped, frozen and started again."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.cluster import guard, processes, waiting

REAP_TIMEOUT_S: Final = 30.0
LOG_TAIL_LINES: Final = 30


@dataclass(slots=True)
class Daemon:
    """A program in the background, with one log for all its runs.

    Args:
        name: Names its record and log file.
        command: The program and its arguments.
        directory: Holds `run/<name>.json` and `log/<name>.log`.
        environment: Added to our own environment.
        guarded: End it when this Python process ends, however that happens. Only a cluster that
            must survive its command is not guarded.

    Attributes:
        exit_status: How its last run ended, if that was a child of ours; negative for a signal.
    """

    name: str
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    guarded: bool = True
    exit_status: int | None = field(default=None, init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def record(self) -> Path:
        """The file that says which process this is."""
        return processes.record(self.directory, self.name)

    @property
    def log(self) -> Path:
        """The log file; each run appends to it."""
        return self.directory / "log" / f"{self.name}.log"

    @property
    def process(self) -> processes.Process | None:
        """The running process, also one that an earlier command started."""
        return processes.Process.recorded(self.record)

    def start(self) -> None:
        """Start it, in a session of its own, unless it runs already."""
        if self.process:
            return
        self._reap()
        for file in (self.record, self.log):
            file.parent.mkdir(parents=True, exist_ok=True)
        if self.guarded:
            guard.watch(self.record)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        process = processes.Process.started_as(self._child.pid, tuple(self.command))
        process.write(self.record)

    def stop(self, *, hard: bool = False) -> None:
        """End it and wait until it has gone; `hard` is SIGKILL at once."""
        if process := self.process:
            process.end(hard=hard)
        self._reap()
        self.record.unlink(missing_ok=True)

    def restart(self, *, hard: bool = False) -> None:
        """Stop it and start it."""
        self.stop(hard=hard)
        self.start()

    def pause(self) -> None:
        """Freeze it: it keeps its sockets and answers nothing."""
        self._running().signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._running().signal(signal.SIGCONT)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until `ready` says yes, and fail early, with the log's end, if it has exited."""

        def probe() -> bool | None:
            self._running()
            return True if ready() else None

        what = f"{self.name} to be ready"
        waiting.until(probe, what=what, timeout_s=timeout_s, hint=self.log_tail)

    def log_tail(self) -> str:
        """Return the end of the log, for an error message."""
        with contextlib.suppress(FileNotFoundError):
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            return "\n".join([f"--- the end of {self.log}", *lines])
        return f"--- there is no {self.log}"

    def _running(self) -> processes.Process:
        if process := self.process:
            return process
        raise waiting.ClusterError(f"{self.name} does not run\n{self.log_tail()}")

    def _reap(self) -> None:
        if self._child:
            self.exit_status = self._child.wait(REAP_TIMEOUT_S)
            self._child = None
