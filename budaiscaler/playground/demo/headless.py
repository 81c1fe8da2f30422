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
        ExceptionGroup: of a PlaygroundError: it could not go on.
    """
    async with stage.opened(options) as on:
        news = News(on.kube)
        news.listener = lambda line: _tell(line, on, told)
        print(f"export KUBECONFIG={on.kubeconfig}", file=told, flush=True)
        listening = asyncio.create_task(news.run())
        try:
            await on.run()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    summary = accounts.summary(on.play, on.log, events=news.count)
    text = json.dumps(summary, indent=2) if as_json else accounts.table(summary)
    print(text, file=out, flush=True)
    return summary


def _tell(line: Line, on: Stage, told: TextIO) -> None:
    print(line.render(on.began_at), file=told, flush=True)
