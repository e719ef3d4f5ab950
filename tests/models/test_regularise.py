"""Dropout and penalties are put where they belong, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.losses import Focal
from kilter.models import Members, mlp, regularise, tabm

pytestmark = pytest.mark.backend

L = keras.layers


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def sequential() -> keras.Model:
    layers = [L.Dense(6), L.BatchNormalization(), L.Activation("relu"), L.Dense(4, "relu")]
    return keras.Sequential([keras.Input((5,)), *layers, L.Dense(2), L.Softmax()])


def branches() -> keras.Model:
    """Return two inputs of different depth, and a layer that is used twice."""
    one, two = keras.Input((5,), name="one"), keras.Input((3,), name="two")
    shared = L.Dense(3, "relu", name="shared")
    left = shared(L.Dense(3, "relu", name="left")(one))
    right = shared(two)
    both = L.Concatenate()([left, right])
    return keras.Model([one, two], L.Dense(2, name="out")(both))


def inputs(model: keras.Model, rows: int = 9) -> list[np.ndarray] | np.ndarray:
    rng = np.random.default_rng(0)
    found = [rng.normal(size=(rows, *x.shape[1:])).astype(np.float32) for x in model.inputs]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("make", [sequential, branches, lambda: mlp(5, 2, dropout=0.1)])
def test_it_predicts_the_same(make: Callable[[], keras.Model]) -> None:
    model = make()
    stronger = regularise(model, dropout=0.5, l1=1e-3, l2=1e-2)
    x = inputs(model)
    before, after = model.predict(x, verbose=0), stronger.predict(x, verbose=0)
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)
    assert stronger.count_params() == model.count_params()


def test_dropout_stands_before_every_layer_with_weights_but_the_first() -> None:
    assert kinds(regularise(sequential(), dropout=0.3)) == [
        *("InputLayer", "Dense", "BatchNormalization", "Activation"),
        *("Dropout", "Dense", "Dropout", "Dense", "Softmax"),
    ]
    rates = [
        layer.rate
        for layer in regularise(sequential(), dropout=0.3).layers
        if "Drop" in type(layer).__name__
    ]
    assert rates == [0.3, 0.3]
    assert kinds(regularise(branches(), dropout=0.3)).count("Dropout") == 2  # one branch has one


def test_there_is_no_second_dropout() -> None:
    model = mlp(5, 2, hidden=(4, 4), dropout=0.1)
    stronger = regularise(model, dropout=0.5, l2=1e-3)
    assert kinds(stronger).count("Dropout") == 2
    assert [layer.rate for layer in stronger.layers if isinstance(layer, L.Dropout)] == [0.1, 0.1]


def test_whole_channels_are_dropped_before_convolutions() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Rescaling(1 / 255),
            L.Conv2D(3, 3),
            L.Conv2D(4, 3),
            L.Flatten(),
            L.Dense(2),
        ]
    )
    assert kinds(regularise(model, dropout=0.2)) == [
        *("InputLayer", "Rescaling", "Conv2D", "SpatialDropout2D", "Conv2D", "Flatten"),
        *("Dropout", "Dense"),
    ]


def test_penalties_are_those_of_the_formula() -> None:
    model = sequential()
    stronger = regularise(model, l1=0.01, l2=0.1)
    kernels = [layer.get_weights()[0] for layer in model.layers if isinstance(layer, L.Dense)]
    expected = sum(0.01 * np.abs(w).sum() + 0.1 * (w**2).sum() for w in kernels)
    found = sum(keras.ops.convert_to_numpy(loss) for loss in stronger.losses)
    assert found == pytest.approx(expected, rel=1e-5)
    assert not model.losses
    assert kinds(stronger) == ["InputLayer", *kinds(model)]


def test_a_model_within_the_model_is_treated_alike() -> None:
    rows = keras.Input((5,))
    model = keras.Model(rows, L.Dense(2, name="head")(sequential_body()(rows)))
    stronger = regularise(model, dropout=0.3, l2=0.1)
    x = inputs(model)
    np.testing.assert_allclose(
        stronger.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
    kernels = [w for w in model.get_weights() if w.ndim == 2]
    found = sum(keras.ops.convert_to_numpy(loss) for loss in stronger.losses)
    assert found == pytest.approx(sum(0.1 * (w**2).sum() for w in kernels), rel=1e-5)
    assert kinds(stronger.layers[1]) == ["InputLayer", "Dense", "Dropout", "Dense"]
    assert kinds(stronger) == ["InputLayer", "Functional", "Dropout", "Dense"]


def sequential_body() -> keras.Model:
    return keras.Sequential([keras.Input((5,)), L.Dense(4, "relu"), L.Dense(3, "relu")])


def test_a_penalty_that_is_there_stays() -> None:
    own = keras.regularizers.L2(0.5)
    model = keras.Sequential([keras.Input((2,)), L.Dense(2, kernel_regularizer=own), L.Dense(2)])
    found = [layer.kernel_regularizer.l2 for layer in regularise(model, l2=0.1).layers[1:]]
    assert found == [pytest.approx(0.5), pytest.approx(0.1)]


def test_it_is_compiled_as_before_and_trains() -> None:
    model = sequential()
    loss = Focal(gamma=1.5)
    model.compile(keras.optimizers.Adam(0.02), loss=loss, metrics=["accuracy"])
    before = model.get_weights()
    stronger = regularise(model, dropout=0.2, l2=1e-4, seed=1)
    assert stronger.loss.gamma == 1.5
    assert float(stronger.optimizer.learning_rate) == pytest.approx(0.02)
    x, y = inputs(model, 64), np.arange(64) % 2
    history = stronger.fit(x, y, epochs=2, verbose=0).history
    assert {"accuracy", "loss"} <= set(history)
    assert (stronger.get_weights()[0] != before[0]).any()
    for weight, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_a_seed_repeats_dropout() -> None:
    model = sequential()
    x = inputs(model)
    one, two, other = (
        keras.ops.convert_to_numpy(regularise(model, dropout=0.5, seed=seed)(x, training=True))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_an_ensemble_in_one_network() -> None:
    model = tabm(5, 2, numbers=3, dropout=0, seed=0)
    stronger = regularise(model, dropout=0.4)
    assert isinstance(stronger, Members)
    assert kinds(stronger.network).count("Dropout") == 2  # the embedding is the first layer
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    np.testing.assert_allclose(
        stronger.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


class Own(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "given", "error", "said"),
    [
        (sequential, {"dropout": 1}, ArgumentError, "`dropout` must be below 1; got 1"),
        (sequential, {"l2": -1}, ArgumentError, "`l2` must be a finite number of at least 0"),
        (lambda: 3, {"l2": 1}, ArgumentTypeError, "`model` must be a Keras model; got int"),
        (Own, {"l2": 1}, ArgumentError, "`call` of its own"),
        (lambda: keras.Sequential([L.Dense(2)]), {"l2": 1}, ArgumentError, "must be built"),
        (lambda: mlp(3, 2, hidden=()), {"dropout": 0.5}, ArgumentError, "no place for dropout"),
        (lambda: mlp(3, 2, dropout=0.1), {"dropout": 0.5}, ArgumentError, "no place for dropout"),
    ],
)
def test_what_cannot_be_done_is_said(
    model: Callable, given: dict, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        regularise(model(), **given)
