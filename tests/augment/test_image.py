"""Words for layers, and rows that are changed as often as they should be."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.augment.image import WORDS, Augmented, find_layers

pytestmark = pytest.mark.backend


def images(rows: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, 12, 10, 1)).astype(np.uint8)


def changed(front: Augmented, rows: np.ndarray, chances: np.ndarray, **settings) -> np.ndarray:
    return keras.ops.convert_to_numpy(front([rows, chances.astype(np.float32)], **settings))


def differs(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.abs(found - rows).max(axis=(1, 2, 3)) > 1e-3


def test_rows_are_changed_by_their_chances() -> None:
    rows, chances = images(3000), np.repeat([0.0, 0.3, 1.0], 1000)
    front = Augmented([keras.layers.RandomBrightness((0.2, 0.5), seed=1)], seed=0)
    found = differs(changed(front, rows, chances, training=True), rows)
    shares = found.reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(shares, [0, 0.3, 1], atol=0.06)
    assert (shares[0], shares[2]) == (0, 1)


def test_nothing_happens_outside_training() -> None:
    rows = images()
    front = Augmented(find_layers("strong"), seed=0)
    found = changed(front, rows, np.ones(len(rows)), training=False)
    np.testing.assert_array_equal(found, rows)


@pytest.mark.parametrize("word", WORDS)
def test_words_change_images_within_reason(word: str) -> None:
    smooth = np.add.outer(np.linspace(60, 160, 28), np.linspace(0, 60, 28))
    rows = np.tile(smooth.astype(np.uint8)[None, :, :, None], (32, 1, 1, 1))
    front = Augmented(find_layers(word), seed=0)
    found = changed(front, rows, np.ones(len(rows)), training=True)
    assert found.shape == rows.shape
    assert np.isfinite(found).all()
    middle = np.abs(found - rows)[:, 10:18, 10:18].mean()
    assert 0 < middle < {"light": 30, "strong": 80}[word]
    assert len(np.unique(found.reshape(32, -1), axis=0)) == 32


def test_layers_are_taken_as_they_are() -> None:
    flip, noise = keras.layers.RandomFlip(), keras.layers.GaussianNoise(1.0)
    assert find_layers(flip) == (flip,)
    assert find_layers([flip, noise]) == (flip, noise)


def test_a_layer_without_training_is_called_too() -> None:
    rows = images(4)
    front = Augmented([keras.layers.Rescaling(0.5)], seed=0)
    np.testing.assert_allclose(changed(front, rows, np.ones(4), training=True), rows / 2)


def test_the_layer_can_be_made_again() -> None:
    rows = images(16)
    front = Augmented([keras.layers.RandomFlip("horizontal", seed=3)], seed=5)
    plain = keras.saving.serialize_keras_object(front)
    again = keras.saving.deserialize_keras_object(plain)
    both = (changed(one, rows, np.full(16, 0.5), training=True) for one in (front, again))
    np.testing.assert_array_equal(*both)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match=r"`augment` must be one of light, strong, .*`light`\?"):
        find_layers("ligt")
    with pytest.raises(ArgumentTypeError, match=r"`augment` must be a word .*got 3"):
        find_layers(3)
    with pytest.raises(ArgumentTypeError, match=r"`augment` must be a word .*got 'light'"):
        find_layers(["light"])


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="slow, and the layer is Keras's own")
def test_randaugment_is_a_layer_like_others() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    layer = keras.layers.RandAugment((0, 255), num_ops=1, seed=1)
    front = Augmented(find_layers(layer), seed=0)
    found = changed(front, rows, np.repeat([0.0, 1.0], 4), training=True)
    assert found.shape == rows.shape
    assert differs(found, rows)[:4].tolist() == [False] * 4
    assert differs(found, rows)[4:].any()
