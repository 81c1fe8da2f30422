"""`budaiscaler`: the command line. Each command is a module that registers itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from budaiscaler.domain.errors import BudAIScalerError

COMMANDS = ("crd", "demo", "explain", "test")
"""Modules beside this one. Only the one that is asked for is loaded: all of them take a second."""

FAILED = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; what a user can mend is told in a sentence, and exits with 1."""
    parser = argparse.ArgumentParser(
        prog="budaiscaler", description="Autoscaler for LLM inference on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=version("budaiscaler"))
    commands = parser.add_subparsers(dest="command", required=True)
    given = sys.argv[1:] if argv is None else argv
    for name in [name for name in given[:1] if name in COMMANDS] or COMMANDS:
        import_module(f"budaiscaler.cli.{name}").register(commands)
    arguments = parser.parse_args(given)
    try:
        code: int = arguments.run(arguments)
    except BudAIScalerError as error:
        print(error, file=sys.stderr)
        code = FAILED
    except BrokenPipeError:
        code = FAILED
    if code:
        sys.exit(code)
