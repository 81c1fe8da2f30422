"""How API types are written: camelCase on the wire, snake_case here, frozen once read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
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
