"""What a user set that has no effect, so that no field is ever silently ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel

from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.api.effects_table import (
    ANNOTATIONS,
    EFFECTIVE,
    NOT_OF_HPA,
    OF_KPA,
    OF_REPLICA_SETS,
    ROWS,
    has_deletion_costs,
)

_BLOCKS = frozenset(
    path.rpartition(".")[0].removesuffix("[]") for path in (*EFFECTIVE, *ROWS) if "." in path
)
"""Blocks of which the table names what is inside."""


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """A field that does nothing, with its path in the spec as it stands there."""

    path: str
    why: str
    is_planned: bool

    def __str__(self) -> str:
        return f"{self.path} ({self.why})"


def without_effect(
    spec: ScalerSpec, annotations: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Name what was set and has no effect, each with a short why.

    Args:
        spec: of any strategy, one that this version does not decide included.
        annotations: of the scaler; only those of our own group are looked at.
    """
    return tuple(map(str, find(spec, annotations)))


def find(
    spec: ScalerSpec, annotations: Mapping[str, str] | None = None
) -> tuple[WithoutEffect, ...]:
    """The same as values."""
    return (*_fields(spec, spec, "", ""), *_annotations(spec, annotations or {}))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of which the table says something, or something of what is in it."""

    name: str
    alias: str
    default: object
    pattern: str


@cache
def _watched(kind: type[BaseModel], pattern: str) -> tuple[_Field, ...]:
    """Look the fields of a type up once: each decision asks, and most of them always act."""
    patterns = {name: f"{pattern}{info.alias}" for name, info in kind.model_fields.items()}
    return tuple(
        _Field(name, str(info.alias), info.default, patterns[name])
        for name, info in kind.model_fields.items()
        if patterns[name] in ROWS or patterns[name] in _BLOCKS
    )


def _fields(spec: ScalerSpec, owner: BaseModel, pattern: str, path: str) -> Iterator[WithoutEffect]:
    for field in _watched(type(owner), pattern):
        # The API server writes defaults out, so a field at its default says nothing.
        if field.name not in owner.model_fields_set:
            continue
        value = getattr(owner, field.name)
        if value is None or value is False or value in ((), field.default):
            continue
        there, rows = f"{path}{field.alias}", ROWS.get(field.pattern, ())
        row = next((row for row in rows if row.when is None or row.when(spec, owner)), None)
        if row is not None:
            yield WithoutEffect(there, row.why, row.is_planned)
        elif field.pattern in _BLOCKS:
            yield from _inside(spec, value, field.pattern, there)


def _inside(spec: ScalerSpec, value: object, pattern: str, path: str) -> Iterator[WithoutEffect]:
    if isinstance(value, BaseModel):
        yield from _fields(spec, value, f"{pattern}.", f"{path}.")
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _fields(spec, item, f"{pattern}[].", f"{path}[{index}].")


def _annotations(spec: ScalerSpec, annotations: Mapping[str, str]) -> Iterator[WithoutEffect]:
    for name in sorted(annotations):
        if not name.startswith(f"{GROUP}/"):
            continue
        why = ANNOTATIONS.get(name, _unknown(name))
        if why is not None and not _TUNES.get(why, _never)(spec):
            yield WithoutEffect(f"annotation {name}", why, is_planned=False)


def _never(_: ScalerSpec) -> bool:
    return False


_TUNES: Mapping[str, Callable[[ScalerSpec], bool]] = {
    NOT_OF_HPA: lambda spec: spec.scaling_strategy is not Strategy.HPA,
    OF_KPA: lambda spec: spec.scaling_strategy is Strategy.KPA,
    OF_REPLICA_SETS: has_deletion_costs,
}
"""Where annotations have an effect, by why they have none elsewhere."""


def _unknown(name: str) -> str:
    return (
        "use targetValue of the source"
        if name.startswith(f"{GROUP}/target-")
        else "nobody reads it"
    )
