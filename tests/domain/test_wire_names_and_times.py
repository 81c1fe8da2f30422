"""Names that the outside sees, and times as they are written on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import times
from budaiscaler.domain.api import naming


@pytest.mark.parametrize(
    ("source", "published"),
    [
        pytest.param("queue", "queue", id="plain"),
        pytest.param("vllm:num_requests_waiting", "vllm:num_requests_waiting", id="colon"),
        pytest.param("DCGM_FI_DEV_GPU_UTIL", "dcgm_fi_dev_gpu_util", id="upper-case"),
        pytest.param("requests/second", "requests_second", id="slash"),
        pytest.param("usage %", "usage__", id="percent-and-space"),
        pytest.param("größe", "gr__e", id="not-ascii"),
        pytest.param("a..b", "a..b", id="dots-inside"),
        pytest.param(".", "_", id="a-step-in-a-path"),
        pytest.param("..", "__", id="two-steps"),
    ],
)
def test_a_source_is_published_under_a_name_that_a_path_can_carry(
    source: str, published: str
) -> None:
    """Lower case, as client-go asks, with what a segment cannot hold replaced."""
    assert naming.published_metric(source) == published


@given(st.text(min_size=1, max_size=60))
def test_any_name_is_one_legal_path_segment(source: str) -> None:
    """No source, however named, is published under a path that means something else."""
    name = naming.published_metric(source)
    assert re.fullmatch(r"[a-z0-9_.:|-]+", name)
    assert quote(name, safe=":|") == name
    assert name not in {".", ".."}
    assert naming.published_metric(name) == name


def test_the_child_is_named_after_its_scaler() -> None:
    """One scaler, one HPA, found again by its name."""
    assert naming.child_hpa("chat") == "chat-hpa"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-01-05T12:00:00Z", datetime(2026, 1, 5, 12, tzinfo=UTC), id="utc"),
        pytest.param(
            "2026-01-05T13:00:00+01:00", datetime(2026, 1, 5, 12, tzinfo=UTC), id="another-zone"
        ),
        pytest.param("2026-01-05T12:00:00", datetime(2026, 1, 5, 12, tzinfo=UTC), id="no-zone"),
        pytest.param(
            "2026-01-05T12:00:00.000001Z",
            datetime(2026, 1, 5, 12, 0, 0, 1, tzinfo=UTC),
            id="micro-seconds",
        ),
        pytest.param("yesterday", None, id="no-time"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_a_time_is_read_from_the_wire(text: str | None, moment: datetime | None) -> None:
    """Whatever a server or a person wrote is an aware time, or none."""
    assert times.parse(text) == moment


def test_times_are_written_in_utc_as_go_wants_them() -> None:
    """Seconds for a `Time`, always six digits for a `MicroTime`."""
    moment = datetime(2026, 1, 5, 13, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    assert times.rfc3339(moment) == "2026-01-05T12:00:00Z"
    assert times.micro_time(moment) == "2026-01-05T12:00:00.250000Z"


_moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(_moments)
def test_a_time_survives_the_way_over_the_wire(moment: datetime) -> None:
    """Written and read it is the same moment, to the second or to the micro-second."""
    assert times.parse(times.rfc3339(moment)) == moment.astimezone(UTC).replace(microsecond=0)
    assert times.parse(times.micro_time(moment)) == moment
