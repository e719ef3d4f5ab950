"""The asymmetric loss, and with it weighted cross-entropy, for many labels a row."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._numbers import not_negative
from kilter._ops import where
from kilter._targets import (
    TINY,
    at_least_single,
    has_one_column,
    is_known,
    is_positions,
    is_share,
    or_nan,
    to_truth,
)
from kilter.losses.base import RowLoss
from kilter.losses.general import is_zero


def asymmetric(
    labels: Any,
    logits: Any,
    *,
    gamma_neg: Any = 4.0,
    gamma_pos: Any = 1.0,
    clip: float = 0.05,
    weights: Any = None,
) -> Any:
    """Compute the asymmetric loss of every row: the mean over its labels.

    A present label costs ``-(1 - p)^gamma_pos log(p)``, an absent one ``-m^gamma_neg
    log(1 - m)`` with ``p = sigmoid(z)`` and ``m = max(p - clip, 0)``. With both gammas and
    the clip 0 it is binary cross-entropy. Use it in a training loop of your own; `Asymmetric`
    is the same for ``model.compile``.

    Parameters
    ----------
    labels : tensor of shape (..., labels)
        1 where a label is present and 0 where it is absent, or its probability.
    logits : float tensor of shape (..., labels)
        What the network says, before any sigmoid. Half precision is raised to single.
    gamma_neg, gamma_pos : float or float tensor of shape ()
        Focusing of absent and of present labels; at least 0.
    clip : float in [0, 1)
        Probability up to which an absent label costs nothing.
    weights : float tensor of shape (labels, 2), optional
        Weight of each label where it is absent and where it is present.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Ridnik, Ben-Baruch et al.: Asymmetric loss for multi-label classification, ICCV 2021. The
    gradient flows through the focusing, as in the formula; the official code has a switch
    that stops it. That code also sums over labels and rows, which makes the step grow with
    the batch; here it is the mean, as in Keras's binary cross-entropy.

    Examples
    --------
    >>> import numpy as np
    >>> losses = asymmetric(np.array([[1, 0]]), np.zeros((1, 2), "float32"))
    >>> round(float(losses[0]), 4)  # (.5 log 2 - .45^4 log .55) / 2
    0.1855
    """
    logits = at_least_single(logits)
    labels = ops.cast(labels, logits.dtype)
    if tuple(labels.shape) != tuple(logits.shape):
        raise ArgumentError(
            f"`labels` must have the shape of `logits`, {tuple(logits.shape)}; got "
            f"{tuple(labels.shape)}. Every label has a column of 0 and 1."
        )
    present = -ops.log_sigmoid(logits) * ops.exp(gamma_pos * ops.log_sigmoid(-logits))
    absent = _absent(logits, gamma_neg, clip)
    if weights is not None:
        weights = ops.cast(weights, logits.dtype)
        absent, present = weights[:, 0] * absent, weights[:, 1] * present
    return ops.mean(labels * present + (1 - labels) * absent, axis=-1)


def _absent(logits: Any, gamma: Any, clip: float) -> Any:
    """Return the loss of absent labels; where the clip makes it 0, so is its gradient."""
    if is_zero(clip):
        return -ops.log_sigmoid(-logits) * ops.exp(gamma * ops.log_sigmoid(logits))
    clipped = ops.sigmoid(logits) - clip
    counts = clipped > 0
    log_p = ops.log(where(counts, clipped, 1.0))
    log_rest = ops.log(where(counts, ops.sigmoid(-logits) + clip, 1.0))
    return -log_rest * ops.exp(gamma * log_p)


@register
class Asymmetric(RowLoss):
    """Asymmetric loss for many labels a row, most of them absent.

    Use it where a row has several labels out of many: absent labels are focused harder than
    present ones, and the easy ones among them cost nothing. With ``gamma_neg=0, gamma_pos=0,
    clip=0`` it is binary cross-entropy, and the way to class weights with many labels:
    Keras's ``class_weight`` takes the largest label of a row for its class, so that rows with
    all labels and with none get the weight of class 0.

    Parameters
    ----------
    gamma_neg, gamma_pos : float
        Focusing of absent and of present labels; at least 0.
    clip : float in [0, 1)
        Probability up to which an absent label costs nothing and has no gradient.
    class_weights : ClassWeights or array of shape (labels, 2), optional
        Weight of each label where it is absent and where it is present, as from
        ``kilter.class_weights(y, multi_label=True)``; of shape (2,) for a single label. 1 if
        not given.
    from_logits : bool
        Whether predictions are logits rather than probabilities. Logits keep their gradient
        where a float32 probability has rounded to 0 or 1.
    reduction, name, dtype
        As in every Keras loss.

    Notes
    -----
    Targets are 0 and 1, or probabilities, of the shape of the predictions, (..., labels). A
    single label may also have predictions of shape (rows,), and targets without the last axis.
    A row's loss is the mean over its labels, and with the default reduction a batch's the
    mean over its rows; the official code sums both.

    With a clip the loss of an absent label is bounded by ``-log(clip)``, so that its gradient
    vanishes where the network is sure of the label: the paper takes that for a wrong target.
    ``clip=0`` keeps the gradient.

    Raises
    ------
    ArgumentError
        If a gamma is negative, ``clip`` is outside [0, 1), or shapes do not fit.

    References
    ----------
    See `asymmetric`.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter import class_weights
    >>> y = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    >>> weights = class_weights(y, multi_label=True)  # a pair a label: absent, present
    >>> loss = Asymmetric(gamma_neg=0, gamma_pos=0, clip=0, class_weights=weights)
    >>> round(float(loss(y, np.full((4, 2), 0.5, "float32"))), 4)  # balanced: log 2
    0.6931
    """

    def __init__(
        self,
        gamma_neg: float = 4.0,
        gamma_pos: float = 1.0,
        clip: float = 0.05,
        *,
        name: str = "asymmetric",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        if self.class_weights is not None:
            self.class_weights = _by_label(self.class_weights)
        self.gamma_neg = not_negative("gamma_neg", gamma_neg, "The paper uses 4.")
        self.gamma_pos = not_negative("gamma_pos", gamma_pos, "The paper uses 1.")
        if not 0 <= clip < 1:
            raise ArgumentError(f"`clip` must be in [0, 1); got {clip}. The paper uses .05.")
        self.clip = float(clip)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every row."""
        logits = _to_logits(y_pred, self.from_logits)
        self._check_weights(logits.shape[-1])
        labels = _to_labels(y_true, y_pred)
        return or_nan(self.rows(labels, logits), is_known(labels, logits.shape[-1]))

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row from its labels and logits."""
        return asymmetric(
            truth,
            logits,
            gamma_neg=self.gamma_neg,
            gamma_pos=self.gamma_pos,
            clip=self.clip,
            weights=self.weights,
        )

    def reweight(self, class_weights: np.ndarray) -> keras.Variable:
        """Change the class weights; see `RowLoss`."""
        return super().reweight(_by_label(class_weights))

    def _check_weights(self, n_labels: int) -> None:
        if self.class_weights is not None and self.class_weights.shape != (n_labels, 2):
            raise ArgumentError(
                f"`class_weights` must have the shape (labels, 2), here ({n_labels}, 2): a weight "
                "where a label is absent and one where it is present; got "
                f"{self.class_weights.shape}. Take them from `kilter.class_weights(y, "
                "multi_label=True)`."
            )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        own = {"gamma_neg": self.gamma_neg, "gamma_pos": self.gamma_pos, "clip": self.clip}
        return {**super().get_config(), **own}


def _by_label(class_weights: np.ndarray) -> np.ndarray:
    return class_weights[None, :] if class_weights.shape == (2,) else class_weights


def _to_logits(y_pred: Any, from_logits: bool) -> Any:
    """Return logits of shape (..., labels), each of a label by itself."""
    y_pred = at_least_single(y_pred)
    y_pred = y_pred[:, None] if len(y_pred.shape) == 1 else y_pred
    if from_logits:
        return y_pred
    p = or_nan(y_pred, is_share(y_pred))
    return ops.log(ops.maximum(p, TINY)) - ops.log(ops.maximum(1 - p, TINY))


def _to_labels(y_true: Any, y_pred: Any) -> Any:
    """Return labels of shape (..., labels): 0, 1 or between."""
    truth = to_truth(y_true, y_pred)
    if has_one_column(y_pred):
        return truth[..., 1:]
    if is_positions(truth):
        raise ArgumentError(
            f"`y_true` must have a 0 or 1 for each of the {y_pred.shape[-1]} labels of `y_pred`; "
            f"got the shape {tuple(y_true.shape)}. For one class a row take `CrossEntropy`."
        )
    return truth
