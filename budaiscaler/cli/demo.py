"""`budaiscaler demo`: the playground, without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from budaiscaler.cli.base import Commands
from budaiscaler.runtime import durations, logs
from budaiscaler.runtime.clock import MOST_SPEED

if TYPE_CHECKING:
    from budaiscaler.playground.demo.options import Options

SCENARIOS = ("burst", "diurnal", "outage", "spot-loss", "rollout", "budget", "schedule")
INTERRUPTED = 130


def register(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="a playground without a cluster: the real servers, pretended pods and traffic",
        description="Starts an API server in memory, pretended vLLM servers, traffic, an HPA loop, "
        "and the real adapter and controller. Ctrl-C ends all of it.",
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="burst", help="default: burst")
    parser.add_argument(
        "--speed",
        type=_speed,
        help=f"seconds of the story in a real one, 1 to {MOST_SPEED:g}; default: the scenario's",
    )
    parser.add_argument("--seed", type=int, default=1, help="of traffic and starts; default: 1")
    parser.add_argument(
        "--start-up",
        type=_duration,
        default=60.0,
        metavar="DURATION",
        help="how long a pod loads its model, in the story; default: 60s",
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="CSV to replay instead of made-up traffic"
    )
    parser.add_argument(
        "--export", type=Path, metavar="DIR", help="write the manifests of what is shown there"
    )
    parser.add_argument("--headless", action="store_true", help="no screen: one line an event")
    parser.add_argument(
        "--duration",
        type=_duration,
        metavar="DURATION",
        help="end by itself after so long, on the watcher's clock: 60s at --speed 10 are ten "
        "minutes of the story",
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="form of the summary"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it until it ends, or is told to.

    Raises:
        PlaygroundError: it could not go on.
        ConfigurationError: what was asked for cannot be shown.
    """
    with ExitStack() as stack:
        return asyncio.run(_until_signalled(arguments, stack))


async def _until_signalled(arguments: argparse.Namespace, stack: ExitStack) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(_run(arguments, stack))
    was_told = False

    def stop() -> None:
        nonlocal was_told
        if not was_told:  # who asks again must not have servers left behind: to end takes seconds
            was_told = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not was_told:
            raise
        return INTERRUPTED if arguments.headless else 0
    return 0


async def _run(arguments: argparse.Namespace, stack: ExitStack) -> None:
    # It goes after the threads of the loop have ended: one may be writing a certificate into it.
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="budaiscaler-demo-"))
    options = _options(arguments, Path(directory))
    try:
        await _show(options, arguments)
    except ExceptionGroup as errors:
        raise _first(errors) from errors


async def _show(options: Options, arguments: argparse.Namespace) -> None:
    as_json = arguments.output == "json"
    wants_screen = not (arguments.headless or as_json) and sys.stdout.isatty()
    if wants_screen and await _show_on_screen(options):
        return
    logs.configure("error")
    from budaiscaler.playground.demo import headless  # noqa: PLC0415 - other commands need none

    told = sys.stderr if as_json else sys.stdout
    await headless.run(options, as_json=as_json, out=sys.stdout, told=told)


async def _show_on_screen(options: Options) -> bool:
    """Show it with rich, which is optional; False where there is none.

    Something is on the screen before all that it takes is imported.
    """
    try:
        from rich.live import Live  # noqa: PLC0415 - it is optional
    except ImportError:
        print("for a screen: pip install 'budaiscaler[demo]'", file=sys.stderr)
        return False
    with (
        (options.directory / "log").open("w") as log,
        redirect_stderr(log),  # a line of it would tear the screen
        Live("budaiscaler demo is starting …", screen=True, auto_refresh=False) as live,
    ):
        logs.configure("error")
        live.refresh()
        from budaiscaler.playground.demo import watching  # noqa: PLC0415 - needs rich

        summary = await watching.run(options, live)
    print(summary)
    return True


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group of groups; where one task fails, the others are cancelled."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _options(arguments: argparse.Namespace, directory: Path) -> Options:
    from budaiscaler.playground.demo import export  # noqa: PLC0415 - as below
    from budaiscaler.playground.demo.options import Options  # noqa: PLC0415 - only where needed
    from budaiscaler.playground.scenarios import SCENARIOS as BY_NAME  # noqa: PLC0415
    from budaiscaler.playground.traffic import traces  # noqa: PLC0415

    scenario = BY_NAME[arguments.scenario]
    if arguments.export is not None:
        export.prepare(arguments.export)
    return Options(
        directory=directory,
        scenario=scenario,
        speed=arguments.speed or scenario.speed,
        seed=arguments.seed,
        start_up_s=arguments.start_up,
        trace=traces.read(arguments.trace) if arguments.trace is not None else None,
        duration_s=arguments.duration,
        export=arguments.export,
    )


def _duration(text: str) -> float:
    try:
        seconds = durations.parse_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write for example 60s")
    return seconds


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 1 <= speed <= MOST_SPEED:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_SPEED:g}")
    return speed
