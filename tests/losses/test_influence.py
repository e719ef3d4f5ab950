"""Influence-balanced loss against the paper's formula in float64, and in a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import softmax

from differentiate import gradients
from kilter.losses.influence import influence_balanced

pytestmark = pytest.mark.backend

ROWS, DIMS = 12, 4
WEIGHTS = np.array([0.5, 1.0, 4.0])


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, ROWS)
    z, h = (2 * rng.normal(size=(ROWS, n)).astype(np.float32) for n in (3, DIMS))
    return y, z, h


def factor(error: np.ndarray, h: np.ndarray, alpha: float, epsilon: float) -> np.ndarray:
    """Return Park et al. 2021's factor, with the constants of the authors' code."""
    return alpha / (np.abs(error).sum(axis=1) * np.abs(h).sum(axis=1) + epsilon)


@pytest.mark.parametrize(("alpha", "epsilon"), [(1000.0, 1e-3), (1.0, 0.5)])
def test_values_are_the_papers(batch: tuple, alpha: float, epsilon: float) -> None:
    y, z, h = batch
    p = softmax(z.astype(np.float64), axis=1)
    plain = -WEIGHTS[y] * np.log(p[np.arange(ROWS), y])
    expected = plain * factor(p - np.eye(3)[y], h, alpha, epsilon)
    for labels in (y, np.eye(3)[y]):
        found = influence_balanced(labels, z, h, alpha=alpha, epsilon=epsilon, weights=WEIGHTS)
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-4)


def test_every_row_pulls_the_kernel_alike(batch: tuple) -> None:
    y, _, h = batch
    kernel = np.random.default_rng(1).normal(size=(DIMS, 3)).astype(np.float32)
    for row in range(3):

        def loss(kernel: Any, row: int = row) -> Any:
            one = slice(row, row + 1)
            found = influence_balanced(y[one], ops.matmul(h[one], kernel), h[one], alpha=7.0)
            return ops.sum(found)

        assert np.abs(gradients(loss, kernel)).sum() == pytest.approx(7.0, rel=0.02)


def test_features_have_no_gradient_but_through_the_logits(batch: tuple) -> None:
    y, z, h = batch
    kernel = np.zeros((DIMS, 3), np.float32)

    def loss(features: Any) -> Any:
        return ops.sum(influence_balanced(y, ops.add(z, ops.matmul(features, kernel)), features))

    np.testing.assert_array_equal(gradients(loss, h), 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sure_rows_in_half_precision_stay_finite(batch: tuple, dtype: str) -> None:
    y, _, h = batch
    sure = np.where(np.eye(3)[np.arange(ROWS) % 3] > 0, 100, -100).astype(np.float32)

    def loss(logits: Any) -> Any:
        features = ops.cast(ops.convert_to_tensor(h), dtype)
        return ops.sum(influence_balanced(y, ops.cast(logits, dtype), features))

    found = gradients(loss, sure)
    assert np.isfinite(found).all()
    wrong = y != np.arange(ROWS) % 3
    assert (found[wrong, y[wrong]] < 0).all()


class Balanced(keras.Model):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.body, self.head = keras.layers.Dense(DIMS, "relu"), keras.layers.Dense(3)

    def call(self, inputs: Any) -> dict[str, Any]:
        features = self.body(inputs)
        return {"logits": self.head(features), "features": features}

    def compute_loss(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True
    ) -> Any:
        rows = influence_balanced(y, y_pred["logits"], y_pred["features"], alpha=1.0)
        return ops.mean(rows)


def test_a_model_trains_with_it() -> None:
    keras.utils.set_random_seed(0)
    y, x = np.arange(60) % 3, np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    x[np.arange(60), y] += 4
    model = Balanced()
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(x, y, batch_size=20, epochs=10, verbose=0)
    predicted = model.predict(x, batch_size=20, verbose=0)["logits"].argmax(axis=1)
    assert (predicted == y).mean() > 0.9
