"""What a source tells: a reading, or that there is none. Missing is not zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

FRESH_INTERVALS = 3
FRESH_AT_LEAST_S = 60.0


class NoDataReason(StrEnum):
    """Why a source gave nothing. Codes are stable: status, events and metrics carry them."""

    NOT_YET_READ = "NotYetRead"
    EMPTY_RESULT = "EmptyResult"
    NOT_A_NUMBER = "NotANumber"
    NEGATIVE = "Negative"
    UNREACHABLE = "Unreachable"
    TIMEOUT = "Timeout"
    HTTP_ERROR = "HTTPError"
    BAD_ANSWER = "BadAnswer"
    METRIC_NOT_FOUND = "MetricNotFound"
    REQUESTS_MISSING = "RequestsMissing"
    SECRET_NOT_READABLE = "SecretNotReadable"  # noqa: S105 - a code
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105 - a code
    NO_READY_PODS = "NoReadyPods"
    PODS_UNKNOWN = "PodsUnknown"
    UNKNOWN_HOST = "UnknownHost"
    BAD_QUERY = "BadQuery"
    BAD_ENDPOINT = "BadEndpoint"
    DENIED_ADDRESS = "DeniedAddress"
    UNSUPPORTED_SOURCE = "UnsupportedSource"
    NVML_UNAVAILABLE = "NVMLUnavailable"

    @property
    def is_users_to_mend(self) -> bool:
        """Whether only an edit of the scaler brings data, however long one waits."""
        return self in _USERS_TO_MEND


_USERS_TO_MEND = frozenset(
    {
        NoDataReason.UNKNOWN_HOST,
        NoDataReason.BAD_QUERY,
        NoDataReason.BAD_ENDPOINT,
        NoDataReason.DENIED_ADDRESS,
        NoDataReason.UNSUPPORTED_SOURCE,
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A good number.

    Attributes:
        value: in the source's own unit; finite and not negative.
        age_s: seconds since it was sampled.
        answered: how many samples it was made of: pods for a level, series for a total.
        of: how many there should be; None where nobody knows.
    """

    value: float
    age_s: float = 0.0
    answered: int | None = None
    of: int | None = None

    def __post_init__(self) -> None:
        """Refuse what `reading()` turns into `NoData`."""
        if not math.isfinite(self.value) or self.value < 0:
            raise ValueError(
                f"a reading must be finite and not negative, not {self.value}; use reading()"
            )


@dataclass(frozen=True, slots=True)
class NoData:
    """No number, and why.

    Attributes:
        reason: stable code.
        message: what is wrong and what to do, for the owner of the scaler; no secret stands in it.
    """

    reason: NoDataReason
    message: str


Observed = Reading | NoData


def fresh_for_s(interval_s: float) -> float:
    """Tell how old, in seconds, the last good sample of a source may be; older is no data.

    One lost scrape is no outage.

    Args:
        interval_s: between two samples.
    """
    return max(FRESH_INTERVALS * interval_s, FRESH_AT_LEAST_S)


def reading(
    value: float, *, age_s: float = 0.0, answered: int | None = None, of: int | None = None
) -> Observed:
    """Wrap a raw number; NaN, infinities and negatives are no data.

    A ratio over an idle counter (0/0) is NaN in Prometheus; read as 0 it has scaled people to their
    minimum. A negative sum is read by HPA as an overflow and scales to the maximum.
    """
    if not math.isfinite(value):
        return NoData(
            NoDataReason.NOT_A_NUMBER,
            f"the source answered {value}, which is no number to scale on",
        )
    if value < 0:
        return NoData(
            NoDataReason.NEGATIVE, f"the source answered {value:g}; a load cannot be negative"
        )
    return Reading(value, age_s, answered, of)
