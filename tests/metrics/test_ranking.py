import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from kilter._errors import ArgumentError
from kilter.metrics import (
    average_precision,
    average_precision_interval,
    logit_interval,
    macro_interval,
)
from made_data import two_columns


def test_two_classes_by_hand():
    # Ranked 1 0 1 0: precision 1 at the first positive, 2/3 at the second.
    assert average_precision([1, 0, 1, 0], two_columns([0.9, 0.8, 0.7, 0.1]), 1) == pytest.approx(
        5 / 6
    )


def test_the_positive_class_matters():
    rng = np.random.default_rng(0)
    p, labels = rng.random(50), np.arange(50) % 5 == 0
    for positive, score in ((0, 1 - p), (1, p)):
        assert average_precision(labels, two_columns(p), positive) == pytest.approx(
            average_precision_score(labels == positive, score)
        )


def test_more_classes_take_the_mean_over_those_present():
    rng = np.random.default_rng(1)
    labels, p = np.arange(60) % 3, rng.dirichlet(np.ones(4), 60)  # class 3 has no rows
    expected = np.mean([average_precision_score(labels == k, p[:, k]) for k in range(3)])
    assert average_precision(labels, p) == pytest.approx(expected)
    assert average_precision(labels, p, positive=1) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=30))
def test_only_the_ranking_counts(rows):
    labels = np.array([1, *(label for label, _ in rows)])
    p = np.array([0.5, *(percent / 100 for _, percent in rows)])
    assert average_precision(labels, two_columns(p), 1) == pytest.approx(
        average_precision(labels, two_columns(p**2), 1)
    )


def test_logit_interval_is_the_papers_formula():
    ap, n = 0.6, 30
    tau = (n * ap * (1 - ap)) ** -0.5
    eta = np.log(ap / (1 - ap))
    expected = [1 / (1 + np.exp(-(eta + sign * 1.959963985 * tau))) for sign in (-1, 1)]
    np.testing.assert_allclose(logit_interval(ap, np.sqrt(ap * (1 - ap) / n)), expected)
    np.testing.assert_allclose(macro_interval([ap], [n]), expected)


def test_macro_interval_adds_the_variances_of_the_classes():
    error = np.sqrt(0.8 * 0.2 / 100 + 0.5 * 0.5 / 10) / 2
    np.testing.assert_allclose(macro_interval([0.8, 0.5], [100, 10]), logit_interval(0.65, error))


def test_interval_takes_the_rows_of_the_positive_class():
    rng = np.random.default_rng(2)
    labels = np.arange(100) < 20
    p = rng.random(100) * 0.5 + labels * 0.3
    ap = average_precision_score(labels, p)
    assert average_precision_interval(labels, two_columns(p), 1) == macro_interval([ap], [20])


def test_interval_of_many_classes_surrounds_the_macro_mean():
    rng = np.random.default_rng(3)
    labels, p = np.arange(90) % 3, rng.dirichlet(np.ones(3), 90)
    low, high = average_precision_interval(labels, p)
    assert low < average_precision(labels, p) < high


@given(st.floats(0, 1), st.integers(1, 1000), st.floats(0.5, 0.99))
def test_interval_holds_the_estimate_and_leaves_doubt(ap, n, level):
    low, high = macro_interval([ap], [n], level)
    assert 0 <= low <= ap <= high <= 1
    assert low < high


@given(st.integers(1, 200))
def test_perfect_ranking_of_few_positives_leaves_more_doubt(n):
    low, high = macro_interval([1.0], [n])
    assert high == 1
    assert low < macro_interval([1.0], [n + 1])[0]


def test_interval_covers_the_true_value_with_twenty_positives():
    rng = np.random.default_rng(4)

    def draw(n_positives, n_negatives):
        labels = np.r_[np.ones(n_positives, int), np.zeros(n_negatives, int)]
        return labels, stats.norm.cdf(rng.normal(size=len(labels)) + 1.5 * labels)

    labels, p = draw(10_000, 190_000)
    truth = average_precision_score(labels, p)
    covered = 0
    for _ in range(300):
        labels, p = draw(20, 380)
        low, high = average_precision_interval(labels, two_columns(p), 1)
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.98


@pytest.mark.parametrize("positive", [None, 2, -1, True, "1"])
def test_positive_must_be_a_class(positive):
    with pytest.raises(ArgumentError, match="`positive` must be a class from 0 to 1"):
        average_precision([0, 1], two_columns([0.1, 0.2]), positive)


def test_a_class_without_rows_has_no_average_precision():
    with pytest.raises(ArgumentError, match="at least one row of class 1"):
        average_precision([0, 0], two_columns([0.1, 0.2]), 1)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_level_must_be_a_share(level):
    with pytest.raises(ArgumentError, match="`level` must be between 0 and 1"):
        logit_interval(0.5, 0.1, level)


@pytest.mark.parametrize("ap", [0, 1, np.nan])
def test_logit_interval_needs_an_inner_value(ap):
    with pytest.raises(ArgumentError, match="`ap` must lie strictly"):
        logit_interval(ap, 0.1)
