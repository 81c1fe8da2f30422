"""What the commands share."""

from __future__ import annotations

import argparse
from typing import Any, Protocol


class Commands(Protocol):
    """Where a command registers itself.

    Its parser sets the default `run`, which takes the arguments and gives the exit code.
    """

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """Add a command by its name; options as of `argparse.ArgumentParser`, and `help`."""
        ...
