"""Class weights from class counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, did_you_mean

SCHEMES = ("balanced", "effective")


class ClassWeights(dict[int, float]):
    """Weights by class position, as Keras's ``class_weight`` takes them.

    ``array`` is the same as a float64 array of shape (classes,), for losses.
    """

    @property
    def array(self) -> np.ndarray:
        """The weights in class order, float64 of shape (classes,)."""
        return np.array([self[key] for key in sorted(self)])


def class_weights(
    y: Sequence[Any] | np.ndarray, scheme: str = "balanced", *, beta: float = 0.9999
) -> ClassWeights:
    """Compute one weight a class from labels, in the sorted order of the classes.

    Use it where a loss should count rare rows more. Weights change the predicted
    probabilities: calibrate afterwards.

    Parameters
    ----------
    y : array of shape (rows,)
        Labels of any type that sorts.
    scheme : {"balanced", "effective"}
        ``balanced`` is n / (C n_k), so that all classes weigh the same in sum.
        ``effective`` is (1 - beta) / (1 - beta^n_k), scaled to sum C.
    beta : float in [0, 1)
        Only for ``effective``.

    Returns
    -------
    ClassWeights
        A dict ``{0: w_0, 1: w_1, ...}`` with an ``array``.

    Raises
    ------
    ArgumentError
        If the scheme is unknown or ``beta`` is outside [0, 1).

    References
    ----------
    Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples,
    CVPR 2019.

    Examples
    --------
    >>> from kilter import class_weights
    >>> class_weights(["ham", "ham", "ham", "spam"])
    {0: 0.6666666666666666, 1: 2.0}
    """
    _, labels = np.unique(np.asarray(y), return_inverse=True)
    if scheme == "balanced":
        weights = balanced_weights(np.bincount(labels))
    elif scheme == "effective":
        weights = effective_weights(np.bincount(labels), beta)
    else:
        raise ArgumentError(
            f"`scheme` must be one of {', '.join(SCHEMES)}; got `{scheme}`."
            + did_you_mean(str(scheme), SCHEMES)
        )
    return ClassWeights(enumerate(weights.tolist()))


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """Return n / (C n_k) from counts of shape (classes,)."""
    return counts.sum() / (len(counts) * counts)


def effective_weights(counts: np.ndarray, beta: float = 0.9999) -> np.ndarray:
    """Return (1 - beta) / (1 - beta^n_k), scaled to sum C, from counts of shape (classes,)."""
    if not 0 <= beta < 1:
        raise ArgumentError(f"`beta` must be in [0, 1); got {beta}. The paper uses .9999.")
    weights = (1 - beta) / (1 - np.power(beta, counts.astype(np.float64)))
    return weights * len(counts) / weights.sum()
