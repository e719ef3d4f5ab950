"""The leaderboard in a terminal, from the same dict as the report."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kilter.report.formats import chance, count, seconds, size

THIRD = {
    "balanced_accuracy": ("bal. acc.", "balanced_accuracy"),
    "log_loss": ("log loss", "log_loss_calibrated"),
    "brier": ("Brier", "brier_calibrated"),
}
"""Title and figure of the column that is MCC elsewhere, where one of these metrics chose."""


def leaderboard(summary: dict[str, Any]) -> Table:
    """Lay the leaderboard out within 80 columns; the chosen remedy is marked.

    ``95% CI`` is the interval of the average precision, ``pred/real`` the calibration ratio:
    mean predicted over observed rate of the rarest class. Where a metric chose that is not
    among the columns, it takes the place of MCC; losses are shown as they are after calibration.
    """
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("remedy", no_wrap=True)
    title, metric = THIRD.get(summary["chosen"].get("metric"), ("MCC", "mcc"))
    for name in ("AUPRC", "95% CI", "macro F1", title, "pred/real", "p(better)"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary["leaderboard"]:
        chosen = row["remedy"] == summary["chosen"]["remedy"]
        table.add_row(*_cells(row, chosen, metric), style="bold green" if chosen else None)
    return table


def _cells(row: dict[str, Any], chosen: bool, metric: str) -> list[str]:
    low, high = row["auprc_ci"]
    return [
        f"{'→' if chosen else ' '} {row['remedy']}",
        f"{row['auprc']:.3f}",
        f"{low:.2f}–{high:.2f}",
        *(f"{row[name]:.3f}" for name in ("macro_f1", metric)),
        f"{row['calibration_ratio']:.2f}",
        "baseline" if row["p_better"] is None else chance(row["p_better"]),
    ]


def show(console: Console, summary: dict[str, Any]) -> None:
    """Print leaderboard and verdict."""
    parts: list[RenderableType] = [leaderboard(summary), Text()]
    parts.append(Panel(Text(summary["verdict"]), title="verdict", title_align="left"))
    console.print(Group(*parts))


def show_forecast(console: Console, forecast: dict[str, Any]) -> None:
    """Print what the trainings of a comparison will take."""
    lanes = count(forecast["lanes"])
    alone = forecast["lanes"] == 1
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("trainings", count(forecast["trainings"]))
    table.add_row(
        "lanes",
        f"{'one' if alone else lanes} at a time on {_counted(forecast['threads'], 'thread')}, "
        f"{_counted(forecast['steps'], 'step')} a call",
    )
    if forecast["memory"] is not None:
        memory, limit = (size(forecast[name]) for name in ("memory", "limit"))
        folds = _counted(forecast["folds"], "fold")
        table.add_row("memory", f"{memory} of {limit}, {folds} at a time")
    expected, most = (seconds(forecast[name]) for name in ("seconds", "most"))
    table.add_row("training", f"about {expected}; {most} if none stops early")
    console.print(table)


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
