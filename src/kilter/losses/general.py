"""The general cross-entropy, which most losses for rare classes are a case of."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._numbers import not_negative
from kilter._ops import constant, lookup, one_hot, where
from kilter._targets import at_least_single, is_positions, to_shares
from kilter.losses.base import RowLoss, as_labels, of_row

FAR = 1e9  # taken off a logit to leave it out of a sum: finite, so that no gradient is NaN


def cross_entropy(
    labels: Any,
    logits: Any,
    *,
    weights: Any = None,
    margins: Any = None,
    scale: Any = None,
    gamma: Any = 0.0,
) -> Any:
    """Compute the general cross-entropy of every row.

    ``w_y (1 - p_y)^gamma CE(scale * z + margins[y])`` with ``p = softmax(scale * z +
    margins[y])``. Plain cross-entropy is weights 1, margins 0, scale 1, gamma 0. Use it in a
    training loop of your own; `CrossEntropy` is the same for ``model.compile``.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows. A soft row's loss is the mean
        over its classes, with margins and scale mixed by its shares.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax. Half precision is raised to single.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.
    margins : float tensor of shape (classes,) or (classes, classes), optional
        ``margins[y, j]`` is added to logit j of a row of class y; a flat one to every row.
    scale : float tensor of shape (), (classes,) or (classes, classes), optional
        Factor of the logits, laid out as ``margins``.
    gamma : float or float tensor of shape ()
        Focusing: 0 for none, 2 in the focal loss paper.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Lin et al. 2017 (focal); Cui et al. 2019 (weights); Menon et al. 2021 and Ren et al. 2020
    (margins); Kini et al. 2021 (scale).

    Examples
    --------
    >>> import numpy as np
    >>> losses = cross_entropy(np.array([1]), np.zeros((1, 2), "float32"), gamma=2.0)
    >>> round(float(losses[0]), 4)  # log(2) / 4
    0.1733
    """
    adjusted = at_least_single(logits)
    labels = as_labels(labels, adjusted)
    if scale is not None:
        adjusted = adjusted * of_row(scale, labels, adjusted)
    if margins is not None:
        adjusted = adjusted + of_row(margins, labels, adjusted)
    if is_positions(labels) and is_zero(gamma):  # a single kernel on some backends
        plain = ops.sparse_categorical_crossentropy(labels, adjusted, from_logits=True)
        return plain if weights is None else plain * lookup(_like(weights, plain), labels)
    log_total = ops.logsumexp(adjusted, axis=-1, keepdims=True)
    truth = to_shares(labels, logits.shape[-1], adjusted.dtype)
    terms = truth * (adjusted - log_total)
    if not is_zero(gamma):
        terms = terms * ops.exp(
            ops.cast(gamma, terms.dtype) * log_rest(labels, adjusted, log_total)
        )
    if weights is None:
        return -ops.sum(terms, axis=-1)
    return -ops.sum(terms * _like(weights, terms), axis=-1)


def log_rest(labels: Any, logits: Any, log_total: Any) -> Any:
    """Return log(1 - p), of shape (..., classes), or (..., 1) for the true class if it is one.

    log1p(-p) would lose all digits, and its gradient, where p is near 1. There it is a
    log-sum over the other classes instead; p is above 1/2 for one class at most.
    """
    if is_positions(labels):
        apart = to_shares(labels, logits.shape[-1], logits.dtype)
    else:
        apart = one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], logits.dtype)
    others = ops.logsumexp(logits - apart * FAR, axis=-1, keepdims=True) - log_total
    if is_positions(labels):
        return others
    small = ops.exp(where(apart > 0, -1.0, logits - log_total))
    return where(apart > 0, others, ops.log1p(-ops.minimum(small, 0.75)))


def _like(numbers: Any, tensor: Any) -> Any:
    return ops.cast(numbers, tensor.dtype)


def is_zero(number: Any) -> bool:
    """Say whether a number is known to be 0 when the step is compiled."""
    return isinstance(number, int | float) and number == 0


@register
class CrossEntropy(RowLoss):
    """Cross-entropy with class weights, margins, logit scales and focusing.

    Use it for class weights that act with any data pipeline, in models of many outputs, for
    pixels and tokens, and in the validation loss as well. Without arguments it is Keras's
    cross-entropy for integer labels, one-hot rows and a single sigmoid column at once. Its
    special cases have classes of their own: `Focal`, `LogitAdjusted`, `BalancedSoftmax`,
    `LDAM`, `VS`.

    Parameters
    ----------
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a row by its true class; 1 if not given.
    margins : sequence of shape (classes,) or (classes, classes), optional
        ``margins[y, j]`` is added to logit j of a row of class y; a flat one to every row. 0
        if not given.
    scale : sequence of shape (classes,) or (classes, classes), optional
        Factor of the logits, laid out as ``margins``; 1 if not given. It needs
        ``from_logits=True``.
    gamma : float
        Focusing; at least 0.
    from_logits : bool
        Whether predictions are logits rather than probabilities. Logits keep their gradient
        where a float32 probability has rounded to 0 or 1.
    reduction, name, dtype
        As in every Keras loss.

    Notes
    -----
    Targets are integers of shape (...,) or (..., 1), or one-hot or soft rows (..., classes);
    predictions have the shape (..., classes), or (..., 1) for class 1 of two. With the
    default reduction a batch's loss is the mean over its rows, not over their weights.

    Raises
    ------
    ArgumentError
        If ``gamma`` is negative, or ``scale`` is given for probabilities.

    References
    ----------
    See `cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = CrossEntropy(class_weights=[1.0, 9.0], from_logits=True)
    >>> round(float(loss(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 2.0]], "float32"))), 4)
    0.6346
    """

    def __init__(
        self,
        class_weights: Any = None,
        margins: Any = None,
        scale: Any = None,
        gamma: float = 0.0,
        *,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str = "cross_entropy",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(
            class_weights=class_weights,
            from_logits=from_logits,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.margins = _as_table("margins", margins)
        self.scale = _as_table("scale", scale)
        self.gamma = not_negative("gamma", gamma, "The paper uses 2.")
        if scale is not None and not from_logits:
            raise ArgumentError(
                "`scale` needs `from_logits=True`: probabilities say logits up to a constant "
                "only, and a scale by class does not leave it out. End the network without a "
                "softmax."
            )

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        self.check_classes("margins", self.margins, logits)
        self.check_classes("scale", self.scale, logits)
        return cross_entropy(
            truth,
            logits,
            weights=self.weights,
            margins=None if self.margins is None else constant(self.margins),
            scale=None if self.scale is None else constant(self.scale),
            gamma=self.gamma,
        )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        arrays = {"margins": self.margins, "scale": self.scale}
        plain = {key: None if value is None else value.tolist() for key, value in arrays.items()}
        return {**super().get_config(), **plain, "gamma": self.gamma}


def _as_table(name: str, value: Any) -> np.ndarray | None:
    if value is None:
        return None
    table = np.asarray(value, "float32")
    if table.ndim not in (1, 2) or table.shape[0] != table.shape[-1]:
        raise ArgumentError(
            f"`{name}` must have the shape (classes,) or (classes, classes); got {table.shape}. "
            "Repeat a number that is the same for all classes."
        )
    return table
