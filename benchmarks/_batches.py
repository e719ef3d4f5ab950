"""What do balanced batches cost `fit`, next to plain arrays?

Rows a second of ``fit`` on a small network, everything in one process and taking turns, with
imbalanced-learn's generator where it is installed. `measure` returns the rows of a table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from kilter.sampling import BalancedBatches

FEATURES, BATCH = 32, 1024
COUNTS = (500_000, 20_000)
COLUMNS = ("batches", "rows a second", "of plain arrays", "rare share of a batch")

Fit = Callable[[keras.Model], int]


def table() -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of two classes, float32, that differ a little."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], COUNTS).astype("float32")
    x = rng.normal(size=(len(y), FEATURES)).astype("float32") + 0.5 * y[:, None]
    order = rng.permutation(len(y))
    return x[order], y[order]


def network() -> keras.Model:
    layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu")]
    head = keras.layers.Dense(1, "sigmoid")
    model = keras.Sequential([keras.Input((FEATURES,)), *layers, head])
    model.compile("adam", loss="binary_crossentropy")
    return model


def on_arrays(x: np.ndarray, y: np.ndarray) -> Fit:
    def fit(model: keras.Model) -> int:
        model.fit(x, y, batch_size=BATCH, verbose=0)
        return len(x)

    return fit


def on_batches(batches: Any) -> Fit:
    def fit(model: keras.Model) -> int:
        model.fit(batches, verbose=0)
        return len(batches) * BATCH

    return fit


def generators(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return what `fit` takes in place of arrays, by name."""
    made = {
        "BalancedBatches": BalancedBatches(x, y, BATCH),
        "BalancedBatches, per_batch": BalancedBatches(x, y, BATCH, per_batch=True),
        "BalancedBatches, SMOTE": BalancedBatches(x, y, BATCH, mix="smote"),
    }
    try:
        from imblearn.keras import BalancedBatchGenerator
    except ImportError:  # without TensorFlow too, which it imports
        return made
    theirs = BalancedBatchGenerator(x, y, batch_size=BATCH, random_state=0)
    return {**made, "imblearn.keras": theirs}


def rare_shares(batches: Any) -> str:
    """Say from what to what the share of the rare class goes in the batches of an epoch."""
    found = [float(np.mean(batches[index][1])) for index in range(len(batches))]
    return f"{min(found):.3f} to {max(found):.3f}"


def rows_a_second(fit: Fit, model: keras.Model) -> float:
    begin = time.perf_counter()
    return fit(model) / (time.perf_counter() - begin)


def measure(turns: int = 5) -> list[dict[str, Any]]:
    """Measure all of them in turn; the ratio is the median of those of each turn.

    Parameters
    ----------
    turns : int
        Epochs of each; at least 3 for a median.
    """
    x, y = table()
    made = generators(x, y)
    shares = {"plain arrays": "", **{name: rare_shares(one) for name, one in made.items()}}
    fits = {"plain arrays": on_arrays(x, y), **{n: on_batches(one) for n, one in made.items()}}
    models = {name: network() for name in fits}
    for name, fit in fits.items():
        fit(models[name])  # compiles
    speeds = [
        [rows_a_second(fit, models[name]) for name, fit in fits.items()] for _ in range(turns)
    ]
    found = np.array(speeds)
    cells = zip(fits, np.median(found, 0), np.median(found / found[:, :1], 0), strict=True)
    return [
        dict(zip(COLUMNS, (name, float(speed), float(ratio), shares[name]), strict=True))
        for name, speed, ratio in cells
    ]


if __name__ == "__main__":
    for row in measure():
        print(
            " | ".join(f"{cell:,.2f}" if isinstance(cell, float) else cell for cell in row.values())
        )
