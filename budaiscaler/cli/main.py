"""`budaiscaler`: the command line. Each command is a module that registers itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from budaiscaler.cli import crd, demo, explain, test
from budaiscaler.domain.errors import BudAIScalerError

COMMANDS = (crd, demo, explain, test)

FAILED = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; what a user can mend is told in a sentence, and exits with 1."""
    parser = argparse.ArgumentParser(
        prog="budaiscaler", description="Autoscaler for LLM inference on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=version("budaiscaler"))
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.register(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except BudAIScalerError as error:
        print(error, file=sys.stderr)
        code = FAILED
    except BrokenPipeError:
        code = FAILED
    if code:
        sys.exit(code)
