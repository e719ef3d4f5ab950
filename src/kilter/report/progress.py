"""How far a comparison is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import progress as bars
from rich.console import Console


@contextmanager
def progress(console: Console) -> Iterator[Callable[[Any], None]]:
    """Show trainings done, rate, time left and the leader.

    Yields what to call with a `kilter.comparison.Progress`, before the first training and
    after each.
    """
    status = console.status("reading the table and making folds")
    bar = bars.Progress(*_columns(), console=console)
    row = bar.add_task("compiling", rate="", leader="")

    def observe(now: Any) -> None:
        status.stop()
        bar.start()
        speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
        bar.update(
            row,
            description="training" if now.leader else "compiling",
            total=now.total,
            completed=now.done,
            rate=f"{speed:.1f}/s" if speed else "",
            leader=f"ahead: {now.leader} {now.score:.3f}" if now.leader else "",
        )

    try:
        status.start()
        yield observe
    finally:
        status.stop()
        if bar.live.is_started:
            bar.stop()


def _columns() -> tuple[bars.ProgressColumn, ...]:
    return (
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[leader]}"),
    )
