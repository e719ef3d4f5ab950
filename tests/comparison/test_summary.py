"""The dict behind the command line, the JSON and the report."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics as sk

from kilter.comparison.judge import judge, of_fold, pooled_validation, validation_scores
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE
from kilter.comparison.summary import probability_threshold
from kilter.decide import Calibrator, Costs, Threshold
from kilter.report import render

PROMISED = {
    *("remedy", "auprc", "auprc_ci", "macro_f1", "balanced_accuracy", "mcc", "log_loss", "brier"),
    *("calibration_ratio", "p_better", "seconds"),
}


@pytest.fixture
def summary(judged: SimpleNamespace) -> dict[str, Any]:
    return judged.result.summary


def test_it_is_plain_json(summary: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_it_keeps_the_contract(summary: dict[str, Any], judged: SimpleNamespace) -> None:
    assert summary["schema"] == 1
    assert {"data", "leaderboard", "chosen", "verdict"} <= summary.keys()
    assert {row["remedy"] for row in summary["leaderboard"]} == {
        remedy.name for remedy in judged.plan.remedies
    }
    for row in summary["leaderboard"]:
        assert row.keys() >= PROMISED
    assert Plan.from_json(summary["plan"]) == judged.plan
    assert summary["plain"] == "plain cross-entropy with a tuned threshold"


def test_the_best_comes_first(summary: dict[str, Any]) -> None:
    values = [row["auprc"] for row in summary["leaderboard"]]
    assert values == sorted(values, reverse=True)


def test_the_baseline_is_not_compared_with_itself(summary: dict[str, Any]) -> None:
    (base,) = (row for row in summary["leaderboard"] if row["remedy"] == BASELINE)
    assert (base["p_better"], base["difference"], base["difference_ci"]) == (None, None, None)
    for row in summary["leaderboard"]:
        if row["remedy"] != BASELINE:
            assert row["difference"] == pytest.approx(row["auprc"] - base["auprc"])
            assert row["difference_ci"][0] <= row["difference"] <= row["difference_ci"][1]
            assert 0 <= row["p_better"] <= 1


def test_the_data_are_counted(summary: dict[str, Any], judged: SimpleNamespace) -> None:
    labels, classes = judged.dataset.labels, judged.dataset.schema.classes
    counts = {name: int((labels == c).sum()) for c, name in enumerate(classes)}
    data = summary["data"]
    assert {item["name"]: item["count"] for item in data["classes"]} == counts
    assert [item["count"] for item in data["classes"]] == sorted(counts.values())
    assert sum(item["share"] for item in data["classes"]) == pytest.approx(1)
    assert data["positive"] == min(counts, key=lambda name: counts[name])
    assert (data["rows"], data["columns"], data["target"]) == (300, 3, "target")
    assert (data["folds"], data["seeds"], data["split"]) == (3, 2, "stratified")


def test_the_interval_is_boyds_on_the_logit_scale(
    summary: dict[str, Any], judged: SimpleNamespace
) -> None:
    outcomes = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    n_classes = len(judged.dataset.schema.classes)
    ranked = [judged.positive] if n_classes == 2 else range(n_classes)
    for one in outcomes:
        each = [
            np.mean(
                [
                    sk.average_precision_score(f.test.labels == c, f.test.probabilities[:, c])
                    for f in one.folds
                ]
            )
            for c in ranked
        ]
        n = np.array([(judged.dataset.labels == c).sum() for c in ranked])
        mean, each = np.mean(each), np.array(each)
        se = np.sqrt(np.sum(each * (1 - each) / n)) / len(n)
        half = 1.959964 * se / (mean * (1 - mean))
        expected = [expit(logit(mean) - half), expit(logit(mean) + half)]
        (row,) = (r for r in summary["leaderboard"] if r["remedy"] == one.remedy.name)
        assert row["auprc_ci"] == pytest.approx(expected, abs=1e-5)


def test_what_was_chosen_is_what_the_model_does(
    summary: dict[str, Any], judged: SimpleNamespace
) -> None:
    chosen, model = summary["chosen"], judged.result.model
    assert chosen["remedy"] == judged.result.best
    assert chosen["networks"] == 2
    epochs = {task.epochs(one.lane.training) for task, one in judged.refitted}
    assert epochs == {chosen["epochs"]}
    assert chosen["decision"] == model.decision.to_json()
    names = [str(name) for name in judged.dataset.schema.classes]
    assert chosen["offsets"] == dict(zip(names, model.decision.offsets, strict=True))
    if len(names) == 2:
        grid = np.linspace(0.001, 0.999, 999)
        columns = [1 - grid, grid] if judged.positive == 1 else [grid, 1 - grid]
        predicted = model.decision.apply(np.column_stack(columns)) == judged.positive
        np.testing.assert_array_equal(predicted, grid > chosen["threshold"])
    else:
        assert chosen["threshold"] is None


def test_each_fold_is_calibrated_on_its_own_validation_rows(judged: SimpleNamespace) -> None:
    outcomes = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    chosen = next(o for o in outcomes if o.remedy.name == judged.result.best)
    trained = [one for one in judged.trained if one.lane.training == chosen.remedy.trainings[0]]
    validated = [
        validation_scores(split, of_fold(trained, fold)) for fold, split in enumerate(judged.splits)
    ]
    for fold, one in zip(chosen.folds, validated, strict=True):
        assert fold.calibrator == Calibrator.fit(one)
    two = [one for one in trained if one.lane.fold != 1]
    pooled = pooled_validation(judged.splits, two)
    expected = [validated[fold].probabilities for fold in (0, 2)]
    np.testing.assert_array_equal(pooled.probabilities, np.concatenate(expected))
    labels = [judged.splits[fold].validation.labels for fold in (0, 2)]
    np.testing.assert_array_equal(pooled.labels, np.concatenate(labels))


def test_the_confusion_is_scikit_learns(summary: dict[str, Any], judged: SimpleNamespace) -> None:
    predictions = judged.result.predictions.to_pandas()
    rows = predictions[predictions["remedy"] == judged.result.best]
    classes = list(judged.dataset.schema.classes)
    truth, predicted = rows["target"], rows["predicted"]
    confusion = summary["confusion"]
    expected = sk.confusion_matrix(truth, predicted, labels=classes)
    assert confusion["matrix"] == expected.tolist()
    report = sk.classification_report(truth, predicted, output_dict=True, zero_division=0)
    for one in confusion["per_class"]:
        of_class = report[one["class"]]
        assert one["precision"] == pytest.approx(of_class["precision"])
        assert one["recall"] == pytest.approx(of_class["recall"])
        assert one["f1"] == pytest.approx(of_class["f1-score"])
        assert one["support"] == of_class["support"]


def test_the_curve_is_a_part_of_scikit_learns(
    summary: dict[str, Any], judged: SimpleNamespace
) -> None:
    outcomes = judge(judged.plan, judged.splits, judged.trained, judged.positive)
    base = next(o for o in outcomes if o.remedy.name == BASELINE)
    precision, recall, _ = sk.precision_recall_curve(
        base.labels == judged.positive, base.probabilities()[:, judged.positive]
    )
    curve = summary["curves"][BASELINE]["precision_recall"]
    # fewer positives than points: the best precision of every recall that there is
    expected = {r: max(precision[recall == r]) for r in sorted(set(recall), reverse=True)}
    assert list(zip(curve["recall"], curve["precision"], strict=True)) == list(expected.items())
    steps = -np.diff(curve["recall"]) @ curve["precision"][:-1]
    area = sk.average_precision_score(
        base.labels == judged.positive, base.probabilities()[:, judged.positive]
    )
    assert steps == pytest.approx(area)


def test_the_report_takes_it(summary: dict[str, Any], judged: SimpleNamespace) -> None:
    assert judged.result.best in render(summary)


def test_a_threshold_is_one_number_for_two_classes_only() -> None:
    assert probability_threshold(Threshold.at(0.2), 1) == pytest.approx(0.2)
    assert probability_threshold(Threshold.at(0.2), 0) == pytest.approx(0.8)
    assert probability_threshold(Threshold.plain(3), 1) is None
    assert probability_threshold(Costs(((0, 1), (9, 0))), 1) is None
