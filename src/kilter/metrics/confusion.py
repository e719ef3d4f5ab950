"""How good decisions are: counts of true against predicted classes, and what follows.

A class that is never predicted scores 0, without a warning.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sk

from kilter.metrics._inputs import check_labels, check_same_rows


class PerClass(NamedTuple):
    """One value a class: precision, recall, F1 (float) and support (rows, int)."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def macro_f1(labels: Any, predicted: Any) -> float:
    """Compute the unweighted mean of the classes' F1.

    Use it where every class counts the same and both misses and false alarms matter.

    Parameters
    ----------
    labels, predicted : array of int, shape (rows,)
        Positions of the true and of the predicted classes.

    Returns
    -------
    float
        Mean over the classes that are in ``labels`` or in ``predicted``.

    Examples
    --------
    >>> from kilter.metrics import macro_f1
    >>> macro_f1([0, 0, 0, 1], [0, 0, 1, 1])
    0.7333333333333334
    """
    labels, predicted = _check(labels, predicted)
    return float(sk.f1_score(labels, predicted, average="macro", zero_division=0))


def balanced_accuracy(labels: Any, predicted: Any) -> float:
    """Compute the unweighted mean of the classes' recall.

    Use it where misses matter and false alarms are cheap: a rare class can have a good value
    with one alarm in ten true. The arguments are those of `macro_f1`.

    Returns
    -------
    float
        Mean over the classes that are in ``labels``.

    Examples
    --------
    >>> from kilter.metrics import balanced_accuracy
    >>> balanced_accuracy([0, 0, 0, 0, 1], [0, 0, 0, 1, 1])
    0.875
    """
    labels, predicted = _check(labels, predicted)
    # Not balanced_accuracy_score: it warns when a predicted class has no true rows.
    return float(sk.recall_score(labels, predicted, labels=np.unique(labels), average="macro"))


def mcc(labels: Any, predicted: Any) -> float:
    """Compute the Matthews correlation between true and predicted classes.

    Use it as one number from -1 to 1 that is 0 for every constant or random decision. The
    arguments are those of `macro_f1`.

    Returns
    -------
    float
        0 where only one class is true or predicted.

    References
    ----------
    Gorodkin: Comparing two K-category assignments by a K-category correlation coefficient,
    Computational Biology and Chemistry 2004.

    Examples
    --------
    >>> from kilter.metrics import mcc
    >>> round(mcc([0, 0, 0, 1], [0, 0, 1, 1]), 3)
    0.577
    """
    labels, predicted = _check(labels, predicted)
    if len(np.union1d(labels, predicted)) < 2:
        return 0.0  # scikit-learn's value, which it gives with a warning
    return float(sk.matthews_corrcoef(labels, predicted))


def confusion_matrix(labels: Any, predicted: Any, n_classes: int | None = None) -> np.ndarray:
    """Count rows by true and predicted class.

    Use it to see which classes are taken for which.

    Parameters
    ----------
    labels, predicted : array of int, shape (rows,)
        Positions of the true and of the predicted classes.
    n_classes : int, optional
        At least 2, and by default one more than the largest position.

    Returns
    -------
    array of int, shape (n_classes, n_classes)
        Rows are true classes, columns predicted ones.

    Examples
    --------
    >>> from kilter.metrics import confusion_matrix
    >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    labels, predicted = _check(labels, predicted, n_classes)
    size = max(2, n_classes or 1 + int(max(labels.max(), predicted.max())))
    counts: np.ndarray = sk.confusion_matrix(labels, predicted, labels=np.arange(size))
    return counts


def per_class(labels: Any, predicted: Any, n_classes: int) -> PerClass:
    """Compute precision, recall, F1 and support of every class.

    Use it to see which class a mean hides. The arguments are those of `confusion_matrix`.

    Returns
    -------
    PerClass
        Four arrays of shape (n_classes,); 0 where a value is not defined.

    Examples
    --------
    >>> from kilter.metrics import per_class
    >>> per_class([0, 0, 0, 1], [0, 0, 1, 1], 2).precision.tolist()
    [1.0, 0.5]
    """
    labels, predicted = _check(labels, predicted, n_classes)
    return PerClass(
        *sk.precision_recall_fscore_support(
            labels, predicted, labels=np.arange(n_classes), zero_division=0
        )
    )


def _check(
    labels: Any, predicted: Any, n_classes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    labels = check_labels(labels, n_classes)
    predicted = check_labels(predicted, n_classes, "predicted")
    check_same_rows(labels, predicted, "predicted")
    return labels, predicted
