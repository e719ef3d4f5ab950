"""Margins that are larger for rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._export import register
from kilter._numbers import above_zero, not_negative
from kilter._targets import at_least_single, to_shares
from kilter.losses.base import as_labels
from kilter.losses.counted import CountedLoss
from kilter.losses.general import cross_entropy
from kilter.weights import as_counts


def ldam(
    labels: Any,
    logits: Any,
    *,
    counts: Any,
    max_margin: float = 0.5,
    scale: float = 30.0,
    weights: Any = None,
) -> Any:
    """Compute the label-distribution-aware margin loss of every row.

    It is ``CE(s (z - m_y))``, where the margin m_y ~ n_y^(-1/4) is taken off the logit of the
    true class only. Use it in a training loop of your own; `LDAM` is the same for
    ``model.compile``, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows. In a soft row
        every class has its margin times its share.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    counts : sequence of shape (classes,)
        Training rows of each class.
    max_margin : float
        Margin of the rarest class.
    scale : float
        s, above 0.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Cao, Wei, Gaidon, Arechiga, Ma: Learning imbalanced datasets with label-distribution-aware
    margin loss, NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[0.0, 0.5]], "float32")
    >>> losses = ldam(np.array([1]), z, counts=[900, 100])
    >>> round(float(losses[0]), 4)  # the margin .5 uses the lead of .5 up: log(2)
    0.6931
    """
    return _with_margins(labels, logits, ldam_margins(counts, max_margin), scale, weights)


def _with_margins(labels: Any, logits: Any, margins: np.ndarray, scale: float, weights: Any) -> Any:
    """Take each row's margin off, without the table of the general form: most of it is 0."""
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    truth = to_shares(labels, logits.shape[-1], logits.dtype)
    lowered = logits - truth * ops.cast(margins, logits.dtype)
    return cross_entropy(labels, scale * lowered, weights=weights)


def ldam_margins(counts: Any, max_margin: float = 0.5) -> np.ndarray:
    """Return LDAM's margin of each class, n^(-1/4) scaled so that the rarest has the most."""
    counts = as_counts(counts)
    margins: np.ndarray = max_margin * (counts / counts.min()) ** -0.25
    return margins


@register
class LDAM(CountedLoss):
    """Label-distribution-aware margin loss: rare classes must win by more.

    Use it with a last layer that gives cosines: features and kernel scaled to length 1, no
    bias. Start without class weights and set those of the effective numbers for the last
    fifth of the epochs (deferred re-weighting, DRW): the paper's gain comes from both.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    max_margin : float
        Margin of the rarest class, at least 0; the others' are smaller by n^(-1/4).
    scale : float
        Factor of the logits after the margin, above 0. 30 suits cosines; with unbounded
        logits take 1.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If a count is not above 0, ``max_margin`` is negative or ``scale`` not above 0.

    Notes
    -----
    Margins and scale act in training only. The class of the highest logit is the prediction;
    the plain softmax of cosines is far too flat for probabilities, and that of ``scale``
    times the logits is nearer: calibrate either.

    References
    ----------
    See `ldam`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = LDAM([900, 100], from_logits=True)
    >>> round(float(loss(np.array([1]), np.array([[0.5]], "float32"))), 4)  # all margin: log(2)
    0.6931
    """

    def __init__(
        self,
        counts: Any,
        max_margin: float = 0.5,
        scale: float = 30.0,
        *,
        name: str = "ldam",
        **options: Any,
    ) -> None:
        super().__init__(counts, name=name, **options)
        self.max_margin = not_negative("max_margin", max_margin)
        self.scale = above_zero("scale", scale, "The paper takes 30.")
        self.margins = ldam_margins(self.counts, self.max_margin)

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return _with_margins(truth, logits, self.margins, self.scale, self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "max_margin": self.max_margin, "scale": self.scale}
