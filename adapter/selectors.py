"""Label selectors, as `k8s.io/apimachinery` parses them.

Grammar: requirements joined by commas; `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`,
`k notin (a,b)`, `k>1`, `k<1`. `!=` and `notin` also match an item that lacks the label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

Labels = Mapping[str, str]
Requirement = Callable[[Labels], bool]

_KEY = r"(?P<key>(?:[A-Za-z0-9][-A-Za-z0-9.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_SETS = re.compile(rf"\s*{_KEY}\s+(?P<op>in|notin)\s*\((?P<set>[^()]*)\)\s*")
_COMPARES = re.compile(rf"\s*{_KEY}\s*(?P<op>==|=|!=|>|<)\s*(?P<value>{_VALUE})\s*")
_EXISTS = re.compile(rf"\s*(?P<not>!?)\s*{_KEY}\s*")
_LEGAL_VALUE = re.compile(_VALUE)


class SelectorError(ValueError):
    """A text that is no label selector."""


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Requirement, ...]:
    """Parse a selector; an empty one has no requirement and matches everything.

    Raises:
        SelectorError: naming the place where it stops making sense.
    """
    if not text.strip():
        return ()
    requirement, position = _requirement(text, 0)
    requirements = [requirement]
    while position < len(text):
        if text[position] != ",":
            raise SelectorError(f"unable to parse label selector at {text[position:][:40]!r}")
        requirement, position = _requirement(text, position + 1)
        requirements.append(requirement)
    return tuple(requirements)


def matches(requirements: tuple[Requirement, ...], labels: Labels) -> bool:
    """Tell whether an item with these labels is selected."""
    return all(requirement(labels) for requirement in requirements)


def _requirement(text: str, position: int) -> tuple[Requirement, int]:
    if found := _SETS.match(text, position):
        return _membership(found), found.end()
    if found := _COMPARES.match(text, position):
        return _comparison(found), found.end()
    if found := _EXISTS.match(text, position):
        key, wanted = found["key"], not found["not"]
        return (lambda labels: (key in labels) is wanted), found.end()
    raise SelectorError(f"unable to parse label selector at {text[position:][:40]!r}")


def _membership(found: re.Match[str]) -> Requirement:
    key, values = found["key"], frozenset(value.strip() for value in found["set"].split(","))
    for value in values:
        if not _LEGAL_VALUE.fullmatch(value):
            raise SelectorError(f"unable to parse label selector: {value[:40]!r} is no label value")
    if found["op"] == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _comparison(found: re.Match[str]) -> Requirement:
    key, operator, value = found["key"], found["op"], found["value"]
    if operator in {"=", "=="}:
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    try:
        bound = int(value)
    except ValueError:
        raise SelectorError(
            f"unable to parse label selector: {operator} needs an integer"
        ) from None
    return lambda labels: _compares(labels.get(key), operator, bound)


def _compares(label: str | None, operator: str, bound: int) -> bool:
    try:
        value = int(label or "")
    except ValueError:
        return False
    return value > bound if operator == ">" else value < bound
