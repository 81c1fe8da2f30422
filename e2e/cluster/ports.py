"""Ports that stay free while their server is down.

The kernel hands out ports from 32768 up to outgoing connections, so a server that restarts could
find its port taken by one. These are chosen below that range, and above what is commonly used.
"""

import random
import socket
from typing import Final

from e2e.cluster import waiting

RANGE: Final = range(20000, 30000)
ATTEMPTS: Final = 200

_picked: set[int] = set()
"""All that were given away here: who has one may not listen yet, or not any more."""


def pick(count: int) -> tuple[int, ...]:
    """Return `count` different ports on which nothing listens now."""
    free: list[int] = []
    for port in random.sample(RANGE, ATTEMPTS):
        if len(free) == count:
            return tuple(free)
        if port not in _picked and _is_free(port):
            _picked.add(port)
            free.append(port)
    raise waiting.ClusterError(f"fewer than {count} of {ATTEMPTS} ports tried in {RANGE} are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what an earlier server left in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
