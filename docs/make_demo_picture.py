"""Makes the picture and the transcript of the demo: from a run of it, with the seed of the README.

`make picture` writes docs/demo.svg, docs/demo.txt, and what the README has of its lines. A test
makes all of it of a shorter run.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from budaiscaler.playground.demo import accounts, screen, stage
from budaiscaler.playground.demo.news import News
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.demo.watching import Watch
from budaiscaler.playground.manifests import WORKLOADS

DOCS = Path(__file__).parent
LOOK_EVERY_S = 0.25
WIDTH, HEIGHT = 120, 28
KUBECONFIG = "/tmp/budaiscaler-demo/kubeconfig"  # noqa: S108 - what a reader sees, not a file
_IN_README = re.compile(r"```text\n \d:\d\d:\d\d .*?\n```", re.DOTALL)
COMMAND = "budaiscaler demo --scenario {} --speed {:g} --seed {} --duration {:g}s"


async def record(options: Options) -> tuple[str, str]:
    """Run a demo to its end; gives its last screen as SVG, and its transcript."""
    async with stage.opened(options) as on:
        watch = Watch(on, News(on.kube))
        lines: list[str] = []
        watch.news.listener = lambda line: lines.append(line.render(on.began_at))
        work = (asyncio.create_task(watch.listen()), asyncio.create_task(_look(watch)))
        try:
            await on.run()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        view = replace(watch.view(), kubeconfig=KUBECONFIG)
    told = accounts.table(accounts.summary(on.play, on.log, events=watch.news.count))
    command = COMMAND.format(
        options.scenario.name, options.speed, options.seed, options.duration_s or 0
    )
    transcript = [f"$ {command} --headless", f"export KUBECONFIG={KUBECONFIG}", *lines, told]
    return _picture(view, f"$ {command}"), "\n".join(transcript) + "\n"


async def _look(watch: Watch) -> None:
    """Let the view see the traffic of the whole story."""
    while True:
        watch.view()
        await asyncio.sleep(LOOK_EVERY_S)


def _picture(view: screen.View, title: str) -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(screen.draw(view, WIDTH, HEIGHT))
    svg = console.export_svg(title=title, unique_id="demo")
    # The fonts would be fetched from elsewhere; a reader's own will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def excerpt(transcript: str) -> str:
    """Those lines of a transcript that are enough for a README: how each begins, and the end."""
    lines = transcript.splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith(" " * 20))
    rescales = [line for line in lines[:table] if "SuccessfulRescale" in line]
    firsts = (
        next((number for number, line in enumerate(rescales) if name in line), None)
        for name in WORKLOADS
    )
    begins = [rescales[number] for number in sorted(one for one in firsts if one is not None)]
    return "\n".join((*begins, " ...", *lines[table:]))


def main(directory: Path = DOCS) -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as temporary, suppress(KeyboardInterrupt):
        options = Options(Path(temporary), speed=20.0, seed=1, duration_s=18.0)
        svg, transcript = asyncio.run(record(options))
        (directory / "demo.svg").write_text(svg)
        (directory / "demo.txt").write_text(transcript)
        readme = directory.parent / "README.md"
        lines = f"```text\n{excerpt(transcript)}\n```"
        readme.write_text(_IN_README.sub(lambda _: lines, readme.read_text()))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
