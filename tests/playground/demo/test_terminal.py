"""The demo on a terminal: it draws, obeys keys, and leaves the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(240)

WITHIN_S = 100
HEADER = "budaiscaler demo:"
"""What every screen begins with."""
_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(slots=True)
class Terminal:
    """A demo on a pseudo terminal.

    Attributes:
        seen: everything that was drawn so far, without colours.
    """

    process: int
    number: int
    seen: str = field(default="")

    def wait_for(self, text: str) -> None:
        """Read until it was drawn."""
        until_s = time.monotonic() + WITHIN_S
        while text not in self.seen:
            assert time.monotonic() < until_s, self.seen[-3000:]
            self._read(0.2)

    def wait_until_gone(self, text: str) -> None:
        """Read until a whole screen was drawn without it."""
        until_s = time.monotonic() + WITHIN_S
        while text in (self.seen.split(HEADER)[1:-1] or [text])[-1]:
            assert time.monotonic() < until_s, self.seen[-3000:]
            self._read(0.2)

    def press(self, key: str) -> None:
        """Press a key; what was drawn before does not count any more."""
        self.seen = ""
        os.write(self.number, key.encode())

    def ended(self) -> int:
        """Read to its end; gives the exit code."""
        while self._read(WITHIN_S):
            pass
        _, status = os.waitpid(self.process, 0)
        self.process = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self, within_s: float) -> bool:
        if not select.select([self.number], [], [], within_s)[0]:
            return False
        try:
            data = os.read(self.number, 65536)
        except OSError:  # so Linux tells that nobody has it open any more
            return False
        self.seen += _CODES.sub("", data.decode(errors="replace"))
        return bool(data)


@contextmanager
def terminal(directory: Path, *arguments: str) -> Iterator[Terminal]:
    """Start a demo on one, 40 lines by 160 columns."""
    process, number = pty.fork()
    if process == 0:
        time.sleep(0.2)  # until it has its size
        # Not what readline has set beside `os.environ`: COLUMNS would win over the size.
        environment = {**os.environ, "TMPDIR": str(directory), "TERM": "xterm-256color"}
        command = [sys.executable, "-m", "budaiscaler.cli", "demo", *arguments]
        os.execve(sys.executable, command, environment)
    fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    found = Terminal(process, number)
    try:
        yield found
    finally:
        if found.process:
            os.kill(found.process, signal.SIGKILL)
            os.waitpid(found.process, 0)
        os.close(number)


def test_keys_break_and_mend_and_quit(tmp_path: Path) -> None:
    """Broken metrics are seen by the scalers, which hold, and after `q` nothing is left."""
    # Slow enough that no event is pushed out of the screen before it was drawn.
    with terminal(tmp_path, "--speed", "20") as shown:
        before = termios.tcgetattr(shown.number)[3]
        shown.wait_for("budaiscaler demo is starting")
        shown.wait_for("requests/s")
        for name in ("chat-hpa", "chat-kpa", "chat-bud", "plain-hpa"):
            shown.wait_for(name)
        shown.wait_for("kubectl get bas -w")
        shown.press("m")
        shown.wait_for("METRICS BROKEN")
        shown.wait_for("no source has data")
        shown.press("m")
        shown.wait_until_gone("METRICS BROKEN")
        shown.press("k")
        shown.wait_for("KillPod")
        shown.press("q")
        code = shown.ended()

        assert code == 0
        assert "minutes over target" in shown.seen
        assert termios.tcgetattr(shown.number)[3] == before
    assert list(tmp_path.iterdir()) == []


def test_control_c_ends_it(tmp_path: Path) -> None:
    """As a terminal sends it: to the demo and to nobody behind it."""
    with terminal(tmp_path) as shown:
        shown.wait_for("requests/s")
        shown.press("\x03")
        code = shown.ended()

    assert code == 0
    assert list(tmp_path.iterdir()) == []
