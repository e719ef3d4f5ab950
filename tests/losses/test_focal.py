"""Focal losses against the papers' formulas in float64, and against Keras where Keras is right."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, softmax

from kilter._errors import ArgumentError
from kilter.losses.focal import ClassBalancedFocal, Focal, class_balanced_focal, focal

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COUNTS = np.array([5000, 300, 20])


def value(loss: keras.losses.Loss, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(loss(y, z)))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_values_are_the_papers(batch: tuple, gamma: float) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)[np.arange(ROWS), y]
    expected = -((1 - p) ** gamma) * np.log(p)  # Lin et al. 2017
    found = ops.convert_to_numpy(focal(y, z, gamma=gamma))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    loss = Focal(gamma, from_logits=True, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=1e-4, atol=1e-7)


def test_by_hand() -> None:
    # p = 3/4: (1/4)^2 ln(4/3); twice that with the weight 2
    p = np.array([[0.25, 0.75]] * ROWS, np.float32)
    found = value(Focal(class_weights=[1, 2]), np.ones(ROWS), p)
    assert found == pytest.approx(2 * np.log(4 / 3) / 16, rel=1e-5)


def test_a_soft_row_focuses_every_class_by_itself(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    p = softmax(z.astype(np.float64), axis=1)
    expected = -(shares * (1 - p) ** 2 * np.log(p)).sum(axis=1)
    found = ops.convert_to_numpy(focal(shares, z))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_many_classes_are_keras_own_at_moderate_logits(batch: tuple) -> None:
    y, z = batch
    keras_loss = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, from_logits=True)
    expected = value(keras_loss, np.eye(3, dtype=np.float32)[y], z)
    assert value(Focal(from_logits=True), y, z) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("from_logits", [True, False])
def test_two_classes_are_keras_own_at_moderate_logits(batch: tuple, from_logits: bool) -> None:
    y, z = batch[0] % 2, batch[1][:, :1]
    outputs = z if from_logits else expit(z)
    keras_loss = keras.losses.BinaryFocalCrossentropy(from_logits=from_logits)
    expected = value(keras_loss, y[:, None].astype(np.float32), outputs)
    found = value(Focal(from_logits=from_logits), y, outputs)
    assert found == pytest.approx(expected, rel=1e-4)


def test_class_balanced_is_the_papers(batch: tuple) -> None:
    y, z = batch
    beta, gamma = 0.999, 0.5
    effective = (1 - beta**COUNTS) / (1 - beta)  # Cui et al. 2019
    weights = 3 / effective / np.sum(1 / effective)
    p = softmax(z.astype(np.float64), axis=1)[np.arange(ROWS), y]
    expected = -weights[y] * (1 - p) ** gamma * np.log(p)
    found = ops.convert_to_numpy(class_balanced_focal(y, z, counts=COUNTS, beta=beta, gamma=gamma))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    loss = ClassBalancedFocal(COUNTS, beta, gamma, from_logits=True, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=1e-4, atol=1e-7)


def test_the_weights_of_the_paper_sum_to_the_classes() -> None:
    weights = ClassBalancedFocal(COUNTS).class_weights
    assert weights.sum() == pytest.approx(3)
    # beta .9999 and few rows are nearly 1/n: 300 and 20 rows are far below 10,000
    assert weights[2] / weights[1] == pytest.approx(300 / 20, rel=0.02)


@pytest.mark.parametrize("gamma", [-0.1, float("nan")])
def test_gamma_is_checked(gamma: float) -> None:
    for make in (Focal, lambda gamma: ClassBalancedFocal(COUNTS, gamma=gamma)):
        with pytest.raises(ArgumentError, match="`gamma` must be a finite number of at least 0"):
            make(gamma)


def test_beta_is_checked() -> None:
    with pytest.raises(ArgumentError, match="`beta` must be in"):
        ClassBalancedFocal(COUNTS, beta=1.0)
