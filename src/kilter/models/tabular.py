"""Networks for tables."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kilter.models.embed import NumberEmbedding
from kilter.models.initial import GlorotUniform
from kilter.models.members import MemberDense, MemberHeads, Members


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


def tabm(
    width: int,
    n_classes: int,
    *,
    numbers: int = 0,
    scales: int = 1,
    members: int = 8,
    hidden: Sequence[int] = (64, 64),
    dropout: float = 0.1,
    embedding: int = 4,
    bins: int = 8,
    seed: int | None = None,
) -> keras.Model:
    """Build an ensemble of multilayer perceptrons in one network, which ends in logits.

    Use it for tables: it stands above boosted trees and plain perceptrons there, also where
    the rare class has some dozen rows. It is what `kilter.compare` trains by default, with four
    members, since it averages several seeds.

    Parameters
    ----------
    width : int
        Number of encoded input columns.
    n_classes : int
        Number of outputs.
    numbers : int
        How many of the columns, the first ones, are numbers of a normal shape, as scikit-learn's
        ``QuantileTransformer`` makes them. They are embedded; the others are taken as they are.
    scales : int
        How many columns each number has; `kilter.data.TableEncoder` gives two.
    members : int
        Of the ensemble.
    hidden : sequence of int
        Units of the hidden layers, at least one.
    dropout : float
        Share of hidden units that are left out in a training step.
    embedding, bins : int
        Units and pieces of a number's embedding.
    seed : int, optional
        Makes initial weights and dropout repeatable without touching any global state.

    Returns
    -------
    Members
        From (rows, width) to logits (rows, n_classes).

    References
    ----------
    Gorishniy, Kotelnikov and Babenko (2025), TabM: advancing tabular deep learning with
    parameter-efficient ensembling.

    Examples
    --------
    >>> import numpy as np
    >>> tabm(6, 2, numbers=4).predict(np.zeros((5, 6), "float32"), verbose=0).shape
    (5, 2)
    """
    # A layer may draw twice: seeds of neighbours lie apart.
    seeds = (None if seed is None else seed + i for i in range(0, 4 * len(hidden) + 4, 2))
    rows = x = keras.Input((width,))
    if numbers:
        x = NumberEmbedding(numbers, embedding, bins, scales, next(seeds))(x)
    for number, units in enumerate(hidden):
        x = MemberDense(units, members, number == 0, "silu", next(seeds))(x)
        if dropout:
            x = keras.layers.Dropout(dropout, seed=next(seeds))(x)
    return Members(keras.Model(rows, MemberHeads(n_classes, next(seeds))(x)))
