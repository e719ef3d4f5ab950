"""The default network for images: its shape, its features, its seeds."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import layers

from kilter.models import convnet

pytestmark = pytest.mark.backend


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def of_kind(model: keras.Model, kind: type) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("shape", "stride", "filters"),
    [
        ((8, 8, 1), 1, [4, 8, 16]),
        ((19, 30, 3), 1, [4, 8, 16]),
        ((28, 28, 1), 2, [4, 8, 16]),
        ((64, 64, 3), 4, [4, 8, 16]),
        ((90, 40, 1), 2, [4, 8, 16, 32]),
        ((200, 180, 3), 4, [4, 8, 16, 32, 32]),  # no more than eight times the first
    ],
)
def test_maps_are_halved_until_few_pixels_are_left(
    shape: tuple[int, int, int], stride: int, filters: list[int]
) -> None:
    model = convnet(shape, 5, width=4)
    assert (model.input_shape, model.output_shape) == ((None, *shape), (None, 5))
    convolutions = of_kind(model, layers.Conv2D)
    assert [layer.strides[0] for layer in convolutions] == [stride] + [1] * (len(filters) - 1)
    assert [layer.filters for layer in convolutions] == filters
    last = of_kind(model, layers.ReLU)[-1].output.shape
    assert 2 <= min(last[1:3]) <= 4


@pytest.mark.parametrize("side", [1, 3, 7, 8, 16, 20, 40, 63, 64, 100, 300])
def test_images_of_any_size_have_a_network(side: int) -> None:
    model = convnet((side, side + 3, 3), 2, width=2)
    maps = of_kind(model, layers.ReLU)[-1].output.shape
    assert 1 <= maps[1] <= 4
    assert len(of_kind(model, layers.Conv2D)) >= 3


def test_features_are_mean_and_maximum_of_each_map() -> None:
    model = convnet((8, 8, 1), 3, width=4, seed=0)
    relu, dense = of_kind(model, layers.ReLU)[-1], model.layers[-1]
    given = keras.Model(model.input, [relu.output, dense.input])
    maps, features = map(keras.ops.convert_to_numpy, given(pixels(5, 8, 8, 1)))
    expected = np.hstack([maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))])
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    kernel, bias = map(keras.ops.convert_to_numpy, dense.weights)
    logits = keras.ops.convert_to_numpy(model(pixels(5, 8, 8, 1)))
    np.testing.assert_allclose(logits, expected @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_pixels_lie_around_zero() -> None:
    (scaling,) = of_kind(convnet((8, 8, 1), 2), layers.Rescaling)
    scaled = keras.ops.convert_to_numpy(scaling(np.array([0.0, 127.5, 255.0], np.float32)))
    np.testing.assert_allclose(scaled, [-1, 0, 1], atol=1e-6)


def test_weights_start_as_he_and_glorot_say() -> None:
    model = convnet((8, 8, 3), 2, width=8, seed=0)
    for layer in of_kind(model, layers.Conv2D):
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        limit = math.sqrt(6 / math.prod(kernel.shape[:3]))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
    kernel, bias = map(keras.ops.convert_to_numpy, model.layers[-1].weights)
    assert np.abs(kernel).max() <= math.sqrt(6 / sum(kernel.shape))
    assert not bias.any()


def test_a_seed_repeats_weights_and_layers_differ() -> None:
    one, same, other, new, newer = (
        [w for w in convnet((8, 8, 1), 2, width=4, seed=seed).get_weights() if w.ndim > 1]
        for seed in (5, 5, 6, None, None)
    )
    for first, second in zip(one, same, strict=True):
        np.testing.assert_array_equal(first, second)
    assert all((first != second).any() for first, second in zip(one, other, strict=True))
    assert all((first != second).any() for first, second in zip(new, newer, strict=True))
    *_, second, third, _ = one
    assert (second.ravel() * second.max() != third.ravel()[: second.size] * third.max()).any()


def test_dropout_can_be_left_out_and_hangs_on_the_seed() -> None:
    assert not of_kind(convnet((8, 8, 1), 2, dropout=0), layers.Dropout)
    one, same, other = (
        of_kind(convnet((8, 8, 1), 2, dropout=0.5, seed=seed), layers.Dropout)[0]
        for seed in (1, 1, 2)
    )
    assert one.rate == 0.5
    x = np.ones((4, 16), np.float32)
    masks = [keras.ops.convert_to_numpy(layer(x, training=True)) for layer in (one, same, other)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()
