"""Initial weights, drawn on the host."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kilter._export import register
from kilter.sampling.counter import random_words


@register
class GlorotUniform(keras.initializers.GlorotUniform):
    """Glorot's uniform weights of a dense layer, the same on every backend.

    To rounding they are those that Keras's own class draws on JAX, which compiles a program
    for each shape first. ``seed`` is a whole number or None.

    References
    ----------
    Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward
    neural networks.

    Examples
    --------
    >>> weights = GlorotUniform(seed=5)((2, 3))
    >>> weights.shape, weights.dtype.name, bool(abs(weights).max() < (6 / 5) ** 0.5)
    ((2, 3), 'float32', True)
    """

    def __call__(self, shape: tuple[int, int], dtype: Any = None) -> np.ndarray:
        """Draw weights of shape (inputs, units)."""
        limit = np.float32(math.sqrt(6 / sum(shape)))
        weights = (2 * _uniform(self.seed % 2**32, shape) - 1) * limit
        return weights.astype(dtype or "float32")


def _uniform(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw float32 numbers from 0 up to 1 in steps of 2^-23."""
    words = random_words(np, np.array([seed, 0], np.uint32), math.prod(shape))
    return (words >> np.uint32(9)).astype(np.float32).reshape(shape) * np.float32(2**-23)
