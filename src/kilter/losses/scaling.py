"""Logits scaled by class in training, so that rare classes keep room around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._numbers import not_negative
from kilter._ops import constant
from kilter._targets import has_one_column, or_nan
from kilter.losses.counted import CountedLoss, log_prior
from kilter.losses.general import cross_entropy
from kilter.weights import as_counts


def vs(
    labels: Any,
    logits: Any,
    *,
    counts: Any,
    gamma: float = 0.3,
    tau: float = 1.0,
    weights: Any = None,
) -> Any:
    """Compute the vector-scaling loss of every row.

    It is ``CE(z (n / n_max)^gamma + tau log(n / N))``: logits are scaled and shifted by
    class. Use it in a training loop of your own; `VS` is the same for ``model.compile``, takes
    one column too, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    counts : sequence of shape (classes,)
        Training rows of each class.
    gamma : float
        Strength of the scale; with 0 it is `logit_adjusted`.
    tau : float
        How much of the log prior is added; with 0 it is class-dependent temperatures (CDT).
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Kini, Paraskevas, Oymak, Thrampoulidis: Label-imbalanced and group-sensitive
    classification under overparameterization, NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[1.0, 2.0]], "float32")
    >>> losses = vs(np.array([1]), z, counts=[400, 100], gamma=0.5, tau=0.0)
    >>> round(float(losses[0]), 4)  # 2 counts half, so log(2)
    0.6931
    """
    margins, scale = tau * log_prior(counts), vs_scale(counts, gamma)
    return cross_entropy(labels, logits, weights=weights, margins=margins, scale=scale)


def vs_scale(counts: Any, gamma: float = 0.3) -> np.ndarray:
    """Return VS's factor of each class's logit, (n / n_max)^gamma, 1 for the most frequent."""
    counts = as_counts(counts)
    scale: np.ndarray = (counts / counts.max()) ** gamma
    return scale


@register
class VS(CountedLoss):
    """Vector-scaling loss: logits are scaled and shifted by class in training.

    A shift alone is forgotten once a network fits every training row; a scale keeps rare
    classes further from the boundary even then. Use it for large networks trained to the end.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    gamma : float
        Strength of the scale, at least 0; with 0 it is `LogitAdjusted`.
    tau : float
        How much of the log prior is added, at least 0.
    from_logits : bool
        Must be True: end the network without softmax or sigmoid.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0, ``gamma`` or ``tau`` is negative, or ``from_logits`` is not
        True: probabilities say logits up to a constant, which a scale does not leave out.

    Notes
    -----
    A network of one column z has the paper's binary form, ``log(1 + exp(i_y - d_y (2y - 1)
    z))``: the factor is the true class's. It differs from two columns, which have a factor
    each. Scale and shift act in training only: predict with the network's plain softmax or
    sigmoid, and calibrate its probabilities.

    References
    ----------
    See `vs`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = VS([400, 100], gamma=0.5, tau=0.0, from_logits=True)
    >>> round(float(loss(np.array([1]), np.array([[1.0, 2.0]], "float32"))), 4)  # log(2)
    0.6931
    """

    def __init__(
        self,
        counts: Any,
        gamma: float = 0.3,
        tau: float = 1.0,
        *,
        from_logits: bool = False,
        name: str = "vs",
        **options: Any,
    ) -> None:
        super().__init__(counts, from_logits=from_logits, name=name, **options)
        if not from_logits:
            raise ArgumentError(
                "`from_logits` must be True: a scale by class needs logits, and probabilities "
                "say those up to a constant only. End the network without a softmax."
            )
        self.gamma, self.tau = not_negative("gamma", gamma), not_negative("tau", tau)
        self.margins, self.scale = self.tau * log_prior(counts), vs_scale(counts, gamma)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every row; one column is scaled by the true class."""
        truth, logits, known = self.read(y_true, y_pred)
        scale = np.tile(self.scale[:, None], 2) if has_one_column(y_pred) else self.scale
        tables = {"margins": constant(self.margins), "scale": constant(scale)}
        return or_nan(cross_entropy(truth, logits, weights=self.weights, **tables), known)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "gamma": self.gamma, "tau": self.tau}
