"""What the metrics and the decisions accept: labels as positions, probabilities as a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter._numbers import is_whole

SUM_TOLERANCE = 1e-2  # half precision over many classes sums to one no better than this


def check_labels(labels: Any, n_classes: int | None = None, name: str = "labels") -> np.ndarray:
    """Return labels as int64 of shape (rows,), each from 0 to ``n_classes`` - 1."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub":
        raise ArgumentTypeError(
            f"`{name}` must be whole numbers, positions of the classes; got {labels.dtype}. "
            "Take them from `np.unique(y, return_inverse=True)`."
        )
    if labels.ndim != 1 or not len(labels):
        raise ArgumentError(
            f"`{name}` must have the shape (rows,) and at least one row; got {labels.shape}."
        )
    _check_range(labels, n_classes, name)
    return labels.astype(np.int64, copy=False)


def check_probabilities(probabilities: Any) -> np.ndarray:
    """Return probabilities as float64 of shape (rows, classes) whose rows sum to one."""
    given = np.asarray(probabilities, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] < 2 or not len(given):
        raise ArgumentError(
            f"`probabilities` must have the shape (rows, classes); got {given.shape}. "
            "For one column p of two classes pass `np.column_stack([1 - p, p])`."
        )
    # A NaN fails every comparison, so these two also find missing values.
    if not (given.min() >= 0 and np.all(np.abs(given.sum(axis=1) - 1) <= SUM_TOLERANCE)):
        raise ArgumentError(
            "`probabilities` must be finite, at least 0, and sum to 1 in every row; "
            f"got values from {given.min():.3g} to {given.max():.3g}. "
            "If they are logits, apply a softmax first."
        )
    return given


def check_scored(labels: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities of the same rows."""
    probabilities = check_probabilities(probabilities)
    labels = check_labels(labels, probabilities.shape[1])
    check_same_rows(labels, probabilities, "probabilities")
    return labels, probabilities


def check_same_rows(labels: np.ndarray, other: np.ndarray, name: str) -> None:
    """Raise unless both have as many rows."""
    if len(labels) != len(other):
        raise ArgumentError(
            f"`{name}` must have one row a label; got {len(other)} rows and "
            f"{len(labels)} labels. Take both from the same rows."
        )


def check_class(positive: Any, n_classes: int, name: str = "positive") -> int:
    """Return a class position from 0 to ``n_classes`` - 1."""
    if not is_whole(positive) or not 0 <= positive < n_classes:
        raise ArgumentError(
            f"`{name}` must be a class from 0 to {n_classes - 1}; got {positive!r}. "
            "Pass the position of the class in the sorted class names."
        )
    return int(positive)


def _check_range(labels: np.ndarray, n_classes: int | None, name: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (n_classes is not None and high >= n_classes):
        top = "up" if n_classes is None else f"to {n_classes - 1}"
        raise ArgumentError(
            f"`{name}` must be classes from 0 {top}; got {low} to {high}. "
            "Encode them with the classes that the model was trained on."
        )
