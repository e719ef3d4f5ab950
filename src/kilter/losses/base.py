"""The general cross-entropy, which most losses for rare classes are a case of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register


def cross_entropy(
    labels: Any, logits: Any, *, weights: Any, margins: Any, scale: Any, gamma: Any
) -> Any:
    """Compute the general cross-entropy of every row.

    ``w_y (1 - p_y)^gamma CE(scale * z + margins[y])`` with ``p = softmax(scale * z +
    margins[y])``. Plain cross-entropy is weights 1, margins 0, scale 1, gamma 0.

    Parameters
    ----------
    labels : int tensor of shape (rows,)
        Positions of the true classes.
    logits : float tensor of shape (rows, classes)
        What the network says, before any softmax.
    weights : float tensor of shape (classes,)
        Weight of a row by its true class.
    margins : float tensor of shape (classes, classes)
        ``margins[y, j]`` is added to logit j of a row of class y.
    scale : float tensor of shape (classes,) or ()
        Factor of each logit.
    gamma : float or float tensor of shape ()
        Focusing: 0 for none, 2 in the focal loss paper.

    Returns
    -------
    float tensor of shape (rows,)

    References
    ----------
    Lin et al. 2017 (focal); Cui et al. 2019 (weights); Menon et al. 2021 and Ren et al. 2020
    (margins); Kini et al. 2021 (scale).
    """
    adjusted = logits * scale + ops.take(margins, labels, axis=0)
    truth = ops.one_hot(labels, logits.shape[-1], dtype=adjusted.dtype)
    log_total = ops.logsumexp(adjusted, axis=-1)
    # log(1 - p_y) as a log-sum over the other classes: log1p(-p_y) would lose all digits,
    # and its gradient, where p_y is near 1. The finite stand-in for minus infinity keeps
    # half precision finite too.
    others = ops.logsumexp(adjusted - truth * 1e4, axis=-1) - log_total
    log_true = ops.sum(truth * adjusted, axis=-1) - log_total
    return -ops.take(weights, labels, axis=0) * ops.exp(gamma * others) * log_true


@register
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy with class weights, margins, logit scales and focusing.

    The weights live in the loss, so they act with any data pipeline, in models of many
    outputs, and in the validation loss as well. Special cases have names of their own in
    the literature: class weights (``weights``), focal loss (``gamma``), logit adjustment and
    balanced softmax (``margins[y, j] = log prior_j``), LDAM, VS.

    Parameters
    ----------
    weights : sequence of shape (classes,), optional
        Weight of a row by its true class; 1 if not given.
    margins : sequence of shape (classes, classes) or (classes,), optional
        Added to the logits; a flat one is the same for every true class. 0 if not given.
    scale : sequence of shape (classes,), optional
        Factor of the logits; 1 if not given.
    gamma : float
        Focusing; at least 0.

    Notes
    -----
    Targets are integer labels of shape (rows,) or (rows, 1); predictions are logits of shape
    (rows, classes).

    Raises
    ------
    ArgumentError
        If ``gamma`` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> loss = CrossEntropy(weights=[1.0, 9.0])
    >>> round(float(loss(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 2.0]], "float32"))), 4)
    0.6346
    """

    def __init__(
        self,
        weights: Sequence[float] | np.ndarray | None = None,
        margins: Sequence[Any] | np.ndarray | None = None,
        scale: Sequence[float] | np.ndarray | None = None,
        gamma: float = 0.0,
        reduction: str = "sum_over_batch_size",
        name: str = "cross_entropy",
        **kwargs: Any,
    ) -> None:
        super().__init__(reduction=reduction, name=name, **kwargs)
        if not gamma >= 0:
            raise ArgumentError(f"`gamma` must be at least 0; got {gamma}. The paper uses 2.")
        self.weights = None if weights is None else np.asarray(weights, "float32")
        self.margins = None if margins is None else np.asarray(margins, "float32")
        self.scale = None if scale is None else np.asarray(scale, "float32")
        self.gamma = float(gamma)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every row."""
        n_classes = y_pred.shape[-1]
        self._check_shapes(y_true.shape, n_classes)
        weights = np.ones(n_classes) if self.weights is None else self.weights
        margins = np.zeros(n_classes) if self.margins is None else self.margins
        scale = np.ones(n_classes) if self.scale is None else self.scale
        return cross_entropy(
            ops.cast(ops.reshape(y_true, (-1,)), "int32"),
            y_pred,
            weights=ops.convert_to_tensor(weights, dtype=y_pred.dtype),
            margins=ops.convert_to_tensor(
                np.broadcast_to(margins, (n_classes, n_classes)).copy(), dtype=y_pred.dtype
            ),
            scale=ops.convert_to_tensor(scale, dtype=y_pred.dtype),
            gamma=self.gamma,
        )

    def _check_shapes(self, targets: tuple[int | None, ...], n_classes: int) -> None:
        """Raise where a broadcast would give a number that means nothing."""
        if n_classes < 2:
            raise ArgumentError(
                "`y_pred` must have one logit a class; got one column. End the network in "
                "`Dense(2)` for two classes."
            )
        if len(targets) > 1 and targets[-1] not in (1, None):
            raise ArgumentError(
                f"`y_true` must be integer labels of shape (rows,); got {targets[-1]} columns. "
                "From one-hot rows take `y.argmax(axis=1)`."
            )
        for name in ("weights", "scale"):
            value = getattr(self, name)
            if value is not None and value.shape != (n_classes,):
                raise ArgumentError(
                    f"`{name}` must have one value a class, {n_classes}; got {value.size}."
                )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        arrays = {"weights": self.weights, "margins": self.margins, "scale": self.scale}
        plain = {key: None if value is None else value.tolist() for key, value in arrays.items()}
        return {**super().get_config(), **plain, "gamma": self.gamma}
