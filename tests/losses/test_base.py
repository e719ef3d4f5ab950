"""What the losses with one value a row share."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kilter._errors import ArgumentError
from kilter.losses import CrossEntropy, cross_entropy

pytestmark = pytest.mark.backend


def value(loss: keras.losses.Loss, y: Any, z: Any, **options: Any) -> Any:
    return ops.convert_to_numpy(loss(np.asarray(y), np.asarray(z), **options))


def test_a_weight_of_a_text_is_that_of_its_tokens() -> None:
    rng = np.random.default_rng(6)
    y, z = rng.integers(0, 3, (3, 3)), rng.normal(size=(3, 3, 3)).astype(np.float32)
    each_token = value(CrossEntropy(from_logits=True, reduction=None), y, z)
    weights = np.array([1, 0, 3], np.float32)
    expected = (weights[:, None] * each_token).mean()
    loss = CrossEntropy(from_logits=True)
    assert value(loss, y, z, sample_weight=weights) == pytest.approx(expected, rel=1e-5)
    wide = np.repeat(weights[:, None], 3, axis=1)
    assert value(loss, y, z, sample_weight=wide) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", [[[0], [1]], [False, True], [0.0, 1.0]])
def test_the_function_takes_positions_as_they_come(labels: list) -> None:
    z = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    found = ops.convert_to_numpy(cross_entropy(np.array(labels), ops.convert_to_tensor(z)))
    expected = np.log(np.exp(z).sum(axis=1)) - [1, 0]  # less the true class's logit
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), "`labels` must be positions .* 3 columns"),
        (np.zeros((2, 2, 3)), np.zeros((2, 3)), "`labels` must be positions .* 3 columns"),
        (np.zeros(2), np.zeros((2, 1)), "`logits` must have a column a class"),
    ],
)
def test_the_function_does_not_broadcast(
    labels: np.ndarray, logits: np.ndarray, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        cross_entropy(labels, logits.astype(np.float32))


def test_weights_by_label_are_for_many_labels() -> None:
    y, z = np.array([0, 1]), np.zeros((2, 2), np.float32)
    with pytest.raises(ArgumentError, match=r"`class_weights` must have the shape \(classes,\)"):
        CrossEntropy([[1, 2], [3, 4]], from_logits=True)(y, z)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", None])
def test_the_reductions_are_numpys(reduction: str | None) -> None:
    rng = np.random.default_rng(7)
    y, z = rng.integers(0, 3, (4, 5)), rng.normal(size=(4, 5, 3)).astype(np.float32)
    steps = np.log(np.exp(z).sum(axis=-1)) - np.take_along_axis(z, y[..., None], -1)[..., 0]
    expected = {"sum": steps.sum(), None: steps}.get(reduction, steps.mean())
    found = value(CrossEntropy(from_logits=True, reduction=reduction), y, z)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_masked_steps_count_for_nothing() -> None:
    rng = np.random.default_rng(8)
    y, x = rng.integers(0, 3, (6, 4)), rng.normal(size=(6, 4, 2)).astype(np.float32)
    x[:, -1], x[0, 1:] = 0, 0  # padding
    layers = [keras.layers.Masking(), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((4, 2)), *layers])
    model.compile("sgd", loss=CrossEntropy())
    of_true = np.take_along_axis(model.predict(x, verbose=0), y[..., None], -1)[..., 0]
    expected = np.average(-np.log(of_true), weights=np.any(x != 0, axis=-1))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-4)


def test_a_batch_without_rows_is_keras_to_reduce() -> None:
    y, z = np.zeros(0, np.int32), np.zeros((0, 3), np.float32)
    keras_own = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert value(CrossEntropy(from_logits=True), y, z).shape == value(keras_own, y, z).shape
