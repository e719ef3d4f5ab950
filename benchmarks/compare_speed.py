"""How much faster are lanes than a loop of plain Keras ``fit``?

All distinct trainings of the eleven remedies (nine: two pairs share theirs) times folds
times seeds on one table, first as lanes of one compiled program, then one by one: a fresh
network, ``compile``, ``fit``. The loop is told in advance how many epochs each lane ran, so
it never validates, and its rows are drawn once instead of every epoch: it does less work.

    python benchmarks/compare_speed.py [TABLE] [--target target] [--folds 5] [--seeds 3]

Without a table it takes mammography from the shared collection beside the repository, and
where that is absent, the table of the demo.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path
from threading import Event

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kilter._types import Dataset
from kilter.comparison.executors.base import Lane, Task, Trained
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.executors.sequential import epoch_rows, keras_loss
from kilter.comparison.folds import encode
from kilter.comparison.plan import Plan
from kilter.comparison.run import lanes_of
from kilter.data import load, rarest_class, split
from kilter.data.demo import TARGET, digits
from kilter.models import mlp

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mammography.parquet"


def read(table: str | None, target: str) -> Dataset:
    if table is None and not SHARED.exists():
        return load(digits(), TARGET)
    return load(table or SHARED, target)


def make_task(dataset: Dataset, plan: Plan) -> Task:
    encoded = encode(split(dataset, plan.folds, plan.seed), dataset.schema, plan)

    def build(width: int, n_classes: int, seed: int):
        return mlp(width, n_classes, hidden=plan.hidden, dropout=plan.dropout, seed=seed)

    positive = rarest_class(dataset.labels)
    return Task(plan, encoded.folds, len(dataset.schema.classes), positive, build, Event())


def plain_fit(task: Task, lane: Lane, epochs: int) -> None:
    fold = task.folds[lane.fold]
    _, loss = lane.training
    x, y = epoch_rows(task, lane, epoch=0)
    model = task.network(lane.fold, lane.seed)
    model.compile(task.optimizer(), loss=keras_loss(loss.numbers(fold.layout.counts)))
    model.fit(x, y, batch_size=task.batch_size, epochs=epochs, verbose=0)
    model.predict(fold.validation_x, batch_size=4096, verbose=0)
    model.predict(fold.test_x, batch_size=4096, verbose=0)


def epochs_run(plan: Plan, trained: Trained) -> int:
    return min(plan.epochs, trained.epoch + plan.patience + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?")
    parser.add_argument("--target", default="target")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    plan = Plan.make(folds=options.folds, seeds=options.seeds)
    dataset = read(options.table, options.target)
    task = make_task(dataset, plan)

    begin = time.perf_counter()
    trained = list(Lanes().train(task, lanes_of(plan)))
    lanes = time.perf_counter() - begin

    begin = time.perf_counter()
    for one in trained:
        plain_fit(task, one.lane, epochs_run(plan, one))
    loop = time.perf_counter() - begin

    steps = sum(epochs_run(plan, one) for one in trained) * task.steps
    print("# Lanes against a loop of plain Keras fit\n")
    print("Written by `make bench` from `benchmarks/compare_speed.py`; do not edit.\n")
    print(f"{dataset.name}: {len(trained)} trainings, {steps:,} steps of {task.batch_size} rows;")
    print(f"{platform.machine()}, {os.cpu_count()} cores, both in one run.\n")
    print("| | seconds | a training | µs a step |")
    print("|---|---|---|---|")
    for name, seconds in (("plain fit, one by one", loop), ("lanes", lanes)):
        each = seconds / len(trained)
        print(f"| {name} | {seconds:.1f} | {each:.2f} | {seconds / steps * 1e6:.0f} |")
    print(f"\nLanes are {loop / lanes:.1f} times as fast.")


if __name__ == "__main__":
    main()
