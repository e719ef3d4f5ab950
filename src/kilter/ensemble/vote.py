"""Members joined by their votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from kilter._types import ValidationScores
from kilter.decide import Threshold
from kilter.ensemble.base import Joint, log
from kilter.ensemble.pool import Average, calibrate


@dataclass(frozen=True)
class Vote(Joint):
    """Each member decides, and most votes win.

    Use it where decisions count and probabilities do not: an average usually ranks better.
    Each member's own threshold is tuned on validation rows. The mean of the calibrated
    probabilities counts as one more vote, which tells apart rows with as many votes.

    Attributes
    ----------
    scales, biases
        Of the calibrators, as `Average` has them.
    offsets : tuple of tuple of float
        Of (members, classes), as a `kilter.decide.Threshold` has them.

    Examples
    --------
    >>> members = [[[0.6, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]]]
    >>> Vote.plain(members=3, classes=2).apply(members).round(3)
    array([[0.608, 0.392]])
    """

    scales: tuple[float, ...]
    biases: tuple[tuple[float, ...], ...]
    offsets: tuple[tuple[float, ...], ...]

    @classmethod
    def plain(cls, members: int, classes: int) -> Self:
        """Return the joint in which each member votes for its most probable class."""
        none = ((0.0,) * classes,) * members
        return cls((1.0,) * members, none, none)

    @classmethod
    def fit(cls, members: Sequence[ValidationScores]) -> Self:
        """Calibrate each member and tune its threshold on validation rows."""
        average = Average.fit(members)
        offsets = []
        for number, one in enumerate(members):
            alone = Average(
                average.scales[number : number + 1], average.biases[number:][:1], (1.0,)
            )
            calibrated = ValidationScores(one.labels, alone.apply([one.probabilities]))
            offsets.append(Threshold.fit(calibrated).offsets)
        return cls(average.scales, average.biases, tuple(offsets))

    @staticmethod
    def combine(xp: Any, members: Any, **numbers: Any) -> Any:
        """Count votes."""
        calibrated = calibrate(xp, members, numbers["scales"], numbers["biases"])
        moved = log(xp, calibrated) + numbers["offsets"][:, None]
        votes = xp.where(moved >= xp.max(moved, axis=-1, keepdims=True), 1.0, 0.0)
        count = xp.sum(votes, axis=0) + xp.mean(calibrated, axis=0)
        return count / xp.sum(count, axis=-1, keepdims=True)
