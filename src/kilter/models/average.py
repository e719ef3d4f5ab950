"""Several networks as one."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def average_networks(networks: Sequence[keras.Model]) -> keras.Model:
    """Join networks that end in logits into one model that averages their probabilities.

    Parameters
    ----------
    networks : sequence of keras.Model
        All take the same rows.

    Returns
    -------
    keras.Model
        From rows to probabilities (rows, classes).

    Examples
    --------
    >>> from kilter.models import mlp
    >>> average_networks([mlp(3, 2), mlp(3, 2)]).output_shape
    (None, 2)
    """
    (given,) = networks[0].inputs
    rows = keras.Input(given.shape[1:], dtype=given.dtype, name="rows")
    each = []
    for number, network in enumerate(networks):
        network.name = f"network_{number}"
        each.append(keras.layers.Softmax()(network(rows)))
    return keras.Model(rows, each[0] if len(each) == 1 else keras.layers.Average()(each))
