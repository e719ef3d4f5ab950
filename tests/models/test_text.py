"""The default network for texts: its features, its mask, its seeds, its file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from kilter.models import WindowMax, WordMean, textnet
from kilter.models.stages import part

pytestmark = pytest.mark.backend

NUMBERS = np.array([[3, 4, 5, 6], [7, 3, 0, 0], [0, 0, 0, 0]], np.int32)


def to_numpy(value: object) -> np.ndarray:
    found: np.ndarray = keras.ops.convert_to_numpy(value)
    return found


def windows_by_hand(words: np.ndarray, kernel: np.ndarray, bias: np.ndarray, size: int) -> list:
    """Return the maximum over the windows of one text without places behind its end."""
    beyond = size // 2
    around = np.vstack(
        [np.zeros((beyond, words.shape[1])), words, np.zeros((beyond, words.shape[1]))]
    )
    rows = [around[at : at + size].ravel() @ kernel + bias for at in range(len(words))]
    found: list = np.maximum(rows, 0).max(axis=0).tolist()
    return found


def test_features_are_the_mean_of_words_and_the_maximum_of_windows() -> None:
    model = textnet(4, 9, 3, width=5, windows=6, seed=0)
    table = to_numpy(model.layers[1].embeddings)
    (windows,) = (layer for layer in model.layers if isinstance(layer, WindowMax))
    kernel, bias = map(to_numpy, windows.weights)
    features = to_numpy(part(model).features(NUMBERS))
    for row, numbers in zip(features, NUMBERS, strict=True):
        words = table[numbers[numbers > 0]]
        if len(words):
            expected = [*words.mean(axis=0), *windows_by_hand(words, kernel, bias, 3)]
        else:
            expected = [0] * 11
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-6)
    kernel, bias = map(to_numpy, model.layers[-1].weights)
    np.testing.assert_allclose(to_numpy(model(NUMBERS)), features @ kernel + bias, atol=1e-5)


@pytest.mark.parametrize("size", [1, 5])
def test_windows_of_any_odd_size(size: int) -> None:
    words = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    layer = WindowMax(4, size)
    found = to_numpy(layer(words))
    kernel, bias = map(to_numpy, layer.weights)
    expected = [windows_by_hand(text, kernel, bias, size) for text in words]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_mean_without_a_mask_is_that_of_all_places() -> None:
    words = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    np.testing.assert_allclose(to_numpy(WordMean()(words)), words.mean(axis=1), rtol=1e-5)


def test_what_stands_behind_the_end_changes_nothing() -> None:
    short, long = (textnet(length, 9, 2, seed=4) for length in (2, 6))
    long.set_weights(short.get_weights())
    numbers = np.array([[3, 8]], np.int32)
    longer = np.pad(numbers, [(0, 0), (0, 4)])
    near_zero = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(to_numpy(short(numbers)), to_numpy(long(longer)), **near_zero)


def test_a_seed_repeats_weights_and_dropout() -> None:
    one, same, other = (textnet(4, 9, 2, seed=seed) for seed in (1, 1, 50))
    for left, right in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])
    drawn = [to_numpy(model(NUMBERS, training=True)) for model in (one, same, other)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.allclose(drawn[0], to_numpy(one(NUMBERS)))


def test_it_learns_which_word_stands_before_which() -> None:
    """The order of two words tells the classes apart, which a mean of words cannot see."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(4, 30, (400, 8)).astype(np.int32)
    labels = np.arange(400) % 2
    for row, label in enumerate(labels):
        at = rng.integers(0, 7)
        numbers[row, at : at + 2] = (2, 3) if label else (3, 2)
    keras.utils.set_random_seed(0)
    model = textnet(8, 30, 2, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss=loss)
    model.fit(numbers[:300], labels[:300], epochs=20, batch_size=50, verbose=0)
    found = to_numpy(model(numbers[300:])).argmax(axis=1)
    assert (found == labels[300:]).mean() > 0.9


def test_a_file_keeps_it(tmp_path: Path) -> None:
    model = textnet(4, 9, 3, seed=0)
    model.save(tmp_path / "text.keras")
    again = keras.saving.load_model(tmp_path / "text.keras")
    np.testing.assert_allclose(to_numpy(again(NUMBERS)), to_numpy(model(NUMBERS)), rtol=1e-5)
