"""The gradient of a function of tensors, on whatever backend this is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


def gradients(total: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """Differentiate a function of one tensor to a number, at an array."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(total)(ops.convert_to_tensor(at)))
    if backend == "tensorflow":
        import tensorflow as tf

        point = tf.constant(at)
        with tf.GradientTape() as tape:
            tape.watch(point)
            value = total(point)
        return tape.gradient(value, point).numpy()
    point = ops.convert_to_tensor(at).detach().requires_grad_(True)
    total(point).backward()
    return point.grad.cpu().numpy()
