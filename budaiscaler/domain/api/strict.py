"""Reads what users write for the command line: no key is ignored, and a typing error is named.

The API server prunes and warns; a file on a disk has nobody who does. So an unknown key is an
error, with the key that was probably meant, and all problems of a file are told at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError

from budaiscaler.domain.api import durations, validation
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.errors import InvalidInputError, InvalidSpecError, Path, Problem

Model = TypeVar("Model", bound=BaseModel)


def _duration_s(text: object) -> float:
    try:
        return durations.parse_s(str(text))
    except InvalidSpecError as error:
        raise ValueError(str(error)) from error


def _is_duration(text: str) -> str:
    _duration_s(text)
    return text


Duration = Annotated[str, AfterValidator(_is_duration)]
"""A duration that stays as it is written."""

Seconds = Annotated[float, BeforeValidator(_duration_s)]
"""A duration, read as seconds."""

_PART = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_SENTENCE = re.compile(r"; (?=spec[.\[:])")
_REMEDIES = {
    "Input should be a valid number": "write it without quotes or a unit, for example 38 or 0.85",
    "Input should be a valid string": "write it in quotes",
}
"""What to do about a value of the wrong type, by what pydantic says of it."""

_UNION_ARM = re.compile(r"^(float|str|int|bool)$|\[|^[A-Z]\w+Given$")


def read(model: type[Model], raw: Any, at: Path = ()) -> Model:
    """Read a value of a type, every key of which must be known.

    Args:
        model: the type.
        raw: as parsed from YAML or JSON.
        at: where it stands in its file.

    Raises:
        InvalidInputError: with all problems.
    """
    problems = list(unknown_keys(model, raw, at))
    try:
        value = model.model_validate(raw)
    except ValidationError as error:
        raise InvalidInputError([*problems, *_of_validation(error, at)]) from error
    if problems:
        raise InvalidInputError(problems)
    return value


def read_spec(raw: Any, at: Path = ("spec",)) -> ScalerSpec:
    """Read the spec of a scaler by the rules that hold in a cluster, and without unknown keys.

    Raises:
        InvalidInputError: with all problems.
    """
    problems = list(unknown_keys(ScalerSpec, raw, at))
    try:
        spec = validation.parse_spec(raw)
    except InvalidSpecError as error:
        for sentence in _SENTENCE.split(str(error)):
            path, _, message = sentence.partition(": ")
            problems.append(Problem((*at, *_parts(path)[1:]), _with_remedy(message)))
        raise InvalidInputError(problems) from error
    if problems:
        raise InvalidInputError(problems)
    return spec


def unknown_keys(model: type[BaseModel], raw: Any, at: Path = ()) -> Iterator[Problem]:
    """Name every key of a value that its type does not have."""
    if not isinstance(raw, Mapping):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in raw.items():
        here = (*at, key)
        if key not in fields:
            yield unknown(key, fields, here)
            continue
        yield from _inside(fields[key].annotation, value, here)


def unknown(key: object, known: Iterable[str], at: Path) -> Problem:
    """Say that a key is unknown, and which one was probably meant."""
    names = sorted(known)
    meant = difflib.get_close_matches(str(key), names, n=1, cutoff=0.6)
    remedy = f"did you mean {meant[0]}?" if meant else f"known are {', '.join(names)}"
    return Problem(at, f"unknown key; {remedy}")


def _inside(annotation: Any, value: Any, at: Path) -> Iterator[Problem]:
    """Look into a value by an annotation such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from unknown_keys(annotation, value, at)
        return
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is tuple and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _inside(arguments[0], item, (*at, index))
    elif origin in (dict, Mapping):
        for key, item in value.items() if isinstance(value, Mapping) else ():
            yield from _inside(arguments[1], item, (*at, key))
    elif origin is not tuple:
        for argument in arguments:
            yield from _inside(argument, value, at)


def _of_validation(error: ValidationError, at: Path) -> Iterator[Problem]:
    told: dict[Path, str] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        # A union names the arm that it tried, which is no key of the file.
        path = tuple(
            part
            for part in detail["loc"]
            if isinstance(part, int) or not _UNION_ARM.search(str(part))
        )
        told.setdefault(path, _with_remedy(detail["msg"].removeprefix("Value error, ")))
    for path, message in told.items():
        # That a mapping is no number is said by the arm that was not meant.
        if not any(other[: len(path)] == path for other in told if other != path):
            yield Problem((*at, *path), message)


def _with_remedy(message: str) -> str:
    return f"{message}; {_REMEDIES[message]}" if message in _REMEDIES else message


def _parts(path: str) -> Path:
    return tuple(name or int(index) for name, index in _PART.findall(path))
