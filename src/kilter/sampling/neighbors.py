"""Nearest neighbours of the same class, for SMOTE."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sklearn.neighbors import NearestNeighbors


def class_neighbors(
    x: np.ndarray, labels: np.ndarray, k: int = 5, classes: Iterable[int] | None = None
) -> np.ndarray:
    """Find the k nearest rows of the same class for every row.

    Parameters
    ----------
    x : float array of shape (rows, width)
        Training rows, encoded.
    labels : int array of shape (rows,)
        A row's class.
    k : int
        How many neighbours; 5 in the SMOTE paper.
    classes : iterable of int, optional
        Classes to search, all if not given; rows of the others get themselves.

    Returns
    -------
    int32 array of shape (rows, k)
        Positions in ``x``. A row is never its own neighbour, except in a class of one. A
        class with fewer than k + 1 rows repeats the neighbours that it has.

    References
    ----------
    Chawla, Bowyer, Hall, Kegelmeyer: SMOTE, JAIR 2002.

    Examples
    --------
    >>> from collections.abc import Iterable

    import numpy as np
    >>> x = np.array([[0.0], [1.0], [5.0], [9.0]])
    >>> class_neighbors(x, np.array([0, 0, 0, 1]), k=2)
    array([[1, 2],
           [0, 2],
           [1, 0],
           [3, 3]], dtype=int32)
    """
    found = np.tile(np.arange(len(x), dtype=np.int32)[:, None], k)
    for label in np.unique(labels) if classes is None else classes:
        rows = np.flatnonzero(labels == label)
        found[rows] = rows[_neighbors(x[rows], k)]
    return found


def _neighbors(x: np.ndarray, k: int) -> np.ndarray:
    available = min(k, len(x) - 1)
    if available == 0:
        return np.zeros((1, k), dtype=np.int64)
    search = NearestNeighbors(n_neighbors=available).fit(x)
    # Without a query scikit-learn leaves each row out of its own neighbours, by position
    # rather than by distance, so that exact duplicates do not break it.
    nearest = search.kneighbors(return_distance=False)
    return nearest[:, np.arange(k) % available]
