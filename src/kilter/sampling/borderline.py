"""Borderline-SMOTE."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, TypeGuard

import numpy as np
from sklearn.utils._param_validation import StrOptions

from kilter.sampling.base import Origins, rows_of
from kilter.sampling.foreign import foreign_share, own_neighbors
from kilter.sampling.smote import SMOTE
from kilter.sampling.synthetic import NEIGHBORS, as_neighbors, pick


class BorderlineSMOTE(SMOTE):
    """SMOTE from those rows of a rare class that have mostly other classes around them.

    Use it where the classes overlap and the rows well inside their class need no company. A
    row is in danger if at least half of its ``m_neighbors`` nearest rows, but not all, are of
    other classes; one with all of them is taken for noise.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    k_neighbors : int or neighbour estimator
        How many neighbours a partner is drawn from. An estimator counts the row itself.
    m_neighbors : int or neighbour estimator
        How many neighbours say whether a row is in danger.
    kind : {"borderline-1", "borderline-2"}
        Whether partners come from the class only, or from all rows. A partner of another class
        is approached by less than half of the way.
    small_class : {"warn", "error"}
        As in `SMOTE`.

    Attributes
    ----------
    in_danger_indices : dict
        The rows in danger of each class that was resampled.

    Raises
    ------
    ArgumentError
        If a row has several labels, or a class is too small and that is to be an error.

    Notes
    -----
    A class with no row in danger stays as it is, with a warning.

    References
    ----------
    Han, Wang, Mao: Borderline-SMOTE: a new over-sampling method in imbalanced data sets
    learning, ICIC 2005.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [3.5], [4.5], [9.0]])
    >>> y = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    >>> sampler = BorderlineSMOTE(k_neighbors=1, m_neighbors=3, random_state=0)
    >>> x2, y2 = sampler.fit_resample(x, y)
    >>> sampler.in_danger_indices
    {1: array([5, 6])}
    """

    _parameter_constraints: ClassVar[dict] = {
        **SMOTE._parameter_constraints,
        "m_neighbors": NEIGHBORS,
        "kind": [StrOptions({"borderline-1", "borderline-2"})],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 5,
        m_neighbors: Any = 10,
        kind: str = "borderline-1",
        small_class: str = "warn",
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy,
            random_state=random_state,
            k_neighbors=k_neighbors,
            small_class=small_class,
        )
        self.m_neighbors = m_neighbors
        self.kind = kind

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        self.in_danger_indices: dict[Any, np.ndarray] = {}
        return super()._fit_resample(X, y, generator)

    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        rows = rows_of(y, code)
        own = own_neighbors(X, y, rows, self.m_neighbors)
        share = foreign_share(X, y, rows, self.m_neighbors, own)
        danger = rows[(share >= 0.5) & (share < 1)]
        self.in_danger_indices[self._label(code)] = danger
        if not len(danger):
            warnings.warn(
                f"class {self._label(code)!r} has no row in danger and stays as it is: SMOTE "
                "makes rows of all",
                UserWarning,
                stacklevel=2,
            )
            return Origins(danger, danger, np.empty(0))
        neighbors = self._around(danger, X, y, code, own)
        mine, partners = pick(danger, neighbors, count, generator)
        most = np.where(y[partners] == code, np.float32(1), np.float32(0.5))
        return Origins(mine, partners, most * generator.random(count, np.float32))

    def _around(
        self, danger: np.ndarray, X: Any, y: np.ndarray, code: int, own: np.ndarray | None
    ) -> np.ndarray:
        """Return the neighbours that partners are drawn from, (rows in danger, k)."""
        if self.kind == "borderline-2":
            return self._neighbors(X, np.arange(len(y)), self.k_neighbors, code, danger)
        rows = rows_of(y, code)
        if self._are_found(own):
            return own[np.searchsorted(rows, danger), : as_neighbors(self.k_neighbors)[1]]
        return self._neighbors(X, rows, self.k_neighbors, code, danger)

    def _are_found(self, own: np.ndarray | None) -> TypeGuard[np.ndarray]:
        """Return whether what `m_neighbors` found of the class holds what `k_neighbors` would."""
        (search, k), (other, _) = map(as_neighbors, (self.k_neighbors, self.m_neighbors))
        if own is None or k > own.shape[1] or type(search) is not type(other):
            return False
        return {**search.get_params(), "n_neighbors": other.n_neighbors} == other.get_params()
