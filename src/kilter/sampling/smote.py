"""SMOTE."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kilter.sampling.base import Origins, rows_of
from kilter.sampling.synthetic import NEIGHBORS, Synthesizer, pick


class SMOTE(Synthesizer):
    """Make new rows of the rare classes between a row and one of its nearest neighbours.

    Use it for numbers on comparable scales: standardise first, in the same pipeline. Columns
    of categories need `SMOTENC`; on pixels and token ids the middle of two rows means nothing.
    `kilter.sampling.BalancedBatches` does the same in the batch, with no new rows kept. SMOTE
    multiplies the predicted probabilities of the rare classes: calibrate afterwards.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in imbalanced-learn: for two classes the ratio of the smaller to the larger class
        afterwards; a dict says how many rows of which class there are to be.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    k_neighbors : int or neighbour estimator
        How many neighbours a partner is drawn from; 5 in the paper. An estimator, such as
        ``kilter.sampling.Neighbors(6, recall=0.97)``, counts the row itself: it has one more.
    small_class : {"warn", "error"}
        What a class with no more than k rows leads to: fewer neighbours and a warning (copies
        for a single row), or an error.

    Attributes
    ----------
    sampling_strategy_ : dict
        How many rows of which class were made.
    classes_ : array
        The labels, sorted.

    Raises
    ------
    ArgumentError
        If a row has several labels, or a class is too small and that is to be an error.

    References
    ----------
    Chawla, Bowyer, Hall, Kegelmeyer: SMOTE: synthetic minority over-sampling technique, JAIR
    2002.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0], [8.0], [9.0]])
    >>> y = np.array([0, 0, 0, 0, 1, 1])
    >>> x2, y2 = SMOTE(k_neighbors=1, random_state=0).fit_resample(x, y)
    >>> y2, bool(((x2[6:] >= 8) & (x2[6:] <= 9)).all())
    (array([0, 0, 0, 0, 1, 1, 1, 1]), True)
    """

    _parameter_constraints: ClassVar[dict] = {
        **Synthesizer._parameter_constraints,
        "k_neighbors": NEIGHBORS,
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 5,
        small_class: str = "warn",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.k_neighbors = k_neighbors
        self.small_class = small_class

    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        rows = rows_of(y, code)
        neighbors = self._neighbors(X, rows, self.k_neighbors, code)
        return Origins(
            *pick(rows, neighbors, count, generator), generator.random(count, np.float32)
        )
