"""The default network for tables."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kilter.models.initial import GlorotUniform


def mlp(
    width: int,
    n_classes: int,
    *,
    hidden: Sequence[int] = (64, 64),
    dropout: float = 0.1,
    seed: int | None = None,
) -> keras.Model:
    """Build a multilayer perceptron that ends in logits.

    Parameters
    ----------
    width : int
        Number of encoded input columns.
    n_classes : int
        Number of outputs.
    hidden : sequence of int
        Units of the hidden layers.
    dropout : float
        Share of hidden units that are left out in a training step.
    seed : int, optional
        Makes initial weights and dropout repeatable without touching any global state.

    Returns
    -------
    keras.Model
        From (rows, width) to logits (rows, n_classes).

    Examples
    --------
    >>> mlp(6, 2, hidden=(8,)).output_shape
    (None, 2)
    """
    layers: list[keras.Layer] = [keras.Input((width,))]
    seeds = (None if seed is None else seed + i for i in range(2 * len(hidden) + 1))
    for units in hidden:
        glorot = GlorotUniform(next(seeds))
        layers.append(keras.layers.Dense(units, "relu", kernel_initializer=glorot))
        if dropout:
            layers.append(keras.layers.Dropout(dropout, seed=next(seeds)))
    glorot = GlorotUniform(next(seeds))
    layers.append(keras.layers.Dense(n_classes, kernel_initializer=glorot))
    return keras.Sequential(layers)
