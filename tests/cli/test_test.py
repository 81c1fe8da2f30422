"""`budaiscaler test`: exit codes, diffs, JSON, JUnit, today's results, and stories of a log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.cli.running import Ran, write
from tests.explaining import worlds
from tests.stories.telling import raw

STORIES = """\
stories:
  - name: a burst   # kept, as is every other character
    scaler: scaler.yaml
    replicas: {current: 4, startup: 60s}
    inputs:
      - {source: usage, total: '280x3 560x40'}
      - {price: 2}
    expect:
      - {at: 45s, desired: 4}
      - {at: 1m, desired: 6, reasons: [bounds]}  # wrong
      - at: 2m
        desired: 3..4
        reasons:
          - gate
          - bounds

        conditions: {ScalingActive: "False"}
      - {over: 5m, actions: '>5', cost: '<=0.01'}
"""


@pytest.fixture
def stories(tmp_path: Path) -> str:
    """A file of stories that does not hold, beside its scaler."""
    write(tmp_path, "scaler.yaml", worlds.document())
    return write(tmp_path, "stories.yaml", STORIES)


def test_what_holds_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a story, and their number."""
    good = write(tmp_path, "good.yaml", {"stories": [raw(total="4x40")]})
    ran = Ran(capsys, "test", good, good)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"PASS {good}: once\nPASS {good}: once\n2 passed, 0 failed\n"


def test_what_does_not_exits_with_1(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A diff with the line, and the ladder of that decision."""
    ran = Ran(capsys, "test", stories)
    assert ran.code == 1
    assert f"FAIL {stories}: a burst" in ran.out
    assert f"{stories}:10: desired at 1m\n    - expected 6\n    + got      8\n" in ran.out
    assert "4 -> 8  usage: 4 ready x level 140 / 70 = 8 replicas" in ran.out
    assert f"{stories}:17: conditions.ScalingActive at 2m" in ran.out
    assert "0 passed, 1 failed" in ran.out


def test_the_story_around_a_failure_is_told(
    stories: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came before it and after; of a sum, all that it counts; and nothing twice."""
    out = Ran(capsys, "test", stories).out
    assert (
        "    the story around it:\n"
        "      time  ready  desired  bound by  why\n"
        "        0s    4/4        4  combine   usage: 4 ready x level 70 / 70 = 4 replicas\n"
        "        1m    4/4        8  combine   usage: 4 ready x level 140 / 70 = 8 replicas\n"
        "        2m    8/8        8  combine   usage: 8 ready x level 70 / 70 = 8 replicas\n"
    ) in out
    # Two expectations of 1m, three of 2m, and both sums of one span.
    assert out.count("the story around it:") == 3
    assert out.count("source    4 -> 8  usage: ") == 1


def test_verbose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a story that holds: when its answer changed, and why."""
    events = [{"at": "2m", "lose": 1}]
    good = write(tmp_path, "good.yaml", {"stories": [raw(total="4x3 8x40", events=events)]})
    assert Ran(capsys, "test", good, "-v").out == (
        f"PASS {good}: once\n"
        "   time  ready  desired  bound by  why\n"
        "     0s    4/4        4  combine   queue: total 4 / 1 a replica = 4 replicas\n"
        "     1m    4/4        8  combine   queue: total 8 / 1 a replica = 8 replicas\n"
        "  1m15s    8/8        8  combine   queue: total 8 / 1 a replica = 8 replicas\n"
        "     2m                  event     lose: 1\n"
        "1 passed, 0 failed\n"
    )
    (story,) = json.loads(Ran(capsys, "test", good, "--verbose", "-o", "json").out)["stories"]
    assert story["timeline"][1::2] == [
        {
            "at": "1m", "ready": 4, "replicas": 4, "desired": 8, "boundBy": "combine",
            "why": "queue: total 8 / 1 a replica = 8 replicas",
        },
        {"at": "2m", "event": "lose: 1"},
    ]  # fmt: skip


def test_times_are_told_in_their_largest_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to divide to find the expectation again that they wrote."""
    wrong = raw({"at": "26h30m", "desired": 9}, interval="1h", total="4x27")
    ran = Ran(capsys, "test", write(tmp_path, "a.yaml", {"stories": [wrong]}))
    assert "desired at 1d2h30m\n" in ran.out


def test_json(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for programs."""
    ran = Ran(capsys, "test", stories, "-o", "json")
    (story,) = json.loads(ran.out)["stories"]
    assert (ran.code, story["name"], story["passed"]) == (1, "a burst", False)
    assert story["failures"][0] == {
        "line": 10, "what": "desired", "at": "1m", "expected": "6", "got": "8",
    }  # fmt: skip


def test_junit(stories: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CI server sees a suite a file, a case a story, and why it failed."""
    good = write(tmp_path, "good.yaml", {"stories": [raw(total="4x40"), raw()]})
    Ran(capsys, "test", stories, good, "--junit", str(tmp_path / "junit.xml"))
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    assert [(one.get("tests"), one.get("failures")) for one in suites] == [("1", "1"), ("2", "0")]
    failure = suites.find("testsuite/testcase/failure")
    assert failure is not None
    assert "+ got      8" in (failure.text or "")
    warning = suites.find("testsuite/testcase/system-out")
    assert warning is not None
    assert "queue has no input" in (warning.text or "")


def test_update_keeps_how_lines_end(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of Windows stays one."""
    Path(stories).write_bytes(STORIES.replace("\n", "\r\n").encode())
    assert Ran(capsys, "test", stories, "--update").code == 0
    written = Path(stories).read_bytes()
    assert written.count(b"\n") == written.count(b"\r\n") > 0
    assert Ran(capsys, "test", stories).code == 0


def test_update_writes_todays_results(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are shown first; then all holds, and every other character stays."""
    first = Ran(capsys, "test", stories, "--update")
    assert first.code == 0
    assert "+ got      8" in first.out
    assert Ran(capsys, "test", stories).code == 0
    written = Path(stories).read_text()
    assert written == STORIES.replace(
        "{at: 1m, desired: 6, reasons: [bounds]}",
        "{at: 1m, desired: 8, reasons: [source, combine]}",
    ).replace("desired: 3..4\n", "desired: 8\n").replace(
        "reasons:\n          - gate\n          - bounds\n", "reasons:\n          []\n"
    ).replace('ScalingActive: "False"', 'ScalingActive: "True"').replace("'>5'", "1").replace(
        "'<=0.01'", '"<=1.20"'
    )


def test_what_changes_in_its_span_cannot_be_updated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, beside the results, and the exit code stays 1."""
    expectation = {"from": "0s", "to": "5m", "conditions": {"ScalingActive": "True"}}
    file = write(tmp_path, "a.yaml", {"stories": [raw(expectation, total="4 _x40")]})
    ran = Ran(capsys, "test", file, "--update", "-o", "json")
    assert ran.code == 1
    assert "1 expectations hold no one value in their span" in ran.err
    assert json.loads(ran.out)["stories"][0]["passed"] is False


def test_a_report_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The results are printed all the same, and the file is named."""
    good = write(tmp_path, "good.yaml", {"stories": [raw(total="4x40")]})
    ran = Ran(capsys, "test", good, "--junit", str(tmp_path / "nowhere" / "report.xml"))
    assert ran.code == 1
    assert "1 passed, 0 failed" in ran.out
    assert "nowhere/report.xml: cannot be written: No such file or directory" in ran.err


def test_what_is_wrong_with_a_file(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line and path; in the scaler of a story, too."""
    Path(stories).write_text(STORIES.replace("startup", "start_up").replace("45s", "soon"))
    ran = Ran(capsys, "test", stories)
    assert ran.code == 1
    assert (
        f"{stories}:4: stories[0].replicas.start_up: unknown key; did you mean startup?" in ran.err
    )
    assert f"{stories}:9: stories[0].expect[0].at: 'soon' is no duration" in ran.err
    Path(stories).write_text(STORIES)
    scaler = Path(stories).with_name("scaler.yaml")
    scaler.write_text(scaler.read_text().replace("targetValue", "tagetValue"))
    ran = Ran(capsys, "test", stories)
    assert ran.code == 1
    assert f"{stories}:3: stories[0].scaler: {scaler}:" in ran.err
    assert "did you mean targetValue?" in ran.err


def test_a_bad_edit_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an edit makes of the spec obeys the same rules."""
    edit = {"at": "1m", "edit": {"minReplicas": 200}}
    file = write(tmp_path, "a.yaml", {"stories": [raw(total="4x40", events=[edit])]})
    ran = Ran(capsys, "test", file)
    assert ran.code == 1
    assert "stories[0].events[0].edit: " in ran.err
    assert "minReplicas" in ran.err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without files it says what to name."""
    ran = Ran(capsys, "test")
    assert (ran.code, ran.err) == (1, "test: name files with stories, or --record NAME\n")


def test_a_story_is_inline_yaml_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A scaler may stand in the story, and JSON is YAML."""
    file = write(tmp_path, "a.json", json.dumps({"stories": [raw(total="4x40")]}))
    assert Ran(capsys, "test", file).code == 0
    assert yaml.safe_load(Path(file).read_text())["stories"][0]["scaler"]["kind"] == "BudAIScaler"


def test_a_story_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is written to the standard output; a span that is no time is refused."""
    log = write(tmp_path, "log", "nothing of interest\n")
    ran = Ran(capsys, "test", "--record", "chat", "-n", "ml", "--log", log)
    assert (ran.code, ran.out) == (1, "")
    assert "no decision of ml/chat in that time" in ran.err
    assert Ran(capsys, "test", "--record", "chat", "--from", "soon").code == 2


def test_the_standard_input_is_a_file() -> None:
    """It can be read, and not updated."""
    wrong = yaml.safe_dump({"stories": [raw({"at": "1m", "desired": 9}, total="4x40")]})
    command = [sys.executable, "-m", "budaiscaler.cli", "test", "-", "--update"]
    ran = subprocess.run(
        command, input=wrong, capture_output=True, text=True, check=False, timeout=25
    )
    assert ran.returncode == 1
    assert "+ got      4" in ran.stdout
    assert "the standard input cannot be written" in ran.stderr


def test_the_definition(capsys: pytest.CaptureFixture[str]) -> None:
    """`budaiscaler crd` prints it."""
    assert "name: budaiscalers.scaler.bud.studio" in Ran(capsys, "crd").out
