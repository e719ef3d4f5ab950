"""Losses on how a batch is ranked: AUC margin and Smooth-AP."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._export import register
from kilter._numbers import above_zero
from kilter._ops import where
from kilter._targets import TINY
from kilter.losses.batch import BatchLoss, as_class_shares, as_rows, class_mean


def auc_margin(
    labels: Any,
    probabilities: Any,
    *,
    margin: float = 1.0,
    weights: Any = None,
    class_weights: Any = None,
) -> Any:
    """Compute the AUC margin loss of a batch: Var+ + Var- + (margin + E- - E+)+^2.

    Means and variances are those of a class's probability among its rows and among the
    others. It is the paper's min-max with its a, b and alpha solved for the batch. Use it in
    a training loop of your own; `AUCMargin` is the same for ``model.compile``.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or shares: one-hot or soft rows, or many labels a row.
    probabilities : float tensor of shape (..., classes)
        Probabilities; half precision is raised to single.
    margin : float
        How far apart the two means should be, in units of probability.
    weights : float tensor of shape (...,), optional
        Weight of a row in every mean; 1 if not given.
    class_weights : float tensor of shape (classes,), optional
        Weight of a class in the mean over the classes, each against the rest. If not given,
        1; of two classes only class 1 counts.

    Returns
    -------
    float tensor of shape ()
        A term whose rows are missing in the batch is 0: without positives, or without
        negatives, one variance is left.

    References
    ----------
    Yuan, Yan, Sonka, Yang: Large-scale robust deep AUC maximization, ICCV 2021.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], "float32")
    >>> round(float(auc_margin(np.array([0, 1, 1]), p)), 4)  # .0025 + 0 + (1 + .2 - .65)^2
    0.305
    """
    shares, probabilities, weights = as_rows(labels, probabilities, weights)
    n_own, own, own_variance = _moments(probabilities, weights * shares)
    n_rest, rest, rest_variance = _moments(probabilities, weights * (1 - shares))
    gap = where(n_own * n_rest > 0, ops.relu(margin + rest - own), 0.0)
    of_class = own_variance + rest_variance + ops.square(gap)
    return class_mean(of_class, as_class_shares(class_weights, probabilities))


def smooth_average_precision(
    labels: Any,
    scores: Any,
    *,
    temperature: float = 0.01,
    weights: Any = None,
    class_weights: Any = None,
) -> Any:
    """Compute the Smooth-AP loss of a batch: 1 - average precision on soft ranks.

    A rank counts the rows above, each by a sigmoid of its lead; as the temperature falls it
    becomes the true rank, and the loss 1 - average precision. Use it in a training loop of
    your own; `SmoothAP` is the same for ``model.compile``.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or shares: one-hot or soft rows, or many labels a row.
    scores : float tensor of shape (..., classes)
        Scores that compare between rows, such as probabilities. Logits of many classes do
        not: a constant on a row's logits changes nothing but its ranks.
    temperature : float
        Lead that counts as about one rank, in units of the scores.
    weights : float tensor of shape (...,), optional
        How often a row counts; 1 if not given.
    class_weights : float tensor of shape (classes,), optional
        Weight of a class in the mean over the classes, each against the rest. If not given,
        1; of two classes only class 1 counts.

    Returns
    -------
    float tensor of shape ()
        Only classes with rows in the batch count; without any the loss is 0.

    References
    ----------
    Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: smoothing the path towards large-scale image
    retrieval, ECCV 2020.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1]], "float32")
    >>> round(float(smooth_average_precision(np.array([1, 0, 1, 0]), scores)), 4)  # 1 - 5/6
    0.1667
    """
    shares, scores, weights = as_rows(labels, scores, weights)
    of_class = as_class_shares(class_weights, scores)
    counts, own = ops.transpose(weights), ops.transpose(weights * shares)  # (1 or classes, rows)
    scores = ops.transpose(scores)
    above = ops.sigmoid((scores[:, None, :] - scores[:, :, None]) / temperature)
    # A row is 1/2 above itself: with the 1/2 here it counts once, and its repetitions as ties.
    rank_of_own = 0.5 + ops.sum(above * own[:, None, :], axis=-1)
    rank = 0.5 + ops.sum(above * counts[:, None, :], axis=-1)
    n_own = ops.sum(own, axis=-1)
    precision = ops.sum(own * rank_of_own / rank, axis=-1) / ops.maximum(n_own, TINY)
    return class_mean(1 - precision, of_class * ops.cast(n_own > 0, scores.dtype))


@register
class AUCMargin(BatchLoss):
    """AUC margin loss: a stand-in for the area under the ROC curve.

    Use it where the ranking counts and not the probabilities. Every batch must hold rows of
    the rare classes: draw them with `kilter.sampling.BalancedBatches`, or take large ones.
    Unlike the paper's, it needs no optimizer of its own. Sample weights and masks act inside
    the means. The probabilities it leaves are no probabilities: calibrate afterwards.

    Parameters
    ----------
    margin : float
        How far apart the mean probabilities of a class's rows and of the others should be;
        above 0. The paper uses 1.
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a class in the mean over the classes. If not given, 1; of two classes only
        class 1 counts.
    from_logits : bool
        Whether predictions are logits rather than probabilities.
    name, dtype
        As in every Keras loss.

    Notes
    -----
    Targets and predictions have the shapes that `Tversky` takes. A term whose rows are
    missing in the batch is 0. The loss is bounded: where probabilities have come to 0 or 1
    its gradient vanishes. With a margin of 1 or more it never pulls a row the wrong way.

    Raises
    ------
    ArgumentError
        If ``margin`` is not above 0.

    References
    ----------
    See `auc_margin`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = AUCMargin()
    >>> round(float(loss(np.array([0, 1, 1]), np.array([0.2, 0.6, 0.7], "float32"))), 4)
    0.305
    """

    def __init__(
        self,
        margin: float = 1.0,
        *,
        name: str = "auc_margin",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.margin = above_zero("margin", margin, "The paper uses 1.")

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        """Return the loss of the batch."""
        return auc_margin(
            truth,
            probabilities,
            margin=self.margin,
            weights=weights,
            class_weights=self.class_weights,
        )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "margin": self.margin}


@register
class SmoothAP(BatchLoss):
    """Smooth-AP: 1 - average precision on ranks within the batch, made smooth.

    Use it where average precision is what counts, with large batches that hold rows of the
    rare classes: draw them with `kilter.sampling.BalancedBatches`. Sample weights say how
    often a row counts, and masks leave rows out. The probabilities it leaves are no
    probabilities: calibrate afterwards.

    Parameters
    ----------
    temperature : float
        Lead in probability that counts as about one rank; above 0. The paper uses .01. Lower
        is nearer to average precision, higher has more gradient: try .1 where training stalls.
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a class in the mean over the classes. If not given, 1; of two classes only
        class 1 counts.
    from_logits : bool
        Whether predictions are logits rather than probabilities; ranked are probabilities.
    name, dtype
        As in every Keras loss.

    Notes
    -----
    Targets and predictions have the shapes that `Tversky` takes. Rows are compared in pairs:
    memory grows with classes x rows^2, so it is not for pixels. Only classes with rows in the
    batch count; without any the loss is 0. The loss is bounded: its gradient vanishes where
    probabilities have come to 0 or 1, and for pairs many temperatures apart. Ranks count from
    1, so weights much below 1 make them all look like the first: keep their mean near 1.

    Raises
    ------
    ArgumentError
        If ``temperature`` is not above 0.

    References
    ----------
    See `smooth_average_precision`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SmoothAP()
    >>> round(float(loss(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1], "float32"))), 4)
    0.1667
    """

    def __init__(
        self,
        temperature: float = 0.01,
        *,
        name: str = "smooth_ap",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.temperature = above_zero("temperature", temperature, "The paper uses .01.")

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        """Return the loss of the batch."""
        return smooth_average_precision(
            truth,
            probabilities,
            temperature=self.temperature,
            weights=weights,
            class_weights=self.class_weights,
        )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "temperature": self.temperature}


def _moments(values: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Return the sum of the weights, the mean and the variance of every column, 0 of nothing."""
    total = ops.sum(weights, axis=0)
    share = weights / ops.maximum(total, TINY)
    mean = ops.sum(share * values, axis=0)
    return total, mean, ops.sum(share * ops.square(values - mean), axis=0)
