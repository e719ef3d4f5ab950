"""Members joined by their votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from kilter._types import ValidationScores
from kilter.decide import Calibrator, Threshold
from kilter.decide.threshold import CALIBRATED
from kilter.ensemble.base import Joint, check_members, log
from kilter.ensemble.pool import calibrate


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
        check_members(members)
        calibrators = [Calibrator.fit(one) for one in members]
        pairs = zip(members, calibrators, strict=True)
        calibrated = [ValidationScores(m.labels, c.apply(m.probabilities)) for m, c in pairs]
        return cls(
            tuple(one.scale for one in calibrators),
            tuple(one.bias for one in calibrators),
            tuple(Threshold.fit(one, expected=CALIBRATED).offsets for one in calibrated),
        )

    @staticmethod
    def combine(xp: Any, members: Any, **numbers: Any) -> Any:
        """Count votes."""
        calibrated = calibrate(xp, members, numbers["scales"], numbers["biases"])
        moved = log(xp, calibrated) + numbers["offsets"][:, None]
        votes = xp.where(moved >= xp.max(moved, axis=-1, keepdims=True), 1.0, 0.0)
        count = xp.sum(votes, axis=0) + xp.mean(calibrated, axis=0)
        return count / xp.sum(count, axis=-1, keepdims=True)
