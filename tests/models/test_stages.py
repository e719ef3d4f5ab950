"""A network in two parts, and the layer that scales the logits of classes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers
from scipy.special import softmax

from kilter._errors import ArgumentError
from kilter.models import MemberDense, convnet, mlp, own_network, tabm
from kilter.models.stages import ClassScales, part

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def sequential(*last: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((5,)), layers.Dense(4, "relu"), *last])


def functional(*last: keras.Layer) -> keras.Model:
    rows = keras.Input((5,))
    outputs = layers.Concatenate()([layers.Dense(3, "relu")(rows), layers.Dense(2)(rows)])
    for layer in last:
        outputs = layer(outputs)
    return keras.Model(rows, outputs)


def nested(*last: keras.Layer) -> keras.Model:
    """A model in a model in a model; the last layer is in the innermost."""
    rows, again = keras.Input((5,)), keras.Input((5,))
    middle = keras.Model(again, sequential(*last)(again))
    return keras.Model(rows, middle(layers.Dense(5, "tanh")(rows)))


def backbone(*last: keras.Layer) -> keras.Model:
    """A model within, as one of `keras.applications` is, and a last layer behind it."""
    return keras.Sequential([keras.Input((5,)), functional(), *last])


def numpy_of(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def probabilities(model: keras.Model) -> np.ndarray:
    return softmax(numpy_of(model(X)).astype(float), axis=1)


def check_parts(model: keras.Model) -> None:
    """Features and last layer give what the model gives, and share its weights."""
    stages = part(model)
    features = numpy_of(stages.features(X))
    kernel, bias = map(numpy_of, (stages.head.kernel, stages.head.bias))
    np.testing.assert_allclose(
        softmax(features @ kernel + bias, axis=1), probabilities(model), rtol=1e-4, atol=1e-6
    )
    changed = np.random.default_rng(1).normal(size=kernel.shape).astype("float32")
    stages.head.kernel.assign(changed)
    np.testing.assert_allclose(
        softmax(features @ changed + bias, axis=1), probabilities(model), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("kind", [sequential, functional, nested, backbone])
def test_parts_of_networks_of_each_kind(kind) -> None:
    check_parts(kind(layers.Dense(3)))
    check_parts(kind(layers.Dropout(0.5), layers.Dense(3)))
    check_parts(kind(layers.Dense(3), layers.Identity(), layers.Activation("linear")))


@pytest.mark.parametrize("kind", [sequential, functional, nested, backbone])
@pytest.mark.parametrize(
    "last", [(layers.Dense(3, "softmax"),), (layers.Dense(3), layers.Softmax())]
)
def test_a_softmax_may_follow(kind, last: tuple[keras.Layer, ...]) -> None:
    last = [layer.__class__.from_config(layer.get_config()) for layer in last]
    check_parts(own_network(lambda width, n_classes: kind(*last), (5,), 3, seed=0))


def test_parts_of_kilters_own_networks() -> None:
    check_parts(mlp(5, 3, hidden=(4,), dropout=0.5, seed=0))
    check_parts(mlp(5, 3, hidden=(), seed=0))
    stages = part(convnet((8, 8, 1), 3, width=4))
    assert stages.features.output_shape == (None, 2 * 16)
    assert stages.head.units == 3


def subclassed() -> keras.Model:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x: object) -> object:
            return self.dense(x)

    return own_network(lambda width, n_classes: Own(), (5,), 3, seed=0)


def one_column() -> keras.Model:
    return own_network(lambda w, n: sequential(layers.Dense(1, "sigmoid")), (5,), 2, seed=0)


def of_members() -> keras.Model:
    rows = keras.Input((5,))
    model = keras.Model(rows, MemberDense(3, members=2, apart=True)(rows))
    return own_network(lambda w, n: model, (5,), 3, seed=0)


@pytest.mark.parametrize(
    "make",
    [
        subclassed,
        one_column,
        of_members,
        lambda: tabm(5, 3, members=2),
        lambda: sequential(layers.Dense(3, use_bias=False)),
        lambda: sequential(layers.Dense(3, "tanh")),
        lambda: sequential(layers.Dense(3), layers.Activation("relu")),
        lambda: sequential(layers.Dense(3), layers.LeakyReLU()),
        lambda: sequential(layers.Dense(3), layers.Dropout(0.5)),
        lambda: nested(layers.Dense(3), layers.BatchNormalization()),
        lambda: keras.Sequential([keras.Input((5,)), layers.Softmax()]),
    ],
)
def test_what_has_no_last_layer_to_learn_anew_is_refused(make) -> None:
    with pytest.raises(ArgumentError) as info:
        part(make())
    assert "`build` must give a network that ends in `Dense(n_classes)`, with a bias" in str(
        info.value
    )
    assert str(info.value).endswith("name `remedies` without those for the last layer.")


columns = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, (3, 2 * n), elements=st.floats(-9, 9, width=16)),
        arrays(np.float32, (2, n), elements=st.floats(-9, 9, width=16)),
    )
)


@given(columns)
def test_blocks_are_scaled_and_added(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    x, factors = drawn
    n = factors.shape[1]
    layer = ClassScales(n, blocks=2)
    layer.build((None, 2 * n))
    layer.factors.assign(factors)
    expected = x[:, :n] * factors[0] + x[:, n:] * factors[1]
    np.testing.assert_allclose(numpy_of(layer(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 2])
def test_at_first_logits_stay_as_they_are(blocks: int) -> None:
    x = X[:, :4] if blocks == 2 else X[:, :2]
    np.testing.assert_array_equal(numpy_of(ClassScales(2, blocks)(x)), x[:, :2])


def test_the_layer_is_made_again() -> None:
    model = keras.Sequential([keras.Input((4,)), ClassScales(2, blocks=2)])
    again = keras.Sequential.from_config(model.get_config())
    again.set_weights([np.array([[2.0, 3.0], [0.5, -1.0]])])
    assert again.output_shape == (None, 2)
    expected = X[:, :2] * [2.0, 3.0] + X[:, 2:4] * [0.5, -1.0]
    np.testing.assert_allclose(numpy_of(again(X[:, :4])), expected, rtol=1e-5)
