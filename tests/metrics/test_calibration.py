import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics import (
    brier,
    calibration_ratio,
    expected_calibration_error,
    log_loss,
    reliability,
)


def many(n_classes, rows=200):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(n_classes), rows)
    labels = np.array([rng.choice(n_classes, p=row) for row in p])
    return labels, p


@pytest.mark.parametrize("n_classes", [2, 5])
def test_log_loss_is_scikit_learns(n_classes):
    labels, p = many(n_classes)
    assert log_loss(labels, p) == pytest.approx(sk.log_loss(labels, p), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rounded_zero_costs_sixteen_nats(dtype):
    assert log_loss([0], np.array([[0, 1]], dtype)) == pytest.approx(15.94, abs=0.01)
    assert 0 <= log_loss([1], np.array([[0, 1]], dtype)) < 1e-6


def test_log_loss_of_float32_rows_that_do_not_quite_sum_to_one():
    labels, p = many(5)
    rough = (p * (1 + 1e-4)).astype(np.float32)
    assert log_loss(labels, rough) == pytest.approx(log_loss(labels, p), rel=1e-3)


def test_log_loss_when_a_class_has_no_rows():
    assert log_loss([0, 0], [[0.5, 0.25, 0.25]] * 2) == pytest.approx(np.log(2))


def test_brier_of_two_classes_is_scikit_learns():
    labels, p = many(2)
    assert brier(labels, p) == pytest.approx(sk.brier_score_loss(labels, p[:, 1]))


def test_brier_of_many_classes_is_the_sum():
    labels, p = many(4)
    assert brier(labels, p) == pytest.approx(np.mean(np.sum((p - np.eye(4)[labels]) ** 2, axis=1)))
    assert brier([0], [[0, 1, 0]]) == 2


def test_calibration_ratio_by_hand():
    p = [[0.4, 0.6], [0.8, 0.2], [0.6, 0.4], [1.0, 0.0]]
    assert calibration_ratio([1, 0, 0, 0], p, 1) == pytest.approx(0.3 / 0.25)
    assert calibration_ratio([1, 0, 0, 0], p, 0) == pytest.approx(0.7 / 0.75)


def test_calibration_ratio_needs_a_row_of_the_class():
    with pytest.raises(ArgumentError, match="at least one row of class 1"):
        calibration_ratio([0, 0], [[0.5, 0.5]] * 2, 1)


def test_reliability_bins_hold_equal_mass():
    rng = np.random.default_rng(1)
    p = rng.random(1000) ** 3
    labels = rng.random(1000) < p
    curve = reliability(labels, p, bins=10)
    assert curve.rows.tolist() == [100] * 10
    chunks = np.argsort(p).reshape(10, 100)
    np.testing.assert_allclose(curve.predicted, p[chunks].mean(axis=1))
    np.testing.assert_allclose(curve.observed, labels[chunks].mean(axis=1))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60),
    st.integers(1, 12),
)
def test_reliability_keeps_ties_together_and_loses_no_row(rows, bins):
    labels, p = np.array([row[0] for row in rows]), np.array([row[1] / 10 for row in rows])
    curve = reliability(labels, p, bins)
    assert len(curve.rows) <= bins
    assert curve.rows.sum() == len(p)
    assert np.all(np.diff(curve.predicted) > 0)
    assert curve.observed @ curve.rows == pytest.approx(labels.sum())
    assert 0 <= expected_calibration_error(labels, p, bins) <= 1


def test_expected_calibration_error_by_hand():
    labels, p = [0, 0, 0, 1, 1, 1], [0.1, 0.1, 0.1, 0.1, 0.7, 0.7]
    # Bins of 0.1 (1 of 4 true) and 0.7 (2 of 2 true).
    assert expected_calibration_error(labels, p, bins=3) == pytest.approx((4 * 0.15 + 2 * 0.3) / 6)


def test_one_column_only():
    with pytest.raises(ArgumentError, match=r"`p` must be probabilities of one class"):
        reliability([0, 1], [[0.5, 0.5]] * 2)


def test_bins_must_be_positive():
    with pytest.raises(ArgumentError, match="`bins` must be at least 1"):
        reliability([0, 1], [0.1, 0.2], bins=0)
