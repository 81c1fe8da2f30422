"""Flags that are lists: texts separated by commas, and headers, of which each flag gives one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

LABEL = r"^([a-zA-Z][a-zA-Z0-9_]*)?$"
"""Name of a label of Prometheus; those that begin with an underscore are its own."""

_BETWEEN = re.compile(r"\n|,(?=[-!#$%&*+.^_`|~0-9A-Za-z]+: )")
"""Repeated flags come to us joined by commas; in the environment there is a line for each."""
_HEADER = re.compile(r"([-!#$%&*+.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x1f\x7f]+)")


def parse_texts(value: str | Iterable[str]) -> tuple[str, ...]:
    """Read texts that are separated by commas."""
    parts: list[str] = []
    for text in [value] if isinstance(value, str) else value:
        parts.extend(part.strip() for part in text.split(","))
    return tuple(part for part in parts if part)


def parse_headers(value: str | Iterable[str | tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Read headers, `Name: value` each.

    Raises:
        ValueError: when one is none; the message says what one looks like, and not its value.
    """
    found: list[tuple[str, str]] = []
    for entry in [value] if isinstance(value, str) else value:
        if isinstance(entry, tuple):
            found.append(entry)
            continue
        for line in filter(None, map(str.strip, _BETWEEN.split(entry))):
            header = _HEADER.fullmatch(line)
            if header is None:
                raise ValueError('a header is no header; write for example "X-Scope-OrgID: ml"')
            found.append((header[1], header[2].strip()))
    return tuple(found)


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_texts)]
Headers = Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(parse_headers)]
