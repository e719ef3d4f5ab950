"""Keras metrics of how true and predicted classes agree, in one number for all classes."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._export import register
from kilter.metrics.counts import Counts, Outcomes


@register
class MatthewsCorrelation(Counts):
    """Matthews correlation between true and predicted classes.

    Use it as one number from -1 to 1 that is 0 for every constant or random decision, where
    accuracy would be near 1; Keras has none. Defaults to the name ``matthews_correlation``;
    the arguments are those of `Counts`.

    References
    ----------
    Gorodkin: Comparing two K-category assignments by a K-category correlation coefficient,
    Computational Biology and Chemistry 2004.

    Examples
    --------
    >>> metric = MatthewsCorrelation()
    >>> round(float(metric([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])), 3)
    0.577
    """

    _default_name = "matthews_correlation"

    def score(self, outcomes: Outcomes) -> Any:
        """Return the covariance of truth and prediction over their deviations."""
        tp, fn, fp, tn = outcomes
        true, predicted = (tp + fn) * (fp + tn), (tp + fp) * (fn + tn)
        deviations = ops.sqrt(ops.sum(true)) * ops.sqrt(ops.sum(predicted))
        return ops.divide_no_nan(_covariance(outcomes), deviations)


@register
class CohenKappa(Counts):
    """Cohen's kappa: agreement of true and predicted classes beyond that of chance.

    Use it where results must compare with papers that report it, as in medicine and remote
    sensing; Keras 3 has none. Defaults to the name ``cohen_kappa``; the arguments are those of
    `Counts`. It is 0, not ``nan``, where all rows are of one class and predicted so.

    References
    ----------
    Cohen: A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 1960.

    Examples
    --------
    >>> metric = CohenKappa()
    >>> float(metric([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8]))
    0.5
    """

    _default_name = "cohen_kappa"

    def score(self, outcomes: Outcomes) -> Any:
        """Return the agreement beyond chance over the disagreement that chance leaves."""
        tp, fn, _, tn = outcomes
        return ops.divide_no_nan(_covariance(outcomes), ops.sum((tp + fn) * (fn + tn)))


@register
class BalancedAccuracy(Counts):
    """Mean of the classes' recalls, over the classes that are in the labels.

    Use it where misses matter and false alarms are cheap; a constant prediction has 1 over the
    number of classes. Keras has none. Defaults to the name ``balanced_accuracy``; the arguments
    are those of `Counts`.

    Examples
    --------
    >>> metric = BalancedAccuracy()
    >>> float(metric([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9, 0.8]))
    0.875
    """

    _default_name = "balanced_accuracy"

    def score(self, outcomes: Outcomes) -> Any:
        """Return the mean recall."""
        seen = ops.cast(outcomes.tp + outcomes.fn != 0, "float32")
        return ops.divide_no_nan(ops.sum(outcomes.recall), ops.sum(seen))


@register
class GMean(Counts):
    """Geometric mean of the classes' recalls, over the classes that are in the labels.

    Use it where no class may be given up: it is 0 as soon as one class is never found. Keras
    has none. Defaults to the name ``g_mean``; the arguments are those of `Counts`.

    References
    ----------
    Kubat, Matwin: Addressing the curse of imbalanced training sets, ICML 1997.

    Examples
    --------
    >>> metric = GMean()
    >>> round(float(metric([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9, 0.8])), 3)
    0.866
    """

    _default_name = "g_mean"

    def score(self, outcomes: Outcomes) -> Any:
        """Return the geometric mean; logarithms keep the product of many recalls above 0."""
        seen = outcomes.tp + outcomes.fn != 0
        total = ops.sum(ops.log(ops.where(seen, outcomes.recall, 1.0)))
        mean = ops.exp(ops.divide_no_nan(total, ops.sum(ops.cast(seen, "float32"))))
        return ops.where(ops.any(seen), mean, 0.0)


def _covariance(outcomes: Outcomes) -> Any:
    """Return the covariance of true and predicted one-hot rows, summed over the classes."""
    tp, fn, fp, tn = outcomes
    return ops.sum(tp * tn - fp * fn)
