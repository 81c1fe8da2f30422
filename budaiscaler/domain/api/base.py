"""How API types are written: camelCase on the wire, snake_case here, frozen once read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "scaler.bud.studio"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """Base of every type of our API.

    Unknown fields are ignored on reading: the API server has already pruned or refused them, and a
    newer server may know more than we do.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=False,
    )


TIME = {"format": "date-time"}
"""What the schema of a point in time has."""

NUMBER_LENGTH = 64
"""A rule checks the form: a pattern would tell users a regular expression."""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


IntOrString = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(max_length=NUMBER_LENGTH, json_schema_extra={"x-kubernetes-int-or-string": True}),
]
"""A number that YAML may have as one or as text; text for us either way."""

Name = Annotated[str, Field(max_length=253)]
"""Of an object, a metric or a thing of the user's."""

DurationText = Annotated[str, Field(max_length=NUMBER_LENGTH)]
"""As Go writes durations, and with days: 90s, 1h30m, 1d. A rule checks the form."""
