"""AUC margin against the min-max solved by numbers, Smooth-AP against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from sklearn.metrics import average_precision_score

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.batch import BatchLoss
from kilter.losses.ranking import AUCMargin, SmoothAP, auc_margin, smooth_average_precision

pytestmark = pytest.mark.backend

ROWS = 12  # everywhere: JAX compiles every operation for every shape


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return labels of two classes and the probability of class 1."""
    rng = np.random.default_rng(0)
    return (np.arange(ROWS) % 3 == 0).astype(int), rng.random(ROWS).astype(np.float32)


@pytest.fixture
def three() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return np.arange(ROWS) % 3, rng.dirichlet(np.ones(3), ROWS).astype(np.float32)


def min_max(y: np.ndarray, h: np.ndarray, margin: float = 1.0) -> float:
    """Solve Yuan et al.'s problem by numbers: min over a, b of max over alpha >= 0."""
    h, positive = h.astype(float), y > 0

    def objective(a: float, b: float, alpha: float) -> float:
        squares = np.mean((h[positive] - a) ** 2) + np.mean((h[~positive] - b) ** 2)
        hinge = margin + h[~positive].mean() - h[positive].mean()
        return squares + 2 * alpha * hinge - alpha**2

    def worst(ab: np.ndarray) -> float:
        found = minimize_scalar(
            lambda alpha: -objective(*ab, alpha), bounds=(0, 5), options={"xatol": 1e-9}
        )
        return max(-found.fun, objective(*ab, 0))

    return float(minimize(worst, [0.5, 0.5], method="Nelder-Mead", tol=1e-10).fun)


def smooth(
    y: np.ndarray, s: np.ndarray, temperature: float, weights: np.ndarray | None = None
) -> float:
    """Compute Brown et al.'s formula in float64, row by row, of repeated rows."""
    if weights is not None:
        y, s = np.repeat(y, weights), np.repeat(s, weights)
    precisions = []
    for i in np.flatnonzero(y):
        lead = expit((s.astype(float) - s[i]) / temperature)
        lead[i] = 0
        precisions.append((1 + lead[y > 0].sum()) / (1 + lead.sum()))
    return 1 - float(np.mean(precisions))


def number(function: Callable[..., Any], y: Any, p: np.ndarray, **options: Any) -> float:
    """Return the pure function's value; of two classes p is the probability of class 1."""
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    labels = ops.convert_to_tensor(y, "int32")
    return float(ops.convert_to_numpy(function(labels, ops.convert_to_tensor(p), **options)))


def value(loss: BatchLoss, y: Any, p: Any, *weights: Any) -> float:
    return float(ops.convert_to_numpy(loss(np.asarray(y), np.asarray(p), *weights)))


def gradient(loss: BatchLoss, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    labels = ops.convert_to_tensor(y)
    return gradients(lambda logits: loss(labels, logits), z)


def by_differences(function: Callable[[np.ndarray], float], z: np.ndarray) -> np.ndarray:
    step = 1e-6 * np.eye(len(z))
    return np.array([(function(z + unit) - function(z - unit)) / 2e-6 for unit in step])


def rest(function: Callable[..., float], y: np.ndarray, p: np.ndarray, *args: Any) -> np.ndarray:
    """Return the value of each class against the rest."""
    return np.array([function((y == k).astype(int), p[:, k], *args) for k in range(p.shape[1])])


@pytest.mark.parametrize("margin", [1.0, 0.5, 0.01])
def test_auc_margin_solves_the_papers_min_max(margin: float, batch: tuple) -> None:
    y, p = batch
    for scores in (p, np.where(y > 0, (1 + p) / 2, p / 2).astype(np.float32)):
        expected = min_max(y, scores, margin)
        assert number(auc_margin, y, scores, margin=margin) == pytest.approx(expected, rel=1e-4)


def test_auc_margin_by_hand() -> None:
    # Positives .9, .7: mean .8, variance .01; negatives .1, .5: mean .3, variance .04.
    y, p = np.array([1, 1, 0, 0]), np.array([0.9, 0.7, 0.1, 0.5], np.float32)
    assert number(auc_margin, y, p) == pytest.approx(0.05 + 0.5**2, rel=1e-5)
    assert number(auc_margin, y, p, margin=0.4) == pytest.approx(0.05, rel=1e-5)


def test_auc_margin_of_many_classes_is_the_mean_against_the_rest(three: tuple) -> None:
    each = rest(min_max, *three)
    assert number(auc_margin, *three) == pytest.approx(each.mean(), rel=1e-4)
    weights = np.array([0.0, 1.0, 3.0])
    found = value(AUCMargin(class_weights=weights), *three)
    assert found == pytest.approx(np.average(each, weights=weights), rel=1e-4)


@pytest.mark.parametrize("positive", [0, 1])
def test_auc_margin_of_one_class_is_its_variance(positive: int, batch: tuple) -> None:
    p = batch[1]
    found = number(auc_margin, np.full(ROWS, positive), p)
    assert found == pytest.approx(np.var(p.astype(float)), rel=1e-4)
    loss, z = AUCMargin(from_logits=True), (8 * p - 4).astype(np.float32)
    expected = by_differences(lambda at: float(np.var(expit(at))), z.astype(float))
    found = gradient(loss, np.full(ROWS, positive), z)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_smooth_ap_is_the_papers_formula(temperature: float, batch: tuple) -> None:
    found = number(smooth_average_precision, *batch, temperature=temperature)
    assert found == pytest.approx(smooth(*batch, temperature), rel=1e-4)


def test_smooth_ap_becomes_average_precision(batch: tuple, three: tuple) -> None:
    expected = 1 - average_precision_score(*batch)
    found = number(smooth_average_precision, *batch, temperature=1e-5)
    assert found == pytest.approx(expected, rel=1e-5)
    each = rest(lambda y, s: 1 - average_precision_score(y, s), *three)
    assert value(SmoothAP(1e-5), *three) == pytest.approx(each.mean(), rel=1e-5)
    weights = np.array([0.0, 1.0, 3.0])
    found = value(SmoothAP(1e-5, class_weights=weights), *three)
    assert found == pytest.approx(np.average(each, weights=weights), rel=1e-5)


def test_smooth_ap_counts_only_classes_with_rows(three: tuple) -> None:
    y, p = np.where(three[0] == 2, 0, three[0]), three[1]
    expected = rest(smooth, y, p[:, :2], 0.01).mean()
    assert value(SmoothAP(), y, p) == pytest.approx(expected, rel=1e-4)
    loss, nothing = SmoothAP(from_logits=True), np.zeros(ROWS, int)
    assert value(loss, nothing, p[:, 0]) == 0
    np.testing.assert_array_equal(gradient(loss, nothing, p[:, 0]), 0)


@settings(max_examples=10)
@given(weights=st.permutations([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4]))
def test_whole_weights_repeat_rows(weights: list[int]) -> None:
    rng = np.random.default_rng(2)
    y, p = np.arange(ROWS) % 2, rng.random(ROWS).astype(np.float32)
    again = np.repeat(np.arange(ROWS), weights)  # always 12 rows
    given_weights = np.array(weights, np.float32)
    for loss in (AUCMargin(), SmoothAP()):
        found = value(loss, y, p, given_weights)
        assert found == pytest.approx(value(loss, y[again], p[again]), rel=1e-4, abs=1e-6)
    if y[again].any():
        expected = smooth(y, p, 0.01, np.array(weights))
        assert value(SmoothAP(), y, p, given_weights) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("loss", [AUCMargin(), SmoothAP()])
def test_targets_and_outputs_come_in_every_shape(loss: BatchLoss, batch: tuple) -> None:
    y, p = batch
    columns = np.stack([1 - p, p], axis=1)
    expected = number(auc_margin if isinstance(loss, AUCMargin) else smooth_average_precision, y, p)
    for targets in (y, y[:, None]):
        for outputs in (p, p[:, None], columns):
            assert value(loss, targets, outputs) == pytest.approx(expected, rel=1e-4)
    assert value(loss, np.eye(2)[y], columns) == pytest.approx(expected, rel=1e-4)
    on_logits = type(loss)(from_logits=True)
    assert value(on_logits, y, np.log(p / (1 - p))) == pytest.approx(expected, rel=1e-3)


def closed_form(y: np.ndarray, h: np.ndarray) -> float:
    hinge = 1 + h[y == 0].mean() - h[y > 0].mean()
    return float(h[y > 0].var() + h[y == 0].var() + hinge**2)


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (AUCMargin(from_logits=True), closed_form),
        (SmoothAP(0.1, from_logits=True), lambda y, h: smooth(y, h, 0.1)),
    ],
)
def test_gradients_are_those_of_the_formula(
    loss: BatchLoss, formula: Callable[..., float], batch: tuple
) -> None:
    y, p = batch
    z = (4 * p - 2).astype(np.float32)
    expected = by_differences(lambda at: formula(y, expit(at)), z.astype(float))
    np.testing.assert_allclose(gradient(loss, y, z), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [3, 15, 100])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_large_logits_vanish_but_never_pull_the_wrong_way(size: float, dtype: str) -> None:
    y = np.arange(ROWS) % 2
    z = (size * np.resize([1, 1, -1, -1], ROWS)).astype(dtype)  # wrong, right, right, wrong
    found = gradient(AUCMargin(from_logits=True), y, z)
    assert np.isfinite(found).all()
    assert (found * np.where(y > 0, 1, -1) <= 0).all()
    assert (size > 3) or (found != 0).all()
    single = (np.arange(ROWS) == 0).astype(int)  # among positives Smooth-AP is a trade
    found = gradient(SmoothAP(from_logits=True), single, z)
    assert np.isfinite(found).all()
    assert (found * np.where(single > 0, 1, -1) <= 0).all()
    assert np.isfinite(gradient(SmoothAP(from_logits=True), y, z)).all()


@pytest.mark.parametrize(
    "loss",
    [
        AUCMargin(0.5, class_weights=[1, 2, 3], from_logits=True, name="mine"),
        SmoothAP(0.2, class_weights=[1, 2, 3], from_logits=True),
    ],
)
def test_a_loss_comes_back_from_its_config(loss: BatchLoss, three: tuple) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert value(again, *three) == value(loss, *three)


def test_a_trained_and_saved_model_keeps_its_loss(tmp_path: Path, batch: tuple) -> None:
    y, x = batch
    x = np.stack([x, 0.5 * y], axis=1).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), loss=SmoothAP(0.1, from_logits=True))
    before = model.evaluate(x, y, batch_size=ROWS, verbose=0)
    model.fit(x, y, batch_size=ROWS, epochs=10, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    after = again.evaluate(x, y, batch_size=ROWS, verbose=0)
    expected = smooth(y, expit(model.predict(x, verbose=0)[:, 0].astype(float)), 0.1)
    assert after == pytest.approx(expected, rel=1e-3)
    assert after < before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AUCMargin(margin=0), "`margin` must be above 0; got 0"),
        (lambda: SmoothAP(temperature=float("nan")), "`temperature` must be above 0"),
    ],
)
def test_arguments_are_checked(make: Callable[[], BatchLoss], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
