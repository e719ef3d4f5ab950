"""Count labels of any type and shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError

SUM_TOLERANCE = 1e-3  # how far from 1 a row of shares may sum: half precision, rounding


def tally(y: Any, multi_label: bool | None) -> tuple[Sequence[int], np.ndarray]:
    """Return the key and the count of every class.

    Parameters
    ----------
    y : array
        Labels, as in `kilter.class_weights`.
    multi_label : bool, optional
        Whether a matrix of 0 and 1 is labels of their own, or positions; see there.

    Returns
    -------
    keys, counts
        The labels where they are whole numbers, else positions; and an array of shape
        (classes,) or, for many labels a row, (labels, 2).

    Examples
    --------
    >>> keys, counts = tally(["ham", "spam", "ham"], None)
    >>> list(keys), counts.tolist()
    ([0, 1], [2, 1])
    """
    labels = _plain(_to_array(y))
    if multi_label:
        return _columns(labels)
    if labels.ndim > 1 and labels.shape[-1] > 1 and labels.dtype.kind in "iuf":
        positions = multi_label is False and _is_binary(labels)
        shares = None if positions else _shares(labels)
        if shares is not None:
            return range(len(shares)), shares
        if multi_label is None and _has_two_readings(labels):
            raise ArgumentError(
                f"`y` of shape {labels.shape} holds 0 and 1 only, which can be columns or a "
                "position a pixel. Pass `multi_label=True` for many labels a row, "
                "`multi_label=False` for positions, or one-hot pixels as floats."
            )
    if labels.dtype.kind in "iuf":
        return _numbers(labels)
    counts = _unique(labels)[1]
    return range(len(counts)), counts


def _plain(labels: np.ndarray) -> np.ndarray:
    """Return labels as numbers where they are, after a look for what cannot be a label."""
    if not labels.size:
        raise ArgumentError("`y` must have at least one label; got none.")
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ArgumentError("`y` must have a label in every row; got NaN or infinity. Drop them.")
    if labels.dtype.kind == "O" and any(map(_is_missing, labels.flat)):
        raise ArgumentError("`y` must have a label in every row; some are missing. Drop them.")
    whole = labels.dtype.kind == "O" and all(isinstance(one, int) for one in labels.flat)
    return labels.astype(np.int64) if whole else labels


def _to_array(y: Any) -> np.ndarray:
    """Return labels as an array; numpy makes text of a list of text and something else."""
    labels = np.asarray(y)
    return np.asarray(y, object) if labels.dtype.kind in "US" and labels is not y else labels


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas' NA is neither equal nor unequal
        return True


def _has_two_readings(labels: np.ndarray) -> bool:
    one_hot = labels.ndim > 2 and bool((labels.sum(axis=-1) == 1).all())
    return (labels.ndim == 2 or one_hot) and _is_binary(labels)


def _is_binary(labels: np.ndarray) -> bool:
    return labels.min() >= 0 and labels.max() <= 1 and bool(np.all(labels == np.round(labels)))


def _columns(labels: np.ndarray) -> tuple[Sequence[int], np.ndarray]:
    if labels.ndim != 2 or labels.dtype.kind not in "iuf" or not _is_binary(labels):
        raise ArgumentError(
            f"`y` must be 0 and 1 of shape (rows, labels) for `multi_label=True`; got "
            f"{labels.dtype} of shape {labels.shape}."
        )
    present = labels.sum(axis=0, dtype=np.int64)
    return range(labels.shape[1]), np.stack([len(labels) - present, present], axis=1)


def _shares(labels: np.ndarray) -> np.ndarray | None:
    """Return the column sums of one-hot or soft rows, or None for other matrices.

    A mask of whole numbers may have a single 1 in every line: for pixels only floats count.
    """
    if labels.min() < 0 or labels.max() > 1 or (labels.ndim > 2 and labels.dtype.kind != "f"):
        return None
    if np.any(np.abs(labels.sum(axis=-1) - 1) > SUM_TOLERANCE):
        return None
    flat = labels.reshape(-1, labels.shape[-1])
    return flat.sum(axis=0, dtype=np.float64 if labels.dtype.kind == "f" else np.int64)


def _numbers(labels: np.ndarray) -> tuple[Sequence[int], np.ndarray]:
    whole = labels.dtype.kind != "f" or bool(np.all(labels == np.round(labels)))
    if not whole:
        counts = _unique(labels)[1]
        return range(len(counts)), counts
    flat = labels.ravel()
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or labels.dtype.kind == "f":  # room for differences
        flat = flat.astype(np.int64)
    if high - low > max(1024, 2 * flat.size):  # a bin for every number between would not fit
        classes, counts = _unique(flat)
        return classes.tolist(), counts
    found = np.bincount(flat - low if low else flat)
    present = np.flatnonzero(found)
    return (present + low).tolist(), found[present]


def _unique(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        return np.unique(labels, return_counts=True)
    except TypeError as error:
        raise ArgumentTypeError(
            f"`y` must hold labels that sort, all of one type; got {error}. "
            "Turn them into text: `[str(label) for label in y]`."
        ) from error
