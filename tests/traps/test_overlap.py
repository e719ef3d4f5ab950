"""Traps of Keras's losses on overlap and of its class weights with many labels, answered."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kilter.losses.multilabel import Asymmetric
from kilter.losses.overlap import Dice, Tversky

pytestmark = pytest.mark.backend

Y = np.array([[1], [0], [0], [1]], np.float32)
P = np.array([[0.9], [0.9], [0.1], [0.1]], np.float32)  # right, wrong, right, wrong


def value(loss: keras.losses.Loss, *arguments: Any) -> float:
    return float(ops.convert_to_numpy(loss(*arguments)))


def test_b10_tverskys_alpha_is_on_false_positives() -> None:
    y, p = np.array([[1.0], [0.0]], np.float32), np.array([[1.0], [1.0]], np.float32)
    # TP 1, FP 1, FN 0: alpha is the price of the one false positive.
    expected = 1 - 1 / (1 + 0.9)
    swapped = 1 - 1 / (1 + 0.1)
    assert value(Tversky(alpha=0.9, beta=0.1), y, p) == pytest.approx(expected, rel=1e-4)
    assert value(keras.losses.Tversky(alpha=0.9, beta=0.1), y, p) == pytest.approx(
        swapped, rel=1e-4
    )


def test_b10_tverskys_beta_is_on_false_negatives() -> None:
    y, p = np.array([[1.0], [1.0]], np.float32), np.array([[1.0], [0.0]], np.float32)
    expected = 1 - 1 / (1 + 0.1)  # TP 1, FP 0, FN 1
    swapped = 1 - 1 / (1 + 0.9)
    assert value(Tversky(alpha=0.9, beta=0.1), y, p) == pytest.approx(expected, rel=1e-4)
    assert value(keras.losses.Tversky(alpha=0.9, beta=0.1), y, p) == pytest.approx(
        swapped, rel=1e-4
    )


def test_b10_sample_weights_choose_rows() -> None:
    keep_right = np.array([1, 0, 1, 0], np.float32)
    keep_wrong = 1 - keep_right
    # Rows 0 and 2: TP .9, FP .1, FN .1. Rows 1 and 3: TP .1, FP .9, FN .9.
    assert value(Dice(), Y, P, keep_right) == pytest.approx(0.1, rel=1e-4)
    assert value(Dice(), Y, P, keep_wrong) == pytest.approx(0.9, rel=1e-4)
    theirs = keras.losses.Dice()
    assert value(theirs, Y, P, keep_right) == value(theirs, Y, P, keep_wrong)


@pytest.mark.parametrize("weights", [[1, 0, 1, 0], [0, 1, 0, 1]])
def test_b10_sample_weights_reach_the_loss_through_fit(weights: list[float]) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Activation("linear")])
    model.compile("sgd", loss=Dice())
    found = model.evaluate(P, Y, sample_weight=np.array(weights, np.float32), verbose=0)
    assert found == pytest.approx(0.1 if weights[0] else 0.9, rel=1e-4)


def test_b03_class_weights_of_many_labels_are_those_of_each_label() -> None:
    y = np.array([[1, 1, 1], [0, 0, 0]], np.float32)
    z = np.array([[2, 1, 0], [1, 0, -1]], np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.build((None, 3))
    model.set_weights([np.eye(3), np.zeros(3)])

    entropy = np.logaddexp(0, np.where(y > 0, -z, z))  # of each label
    model.compile("sgd", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    theirs = model.train_on_batch(z, y, class_weight={0: 7.0, 1: 1.0, 2: 1.0})
    assert np.asarray(theirs) == pytest.approx(7 * entropy.mean(), rel=1e-4)  # 0 for both rows

    weights = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])  # absent, present
    ours = Asymmetric(0, 0, 0, class_weights=weights, from_logits=True)
    by_label = np.where(y > 0, weights[:, 1], weights[:, 0])
    assert value(ours, y, z) == pytest.approx((by_label * entropy).mean(), rel=1e-5)
