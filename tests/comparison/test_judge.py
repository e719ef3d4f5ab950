"""Figures against scikit-learn on the same predictions; decisions from validation rows alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn import metrics as sk

from kilter._types import Test as TestPart
from kilter._types import ValidationScores
from kilter.comparison.judge import (
    calibrate,
    decision_metric,
    fit_decision,
    join_members,
    judge,
)
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE, REMEDIES, Decide, Remedy
from kilter.decide import Calibrator, Costs, Threshold
from kilter.ensemble import JOINTS


def recomputed(rows: pd.DataFrame, classes: list[str], rarest: str) -> dict[str, float]:
    """Compute the figures of one fold from its predictions, with scikit-learn."""
    truth, predicted = rows["target"], rows["predicted"]
    p = rows[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    p = p / p.sum(axis=1, keepdims=True)
    ranked = [rarest] if len(classes) == 2 else classes
    squares = ((p - np.eye(len(classes))[truth.map(classes.index)]) ** 2).sum(axis=1).mean()
    return {
        "auprc": np.mean(
            [sk.average_precision_score(truth == c, p[:, classes.index(c)]) for c in ranked]
        ),
        "macro_f1": sk.f1_score(truth, predicted, average="macro", zero_division=0),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "mcc": sk.matthews_corrcoef(truth, predicted),
        "log_loss": sk.log_loss(truth, p, labels=classes),
        "brier": squares / 2 if len(classes) == 2 else squares,
    }


def test_the_leaderboard_is_what_scikit_learn_makes_of_the_predictions(
    judged: SimpleNamespace,
) -> None:
    predictions = judged.result.predictions.to_pandas()
    classes = list(judged.dataset.schema.classes)
    rarest = classes[judged.positive]
    board = {row["remedy"]: row for row in judged.result.summary["leaderboard"]}
    assert set(predictions["remedy"]) == board.keys()
    for name, rows in predictions.groupby("remedy", observed=True):
        folds = [recomputed(one, classes, rarest) for _, one in rows.groupby("fold")]
        for figure in folds[0]:
            expected = np.mean([fold[figure] for fold in folds])
            assert board[name][figure] == pytest.approx(expected, abs=2e-5), (name, figure)
        ratio = rows[f"p_{rarest}"].mean() / (rows["target"] == rarest).mean()
        assert board[name]["calibration_ratio"] == pytest.approx(ratio, rel=1e-4)
        assert board[name]["seconds"] == pytest.approx(3 * 2 * 0.25)


def test_a_folds_answer_is_the_mean_of_its_seeds_probabilities(judged: SimpleNamespace) -> None:
    outcomes = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    assert [outcome.remedy for outcome in outcomes] == list(judged.plan.remedies)
    for outcome in outcomes:
        (training,) = outcome.remedy.trainings
        seeds = [one for one in judged.trained if one.lane.training == training]
        for number, fold in enumerate(outcome.folds):
            of_fold = [softmax(one.test, axis=1) for one in seeds if one.lane.fold == number]
            assert len(of_fold) == 2
            np.testing.assert_allclose(fold.test.probabilities, np.mean(of_fold, axis=0), rtol=1e-5)
            assert fold.test.probabilities.dtype == np.float64
            validated = [softmax(one.validation, 1) for one in seeds if one.lane.fold == number]
            found = ValidationScores(
                judged.splits[number].validation.labels, np.mean(validated, axis=0, dtype=float)
            )
            calibrated = Calibrator.fit(found).apply(fold.test.probabilities)
            np.testing.assert_allclose(fold.calibrated, calibrated, rtol=1e-3)


def test_folds_judged_on_threads_are_judged_alike(
    judged: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (judged.plan, judged.splits, judged.trained, judged.positive)
    expected = judge(*given)
    monkeypatch.setattr(sys.modules[judge.__module__], "ON_THREADS", 0)
    for one, other in zip(judge(*given), expected, strict=True):
        assert one.remedy == other.remedy
        assert one.seconds == other.seconds
        np.testing.assert_array_equal(one.predicted, other.predicted)
        np.testing.assert_array_equal(one.probabilities(True), other.probabilities(True))
        assert [fold.figures for fold in one.folds] == [fold.figures for fold in other.folds]


def test_untouched_the_most_probable_class_is_predicted(judged: SimpleNamespace) -> None:
    predictions = judged.result.predictions.to_pandas()
    classes = np.array(judged.dataset.schema.classes)
    agrees = {}
    for name, rows in predictions.groupby("remedy", observed=True):
        likeliest = classes[rows[[f"p_{c}" for c in classes]].to_numpy().argmax(axis=1)]
        agrees[name] = (rows["predicted"] == likeliest).all()
    assert agrees["none"]
    assert not agrees[BASELINE]  # its threshold is elsewhere than at a half


def test_the_two_decisions_of_one_training_share_its_probabilities(judged: SimpleNamespace) -> None:
    outcomes = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    plain, tuned = (next(o for o in outcomes if o.remedy.name == n) for n in ("none", BASELINE))
    np.testing.assert_array_equal(plain.probabilities(), tuned.probabilities())
    assert plain.by_fold("auprc").tolist() == tuned.by_fold("auprc").tolist()
    assert tuned.by_fold("macro_f1").mean() > plain.by_fold("macro_f1").mean()


def test_test_labels_change_figures_and_nothing_else(judged: SimpleNamespace) -> None:
    n_classes = len(judged.dataset.schema.classes)

    def turned(part: TestPart) -> TestPart:
        return replace(part, labels=(part.labels + 1) % n_classes)

    other = [replace(one, test=turned(one.test)) for one in judged.splits]
    before = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    after = judge(judged.plan, other, judged.trained, judged.positive)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.predicted, two.predicted)
        np.testing.assert_array_equal(one.probabilities(True), two.probabilities(True))
        assert (one.by_fold("log_loss") != two.by_fold("log_loss")).all()


def test_validation_labels_move_the_decision(judged: SimpleNamespace) -> None:
    def turned(part):
        return replace(part, labels=np.roll(part.labels, 7))

    other = [replace(one, validation=turned(one.validation)) for one in judged.splits]
    before = judge(judged.plan, judged.splits, judged.trained, judged.positive)[1]
    after = judge(judged.plan, other, judged.trained, judged.positive)[1]
    assert before.remedy.name == BASELINE
    assert (before.probabilities(True) != after.probabilities(True)).any()
    np.testing.assert_array_equal(before.probabilities(), after.probabilities())


def scores(seed: int = 0) -> ValidationScores:
    rng = np.random.default_rng(seed)
    labels = (rng.random(150) < 0.15).astype(int)
    logit = 1.5 * rng.normal(size=150) + 2 * labels
    p = 1 / (1 + np.exp(-logit))
    return ValidationScores(labels, np.column_stack([1 - p, p]))


MACRO_F1 = partial(sk.f1_score, average="macro")


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("macro_f1", MACRO_F1),
        ("balanced_accuracy", sk.balanced_accuracy_score),
        ("mcc", sk.matthews_corrcoef),
        ("auprc", MACRO_F1),  # a ranking has no threshold
    ],
)
def test_the_threshold_is_the_best_of_all_on_validation_rows(metric: str, score) -> None:
    """Three tenths of each row are its label, the rest is what its probabilities say."""
    validation = scores()
    plan = Plan.make("focal", metric=metric)
    decision = fit_decision(plan, REMEDIES[BASELINE], validation, 1)
    p, y = validation.probabilities, validation.labels
    labels = np.concatenate([y, np.zeros_like(y), np.ones_like(y)])
    shares = np.concatenate([0.3 * np.ones(len(y)), 0.7 * p[:, 0], 0.7 * p[:, 1]])

    def reached(found: np.ndarray) -> float:
        return score(labels, np.tile(found, 3), sample_weight=shares)

    best = max(reached((p[:, 1] > cut).astype(int)) for cut in np.sort(p[:, 1])[:-1])
    assert reached(decision.apply(p)) == pytest.approx(best)


def test_calibration_is_that_of_the_validation_rows() -> None:
    validation = scores()
    calibrated = calibrate(Calibrator.fit(validation), validation)
    assert calibrated.labels is validation.labels
    mean = calibrated.probabilities[:, 1].mean()
    assert mean == pytest.approx(validation.labels.mean(), abs=0.01)


def test_a_recall_that_is_asked_for_is_kept() -> None:
    validation = scores()
    plan = Plan.make("focal", min_recall=0.8)
    decision = fit_decision(plan, REMEDIES[BASELINE], validation, 1)
    calibrated = validation.probabilities
    recall = sk.recall_score(validation.labels, decision.apply(calibrated))
    assert recall >= 0.8
    # one positive fewer would be too few: the threshold is as high as it can be
    assert recall - 1 / validation.labels.sum() < 0.8


def test_costs_decide_where_they_are_given() -> None:
    plan = Plan.make("focal", costs=((0.0, 1.0), (9.0, 0.0)))
    decision = fit_decision(plan, REMEDIES[BASELINE], scores(), 1)
    assert decision == Costs(((0.0, 1.0), (9.0, 0.0)))


def test_nothing_is_tuned_for_the_untouched_network() -> None:
    for plan in (Plan.make("none", min_recall=0.9), Plan.make("none", costs=((0, 1), (9, 0)))):
        decision = fit_decision(plan, REMEDIES["none"], scores(), 1)
        assert decision == Threshold((0.0, 0.0))


def test_what_is_not_tuned_is_judged_by_what_is_handed_over(small: Callable) -> None:
    parts = small(3, remedies="class-weights")
    untuned = replace(parts.plan.remedies[1], decide=Decide(tuned=False))
    plan = replace(parts.plan, remedies=(untuned,))
    (outcome,) = judge(plan, parts.splits, parts.trained, parts.positive)
    moved = 0
    for fold in outcome.folds:
        calibrated = fold.calibrator.apply(fold.test.probabilities)
        np.testing.assert_array_equal(fold.predicted, calibrated.argmax(axis=1))
        moved += (fold.predicted != fold.test.probabilities.argmax(axis=1)).sum()
    assert moved  # calibration takes back what the weights did


@pytest.mark.parametrize("metric", ["auprc", "log_loss", "brier", "macro_f1"])
def test_what_has_no_threshold_is_decided_by_macro_f1(metric: str) -> None:
    assert decision_metric(metric) == "macro_f1"
    assert decision_metric("mcc") == "mcc"


@pytest.mark.parametrize("name", ["under-bagging", "blend", "vote", "stack"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_members_are_joined_by_what_validation_rows_say(small, name: str, n_classes: int) -> None:
    parts = small(n_classes, remedies=name)
    remedy = parts.plan.remedies[1]
    (_, outcome) = judge(parts.plan, parts.splits, parts.trained, parts.positive)
    for number, fold in enumerate(outcome.folds):
        validated, tested = [], []
        for training in remedy.trainings:
            seeds = [
                o for o in parts.trained if (o.lane.training, o.lane.fold) == (training, number)
            ]
            assert len(seeds) == 2
            p = np.mean([softmax(one.validation.astype(float), axis=1) for one in seeds], axis=0)
            validated.append(ValidationScores(parts.splits[number].validation.labels, p))
            tested.append(np.mean([softmax(o.test.astype(float), axis=1) for o in seeds], axis=0))
        joint = JOINTS[remedy.join].fit(validated)
        np.testing.assert_allclose(fold.test.probabilities, joint.apply(tested), rtol=1e-6)
        # What calibrates is joined by a joint that has not learned from the row.
        joint, validation = join_members(remedy, validated)
        assert joint == JOINTS[remedy.join].fit(validated)
        assert fold.calibrator == Calibrator.fit(validation)
    mine = [one for one in parts.trained if one.lane.training in remedy.trainings]
    assert outcome.seconds == pytest.approx(0.25 * len(mine))


def test_validation_scores_of_a_joint_are_not_those_it_learned_from() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [54, 6])
    members = [
        ValidationScores(labels, softmax(rng.normal(size=(60, 2)), axis=1)) for _ in range(9)
    ]
    losses = {}
    for name in ("stack", "blend"):
        remedy = Remedy("x", members=REMEDIES["stack"].members, join=REMEDIES[name].join)
        joint, validation = join_members(remedy, members)
        p = [one.probabilities for one in members]
        learned, held = joint.apply(p), validation.probabilities
        losses[name] = [sk.log_loss(labels, p) for p in (learned, held)]
        assert losses[name][0] < losses[name][1]  # noise has nothing to be learned from
    few = [ValidationScores(one.labels[53:55], one.probabilities[53:55]) for one in members]
    assert np.isfinite(join_members(remedy, few)[1].probabilities).all()
