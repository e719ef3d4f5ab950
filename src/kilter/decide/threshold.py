"""Decisions by thresholds that are tuned on validation rows, for two and for many classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from kilter._errors import ArgumentError, did_you_mean
from kilter._types import ValidationScores, require_part
from kilter.decide._sweep import APART, BEYOND, CRITERIA, EQUAL, rivals, sweep
from kilter.decide.base import check_width, read_json
from kilter.metrics._inputs import check_class, check_scored

FLOOR = float(np.finfo(np.float32).tiny)
ROUNDS = 3
CALIBRATED = 0.7
"""What `Threshold.fit` expects of calibrated probabilities (docs/decisions/0008-thresholds.md)."""


@dataclass(frozen=True)
class Threshold:
    """The decision argmax(log p + offsets).

    Use it to move decisions towards rare classes without touching the training: with tuned
    offsets a plain network often matches every remedy. For two classes this is exactly a
    threshold on a probability.

    Attributes
    ----------
    offsets : tuple of float
        One a class; a higher one is predicted more often. Only differences matter.

    Examples
    --------
    >>> from kilter.decide import Threshold
    >>> rule = Threshold.at(0.2)
    >>> rule.apply([[0.9, 0.1], [0.7, 0.3]]).tolist(), round(rule.probability(), 3)
    ([0, 1], 0.2)
    """

    offsets: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.offsets) < 2 or not np.all(np.isfinite(self.offsets)):
            raise ArgumentError(
                "`offsets` must be finite, one a class, of two classes or more; "
                f"got {self.offsets}. `Threshold.fit` finds them."
            )

    @classmethod
    def plain(cls, n_classes: int) -> Threshold:
        """Return the rule that predicts the most probable class."""
        return cls((0.0,) * n_classes)

    @classmethod
    def at(cls, probability: float) -> Threshold:
        """Return the rule for two classes that predicts 1 above this probability of it."""
        if not 0 < probability < 1:
            raise ArgumentError(f"`probability` must be between 0 and 1; got {probability}.")
        return cls((0.0, -float(logit(probability))))

    @classmethod
    def fit(
        cls,
        scores: ValidationScores,
        metric: str = "macro_f1",
        min_recall: float | None = None,
        positive: int | None = None,
        expected: float = 0.0,
    ) -> Threshold:
        """Find the offsets that are best on validation rows.

        Use it once a training, on rows that the network has not learned from.

        Parameters
        ----------
        scores : ValidationScores
            Labels and probabilities of the validation part.
        metric : {"macro_f1", "balanced_accuracy", "mcc"}
            What to maximise. Two classes: over every possible threshold. More: one class's
            offset after another, each exactly, starting from the most probable class, in at
            most three rounds. Of equally good offsets the middle of the widest range is
            taken, on the log-odds scale. A class without validation rows keeps offset 0.
        min_recall : float, optional
            Instead of a metric: the highest threshold on ``positive`` that keeps at least
            this recall, above 0 and at most 1.
        positive : int, optional
            For ``min_recall`` only; for two classes the rarer one by default.
        expected : float
            How much of a row counts for each class by its probabilities rather than for its label
            alone, from 0 to 1. A metric of a handful of rare rows is mostly luck; calibrated
            probabilities know better what to expect. With those that are not calibrated leave it
            at 0.

        Raises
        ------
        ArgumentTypeError
            If ``scores`` are not those of a validation part.
        ArgumentError
            If the metric is unknown, ``min_recall`` or ``expected`` out of range, or ``positive``
            needed and missing or without rows.

        References
        ----------
        Lipton, Elkan and Naryanaswamy (2014), Optimal thresholding of classifiers to maximize F1
        measure; Ye et al. (2012), Optimizing F-measure: a tale of two approaches, for both ends
        of ``expected``.

        Examples
        --------
        >>> from kilter._types import ValidationScores
        >>> from kilter.decide import Threshold
        >>> probabilities = [[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.6, 0.4]]
        >>> scores = ValidationScores([0, 0, 0, 1], probabilities)
        >>> round(Threshold.fit(scores).probability(), 3)
        0.29
        """
        require_part(scores, ValidationScores, "scores")
        labels, probabilities = check_scored(scores.labels, scores.probabilities)
        if min_recall is not None:
            return cls(_keep_recall(labels, _log(probabilities), min_recall, positive))
        if metric not in CRITERIA:
            raise ArgumentError(
                f"`metric` must be one of {', '.join(CRITERIA)}; got `{metric}`."
                + did_you_mean(str(metric), CRITERIA)
            )
        if not 0 <= expected <= 1:
            raise ArgumentError(f"`expected` must be from 0 to 1; got {expected}.")
        truth = expected * probabilities
        truth[np.arange(len(labels)), labels] += 1 - expected
        return cls(_ascend(truth, labels, _log(probabilities), metric))

    def probability(self, positive: int = 1) -> float:
        """Return the probability of ``positive`` above which it is predicted.

        Raises
        ------
        ArgumentError
            If there are more than two classes: no single probability decides then.
        """
        if len(self.offsets) != 2:
            raise ArgumentError(
                f"`offsets` must be two to be one threshold; got {len(self.offsets)}. "
                "Read `offsets` instead."
            )
        positive = check_class(positive, 2)
        return float(expit(self.offsets[1 - positive] - self.offsets[positive]))

    def apply(self, probabilities: Any) -> np.ndarray:
        """Return the predicted class of each row, int64 of shape (rows,)."""
        given = check_width(probabilities, len(self.offsets))
        predicted: np.ndarray = np.argmax(_log(given) + self.offsets, axis=1)
        return predicted

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON can hold it."""
        return {"offsets": list(self.offsets)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Threshold:
        """Make the rule again."""
        (offsets,) = read_json(plain, ("offsets",), "Threshold")
        return cls(tuple(offsets.tolist()))


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, FLOOR))


def _ascend(
    truth: np.ndarray, labels: np.ndarray, logs: np.ndarray, metric: str
) -> tuple[float, ...]:
    """Improve one offset after another, those of rare classes first."""
    offsets, reached = np.zeros(logs.shape[1]), -np.inf
    for _ in range(ROUNDS):
        before = reached
        for k in _tunable(labels, logs.shape[1]):
            offsets[k], reached = sweep(truth, logs, offsets, k, CRITERIA[metric]).best()
        if len(offsets) == 2 or reached <= before + EQUAL:
            break
    return tuple(offsets.tolist())


def _tunable(labels: np.ndarray, n_classes: int) -> list[int]:
    """Return the classes to tune, rare ones first; without rows there is nothing to go by."""
    counts = np.bincount(labels, minlength=n_classes)
    if n_classes == 2:
        return [1] if counts.all() else []
    rare_first: list[int] = np.argsort(counts, kind="stable").tolist()
    return [k for k in rare_first if counts[k]]


def _keep_recall(
    labels: np.ndarray, logs: np.ndarray, min_recall: float, positive: int | None
) -> tuple[float, ...]:
    """Find the lowest offset of a class that keeps its recall, the others' being 0."""
    if not 0 < min_recall <= 1:
        raise ArgumentError(f"`min_recall` must be above 0 and at most 1; got {min_recall}.")
    offsets = np.zeros(logs.shape[1])
    k = _recalled_class(labels, logs.shape[1], positive)
    _, margins = rivals(logs, offsets, k)
    own = np.sort(margins[labels == k])
    # Three tenths of ten must need three rows, not four, whatever the last bit says.
    last = own[int(np.ceil(min_recall * len(own) - EQUAL)) - 1]
    following = margins[margins > last + APART]
    offsets[k] = (last + (following.min() if len(following) else last + BEYOND)) / 2
    return tuple(offsets.tolist())


def _recalled_class(labels: np.ndarray, n_classes: int, positive: int | None) -> int:
    counts = np.bincount(labels, minlength=n_classes)
    if positive is None and n_classes == 2:
        positive = int(counts[1] <= counts[0])
    k = check_class(positive, n_classes)
    if not counts[k]:
        raise ArgumentError(
            f"`scores` must hold rows of class {k} for its recall to mean something; got none. "
            "Use a larger validation part."
        )
    return k
