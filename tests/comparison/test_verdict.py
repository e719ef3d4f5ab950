"""What is chosen, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kilter._types import TestScores
from kilter.comparison.judge import FoldOutcome, Outcome
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE, REMEDIES, Decide
from kilter.comparison.verdict import (
    Against,
    against_baseline,
    calibration_ratio,
    choose,
    percent,
    verdict,
)
from kilter.decide import Calibrator

PLAN = Plan.make(None)


def outcome(name: str, values: Any = (0.5, 0.5), ratio: float = 1.0, metric: str = "auprc"):
    """Make an outcome with these values a fold; it predicts ``ratio`` times the rate of 1."""
    labels = np.array([0] * 9 + [1])
    p = np.full(10, 0.1 * ratio)
    scores = np.column_stack([1 - p, p])
    same = Calibrator(1.0, (0.0, 0.0))
    folds = [
        FoldOutcome(TestScores(labels, scores), labels, same, 1, {metric: value}, np.array([0.5]))
        for value in values
    ]
    return Outcome(REMEDIES[name], tuple(folds), 1.0)


def against(name: str, value: float, gain: float = 0.0, p: float = 0.0, **more: Any) -> Against:
    ratio = more.pop("ratio", 1.0)
    interval = (gain - 0.02, gain + 0.02)
    return Against(outcome(name, ratio=ratio), value, gain, interval, p, more.pop("worse", 0.0))


BASE = against(BASELINE, 0.70)


def text(compared: list[Against], threshold: float | None = 0.123, plan: Plan = PLAN) -> str:
    return verdict(plan, compared, "fraud", threshold)


def test_a_remedy_that_surely_helps_is_named_with_its_gain() -> None:
    compared = [against("focal", 0.75, 0.05, 0.97), BASE, against("smote", 0.6)]
    assert choose(compared).outcome.remedy.name == "focal"
    assert text(compared) == (
        "Use focal: its average precision is 0.750, 0.050 higher than plain cross-entropy with a "
        "tuned threshold (95% interval of the gain +0.030 to +0.070). The probability that it is "
        "better by more than 0.01 is 97%; as the best of several it may gain a little less."
    )


def test_a_loss_that_falls_is_lower() -> None:
    compared = [against("focal", 0.05, 0.02, 0.999), BASE]
    said = text(compared, plan=Plan.make(None, metric="log_loss"))
    assert said.startswith("Use focal: its log loss is 0.050, 0.020 lower than plain")
    assert said.endswith("is over 99%.")  # of a single rival there is no luck to tell of


def test_where_nothing_is_sure_the_threshold_is_moved() -> None:
    compared = [against("focal", 0.72, 0.02, 0.80), BASE, against("smote", 0.6)]
    assert choose(compared) is BASE
    assert text(compared) == (
        "Nothing here clearly helps: keep plain cross-entropy and move the threshold to a "
        "calibrated probability of 0.12. The best of the others, focal, gains 0.020 in average "
        "precision (95% interval +0.000 to +0.040); the probability that it is better by more "
        "than 0.01 is 80%, and kilter asks for 95%."
    )


def test_the_best_of_the_others_may_lose() -> None:
    said = text([BASE, against("focal", 0.69, -0.01, 0.001)])
    assert "focal, loses 0.010 in average precision" in said
    assert "is under 1%, and" in said


def test_many_classes_have_no_one_threshold() -> None:
    said = text([against("focal", 0.72, 0.02, 0.80), BASE], threshold=None)
    assert said.startswith("Nothing here clearly helps: keep plain cross-entropy and move the thr")
    assert "move the threshold. The other, focal, gains" in said


def test_the_surer_second_is_not_chosen() -> None:
    second_is_sure = [against("smote", 0.76, 0.06, 0.90), against("focal", 0.75, 0.05, 0.99), BASE]
    assert choose(second_is_sure) is BASE
    assert "The best of the others, smote," in text(second_is_sure)


def test_where_nothing_is_tuned_no_threshold_is_told_of() -> None:
    untuned = replace(BASE.outcome.remedy, decide=Decide(tuned=False))
    base = replace(BASE, outcome=replace(BASE.outcome, remedy=untuned))
    assert text([base]) == "No other remedy was compared: plain cross-entropy."
    assert text([base, against("smote", 0.6)]).startswith(
        "Nothing here clearly helps: keep plain cross-entropy. The other, smote,"
    )
    assert "than plain cross-entropy (95%" in text([against("focal", 0.75, 0.05, 0.97), base])


def test_where_costs_decide_no_threshold_is_told_of() -> None:
    plan = replace(PLAN, costs=((0.0, 1.0), (9.0, 0.0)))
    said = text([against("focal", 0.75, 0.05, 0.97), BASE], plan=plan)
    assert "0.050 higher than plain cross-entropy that decides by the costs (95%" in said
    said = text([BASE, against("smote", 0.6)], plan=plan)
    assert "keep plain cross-entropy and decide by the costs. The other" in said


@pytest.mark.parametrize(("p", "chosen"), [(0.9499, BASELINE), (0.95, "focal")])
def test_how_sure_is_sure(p: float, chosen: str) -> None:
    assert choose([against("focal", 0.8, 0.1, p), BASE]).outcome.remedy.name == chosen


def test_another_decision_of_the_baseline_is_no_rival() -> None:
    compared = [against("none", 0.71, 0.01, 0.999), BASE]
    assert choose(compared) is BASE
    said = text(compared)
    assert said == "No other remedy was compared: plain cross-entropy with a tuned threshold."


@pytest.mark.parametrize(
    ("harmful", "words"),
    [
        (["smote"], ": smote."),
        (["smote", "focal"], ": smote and focal."),
        (["smote", "focal", "oversample"], ": smote, focal and oversample."),
    ],
)
def test_what_is_surely_worse_is_said(harmful: list[str], words: str) -> None:
    others = [against(name, 0.6, -0.1, worse=0.96) for name in harmful]
    harmless = against("class-weights", 0.69, worse=0.94)
    assert text([BASE, harmless, *others]).endswith(
        "Worse by more than 0.01 in average precision, almost surely" + words
    )
    assert "Worse" not in text([BASE, harmless])


def test_probabilities_that_are_too_high_are_said_with_the_worst_of_them() -> None:
    others = [against("smote", 0.69, ratio=3.0), against("oversample", 0.69, ratio=4.26)]
    said = text([BASE, *others])
    assert said.endswith(
        "Raw probabilities of class fraud come out 4.3 times too high with oversample; the model "
        "that is handed over is calibrated."
    )
    assert "too high" not in text([BASE, against("smote", 0.69, ratio=1.49)])


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0, "under 1%"), (0.0099, "under 1%"), (0.01, "1%"), (0.5, "50%"), (0.99, "99%")],
)
def test_no_probability_is_certain(probability: float, words: str) -> None:
    assert percent(probability) == words
    assert percent(1.0) == percent(0.9901) == "over 99%"


@pytest.mark.parametrize("ratio", [0.5, 1.0, 7.5])
def test_the_calibration_ratio_is_predicted_over_observed(ratio: float) -> None:
    assert calibration_ratio(outcome("none", ratio=ratio)) == pytest.approx(ratio)


class Fold:
    """A split of which only the sizes matter."""

    train, test = range(80), range(20)


FOLDS = [0.70, 0.71, 0.69, 0.72, 0.68]


def test_differences_are_taken_fold_by_fold() -> None:
    gains = np.array([0.02, 0.04, 0.01, 0.03, 0.05])
    outcomes = [outcome(BASELINE, FOLDS), outcome("focal", FOLDS + gains)]
    best, base = against_baseline(PLAN, outcomes, [Fold()] * 5)
    assert (best.outcome.remedy.name, base.outcome.remedy.name) == ("focal", BASELINE)
    assert (best.value, best.difference) == (pytest.approx(0.73), pytest.approx(0.03))
    # Nadeau and Bengio: s² (1/5 + 20/80) = 0.00025 * 0.45
    posterior = stats.t(df=4, loc=0.03, scale=(0.00025 * 0.45) ** 0.5)
    assert best.p_better == pytest.approx(1 - posterior.cdf(0.01))
    assert best.worse == pytest.approx(posterior.cdf(-0.01))
    assert best.interval == pytest.approx(tuple(posterior.ppf([0.025, 0.975])))
    assert (base.difference, base.p_better) == (0, 0)


@pytest.mark.parametrize(("metric", "most"), [("auprc", 1), ("mcc", 2), ("log_loss", None)])
def test_no_interval_exceeds_what_the_metric_can_differ_by(metric: str, most: int | None) -> None:
    gains, figure = [0.5, -0.4], "log_loss_calibrated" if metric == "log_loss" else metric
    outcomes = [
        outcome(name, values, metric=figure)
        for name, values in ((BASELINE, [0.4, 0.6]), ("focal", np.add([0.4, 0.6], gains)))
    ]
    compared = against_baseline(Plan.make(None, metric=metric), outcomes, [Fold()] * 2)
    interval = next(one.interval for one in compared if one.outcome.remedy.name == "focal")
    # 12.7 quantiles of one degree of freedom, of s² (1/2 + 20/80) = 0.81 / 2 * 0.75
    wide = 12.706 * (0.405 * 0.75) ** 0.5
    sign = -1 if metric == "log_loss" else 1
    expected = (-most, most) if most else (sign * 0.05 - wide, sign * 0.05 + wide)
    assert interval == pytest.approx(expected, abs=1e-3)


def test_where_lower_is_better_a_fall_is_a_gain() -> None:
    # judged as it is handed over: calibrated, and within 5% of the baseline's is no difference
    plan = Plan.make(None, metric="log_loss")
    lower = [value - 0.1 for value in FOLDS]
    higher = [value + 0.1 for value in FOLDS]
    outcomes = [
        outcome(name, values, metric="log_loss_calibrated")
        for name, values in (("smote", higher), (BASELINE, FOLDS), ("focal", lower))
    ]
    compared = against_baseline(plan, outcomes, [Fold()] * 5)
    assert [one.outcome.remedy.name for one in compared] == ["focal", BASELINE, "smote"]
    assert [one.difference for one in compared] == [pytest.approx(d) for d in (0.1, 0, -0.1)]
    assert (compared[0].p_better, compared[2].worse) == (pytest.approx(1), pytest.approx(1))
    assert [one.rope for one in compared] == pytest.approx([0.05 * np.mean(FOLDS)] * 3)
    assert choose(compared).outcome.remedy.name == "focal"


def test_an_ensemble_that_helps_is_said_to_have_more_networks() -> None:
    said = text([against("under-bagging", 0.75, 0.05, 0.97), BASE])
    assert said.startswith("Use under-bagging: ")
    assert (
        "It joins 12 networks where the baseline averages 3: with 12 seeds the baseline alone "
        "may gain a part of that." in said
    )


def test_what_is_trained_twice_is_said_to_be() -> None:
    said = text([against("drw", 0.75, 0.05, 0.97), BASE])
    assert "It goes on from the best network of none: a second training alone may gain" in said


def test_another_last_layer_is_said_to_be_one() -> None:
    said = text([against("crt", 0.75, 0.05, 0.97), BASE])
    assert "It is the best network of none, with another last layer." in said
    assert "a second training" not in said
