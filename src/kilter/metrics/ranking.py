"""How well a class is ranked above the others: average precision and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtri
from sklearn.metrics import average_precision_score

from kilter._errors import ArgumentError
from kilter.metrics._inputs import check_class, check_scored


def average_precision(labels: Any, probabilities: Any, positive: int | None = None) -> float:
    """Compute the area under the precision-recall curve, as average precision.

    Use it to compare models where one class is rare: unlike accuracy and the area under the
    ROC curve it does not reward the easy rows of the common class.

    Parameters
    ----------
    labels : array of int, shape (rows,)
        Positions of the true classes.
    probabilities : array of float, shape (rows, classes)
        Predicted probabilities.
    positive : int, optional
        For two classes, the one to rank on top; needed, as the value depends on it. For
        more classes it is ignored, as the mean over all of them is taken.

    Returns
    -------
    float
        Two classes: the average precision of ``positive``. More: the unweighted mean of one
        class against the rest, over the classes that ``labels`` hold.

    Raises
    ------
    ArgumentError
        If there are two classes and ``positive`` is missing or has no rows.

    References
    ----------
    Davis, Goadrich: The relationship between precision-recall and ROC curves, ICML 2006.

    Examples
    --------
    >>> from kilter.metrics import average_precision
    >>> average_precision([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]], 1)
    0.8333333333333333
    """
    labels, probabilities = check_scored(labels, probabilities)
    classes = _ranked_classes(labels, probabilities.shape[1], positive)
    return float(np.mean(_one_vs_rest(labels, probabilities, classes)))


def average_precision_interval(
    labels: Any, probabilities: Any, positive: int | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Compute a confidence interval for `average_precision` from one set of rows.

    Use it next to every average precision: with 20 positives the interval is wide. It covers
    better than the bootstrap where positives are few. The arguments are those of
    `average_precision`; ``level`` is the coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper end; see `macro_interval`.

    Raises
    ------
    ArgumentError
        As `average_precision`, and if ``level`` is not between 0 and 1.

    References
    ----------
    Boyd, Eng, Page: Area under the precision-recall curve: point estimates and confidence
    intervals, ECML PKDD 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter.metrics import average_precision_interval
    >>> p = np.linspace(0, 1, 100)
    >>> labels = (p > 0.9).astype(int)
    >>> low, high = average_precision_interval(labels, np.column_stack([1 - p, p]), 1)
    >>> round(low, 2), round(high, 2)
    (0.52, 1.0)
    """
    labels, probabilities = check_scored(labels, probabilities)
    classes = _ranked_classes(labels, probabilities.shape[1], positive)
    counts = np.bincount(labels, minlength=probabilities.shape[1])[classes]
    return macro_interval(_one_vs_rest(labels, probabilities, classes), counts, level)


def macro_interval(
    precisions: Sequence[float] | np.ndarray,
    positives: Sequence[int] | np.ndarray,
    level: float = 0.95,
) -> tuple[float, float]:
    """Compute the interval of a mean of average precisions that are known already.

    Use it where the average precisions come from elsewhere, such as the mean over folds; for
    a single one pass two lists of one item.

    Parameters
    ----------
    precisions : sequence of float, shape (classes,)
        Average precision of each class against the rest.
    positives : sequence of int, shape (classes,)
        Rows of each class, at least 1.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        The interval on the logit scale, with the squared standard error
        sum of AP (1 - AP) / n over the squared number of classes. For this an AP nearer than
        half a positive to 0 or 1 counts as (n + 1/2) / (n + 1) or its mirror image, so that
        20 perfectly ranked positives still leave doubt; the interval always holds the mean.

    Examples
    --------
    >>> from kilter.metrics import macro_interval
    >>> [round(end, 3) for end in macro_interval([0.5], [20])]
    [0.294, 0.706]
    """
    counts = np.asarray(positives, dtype=float)
    given = np.asarray(precisions, dtype=float)
    margin = 0.5 / (counts + 1)
    inner = np.clip(given, margin, 1 - margin)
    error = np.sqrt(np.sum(inner * (1 - inner) / counts)) / len(inner)
    low, high = logit_interval(float(inner.mean()), float(error), level)
    return min(low, float(given.mean())), max(high, float(given.mean()))


def logit_interval(ap: float, se: float, level: float = 0.95) -> tuple[float, float]:
    """Compute a normal interval on the logit scale and map it back to (0, 1).

    Use it for any proportion-like value with a known standard error.

    Parameters
    ----------
    ap : float
        The estimate, strictly between 0 and 1.
    se : float
        Its standard error, on the scale of ``ap``.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        expit(logit(ap) ± z tau) with tau = se / (ap (1 - ap)).

    Raises
    ------
    ArgumentError
        If ``ap`` or ``level`` is not strictly between 0 and 1.

    Examples
    --------
    >>> from kilter.metrics import logit_interval
    >>> [round(end, 3) for end in logit_interval(0.8, 0.05)]
    [0.684, 0.881]
    """
    if not 0 < level < 1:
        raise ArgumentError(f"`level` must be between 0 and 1, such as 0.95; got {level}.")
    if not 0 < ap < 1:
        raise ArgumentError(
            f"`ap` must lie strictly between 0 and 1; got {ap}. "
            "`macro_interval` takes 0 and 1 as well."
        )
    half = ndtri((1 + level) / 2) * se / (ap * (1 - ap))
    return float(expit(logit(ap) - half)), float(expit(logit(ap) + half))


def _ranked_classes(labels: np.ndarray, n_classes: int, positive: int | None) -> list[int]:
    if n_classes > 2:
        return np.unique(labels).tolist()
    positive = check_class(positive, n_classes)
    if not np.any(labels == positive):
        raise ArgumentError(
            f"`labels` must hold at least one row of class {positive}: its average precision "
            "is not defined without. Score more rows, or stratify the folds."
        )
    return [positive]


def _one_vs_rest(labels: np.ndarray, probabilities: np.ndarray, classes: list[int]) -> list[float]:
    return [float(average_precision_score(labels == k, probabilities[:, k])) for k in classes]
