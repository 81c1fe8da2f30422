"""The one tree of errors.

    BudAIScalerError
    ├── InvalidSpecError           what a user wrote cannot be evaluated; says what to change
    │   ├── QuantityError          a number that is none
    │   ├── CronError              an expression that is none, or whose time never comes
    │   └── TimeZoneError          a name that no time zone has
    ├── InvalidInputError          a file for the command line that cannot be used; says where
    ├── ConfigurationError         what an operator configured cannot work: do not start
    ├── PlaygroundError            a demo cannot go on; says what ended, and its last words
    ├── KubeError                  the API server did not do what was asked
    │   ├── KubeUnreachableError   no answer: connection, TLS, time-out (temporary by nature)
    │   └── KubeStatusError        it answered with a Status that is a failure
    │       ├── UnauthorizedError  401
    │       ├── ForbiddenError     403
    │       ├── NotFoundError      404
    │       ├── ConflictError      409
    │       ├── ExpiredError       410, a resourceVersion that is too old: list again
    │       ├── InvalidObjectError 422
    │       └── OverloadedError    429 and 5xx: try again later

A metric source has no errors here: a source that cannot answer returns
`budaiscaler.domain.readings.NoData`, since missing data is an ordinary value of this domain.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable
from dataclasses import dataclass


class BudAIScalerError(Exception):
    """Root of every error this project raises on purpose."""


class InvalidSpecError(BudAIScalerError):
    """A user's object that cannot be evaluated; the message names the field and the remedy."""


class QuantityError(InvalidSpecError):
    """A text that is no Kubernetes quantity."""


class CronError(InvalidSpecError):
    """A text that is no cron expression, or one whose time never comes."""


class TimeZoneError(InvalidSpecError):
    """A name that no time zone has."""


Path = tuple[str | int, ...]
"""Keys and indices that lead to a place in a file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a file.

    Attributes:
        path: to the place.
        message: what is wrong and what to write instead.
    """

    path: Path
    message: str

    def __str__(self) -> str:
        parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return f"{parts.removeprefix('.')}: {self.message}" if parts else self.message


class InvalidInputError(BudAIScalerError):
    """A file for the command line that cannot be used.

    Attributes:
        problems: all that are known; never empty.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class ConfigurationError(BudAIScalerError):
    """Settings of the operator that cannot work."""


class PlaygroundError(BudAIScalerError):
    """A demo that cannot begin, or cannot go on."""


class KubeError(BudAIScalerError):
    """The API server did not do what was asked."""


class KubeUnreachableError(KubeError):
    """No answer from the API server."""


class KubeStatusError(KubeError):
    """The API server answered with a failure.

    Attributes:
        code: HTTP status.
        reason: machine-readable reason of the Status, for example `AlreadyExists`.
        details: of the Status: which object it is about, and the causes; None if nobody told.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: abc.Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details


class UnauthorizedError(KubeStatusError):
    """401: our own credentials are not accepted."""


class ForbiddenError(KubeStatusError):
    """403: a rule is missing from our RBAC."""


class NotFoundError(KubeStatusError):
    """404: the object or the kind does not exist."""


class ConflictError(KubeStatusError):
    """409: somebody else changed or made it first."""


class ExpiredError(KubeStatusError):
    """410: the resourceVersion is too old to watch from."""


class InvalidObjectError(KubeStatusError):
    """422: validation refused the object."""


class OverloadedError(KubeStatusError):
    """429 or 5xx: the server cannot answer now."""


_BY_CODE: dict[int, type[KubeStatusError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    422: InvalidObjectError,
    429: OverloadedError,
}


def status_error(
    code: int, reason: str, message: str, details: abc.Mapping[str, object] | None = None
) -> KubeStatusError:
    """Choose the class of a failure by its HTTP status, so that callers catch by type."""
    kind = _BY_CODE.get(code, OverloadedError if code >= 500 else KubeStatusError)  # noqa: PLR2004 - HTTP classes
    return kind(code, reason, message, details)
