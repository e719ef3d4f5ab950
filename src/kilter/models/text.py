"""The default network for texts."""

from __future__ import annotations

import itertools
from typing import Any

import keras
from keras import layers, ops

from kilter._export import register
from kilter.models.initial import GlorotUniform, Uniform

FIRST = 0.1
"""Words begin between its negative and this: large vectors of rare words are noise that stays."""


def textnet(
    length: int,
    vocabulary: int,
    n_classes: int,
    *,
    width: int = 32,
    windows: int = 64,
    dropout: float = 0.3,
    seed: int | None = None,
) -> keras.Model:
    """Build a small network for texts that ends in logits.

    Use it for messages, reviews or notes, of which some hundreds or more are there to learn from.
    Each word has a vector that is learned; windows of three words are looked at together, by a
    dense layer rather than by a convolution, which is slow where many networks train at once.
    The features are the mean of the words and the maximum of the windows.

    Parameters
    ----------
    length : int
        Words of a text.
    vocabulary : int
        How many different word numbers there are; 0 is no word.
    n_classes : int
        Number of outputs.
    width : int
        Numbers that a word is turned into.
    windows : int
        Units that look at windows.
    dropout : float
        Share of the words' numbers, and of the features, that are left out in a training step.
    seed : int, optional
        Makes initial weights and dropout repeatable without touching any global state.

    Returns
    -------
    keras.Model
        From word numbers (rows, length) to logits (rows, n_classes).

    Examples
    --------
    >>> textnet(40, 5000, 2).output_shape
    (None, 2)

    References
    ----------
    Joulin et al. (2017), Bag of tricks for efficient text classification, for the mean; Kim
    (2014), Convolutional neural networks for sentence classification, for the windows.
    """
    seeds = itertools.repeat(None) if seed is None else itertools.count(seed)
    numbers = keras.Input((length,), dtype="int32")
    initial = Uniform(-FIRST, FIRST, next(seeds))
    words = layers.Embedding(vocabulary, width, initial, mask_zero=True)(numbers)
    if dropout:
        words = layers.Dropout(dropout, seed=next(seeds))(words)
    most = WindowMax(windows, kernel_initializer=GlorotUniform(next(seeds)))(words)
    features = layers.Concatenate()([WordMean()(words), most])
    if dropout:
        features = layers.Dropout(dropout, seed=next(seeds))(features)
    last = layers.Dense(n_classes, kernel_initializer=GlorotUniform(next(seeds)))
    return keras.Model(numbers, last(features))


@register
class WordMean(keras.layers.Layer):
    """Mean over the words of a text; zeros where it has none.

    Keras's own pooling divides by zero there.

    Examples
    --------
    >>> import numpy as np
    >>> words, mask = np.array([[[1.0], [-3.0], [9.0]]]), np.array([[True, True, False]])
    >>> np.asarray(WordMean()(words, mask=mask)).tolist()
    [[-1.0]]
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.supports_masking = True

    def compute_mask(self, words: Any, mask: Any = None) -> None:
        """Return none: there is no word left to mask."""

    def call(self, words: Any, mask: Any = None) -> Any:
        """Return (rows, width) from (rows, length, width)."""
        if mask is None:
            return ops.mean(words, axis=1)
        there = ops.cast(mask, words.dtype)[..., None]
        return ops.sum(words * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return shape[0], shape[-1]


@register
class WindowMax(keras.layers.Layer):
    """Rectified units that look at some words in a row, each at its maximum over a text.

    A convolution over words, computed as a dense layer, and the maximum behind it. Beyond the ends
    of a text there are zeros.

    Parameters
    ----------
    units : int
        How many.
    size : int
        Words of a window, an odd number.

    Examples
    --------
    >>> import numpy as np
    >>> WindowMax(5)(np.ones((2, 7, 4), "float32")).shape
    (2, 5)
    """

    def __init__(
        self, units: int, size: int = 3, kernel_initializer: Any = "glorot_uniform", **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.units, self.size = units, size
        self.dense = layers.Dense(units, "relu", kernel_initializer=kernel_initializer)
        self.supports_masking = True

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self.dense.build((*shape[:-1], self.size * (shape[-1] or 0)))

    def compute_mask(self, words: Any, mask: Any = None) -> None:
        """Return none: there is no word left to mask."""

    def call(self, words: Any, mask: Any = None) -> Any:
        """Return (rows, units) from (rows, length, width)."""
        there = 1 if mask is None else ops.cast(mask, words.dtype)[..., None]
        length, beyond = words.shape[1], self.size // 2
        padded = ops.pad(words * there, [[0, 0], [beyond, beyond], [0, 0]])
        shifted = [padded[:, start : start + length] for start in range(self.size)]
        # Nothing is below zero, so the places behind the end, at zero, do not count.
        return ops.max(self.dense(ops.concatenate(shifted, axis=-1)) * there, axis=1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return shape[0], self.units

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        initial = keras.saving.serialize_keras_object(self.dense.kernel_initializer)
        plain = {"units": self.units, "size": self.size, "kernel_initializer": initial}
        return {**super().get_config(), **plain}
