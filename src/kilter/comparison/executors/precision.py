"""Average precision on the device, as scikit-learn computes it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def average_precision(logits: Any, labels: Any, positive: int) -> Any:
    """Compute average precision as scikit-learn does, on the device.

    ``labels`` of -1 are padding. Two classes: that of ``positive``. More: the mean over the
    classes that occur.
    """
    n_classes = logits.shape[-1]
    odds = jnp.where(labels[:, None] >= 0, _log_odds(logits), -jnp.inf)
    if n_classes == 2:
        return _binary_average_precision(odds[:, positive], labels == positive)
    truth = labels[:, None] == jnp.arange(n_classes)
    each = jax.vmap(_binary_average_precision, in_axes=1)(odds, truth)
    there = truth.any(axis=0)
    return jnp.where(there, each, 0).sum() / there.sum()


def _log_odds(logits: Any) -> Any:
    """Turn logits (rows, classes) into the log-odds of each class against all others.

    They rank rows as the probabilities do, without the ties of rounding near 1.
    """
    itself = jnp.eye(logits.shape[-1], dtype=bool)
    rest = jnp.where(itself, -jnp.inf, logits[:, None, :])
    return logits - jax.nn.logsumexp(rest, axis=-1)


def _binary_average_precision(scores: Any, truth: Any) -> Any:
    """Sum precision over the positives; tied scores share the precision at the tie's end."""
    descending, hits = jax.lax.sort((-scores, truth.astype(jnp.float32)), num_keys=1)
    rank = jnp.arange(1, len(scores) + 1)
    precision = jnp.cumsum(hits) / rank
    last_of_tie = jnp.append(descending[1:] != descending[:-1], True)
    end = jax.lax.cummin(jnp.where(last_of_tie, rank, len(scores)), reverse=True) - 1
    return (hits * precision[end]).sum() / jnp.maximum(hits.sum(), 1)
