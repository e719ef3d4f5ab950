"""The asymmetric loss against the paper's formula in float64, Keras and hand numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, log_expit
from sklearn.metrics import log_loss

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.multilabel import Asymmetric, asymmetric
from kilter.weights import class_weights

pytestmark = pytest.mark.backend

ROWS, LABELS = 12, 3  # everywhere: JAX compiles every operation for every shape
WEIGHTS = np.array([[0.5, 4.0], [1.0, 1.0], [0.8, 2.0]])
BINARY = {"gamma_neg": 0.0, "gamma_pos": 0.0, "clip": 0.0}
SETTINGS = [
    {"gamma_neg": 4.0, "gamma_pos": 1.0, "clip": 0.05},
    {"gamma_neg": 2.5, "gamma_pos": 0.5, "clip": 0.2},
    {"gamma_neg": 0.5, "gamma_pos": 0.0, "clip": 0.05},
    {"gamma_neg": 4.0, "gamma_pos": 1.0, "clip": 0.0},
    BINARY,
]


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random((ROWS, LABELS)) < 0.3).astype(np.float32)
    return y, (3 * rng.normal(size=(ROWS, LABELS))).astype(np.float32)


def reference(
    y: np.ndarray,
    z: np.ndarray,
    gamma_neg: float,
    gamma_pos: float,
    clip: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the paper's formula in float64: the mean over the labels of a row."""
    z = z.astype(np.float64)
    p, shifted = expit(z), np.maximum(expit(z) - clip, 0)
    log_rest = log_expit(-z) if clip == 0 else np.log1p(-shifted)
    present, absent = -((1 - p) ** gamma_pos) * log_expit(z), -(shifted**gamma_neg) * log_rest
    if weights is not None:
        absent, present = weights[:, 0] * absent, weights[:, 1] * present
    return (y * present + (1 - y) * absent).mean(axis=1)


def each(y: np.ndarray, z: np.ndarray, **numbers: Any) -> np.ndarray:
    return ops.convert_to_numpy(asymmetric(ops.convert_to_tensor(y), z, **numbers))


def gradient(y: np.ndarray, z: np.ndarray, **numbers: Any) -> np.ndarray:
    labels = ops.convert_to_tensor(y)
    return gradients(lambda logits: ops.sum(asymmetric(labels, logits, **numbers)), z)


def value(loss: keras.losses.Loss, y: Any, z: Any, **options: Any) -> Any:
    return ops.convert_to_numpy(loss(np.asarray(y), np.asarray(z), **options))


@pytest.mark.parametrize("numbers", SETTINGS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_is_the_papers_formula(numbers: dict, weights: Any, batch: tuple) -> None:
    expected = reference(*batch, **numbers, weights=weights)
    found = each(*batch, **numbers, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_by_hand() -> None:
    z = np.zeros((1, LABELS), np.float32)  # p = 1/2, shifted .45
    found = each(np.array([[1.0, 0.0, 0.0]], np.float32), z)
    expected = (0.5 * np.log(2) - 2 * 0.45**4 * np.log(0.55)) / 3
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_soft_labels_mix_both_terms(batch: tuple) -> None:
    _, z = batch
    y = np.random.default_rng(1).random((ROWS, LABELS)).astype(np.float32)
    for numbers in SETTINGS:
        expected = reference(y, z, **numbers)
        np.testing.assert_allclose(each(y, z, **numbers), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("numbers", SETTINGS)
def test_gradients_are_those_of_the_formula(numbers: dict, batch: tuple) -> None:
    y, z = batch
    step = 1e-6
    columns = []
    for unit in np.eye(LABELS):
        up, down = (reference(y, z + sign * step * unit, **numbers) for sign in (1, -1))
        columns.append((up - down) / (2 * step))
    found = gradient(y, z, **numbers)
    np.testing.assert_allclose(found, np.stack(columns, 1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize("from_logits", [True, False])
def test_without_focusing_it_is_keras_binary_cross_entropy(
    reduction: str | None, from_logits: bool, batch: tuple
) -> None:
    y, z = batch
    options: dict[str, Any] = {"from_logits": from_logits, "reduction": reduction}
    theirs = keras.losses.BinaryCrossentropy(**options)
    ours = Asymmetric(**BINARY, **options)
    outputs = z if from_logits else expit(z)
    for sample_weight in (None, np.linspace(0, 2, ROWS).astype(np.float32)):
        np.testing.assert_allclose(
            value(ours, y, outputs, sample_weight=sample_weight),
            value(theirs, y, outputs, sample_weight=sample_weight),
            rtol=1e-4,
            atol=1e-6,
        )


def test_class_weights_are_those_of_the_labels(batch: tuple) -> None:
    y, z = batch
    weights = class_weights(y.astype(int), multi_label=True)
    by_label = [
        log_loss(
            y[:, k],
            expit(z[:, k].astype(float)),
            sample_weight=weights.array[k, y[:, k].astype(int)],
        )
        for k in range(LABELS)
    ]  # balanced weights are 1 on average, so that scikit-learn's mean is ours
    found = value(Asymmetric(**BINARY, class_weights=weights, from_logits=True), y, z)
    assert found == pytest.approx(np.mean(by_label), rel=1e-5)


@pytest.mark.parametrize("numbers", SETTINGS)
def test_extreme_logits_pull_the_right_way(numbers: dict) -> None:
    y = np.tile(np.array([1, 0, 1], np.float32), (ROWS, 1))
    wrong = np.tile(np.array([-100, 100, -100], np.float32), (ROWS, 1))
    bounded = numbers["clip"] > 0  # a surely wrong absent label: bounded loss, no gradient
    found = gradient(y, wrong, **numbers) * LABELS
    np.testing.assert_allclose(found, np.tile([-1, 0 if bounded else 1, -1], (ROWS, 1)), atol=1e-5)
    np.testing.assert_allclose(each(y, wrong, **numbers), reference(y, wrong, **numbers), rtol=1e-4)
    np.testing.assert_allclose(gradient(y, -wrong, **numbers), 0, atol=1e-6)
    np.testing.assert_allclose(each(y, -wrong, **numbers), 0, atol=1e-6)


@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0, 4.0])
def test_easy_absent_labels_cost_and_pull_exactly_nothing(gamma_neg: float) -> None:
    easy = np.linspace(-100, np.log(0.05 / 0.95) - 1e-3, ROWS * LABELS, dtype=np.float32)
    z, y = easy.reshape(ROWS, LABELS), np.zeros((ROWS, LABELS), np.float32)
    np.testing.assert_array_equal(each(y, z, gamma_neg=gamma_neg), 0)
    np.testing.assert_array_equal(gradient(y, z, gamma_neg=gamma_neg), 0)


@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 4.0])
def test_the_edge_of_the_clip_has_no_nan(gamma_neg: float) -> None:
    near = np.log(0.05 / 0.95) + np.linspace(-1e-5, 1e-5, ROWS * LABELS)
    z, y = near.reshape(ROWS, LABELS).astype(np.float32), np.zeros((ROWS, LABELS), np.float32)
    found = gradient(y, z, gamma_neg=gamma_neg)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(each(y, z, gamma_neg=gamma_neg), 0, atol=1e-6)


@pytest.mark.parametrize("numbers", SETTINGS)
def test_half_precision_stays_finite(numbers: dict) -> None:
    z = np.resize(np.array([[100, -100, 0], [-100, 100, 5]], np.float16), (ROWS, LABELS))
    y = np.resize(np.array([[0, 1, 1], [1, 0, 0]], np.float16), (ROWS, LABELS))
    expected = reference(y.astype(float), z.astype(float), **numbers)
    np.testing.assert_allclose(each(y, z, **numbers), expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(gradient(y, z, **numbers)).all()


def test_a_single_label_may_come_without_its_axis(batch: tuple) -> None:
    y, z = batch[0][:, 0], batch[1][:, 0]
    loss = Asymmetric(from_logits=True, class_weights=[0.5, 4.0], reduction=None)
    expected = reference(y[:, None], z[:, None], **SETTINGS[0], weights=np.array([[0.5, 4.0]]))
    for targets in (y, y[:, None], y.astype(int), y.astype(bool)):
        for outputs in (z, z[:, None]):
            found = value(loss, targets, outputs)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_probabilities_say_the_same_as_logits(batch: tuple) -> None:
    y, z = batch
    expected = value(Asymmetric(from_logits=True, reduction=None), y, z)
    np.testing.assert_allclose(
        value(Asymmetric(reduction=None), y, expit(z)), expected, rtol=1e-3, atol=1e-6
    )
    sure = np.tile(np.array([0, 1, 0], np.float32), (ROWS, 1))
    assert np.isfinite(value(Asymmetric(**BINARY, reduction=None), 1 - sure, sure)).all()
    np.testing.assert_allclose(value(Asymmetric(**BINARY), sure, sure), 0, atol=1e-6)


def test_b11_the_step_does_not_grow_with_the_batch(batch: tuple) -> None:
    y, z = batch
    loss = Asymmetric(from_logits=True)
    twice = value(loss, np.tile(y, (2, 1)), np.tile(z, (2, 1)))
    assert twice == pytest.approx(value(loss, y, z), rel=1e-5)


def test_a_loss_comes_back_from_its_config(batch: tuple) -> None:
    loss = Asymmetric(
        3, 0.5, 0.1, class_weights=WEIGHTS, from_logits=True, reduction="sum", name="rare"
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is Asymmetric
    assert again.get_config() == loss.get_config()
    np.testing.assert_array_equal(value(again, *batch), value(loss, *batch))


def test_a_trained_and_saved_model_keeps_its_loss(tmp_path: Path, batch: tuple) -> None:
    y, x = batch
    model = keras.Sequential([keras.Input((LABELS,)), keras.layers.Dense(LABELS)])
    model.compile("sgd", loss=Asymmetric(2, 0.5, class_weights=WEIGHTS, from_logits=True))
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    after = again.evaluate(x, y, verbose=0)
    z = model.predict(x, verbose=0)
    expected = reference(y, z, 2, 0.5, 0.05, WEIGHTS).mean()
    assert after == pytest.approx(expected, rel=1e-4)
    assert after < before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma_neg": -1}, "`gamma_neg` must be a finite number of at least 0"),
        ({"gamma_pos": float("nan")}, "`gamma_pos` must be a finite number of at least 0"),
        ({"clip": 1}, r"`clip` must be in \[0, 1\)"),
        ({"clip": -0.1}, r"`clip` must be in \[0, 1\)"),
    ],
)
def test_arguments_are_checked(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Asymmetric(**arguments)


def test_shapes_are_checked(batch: tuple) -> None:
    y, z = batch
    with pytest.raises(ArgumentError, match=r"`class_weights` .* here \(3, 2\).* got \(1, 2\)"):
        Asymmetric(class_weights=[1, 2])(y, z)
    with pytest.raises(ArgumentError, match="`y_true` must have a 0 or 1 for each of the 3 labels"):
        Asymmetric()(y[:, 0], z)
    with pytest.raises(ArgumentError, match=r"`y_true` .* 3 columns"):
        Asymmetric()(y[:, :2], z)


def test_the_function_does_not_broadcast() -> None:
    with pytest.raises(ArgumentError, match="`labels` must have the shape of `logits`"):
        asymmetric(np.zeros(2), np.zeros((2, 1), np.float32))


def test_a_single_label_can_be_weighed_anew() -> None:
    loss = Asymmetric(0, 0, 0, from_logits=True)
    loss.reweight(np.array([1.0, 9.0]))
    found = float(loss(np.array([0, 1]), np.zeros((2, 1), np.float32)))
    assert found == pytest.approx(5 * np.log(2), rel=1e-5)
