"""Proper scores and calibration against scikit-learn and kilter's own numpy functions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics import (
    brier,
    calibration_ratio,
    expected_calibration_error,
    log_loss,
    reliability,
)
from kilter.metrics.proper import BrierScore, CalibrationError, CalibrationRatio, LogLoss
from made_data import two_columns
from scored import score

pytestmark = pytest.mark.backend

ROWS = 100_000
STEP = 1000  # few sizes of batches, as every size compiles anew
KINDS = [BrierScore, LogLoss, CalibrationRatio, CalibrationError]


value = partial(score, step=STEP)


def rare(n: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels, a few in a thousand of class 1, probabilities, and weights."""
    rng = np.random.default_rng(0)
    z = rng.normal(-8, 2, n)
    p = expit(z + rng.normal(0, 0.5, n)).astype(np.float32)
    return (rng.random(n) < expit(z)).astype(int), p, rng.random(n).astype(np.float32)


def many(n: int = STEP) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels of three classes, logits, and weights."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, n)
    z = (rng.normal(size=(n, 3)) + np.eye(3)[y]).astype(np.float32)
    return y, z, rng.random(n).astype(np.float32)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z.astype(float)) / np.exp(z.astype(float)).sum(axis=1, keepdims=True)


def test_a_hundred_thousand_small_numbers_do_not_drift() -> None:
    y, p, weights = rare()
    brier_of = sk.brier_score_loss(y, p, sample_weight=weights)
    assert value(BrierScore(), y, p, weights) == pytest.approx(brier_of, rel=2e-6)
    loss_of = sk.log_loss(y, p.astype(float), sample_weight=weights)
    assert value(LogLoss(), y, p, weights) == pytest.approx(loss_of, rel=2e-6)
    ratio_of = np.average(p, weights=weights) / np.average(y, weights=weights)
    assert value(CalibrationRatio(), y, p, weights) == pytest.approx(ratio_of, rel=2e-6)


def test_it_is_the_numpy_function_of_the_same_name() -> None:
    y, p, _ = rare()
    both = two_columns(p.astype(float))
    assert value(BrierScore(), y, p, step=ROWS) == pytest.approx(brier(y, both), rel=2e-6)
    assert value(LogLoss(), y, p, step=ROWS) == pytest.approx(log_loss(y, both), rel=2e-6)
    ratio = calibration_ratio(y, both, 1)
    assert value(CalibrationRatio(), y, p, step=ROWS) == pytest.approx(ratio, rel=2e-6)


def test_more_classes_from_logits() -> None:
    y, z, weights = many()
    p = softmax(z)
    squares = ((p - np.eye(3)[y]) ** 2).sum(axis=1)
    brier_of = np.average(squares, weights=weights)
    assert value(BrierScore(from_logits=True), y, z, weights) == pytest.approx(brier_of, rel=1e-6)
    loss_of = sk.log_loss(y, p, sample_weight=weights)
    assert value(LogLoss(from_logits=True), y, z, weights) == pytest.approx(loss_of, rel=1e-6)
    metric = CalibrationRatio(positive=2, from_logits=True)
    assert value(metric, y, z) == pytest.approx(calibration_ratio(y, p, 2), rel=1e-6)


def test_one_impossible_row_does_not_cost_everything() -> None:
    y, p = np.array([0, 1]), np.array([[1, 0], [1, 0]], np.float32)
    assert float(LogLoss()(y, p)) == pytest.approx(log_loss(y, p), rel=1e-5)
    assert float(LogLoss()(y, p)) == pytest.approx(16 / 2, rel=0.01)


def test_calibration_ratio_needs_a_class_where_there_are_many() -> None:
    y, z, _ = many()
    with pytest.raises(ArgumentError, match="`positive` must be a class from 0 to 2"):
        CalibrationRatio(from_logits=True).update_state(y, z)
    assert float(CalibrationRatio(positive=0)([0, 1, 1, 1], [0.5] * 4)) == 2


@pytest.mark.parametrize("bins", [10, 25])
def test_calibration_error_is_that_of_all_scores(bins: int) -> None:
    y, p, _ = rare()
    for scores in (p, expit(3 + p / p.mean() - 8).astype(np.float32)):
        expected = expected_calibration_error(y, scores, bins)
        found = value(CalibrationError(bins), y, scores, step=ROWS)
        assert found == pytest.approx(expected, abs=5e-5)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=20, max_size=20),
    st.integers(1, 4),
)
def test_ties_stay_together_as_in_the_numpy_function(rows: Any, bins: int) -> None:
    y = np.array([label for label, _ in rows], int)
    p = np.array([score / 4 for _, score in rows], np.float32)
    # Of 20 rows a border between two values may fall on either: both are bins of equal mass.
    edges = [
        np.unique(np.quantile(p, np.arange(1, bins) / bins, method=method))
        for method in ("inverted_cdf", "linear")
    ]
    expected = [gap(y, p, edge) for edge in edges]
    assert expected[1] == pytest.approx(expected_calibration_error(y, p, bins), abs=1e-9)
    assert float(CalibrationError(bins)(y, p)) == pytest.approx(expected[0], abs=1e-6)


def gap(y: np.ndarray, p: np.ndarray, edges: np.ndarray) -> float:
    """Compute the mean gap over bins with these borders."""
    places = np.searchsorted(edges, p)
    sums = np.bincount(places, weights=p.astype(float) - y)
    return float(np.abs(sums).sum() / len(y))


def test_calibration_error_by_hand() -> None:
    y, p = [0, 0, 0, 1, 0, 0, 0, 0, 1, 1], [0.1] * 4 + [0.9] * 6
    # Half of the rows end within the .9: the second bin would be empty, so there is one.
    assert expected_calibration_error(y, p, 2) == pytest.approx(0.58 - 0.3)
    assert float(CalibrationError(bins=2)(y, p)) == pytest.approx(0.58 - 0.3)
    assert float(CalibrationError(bins=3)(y, p)) == pytest.approx(
        0.4 * 0.15 + 0.6 * 0.5667, abs=1e-4
    )


def test_a_weight_of_2_counts_as_two_rows() -> None:
    y, p, _ = rare(STEP)
    y[:100] = 1
    weights = np.arange(STEP) % 3
    expected = reliability(np.repeat(y, weights), np.repeat(p, weights), 10)
    gaps = np.abs(expected.predicted - expected.observed)
    expected_error = np.average(gaps, weights=expected.rows)
    found = value(CalibrationError(), y, p, weights)
    assert found == pytest.approx(expected_error, abs=2e-3)


def test_calibration_error_of_more_classes_is_their_mean() -> None:
    y, z, _ = many()
    p = softmax(z)
    each = [expected_calibration_error((y == k).astype(int), p[:, k], 5) for k in range(3)]
    metric = CalibrationError(bins=5, from_logits=True)
    assert value(metric, y, z) == pytest.approx(np.mean(each), abs=3e-3)
    metric = CalibrationError(bins=5, positive=1, from_logits=True)
    assert value(metric, y, z) == pytest.approx(each[1], abs=3e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_without_rows_it_is_nan(kind: Any) -> None:
    metric = kind()
    assert np.isnan(float(metric.result()))
    assert np.isnan(float(metric([0, 1], [0.5, 0.5], [0, 0])))
    assert np.isfinite(float(metric([0, 1], [0.5, 0.25])))
    metric.reset_state()
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_weight_may_hold_anything_and_others_may_not(kind: Any) -> None:
    y, p = [0, 0, 1, 1], [np.nan, 0.5, 0.75, 0.25]
    expected = float(kind()(y[1:], p[1:]))
    assert float(kind()(y, p, [0, 1, 1, 1])) == pytest.approx(expected)
    assert np.isnan(float(kind()(y, p)))


def direction(model: keras.Model, name: str) -> Any:
    """Return how `EarlyStopping` compares epochs."""
    stopping = keras.callbacks.EarlyStopping(f"val_{name}")
    stopping.set_model(model)
    stopping._set_monitor_op()
    return stopping.monitor_op


def test_a_network_is_scored_and_saved(tmp_path: Path) -> None:
    y, x, _ = many()
    y = (y == 2).astype(int)
    # The same weights each time: a row more or less beside a border is up to .002 of the error.
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[kind() for kind in KINDS])
    logs = model.fit(x, y, batch_size=100, validation_data=(x, y), verbose=0).history
    p = model.predict(x, verbose=0)[:, 0].astype(float)
    both = two_columns(p)
    assert logs["val_brier"] == pytest.approx([brier(y, both)], rel=1e-5)
    assert logs["val_log_loss"] == pytest.approx([log_loss(y, both)], rel=1e-5)
    assert logs["val_calibration_ratio"] == pytest.approx([calibration_ratio(y, both, 1)], rel=1e-5)
    expected = expected_calibration_error(y, p)
    assert logs["val_calibration_error"] == pytest.approx([expected], abs=2e-3)
    for name in ("brier", "log_loss", "calibration_error"):
        assert direction(model, name) is keras.ops.less
    with pytest.raises(ValueError, match="isn't able to automatically determine"):
        direction(model, "calibration_ratio")  # 1 is best
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_compile_config()["metrics"] == model.get_compile_config()["metrics"]


@pytest.mark.parametrize(
    "metric",
    [
        BrierScore(from_logits=True, dtype="float64"),
        LogLoss(name="nats"),
        CalibrationRatio(positive=2),
        CalibrationError(bins=7, positive=1),
    ],
)
def test_a_metric_comes_back_from_its_config(metric: Any) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()


def test_bins_are_checked() -> None:
    with pytest.raises(ArgumentError, match="`bins` must be a whole number from 1 to"):
        CalibrationError(bins=0)
