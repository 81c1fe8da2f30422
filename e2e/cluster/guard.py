"""Ends what a test run started, should the run itself be killed.

Neither fixtures nor `atexit` run after SIGKILL or when pytest-timeout gives up, and a signal on
the parent's death would fire when the *thread* that started a program ends. So a helper process
reads the names of record files from a pipe. However the run ends, the pipe closes, and the helper
ends the processes that the records name.
"""

import atexit
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from e2e.cluster import processes

ROOT: Final = Path(__file__).parents[2]
END_TIMEOUT_S: Final = 120

_lock = threading.Lock()
_helper: subprocess.Popen[str] | None = None


def watch(record: Path) -> None:
    """Have the process that `record` will name ended after this Python process."""
    global _helper  # noqa: PLW0603  one helper a Python process is the point
    with _lock:
        if _helper is None:
            _helper = subprocess.Popen(
                [sys.executable, "-m", "e2e.cluster.guard"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C at the terminal must not reach it
            )
            atexit.register(_close, _helper)
        assert _helper.stdin
        _helper.stdin.write(f"{record.resolve()}\n")
        _helper.stdin.flush()


def _close(helper: subprocess.Popen[str]) -> None:
    helper.communicate(timeout=END_TIMEOUT_S)


def main() -> None:
    """Read names of record files until the pipe closes, then end the processes, last one first."""
    records = dict.fromkeys(Path(line.rstrip("\n")) for line in sys.stdin)
    for record in reversed(records):
        if process := processes.Process.recorded(record):
            process.end(hard=True)
            record.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
