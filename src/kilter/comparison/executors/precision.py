"""Average precision on the device, as scikit-learn computes it.

The mean over the positives of a precision: of the rows that score at least as high as this
one, the share that is positive too. So only positives need a rank. Few of them are compared
with every row; many look it up in sorted scores. Scores are sorted as integers, for which
XLA sorts five times as fast on a CPU as floats.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NOTHING = np.int32(np.iinfo(np.int32).min)
COMPARED = 100
"""Positives a column up to which comparing them with every row is faster than sorting."""


def rows_to_rank(labels: np.ndarray, n_classes: int, positive: int) -> np.ndarray:
    """Return the rows (positives,) that average precision needs the ranks of, on the host.

    Two classes: those of ``positive``. More: every row, each as a positive of its class.
    """
    return np.flatnonzero(labels == positive if n_classes == 2 else labels >= 0).astype(np.int32)


def average_precision(logits: Any, labels: Any, ranked: Any, positive: int) -> Any:
    """Compute average precision on the device.

    Parameters
    ----------
    logits : float array of shape (rows, classes)
    labels : int array of shape (rows,)
        -1 for padding.
    ranked : int array of shape (positives,)
        From `rows_to_rank`; -1 for padding.
    positive : int
        With two classes, the one that is scored.

    Returns
    -------
    float
        Two classes: that of ``positive``. More: the mean over the classes that occur.
    """
    columns = _columns(logits, positive)
    keys = jnp.where(labels[:, None] >= 0, _sortable(columns), NOTHING)
    there = ranked >= 0
    column = labels[ranked] if columns.shape[1] > 1 else jnp.zeros_like(ranked)
    key = jnp.where(there, keys[ranked, column], NOTHING)
    count = _compare if len(ranked) <= COMPARED * columns.shape[1] else _look_up
    hits, ranks = count(keys, key, jnp.where(there, column, -1))
    precision = jnp.where(there, hits / ranks, 0)
    of_class = (column[:, None] == jnp.arange(columns.shape[1])) & there[:, None]
    positives = of_class.sum(axis=0)
    each = (of_class * precision[:, None]).sum(axis=0) / jnp.maximum(positives, 1)
    return each.sum() / jnp.maximum((positives > 0).sum(), 1)


def _columns(logits: Any, positive: int) -> Any:
    """Return what ranks the rows, a column a scored class."""
    if logits.shape[-1] == 2:
        return logits[:, positive, None] - logits[:, 1 - positive, None]
    return _log_odds(logits)


def _log_odds(logits: Any) -> Any:
    """Turn logits (rows, classes) into the log-odds of each class against all others.

    They rank rows as the probabilities do, without the ties of rounding near 1.
    """
    is_top = jax.nn.one_hot(logits.argmax(axis=-1), logits.shape[-1], dtype=bool)
    below_top = jax.nn.logsumexp(jnp.where(is_top, -jnp.inf, logits), axis=-1, keepdims=True)
    total = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    # A class that is not the top one has a probability of at most one half.
    others = jnp.where(is_top, below_top, total + jnp.log1p(-jnp.exp(logits - total)))
    return logits - others


def _sortable(scores: Any) -> Any:
    """Return integers in the order of these floats, equal where those are."""
    bits = jax.lax.bitcast_convert_type(scores + 0.0, jnp.int32)  # no -0
    # A negative float's other bits grow as it falls.
    return jnp.where(bits < 0, bits ^ jnp.int32(0x7FFFFFFF), bits)


def _compare(keys: Any, key: Any, column: Any) -> tuple[Any, Any]:
    """Count the positives of the column, and the rows, that have at least this key."""
    ranks = (keys.T[column] >= key[:, None]).sum(axis=1)
    same = column[:, None] == column[None, :]
    return (same & (key[None, :] >= key[:, None])).sum(axis=1), ranks


def _look_up(keys: Any, key: Any, column: Any) -> tuple[Any, Any]:
    """Count the same in sorted keys."""
    rows, n_columns = keys.shape
    each = jnp.sort(keys.T, axis=1).reshape(-1)
    ranks = _count_at_least(each, column * rows, (column + 1) * rows, key)
    _, positives = jax.lax.sort((column, key), num_keys=2)
    ends = (column[None, :] <= jnp.arange(n_columns)[:, None]).sum(axis=1)
    starts = (column[None, :] < jnp.arange(n_columns)[:, None]).sum(axis=1)
    return _count_at_least(positives, starts[column], ends[column], key), ranks


def _count_at_least(ascending: Any, begin: Any, end: Any, key: Any) -> Any:
    """Count the values from ``begin`` up to ``end`` that are at least ``key``, by halving."""

    def halve(_: Any, bounds: tuple[Any, Any]) -> tuple[Any, Any]:
        low, high = bounds
        middle = (low + high) // 2
        below = (ascending[middle] < key) & (low < high)
        return jnp.where(below, middle + 1, low), jnp.where(below, high, middle)

    steps = len(ascending).bit_length() + 1
    low, _ = jax.lax.fori_loop(0, steps, halve, (begin, end))
    return end - low
