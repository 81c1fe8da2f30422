"""Takes the wanted series out of a page in Prometheus' text format, and does not look at the rest.

A page of an inference engine has hundreds of lines, of which we want one or thirty. So the bytes
are searched for the names at the beginning of a line, and only those lines are read. What is read
is checked in full; a broken line of another series is none of our business.

Names in quotes inside the braces, which newer formats allow for names with other characters, are
not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

MOST_LINES = 10_000
"""Of one name, and of what begins with it; a page of more is an attack or a mistake."""
MOST_BYTES = 2**18
"""Of all lines of a page that are read: while one page is, all others wait."""

_SHORT = 512
"""Bytes of labels that are remembered."""

Labels = tuple[tuple[str, str], ...]
"""In the order of their names."""

_INDENTED = re.compile(rb"\n[ \t]+")
_REST = re.compile(
    rb"[ \t]*+(?:\{(?P<labels>(?:[^\"}\n]|\"(?:[^\"\\\n]|\\.)*+\")*+)\})?+[ \t]*+"
    rb"(?P<value>[^\s#]++)"
    rb"(?:[ \t]++-?[0-9][0-9.eE+-]*+)?+"  # a timestamp
    rb"(?:[ \t]++\#[^\n]*+)?+"  # an exemplar
    rb"[ \t\r]*+"
)
_LABEL = re.compile(
    rb"[ \t]*+(?P<name>[a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+="
    rb"[ \t]*+\"(?P<value>(?:[^\"\\]|\\.)*+)\"[ \t]*+(?:,[ \t]*+|$)"
)
_ESCAPE = re.compile(rb"\\([\\n\"])")
_ESCAPED = {b"\\": b"\\", b"n": b"\n", b'"': b'"'}


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a page.

    Attributes:
        value: as it stands there, NaN and infinities included.
    """

    labels: Labels
    value: float


class Text:
    """A page that is about to be searched."""

    def __init__(self, page: bytes) -> None:
        text = b"\n" + page
        if 0 < text.count(b"\n ") + text.count(b"\n\t") <= MOST_LINES:
            text = _INDENTED.sub(b"\n", text)
        self._text = text
        self._read_bytes = 0

    def series(self, name: str) -> tuple[Series, ...]:
        """Read the series with exactly this name, in the order of the page.

        Raises:
            ValueError: one of its lines is broken, or there are too many.
        """
        return tuple(_read(rest, name) for rest in self._lines(name))

    def readable(self, name: str) -> tuple[Series, ...]:
        """Read the same, leaving out lines that are broken or too many.

        For pages on which a line stands for a thing of its own, such as a GPU, so that one which
        tells nothing does not silence the others.
        """
        series: list[Series] = []
        with suppress(ValueError):
            for rest in self._lines(name):
                with suppress(ValueError):
                    series.append(_read(rest, name))
        return tuple(series)

    def _lines(self, name: str) -> Iterator[bytes]:
        """What stands behind exactly that name on each of its lines.

        Raises:
            ValueError: there are too many.
        """
        text, start = self._text, b"\n" + name.encode()
        at, lines = text.find(start), 0
        while at >= 0:
            lines += 1
            if lines > MOST_LINES:
                raise ValueError(f"there are more than {MOST_LINES} lines of {name}")
            end = text.find(b"\n", at + 1)
            rest = text[at + len(start) : end if end >= 0 else len(text)]
            if rest[:1] in b"{ \t":
                self._read_bytes += len(rest)
                if self._read_bytes > MOST_BYTES:
                    raise ValueError(f"{name} and what else is wanted is too much of it")
                yield rest
            at = text.find(start, at + len(start))


def extract(page: bytes, names: Iterable[str]) -> dict[str, tuple[Series, ...]]:
    """Read the series with exactly these names; those that are not there are left out.

    Raises:
        ValueError: a line of one of them is broken, or there are too many.
    """
    text = Text(page)
    found = {name: text.series(name) for name in names}
    return {name: series for name, series in found.items() if series}


def _read(rest: bytes, name: str) -> Series:
    """Read what stands behind a name."""
    line = _REST.fullmatch(rest)
    if line is None or b"_" in line["value"]:  # Python reads 1_000 as a thousand
        raise ValueError(f"a line of {name} is broken")
    try:
        labels = line["labels"] or b""
        read = _labels if len(labels) <= _SHORT else _labels.__wrapped__
        return Series(read(labels), float(line["value"]))
    except ValueError:
        raise ValueError(f"a line of {name} is broken") from None


@lru_cache(maxsize=8192)  # every pod and every look has the same ones
def _labels(text: bytes) -> Labels:
    labels: list[tuple[str, str]] = []
    at = 0
    stripped = text.strip(b" \t")
    while at < len(stripped):
        label = _LABEL.match(stripped, at)
        if label is None:
            raise ValueError
        value = label["value"]
        if b"\\" in value:
            value = _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], value)
        labels.append((label["name"].decode(), value.decode()))
        at = label.end()
    return tuple(sorted(labels))
