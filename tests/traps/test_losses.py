"""Traps of Keras's focal losses and of losses written by hand, answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kilter
from differentiate import gradients
from kilter.losses.cost import ExpectedCost
from kilter.losses.focal import ClassBalancedFocal, Focal
from kilter.losses.general import CrossEntropy
from kilter.losses.margins import LDAM

pytestmark = pytest.mark.backend

Y = np.array([[1], [0], [0], [0]], np.float32)
EVEN = np.full((4, 1), 0.5, np.float32)
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]], np.float32)


def value(loss: keras.losses.Loss, *arguments: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(loss(*arguments)))


def pull(loss: Callable[[Any, Any], Any], y: Any, z: Any) -> np.ndarray:
    """Return the gradient by the logits."""
    labels = np.asarray(y, np.float32)
    return gradients(lambda logits: loss(labels, logits), np.asarray(z, np.float32))


def positive_over_negative(loss: keras.losses.Loss) -> float:
    found = value(loss, Y, EVEN)
    return float(found[0] / found[1])


def test_b07_a_class_has_the_weight_that_it_is_given() -> None:
    ours = Focal(class_weights=[1, 9], reduction=None)
    assert positive_over_negative(ours) == pytest.approx(9)
    keras_focal = keras.losses.BinaryFocalCrossentropy
    assert positive_over_negative(keras_focal(alpha=0.9, reduction=None)) == pytest.approx(1)
    balanced = keras_focal(apply_class_balancing=True, reduction=None)
    assert positive_over_negative(balanced) == pytest.approx(1 / 3)  # the rare class is halved


def test_b07_many_classes_have_weights_too() -> None:
    plain = value(Focal(reduction=None), np.arange(3), P)
    weighted = value(Focal(class_weights=[1, 2, 5], reduction=None), np.arange(3), P)
    np.testing.assert_allclose(weighted / plain, [1, 2, 5], rtol=1e-5)
    theirs = [
        value(keras.losses.CategoricalFocalCrossentropy(alpha, reduction=None), np.eye(3), P)
        for alpha in (0.25, 0.75)
    ]
    np.testing.assert_allclose(theirs[1] / theirs[0], 3, rtol=1e-5)  # every class alike


def test_b08_a_row_that_is_surely_wrong_pulls_as_in_cross_entropy() -> None:
    logit = -20.0
    assert pull(Focal(from_logits=True), [[1]], [[logit]]) == pytest.approx(-1, rel=1e-4)
    found = pull(Focal(from_logits=True), [[0, 1, 0]], [[0, logit, 0]])
    np.testing.assert_allclose(found, [[0.5, -1, 0.5]], rtol=1e-4)
    theirs = keras.losses.CategoricalFocalCrossentropy(from_logits=True)
    np.testing.assert_array_equal(pull(theirs, [[0, 1, 0]], [[0, logit, 0]]), 0)
    if keras.backend.backend() != "tensorflow":
        theirs = keras.losses.BinaryFocalCrossentropy(from_logits=True)
        assert np.abs(pull(theirs, [[1]], [[logit]])).max() < 1e-6


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_b08_a_row_that_is_surely_right_is_no_nan(gamma: float) -> None:
    focal = Focal(gamma, from_logits=True)
    np.testing.assert_allclose(pull(focal, [[1]], [[100]]), 0, atol=1e-6)
    np.testing.assert_allclose(pull(focal, [[1, 0, 0]], [[100, 0, 0]]), 0, atol=1e-6)
    theirs = keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True)
    assert np.isnan(pull(theirs, [[1]], [[100]])).all() == (gamma < 1)


def test_b09_integer_labels_are_right() -> None:
    expected = np.mean(-((1 - P.diagonal()) ** 2) * np.log(P.diagonal()))
    integers, column, one_hot = np.arange(3), np.arange(3)[:, None], np.eye(3)
    for labels in (integers, column, one_hot):
        assert value(Focal(), labels, P) == pytest.approx(expected, rel=1e-5)
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0)
    assert value(theirs, one_hot, P) == pytest.approx(expected, rel=1e-4)
    assert value(theirs, column.astype(np.float32), P) > 10 * expected


def test_b11_the_step_does_not_grow_with_the_batch() -> None:
    def summed(y_true: Any, y_pred: Any) -> Any:  # as tutorials have it
        p = ops.where(ops.convert_to_tensor(y_true) > 0, y_pred, 1 - y_pred)
        return -ops.sum((1 - p) ** 2 * ops.log(p))

    def step(loss: Callable[[Any, Any], Any], copies: int) -> float:
        y, p = np.tile(Y, (copies, 1)), np.tile(EVEN, (copies, 1))
        higher, lower = (value(loss, y, p + shift) for shift in (0.01, -0.01))
        return float(higher - lower)

    assert step(Focal(), 2) == pytest.approx(step(Focal(), 1), rel=1e-3)
    assert step(summed, 2) == pytest.approx(2 * step(summed, 1), rel=1e-3)


@keras.saving.register_keras_serializable(package="traps")
class Forgetful(keras.losses.Loss):
    """A loss as often written: registered, with an argument, without `get_config`."""

    def __init__(self, gamma: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        self.gamma = gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred) ** self.gamma, axis=-1)


def saved_and_loaded(loss: Any, path: Path) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(), loss=loss)
    model.optimizer.build(model.trainable_variables)
    model.save(path / "model.keras")
    return keras.saving.load_model(path / "model.keras")


@pytest.mark.parametrize(
    "loss",
    [
        Focal(0.5, class_weights=[1, 2, 3]),
        ClassBalancedFocal([90, 9, 1], beta=0.9, gamma=1.0),
        LDAM([90, 9, 1], max_margin=0.3, scale=10),
        ExpectedCost(kilter.cost_matrix([1, 2, 3]), reduction="sum", name="price"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_b12_a_loss_comes_back_with_its_arguments(loss: CrossEntropy, tmp_path: Path) -> None:
    again = saved_and_loaded(loss, tmp_path).loss
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert value(again, np.arange(3), P) == value(loss, np.arange(3), P)


def test_b12_what_losses_by_hand_do_instead(tmp_path: Path) -> None:
    assert saved_and_loaded(Forgetful(gamma=5.0), tmp_path).loss.gamma == 2.0

    def focal_by_hand(y_true: Any, y_pred: Any) -> Any:
        return ops.mean((y_true - y_pred) ** 2, axis=-1)

    with pytest.raises(TypeError, match="focal_by_hand"):
        saved_and_loaded(focal_by_hand, tmp_path)


def rare_class(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 20 rows of every class but the first, which has 200, around points apart."""
    y = np.r_[np.zeros(180, int), np.repeat(np.arange(n_classes), 20)]
    x = np.random.default_rng(0).normal(size=(len(y), n_classes)).astype(np.float32)
    x[np.arange(len(y)), y] += 4
    return x, y


@pytest.mark.parametrize(("n_classes", "units"), [(2, 1), (3, 3)])
def test_a13_focal_loss_for_two_classes_and_many(n_classes: int, units: int) -> None:
    keras.utils.set_random_seed(0)
    x, y = rare_class(n_classes)
    activation = "sigmoid" if units == 1 else "softmax"
    model = keras.Sequential([keras.Input((n_classes,)), keras.layers.Dense(units, activation)])
    model.compile(keras.optimizers.Adam(0.1), loss=Focal(class_weights=kilter.class_weights(y)))
    model.fit(x, y, batch_size=len(y), epochs=40, verbose=0)
    outputs = model.predict(x, batch_size=len(y), verbose=0)
    predicted = outputs[:, 0] > 0.5 if units == 1 else outputs.argmax(axis=1)
    for rare in range(1, n_classes):
        assert np.mean(predicted[y == rare] == rare) > 0.85


def best_constant(loss: keras.losses.Loss, y: np.ndarray) -> float:
    """Return the probability of class 1, the same for every row, that has the least loss."""
    p = np.linspace(0.01, 0.99, 99, dtype=np.float32)
    each = value(loss, np.repeat(y, len(p)), np.tile(p, len(y)))
    return float(p[each.reshape(len(y), len(p)).mean(axis=0).argmin()])


def test_a08_weights_inverse_to_the_frequency_make_classes_even() -> None:
    y = (np.arange(20) % 5 == 0).astype(int)
    assert best_constant(CrossEntropy(reduction=None), y) == pytest.approx(0.2)
    weighted = CrossEntropy(class_weights=kilter.class_weights(y), reduction=None)
    assert best_constant(weighted, y) == pytest.approx(0.5)


def test_a08_costs_decide() -> None:
    y = (np.arange(20) % 5 == 0).astype(int)
    assert best_constant(ExpectedCost([[0, 1], [1, 0]], reduction=None), y) < 0.02
    assert best_constant(ExpectedCost([[0, 1], [9, 0]], reduction=None), y) > 0.98
