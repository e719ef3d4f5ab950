"""Keras metrics of whether probabilities mean what they say: proper scores and calibration."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._export import register
from kilter.metrics._inputs import check_class
from kilter.metrics.base import Scores
from kilter.metrics.binned import BINS, bin_places, bin_sums
from kilter.metrics.calibration import EPSILON
from kilter.metrics.one_vs_rest import OneVsRest, check_count, columns, is_class, known, ratio


class RowMean(Scores):
    """Base of the means over rows; a child says what a row costs.

    Without rows, or where their weights sum to 0, it is ``nan``: 0 would be the best value.

    Parameters
    ----------
    from_logits, name, dtype
        As in `Scores`.
    """

    _direction = "down"
    _empty = float("nan")

    def create(self, n_classes: int) -> None:
        """Make the sums."""
        self.total = self.add_variable((), "zeros", dtype="float32", name="total")
        self.weight = self.add_variable((), "zeros", dtype="float32", name="weight")

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add what the rows cost."""
        costs = self.costs(labels, known(probabilities, weights))
        self.total.assign(self.total + ops.sum(weights * costs))
        self.weight.assign(self.weight + ops.sum(weights))

    def costs(self, labels: Any, probabilities: Any) -> Any:
        """Compute what each row costs, of shape (rows,)."""
        raise NotImplementedError

    def value(self) -> Any:
        """Compute the mean of all rows."""
        return ratio(self.total.value, self.weight.value)


@register
class BrierScore(RowMean):
    """Mean squared error of the probabilities.

    Use it next to `LogLoss`: it is bounded, so that no single row dominates. Keras has none
    that takes positions of classes. Two classes: the squared error of one class's probability,
    from 0 to 1; more: the sum over the classes, from 0 to 2, which is Brier's own definition.
    Defaults to the name ``brier``; the arguments are those of `RowMean`.

    References
    ----------
    Brier: Verification of forecasts expressed in terms of probability, Monthly Weather
    Review 1950.

    Examples
    --------
    >>> metric = BrierScore()
    >>> float(metric([0, 1], [0.5, 0.75]))
    0.15625
    """

    _default_name = "brier"

    def costs(self, labels: Any, probabilities: Any) -> Any:
        """Compute the squared errors."""
        n_classes = probabilities.shape[-1]
        errors = probabilities - ops.one_hot(labels, n_classes, dtype=probabilities.dtype)
        total = ops.sum(ops.square(errors), axis=-1)
        return total / 2 if n_classes == 2 else total


@register
class LogLoss(RowMean):
    """Mean negative log probability of the true class, in nats.

    Use it to compare probabilities, whatever the loss that trains: with class weights, focusing
    or label smoothing the loss is no longer it. Probabilities are clipped to 1.2e-7 and 1 minus
    that, so a row costs 16 at most, as in `kilter.metrics.log_loss`. Defaults to the name
    ``log_loss``; the arguments are those of `RowMean`.

    Examples
    --------
    >>> metric = LogLoss()
    >>> round(float(metric([0, 1], [0.5, 0.75])), 4)
    0.4904
    """

    _default_name = "log_loss"

    def costs(self, labels: Any, probabilities: Any) -> Any:
        """Compute the negative log probabilities."""
        clipped = ops.clip(probabilities, EPSILON, 1 - EPSILON)
        own = ops.take_along_axis(clipped, labels[:, None], axis=-1)[:, 0]
        return ops.log(ops.sum(clipped, axis=-1)) - ops.log(own)


@register
class CalibrationRatio(OneVsRest):
    """Mean predicted probability of a class over its observed rate.

    Use it to see by how much a remedy inflates the rare class: 1 is right, and oversampling to
    balance easily gives 12. Neither more nor less is better, so ``EarlyStopping`` must not
    watch it. It is ``nan`` as long as no row of the class has come. Defaults to the name
    ``calibration_ratio``.

    Parameters
    ----------
    positive : int, optional
        Position of the class; needed with more than two, else class 1.
    from_logits, name, dtype
        As in `RowMean`.

    Raises
    ------
    ArgumentError
        If ``positive`` is no class, or missing with more than two.

    Examples
    --------
    >>> metric = CalibrationRatio()
    >>> float(metric([0, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]))
    2.0
    """

    _default_name = "calibration_ratio"
    _empty = float("nan")

    def create(self, n_classes: int) -> None:
        """Make the sums."""
        super().create(n_classes)
        if len(self.classes) > 1:
            check_class(self.positive, n_classes)
        self.predicted = self.add_variable((), "zeros", dtype="float32", name="predicted")
        self.observed = self.add_variable((), "zeros", dtype="float32", name="observed")

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add what is predicted and what is observed."""
        [one] = self.classes
        predicted = weights * known(probabilities, weights)[:, one]
        observed = ops.where(labels == one, weights, 0.0)
        self.predicted.assign(self.predicted + ops.sum(predicted))
        self.observed.assign(self.observed + ops.sum(observed))

    def value(self) -> Any:
        """Compute the ratio over all rows."""
        return ratio(self.predicted.value, self.observed.value)


@register
class CalibrationError(OneVsRest):
    """Mean gap between predicted and observed rates over bins of equal mass.

    Use it as one number for how far probabilities can be taken at their word. Bins of equal
    width would put nearly all rows of a rare class into the first. With few rows it is above 0
    even for perfect probabilities. Defaults to the name ``calibration_error``.

    It takes constant memory: rows are counted in 2**14 bins of log-odds, which `result` joins
    to bins of equal mass. Rows of one small bin stay together, so a border lies a few rows
    beside that of `kilter.metrics.expected_calibration_error`: measured on 1e5 rows at
    prevalences of 1e-2 to 1e-4, the values differ by less than 5e-5.

    Parameters
    ----------
    bins : int
        At most this many; equal probabilities stay together, so ties make fewer.
    positive : int, optional
        Position of the class. If not given, class 1 of two; of more classes the result is the
        unweighted mean over all.
    from_logits, name, dtype
        As in `RowMean`.

    Raises
    ------
    ArgumentError
        If ``bins`` is no whole number from 1 to 2**24, or ``positive`` no class.

    References
    ----------
    Nguyen, O'Connor: Posterior calibration and exploratory analysis for natural language
    processing models, EMNLP 2015. Kull et al.: Beyond temperature scaling, NeurIPS 2019 (the
    mean over the classes).

    Examples
    --------
    >>> metric = CalibrationError(bins=2)
    >>> round(float(metric([0, 0, 0, 1], [0.1, 0.1, 0.6, 0.8])), 3)
    0.15
    """

    _direction = "down"
    _default_name = "calibration_error"
    _empty = float("nan")

    def __init__(self, bins: int = 10, **options: Any) -> None:
        super().__init__(**options)
        self.bins = check_count(bins, "bins", 10)

    def create(self, n_classes: int) -> None:
        """Make the small bins."""
        super().create(n_classes)
        shape = (len(self.classes), BINS)
        self.weight = self.add_variable(shape, "zeros", dtype="float32", name="weight")
        self.excess = self.add_variable(shape, "zeros", dtype="float32", name="excess")

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add the rows, and by how much they are predicted too high, to their small bins."""
        probabilities = known(probabilities, weights)
        places = bin_places(probabilities, self.classes, BINS)
        predicted = columns(probabilities, self.classes)
        weights = weights[:, None] * ops.ones_like(predicted)
        excess = weights * (predicted - ops.cast(is_class(labels, self.classes), "float32"))
        self.weight.assign(self.weight + bin_sums(weights, places, BINS))
        self.excess.assign(self.excess + bin_sums(excess, places, BINS))

    def value(self) -> Any:
        """Compute the mean gap of all rows."""
        weight = ops.flip(self.weight.value, axis=-1)  # from low to high
        excess = ops.flip(self.excess.value, axis=-1)
        before = ops.cumsum(weight, axis=-1) - weight
        total = ops.sum(weight, axis=-1, keepdims=True)
        share = ops.divide_no_nan(before * self.bins, total)
        places = ops.clip(ops.cast(share, "int32"), 0, self.bins - 1)
        gaps = bin_sums(ops.transpose(excess), ops.transpose(places), self.bins)
        return ops.mean(ratio(ops.sum(ops.abs(gaps), axis=-1), total[:, 0]))

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "bins": self.bins}
