"""Members joined by averaging their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax as softmax_of

from kilter._types import ValidationScores
from kilter.decide import Calibrator
from kilter.ensemble.base import Joint, check_members, frozen, log, softmax

PRIOR = 1.0
"""Rows that speak for equal weights; ten left too much to poor members."""


@dataclass(frozen=True)
class Average(Joint):
    """The mean of calibrated probabilities.

    Use it for members that are about as good as each other. Each is calibrated before, as
    resampling and weights multiply the probabilities of rare classes.

    Attributes
    ----------
    scales : tuple of float
        One a member, as a `kilter.decide.Calibrator` has it.
    biases : tuple of tuple of float
        Of (members, classes).
    weights : tuple of float
        One a member, with sum 1.

    Examples
    --------
    >>> joint = Average.plain(members=2, classes=2)
    >>> joint.apply([[[0.2, 0.8]], [[0.6, 0.4]]]).round(3)
    array([[0.4, 0.6]])
    """

    scales: tuple[float, ...]
    biases: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    @classmethod
    def plain(cls, members: int, classes: int) -> Self:
        """Return the joint that averages probabilities as they are."""
        return cls((1.0,) * members, ((0.0,) * classes,) * members, (1 / members,) * members)

    @classmethod
    def fit(cls, members: Sequence[ValidationScores]) -> Self:
        """Calibrate each member on validation rows."""
        labels, given = check_members(members)
        calibrators = [Calibrator.fit(one) for one in members]
        weights = cls._weights(
            np.stack([c.apply(p) for c, p in zip(calibrators, given, strict=True)]), labels
        )
        return cls(
            tuple(one.scale for one in calibrators),
            tuple(one.bias for one in calibrators),
            frozen(weights),
        )

    @classmethod
    def _weights(cls, calibrated: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the weight of each member."""
        return np.full(len(calibrated), 1 / len(calibrated))

    @staticmethod
    def combine(xp: Any, members: Any, **numbers: Any) -> Any:
        """Calibrate, and average."""
        calibrated = calibrate(xp, members, numbers["scales"], numbers["biases"])
        return xp.sum(numbers["weights"][:, None, None] * calibrated, axis=0)


@dataclass(frozen=True)
class WeightedAverage(Average):
    """The mean of calibrated probabilities, with more weight for the better members.

    Use it where some members may be much worse than others. The weights are those of highest
    posterior density on validation rows, as in a mixture: a member has much weight if it gives
    much probability to what came true where others do not. One row speaks for equal weights,
    so that few rare ones do not choose a single member.

    References
    ----------
    Genest and Zidek (1986), Combining probability distributions.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter._types import ValidationScores
    >>> labels = np.tile([0, 1], 100)
    >>> good, poor = np.eye(2)[labels] * 0.8 + 0.1, np.full((200, 2), 0.5)
    >>> members = [ValidationScores(labels, p) for p in (good, poor)]
    >>> np.round(WeightedAverage.fit(members).weights, 1).tolist()
    [1.0, 0.0]
    """

    @classmethod
    def _weights(cls, calibrated: np.ndarray, labels: np.ndarray) -> np.ndarray:
        true = calibrated[:, np.arange(len(labels)), labels] + np.finfo(np.float32).eps
        prior = PRIOR / len(true)

        def fun(theta: np.ndarray) -> tuple[float, np.ndarray]:
            weights = softmax_of(theta)
            mixed = weights @ true
            value = -np.log(mixed).sum() - prior * np.log(weights).sum()
            by_weight = -(true / mixed).sum(axis=1) - prior / weights
            return float(value), weights * (by_weight - weights @ by_weight)

        found: np.ndarray = softmax_of(minimize(fun, np.zeros(len(true)), jac=True).x)
        return found


def calibrate(xp: Any, members: Any, scales: Any, biases: Any) -> Any:
    """Apply a calibrator to each member's probabilities."""
    return softmax(xp, scales[:, None, None] * log(xp, members) + biases[:, None])
