"""What a comparison gives back: dataframes, files, a notebook page."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from kilter._errors import OutputError
from kilter.artifact import load
from kilter.comparison.plan import Plan
from kilter.comparison.result import FILES, Result, leaderboard_table


@pytest.fixture
def result(judged: SimpleNamespace) -> Result:
    return judged.result


@pytest.mark.parametrize(
    ("library", "kind"),
    [
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("pyarrow", pa.Table),
        ("no_such_library", pa.Table),
    ],
)
def test_the_leaderboard_is_a_dataframe_of_the_library_asked_for(
    result: Result, library: str, kind: type
) -> None:
    board = replace(result, dataframes=library).leaderboard()
    assert isinstance(board, kind)
    names = board["remedy"].to_pylist() if kind is pa.Table else list(board["remedy"])
    assert names == [row["remedy"] for row in result.summary["leaderboard"]]


def test_intervals_are_two_columns(result: Result) -> None:
    board, rows = result.leaderboard(), result.summary["leaderboard"]
    assert "auprc_ci" not in board
    assert board["auprc_low"].tolist() == [row["auprc_ci"][0] for row in rows]
    assert board["auprc_high"].tolist() == [row["auprc_ci"][1] for row in rows]
    base = board[board["remedy"] == "none+threshold"].iloc[0]
    assert base[["difference_low", "difference_high", "p_better"]].isna().all()


def test_a_leaderboard_of_the_baseline_alone_is_one_row() -> None:
    row = {"remedy": "none+threshold", "auprc_ci": [0.1, 0.2], "difference_ci": None}
    table = leaderboard_table({"leaderboard": [row]})
    assert table.to_pylist() == [
        {
            "remedy": "none+threshold",
            "auprc_low": 0.1,
            "auprc_high": 0.2,
            "difference_low": None,
            "difference_high": None,
        }
    ]


def test_best_and_verdict_are_those_of_the_summary(result: Result) -> None:
    assert result.best == result.summary["chosen"]["remedy"]
    assert result.verdict == result.summary["verdict"]
    assert result.best in repr(result)


def test_every_file_is_written_and_can_be_read(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert json.loads((tmp_path / "result.json").read_text()) == result.summary
    plan = Plan.from_json(json.loads((tmp_path / "plan.json").read_text()))
    assert plan == Plan.from_json(result.summary["plan"])
    written = pyarrow.csv.read_csv(tmp_path / "leaderboard.csv")
    assert written.column_names == list(result.leaderboard())
    np.testing.assert_allclose(written["auprc"], result.leaderboard()["auprc"])
    predictions = pyarrow.parquet.read_table(tmp_path / "predictions.parquet")
    assert predictions.to_pylist() == result.predictions.to_pylist()
    model = load(tmp_path / "model.kilter")
    assert model.about["remedy"] == result.best
    assert "</html>" in (tmp_path / "report.html").read_text()


def test_a_report_goes_where_it_is_asked_to(result: Result, tmp_path: Path) -> None:
    path = result.report(str(tmp_path / "page.html"))
    assert path == tmp_path / "page.html"
    assert path.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


def test_a_notebook_shows_the_report_in_a_frame_of_its_own(result: Result) -> None:
    shown = result._repr_html_()
    start = shown.index('srcdoc="') + len('srcdoc="')
    page = shown[start : shown.index('"', start)]
    assert "<" not in page
    assert result.best in html.unescape(page)


def test_a_report_makes_its_folder(result: Result, tmp_path: Path) -> None:
    assert result.report(tmp_path / "nowhere" / "page.html").is_file()


@pytest.mark.parametrize("place", ["taken/page.html", "."])
def test_a_report_that_cannot_be_written_is_one_sentence(
    result: Result, tmp_path: Path, place: str
) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match=r"^`path` must be a file that can be written; .*\.$"):
        result.report(tmp_path / place)


def fail(*args: Any, **kwargs: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("writer", ["csv.write_csv", "parquet.write_table"])
def test_a_full_disk_is_one_sentence(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    module, name = writer.split(".")
    monkeypatch.setattr(getattr(pyarrow, module), name, fail)
    with pytest.raises(OutputError, match=r"cannot write into .*No space left"):
        result.save(tmp_path)
