"""Kubernetes quantities: `"5"`, `"500m"`, `"1.5k"`, `"2Gi"`, `"1e3"`.

Source of the grammar: the `Quantity` of apimachinery. HPA reads a metric as milli-units and rounds
anything finer up, so what we publish is a whole number of milli-units, rounded up by us.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

from budaiscaler.domain.errors import QuantityError

PATTERN = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]{1,2}))?$"
"""RE2 and Python agree on it; the rules of the CRD carry it.

Two digits of exponent are plenty. Kubernetes itself takes any number of them and computes for
minutes on "1e2147483648", in the API server when a rule asks it to.
"""

_GRAMMAR = re.compile(PATTERN)
_SUFFIX_SCALE: dict[str, Decimal] = {
    **{
        suffix: Decimal(10) ** exponent
        for suffix, exponent in zip("num", (-9, -6, -3), strict=True)
    },
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)
    },
    **{f"{prefix}i": Decimal(1024) ** power for power, prefix in enumerate("KMGTPE", 1)},
}
_KIBI = 1024
_PREFIXES = "KMGTPE"
_BINARY = re.compile(rf"[+]?([0-9]+(?:[.][0-9]*)?|[.][0-9]+)([{_PREFIXES}])i")
_MOST_UNITS = 2**53
"""Of a target: its milli-units fit into an int64, and a float tells each from the next."""
_MILLI_SLACK = 1e-6
"""Of one milli-unit: 0.1 + 0.2 must not publish as 301m."""
_MAX_MILLI = float(2**63 - 1024)
"""The largest float below 2**63: HPA counts milli-units in an int64, and more would overflow."""


def parse(text: str) -> float:
    """Read a quantity as a float.

    Raises:
        QuantityError: when `text` is no quantity; the message says what one looks like.
    """
    if not _GRAMMAR.fullmatch(text):
        raise QuantityError(
            f"{text!r} is no number or quantity, or out of range; "
            'write for example "5", "0.5" or "500m"'
        )
    number, scale = text, Decimal(1)
    for length in (2, 1):
        # "1E" is exa, "1E3" is an exponent: only a trailing letter is a suffix.
        suffix = text[-length:]
        if suffix in _SUFFIX_SCALE and not suffix[-1].isdigit():
            number, scale = text[:-length], _SUFFIX_SCALE[suffix]
            break
    try:
        value = float(Decimal(number) * scale)
    except ArithmeticError as error:
        raise QuantityError(f"{text!r} is out of range") from error
    if not math.isfinite(value):
        raise QuantityError(f"{text!r} is out of range")
    return value


def ceil_to_milli(value: float) -> float:
    """Round up to a whole number of milli-units, forgiving float noise below a millionth of one.

    A load of 7.0004 asks for 8 replicas; published as 7000m HPA would read 7. Rounding up keeps
    the ceiling of what HPA reads equal to the ceiling that we decided.
    """
    return _milli(value) / 1000


def format_milli(value: float) -> str:
    """Write a finite, non-negative number canonically: `"7"` or `"7250m"`, rounded up to milli.

    What is too large for HPA is written as the largest that is not.
    """
    milli = _milli(value)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def canonical(text: str) -> str | None:
    """Write a quantity as an API server gives it back; None for what an HPA cannot have as target.

    An HPA counts milli-units: it would round anything finer up, and needs one of them at least.
    """
    if (found := _BINARY.fullmatch(text)) is not None:
        units, power = Fraction(found[1]) * _KIBI ** (_PREFIXES.index(found[2]) + 1), 0
        if units.denominator == 1 and _KIBI <= units < _MOST_UNITS:
            whole = int(units)
            while whole % _KIBI == 0 and power < len(_PREFIXES):
                whole, power = whole // _KIBI, power + 1
            return f"{whole}{_PREFIXES[power - 1]}i" if power else str(whole)
    value = parse(text)
    milli = round(value * 1000)
    if not 1 <= milli < 1000 * _MOST_UNITS or not math.isclose(value * 1000, milli, rel_tol=1e-12):
        return None
    suffixes = ("m", "", "k", *_PREFIXES[1:])
    thousands = 0
    while milli % 1000 == 0 and thousands < len(suffixes) - 1:
        milli, thousands = milli // 1000, thousands + 1
    return f"{milli}{suffixes[thousands]}"


def _milli(value: float) -> int:
    return math.ceil(min(value * 1000 - _MILLI_SLACK, _MAX_MILLI))
