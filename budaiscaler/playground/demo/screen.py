"""A demo drawn with rich: scalers above, events below, and the line for a second terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from budaiscaler.playground.demo.board import Row
from budaiscaler.playground.demo.news import Line, clock
from budaiscaler.playground.manifests import TWIN

_BARS = "▁▂▃▄▅▆▇█"
KEYS = (
    ("m", "metrics off/on"),
    ("k", "kill a pod"),
    ("s", "lose half"),
    ("r", "roll out"),
    ("q", "quit"),
)
ROOMY = 110
"""Columns from which on a heading is one line."""
WIDE = 190
"""Columns from which on reasons stand beside the figures, and not below them: most fit there."""
MOST_EVENTS, LEAST_EVENTS = 12, 2
_BORDERS = 2


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is drawn.

    Attributes:
        title: of the scenario, with its speed and seed.
        about: what there is to see.
        second: of the story.
        began_at: when it began; None before.
        sent: requests in each of the last seconds.
        is_broken: whether the metrics are broken.
        rows: of the table.
        lines: events, oldest first.
        kubeconfig: what to set for kubectl.
    """

    title: str
    about: str
    second: int
    began_at: datetime | None
    sent: Sequence[int]
    is_broken: bool
    rows: Sequence[Row]
    lines: Sequence[Line]
    kubeconfig: str


def draw(view: View, width: int, height: int) -> RenderableType:
    """Draw it into so many columns and lines."""
    is_wide = width >= WIDE
    parts: list[RenderableType] = [_head(view), _table(view.rows, width)]
    if not is_wide:
        parts.append(Group(*(_why(row) for row in view.rows if row.name != TWIN)))
    foot = _foot(view)
    console = Console(width=width)
    used = sum(len(console.render_lines(part)) for part in (*parts, foot))
    events = max(LEAST_EVENTS, min(MOST_EVENTS, height - used - _BORDERS))
    return Group(*parts, _events(view, events), foot)


def _head(view: View) -> RenderableType:
    line = Text()
    line.append(view.title, style="bold")
    line.append(f"  {clock(view.second).strip()}", style="cyan")
    if view.began_at is None:
        line.append("  adapter and controller are starting …", style="yellow")
    elif view.sent:
        line.append(f"   {view.sent[-1]:3} requests/s ", style="bold")
        line.append(spark(view.sent), style="green")
    if view.is_broken:
        line.append("   METRICS BROKEN", style="bold red")
    return Group(line, Text(view.about, style="dim"))


def _table(rows: Iterable[Row], width: int) -> Table:
    is_roomy, is_wide = width >= ROOMY, width >= WIDE
    padding = (0, 2, 0, 1) if is_roomy else (0, 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, expand=is_wide, pad_edge=False, padding=padding)
    for name in ("scaler", "strategy"):
        table.add_column(name, no_wrap=True)
    for name in ("load", "in flight", "1st token", "ready/now", "wanted", "cost", "over target"):
        narrow = name.replace(" ", "\n").replace("/", "/\n")
        table.add_column(name if is_roomy else narrow, justify="right")
    if is_wide:
        table.add_column("why", ratio=1, overflow="ellipsis", no_wrap=True)
    for row in rows:
        cells = _cells(row)
        table.add_row(*(cells if is_wide else cells[:-1]), style="dim" if row.name == TWIN else "")
    return table


def _why(row: Row) -> Text:
    line = Text(f"{row.name} ", style="bold", no_wrap=True, overflow="ellipsis")
    return line.append_text(_reason(row))


def _reason(row: Row) -> Text:
    why = Text(style="not bold")
    if row.bound_by:
        why.append(f"{row.bound_by}: ", style="bold")
    return why.append(row.why)


def _cells(row: Row) -> tuple[RenderableType, ...]:
    differs = row.wanted is not None and row.wanted != row.asked
    starts = row.ready != row.asked
    return (
        Text(row.name, style="bold"),
        row.strategy,
        "-" if row.load is None else f"{row.load:.2f}",
        f"{row.in_flight:.0f}",
        Text(_seconds(row.first_token_s), style="red" if row.is_over else "green"),
        Text(f"{row.ready}/{row.asked}", style="yellow" if starts else ""),
        Text("-" if row.wanted is None else str(row.wanted), style="bold cyan" if differs else ""),
        f"${row.cost:.2f}",
        f"{row.over_minutes:.1f}\u00a0min",
        _reason(row),
    )


def _events(view: View, count: int) -> RenderableType:
    shown = list(view.lines)[-count:]
    lines = [
        Text(line.render(view.began_at), style="yellow" if line.is_warning else "", overflow="fold")
        for line in shown
    ]
    lines += [Text("")] * (count - len(lines))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(Group(*lines), title="events", title_align="left", box=box.ROUNDED)


def _foot(view: View) -> RenderableType:
    keys = Text()
    for key, what in KEYS:
        keys.append(f" {key} ", style="reverse")
        keys.append(f" {what}  ")
    kubectl = Text("second terminal:  ", style="dim", overflow="fold")
    kubectl.append(f"export KUBECONFIG={view.kubeconfig}; kubectl get bas -w", style="bold")
    return Group(kubectl, keys)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 1000 else "never"  # noqa: PLR2004 - as wide as the column


def spark(values: Sequence[float]) -> str:
    """A line of bars, as high as the largest of them."""
    most = max(values, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, int(one / most * len(_BARS)))] for one in values)
