"""Numbers in bins that a small tree cuts where the classes change.

A network is slow to learn that a single value stands for something else than its neighbours
do, as 99 or a gain of just 7,688 may; a tree finds it at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.tree import DecisionTreeClassifier

MOST_BINS = 16  # of a number
MOST_CUTS = 32  # of all numbers, those that gain most: a wide table does not get far wider
FEWEST_ROWS = 10  # of a bin
WEIGHT = 0.25  # of a bin beside a category, so that hard steps lead less astray where none are


def fit_edges(numbers: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where the bins of each number end, sorted; nothing for what needs no bins.

    A cut must gain as many bits as twice the Bayesian information criterion asks for a
    threshold and the shares of the classes, since it is the best of many.

    Parameters
    ----------
    numbers : array of shape (rows, columns)
        Finite numbers of the training rows.
    labels : int array of shape (rows,)
        Their classes.

    References
    ----------
    Fayyad and Irani (1993), Multi-interval discretization of continuous-valued attributes:
    cuts that pay for their description. Schwarz (1978), Estimating the dimension of a model.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = np.arange(200.0)[:, None]
    >>> fit_edges(numbers, (numbers[:, 0] >= 150).astype(int))
    (array([149.5]),)
    """
    price = len(np.unique(labels)) * np.log2(len(labels)) / len(labels)
    cuts = [_cuts(column, labels, price) for column in numbers.T]
    gains = np.sort(np.concatenate([gains for _, gains in cuts]))
    least = gains[-MOST_CUTS:].min(initial=np.inf)
    return tuple(np.sort(places[gains >= least]) for places, gains in cuts)


def _cuts(column: np.ndarray, labels: np.ndarray, price: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where a tree cuts a number, and how many bits a row each cut gains."""
    if len(np.unique(column)) <= 2:  # a linear function says it all
        return np.empty(0), np.empty(0)
    tree = DecisionTreeClassifier(
        criterion="entropy",
        max_leaf_nodes=MOST_BINS,
        min_samples_leaf=FEWEST_ROWS,
        min_impurity_decrease=price,
        random_state=0,
    )
    cuts = tree.fit(column[:, None], labels).tree_
    inner = np.flatnonzero(cuts.feature >= 0)
    bits = cuts.impurity * cuts.n_node_samples / len(column)
    below = bits[cuts.children_left[inner]] + bits[cuts.children_right[inner]]
    return cuts.threshold[inner], bits[inner] - below


def count_bins(edges: Sequence[np.ndarray]) -> int:
    """Return how many columns the bins of all numbers take."""
    return sum(len(some) + 1 for some in edges if len(some))


def in_bins(numbers: np.ndarray, edges: Sequence[np.ndarray]) -> np.ndarray:
    """Return a column for each bin, `WEIGHT` in rows that lie in it, float32.

    Examples
    --------
    >>> import numpy as np
    >>> in_bins(np.array([[1.0], [4.0]]), [np.array([2.0, 3.0])]).tolist()
    [[0.25, 0.0, 0.0], [0.0, 0.0, 0.25]]
    """
    columns = [np.empty((len(numbers), 0), np.float32)]
    for column, some in zip(numbers.T, edges, strict=False):  # without bins there are no edges
        if len(some):
            places = np.searchsorted(some, column)
            columns.append(WEIGHT * np.eye(len(some) + 1, dtype=np.float32)[places])
    return np.hstack(columns)
