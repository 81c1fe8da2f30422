"""A demo without a screen: one line an event, and a summary at its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TextIO

from budaiscaler.playground.demo import accounts, stage
from budaiscaler.playground.demo.news import Line, News
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.demo.stage import Stage


async def run(options: Options, *, as_json: bool, out: TextIO, told: TextIO) -> dict[str, Any]:
    """Run it to its end.

    Args:
        options: what is shown.
        as_json: whether the summary is JSON, and not a table.
        out: where the summary goes.
        told: where events go.

    Raises:
        ExceptionGroup: of a PlaygroundError: it could not go on; of a BrokenPipeError: nobody
            reads any more.
    """
    async with stage.opened(options) as on:
        news, gone = News(on.kube), asyncio.get_running_loop().create_future()
        news.listener = lambda line: _tell(line, on, told, gone)
        print(f"export KUBECONFIG={on.kubeconfig}", file=told, flush=True)
        async with asyncio.TaskGroup() as group:
            beside = (group.create_task(news.run()), group.create_task(_until(gone)))
            await on.run()
            for task in beside:
                task.cancel()
    summary = accounts.summary(on.play, on.log, events=news.count)
    text = json.dumps(summary, indent=2) if as_json else accounts.table(summary)
    print(text, file=out, flush=True)
    return summary


def _tell(line: Line, on: Stage, told: TextIO, gone: asyncio.Future[None]) -> None:
    try:
        print(line.render(on.began_at), file=told, flush=True)
    except BrokenPipeError as error:  # whoever tells us of events takes no errors
        if not gone.done():
            gone.set_exception(error)


async def _until(gone: asyncio.Future[None]) -> None:
    await gone
