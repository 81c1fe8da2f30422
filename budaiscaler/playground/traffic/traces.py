"""Traces of real traffic, as files: how many requests came in each minute, and how long they were.

Two forms are read, as CSV with a heading, plain or packed with gzip: a line a minute with `minute`
and `requests`, or a line a request with `t_s`. Both may have `prompt_tokens` and `output_tokens`,
totals of the minute or lengths of the request.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.playground.fleet.engine import Shape
from budaiscaler.playground.traffic.rates import Rate

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trace:
    """What a file tells.

    Attributes:
        per_minute: requests of each minute, from the first on.
        shape: mean lengths of all of them.
    """

    per_minute: tuple[float, ...]
    shape: Shape

    @property
    def peak_per_s(self) -> float:
        """Requests a second in its busiest minute."""
        return max(self.per_minute) / MINUTE_S

    def rate(self, share: float = 1.0) -> Rate:
        """The rate of it, or of a share of its requests; it begins anew when it has ended.

        Of requests that come by chance a share comes by chance, too: a thinner Poisson process, and
        not one whose peaks are cut.
        """

        def rate(at_s: float) -> float:
            minute = int(max(0.0, at_s) // MINUTE_S) % len(self.per_minute)
            return self.per_minute[minute] * share / MINUTE_S

        return rate


def read(file: Path) -> Trace:
    """Read a file.

    Raises:
        ConfigurationError: it cannot be read, or is no trace; the message says where.
    """
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as text:
            return _parse(csv.DictReader(text), str(file))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"--trace {file}: it cannot be read: {error}") from error


def _parse(rows: csv.DictReader[str], name: str) -> Trace:
    heading = set(rows.fieldnames or ())
    is_by_minute = {"minute", "requests"} <= heading
    if not is_by_minute and "t_s" not in heading:
        raise ConfigurationError(
            f"--trace {name}: the heading must have minute,requests or t_s, not "
            f"{','.join(sorted(heading)) or 'nothing'}"
        )
    counts: dict[int, float] = defaultdict(float)
    prompt = output = 0.0
    for number, row in enumerate(rows, start=2):
        try:
            minute, requests = _counted(row, is_by_minute=is_by_minute)
            prompt += _number(row.get("prompt_tokens") or "0")
            output += _number(row.get("output_tokens") or "0")
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"--trace {name}: line {number}: {error}") from error
        counts[minute] += requests
    total = math.fsum(counts.values())
    if total <= 0:
        raise ConfigurationError(f"--trace {name}: there is no request in it")
    first = min(counts)
    per_minute = tuple(counts.get(minute, 0.0) for minute in range(first, max(counts) + 1))
    return Trace(per_minute, _shape(prompt / total, output / total))


def _counted(row: Mapping[str, str], *, is_by_minute: bool) -> tuple[int, float]:
    if is_by_minute:
        return int(row["minute"]), _number(row["requests"])
    return int(_number(row["t_s"]) // MINUTE_S), 1.0


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is no count")
    return value


def _shape(prompt_tokens: float, output_tokens: float) -> Shape:
    """The mean lengths; a trace that tells none has ours."""
    usual = Shape()
    return Shape(prompt_tokens or usual.prompt_tokens, output_tokens or usual.output_tokens)
