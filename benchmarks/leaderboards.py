"""What does kilter answer on real tables, and how long does it take?

Runs ``kilter.compare`` with its defaults (5 folds, 3 seeds, all remedies) and prints each
leaderboard and verdict as Markdown.

    python benchmarks/leaderboards.py [TABLE ...]

A table is a file with the label in ``target``; NAME.parquet:COLUMN leaves a column out.
Without tables, those of the shared collection beside the repository are taken, and where
that is absent, the table of the demo.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pyarrow.parquet
from joblib import cpu_count

import kilter
from kilter.data.demo import TARGET, digits

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DEFAULT = ("mammography.parquet", "page-blocks.parquet", "sick.parquet", "adult.parquet")
COLUMNS = ("auprc", "macro_f1", "balanced_accuracy", "mcc", "log_loss", "brier")


def tables() -> list[str]:
    if sys.argv[1:]:
        return sys.argv[1:]
    if SHARED.exists():
        return [str(SHARED / name) for name in DEFAULT]
    path = Path(tempfile.mkdtemp()) / "digits.parquet"
    pyarrow.parquet.write_table(digits().rename_columns({TARGET: "target"}), path)
    return [str(path)]


def show(table: str) -> None:
    begin = time.perf_counter()
    result = kilter.compare(table, "target")
    seconds = time.perf_counter() - begin
    print(f"\n## {Path(table).stem}: {seconds:.0f} s\n\n{result.verdict}\n")
    print(f"| remedy | {' | '.join(COLUMNS)} | calibration ratio | p_better |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for row in result.summary["leaderboard"]:
        low, high = row["auprc_ci"]
        cells = [f"{row['auprc']:.3f} ({low:.2f} to {high:.2f})"]
        cells += [f"{row[name]:.3f}" for name in COLUMNS[1:]]
        sure = "" if row["p_better"] is None else f"{row['p_better']:.2f}"
        cells += [f"{row['calibration_ratio']:.2f}", sure]
        print(f"| {row['remedy']} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    print("# Leaderboards\n")
    print("Written by `make bench` from `benchmarks/leaderboards.py`; do not edit.\n")
    print(f"Defaults: 5 folds, 3 seeds. {platform.machine()}, cores: {cpu_count()}.")
    for table in tables():
        show(table)


if __name__ == "__main__":
    main()
