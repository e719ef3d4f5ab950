"""What a comparison gives back."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from kilter._errors import OutputError
from kilter.artifact import Model
from kilter.report import render, write

FILES = (
    "plan.json",
    "leaderboard.csv",
    "predictions.parquet",
    "model.kilter",
    "report.html",
    "result.json",  # last: where it is, the others are
)


@dataclass(frozen=True)
class Result:
    """The answer of `kilter.compare`.

    Attributes
    ----------
    summary : dict
        Everything that was measured, in plain JSON values: what ``result.json`` holds.
    model : kilter.Model
        The chosen remedy's networks, calibrated, with a tuned threshold.
    predictions : pyarrow.Table
        Out-of-fold probabilities and decisions of every remedy: columns ``row`` (position
        in the table), ``fold``, ``remedy``, ``target``, ``predicted``, and ``p_CLASS`` for
        every class, before calibration.
    dataframes : str
        The library that `leaderboard` uses: the one the table came in.
    """

    summary: dict[str, Any]
    model: Model
    predictions: pa.Table
    dataframes: str = "pandas"

    @property
    def best(self) -> str:
        """The name of the chosen remedy."""
        return str(self.summary["chosen"]["remedy"])

    @property
    def verdict(self) -> str:
        """What to use and how sure that is, in a paragraph."""
        return str(self.summary["verdict"])

    def leaderboard(self) -> Any:
        """Return one row a remedy, the best first, as a dataframe.

        The dataframe is of the library that the table came in; pandas, polars or pyarrow,
        whichever is there, if it came from a file.
        """
        table = leaderboard_table(self.summary)
        backend: Any = self.dataframes if find_spec(self.dataframes) else "pyarrow"
        return nw.from_dict(table.to_pydict(), backend=backend).to_native()

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs no network, and return its path."""
        return write(self.summary, path)

    def save(self, folder: Path) -> None:
        """Write all files of a run into an existing folder."""
        write_text(folder / "plan.json", json.dumps(self.summary["plan"], indent=2))
        write_text(folder / "result.json", json.dumps(self.summary, indent=2))
        self.report(folder / "report.html")
        self.model.save(folder / "model.kilter")
        try:
            pyarrow.csv.write_csv(leaderboard_table(self.summary), folder / "leaderboard.csv")
            pyarrow.parquet.write_table(
                self.predictions, folder / "predictions.parquet", compression="zstd"
            )
        except OSError as error:
            raise OutputError(
                f"cannot write into `{folder}`: {error.strerror or error}."
            ) from error

    def _repr_html_(self) -> str:
        # A document of its own: neither its style nor the notebook's reaches the other.
        page = html.escape(render(self.summary), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:40em;border:0"></iframe>'

    def __repr__(self) -> str:
        return f"Result(best={self.best!r}, verdict={self.verdict!r})"


def leaderboard_table(summary: dict[str, Any]) -> pa.Table:
    """Return the leaderboard as an arrow table, intervals as two columns each."""
    return pa.Table.from_pylist([_flat(row) for row in summary["leaderboard"]])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key.endswith("_ci"):
            low, high = value or (None, None)
            flat |= {f"{key[:-3]}_low": low, f"{key[:-3]}_high": high}
        else:
            flat[key] = value
    return flat


def write_text(path: Path, text: str) -> Path:
    """Write a text file; a clear error if that fails."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write `{path}`: {error.strerror}.") from error
    return path
