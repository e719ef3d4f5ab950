"""From logits to figures: what every remedy is worth on rows that it never saw.

A training's answer for a fold is the mean of its seeds' probabilities, as in the model that
is handed over; a remedy of several members joins theirs. Joint, calibrator and threshold come
from the fold's validation part; its test part is scored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.special import softmax
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from kilter import metrics
from kilter._types import Split, TestScores, ValidationScores
from kilter.comparison.executors.base import Trained
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import Remedy
from kilter.comparison.training import with_needs
from kilter.decide import Calibrator, Costs, Threshold
from kilter.decide.threshold import CALIBRATED
from kilter.ensemble import JOINTS, Joint

Decision = Threshold | Costs

JOINT_PARTS = 5  # of validation rows, each joined by what the others say

ON_THREADS = 1 << 14
"""Probabilities of a test part from which folds are judged side by side on threads.

Sorting and exponentials free the interpreter lock; what scikit-learn checks does not."""


@dataclass(frozen=True)
class FoldOutcome:
    """One remedy on one fold: what it predicts for the test part, and its figures.

    ``predicted`` are class positions (rows,) by the remedy's own decision, ``figures`` those
    of the leaderboard that can be taken on one fold, and ``precisions`` the average precision
    of each class that is ranked: the rarest of two, or all.
    """

    test: TestScores
    predicted: np.ndarray
    calibrator: Calibrator
    positive: int
    figures: dict[str, float]
    precisions: np.ndarray

    @property
    def calibrated(self) -> np.ndarray:
        """Probabilities (rows, classes) after calibration on the validation part.

        Worked out anew each time: those of all folds and remedies are gigabytes where a
        table is large.
        """
        return self.calibrator.apply(self.test.probabilities)


def _figures(
    scores: TestScores, calibrated: np.ndarray, predicted: np.ndarray, precisions: np.ndarray
) -> dict[str, float]:
    labels = scores.labels
    return {
        "auprc": float(precisions.mean()),
        "macro_f1": metrics.macro_f1(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy(labels, predicted),
        "mcc": metrics.mcc(labels, predicted),
        **_probability_figures(labels, scores.probabilities, ""),
        **_probability_figures(labels, calibrated, "_calibrated"),
    }


def _precisions(scores: TestScores, positive: int) -> np.ndarray:
    """Return the average precision of each class against the rest; of two, the positive's."""
    n_classes = scores.probabilities.shape[1]
    ranked = [positive] if n_classes == 2 else range(n_classes)
    each = (average_precision_score(scores.labels == c, scores.probabilities[:, c]) for c in ranked)
    return np.fromiter(each, float)


def _probability_figures(labels: np.ndarray, p: np.ndarray, suffix: str) -> dict[str, float]:
    return {
        f"log_loss{suffix}": metrics.log_loss(labels, p),
        f"brier{suffix}": metrics.brier(labels, p),
    }


@dataclass(frozen=True)
class Outcome:
    """One remedy on all folds.

    ``chosen`` says what a search took for each fold; empty where it is the remedy on all.
    """

    remedy: Remedy
    folds: tuple[FoldOutcome, ...]
    seconds: float
    chosen: tuple[str, ...] = ()

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

    def by_fold(self, figure: str) -> np.ndarray:
        """One figure, float array of shape (folds,)."""
        return np.array([fold.figures[figure] for fold in self.folds])


def judge(
    plan: Plan, splits: Sequence[Split], trained: Sequence[Trained], positive: int
) -> tuple[Outcome, ...]:
    """Judge every remedy of the plan; in the plan's order."""
    large = max(one.test.size for one in trained) > ON_THREADS
    folds = Parallel(n_jobs=-1 if large else 1, prefer="threads")(
        delayed(judge_fold)(
            plan, remedy, split, of_fold(of_remedy(trained, remedy), fold), positive
        )
        for remedy in plan.remedies
        for fold, split in enumerate(splits)
    )
    return tuple(
        Outcome(
            remedy,
            tuple(folds[number * len(splits) : (number + 1) * len(splits)]),
            sum(one.seconds for one in of_remedy(trained, remedy)),
        )
        for number, remedy in enumerate(plan.remedies)
    )


def of_remedy(trained: Sequence[Trained], remedy: Remedy) -> list[Trained]:
    """Return the trainings of one remedy, with those that they need."""
    trainings = with_needs(remedy.trainings)
    return [one for one in trained if one.lane.training in trainings]


def of_fold(trained: Sequence[Trained], fold: int) -> list[Trained]:
    """Return the trainings of one fold."""
    return [one for one in trained if one.lane.fold == fold]


def judge_fold(
    plan: Plan, remedy: Remedy, split: Split, trained: Sequence[Trained], positive: int
) -> FoldOutcome:
    """Judge one remedy on one fold, by the trainings that it has there."""
    members = by_training(remedy, trained)
    validated = [validation_scores(split, seeds) for seeds in members]
    tested = [_mean([one.test for one in seeds]) for seeds in members]
    joint, validation = join_members(remedy, validated)
    test = TestScores(split.test.labels, tested[0] if joint is None else joint.apply(tested))
    calibrator = Calibrator.fit(validation)
    decision = fit_decision(plan, remedy, calibrate(calibrator, validation), positive)
    calibrated = calibrator.apply(test.probabilities)
    decided_on = calibrated if remedy.decide.calibrated else test.probabilities
    predicted = decision.apply(decided_on)
    precisions = _precisions(test, positive)
    figures = _figures(test, calibrated, predicted, precisions)
    if plan.costs is not None:
        figures["cost"] = Costs(plan.costs).expected_cost(test.labels, predicted)
    return FoldOutcome(test, predicted, calibrator, positive, figures, precisions)


def by_training(remedy: Remedy, trained: Sequence[Trained]) -> list[list[Trained]]:
    """Return the trainings of each member of a remedy; its own if it has no members."""
    return [
        [one for one in trained if one.lane.training == training] for training in remedy.trainings
    ]


def join_members(
    remedy: Remedy, members: Sequence[ValidationScores]
) -> tuple[Joint | None, ValidationScores]:
    """Find out how to join members, and what validation scores they have together.

    A joint fits the rows that it learned from too well: a calibrator and a threshold on those
    would expect too much. So the scores of each part of the rows come from a joint of the others.
    What has no members is as it is.
    """
    if not remedy.members:
        return None, members[0]
    kind, labels = JOINTS[remedy.join], members[0].labels
    together = np.empty_like(members[0].probabilities)
    for rest, part in _parts(labels):
        joint = kind.fit([_rows(one, rest) for one in members])
        together[part] = joint.apply([one.probabilities[part] for one in members])
    return kind.fit(members), ValidationScores(labels, together)


def _parts(labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Part rows in strata: what to learn from, and what to join; all rows twice if too few."""
    counts = np.bincount(labels)
    folds = min(JOINT_PARTS, int(counts[counts > 0].min()))
    if folds < 2:
        return [(np.arange(len(labels)),) * 2]
    cut = StratifiedKFold(folds, shuffle=True, random_state=0)
    return list(cut.split(np.zeros(len(labels)), labels))


def _rows(scores: ValidationScores, rows: np.ndarray) -> ValidationScores:
    return ValidationScores(scores.labels[rows], scores.probabilities[rows])


def validation_scores(split: Split, seeds: Sequence[Trained]) -> ValidationScores:
    """Return a fold's validation labels and the mean probabilities of its seeds."""
    return ValidationScores(split.validation.labels, _mean([one.validation for one in seeds]))


def _mean(logits: Sequence[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean([softmax(one.astype(np.float64), axis=1) for one in logits], axis=0)
    return mean


def pooled_validation(splits: Sequence[Split], trained: Sequence[Trained]) -> ValidationScores:
    """Return the validation scores of one training, those of all folds that it has."""
    folds = sorted({one.lane.fold for one in trained})
    scores = [validation_scores(splits[fold], of_fold(trained, fold)) for fold in folds]
    return ValidationScores(
        np.concatenate([score.labels for score in scores]),
        np.concatenate([score.probabilities for score in scores]),
    )


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
        expected=CALIBRATED,
    )


def decision_metric(metric: str) -> str:
    """Return what a threshold maximises: the chosen metric if it hangs on one, or macro F1."""
    return metric if metric in ("macro_f1", "balanced_accuracy", "mcc") else "macro_f1"
