"""What users tune a scaler with in annotations, in every form that they are found written.

The original's documents, samples and code do not agree on the units: a threshold of 200 is percent
and one of 2.0 a ratio, a rate downwards is 0.5 or 2.0 for the half, a window has a unit or none.
All are read, by the rules below. What cannot be read is told and leaves the default in force: an
annotation is checked by no API server, and a typing error in one must not stop a scaler.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from budaiscaler.domain.api import durations, quantity
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.errors import InvalidSpecError

PREFIX = f"{GROUP}/"
TARGET_PREFIX = "target-"

STABLE_WINDOW_S = 180.0
PANIC_WINDOW_S = 60.0
"""Defaults of the original."""

PERCENT_THRESHOLD = 10.0
"""A threshold from here on is in percent: nobody waits for ten times the load."""
PERCENT_TOLERANCE = 1.0
"""A tolerance from here on is in percent: nobody tolerates twice the load."""

_LONGEST_S = 3600.0
_SHORTEST_STABLE_S = 6.0
_SHORTEST_PANIC_S = 1.0
_MOST_REPLICAS = 2**31 - 1
_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Annotations:
    """What was given; None where nothing was, or nothing readable.

    Attributes:
        max_scale_up_rate: most that replicas are multiplied by at once.
        scale_down_to: share of the replicas that stays at least.
        tolerance_up: dead band above, as a ratio.
        tolerance_down: dead band below, as a ratio.
        scale_up_window_s: stabilisation upwards.
        scale_down_window_s: stabilisation downwards.
        panic_threshold: as a ratio.
        panic_window_s: of the KPA strategy.
        stable_window_s: of the KPA strategy.
        activation_scale: fewest replicas while there is any need.
        initial_scale: fewest replicas until so many have been ready once.
        scale_down_delay_s: for how long the largest answer of the KPA strategy stands.
        scale_to_zero: whether 0 is allowed where minReplicas is 0.
        scale_to_zero_grace_s: how long an idle last replica stays.
        scale_to_zero_retention_s: the same; the longer one counts.
        pod_deletion_cost: whether the least loaded pods are named to go first.
        gpu_preferred_type: name of a type of GPU.
        gpu_topology_aware: whether placement should look at topology.
        cost_max_hourly: budget an hour.
        cost_max_daily: budget a day.
        cost_prefer_spot: whether spot instances are preferred.
        targets: target value by the name of a metric.
        problems: what could not be read, where, and what to write.
        unknown: full names of annotations of our group that mean nothing here.
    """

    max_scale_up_rate: float | None = None
    scale_down_to: float | None = None
    tolerance_up: float | None = None
    tolerance_down: float | None = None
    scale_up_window_s: float | None = None
    scale_down_window_s: float | None = None
    panic_threshold: float | None = None
    panic_window_s: float | None = None
    stable_window_s: float | None = None
    activation_scale: int | None = None
    initial_scale: int | None = None
    scale_down_delay_s: float | None = None
    scale_to_zero: bool | None = None
    scale_to_zero_grace_s: float | None = None
    scale_to_zero_retention_s: float | None = None
    pod_deletion_cost: bool | None = None
    gpu_preferred_type: str | None = None
    gpu_topology_aware: bool | None = None
    cost_max_hourly: float | None = None
    cost_max_daily: float | None = None
    cost_prefer_spot: bool | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def parse_annotations(annotations: Mapping[str, str], others: Collection[str] = ()) -> Annotations:
    """Read the annotations of a scaler.

    Args:
        annotations: all it has; those of other groups are passed over.
        others: full names of ours that somebody else reads.
    """
    values: dict[str, Any] = {}
    targets: dict[str, float] = {}
    problems: list[str] = []
    unknown: list[str] = []
    given = {
        key.removeprefix(PREFIX): text.strip()
        for key, text in sorted(annotations.items())
        if key.startswith(PREFIX) and key not in others
    }
    for name in sorted(given, key=lambda name: (name not in _ALIASES, name)):
        fields, read = _KNOWN.get(name, ((), _above_zero))
        try:
            if fields:
                values |= dict.fromkeys(fields, read(given[name]))
            elif name.startswith(TARGET_PREFIX) and name != TARGET_PREFIX:
                targets[name.removeprefix(TARGET_PREFIX)] = read(given[name])
            else:
                unknown.append(PREFIX + name)
        except InvalidSpecError as error:
            problems.append(f"metadata.annotations[{PREFIX}{name}]: {error}; it is ignored")
    read_all = Annotations(
        **values, targets=targets, problems=tuple(problems), unknown=tuple(unknown)
    )
    return _with_fitting_windows(read_all)


def scale_down_to(rate: float) -> float:
    """Give the share of replicas that stays at least, of a rate in either form.

    The original's fields have a factor, 0.5 for the half, and its annotations what Knative has, 2.0
    for the half. Taken as a factor, 2.0 would turn every scale-down into growth.
    """
    return rate if rate < 1 else 1 / rate


def _with_fitting_windows(given: Annotations) -> Annotations:
    stable_s = given.stable_window_s or STABLE_WINDOW_S
    if given.panic_window_s is None or given.panic_window_s <= stable_s:
        return given
    problem = (
        f"metadata.annotations[{PREFIX}panic-window]: {given.panic_window_s:g} s is longer than "
        f"the stable window of {stable_s:g} s, which is taken for it"
    )
    return replace(given, panic_window_s=stable_s, problems=(*given.problems, problem))


def _number(text: str, *, example: str) -> float:
    try:
        value = quantity.parse(text)
    except InvalidSpecError:
        value = math.nan
    if not value >= 0:
        raise InvalidSpecError(f"{text!r} is no number of 0 or more; write for example {example}")
    return value


def _above_zero(text: str) -> float:
    value = _number(text, example='"50" or "0.5"')
    if value == 0:
        raise InvalidSpecError(f'{text!r} is not above 0; write for example "50" or "0.5"')
    return value


def _up_rate(text: str) -> float:
    rate = _number(text, example='"2.0"')
    if rate < 1:
        raise InvalidSpecError(f'{text!r} would make growth shrink; write for example "2.0"')
    return rate


def _down_rate(text: str) -> float:
    return scale_down_to(_number(text, example='"0.5" or "2.0" for the half'))


def _ratio(text: str, *, percent_from: float, example: str) -> float:
    is_percent = text.endswith("%")
    value = _number(text.removesuffix("%").rstrip(), example=example)
    return value / 100 if is_percent or value >= percent_from else value


def _threshold(text: str) -> float:
    example = '"2.0" or "200"'
    ratio = _ratio(text, percent_from=PERCENT_THRESHOLD, example=example)
    if ratio <= 1:
        raise InvalidSpecError(
            f"{text!r} would be panic while all is well: it must be above 1, or above 100 percent; "
            f"write for example {example}"
        )
    return ratio


def _tolerance(text: str) -> float:
    example = '"0.1" or "10"'
    ratio = _ratio(text, percent_from=PERCENT_TOLERANCE, example=example)
    if ratio > 1:
        raise InvalidSpecError(
            f"{text!r} is more than 100 percent; write for example {example} for ten"
        )
    return ratio


def _duration(text: str, *, shortest_s: float = 0.0) -> float:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else durations.parse_s(text)
    except (InvalidSpecError, ValueError):
        seconds = math.nan
    if not shortest_s <= seconds <= _LONGEST_S:
        raise InvalidSpecError(
            f"{text!r} is no duration from {shortest_s:g} s to 1 h; "
            'write for example "60s", "2m" or seconds as "60"'
        )
    return seconds


def _count(text: str, *, least: int) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS or not least <= int(text) <= _MOST_REPLICAS:
        raise InvalidSpecError(f"{text!r} is no count of {least} or more replicas")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidSpecError(f'{text!r} is neither "true" nor "false"')
    return text.lower() == "true"


def _text(text: str) -> str:
    if not text:
        raise InvalidSpecError("it is empty")
    return text


_ALIASES = frozenset({"scale-up-rate", "scale-down-rate", "tolerance"})
"""Of the original's sample; read first, so that the proper names win over them."""

_KNOWN: Mapping[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "scale-up-rate": (("max_scale_up_rate",), _up_rate),
    "scale-down-rate": (("scale_down_to",), _down_rate),
    "tolerance": (("tolerance_up", "tolerance_down"), _tolerance),
    "max-scale-up-rate": (("max_scale_up_rate",), _up_rate),
    "max-scale-down-rate": (("scale_down_to",), _down_rate),
    "scale-up-tolerance": (("tolerance_up",), _tolerance),
    "scale-down-tolerance": (("tolerance_down",), _tolerance),
    "scale-up-cooldown": (("scale_up_window_s",), _duration),
    "scale-down-cooldown": (("scale_down_window_s",), _duration),
    "panic-threshold": (("panic_threshold",), _threshold),
    "panic-window": (("panic_window_s",), partial(_duration, shortest_s=_SHORTEST_PANIC_S)),
    "stable-window": (("stable_window_s",), partial(_duration, shortest_s=_SHORTEST_STABLE_S)),
    "activation-scale": (("activation_scale",), partial(_count, least=1)),
    "initial-scale": (("initial_scale",), partial(_count, least=0)),
    "scale-down-delay": (("scale_down_delay_s",), _duration),
    "scale-to-zero": (("scale_to_zero",), _flag),
    "scale-to-zero-grace-period": (("scale_to_zero_grace_s",), _duration),
    "scale-to-zero-pod-retention-period": (("scale_to_zero_retention_s",), _duration),
    "pod-deletion-cost": (("pod_deletion_cost",), _flag),
    "gpu-preferred-type": (("gpu_preferred_type",), _text),
    "gpu-topology-aware": (("gpu_topology_aware",), _flag),
    "cost-max-hourly": (("cost_max_hourly",), _above_zero),
    "cost-max-daily": (("cost_max_daily",), _above_zero),
    "cost-prefer-spot": (("cost_prefer_spot",), _flag),
}
