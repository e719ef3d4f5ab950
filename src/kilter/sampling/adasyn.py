"""ADASYN."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, rows_of
from kilter.sampling.draws import largest_remainder
from kilter.sampling.foreign import foreign_share
from kilter.sampling.synthetic import NEIGHBORS, Synthesizer


class ADASYN(Synthesizer):
    """Make more new rows where a rare class is harder to tell from the others.

    Use it as `SMOTE` where hard regions matter most; it follows noise too. A row gets new rows
    in proportion to the share of other classes among its nearest rows. The numbers add up to
    what was asked for.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    n_neighbors : int or neighbour estimator
        How many neighbours say how hard a row is, and how many partners are drawn from. An
        estimator counts the row itself.
    small_class : {"warn", "error"}
        As in `SMOTE`.

    Raises
    ------
    ArgumentError
        If no row of a class has a neighbour of another class, a row has several labels, or a
        class is too small and that is to be an error.

    References
    ----------
    He, Bai, Garcia, Li: ADASYN: adaptive synthetic sampling approach for imbalanced learning,
    IJCNN 2008.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [3.5], [8.0], [9.0]])
    >>> y = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    >>> x2, y2 = ADASYN(n_neighbors=1, random_state=0).fit_resample(x, y)
    >>> bool(((x2[8:] >= 3.5) & (x2[8:] <= 8)).all())  # only the row at 3.5 is hard
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **Synthesizer._parameter_constraints,
        "n_neighbors": NEIGHBORS,
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        n_neighbors: Any = 5,
        small_class: str = "warn",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.n_neighbors = n_neighbors
        self.small_class = small_class

    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        rows = rows_of(y, code)
        neighbors = self._neighbors(X, rows, self.n_neighbors, code)
        hardness = foreign_share(X, y, rows, self.n_neighbors, neighbors)
        if not hardness.any():
            raise ArgumentError(
                f"`y` must have rows of class {self._label(code)!r} with another class among "
                "their neighbours for ADASYN; got none, the class stands apart. Use `SMOTE`."
            )
        which = np.repeat(np.arange(len(rows)), largest_remainder(hardness, count))
        place = generator.integers(neighbors.shape[1], size=count)
        return Origins(rows[which], neighbors[which, place], generator.random(count, np.float32))
