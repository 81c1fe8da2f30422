"""The kinds of patches, by their content type."""

from __future__ import annotations

from typing import Any

from budaiscaler.domain import merge_patches
from budaiscaler.playground.apiserver import failures, patching, strategic
from budaiscaler.playground.apiserver.kinds import Kind
from budaiscaler.playground.apiserver.shapes import Shape

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def check_taken(kind: Kind, content_type: str) -> None:
    """Refuse what a kind does not take.

    Raises:
        KubeStatusError: 415.
    """
    if content_type == STRATEGIC and kind.is_custom:
        raise failures.unsupported_media_type(content_type, (JSON, MERGE, APPLY))


def apply(shown: Any, patch: Any, content_type: str, shape: Shape) -> Any:
    """Patch an object by anything but server-side apply; it is not changed.

    Raises:
        KubeStatusError: 400, 415 or 422, the patch is none or does not fit.
    """
    try:
        if content_type == MERGE:
            return merge_patches.apply(shown, patch)
        if content_type == STRATEGIC:
            return strategic.merge(shown, patch, shape)
        if content_type == JSON and isinstance(patch, list):
            return patching.apply_json(shown, patch)
    except patching.PatchError as error:
        raise failures.unprocessable(str(error)) from error
    if content_type == JSON:
        raise failures.bad_request("a JSON patch is a list of steps")
    raise failures.unsupported_media_type(content_type, (JSON, MERGE, STRATEGIC, APPLY))
