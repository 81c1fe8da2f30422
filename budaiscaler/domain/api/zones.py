"""Time zones by their IANA name.

The one place of the domain that reads files, by way of `zoneinfo`: the tables of a zone ship with
the program, and reading one is like importing a module. It happens once a zone; the answer depends
on nothing but the version that is installed.
"""

from __future__ import annotations

import zoneinfo
from functools import lru_cache

from budaiscaler.domain.errors import TimeZoneError


@lru_cache(maxsize=1024)
def find(name: str) -> zoneinfo.ZoneInfo:
    """Give the zone of that name.

    Raises:
        TimeZoneError: when there is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TimeZoneError(
            f"{name!r} is no time zone; write an IANA name, for example Europe/Berlin"
        ) from error
