"""Label-aware smoothing against the paper's formula in float64, and against Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax

from kilter._errors import ArgumentError
from kilter.losses.smoothing import LabelAwareSmoothing, label_aware_smoothing, smooth_targets

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COUNTS = np.array([100, 55, 10])
SMOOTHING = np.array([0.3, 0.1 + 0.2 * np.sqrt(0.5), 0.1])  # sin of 90, 45 and 0 degrees
WEIGHTS = np.array([0.5, 1.0, 4.0])


def test_values_are_the_papers(batch: tuple) -> None:
    y, z = batch
    # Zhong et al. 2021, the concave form, as in the authors' code
    log_p, share = log_softmax(z.astype(np.float64), axis=1), SMOOTHING[y]
    expected = -(1 - share) * log_p[np.arange(ROWS), y] - share * log_p.mean(axis=1)
    found = label_aware_smoothing(y, z, counts=COUNTS, head=0.3, tail=0.1, weights=WEIGHTS)
    np.testing.assert_allclose(ops.convert_to_numpy(found), WEIGHTS[y] * expected, rtol=1e-5)
    loss = LabelAwareSmoothing(COUNTS, 0.3, 0.1, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-5)


def test_equal_smoothing_is_keras_own(batch: tuple) -> None:
    y, z = batch
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = ops.convert_to_numpy(keras_loss(np.eye(3, dtype=np.float32)[y], z))
    loss = LabelAwareSmoothing(COUNTS, head=0.1, tail=0.1, from_logits=True)
    assert ops.convert_to_numpy(loss(y, z)) == pytest.approx(expected, rel=1e-5)


def test_a_soft_row_smooths_each_of_its_classes(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    smoothed = shares * (1 - SMOOTHING) + (shares @ SMOOTHING)[:, None] / 3
    expected = -(smoothed * log_softmax(z.astype(np.float64), axis=1)).sum(axis=1)
    found = ops.convert_to_numpy(
        label_aware_smoothing(shares, z, counts=COUNTS, head=0.3, tail=0.1)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_targets_are_labels() -> None:
    targets = smooth_targets(COUNTS)
    np.testing.assert_allclose(targets.sum(axis=1), 1)
    np.testing.assert_allclose(targets[2], [0, 0, 1])  # the rarest class is trusted
    np.testing.assert_allclose(smooth_targets([5, 5], head=0.2), [[0.9, 0.1], [0.1, 0.9]])


@pytest.mark.parametrize("arguments", [{"head": 1.1}, {"tail": -0.1}, {"head": float("nan")}])
def test_smoothing_is_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"`{next(iter(arguments))}` must be from 0 to 1"):
        LabelAwareSmoothing(COUNTS, **arguments)
