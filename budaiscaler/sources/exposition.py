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
from itertools import islice

MOST_LINES = 10_000
"""Of one name, and of what begins with it; a page of more is an attack or a mistake."""

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
        if b"\n " in text or b"\n\t" in text:
            text = _INDENTED.sub(b"\n", text)
        self._text = text

    def series(self, name: str) -> tuple[Series, ...]:
        """Read the series with exactly this name, in the order of the page.

        Raises:
            ValueError: one of its lines is broken, or there are too many.
        """
        series: list[Series] = []
        for number, rest in enumerate(self._lines(name), 1):
            if number > MOST_LINES:
                raise ValueError(f"there are more than {MOST_LINES} lines of {name}")
            if rest[:1] in b"{ \t":
                series.append(_read(rest, name))
        return tuple(series)

    def readable(self, name: str) -> tuple[Series, ...]:
        """Read the same, leaving out lines that are broken or too many.

        For pages on which a line stands for a thing of its own, such as a GPU, so that one which
        tells nothing does not silence the others.
        """
        series: list[Series] = []
        for rest in islice(self._lines(name), MOST_LINES):
            if rest[:1] in b"{ \t":
                with suppress(ValueError):
                    series.append(_read(rest, name))
        return tuple(series)

    def _lines(self, name: str) -> Iterator[bytes]:
        """What stands behind the name on each line that begins with it, longer names included."""
        text, start = self._text, b"\n" + name.encode()
        at = text.find(start)
        while at >= 0:
            end = text.find(b"\n", at + 1)
            yield text[at + len(start) : end if end >= 0 else len(text)]
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
