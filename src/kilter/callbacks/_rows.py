"""The rows that callbacks watch: read once, predicted after an epoch."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._targets import to_probabilities
from kilter.metrics._inputs import SUM_TOLERANCE, check_labels


class Rows(NamedTuple):
    """Inputs, one array or a structure of arrays, and class positions, int of shape (rows,)."""

    x: Any
    labels: np.ndarray


def read_rows(data: Any, name: str) -> Rows:
    """Return the rows of ``(x, y)`` or of a finite dataset of such batches.

    Weights of rows, a third element, are left out.
    """
    batches = [data] if isinstance(data, tuple) else list(data)
    parts = [_read_batch(batch, name) for batch in batches]
    if not parts:
        raise ArgumentError(f"`{name}` must have at least one batch; got none.")
    if len(parts) == 1:
        return parts[0]
    x = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *(p.x for p in parts))
    return Rows(x, np.concatenate([part.labels for part in parts]))


def sample_rows(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most about ``most`` rows: rare classes whole, the others with equal shares."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(rows.labels)
    share = _fair_share(counts, most)
    chosen = np.sort(
        np.concatenate(
            [rng.permutation(np.flatnonzero(rows.labels == k))[:share] for k in range(len(counts))]
        )
    )
    return Rows(keras.tree.map_structure(lambda a: a[chosen], rows.x), rows.labels[chosen])


def predict(model: Any, rows: Rows, from_logits: bool, batch_size: int, name: str) -> np.ndarray:
    """Return probabilities, float64 of shape (rows, classes); NaN where the network says so."""
    outputs = model.predict(rows.x, batch_size=batch_size, verbose=0)
    if not isinstance(outputs, np.ndarray) or outputs.ndim > 2:
        shapes = keras.tree.map_structure(np.shape, outputs)
        raise ArgumentError(
            "`model` must have one output of shape (rows,) or (rows, classes); got "
            f"{shapes}. Watch a model of that output alone: `keras.Model(inputs, output)`."
        )
    found = ops.convert_to_numpy(to_probabilities(outputs, from_logits)).astype(np.float64)
    # Comparisons with NaN are false, so a network that diverged passes.
    if np.any(found < 0) or np.any(np.abs(found.sum(axis=1) - 1) > SUM_TOLERANCE):
        raise ArgumentError(
            "`from_logits` must be True for a model that ends in logits; got outputs from "
            f"{outputs.min():.3g} to {outputs.max():.3g}, no probabilities of classes."
        )
    check_labels(rows.labels, found.shape[1], f"{name}[1]")
    return found


def _read_batch(batch: Any, name: str) -> Rows:
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ArgumentError(
            f"`{name}` must be a tuple (x, y), or a finite dataset of such batches; got "
            f"{type(batch).__name__}."
        )
    x = keras.tree.map_structure(np.asarray, batch[0])
    labels = _read_labels(batch[1], f"{name}[1]")
    if any(len(array) != len(labels) for array in keras.tree.flatten(x)):
        raise ArgumentError(
            f"`{name}` must have as many labels as inputs; got {len(labels)} labels and inputs "
            f"of shape {keras.tree.map_structure(np.shape, x)}."
        )
    return Rows(x, labels)


def _read_labels(y: Any, name: str) -> np.ndarray:
    y = np.asarray(y)
    if y.ndim == 2:
        y = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    if y.dtype.kind == "f" and np.all(y == np.floor(y)):
        y = y.astype(np.int64)
    return check_labels(y, name=name)


def _fair_share(counts: np.ndarray, most: int) -> int:
    """Return the rows a class may keep so that all together keep ``most``."""
    left = most
    for done, count in enumerate(np.sort(counts)):
        share = left // (len(counts) - done)
        if count > share:
            return max(share, 1)
        left -= count
    return int(counts.max())
