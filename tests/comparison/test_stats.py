import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kilter._errors import ArgumentError
from kilter.comparison.stats import (
    corrected_t,
    difference_interval,
    p_better,
)

DIFFERENCES = [0.02, 0.04, 0.01, 0.03, 0.05]
finite = st.lists(st.integers(-100, 100).map(lambda n: n / 500), min_size=2, max_size=20)


def test_the_correction_by_hand():
    # s² = 0.00025; (1/5 + 1/4) s² = 0.0001125
    mean, scale, dof = corrected_t(DIFFERENCES, 0.25)
    assert (mean, scale, dof) == (pytest.approx(0.03), pytest.approx(0.0001125**0.5), 4)


def test_without_overlap_it_is_the_paired_t_test():
    mean, scale, _ = corrected_t(DIFFERENCES, 1e-12)
    assert mean / scale == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).statistic)
    assert p_better(DIFFERENCES, 1e-12, rope=0) == pytest.approx(
        stats.ttest_1samp(DIFFERENCES, 0, alternative="less").pvalue
    )


def test_posterior_is_students_t():
    posterior = stats.t(df=4, loc=0.03, scale=0.0001125**0.5)
    assert p_better(DIFFERENCES, 0.25, 0.02) == pytest.approx(1 - posterior.cdf(0.02))
    assert p_better(-np.array(DIFFERENCES), 0.25, 0.02) == pytest.approx(posterior.cdf(-0.02))
    np.testing.assert_allclose(
        difference_interval(DIFFERENCES, 0.25, 0.9), posterior.ppf([0.05, 0.95])
    )


@settings(max_examples=100)
@given(finite, st.floats(0.05, 1), st.floats(0, 0.1))
def test_better_and_worse_leave_room_for_equal(differences, ratio, rope):
    worse = p_better(-np.array(differences), ratio, rope)
    better = p_better(differences, ratio, rope)
    assert min(worse, better) >= 0
    assert worse + better <= 1 + 1e-12
    both = p_better(-np.array(differences), ratio, 0) + p_better(differences, ratio, 0)
    assert both == pytest.approx(1) or not np.any(differences)


@settings(max_examples=100)
@given(finite, st.floats(0.05, 1))
def test_more_overlap_is_less_sure(differences, ratio):
    narrow = difference_interval(differences, ratio)
    wide = difference_interval(differences, 2 * ratio)
    assert wide[0] <= narrow[0] <= np.mean(differences) + 1e-12
    assert np.mean(differences) - 1e-12 <= narrow[1] <= wide[1]


@pytest.mark.parametrize(
    ("value", "better", "worse"), [(0.5, 1, 0), (0.25, 0.5, 0), (0.0, 0, 0), (-0.5, 0, 1)]
)
def test_equal_differences(value, better, worse):
    assert p_better([value] * 4, 0.25, rope=0.25) == better
    assert p_better([-value] * 4, 0.25, rope=0.25) == worse
    assert difference_interval([value] * 4, 0.25) == (value, value)


def repeated_folds(rng, rows, repeats, folds):
    """Masks (repeats * folds, rows) of the test rows of repeated cross-validation."""
    fold_of = np.stack([rng.permutation(rows) % folds for _ in range(repeats)])
    return (fold_of[:, None] == np.arange(folds)[:, None]).reshape(-1, rows)


def test_equal_learners_are_called_different_as_often_as_promised():
    """Two nearest-mean classifiers, each on a feature of its own that is as good as the other.

    Over data sets neither is better. All 25 scores of one data set come from the same rows.
    """
    rng = np.random.default_rng(0)
    data_sets, rows = 400, 100
    y = np.arange(rows) % 2
    x = rng.normal(size=(data_sets, rows, 2)) + 0.6 * y[:, None]
    test = repeated_folds(rng, rows, repeats=5, folds=5)

    def means(label):
        train = (~test & (y == label)).astype(float)
        return np.einsum("fr,drk->dfk", train, x) / train.sum(axis=1)[:, None]

    middle, direction = (means(0) + means(1)) / 2, np.sign(means(1) - means(0))
    guess = (x[:, None] - middle[:, :, None]) * direction[:, :, None] > 0
    hits = (guess == y[:, None]).astype(float)
    right = np.einsum("dfrk,fr->dfk", hits, test) / test.sum(axis=1)[:, None]
    differences = right[..., 0] - right[..., 1]

    naive = stats.ttest_1samp(differences, 0, axis=1).pvalue
    corrected = [2 * min(p_better(d, 0.25, 0), p_better(-d, 0.25, 0)) for d in differences]
    assert np.mean(naive < 0.05) > 0.25
    assert np.mean(np.array(corrected) < 0.05) < 0.09


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, np.nan], [[0.1, 0.2]]])
def test_differences_are_checked(differences):
    with pytest.raises(ArgumentError, match="`differences` must be finite, one a fold"):
        p_better(differences, 0.25)


@pytest.mark.parametrize("ratio", [0, -1, np.nan, np.inf])
def test_ratio_is_checked(ratio):
    with pytest.raises(ArgumentError, match="`test_to_train` must be above 0"):
        corrected_t(DIFFERENCES, ratio)


@pytest.mark.parametrize("rope", [-0.01, np.nan])
def test_rope_is_checked(rope):
    with pytest.raises(ArgumentError, match="`rope` must be at least 0"):
        p_better(DIFFERENCES, 0.25, rope)


def test_level_is_checked():
    with pytest.raises(ArgumentError, match="`level` must be between 0 and 1"):
        difference_interval(DIFFERENCES, 0.25, 95)
