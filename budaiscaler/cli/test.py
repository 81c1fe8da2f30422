"""`budaiscaler test`: stories in simulated time for one's own scalers, without a cluster."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from budaiscaler.cli import files, kubeconfigs, recording, results, telling, updating
from budaiscaler.cli.base import Commands
from budaiscaler.cli.files import STDIN, FileError
from budaiscaler.domain import times


def register(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "test",
        help="tell stories of scalers in simulated time, and check what comes of them",
        description="Run stories; docs/stories.md says how they are written. Exits with 1 where "
        "one fails. With --record, make a story from the decision log instead.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="stories, as YAML")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also tell the course of each story"
    )
    parser.add_argument("--junit", metavar="FILE", help="also write the results as JUnit XML")
    parser.add_argument(
        "--update",
        action="store_true",
        help="show what fails, then write today's results as what is expected",
    )
    record = parser.add_argument_group("making a story")
    record.add_argument("--record", metavar="NAME", help="of the scaler whose decisions to take")
    record.add_argument(
        "-n", "--namespace", help="of it; default: that of the current context of your kubeconfig"
    )
    record.add_argument("--from", dest="since", type=_time, metavar="TIME", help="first decision")
    record.add_argument("--to", dest="until", type=_time, metavar="TIME", help="last decision")
    record.add_argument(
        "--log",
        default=STDIN,
        metavar="FILE",
        help="log of the server that decides, as kubectl logs gives it; default: stdin",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tell, print, and say by the exit code whether all holds."""
    if arguments.record is not None:
        print(
            recording.record(
                arguments.log,
                arguments.namespace or kubeconfigs.namespace(kubeconfigs.path(None)),
                arguments.record,
                arguments.since,
                arguments.until,
            ),
            end="",
        )
        return 0
    if not arguments.files:
        raise FileError("test: name files with stories, or --record NAME")
    outcomes = telling.tell(arguments.files)
    if arguments.output == "json":
        print(results.as_json(outcomes, with_timeline=arguments.verbose))
    else:
        print("\n".join(results.text(outcomes, with_timeline=arguments.verbose)))
    if arguments.junit is not None:
        files.write(arguments.junit, results.junit(outcomes))
    if not any(outcome.failures for outcome in outcomes):
        return 0
    if not arguments.update:
        return 1
    left = updating.update(outcomes)
    if left:
        message = f"{left} expectations hold no one value in their span: write shorter spans"
        print(message, file=sys.stderr)
    return 1 if left else 0


def _time(text: str) -> datetime:
    found = times.parse(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2026-01-05T09:30:00Z")
    return found
