"""The scaler that a file is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain.api import strict
from budaiscaler.domain.api.base import API_VERSION, GROUP
from budaiscaler.domain.api.budaiscaler import KIND, ScalerSpec
from budaiscaler.domain.errors import InvalidInputError, Path, Problem

POLICY_KIND = "AIInferenceAutoscalerPolicy"

_KEYS = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True)
class Subject:
    """A scaler.

    Attributes:
        raw_spec: as written, for edits.
        annotations: of our own group.
    """

    name: str
    spec: ScalerSpec
    raw_spec: Mapping[str, Any]
    annotations: Mapping[str, str]


def read(raw: Any, at: Path = ()) -> Subject:
    """Read an object as it stands in a manifest.

    Raises:
        InvalidInputError: it is no scaler, has an unknown key, or breaks a rule.
    """
    if not isinstance(raw, Mapping):
        raise _problem(at, f"no object; write a {KIND} with apiVersion, kind, metadata and spec")
    kind = raw.get("kind")
    if kind == POLICY_KIND:
        message = f"{POLICY_KIND} is not supported yet; this version decides {KIND} only"
        raise _problem((*at, "kind"), message)
    if (raw.get("apiVersion"), kind) != (API_VERSION, KIND):
        message = f"{raw.get('apiVersion')} {kind} is no scaler; write {API_VERSION} {KIND}"
        raise _problem(at, message)
    problems = [strict.unknown(key, _KEYS, (*at, key)) for key in raw if key not in _KEYS]
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        problems.append(Problem((*at, "metadata"), "a scaler has a name: write metadata.name"))
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, Mapping):
        message = "no annotations; write a name and a text each"
        problems.append(Problem((*at, "metadata", "annotations"), message))
        annotations = {}
    for key, value in annotations.items():
        if not isinstance(value, str):
            message = f"an annotation is a text; write it in quotes: '{value}'"
            problems.append(Problem((*at, "metadata", "annotations", key), message))
    spec_at = (*at, "spec")
    try:
        spec = strict.read_spec(raw.get("spec"), spec_at)
    except InvalidInputError as error:
        raise InvalidInputError([*problems, *error.problems]) from error
    if problems:
        raise InvalidInputError(problems)
    return Subject(
        metadata["name"],
        spec,
        raw["spec"],
        {key: value for key, value in annotations.items() if key.startswith(f"{GROUP}/")},
    )


def _problem(at: Path, message: str) -> InvalidInputError:
    return InvalidInputError([Problem(at, message)])
