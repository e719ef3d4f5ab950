"""Nearest neighbours, for every sampler that needs them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from kilter._errors import ArgumentError
from kilter._numbers import is_whole
from kilter.sampling.nearest import Search, find

FLOATS = (np.float64, np.float32)  # anything else becomes the first


class Neighbors(BaseEstimator):
    """The nearest rows by Euclidean distance: exact, or as nearly as asked, and fast.

    It stands in for scikit-learn's ``NearestNeighbors`` wherever a sampler takes a neighbour
    estimator (``k_neighbors``, ``m_neighbors``, ``n_neighbors``), imbalanced-learn's too.
    Samplers of kilter use it already; pass one to search approximately, or on fewer threads.

    Parameters
    ----------
    n_neighbors : int
        How many neighbours.
    recall : float
        The share of the true neighbours to be found, in (0, 1]. With 1 the search is exact.
        Below it the search looks into as few cells of the data as reach this recall on both
        halves of a sample of the rows at hand, searched exactly too, and says what it
        measured; where that would spare nothing, it is exact.
    n_jobs : int, optional
        Threads. All that BLAS would use if not given or -1, so ``OMP_NUM_THREADS`` holds.
    device : {"auto", "cpu", "gpu"}
        Where long searches run. "auto" takes a GPU if JAX has one.
    verbose : bool
        Show the progress of long searches in a terminal or notebook, and say the measured
        recall.

    Attributes
    ----------
    recall_ : float
        What the last search measured; 1.0 if it was exact.
    n_features_in_, n_samples_fit_ : int
        Width and number of the rows.

    Raises
    ------
    ArgumentError
        If ``recall`` is out of range, or more neighbours are asked for than there are rows.

    Notes
    -----
    Rows are compared in float32 and those that may be the nearest once more in float64. Where
    that does not tell enough of them apart, as in tables of few distinct rows or with numbers
    of very different size, and for sparse matrices, scikit-learn searches.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [5.0], [5.5]])
    >>> Neighbors(n_neighbors=1).fit(x).kneighbors(return_distance=False).ravel()
    array([1, 0, 3, 2])
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        recall: float = 1.0,
        n_jobs: int | None = None,
        device: str = "auto",
        verbose: bool = True,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.recall = recall
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the rows to be searched, of shape (rows, width), sparse or not."""
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        if not is_whole(self.n_neighbors):
            raise ArgumentError(
                f"`n_neighbors` must be a whole number of at least 1; got {self.n_neighbors!r}."
            )
        if not 0 < self.recall <= 1:
            raise ArgumentError(f"`recall` must be above 0 and at most 1; got {self.recall}.")
        if self.device not in ("auto", "cpu", "gpu"):
            raise ArgumentError(f"`device` must be auto, cpu or gpu; got `{self.device}`.")
        self._x = X
        self.n_samples_fit_ = X.shape[0]
        return self

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        enough: np.ndarray | None = None,
        among: np.ndarray | None = None,
    ) -> Any:
        """Find the nearest rows.

        Parameters
        ----------
        X : array of shape (queries, width), optional
            What to search for. The fitted rows if not given; a row is then never its own
            neighbour, whatever its duplicates.
        n_neighbors : int, optional
            How many, instead of the estimator's.
        return_distance : bool
            Whether distances come too.
        enough : array of shape (queries,), optional
            A query is content with any ``n_neighbors`` rows that are nearer than this distance:
            the search for it may end there.
        among : int array, optional
            Search ``X`` among these of the fitted rows only.

        Returns
        -------
        distances, positions
            Of shape (queries, n_neighbors), nearest first; positions only without distances.
        """
        check_is_fitted(self, "n_samples_fit_")
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if among is not None and X is None:
            raise ArgumentError(
                "`among` must come with `X`: got no queries. To let some rows look for each other, "
                "fit them alone."
            )
        among = None if among is None else _to_positions(among, self.n_samples_fit_)
        size = self.n_samples_fit_ if among is None else len(among)
        most = size - (X is None)
        if not 1 <= k <= most:
            raise ArgumentError(
                f"`n_neighbors` must be from 1 to {most}, of {size} fitted rows; got {k}."
            )
        queries = (
            None
            if X is None
            else validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        )
        count = self.n_samples_fit_ if queries is None else queries.shape[0]
        enough = None if enough is None else _to_distances(enough, count)
        distances, rows = self._search(queries, k, enough, among)
        return (distances, rows) if return_distance else rows

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> sparse.csr_matrix:
        """Return neighbours as a matrix of shape (queries, rows): 1 a neighbour, or distances."""
        if mode not in ("connectivity", "distance"):
            raise ArgumentError(f"`mode` must be connectivity or distance; got `{mode}`.")
        distances, rows = self.kneighbors(X, n_neighbors)
        values = distances if mode == "distance" else np.ones_like(distances)
        ends = np.arange(len(rows) + 1) * rows.shape[1]
        shape = (len(rows), self.n_samples_fit_)
        return sparse.csr_matrix((values.ravel(), rows.ravel(), ends), shape=shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _search(
        self, queries: Any, k: int, enough: np.ndarray | None, among: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        self.recall_ = 1.0
        if sparse.issparse(self._x) or sparse.issparse(queries):
            x = self._x if among is None else self._x[among]
            search = NearestNeighbors(algorithm="brute", n_jobs=self.n_jobs).fit(x)
            distances, rows = search.kneighbors(queries, k)
            return distances, rows if among is None else among[rows]
        count = k + (queries is None)
        how = (self.recall, self.n_jobs, self.device, self.verbose, enough, among)
        distances, rows, self.recall_ = find(Search(self._x, queries, count, *how))
        if queries is None:
            return without_self(distances, rows, np.arange(len(rows)))
        return distances, rows


def _to_distances(enough: Any, count: int) -> np.ndarray:
    distances = np.asarray(enough, np.float64)
    if distances.shape != (count,) or not (distances >= 0).all():
        raise ArgumentError(
            f"`enough` must have one distance of at least 0 for each of the {count} queries; got "
            f"the shape {distances.shape} and {distances.min(initial=np.inf)} as the least."
        )
    return distances


def _to_positions(among: Any, count: int) -> np.ndarray:
    rows = np.asarray(among)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not ((rows >= 0) & (rows < count)).all():
        raise ArgumentError(
            f"`among` must be positions of fitted rows, whole numbers from 0 to {count - 1} of "
            f"shape (rows,); got {rows.dtype} of the shape {rows.shape}, from "
            f"{rows.min(initial=count)} to {rows.max(initial=0)}."
        )
    return rows.astype(np.int64, copy=False)


def without_self(
    distances: np.ndarray, rows: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave each query's own row out, or the last one where its own was not found.

    A row need not be first among its neighbours: its duplicates are as near, and an
    approximate search may miss it.

    Parameters
    ----------
    distances, rows : arrays of shape (queries, k + 1)
        What a search found.
    own : int array of shape (queries,)
        The row that each query is.

    Returns
    -------
    distances, rows
        Of shape (queries, k).

    Examples
    --------
    >>> import numpy as np
    >>> found = np.array([[4, 7, 9], [7, 4, 9], [4, 7, 9]])
    >>> without_self(np.zeros((3, 3)), found, np.array([4, 4, 5]))[1]
    array([[7, 9],
           [7, 9],
           [4, 7]])
    """
    keep = rows != own[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = len(rows), rows.shape[1] - 1
    return distances[keep].reshape(shape), rows[keep].reshape(shape)


def class_neighbors(
    x: np.ndarray,
    labels: np.ndarray,
    k: int = 5,
    classes: Iterable[int] | None = None,
    verbose: bool = False,
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
    verbose : bool
        Show the progress of long searches.

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
    >>> import numpy as np
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
        found[rows] = rows[_repeated(x[rows], k, verbose)]
    return found


def _repeated(x: np.ndarray, k: int, verbose: bool) -> np.ndarray:
    """Return k neighbours of each row, (rows, k), the nearest again where there are fewer."""
    available = min(k, len(x) - 1)
    if available == 0:
        return np.zeros((1, k), dtype=np.int64)
    search = Neighbors(available, verbose=verbose).fit(x)
    nearest = search.kneighbors(return_distance=False)
    return nearest[:, np.arange(k) % available]
