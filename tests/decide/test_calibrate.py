import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression

from kilter._errors import ArgumentError, ArgumentTypeError, ArtifactError
from kilter._types import TestScores, ValidationScores
from kilter.decide import Calibrator
from kilter.metrics import average_precision, calibration_ratio, log_loss
from made_data import two_columns


def rare(rows, seed, shift=0.0):
    """Labels with a rate near 3%, and their true log-odds moved by ``shift``."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-5, 2, rows)
    return (rng.random(rows) < expit(log_odds)).astype(int), two_columns(expit(log_odds + shift))


def test_undoes_what_oversampling_does_to_probabilities():
    rate = rare(20_000, 0)[0].mean()
    shift = -logit(rate)  # trained on as many positives as negatives
    labels, inflated = rare(20_000, 1, shift)
    assert calibration_ratio(labels, inflated, 1) > 5
    calibrator = Calibrator.fit(ValidationScores(labels, inflated))
    test_labels, test_inflated = rare(50_000, 2, shift)
    repaired = calibrator.apply(test_inflated)
    assert 0.9 <= calibration_ratio(test_labels, repaired, 1) <= 1.1
    assert log_loss(test_labels, repaired) < log_loss(test_labels, test_inflated)
    assert calibrator.scale == pytest.approx(1, abs=0.1)


def test_twelvefold_over_prediction_with_forty_positives():
    labels, _ = rare(1_500, 3)
    log_odds = logit(rare(1_500, 3)[1][:, 1])
    shifts = np.linspace(0, 8, 200)
    ratios = [np.mean(expit(log_odds + shift)) / labels.mean() for shift in shifts]
    inflated = two_columns(expit(log_odds + np.interp(12, ratios, shifts)))
    assert calibration_ratio(labels, inflated, 1) == pytest.approx(12, rel=0.02)
    repaired = Calibrator.fit(ValidationScores(labels, inflated)).apply(inflated)
    assert 0.9 <= calibration_ratio(labels, repaired, 1) <= 1.1
    assert log_loss(labels, repaired) < log_loss(labels, inflated)


def test_agrees_with_logistic_regression_on_many_rows():
    labels, p = rare(30_000, 4, shift=2)
    calibrator = Calibrator.fit(ValidationScores(labels, p))
    model = LogisticRegression(C=1e6, tol=1e-10).fit(logit(p[:, [1]]), labels)
    assert calibrator.scale == pytest.approx(model.coef_[0, 0], rel=2e-3)
    assert calibrator.bias[1] - calibrator.bias[0] == pytest.approx(model.intercept_[0], abs=0.01)


def test_recovers_the_scale_and_bias_of_many_classes():
    rng = np.random.default_rng(5)
    logs = np.log(rng.dirichlet(np.full(4, 0.7), 40_000))
    truth = softmax(0.5 * logs + [1, 0, -2, 1], axis=1)
    labels = np.array((truth.cumsum(axis=1) < rng.random((40_000, 1))).sum(axis=1))
    calibrator = Calibrator.fit(ValidationScores(labels, softmax(logs, axis=1)))
    assert calibrator.scale == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(calibrator.bias, [1, 0, -2, 1], atol=0.1)
    assert sum(calibrator.bias) == pytest.approx(0, abs=1e-3)


def test_many_classes_match_their_rates():
    # The gradient with respect to the bias is zero: mean predictions are the rates.
    rng = np.random.default_rng(6)
    p, labels = rng.dirichlet(np.ones(3), 5_000), rng.choice(3, 5_000, p=[0.9, 0.08, 0.02])
    repaired = Calibrator.fit(ValidationScores(labels, p)).apply(p)
    np.testing.assert_allclose(repaired.mean(axis=0), np.bincount(labels) / 5_000, rtol=0.02)


def test_five_separated_positives_stay_finite():
    p = np.r_[np.full(200, 0.02), np.full(5, 0.9)]
    calibrator = Calibrator.fit(ValidationScores(np.arange(205) // 200, two_columns(p)))
    assert 1 < calibrator.scale < 5
    assert 0.9 < calibrator.apply(two_columns(p))[-1, 1] < 1


def test_scores_against_the_labels_keep_the_scale_positive():
    labels, p = rare(5_000, 7)
    calibrator = Calibrator.fit(ValidationScores(labels, two_columns(expit(-logit(p[:, 1])))))
    assert 0 < calibrator.scale < 0.1
    assert calibration_ratio(labels, calibrator.apply(p), 1) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("labels", [np.zeros(50, int), np.ones(50, int)])
def test_one_class_only_is_no_reason_to_fail(labels):
    p = two_columns(np.linspace(0, 1, 50))
    assert np.all(np.isfinite(Calibrator.fit(ValidationScores(labels, p)).apply(p)))


def test_saturated_float32_probabilities():
    p = two_columns(np.array([0, 0, 0, 1, 1, 1], np.float32))
    calibrator = Calibrator.fit(ValidationScores([0, 0, 0, 1, 1, 0], p))
    assert calibrator.apply(p)[-1, 1] < 0.95


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30),
    st.floats(0.05, 5),
    st.floats(-5, 5),
)
def test_never_changes_the_ranking_of_two_classes(p, scale, bias):
    p = np.sort(np.array(p, np.float64))
    calibrated = Calibrator(scale, (0.0, bias)).apply(two_columns(p))
    assert np.all(np.diff(calibrated[:, 1]) >= 0)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)


def test_average_precision_is_what_it_was():
    labels, p = rare(5_000, 8, shift=3)
    repaired = Calibrator.fit(ValidationScores(labels, p)).apply(p)
    assert average_precision(labels, repaired, 1) == pytest.approx(average_precision(labels, p, 1))


def test_no_change_is_no_change():
    p = np.random.default_rng(9).dirichlet(np.ones(4), 20)
    np.testing.assert_allclose(Calibrator(1.0, (0.0,) * 4).apply(p), p, atol=1e-6)


def test_only_validation_scores():
    labels, p = rare(100, 10)
    with pytest.raises(ArgumentTypeError, match="`ValidationScores` only"):
        Calibrator.fit(TestScores(labels, p))


def test_json_round_trip():
    calibrator = Calibrator(0.7, (0.1, -0.1))
    assert Calibrator.from_json(json.loads(json.dumps(calibrator.to_json()))) == calibrator


@pytest.mark.parametrize("plain", [None, {}, {"scale": 1}, {"scale": "x", "bias": [0, 0]}])
def test_damaged_json(plain):
    with pytest.raises(ArtifactError, match=r"`Calibrator.to_json`"):
        Calibrator.from_json(plain)


@pytest.mark.parametrize(("scale", "bias"), [(0, (0, 0)), (-1, (0, 0)), (1, (np.nan, 0))])
def test_values_are_checked(scale, bias):
    with pytest.raises(ArgumentError, match="`scale` must be above 0"):
        Calibrator(scale, bias)


def test_columns_are_checked():
    with pytest.raises(ArgumentError, match="must have 3 columns"):
        Calibrator(1, (0, 0, 0)).apply([[0.5, 0.5]])
