"""Seesaw loss: rare classes are punished less by the rows of frequent ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._export import register
from kilter._numbers import not_negative
from kilter._targets import at_least_single, to_shares
from kilter.losses.base import as_labels, of_row
from kilter.losses.counted import CountedLoss
from kilter.losses.general import cross_entropy
from kilter.weights import as_counts

FLOOR = 1e-2  # of the probability of the true class where others are compared with it


def seesaw(
    labels: Any,
    logits: Any,
    *,
    counts: Any,
    mitigation: float = 0.8,
    compensation: float = 2.0,
    weights: Any = None,
) -> Any:
    """Compute the seesaw loss of every row.

    It is ``CE(z + log(M C))`` with, for the classes j other than y, the mitigation
    ``M = min(1, n_j / n_y)^p`` and the compensation ``C = max(1, p_j / p_y)^q``. Use it in a
    training loop of your own; `Seesaw` is the same for ``model.compile``, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows. A soft row's factors are mixed
        by its shares, and shrink for a class by the share that the class itself has.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    counts : sequence of shape (classes,)
        Training rows of each class.
    mitigation : float
        The exponent p, at least 0.
    compensation : float
        The exponent q, at least 0.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Wang et al.: Seesaw loss for long-tailed instance segmentation, CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.zeros((1, 2), "float32")
    >>> losses = seesaw(np.array([0]), z, counts=[900, 100], mitigation=1.0)
    >>> round(float(losses[0]), 4)  # log(1 + 1/9): class 1 is hardly punished by this row
    0.1054
    """
    table = log_mitigation(counts, mitigation)
    return _seesaw(labels, logits, table, compensation, weights)


def _seesaw(labels: Any, logits: Any, table: np.ndarray, exponent: float, weights: Any) -> Any:
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    truth = to_shares(labels, logits.shape[-1], logits.dtype)
    log_p = ops.log_softmax(logits, axis=-1)
    own = ops.sum(truth * log_p, axis=-1, keepdims=True)
    excess = ops.relu(log_p - ops.maximum(own, float(np.log(FLOOR))))
    shift = (of_row(table, labels, logits) + exponent * excess) * (1 - truth)
    return cross_entropy(labels, logits + ops.stop_gradient(shift), weights=weights)


def log_mitigation(counts: Any, mitigation: float = 0.8) -> np.ndarray:
    """Return p log min(1, n_j / n_y), float64 of shape (classes, classes), y first."""
    counts = as_counts(counts)
    table: np.ndarray = mitigation * np.minimum(0, np.log(counts[None, :] / counts[:, None]))
    return table


@register
class Seesaw(CountedLoss):
    """Seesaw loss: a frequent class's rows hardly push the rare classes down.

    In plain cross-entropy every row pushes down all classes but its own, so the many rows of
    a frequent class bury a rare one. Here that push shrinks with the ratio of their counts
    (mitigation), and grows back where the rare class is wrongly predicted (compensation). Use
    it for many classes with a long tail.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    mitigation : float
        The paper's p, at least 0; 0 for no mitigation.
    compensation : float
        The paper's q, at least 0; 0 for no compensation.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0, or an exponent is negative.

    Notes
    -----
    The factors act in training only: predict with the plain softmax, which then favours rare
    classes more than their share; calibrate the probabilities. No gradient flows through the
    compensation, and p of the true class counts as .01 there if it is less, as in the
    authors' code. That code counts the rows as they come; here the counts are known from the
    start. Its normalised layer and objectness branch are no part of a loss.

    References
    ----------
    See `seesaw`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = Seesaw([900, 100], from_logits=True)
    >>> round(float(loss(np.array([1]), np.array([[1.0, 0.0]], "float32"))), 4)  # log(1 + e^3)
    3.0486
    """

    def __init__(
        self,
        counts: Any,
        mitigation: float = 0.8,
        compensation: float = 2.0,
        *,
        name: str = "seesaw",
        **options: Any,
    ) -> None:
        super().__init__(counts, name=name, **options)
        self.mitigation = not_negative("mitigation", mitigation)
        self.compensation = not_negative("compensation", compensation)
        self.table = log_mitigation(self.counts, self.mitigation)

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return _seesaw(truth, logits, self.table, self.compensation, self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        exponents = {"mitigation": self.mitigation, "compensation": self.compensation}
        return {**super().get_config(), **exponents}
