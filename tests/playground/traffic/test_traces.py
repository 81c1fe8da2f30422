"""Traces of real traffic: what is read of them, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.playground import manifests
from budaiscaler.playground.demo import shown
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.fleet.engine import Shape
from budaiscaler.playground.traffic import traces

PLACES = [place / "shared" / "data" / "traces" for place in Path(__file__).parents]
SHARED = next((place for place in PLACES if place.is_dir()), PLACES[-1])


def write(file: Path, text: str) -> Path:
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_minutes(tmp_path: Path, name: str) -> None:
    """Requests by the minute, plain or packed; minutes without a line had none."""
    text = "minute,requests,prompt_tokens,output_tokens\n7,60,60000,6000\n9,120,120000,12000\n"
    trace = traces.read(write(tmp_path / name, text))

    assert list(trace.per_minute) == [60, 0, 120]
    assert trace.shape == Shape(1000, 100)
    assert trace.peak_per_s == 2.0
    rate = trace.rate(0.5)
    assert [rate(at_s) for at_s in (0, 60, 120, 179, 180)] == [0.5, 0, 1, 1, 0.5]


def test_single_requests(tmp_path: Path) -> None:
    """A line a request, by its second; lengths that are not told are the usual ones."""
    trace = traces.read(write(tmp_path / "events.csv", "t_s\n0.5\n59\n60\n61.5\n200\n"))

    assert list(trace.per_minute) == [2, 2, 0, 1]
    assert trace.shape == Shape()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "nothing", id="empty"),
        pytest.param("time,count\n1,2\n", "minute,requests or t_s", id="heading"),
        pytest.param("minute,requests\n1,2\n2,many\n", "line 3", id="word"),
        pytest.param("minute,requests\n1,-2\n", "line 2", id="negative"),
        pytest.param("minute,requests\n1,nan\n", "line 2", id="nan"),
        pytest.param("minute,requests\n1\n", "line 2", id="short-line"),
        pytest.param("minute,requests\n1,0\n", "no request", id="no-requests"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """With the file, and the line where there is one."""
    file = write(tmp_path / "trace.csv", text)
    with pytest.raises(ConfigurationError, match=says) as refused:
        traces.read(file)

    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is told, and no traceback."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        traces.read(tmp_path / "none.csv")


@pytest.mark.parametrize("cut", [pytest.param(20, id="cut-off"), pytest.param(3, id="heading")])
def test_a_file_that_is_half_there(tmp_path: Path, cut: int) -> None:
    """A download that broke off, say."""
    whole = write(tmp_path / "whole.csv.gz", "minute,requests\n0,60\n" * 9)
    half = tmp_path / "half.csv.gz"
    half.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        traces.read(half)


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    """The bytes of another file, say, behind the right heading."""
    file = write(tmp_path / "trace.csv.gz", "minute,requests\n0,60\n")
    file.write_bytes(file.read_bytes()[:10] + b"\xff" * 40)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        traces.read(file)


def test_the_trace_of_a_large_service_is_thinned(tmp_path: Path) -> None:
    """Its peak needs a good half of the replicas there may be; a small one is replayed whole."""
    large = traces.read(write(tmp_path / "large.csv", "minute,requests\n0,60000\n1,120000\n"))
    small = traces.read(write(tmp_path / "small.csv", "minute,requests\n0,60\n"))

    needed = large.peak_per_s * shown.share(large) / large.shape.served_per_s()
    assert needed == pytest.approx(12)
    assert shown.share(small) == 1


def test_targets_suit_the_lengths_of_the_requests(tmp_path: Path) -> None:
    """Sixty requests at once are right for usual ones; of long ones a server can do few."""
    head = "minute,requests,prompt_tokens,output_tokens\n"
    long = traces.read(write(tmp_path / "long.csv", f"{head}0,10,120000,3430\n"))
    usual = shown.targets(Options(tmp_path))

    assert usual == manifests.TARGETS
    assert shown.targets(Options(tmp_path, trace=long)) == {
        "requests_running": 8,
        "requests_waiting": 4,
    }
    scalers = [
        body["spec"]["metricsSources"][0]["targetValue"]
        for body in shown.objects(Options(tmp_path, trace=long), {})
        if body["kind"] == "BudAIScaler"
    ]
    plain = shown.twin(Options(tmp_path, trace=long))[1]["spec"]["metrics"][0]["pods"]["target"]
    assert [*scalers, plain["averageValue"]] == ["8"] * 4


@pytest.mark.skipif(not SHARED.is_dir(), reason="the replay traces are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "mean_per_s"),
    [
        pytest.param("azure2023_conv.csv.gz", 5.47, id="minutes"),
        pytest.param("azure2023_conv_events.csv.gz", 5.47, id="events"),
        pytest.param("mooncake_conversation.csv.gz", 3.40, id="long-prompts"),
    ],
)
def test_real_traces(name: str, mean_per_s: float) -> None:
    """Those at hand are read to the numbers that their description gives."""
    trace = traces.read(SHARED / name)

    mean_per_minute = sum(trace.per_minute) / len(trace.per_minute)
    assert mean_per_minute == pytest.approx(60 * mean_per_s, rel=0.03)
