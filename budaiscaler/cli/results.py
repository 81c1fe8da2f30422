"""Writes what came of stories: for people, for programs, and for the CI server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from budaiscaler.cli.telling import Outcome
from budaiscaler.domain.api import durations
from budaiscaler.domain.stories import timeline
from budaiscaler.domain.stories.verdicts import Failure


def text(outcomes: Sequence[Outcome], *, with_timeline: bool = False) -> Iterator[str]:
    """One line a story, and below it what does not hold, with how it came about.

    Args:
        outcomes: of all stories.
        with_timeline: whether the whole course of each is told.
    """
    for outcome in outcomes:
        verdict = "FAIL" if outcome.failures else "PASS"
        yield f"{verdict} {outcome.document.file}: {outcome.story.name}"
        for warning in outcome.warnings:
            yield f"  warning: {warning}"
        if with_timeline:
            yield from (f"  {line}" for line in timeline.lines(outcome.rows))
        yield from _failures(outcome)
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    yield f"{len(outcomes) - failed} passed, {failed} failed"


def as_json(outcomes: Sequence[Outcome], *, with_timeline: bool = False) -> str:
    """All stories with their failures; what `-o json` writes."""
    stories = [
        {**_story(outcome), **({"timeline": _timeline(outcome)} if with_timeline else {})}
        for outcome in outcomes
    ]
    return json.dumps({"stories": stories}, indent=2)


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
            message = f"{len(outcome.failures)} expectations do not hold"
            ET.SubElement(case, "failure", message=message).text = "\n".join(_failures(outcome))
        if outcome.warnings:
            ET.SubElement(case, "system-out").text = "\n".join(outcome.warnings)
    for suite in suites.values():
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _failures(outcome: Outcome) -> Iterator[str]:
    told: set[tuple[float, float]] = set()
    for one in outcome.failures:
        line = outcome.document.line(one.path)
        yield f"  {outcome.document.file}:{line}: {_what(one)} at {durations.text(one.at_s)}"
        yield f"    - expected {one.expected}"
        yield f"    + got      {one.got}"
        span = (one.since_s, one.at_s)
        if span in told:
            continue
        told.add(span)
        yield from (f"    {step}" for step in one.ladder)
        yield "    the story around it:"
        near = timeline.around(outcome.rows, *span)
        yield from (f"      {line}" for line in timeline.lines(near))


def _what(failure: Failure) -> str:
    return ".".join(str(part) for part in failure.path[4:])


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
                "what": _what(one),
                "at": durations.text(one.at_s),
                "expected": one.expected,
                "got": one.got,
            }
            for one in outcome.failures
        ],
    }


def _timeline(outcome: Outcome) -> list[dict[str, object]]:
    return [
        {"at": durations.text(row.at_s), "event": row.told}
        if row.step is None
        else {
            "at": durations.text(row.at_s),
            "ready": row.step.replicas.ready,
            "replicas": row.step.replicas.current,
            "desired": row.step.desired,
            "boundBy": str(row.step.bound_by),
            "why": row.step.why,
        }
        for row in outcome.rows
    ]
