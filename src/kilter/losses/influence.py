"""Influence-balanced loss: rows that pull the boundary most count less."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._targets import at_least_single, to_shares
from kilter.losses.base import as_labels
from kilter.losses.general import cross_entropy


def influence_balanced(
    labels: Any,
    logits: Any,
    features: Any,
    *,
    alpha: float = 1000.0,
    epsilon: float = 1e-3,
    weights: Any = None,
) -> Any:
    """Compute the influence-balanced cross-entropy of every row.

    ``w_y CE(z) alpha / (|p - y|_1 |h|_1 + epsilon)``: the cross-entropy over the size of its
    gradient by the last layer's kernel, so that every row pulls that layer alike. Use it for
    the second half of a training that began with plain cross-entropy, against the many rows
    of a frequent class that bend the boundary around themselves.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    features : float tensor of shape (..., features)
        h, what the last layer is fed with.
    alpha : float
        Factor of the loss, which the division makes small.
    epsilon : float
        Above 0: bounds the factor of rows that are right already.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class. The paper's are 1/n scaled:
        ``kilter.class_weights(counts=counts, scheme="inverse").array``.

    Returns
    -------
    float tensor of shape (...,)

    Notes
    -----
    There is no Keras class of it, because a Keras loss sees outputs and no features. A model
    that returns both overrides ``compute_loss``, as below. No gradient flows through
    the factor: through it, the loss would fall by features that grow, not by being right.

    References
    ----------
    Park, Lim, Jeon, Choi: Influence-balanced loss for imbalanced visual classification, ICCV
    2021.

    Examples
    --------
    >>> import numpy as np
    >>> h = np.array([[1.0, 1.0], [4.0, 4.0]], "float32")
    >>> losses = influence_balanced(np.array([0, 0]), np.zeros((2, 2), "float32"), h)
    >>> round(float(losses[0] / losses[1]), 2)  # |h| is 2 and 8
    4.0

    Training a model that returns its features too:

    >>> import keras
    >>> class Balanced(keras.Model):
    ...     def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
    ...         rows = influence_balanced(y, y_pred["logits"], y_pred["features"])
    ...         return keras.ops.mean(rows)
    """
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    truth = to_shares(labels, logits.shape[-1], logits.dtype)
    error = ops.sum(ops.abs(ops.softmax(logits, axis=-1) - truth), axis=-1)
    size = ops.sum(ops.abs(at_least_single(features)), axis=-1)
    factor = alpha / (error * ops.cast(size, error.dtype) + epsilon)
    return ops.stop_gradient(factor) * cross_entropy(labels, logits, weights=weights)
