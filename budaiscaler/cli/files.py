"""YAML files of users, with the line of everything in them, so that an error can name it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import yaml

from budaiscaler.domain.errors import InvalidInputError, Path, Problem

STDIN = "-"

_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+$")
_FLOAT = "tag:yaml.org,2002:float"
_LARGEST_WHOLE = 1e21
"""From here on JSON writes an exponent."""


class _Loader(yaml.SafeLoader):
    """Reads the numbers that kubectl reads: PyYAML takes `1e3` for a text."""

    def number(self, node: yaml.ScalarNode) -> float | int:
        """Make a whole number of a float that is one, as JSON does on the way to a cluster."""
        value: float = self.construct_yaml_float(node)
        is_whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
        return int(value) if is_whole else value


class _Dumper(yaml.SafeDumper):
    """Puts a text in quotes that would be read as such a number."""


for _one in (_Loader, _Dumper):
    _one.add_implicit_resolver(_FLOAT, _EXPONENT, list("-+.0123456789"))
_Loader.add_constructor(_FLOAT, _Loader.number)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        file: its name, as the user gave it.
        raw: what it holds.
        node: the same with places; None where it is empty.
    """

    file: str
    raw: Any
    node: yaml.Node | None

    def line(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it that is written; from 1."""
        found = self.node
        line = 1 if found is None else found.start_mark.line + 1
        for part in path:
            place = _inside(found, part)
            if place is None:
                break
            line, found = place
        return line

    def node_at(self, path: Path) -> yaml.Node | None:
        """What stands at a place."""
        found = self.node
        for part in path:
            place = _inside(found, part)
            if place is None:
                return None
            found = place[1]
        return found

    def tell(self, error: InvalidInputError) -> str:
        """Write the problems with file and line, one a line."""
        return "\n".join(
            f"{self.file}:{self.line(problem.path)}: {problem}" for problem in error.problems
        )


class FileError(InvalidInputError):
    """A file that cannot be used; the message has file and line.

    Attributes:
        text: the message.
    """

    def __init__(self, text: str) -> None:
        super().__init__([Problem((), text)])


def read_text(name: str) -> str:
    """Read a file; `-` is the standard input.

    Raises:
        FileError: it cannot be read.
    """
    try:
        # Bytes, since reading as text would lose how lines end, which --update leaves as it is.
        return sys.stdin.read() if name == STDIN else File(name).read_bytes().decode()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise FileError(f"{name}: cannot be read: {reason}") from error


def write(name: str, content: bytes) -> None:
    """Write a file.

    Raises:
        FileError: it cannot be written.
    """
    try:
        File(name).write_bytes(content)
    except OSError as error:
        raise FileError(f"{name}: cannot be written: {error.strerror}") from error


def load(name: str, text: str | None = None) -> list[Document]:
    """Read all documents of a YAML or JSON file that hold anything.

    Raises:
        FileError: it cannot be read, is no YAML, or has a key twice.
    """
    loader = _Loader(read_text(name) if text is None else text)
    documents = []
    try:
        while loader.check_node():
            node = loader.get_node()
            twice = list(_twice(node))
            raw = loader.construct_document(node)
            if twice:
                raise FileError("\n".join(f"{name}:{line}: {what}" for line, what in twice))
            if raw is not None:
                documents.append(Document(name, raw, node))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise FileError(f"{name}:{line}: no YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise FileError(f"{name}: no YAML: {error}") from error
    finally:
        loader.dispose()
    return documents


def dump(content: Any) -> str:
    """Render as YAML, keys in their order, so that `load` reads the same again."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return text


def only(name: str, kind: str | None = None) -> Document:
    """Read the one document of a file, or the one of a kind among others.

    Raises:
        FileError: there is none, or more than one.
    """
    found = load(name)
    if kind is not None and len(found) > 1:
        found = [one for one in found if isinstance(one.raw, dict) and one.raw.get("kind") == kind]
    if len(found) != 1:
        what = f"{kind} objects" if kind is not None else "documents"
        raise FileError(f"{name}: {len(found)} {what}, and there must be one")
    return found[0]


def _inside(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line + 1, value
    return None


def _twice(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Keys that stand twice in one mapping; YAML readers drop the first in silence."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                yield key.start_mark.line + 1, f"{key.value} stands here twice"
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            yield from _twice(value)
