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
        From (rows, width) to probabilities (rows, classes).

    Examples
    --------
    >>> from kilter.models import mlp
    >>> average_networks([mlp(3, 2), mlp(3, 2)]).output_shape
    (None, 2)
    """
    rows = keras.Input(networks[0].input_shape[1:], name="rows")
    each = []
    for number, network in enumerate(networks):
        network.name = f"network_{number}"
        each.append(keras.layers.Softmax()(network(rows)))
    return keras.Model(rows, each[0] if len(each) == 1 else keras.layers.Average()(each))
