"""Becomes another command, whose life is tied to that of the process that started it.

It is run as a file: `python tied.py <process id of the parent> <command> ...`. The kernel ends what
asked for it when its parent has ended, by SIGKILL too, and keeps to that over `exec`. Asking for it
between `fork` and `exec` would save a start of Python, but may wait for ever there for a lock of a
thread that the child does not have.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Of `prctl`, of Linux."""


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, and become that command."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # it had ended before
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
