"""The leaderboard in a terminal, as 80 columns show it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from kilter.comparison import REMEDIES
from kilter.report.console import leaderboard, show, show_forecast

Summary = dict[str, Any]


def console() -> Console:
    return Console(width=80, record=True, file=io.StringIO())


def lines(table: Table) -> list[str]:
    """Return what a terminal of 80 columns shows, the header first."""
    terminal = console()
    terminal.print(table)
    return terminal.export_text().rstrip("\n").split("\n")


def test_the_numbers_of_a_row(summary: Summary) -> None:
    header, *rows = lines(leaderboard(summary))
    assert header.split() == [
        "remedy", "AUPRC", "95%", "CI", "macro", "F1", "MCC", "pred/real", "p(better)",
    ]  # fmt: skip
    # 0.741 ± 0.058 (0.0522 above), 0.741 + 0.12, 0.741 - 0.01
    expected = ["→", "logit-adjust", "0.741", "0.68–0.79", "0.861", "0.731", "5.12", "93%"]
    assert rows[0].split() == expected
    assert [row.removeprefix("→").split()[0] for row in rows] == [
        row["remedy"] for row in summary["leaderboard"]
    ]


@pytest.mark.parametrize("chosen", ["logit-adjust", "none+threshold", "undersample"])
def test_only_the_chosen_row_is_marked(summary: Summary, chosen: str) -> None:
    summary["chosen"]["remedy"] = chosen
    marked = [line for line in lines(leaderboard(summary)) if "→" in line]
    assert [line.split()[:2] for line in marked] == [["→", chosen]]


def test_the_baseline_is_not_held_against_itself(summary: Summary) -> None:
    rows = [row for row in summary["leaderboard"] if row["remedy"] != "none"]
    ends = [line.split()[-1] for line in lines(leaderboard({**summary, "leaderboard": rows}))[1:]]
    assert ends == ["93%", "81%", "48%", "baseline", "6%", "2%", "<1%"]


def test_every_remedy_fits_into_eighty_columns(summary: Summary) -> None:
    worst = {"auprc": 1.0, "mcc": -0.999, "calibration_ratio": 1234.5, "p_better": None}
    row = {**summary["leaderboard"][0], **worst}
    summary["leaderboard"] = [{**row, "remedy": name} for name in REMEDIES]
    shown = lines(leaderboard(summary))
    assert len(shown) == 1 + len(REMEDIES)
    assert max(map(len, shown)) <= 80
    for name, line in zip(REMEDIES, shown[1:], strict=True):
        assert line.removeprefix("→").split()[0] == name
        assert line.rstrip().endswith("1234.50   baseline")


@pytest.mark.parametrize("name", ["difference", "difference_ci", "seconds", "log_loss", "p_better"])
def test_what_is_not_shown_may_be_missing(summary: Summary, name: str) -> None:
    before = lines(leaderboard(summary))
    for row in summary["leaderboard"]:
        row[name] = None
    after = lines(leaderboard(summary))
    assert [line.split()[:-1] for line in after] == [line.split()[:-1] for line in before]


def test_the_verdict_is_shown_whole(summary: Summary) -> None:
    terminal = console()
    show(terminal, summary)
    text = terminal.export_text()
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.replace("│", " ").split())
    assert summary["verdict"] in words
    assert words.index("logit-adjust 0.741") < words.index("verdict")


def test_brackets_in_the_verdict_are_no_markup(summary: Summary) -> None:
    summary["verdict"] = "class [red] wins [/]"
    terminal = console()
    show(terminal, summary)
    assert "class [red] wins [/]" in terminal.export_text()


@pytest.mark.parametrize(
    ("metric", "title", "figure"),
    [
        ("auprc", "MCC", "mcc"),
        ("macro_f1", "MCC", "mcc"),
        ("balanced_accuracy", "bal. acc.", "balanced_accuracy"),
        ("log_loss", "log loss", "log_loss_calibrated"),
        ("brier", "Brier", "brier_calibrated"),
    ],
)
def test_what_chose_is_among_the_columns(
    summary: Summary, metric: str, title: str, figure: str
) -> None:
    summary["chosen"]["metric"] = metric
    head, first, *_ = lines(leaderboard(summary))
    assert title in head
    assert f"{summary['leaderboard'][0][figure]:.3f}" in first.split()


def forecast_lines(**changed: Any) -> list[str]:
    forecast = {"trainings": 1350, "lanes": 9, "threads": 2, "steps": 31, "folds": 5}
    numbers = {"memory": 3 << 29, "limit": 12 << 30, "seconds": 42.04, "most": 100}
    terminal = console()
    show_forecast(terminal, {**forecast, **numbers, **changed})
    return [line.rstrip() for line in terminal.export_text().splitlines()]


def test_a_forecast_in_words() -> None:
    assert forecast_lines() == [
        "trainings  1,350",
        "lanes      9 at a time on 2 threads, 31 steps a call",
        "memory     1.5 GiB of 12.0 GiB, 5 folds at a time",
        "training   about 42.0 s; 1.7 min if none stops early",
    ]


def test_a_forecast_of_one_by_one() -> None:
    lines = forecast_lines(lanes=1, threads=1, steps=1, memory=None, limit=None)
    assert lines[1] == "lanes      one at a time on 1 thread, 1 step a call"
    assert [line.split()[0] for line in lines] == ["trainings", "lanes", "training"]
