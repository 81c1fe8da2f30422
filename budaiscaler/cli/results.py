"""Writes what came of stories: for people, for programs, and for the CI server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from budaiscaler.cli.telling import Outcome
from budaiscaler.domain.stories.verdicts import Failure

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def text(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One line a story, and below it what does not hold, with how it came about."""
    for outcome in outcomes:
        verdict = "FAIL" if outcome.failures else "PASS"
        yield f"{verdict} {outcome.document.file}: {outcome.story.name}"
        for warning in outcome.warnings:
            yield f"  warning: {warning}"
        for failure in outcome.failures:
            yield from _lines(outcome, failure)
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    yield f"{len(outcomes) - failed} passed, {failed} failed"


def as_json(outcomes: Sequence[Outcome]) -> str:
    """All stories with their failures; what `-o json` writes."""
    return json.dumps({"stories": [_story(outcome) for outcome in outcomes]}, indent=2)


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """The same in the form that CI servers read: a suite a file, a case a story."""
    root = ET.Element("testsuites")
    suites: dict[str, ET.Element] = {}
    for outcome in outcomes:
        name = outcome.document.file
        if name not in suites:
            suites[name] = ET.SubElement(root, "testsuite", name=name)
        suite = suites[name]
        case = ET.SubElement(suite, "testcase", classname=name, name=outcome.story.name)
        if outcome.failures:
            lines = [line for one in outcome.failures for line in _lines(outcome, one)]
            message = f"{len(outcome.failures)} expectations do not hold"
            ET.SubElement(case, "failure", message=message).text = "\n".join(lines)
        if outcome.warnings:
            ET.SubElement(case, "system-out").text = "\n".join(outcome.warnings)
    for suite in suites.values():
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _lines(outcome: Outcome, failure: Failure) -> Iterator[str]:
    what = ".".join(str(part) for part in failure.path[4:])
    line = outcome.document.line(failure.path)
    yield f"  {outcome.document.file}:{line}: {what} at {_elapsed(failure.at_s)}"
    yield f"    - expected {failure.expected}"
    yield f"    + got      {failure.got}"
    yield from (f"    {step}" for step in failure.ladder)


def _story(outcome: Outcome) -> dict[str, object]:
    return {
        "file": outcome.document.file,
        "name": outcome.story.name,
        "passed": not outcome.failures,
        "decisions": len(outcome.steps),
        "warnings": list(outcome.warnings),
        "failures": [
            {
                "line": outcome.document.line(one.path),
                "what": ".".join(str(part) for part in one.path[4:]),
                "at": _elapsed(one.at_s),
                "expected": one.expected,
                "got": one.got,
            }
            for one in outcome.failures
        ],
    }


def _elapsed(seconds: float) -> str:
    days, rest = divmod(seconds, _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, rest = divmod(rest, _MINUTE_S)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count:g}{unit}" for count, unit in parts if count) or "0s"
