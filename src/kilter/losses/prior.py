"""Losses that add the log prior to the logits in training, so that all classes count alike."""

from __future__ import annotations

from typing import Any

from kilter._export import register
from kilter._numbers import not_negative
from kilter._ops import constant
from kilter.losses.counted import CountedLoss, log_prior
from kilter.losses.general import cross_entropy


def logit_adjusted(
    labels: Any, logits: Any, *, counts: Any, tau: float = 1.0, weights: Any = None
) -> Any:
    """Compute the logit-adjusted cross-entropy of every row, ``CE(z + tau log(n / N))``.

    Use it in a training loop of your own; `LogitAdjusted` is the same for ``model.compile``,
    and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    counts : sequence of shape (classes,)
        Training rows of each class.
    tau : float
        How much of the log prior is added.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Menon et al.: Long-tail learning via logit adjustment, ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> losses = logit_adjusted(np.array([1]), np.zeros((1, 2), "float32"), counts=[900, 100])
    >>> round(float(losses[0]), 4)  # log(10): even logits are a vote for the frequent class
    2.3026
    """
    return cross_entropy(labels, logits, weights=weights, margins=tau * log_prior(counts))


def balanced_softmax(labels: Any, logits: Any, *, counts: Any, weights: Any = None) -> Any:
    """Compute the balanced-softmax cross-entropy of every row, ``CE(z + log n)``.

    It equals `logit_adjusted` with tau 1, as log n and log(n / N) differ by a constant. Use
    it in a training loop of your own; `BalancedSoftmax` is the same for ``model.compile``.

    Parameters
    ----------
    labels, logits, counts, weights
        As in `logit_adjusted`.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Ren et al.: Balanced meta-softmax for long-tailed visual recognition, NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> losses = balanced_softmax(np.array([1]), np.zeros((1, 2), "float32"), counts=[900, 100])
    >>> round(float(losses[0]), 4)
    2.3026
    """
    return logit_adjusted(labels, logits, counts=counts, weights=weights)


@register
class LogitAdjusted(CountedLoss):
    """Cross-entropy of logits that the log prior is added to in training.

    The network need not learn which classes are rare; what it learns treats all alike. Use it
    where every class counts the same, as in balanced accuracy; of the losses for that it is
    the one to try first.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    tau : float
        How much of the log prior is added, at least 0; 0 is cross-entropy.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0, or ``tau`` is negative.

    Notes
    -----
    The prior acts in training only: predict with the network's plain softmax. With tau 1 its
    probabilities are those of a world where all classes are equally frequent; calibrate them
    for the world as it is.

    References
    ----------
    See `logit_adjusted`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = LogitAdjusted([900, 100])
    >>> round(float(loss(np.array([1]), np.array([[0.5, 0.5]], "float32"))), 4)  # log(10)
    2.3026
    """

    def __init__(
        self, counts: Any, tau: float = 1.0, *, name: str = "logit_adjusted", **options: Any
    ) -> None:
        super().__init__(counts, name=name, **options)
        self.tau = not_negative("tau", tau)
        self.margins = self.tau * log_prior(self.counts)

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return cross_entropy(truth, logits, weights=self.weights, margins=constant(self.margins))

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "tau": self.tau}


@register
class BalancedSoftmax(LogitAdjusted):
    """Cross-entropy of a softmax whose terms are multiplied by the class counts in training.

    It is `LogitAdjusted` with tau 1 by its other name. Use it where every class counts the
    same, as in balanced accuracy.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0.

    Notes
    -----
    The counts act in training only: predict with the network's plain softmax. Its
    probabilities are those of a world where all classes are equally frequent; calibrate them
    for the world as it is.

    References
    ----------
    See `balanced_softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = BalancedSoftmax([900, 100], from_logits=True)
    >>> round(float(loss(np.array([0]), np.array([[0.0]], "float32"))), 4)  # log(10/9)
    0.1054
    """

    def __init__(self, counts: Any, *, name: str = "balanced_softmax", **options: Any) -> None:
        super().__init__(counts, name=name, **options)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        config = super().get_config()
        del config["tau"]
        return config
