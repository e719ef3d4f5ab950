import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit, softmax

from kilter import metrics
from kilter._errors import ArgumentError, ArgumentTypeError, ArtifactError
from kilter._types import TestScores, ValidationScores
from kilter.decide import Threshold
from made_data import two_columns

METRICS = {
    "macro_f1": metrics.macro_f1,
    "balanced_accuracy": metrics.balanced_accuracy,
    "mcc": metrics.mcc,
}


def many(rows, n_classes, seed=0):
    """Labels with rates from a half downwards, and scores as if classes were balanced."""
    rng = np.random.default_rng(seed)
    rates = 0.5 ** np.arange(1, n_classes + 1)
    labels = np.r_[np.arange(n_classes), rng.choice(n_classes, rows, p=rates / rates.sum())]
    logits = 2 * np.eye(n_classes)[labels] + rng.normal(size=(len(labels), n_classes))
    return labels, softmax(logits, axis=1)


def calibrated_rows(rows, seed):
    """Labels drawn from the probabilities, some 4% of the rarer class."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.2, 4, rows)
    labels = np.r_[0, 1, (rng.random(rows) < p)].astype(int)
    return labels, two_columns(np.r_[0.02, 0.5, p])


percents = st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=40)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=30, deadline=None)
@given(rows=percents)
def test_two_classes_find_the_best_of_all_thresholds(metric, rows):
    labels = np.array([0, 1, *(int(row[0]) for row in rows)])
    p = np.array([20, 60, *(row[1] for row in rows)]) / 100
    rule = Threshold.fit(ValidationScores(labels, two_columns(p)), metric)
    cuts = np.r_[0, np.unique(p)]
    best = max(METRICS[metric](labels, (p > cut).astype(int)) for cut in cuts)
    assert METRICS[metric](labels, rule.apply(two_columns(p))) == pytest.approx(best)


def test_what_calibrated_probabilities_expect_is_the_best_for_them():
    """By the probabilities alone, F1 is best above half of the F1 that is reached."""
    p = np.random.default_rng(0).beta(0.4, 4, 50_000)
    labels = (np.random.default_rng(1).random(len(p)) < p).astype(int)

    def f1_expected(cut):
        found = p > cut
        return 2 * p[found].sum() / (found.sum() + p.sum())

    def macro_expected(cut):
        rest = 1 - p
        other = 2 * rest[p <= cut].sum() / ((p <= cut).sum() + rest.sum())
        return (f1_expected(cut) + other) / 2

    rule = Threshold.fit(ValidationScores(labels, two_columns(p)), expected=1)
    best = max(macro_expected(cut) for cut in np.linspace(0.05, 0.9, 500))
    assert macro_expected(rule.probability()) >= best - 1e-6
    halves = [Threshold.fit(ValidationScores(labels, two_columns(p)), expected=e) for e in (0, 1)]
    assert halves[0].probability() == pytest.approx(halves[1].probability(), abs=0.05)


def test_few_rows_are_helped_by_what_is_expected():
    gains = []
    for seed in range(60):
        labels, p = calibrated_rows(150, seed)
        fresh, fresh_p = calibrated_rows(20_000, 1_000 + seed)
        scores = ValidationScores(labels, p)
        alone, half = (
            metrics.macro_f1(fresh, Threshold.fit(scores, expected=e).apply(fresh_p))
            for e in (0.0, 0.5)
        )
        gains.append(half - alone)
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / np.sqrt(len(gains))


@pytest.mark.parametrize("expected", [-0.1, 1.1, float("nan")])
def test_expected_is_a_share(expected):
    with pytest.raises(ArgumentError, match="`expected` must be from 0 to 1; got"):
        Threshold.fit(ValidationScores([0, 1], two_columns([0.1, 0.9])), expected=expected)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_classes=st.integers(3, 6))
def test_many_classes_are_never_worse_than_plain(metric, seed, n_classes):
    labels, p = many(60, n_classes, seed)
    score = METRICS[metric]
    tuned = Threshold.fit(ValidationScores(labels, p), metric).apply(p)
    assert score(labels, tuned) >= score(labels, p.argmax(axis=1)) - 1e-9


@pytest.mark.parametrize("metric", METRICS)
def test_no_single_offset_improves_the_first_pass(metric):
    labels, p = many(400, 4)
    rule = Threshold.fit(ValidationScores(labels, p), metric)
    reached = METRICS[metric](labels, rule.apply(p))
    for k in range(4):
        for move in np.linspace(-3, 3, 25):
            offsets = np.array(rule.offsets)
            offsets[k] += move
            moved = Threshold(tuple(offsets)).apply(p)
            assert METRICS[metric](labels, moved) <= reached + 1e-9


def test_many_classes_help_on_fresh_rows():
    labels, p = many(3_000, 5, seed=1)
    fresh, fresh_p = many(3_000, 5, seed=2)
    rule = Threshold.fit(ValidationScores(labels, p))
    plain = metrics.macro_f1(fresh, Threshold.plain(5).apply(fresh_p))
    assert metrics.macro_f1(fresh, rule.apply(fresh_p)) > plain + 0.02


def test_the_middle_of_the_gap_in_log_odds():
    p = np.array([0.01, 0.02, 0.3, 0.4])
    rule = Threshold.fit(ValidationScores([0, 0, 1, 1], two_columns(p)))
    assert logit(rule.probability()) == pytest.approx((logit(0.02) + logit(0.3)) / 2)


def test_the_middle_of_the_widest_plateau():
    # 1 of 3 positives above, then 1 of 2: the same recall and as many false alarms twice.
    labels = np.array([1, 0, 1, 0])
    p = np.array([0.99, 0.98, 0.10, 0.01])
    rule = Threshold.fit(ValidationScores(labels, two_columns(p)), "balanced_accuracy")
    # Both cuts, above 0.98 and above 0.01, give 3/4; the second range is the wider one.
    assert logit(rule.probability()) == pytest.approx((logit(0.10) + logit(0.01)) / 2)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_two_offsets_are_one_threshold(threshold, p):
    rule = Threshold.at(threshold)
    assert rule.probability() == pytest.approx(threshold)
    assert rule.probability(positive=0) == pytest.approx(1 - threshold)
    if abs(p - threshold) > 1e-9:
        assert rule.apply(two_columns([p])).tolist() == [int(p > threshold)]


def test_plain_takes_the_most_probable_class():
    p = many(50, 4)[1]
    np.testing.assert_array_equal(Threshold.plain(4).apply(p), p.argmax(axis=1))
    assert Threshold.plain(2).probability() == 0.5


@settings(max_examples=60, deadline=None)
@given(rows=percents, recall=st.floats(0.01, 1), positive=st.sampled_from([0, 1]))
def test_min_recall_is_kept_by_the_highest_threshold(rows, recall, positive):
    labels = np.array([0, 1, *(int(row[0]) for row in rows)])
    p = np.array([20, 60, *(row[1] for row in rows)]) / 100
    scores = ValidationScores(labels, two_columns(p))
    rule = Threshold.fit(scores, min_recall=recall, positive=positive)
    of_class = two_columns(p)[:, positive]
    kept = of_class[labels == positive] > rule.probability(positive)
    assert kept.mean() >= recall - 1e-9
    higher = np.unique(of_class)
    for cut in higher[higher > rule.probability(positive) + 1e-9]:
        assert np.mean(of_class[labels == positive] > cut) < recall


def test_min_recall_takes_the_rarer_class_by_default():
    p = np.linspace(0.05, 0.95, 10)
    scores = ValidationScores(np.array([0, 0, 0, 1, 0, 0, 0, 0, 1, 0]), two_columns(p))
    rule = Threshold.fit(scores, min_recall=1.0)
    assert rule.probability() == pytest.approx(0.3, abs=0.06)
    assert rule.apply(two_columns(p)).tolist() == [0] * 3 + [1] * 7


def test_min_recall_of_one_class_among_many():
    labels, p = many(500, 4)
    rule = Threshold.fit(ValidationScores(labels, p), min_recall=0.9, positive=3)
    predicted = rule.apply(p)
    n = np.sum(labels == 3)
    assert np.sum(predicted[labels == 3] == 3) == np.ceil(0.9 * n)


def test_exact_shares_need_no_row_more():
    p = np.arange(1, 11) / 20
    rule = Threshold.fit(ValidationScores(np.ones(10, int), two_columns(p)), "mcc", 0.3, 1)
    assert rule.apply(two_columns(p)).sum() == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_and_ones_are_fine(dtype):
    p = np.array([0, 0, 1, 1], dtype)
    rule = Threshold.fit(ValidationScores([0, 0, 1, 1], two_columns(p)))
    assert rule.apply(two_columns(p)).tolist() == [0, 0, 1, 1]


def test_equal_scores_for_all_rows():
    p = np.full((6, 2), 0.5)
    rule = Threshold.fit(ValidationScores([0, 0, 0, 0, 1, 1], p))
    assert set(rule.apply(p)) == {0}


def test_a_class_without_validation_rows_is_left_alone():
    labels, p = many(200, 3)
    rule = Threshold.fit(ValidationScores(np.minimum(labels, 1), p))
    assert rule.offsets[2] == 0
    one = Threshold.fit(ValidationScores(np.zeros(5, int), two_columns(np.linspace(0, 1, 5))))
    assert one == Threshold.plain(2)


@pytest.mark.parametrize("metric", METRICS)
def test_half_a_million_rows_take_no_loop(metric):
    rng = np.random.default_rng(0)
    labels = (rng.random(500_000) < 0.01).astype(int)
    scores = ValidationScores(labels, two_columns(rng.beta(1 + labels, 5)))
    start = time.perf_counter()
    Threshold.fit(scores, metric)
    assert time.perf_counter() - start < 3  # 0.3 s on an idle machine


def test_only_validation_scores():
    with pytest.raises(ArgumentTypeError, match="`ValidationScores` only"):
        Threshold.fit(TestScores(*many(20, 3)))


def test_json_round_trip():
    rule = Threshold((0.0, 1.25, -0.5))
    assert Threshold.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    with pytest.raises(ArtifactError, match=r"`Threshold.to_json`"):
        Threshold.from_json({})


def test_metric_is_checked_with_a_hint():
    with pytest.raises(ArgumentError, match="Did you mean `macro_f1`"):
        Threshold.fit(ValidationScores(*many(20, 3)), "macrof1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_recall": 0}, "`min_recall` must be above 0"),
        ({"min_recall": 90}, "`min_recall` must be above 0"),
        ({"min_recall": 0.9}, "`positive` must be a class from 0 to 2"),
        ({"min_recall": 0.9, "positive": 2}, "must hold rows of class 2"),
    ],
)
def test_recall_is_checked(arguments, message):
    labels, p = many(20, 3)
    with pytest.raises(ArgumentError, match=message):
        Threshold.fit(ValidationScores(np.minimum(labels, 1), p), **arguments)


def test_only_two_classes_have_one_threshold():
    with pytest.raises(ArgumentError, match="must be two to be one threshold"):
        Threshold.plain(3).probability()


@pytest.mark.parametrize("offsets", [(), (0.0,), (0.0, np.inf)])
def test_offsets_are_checked(offsets):
    with pytest.raises(ArgumentError, match="`offsets` must be finite"):
        Threshold(offsets)


@pytest.mark.parametrize("probability", [0, 1, 50])
def test_a_threshold_is_a_probability(probability):
    with pytest.raises(ArgumentError, match="`probability` must be between 0 and 1"):
        Threshold.at(probability)
