"""Runs the command line in the process, on files in a folder of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from budaiscaler.cli.main import main


def write(folder: Path, name: str, content: Any) -> str:
    """Write a file: text as it is, anything else as YAML; gives its name."""
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    (folder / name).write_text(text)
    return str(folder / name)


class Ran:
    """What came of a command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *argv: str) -> None:
        self.code = 0
        try:
            main(argv)
        except SystemExit as ended:
            self.code = int(ended.code or 0)
        self.out, self.err = capsys.readouterr()
