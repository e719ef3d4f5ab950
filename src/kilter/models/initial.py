"""Initial weights, drawn on the host.

They are the same on every backend, and JAX compiles no program for each of their shapes.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kilter._export import register
from kilter.sampling.counter import random_words


@register
class GlorotUniform(keras.initializers.GlorotUniform):
    """Glorot's uniform weights of dense layers, the same on every backend.

    Those of one layer are, to rounding, what Keras's own class draws on JAX. A leading axis
    counts layers: each has the limit of its own inputs and units. ``seed`` is a whole number
    or None.

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

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Draw weights of shape (inputs, units) or (layers, inputs, units)."""
        limit = math.sqrt(6 / sum(shape[-2:]))
        return _between(self.seed, shape, -limit, limit, dtype)


@register
class HeUniform(keras.initializers.HeUniform):
    """He's uniform weights of convolutions before rectified units, the same on every backend.

    ``seed`` is a whole number or None.

    References
    ----------
    He, Zhang, Ren and Sun (2015), Delving deep into rectifiers.

    Examples
    --------
    >>> weights = HeUniform(seed=5)((3, 3, 2, 4))
    >>> weights.shape, bool(abs(weights).max() < (6 / 18) ** 0.5)
    ((3, 3, 2, 4), True)
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Draw weights of shape (..., inputs, filters)."""
        limit = math.sqrt(6 / math.prod(shape[:-1]))
        return _between(self.seed, shape, -limit, limit, dtype)


@register
class Uniform(keras.initializers.RandomUniform):
    """Weights from ``minval`` up to ``maxval``, the same on every backend.

    Examples
    --------
    >>> weights = Uniform(-1.0, 1.0, seed=5)((2, 3))
    >>> weights.shape, bool(abs(weights).max() < 1)
    ((2, 3), True)
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Draw weights of any shape."""
        return _between(self.seed, shape, self.minval, self.maxval, dtype)


@register
class RandomSign(keras.initializers.RandomUniform):
    """Weights that are -1 or 1, each as likely, the same on every backend.

    Examples
    --------
    >>> sorted(set(RandomSign(seed=5)((20,)).tolist()))
    [-1.0, 1.0]
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(-1.0, 1.0, seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Draw weights of any shape."""
        drawn = _between(self.seed, shape, self.minval, self.maxval, dtype)
        return np.where(drawn < 0, -1, 1).astype(drawn.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the initializer again."""
        return {"seed": super().get_config()["seed"]}


def _between(seed: int, shape: tuple[int, ...], low: float, high: float, dtype: Any) -> np.ndarray:
    """Draw numbers from ``low`` up to ``high``."""
    drawn = np.float32(low) + np.float32(high - low) * _uniform(seed % 2**32, shape)
    return drawn.astype(dtype or "float32")


def _uniform(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw float32 numbers from 0 up to 1 in steps of 2^-23."""
    words = random_words(np, np.array([seed, 0], np.uint32), math.prod(shape))
    return (words >> np.uint32(9)).astype(np.float32).reshape(shape) * np.float32(2**-23)
