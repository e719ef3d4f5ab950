"""Whether probabilities mean what they say: proper scores and the gap to observed rates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics._inputs import check_class, check_labels, check_same_rows, check_scored

EPSILON = float(np.finfo(np.float32).eps)


class Reliability(NamedTuple):
    """One value a bin: mean predicted probability, observed rate, and number of rows."""

    predicted: np.ndarray
    observed: np.ndarray
    rows: np.ndarray


def log_loss(labels: Any, probabilities: Any) -> float:
    """Compute the mean negative log probability of the true class, in nats.

    Use it to compare probabilities, not just rankings; it punishes confident mistakes most.

    Parameters
    ----------
    labels : array of int, shape (rows,)
        Positions of the true classes.
    probabilities : array of float, shape (rows, classes)
        Clipped to 1.2e-7 and 1 minus that, whatever their type: a float32 network cannot tell
        smaller ones from 0 and 1, and one rounded 0 must not cost the whole score.

    Returns
    -------
    float
        0 is best; a row costs 16 at most.

    Examples
    --------
    >>> from kilter.metrics import log_loss
    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.25, 0.75]]), 4)
    0.4904
    """
    labels, probabilities = check_scored(labels, probabilities)
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return float(sk.log_loss(labels, clipped, labels=np.arange(clipped.shape[1])))


def brier(labels: Any, probabilities: Any) -> float:
    """Compute the mean squared error of the probabilities.

    Use it next to `log_loss`: it is bounded, so that no single row dominates. The arguments
    are those of `log_loss`.

    Returns
    -------
    float
        Two classes: the squared error of one class's probability, from 0 to 1. More: the sum
        over classes, from 0 to 2, which is Brier's own definition.

    References
    ----------
    Brier: Verification of forecasts expressed in terms of probability, Monthly Weather
    Review 1950.

    Examples
    --------
    >>> from kilter.metrics import brier
    >>> brier([0, 1], [[0.5, 0.5], [0.25, 0.75]])
    0.15625
    """
    labels, probabilities = check_scored(labels, probabilities)
    errors = probabilities.copy()
    errors[np.arange(len(labels)), labels] -= 1
    total = float(np.mean(np.sum(errors**2, axis=1)))
    return total / 2 if probabilities.shape[1] == 2 else total


def calibration_ratio(labels: Any, probabilities: Any, positive: int) -> float:
    """Divide the mean predicted probability of a class by its observed rate.

    Use it to see by how much a remedy inflates the rare class: 1 is right, and oversampling
    to balance easily gives 12.

    Parameters
    ----------
    labels : array of int, shape (rows,)
        Positions of the true classes.
    probabilities : array of float, shape (rows, classes)
        Predicted probabilities.
    positive : int
        The class.

    Raises
    ------
    ArgumentError
        If no row is of the class.

    Examples
    --------
    >>> from kilter.metrics import calibration_ratio
    >>> calibration_ratio([0, 0, 0, 1], [[0.5, 0.5]] * 4, positive=1)
    2.0
    """
    labels, probabilities = check_scored(labels, probabilities)
    positive = check_class(positive, probabilities.shape[1])
    rate = float(np.mean(labels == positive))
    if not rate:
        raise ArgumentError(
            f"`labels` must hold at least one row of class {positive}: there is no observed "
            "rate to compare with. Score more rows, or stratify the folds."
        )
    return float(np.mean(probabilities[:, positive])) / rate


def reliability(labels: Any, p: Any, bins: int = 10) -> Reliability:
    """Compute the points of a reliability curve over bins of equal mass.

    Use it to draw predicted against observed rates. Bins of equal width would put nearly all
    rows of a rare class into the first.

    Parameters
    ----------
    labels : array of 0 and 1, shape (rows,)
        Whether a row is of the class, such as ``y == 1``.
    p : array of float, shape (rows,)
        Predicted probability of the class.
    bins : int
        At most this many; rows with equal ``p`` stay together, so ties make fewer.

    Returns
    -------
    Reliability
        Arrays of shape (bins,), in the order of ``p``.

    Examples
    --------
    >>> from kilter.metrics import reliability
    >>> curve = reliability([0, 0, 0, 1], [0.1, 0.1, 0.6, 0.8], bins=2)
    >>> curve.predicted.round(2).tolist(), curve.observed.tolist()
    ([0.1, 0.7], [0.0, 0.5])
    """
    labels, p = _check_binary(labels, p)
    if bins < 1:
        raise ArgumentError(f"`bins` must be at least 1; got {bins}. 10 is usual.")
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins))
    _, position, count = np.unique(
        np.searchsorted(edges, p), return_inverse=True, return_counts=True
    )
    return Reliability(
        np.bincount(position, weights=p) / count,
        np.bincount(position, weights=labels) / count,
        count,
    )


def expected_calibration_error(labels: Any, p: Any, bins: int = 10) -> float:
    """Compute the mean gap between predicted and observed rates over bins of equal mass.

    Use it as one number for the curve of `reliability`, whose arguments it takes. With few
    rows it is above 0 even for perfect probabilities.

    Returns
    -------
    float
        From 0 to 1, weighted by the rows of a bin.

    References
    ----------
    Nguyen, O'Connor: Posterior calibration and exploratory analysis for natural language
    processing models, EMNLP 2015.

    Examples
    --------
    >>> from kilter.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 0, 0, 1], [0.1, 0.1, 0.6, 0.8], bins=2), 3)
    0.15
    """
    curve = reliability(labels, p, bins)
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.rows))


def _check_binary(labels: Any, p: Any) -> tuple[np.ndarray, np.ndarray]:
    labels = check_labels(labels, 2)
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ArgumentError(
            f"`p` must be probabilities of one class, of shape (rows,); got {p.shape}. "
            "Pick a column: `probabilities[:, 1]`."
        )
    check_same_rows(labels, p, "p")
    return labels, p
