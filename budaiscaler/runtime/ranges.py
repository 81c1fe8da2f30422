"""Address ranges of flags: `"127.0.0.0/8,::1/128"`; a single address is a range of one."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

Range = IPv4Network | IPv6Network


def parse_ranges(value: str | Iterable[str | Range]) -> tuple[Range, ...]:
    """Read ranges that are separated by commas.

    Raises:
        ValueError: when one is none; the message says what one looks like.
    """
    parts: list[str] = []
    for text in [value] if isinstance(value, str) else value:
        parts.extend(str(text).split(","))
    return tuple(_parse(part.strip()) for part in parts if part.strip())


def _parse(text: str) -> Range:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f'{text!r} is no range of addresses ({error}); write for example "127.0.0.0/8"'
        ) from error


Ranges = Annotated[tuple[Range, ...], NoDecode, BeforeValidator(parse_ranges)]
