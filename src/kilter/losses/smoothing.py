"""Label-aware smoothing: labels of frequent classes are trusted less."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._targets import at_least_single
from kilter.losses.base import as_labels, of_row
from kilter.losses.counted import CountedLoss
from kilter.losses.general import cross_entropy
from kilter.weights import as_counts


def label_aware_smoothing(
    labels: Any,
    logits: Any,
    *,
    counts: Any,
    head: float = 0.3,
    tail: float = 0.0,
    weights: Any = None,
) -> Any:
    """Compute the cross-entropy of every row with labels smoothed by class.

    The label of a row of class y becomes ``1 - e_y`` of its class plus ``e_y / classes`` of
    every class; e goes from ``tail`` at the rarest class to ``head`` at the most frequent one,
    along a quarter of a sine of the count. Use it in a training loop of your own;
    `LabelAwareSmoothing` is the same for ``model.compile``, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows, whose classes are smoothed
        each.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    counts : sequence of shape (classes,)
        Training rows of each class.
    head, tail : float in [0, 1]
        Smoothing of the most frequent and of the rarest class.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Zhong, Cui, Liu, Jia: Improving calibration for long-tailed recognition, CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.log([[0.8, 0.2], [0.2, 0.8]])
    >>> losses = label_aware_smoothing(np.array([0, 1]), z, counts=[9, 1])
    >>> [round(float(loss), 4) for loss in losses]  # .85 and .15 of class 0; all of class 1
    [0.4311, 0.2231]
    """
    return _smoothed(labels, logits, smooth_targets(counts, head, tail), weights)


def _smoothed(labels: Any, logits: Any, targets: np.ndarray, weights: Any) -> Any:
    """Return the cross-entropy with the row of a table as every row's label."""
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    if weights is not None:
        targets = ops.cast(targets, logits.dtype) * ops.cast(weights, logits.dtype)[:, None]
    return cross_entropy(of_row(targets, labels, logits), logits)


def smooth_targets(counts: Any, head: float = 0.3, tail: float = 0.0) -> np.ndarray:
    """Return the soft label of each class, float64 of shape (classes, classes)."""
    counts = as_counts(counts)
    span = counts.max() - counts.min()
    place = (counts - counts.min()) / span if span else np.ones(len(counts))
    smoothing = (tail + (head - tail) * np.sin(np.pi / 2 * place))[:, None]
    targets: np.ndarray = (1 - smoothing) * np.eye(len(counts)) + smoothing / len(counts)
    return targets


@register
class LabelAwareSmoothing(CountedLoss):
    """Cross-entropy with label smoothing that is strong for frequent and weak for rare classes.

    Networks are surer of frequent classes than they are right. Use it to train the last
    layers a second time on balanced batches, after the rest has been trained and frozen, or
    wherever label smoothing is used and classes are not alike.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    head : float in [0, 1]
        Smoothing of the most frequent class.
    tail : float in [0, 1]
        Smoothing of the rarest class.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0, or a smoothing is outside [0, 1].

    Notes
    -----
    With ``head`` and ``tail`` equal it is the ``label_smoothing`` of Keras. As in the
    authors' code, the smoothed share is spread over all classes, the true one included, and
    grows from tail to head concavely. Classes of equal counts are all smoothed by ``head``.

    References
    ----------
    See `label_aware_smoothing`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = LabelAwareSmoothing([900, 100], head=0.2)
    >>> p = np.array([[0.9, 0.1], [0.1, 0.9]], "float32")
    >>> round(float(loss(np.array([0, 1]), p)), 4)
    0.2152
    """

    def __init__(
        self,
        counts: Any,
        head: float = 0.3,
        tail: float = 0.0,
        *,
        name: str = "label_aware_smoothing",
        **options: Any,
    ) -> None:
        super().__init__(counts, name=name, **options)
        self.head, self.tail = _share("head", head), _share("tail", tail)
        self.targets = smooth_targets(self.counts, self.head, self.tail)

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return _smoothed(truth, logits, self.targets, self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "head": self.head, "tail": self.tail}


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ArgumentError(f"`{name}` must be from 0 to 1; got {value}. The paper takes .3 and 0.")
    return float(value)
