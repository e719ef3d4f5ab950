"""What the benchmarks of lanes share: tables, tasks, and a plain Keras ``fit`` of a training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pandas as pd

from kilter._types import Dataset
from kilter.comparison.executors.base import Lane, Task
from kilter.comparison.executors.sequential import epoch_rows, keras_loss
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import prepare
from kilter.data import load
from kilter.data.demo import TARGET, digits

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def read(table: str, least: int = 0) -> Dataset:
    """Load a table of the shared collection, or the demo's where that is absent.

    Classes of fewer than ``least`` different rows get copies, moved by one in a column.
    """
    path = SHARED / f"{table}.parquet"
    if not path.exists():
        return load(digits(), TARGET)
    return load(_filled_up(pd.read_parquet(path), least) if least else path, "target")


def _filled_up(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    distinct = frame.drop_duplicates()
    counts = distinct["target"].value_counts()
    column = frame.columns[frame.nunique().argmax()]  # the one of most values is a number
    parts = [frame]
    for label, count in counts[counts < least].items():
        rows = distinct[distinct["target"] == label]
        parts += [rows.assign(**{column: rows[column] + i}) for i in range(1, -(-least // count))]
    return pd.concat(parts, ignore_index=True)


def make_task(dataset: Dataset, plan: Plan) -> Task:
    """Encode the folds of a plan."""
    _, task = prepare(plan, dataset)
    return task


class AveragePrecision(keras.metrics.AUC):
    """Keras's area under the precision-recall curve of one class, from logits."""

    def __init__(self, positive: int) -> None:
        super().__init__(curve="PR", name="ap")
        self.positive = positive

    def update_state(self, labels: Any, logits: Any, sample_weight: Any = None) -> None:
        """Count logits (rows, classes)."""
        shares = keras.ops.softmax(logits)[:, self.positive]
        super().update_state(keras.ops.equal(labels, self.positive), shares, sample_weight)


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def fit(
    task: Task,
    lane: Lane,
    validate: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Train one network as a plain script would; ``validate`` scores each epoch."""
    fold = task.folds[lane.fold]
    x, y = epoch_rows(task, lane, epoch=0)
    model = task.network(lane.fold, lane.seed)
    metrics: list[Any] = []
    extra: dict[str, Any] = {"callbacks": list(callbacks)}
    if validate:
        metrics = [AveragePrecision(task.positive)]
        best = keras.callbacks.EarlyStopping(
            "val_ap", mode="max", patience=task.plan.epochs, restore_best_weights=True
        )
        extra |= {
            "validation_data": (fold.validation_x, fold.validation_labels),
            "validation_batch_size": 4096,
            "callbacks": [*callbacks, best],
        }
    numbers = lane.training.loss.numbers(fold.layout.counts)
    model.compile(task.optimizer(), loss=keras_loss(numbers), metrics=metrics)
    model.fit(x, y, batch_size=task.batch_size, epochs=task.plan.epochs, verbose=0, **extra)
    return model
