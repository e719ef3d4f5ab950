"""From logits to figures: what every remedy is worth on rows that it never saw.

A remedy's answer for a fold is the mean of its seeds' probabilities, as in the model that
is handed over. Calibrator and threshold come from the fold's validation part; its test
part is scored once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax

from kilter import metrics
from kilter._types import Split, TestScores, ValidationScores
from kilter.comparison.executors.base import Trained
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import Remedy
from kilter.decide import Calibrator, Costs, Threshold

Decision = Threshold | Costs


@dataclass(frozen=True)
class FoldOutcome:
    """One remedy on one fold: what it predicts for the test part, and its figures.

    ``predicted`` are class positions (rows,) by the remedy's own decision; ``calibrated``
    are the probabilities after calibration on the validation part.
    """

    validation: ValidationScores
    test: TestScores
    calibrated: np.ndarray
    predicted: np.ndarray
    calibrator: Calibrator
    positive: int
    costs: Costs | None = None

    @cached_property
    def figures(self) -> dict[str, float]:
        """Every figure of the leaderboard that can be taken on one fold."""
        labels, raw = self.test.labels, self.test.probabilities
        return {
            "auprc": metrics.average_precision(labels, raw, self.positive),
            "macro_f1": metrics.macro_f1(labels, self.predicted),
            "balanced_accuracy": metrics.balanced_accuracy(labels, self.predicted),
            "mcc": metrics.mcc(labels, self.predicted),
            **_probability_figures(labels, raw, ""),
            **_probability_figures(labels, self.calibrated, "_calibrated"),
            **({"cost": self.costs.expected_cost(labels, self.predicted)} if self.costs else {}),
        }


def _probability_figures(labels: np.ndarray, p: np.ndarray, suffix: str) -> dict[str, float]:
    return {
        f"log_loss{suffix}": metrics.log_loss(labels, p),
        f"brier{suffix}": metrics.brier(labels, p),
    }


@dataclass(frozen=True)
class Outcome:
    """One remedy on all folds."""

    remedy: Remedy
    folds: tuple[FoldOutcome, ...]
    seconds: float

    @property
    def labels(self) -> np.ndarray:
        """True classes of the test rows, fold after fold."""
        return np.concatenate([fold.test.labels for fold in self.folds])

    @property
    def predicted(self) -> np.ndarray:
        """Decisions for the test rows, fold after fold."""
        return np.concatenate([fold.predicted for fold in self.folds])

    def probabilities(self, calibrated: bool = False) -> np.ndarray:
        """Probabilities of the test rows (rows, classes), fold after fold."""
        if calibrated:
            return np.concatenate([fold.calibrated for fold in self.folds])
        return np.concatenate([fold.test.probabilities for fold in self.folds])

    def validation(self, folds: Sequence[int]) -> ValidationScores:
        """Return the calibrated validation scores of these folds, to fit a decision on."""
        kept = [self.folds[fold] for fold in folds]
        scores = [calibrate(fold.calibrator, fold.validation) for fold in kept]
        return ValidationScores(
            np.concatenate([score.labels for score in scores]),
            np.concatenate([score.probabilities for score in scores]),
        )

    def by_fold(self, figure: str) -> np.ndarray:
        """One figure, float array of shape (folds,)."""
        return np.array([fold.figures[figure] for fold in self.folds])


def judge(
    plan: Plan, splits: Sequence[Split], trained: Sequence[Trained], positive: int
) -> tuple[Outcome, ...]:
    """Judge every remedy of the plan; in the plan's order."""
    return tuple(
        _outcome(
            plan,
            remedy,
            splits,
            [one for one in trained if one.lane.training == remedy.training],
            positive,
        )
        for remedy in plan.remedies
    )


def _outcome(
    plan: Plan, remedy: Remedy, splits: Sequence[Split], trained: Sequence[Trained], positive: int
) -> Outcome:
    folds = tuple(
        _fold_outcome(plan, remedy, split, [t for t in trained if t.lane.fold == fold], positive)
        for fold, split in enumerate(splits)
    )
    return Outcome(remedy, folds, sum(one.seconds for one in trained))


def _fold_outcome(
    plan: Plan, remedy: Remedy, split: Split, seeds: Sequence[Trained], positive: int
) -> FoldOutcome:
    validation = ValidationScores(split.validation.labels, _mean(seeds, lambda t: t.validation))
    test = TestScores(split.test.labels, _mean(seeds, lambda t: t.test))
    calibrator = Calibrator.fit(validation)
    decision = fit_decision(plan, remedy, calibrate(calibrator, validation), positive)
    calibrated = calibrator.apply(test.probabilities)
    # Without a tuned decision the raw probabilities decide, as they would untouched.
    decided_on = calibrated if remedy.decide.tuned else test.probabilities
    predicted = decision.apply(decided_on)
    costs = Costs(plan.costs) if plan.costs is not None else None
    return FoldOutcome(validation, test, calibrated, predicted, calibrator, positive, costs)


def _mean(seeds: Sequence[Trained], logits: Callable[[Trained], np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean(
        [softmax(logits(one).astype(np.float64), axis=1) for one in seeds], axis=0
    )
    return mean


def calibrate(calibrator: Calibrator, scores: ValidationScores) -> ValidationScores:
    """Return validation scores with calibrated probabilities."""
    return ValidationScores(scores.labels, calibrator.apply(scores.probabilities))


def fit_decision(
    plan: Plan, remedy: Remedy, calibrated: ValidationScores, positive: int
) -> Decision:
    """Fit the decision on calibrated validation scores."""
    if not remedy.decide.tuned:
        return Threshold.plain(calibrated.probabilities.shape[1])
    if plan.costs is not None:
        return Costs(plan.costs)
    return Threshold.fit(
        calibrated,
        metric=decision_metric(plan.metric),
        min_recall=plan.min_recall,
        positive=positive,
    )


def decision_metric(metric: str) -> str:
    """Return what a threshold maximises: the chosen metric if it hangs on one, or macro F1."""
    return metric if metric in ("macro_f1", "balanced_accuracy", "mcc") else "macro_f1"
