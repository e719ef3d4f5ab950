"""The areas from bins stay within their stated distance of scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, roc_auc_score

from kilter._errors import ArgumentError
from kilter.metrics.binned import Binned, BinnedAveragePrecision, BinnedROCAUC
from made_data import two_columns
from scored import score

pytestmark = pytest.mark.backend

KINDS: list[tuple[type[Binned], Callable[..., float], float]] = [
    (BinnedAveragePrecision, average_precision_score, 5e-4),
    (BinnedROCAUC, roc_auc_score, 2e-4),
]
every_kind = pytest.mark.parametrize(
    ("kind", "reference", "distance"), KINDS, ids=["precision_recall", "roc"]
)
STEP = 25_000


value = partial(score, step=STEP)


def calibrated(prevalence: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw log-odds and labels by them."""
    rng = np.random.default_rng(0)
    z = rng.normal(logit(prevalence) - 1.5, 1.7, 2 * STEP)
    return (rng.random(len(z)) < expit(z)).astype(int), z


def even(prevalence: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities from 1e-6 to 1e-1, each power of ten as often; positives draw twice."""
    rng = np.random.default_rng(1)
    y = (rng.random(2 * STEP) < prevalence).astype(int)
    drawn = np.log(10) * rng.uniform(-6, -1, (2, len(y)))
    return y, logit(np.exp(np.where(y == 1, drawn.max(axis=0), drawn[0])))


@every_kind
@pytest.mark.parametrize("prevalence", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("draw", [calibrated, even])
def test_rare_rows_keep_the_distance(
    kind: Any, reference: Any, distance: float, prevalence: float, draw: Any
) -> None:
    y, z = draw(prevalence)
    weights = np.random.default_rng(2).random(len(y)).astype(np.float32)
    expected = reference(y, z, sample_weight=weights)
    assert value(kind(), y, expit(z), weights) == pytest.approx(expected, abs=distance)


@every_kind
def test_scores_in_bins_of_their_own_are_exact(kind: Any, reference: Any, distance: Any) -> None:
    rng = np.random.default_rng(3)
    y = (rng.random(STEP) < 0.1).astype(int)
    p = np.clip(rng.normal(0.3, 0.1, STEP) + 0.1 * y, 0, 1).round(2)
    weights = rng.random(STEP)
    expected = reference(y, p, sample_weight=weights)
    assert value(kind(), y, p, weights) == pytest.approx(expected, abs=1e-5)
    both = two_columns(p)
    expected = reference(1 - y, both[:, 0])
    assert value(kind(positive=0), y, both) == pytest.approx(expected, abs=1e-6)


@every_kind
def test_more_classes_take_the_mean_over_those_that_have_rows(
    kind: Any, reference: Any, distance: float
) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, STEP)  # none is of class 3
    z = rng.normal(size=(STEP, 4)) + 2 * np.eye(4)[y]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = np.mean([reference(y == k, p[:, k]) for k in range(3)])
    assert value(kind(), y, p) == pytest.approx(expected, abs=distance)
    assert value(kind(from_logits=True), y, z) == pytest.approx(expected, abs=distance)
    chosen = value(kind(positive=2), y, p)
    assert chosen == pytest.approx(reference(y == 2, p[:, 2]), abs=distance)


@every_kind
def test_probabilities_near_1_are_told_apart(kind: Any, reference: Any, distance: Any) -> None:
    y = (np.random.default_rng(5).random(STEP) < 0.3).astype(int)
    z = np.random.default_rng(6).normal(30, 5, STEP) + 5 * y  # all are 1 in single precision
    expected = reference(y, z)
    assert value(kind(from_logits=True), y, z) == pytest.approx(expected, abs=2e-3)
    both = np.stack([expit(-z), expit(z)], axis=1)
    assert value(kind(), y, both) == pytest.approx(expected, abs=2e-3)


@every_kind
def test_it_is_0_as_long_as_it_is_not_defined(kind: Any, reference: Any, distance: Any) -> None:
    metric = kind()
    assert float(metric.result()) == 0
    assert float(metric([0, 0], [0.2, 0.9])) == 0
    assert float(metric([1, 1], [0.2, 0.9])) == 0.5  # two tied pairs
    metric.reset_state()
    assert float(metric([0, 0], [0.2, 0.9])) == 0


@every_kind
def test_rows_without_weight_may_hold_anything_and_others_may_not(
    kind: Any, reference: Any, distance: float
) -> None:
    y, p = [0, 1, 0, 1], [np.nan, 0.5, 0.7, 0.9]
    expected = reference(y[1:], p[1:])
    assert float(kind()(y, p, [0, 1, 1, 1])) == pytest.approx(expected)
    assert np.isnan(float(kind()(y, p)))


def test_a_network_is_scored_and_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(240, 3)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=240) > 1.5).astype(int)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[BinnedROCAUC(from_logits=True, bins=2**16)])
    logs = model.fit(x, y, batch_size=48, validation_data=(x, y), verbose=0).history
    z = model.predict(x, verbose=0)
    expected = roc_auc_score(y, z[:, 1] - z[:, 0])
    assert logs["val_binned_roc_auc"] == pytest.approx([expected], abs=1e-3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_compile_config()["metrics"] == model.get_compile_config()["metrics"]


@every_kind
def test_a_metric_comes_back_from_its_config(kind: Any, reference: Any, distance: Any) -> None:
    metric = kind(bins=8, positive=0, from_logits=True, name="area")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is kind
    assert again.get_config() == metric.get_config()
    again.update_state([0, 1], [0.1, 0.2])
    assert [tuple(variable.shape) for variable in again.variables] == [(1, 8), (1, 8)]


def test_bins_are_checked() -> None:
    with pytest.raises(ArgumentError, match="`bins` must be a whole number from 1 to"):
        BinnedROCAUC(bins=0)
