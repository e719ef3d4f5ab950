"""How do time and memory grow with lanes and with rows?

Lanes 1 to 512 of a table of 10,000 rows, and tables of 1,000 to 500,000 rows with 12 lanes:
made rows of 32 numbers, one in twenty of the rare class, a 64-64 network, three epochs. Each
point is measured three times in turn, in a process of its own: seconds of the training, with
compiling, and the highest resident memory of the process.

Writes `docs/benchmarks/lane_scaling.svg` beside its page.

    python benchmarks/lane_scaling.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification

from _lanes import make_task, seconds
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of
from kilter.data import load

LANES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
ROWS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 500_000)
ROWS_OF_LANES, LANES_OF_ROWS = 10_000, 12
COLUMNS, FOLDS, EPOCHS, REPEATS = 32, 5, 3, 3
REMEDIES = ["none", "focal", "smote", "class-weights", "undersample", "oversample", "logit-adjust"]
PLOT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "lane_scaling.svg"


class Point(NamedTuple):
    """Seconds of training, GiB at the highest of the process, and GiB before training."""

    seconds: float
    peak: float
    before: float


def table(rows: int) -> pd.DataFrame:
    """Make a table of two classes, one in twenty of the rare one."""
    x, y = make_classification(
        rows, COLUMNS, n_informative=8, weights=[0.95], class_sep=0.8, random_state=0
    )
    columns = [f"x{number}" for number in range(COLUMNS)]
    return pd.DataFrame(x.astype(np.float32), columns=columns).assign(target=y)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(lanes: int, rows: int) -> None:
    """Train so many lanes and print what it took."""
    plan = Plan.make(
        REMEDIES,
        folds=FOLDS,
        seeds=max(2, -(-lanes // (len(REMEDIES) * FOLDS))),
        network="mlp",
        epochs=EPOCHS,
        patience=EPOCHS,
    )
    task = make_task(load(table(rows), "target"), plan)
    before, every = peak(), lanes_of(plan)
    some = every[:: len(every) // lanes][:lanes]
    took = seconds(lambda: list(Lanes().train(task, some)))
    print(json.dumps(Point(took, peak(), before)))


def in_process(lanes: int, rows: int) -> Point:
    arguments = ["--lanes", str(lanes), "--rows", str(rows)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE
    )
    return Point(*json.loads(done.stdout.splitlines()[-1]))


def measured(points: list[tuple[int, int]]) -> list[Point]:
    """Return the medians of each point."""
    found: list[list[Point]] = [[] for _ in points]
    for _ in range(REPEATS):
        for place, (lanes, rows) in enumerate(points):
            found[place].append(in_process(lanes, rows))
            print(f"{lanes} lanes, {rows} rows: {found[place][-1]}", file=sys.stderr)
    return [Point(*(median(field) for field in zip(*one, strict=True))) for one in found]


def show(name: str, sizes: tuple[int, ...], points: list[Point]) -> None:
    print(f"\n| {name} | seconds | a {name[:-1]}, ms | GiB | GiB before training |")
    print("|---|---|---|---|---|")
    for size, point in zip(sizes, points, strict=True):
        each = point.seconds / size * 1e3
        print(
            f"| {size:,} | {point.seconds:.1f} | {each:,.2f} | {point.peak:.2f} "
            f"| {point.before:.2f} |"
        )


def plot(by_lanes: list[Point], by_rows: list[Point]) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "kilter"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for column, (name, sizes, points) in enumerate(
        (("lanes", LANES, by_lanes), ("rows", ROWS, by_rows))
    ):
        for row, (field, label) in enumerate((("seconds", "seconds"), ("peak", "GiB"))):
            values = [getattr(point, field) for point in points]
            axis = axes[row][column]
            axis.loglog(sizes, values, marker="o", label="measured")
            linear = [values[-1] * size / sizes[-1] for size in sizes]
            axis.loglog(sizes, linear, linestyle=":", color="gray", label="linear")
            axis.set_ylim(bottom=min(values) / 2)
            axis.set_xlabel(name)
            axis.set_ylabel(label)
    axes[0][0].legend()
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lanes:
        measure(options.lanes, options.rows)
        return
    by_lanes = measured([(lanes, ROWS_OF_LANES) for lanes in LANES])
    by_rows = measured([(LANES_OF_ROWS, rows) for rows in ROWS])
    print("# Time and memory over lanes and rows\n")
    print("Written by `make bench` from `benchmarks/lane_scaling.py`; do not edit.\n")
    print(
        f"Made tables of {COLUMNS} numbers; a 64-64 network, {EPOCHS} epochs. Seconds are all of "
        f"the training, with compiling; GiB are the highest of the whole process. "
        f"{platform.machine()}, {os.cpu_count()} cores; medians of {REPEATS} runs in turn.\n"
    )
    print("![Seconds and GiB over lanes and rows, both axes logarithmic](lane_scaling.svg)\n")
    print(f"Lanes, on {ROWS_OF_LANES:,} rows:")
    show("lanes", LANES, by_lanes)
    print(f"\nRows, with {LANES_OF_ROWS} lanes:")
    show("rows", ROWS, by_rows)
    plot(by_lanes, by_rows)


if __name__ == "__main__":
    main()
