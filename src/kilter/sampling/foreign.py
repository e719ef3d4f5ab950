"""How much of what is near a row is of other classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from kilter.sampling.base import rows_of
from kilter.sampling.cells import parts, squares
from kilter.sampling.neighbors import Neighbors
from kilter.sampling.synthetic import as_neighbors, neighbors_among

DISTANCES = 1 << 15  # numbers of rows that are compared at once, for each neighbour


def foreign_share(
    X: Any, y: np.ndarray, rows: np.ndarray, neighbors: Any, own: np.ndarray | None = None
) -> np.ndarray:
    """Return the share of other classes among the nearest of all rows.

    Parameters
    ----------
    X : array or sparse matrix of shape (table rows, width)
        The table.
    y : int array of shape (table rows,)
        A row's class.
    rows : int array of shape (rows,)
        The rows in question, sorted.
    neighbors : int or neighbour estimator
        How many of the nearest count. An estimator counts the row itself.
    own : int array of shape (rows, k), optional
        The nearest of the same class as the same neighbours found them, if they are known.

    Returns
    -------
    float array of shape (rows,)

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> foreign_share(x, np.array([0, 0, 1, 1]), np.array([2, 3]), 2)
    array([1. , 0.5])
    """
    search, m = as_neighbors(neighbors)
    m = min(m, X.shape[0] - 1)
    if _has_sides(X, y, rows, search):
        own = _within(X, rows, search, m) if own is None else own
        return _by_sides(X, y, rows, search, m, own)
    near = neighbors_among(search.fit(X), X[rows], rows, m)
    return (y[near] != y[rows][:, None]).mean(axis=1)


def own_neighbors(X: Any, y: np.ndarray, rows: np.ndarray, neighbors: Any) -> np.ndarray | None:
    """Return the nearest of the same class that `foreign_share` looks for on the way.

    Call it first where they are of use themselves. The parameters are those of `foreign_share`;
    the positions have the shape (rows, k). None where it would search all rows at once.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> own_neighbors(x, np.array([0, 0, 1, 1]), np.array([2, 3]), 2)
    array([[3],
           [2]])
    """
    search, m = as_neighbors(neighbors)
    return _within(X, rows, search, m) if _has_sides(X, y, rows, search) else None


def _within(x: np.ndarray, rows: np.ndarray, search: Neighbors, m: int) -> np.ndarray:
    k = min(m, len(rows) - 1)
    return rows[search.fit(x[rows]).kneighbors(n_neighbors=k, return_distance=False)]


def _has_sides(X: Any, y: np.ndarray, rows: np.ndarray, search: Any) -> bool:
    """Return whether the class and the others are searched on their own."""
    return isinstance(search, Neighbors) and not sparse.issparse(X) and _is_class(y, rows)


def _is_class(y: np.ndarray, rows: np.ndarray) -> bool:
    """Return whether these are all the rows of a class of at least two, and not of all."""
    if not 1 < len(rows) < len(y):
        return False
    return np.array_equal(rows, rows_of(y, y[rows[0]]))


def _by_sides(
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    search: Neighbors,
    m: int,
    own: np.ndarray,
) -> np.ndarray:
    """Search the class and the others on their own.

    Rows of the class look for each other, which halves that part of the work. Once m of the
    others are nearer to a row than the nearest of its class they are all that is near, and it
    is done: where a class is rare that is soon so for most of its rows.
    """
    near = _distances(x, rows, own)
    others = np.flatnonzero(y != y[rows[0]])
    k = min(m, len(others))
    enough = near.min(axis=1)
    far, foreign = search.fit(x).kneighbors(x[rows], k, enough=enough, among=others)
    order = np.lexsort((np.hstack([own, foreign]), np.hstack([near, far])))[:, :m]
    return (order >= own.shape[1]).mean(axis=1)


def _distances(x: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of each row to each of its others, both of shape (rows, k)."""
    distances = np.empty(others.shape)
    for part in parts(len(rows), max(DISTANCES // x.shape[1], 1)):
        apart = x[rows[part], None] - x[others[part]].astype(np.float64)
        distances[part] = np.sqrt(squares(apart))
    return distances
