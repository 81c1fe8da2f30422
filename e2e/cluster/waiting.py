"""Waiting with a deadline, and the one error of this package."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ClusterError(RuntimeError):
    """The cluster, or something beside it, is not as it must be; the message says what to do."""


def until(
    probe: Callable[[], T | None],
    *,
    what: str,
    timeout_s: float,
    interval_s: float = 0.1,
    hint: Callable[[], str] = str,
) -> T:
    """Call `probe` until it returns something other than None, and return that.

    Args:
        probe: Returns None for "not yet"; an error it raises ends the wait at once.
        what: What is waited for, as it reads after "timed out waiting for".
        timeout_s: The deadline; the probe is called at least once.
        interval_s: The pause between two calls.
        hint: Called on failure only; its text ends the message (a last value, a log's tail).

    Raises:
        ClusterError: The deadline passed.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        result = probe()
        if result is not None:
            return result
        if time.monotonic() >= deadline:
            raise ClusterError(f"timed out after {timeout_s:g} s waiting for {what}\n{hint()}")
        time.sleep(interval_s)
