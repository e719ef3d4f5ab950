"""Gradient harmonising: rows count less where many others have a gradient of their size."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._ops import one_hot
from kilter._targets import at_least_single, to_shares
from kilter.losses.base import RowLoss, as_labels
from kilter.losses.general import cross_entropy


def ghm_c(labels: Any, logits: Any, *, bins: int = 10, weights: Any = None) -> Any:
    """Compute the gradient-harmonised cross-entropy (GHM-C) of every row.

    The size of a row's gradient, ``|p - y|_1 / 2``, falls into one of equal bins of [0, 1];
    the row's weight is N / (rows in its bin * bins that are not empty), so 1 on average. Use
    it in a training loop of your own; `GHMC` is the same for ``model.compile``, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    bins : int
        Number of bins.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class, on top.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Li, Liu, Wang: Gradient harmonized single-stage detector, AAAI 2019.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.95, 0.05], [0.95, 0.05], [0.95, 0.05], [0.15, 0.85]])
    >>> losses = ghm_c(np.zeros(4, "int32"), np.log(p))
    >>> weights = losses / -np.log(p[:, 0])  # 4 rows; 2 bins, with 3 and 1 in them
    >>> [round(float(weight), 2) for weight in weights]
    [0.67, 0.67, 0.67, 2.0]
    """
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    truth = to_shares(labels, logits.shape[-1], logits.dtype)
    sizes = ops.sum(ops.abs(ops.softmax(logits, axis=-1) - truth), axis=-1) / 2
    harmony = ops.stop_gradient(_inverse_density(sizes, bins))
    return harmony * cross_entropy(labels, logits, weights=weights)


def _inverse_density(sizes: Any, bins: int) -> Any:
    """Return N / (rows in the bin * bins that are not empty) of numbers from 0 to 1."""
    place = ops.minimum(ops.cast(sizes * bins, "int32"), bins - 1)
    members = one_hot(place, bins, sizes.dtype)
    filled = ops.sum(ops.reshape(members, (-1, bins)), axis=0)
    n_filled = ops.sum(ops.cast(filled > 0, sizes.dtype))
    return ops.sum(filled) / (ops.sum(members * filled, axis=-1) * n_filled)


@register
class GHMC(RowLoss):
    """Cross-entropy that weighs every kind of difficulty alike (GHM-C).

    Easy rows are many and have small gradients, mislabelled ones are some and have large
    gradients; both kinds crowd a few bins of the gradient's size, and are weighed down. Use
    it where easy rows drown the rest, as focal loss, but some labels are wrong too.

    Parameters
    ----------
    bins : int
        Number of equal bins of the gradient's size; at least 1.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If ``bins`` is not a whole number of at least 1.

    Notes
    -----
    The paper's gradient is that of one sigmoid, |p - y|. For many classes it is half the
    1-norm of the softmax's gradient, 1 - p of the true class: the same number for two.

    The weights are statistics of a batch: a row's loss hangs on the rows beside it, and a
    batch needs several rows a bin, a hundred or more in all. Rows that a mask or a sample
    weight of 0 leaves out are counted in the bins none the less. No gradient flows through
    the weights.

    References
    ----------
    See `ghm_c`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = GHMC(from_logits=True, reduction="sum")
    >>> z = np.array([[3.0], [3.0], [-1.0]], "float32")
    >>> round(float(loss(np.array([1, 1, 1]), z)), 4)
    2.0428
    """

    def __init__(self, bins: int = 10, *, name: str = "ghm_c", **options: Any) -> None:
        super().__init__(name=name, **options)
        if not (bins >= 1 and bins == int(bins)):
            raise ArgumentError(
                f"`bins` must be a whole number of at least 1; got {bins}. The paper takes 10."
            )
        self.bins = int(bins)

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return ghm_c(truth, logits, bins=self.bins, weights=self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "bins": self.bins}
