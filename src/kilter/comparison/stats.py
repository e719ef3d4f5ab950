"""Whether one remedy is better than another, given their scores on the same folds.

Folds share training rows, so that their differences are correlated and a paired t-test
takes luck for a finding. Everything here widens the standard error by the correction of
Nadeau and Bengio. Differences are in the direction "higher is better": flip the sign of those
of a loss.

References
----------
Nadeau, Bengio: Inference for the generalization error, Machine Learning 2003. Corani,
Benavoli: A Bayesian approach for comparing cross-validated algorithms on multiple data sets,
Machine Learning 2015. Benavoli, Corani, Demšar, Zaffalon: Time for a change, JMLR 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from kilter._errors import ArgumentError

Differences = Sequence[float] | np.ndarray


class CorrectedT(NamedTuple):
    """Student's t distribution of the true mean difference: location, scale, freedom."""

    mean: float
    scale: float
    dof: int


def corrected_t(differences: Differences, test_to_train: float) -> CorrectedT:
    """Compute the mean difference and its corrected standard error.

    Use it where `p_better` and `difference_interval` are too coarse; ``mean / scale`` is the
    statistic of the corrected resampled t-test.

    Parameters
    ----------
    differences : array of float, shape (folds,)
        One score difference a fold, averaged over seeds; at least two.
    test_to_train : float
        Test rows over training rows of a fold, above 0: 0.25 for five folds.

    Returns
    -------
    CorrectedT
        With scale = sqrt((1 / folds + test_to_train) s²) and dof = folds - 1. As a Bayesian
        posterior under a flat prior it has the same numbers.

    Raises
    ------
    ArgumentError
        If there are fewer than two differences, one is not finite, or the ratio is not
        above 0.

    Examples
    --------
    >>> from kilter.comparison.stats import corrected_t
    >>> result = corrected_t([0.02, 0.04, 0.01, 0.03, 0.05], test_to_train=0.25)
    >>> round(result.mean, 3), round(result.scale, 4), result.dof
    (0.03, 0.0106, 4)
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.all(np.isfinite(values)):
        raise ArgumentError(
            "`differences` must be finite, one a fold, of two folds or more; "
            f"got {values.tolist()}. Compare on more folds."
        )
    if not (np.isfinite(test_to_train) and test_to_train > 0):
        raise ArgumentError(
            f"`test_to_train` must be above 0, such as 0.25 for five folds; got {test_to_train}."
        )
    scale = np.sqrt((1 / len(values) + test_to_train) * values.var(ddof=1))
    return CorrectedT(float(values.mean()), float(scale), len(values) - 1)


def p_better(differences: Differences, test_to_train: float, rope: float = 0.01) -> float:
    """Compute the probability that the true mean difference is above ``rope``.

    Use it to say how sure it is that a remedy helps by an amount that matters. It is for one
    comparison: the best of many remedies reaches a high value by luck more often.

    Parameters
    ----------
    differences, test_to_train
        See `corrected_t`.
    rope : float
        Half the region of practical equivalence, in units of the score, at least 0.

    Returns
    -------
    float
        From 0 to 1. Where all differences are equal it is 0, 1, or for a difference of
        exactly ``rope`` 0.5.

    Raises
    ------
    ArgumentError
        As `corrected_t`, and if ``rope`` is below 0.

    Examples
    --------
    >>> from kilter.comparison.stats import p_better
    >>> round(p_better([0.02, 0.04, 0.01, 0.03, 0.05], test_to_train=0.25), 3)
    0.934
    """
    if not rope >= 0:
        raise ArgumentError(f"`rope` must be at least 0, such as 0.01; got {rope}.")
    return _above(corrected_t(differences, test_to_train), rope)


def difference_interval(
    differences: Differences, test_to_train: float, level: float = 0.95
) -> tuple[float, float]:
    """Compute an interval for the true mean difference.

    Use it to show how large a difference may be. The first arguments are those of
    `corrected_t`; ``level`` is the coverage, between 0 and 1.

    Raises
    ------
    ArgumentError
        As `corrected_t`, and if ``level`` is not between 0 and 1.

    Examples
    --------
    >>> from kilter.comparison.stats import difference_interval
    >>> low, high = difference_interval([0.02, 0.04, 0.01, 0.03, 0.05], 0.25)
    >>> round(low, 3), round(high, 3)
    (0.001, 0.059)
    """
    if not 0 < level < 1:
        raise ArgumentError(f"`level` must be between 0 and 1, such as 0.95; got {level}.")
    mean, scale, dof = corrected_t(differences, test_to_train)
    half = float(student_t.ppf((1 + level) / 2, dof)) * scale
    return mean - half, mean + half


def _above(posterior: CorrectedT, limit: float) -> float:
    mean, scale, dof = posterior
    if scale == 0:
        return float(np.heaviside(mean - limit, 0.5))
    return float(student_t.sf((limit - mean) / scale, dof))
