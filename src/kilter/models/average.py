"""Several networks as one."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def average_networks(folds: Sequence[Sequence[keras.Model]]) -> keras.Model:
    """Join networks that end in logits into one model that averages those of each fold.

    Parameters
    ----------
    folds : sequence of sequences of keras.Model
        Networks by fold. Those of one fold share an input, since a fold has an encoder of
        its own.

    Returns
    -------
    keras.Model
        From one (rows, width) array a fold to probabilities (rows, classes) a fold; a list
        where there are several.

    Examples
    --------
    >>> from kilter.models import mlp
    >>> model = average_networks([[mlp(3, 2), mlp(3, 2)], [mlp(3, 2)]])
    >>> len(model.inputs), model.output_shape
    (2, [(None, 2), (None, 2)])
    """
    inputs, outputs = [], []
    for number, networks in enumerate(folds):
        rows = keras.Input(networks[0].input_shape[1:], name=f"fold_{number}")
        inputs.append(rows)
        seeds = []
        for seed, network in enumerate(networks):
            network.name = f"fold_{number}_seed_{seed}"
            seeds.append(keras.layers.Softmax()(network(rows)))
        outputs.append(seeds[0] if len(seeds) == 1 else keras.layers.Average()(seeds))
    return keras.Model(inputs, outputs, name="kilter")
