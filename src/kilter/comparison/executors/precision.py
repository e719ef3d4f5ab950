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
    real = labels >= 0
    if n_classes == 2:
        margin = logits[:, positive] - logits[:, 1 - positive]
        return _binary_average_precision(jnp.where(real, margin, -jnp.inf), labels == positive)
    odds = jnp.where(real[:, None], _log_odds(logits), -jnp.inf)
    truth = labels[:, None] == jnp.arange(n_classes)
    each = jax.vmap(_binary_average_precision, in_axes=1)(odds, truth)
    there = truth.any(axis=0)
    return jnp.where(there, each, 0).sum() / there.sum()


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


def _binary_average_precision(scores: Any, truth: Any) -> Any:
    """Sum precision over the positives; tied scores share the precision at the tie's end."""
    descending, hits = jax.lax.sort((-scores, truth.astype(jnp.float32)), num_keys=1)
    rank = jnp.arange(1, len(scores) + 1)
    precision = jnp.cumsum(hits) / rank
    last_of_tie = jnp.append(descending[1:] != descending[:-1], True)
    end = jax.lax.cummin(jnp.where(last_of_tie, rank, len(scores)), reverse=True) - 1
    return (hits * precision[end]).sum() / jnp.maximum(hits.sum(), 1)
