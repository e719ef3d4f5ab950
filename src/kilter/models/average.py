"""Several networks as one."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def average_networks(folds: Sequence[Sequence[keras.Model]]) -> keras.Model:
    """Join networks that end in logits into one model that averages their probabilities.

    Parameters
    ----------
    folds : sequence of sequences of keras.Model
        Networks by fold. Those of one fold share an input, since a fold has an encoder of
        its own.

    Returns
    -------
    keras.Model
        From one (rows, width) array a fold to probabilities (rows, classes).

    Examples
    --------
    >>> from kilter.models import mlp
    >>> model = average_networks([[mlp(3, 2), mlp(3, 2)], [mlp(3, 2)]])
    >>> len(model.inputs), model.output_shape
    (2, (None, 2))
    """
    inputs, outputs = [], []
    for number, networks in enumerate(folds):
        rows = keras.Input(networks[0].input_shape[1:], name=f"fold_{number}")
        inputs.append(rows)
        for seed, network in enumerate(networks):
            network.name = f"fold_{number}_seed_{seed}"
            outputs.append(keras.layers.Softmax()(network(rows)))
    mean = outputs[0] if len(outputs) == 1 else keras.layers.Average()(outputs)
    return keras.Model(inputs, mean, name="kilter")
