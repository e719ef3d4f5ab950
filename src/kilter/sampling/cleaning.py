"""Samplers that clean: they drop rows that other classes surround."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from imblearn.under_sampling.base import BaseCleaningSampler
from sklearn.utils._param_validation import StrOptions

from kilter.sampling.base import Origins, Sampler, chooses_rows
from kilter.sampling.neighbors import Neighbors
from kilter.sampling.synthetic import NEIGHBORS, as_neighbors, neighbors_among, read_numbers


class Cleaner(Sampler, BaseCleaningSampler):
    """Base of the samplers that drop stray rows of some classes."""

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        rows = np.flatnonzero(np.isin(y, list(self.sampling_strategy_)))
        stray = rows[self._stray(X, y, rows)]
        self.sample_indices_ = np.delete(np.arange(len(y)), stray)
        return Origins(self.sample_indices_)

    @abstractmethod
    def _stray(self, X: Any, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return which of these rows to drop, bool of shape (rows,)."""

    def __sklearn_tags__(self) -> Any:
        return chooses_rows(super().__sklearn_tags__())


class TomekLinks(Cleaner):
    """Drop rows whose nearest row is of another class and has them for its nearest.

    Use it after over-sampling, or to widen the gap between two classes a little. Only few rows
    go.

    Parameters
    ----------
    sampling_strategy : str, list or callable
        Which classes lose rows, as in imbalanced-learn; all but the smallest by default.
    n_neighbors : neighbour estimator, optional
        What searches, such as ``kilter.sampling.Neighbors(recall=0.97)``.

    Attributes
    ----------
    sample_indices_ : int array of shape (new rows,)
        Which rows were kept, in order.

    References
    ----------
    Tomek: Two modifications of CNN, IEEE Transactions on Systems, Man, and Cybernetics 1976.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0], [2.0], [2.1], [5.0]]), np.array([0, 0, 0, 1, 1])
    >>> TomekLinks().fit_resample(x, y)[0].ravel()
    array([0. , 1. , 2.1, 5. ])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseCleaningSampler._parameter_constraints,
        "n_neighbors": [NEIGHBORS[1], None],
    }

    def __init__(self, *, sampling_strategy: Any = "auto", n_neighbors: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.n_neighbors = n_neighbors

    def _stray(self, X: Any, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        search = Neighbors() if self.n_neighbors is None else as_neighbors(self.n_neighbors)[0]
        nearest = neighbors_among(search.fit(X), X, np.arange(len(y)), 1)[:, 0]
        other = nearest[rows]
        return (y[other] != y[rows]) & (nearest[other] == rows)


class EditedNearestNeighbours(Cleaner):
    """Drop rows whose nearest rows are not all, or not mostly, of their class.

    Use it to clear an overlap, or after SMOTE as `SMOTEENN`.

    Parameters
    ----------
    sampling_strategy : str, list or callable
        Which classes lose rows, as in imbalanced-learn; all but the smallest by default.
    n_neighbors : int or neighbour estimator
        How many of the nearest rows are looked at. An estimator counts the row itself.
    kind_sel : {"all", "mode"}
        Whether all neighbours must be of the row's class to keep it, or its class be the most
        frequent among them (of equally frequent ones the first in order).

    Attributes
    ----------
    sample_indices_ : int array of shape (new rows,)
        Which rows were kept, in order.

    References
    ----------
    Wilson: Asymptotic properties of nearest neighbor rules using edited data, IEEE Transactions
    on Systems, Man, and Cybernetics 1972.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0], [2.0], [8.0], [9.0]]), np.array([0, 0, 0, 0, 1])
    >>> EditedNearestNeighbours(n_neighbors=1).fit_resample(x, y)[0].ravel()
    array([0., 1., 2., 9.])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseCleaningSampler._parameter_constraints,
        "n_neighbors": NEIGHBORS,
        "kind_sel": [StrOptions({"all", "mode"})],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        n_neighbors: Any = 3,
        kind_sel: str = "all",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.n_neighbors = n_neighbors
        self.kind_sel = kind_sel

    def _stray(self, X: Any, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        search, k = as_neighbors(self.n_neighbors)
        k = min(k, len(y) - 1)
        near = y[neighbors_among(search.fit(X), X[rows], rows, k)]
        if self.kind_sel == "all":
            return (near != y[rows, None]).any(axis=1)
        votes = np.stack([(near == code).sum(axis=1) for code in range(len(self.classes_))])
        return votes.argmax(axis=0) != y[rows]
