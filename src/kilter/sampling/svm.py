"""SVM-SMOTE."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.svm import SVC
from sklearn.utils._param_validation import HasMethods, Interval

from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, rows_of
from kilter.sampling.foreign import foreign_share
from kilter.sampling.smote import SMOTE
from kilter.sampling.synthetic import NEIGHBORS, pick


class SVMSMOTE(SMOTE):
    """SMOTE from the support vectors of a rare class.

    Use it on small tables where a support vector machine does well. From a support vector with
    mostly other classes around it new rows go towards its neighbours, from the others away
    from them, which widens the class. Vectors with other classes only around them are noise.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    k_neighbors : int or neighbour estimator
        How many neighbours a partner is drawn from. An estimator counts the row itself.
    m_neighbors : int or neighbour estimator
        How many neighbours say whether a row is in danger, or noise.
    svm_estimator : estimator, optional
        What finds ``support_``; ``SVC()`` if not given.
    out_step : float
        How far away from a partner a new row may go, in shares of their distance.
    small_class : {"warn", "error"}
        As in `SMOTE`.

    Raises
    ------
    ArgumentError
        If all support vectors of a class are noise, the estimator has none, a row has several
        labels, or a class is too small and that is to be an error.

    References
    ----------
    Nguyen, Cooper, Kamei: Borderline over-sampling for imbalanced data classification,
    International Journal of Knowledge Engineering and Soft Data Paradigms 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> x, y = make_blobs([60, 12], centers=[[0, 0], [2, 2]], random_state=0)
    >>> x2, y2 = SVMSMOTE(random_state=0).fit_resample(x, y)
    >>> np.bincount(y2)
    array([60, 60])
    """

    _parameter_constraints: ClassVar[dict] = {
        **SMOTE._parameter_constraints,
        "m_neighbors": NEIGHBORS,
        "svm_estimator": [HasMethods(["fit", "predict"]), None],
        "out_step": [Interval(numbers.Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 5,
        m_neighbors: Any = 10,
        svm_estimator: Any = None,
        out_step: float = 0.5,
        small_class: str = "warn",
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy,
            random_state=random_state,
            k_neighbors=k_neighbors,
            small_class=small_class,
        )
        self.m_neighbors = m_neighbors
        self.svm_estimator = svm_estimator
        self.out_step = out_step

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        machine = SVC() if self.svm_estimator is None else clone(self.svm_estimator)
        self.svm_estimator_ = machine.fit(X, y)
        if not hasattr(machine, "support_"):
            raise ArgumentError(
                "`svm_estimator` must have `support_` after its fit, as `SVC` has; got "
                f"{type(machine).__name__}."
            )
        return super()._fit_resample(X, y, generator)

    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        support = self.svm_estimator_.support_
        vectors = np.sort(support[y[support] == code])
        share = foreign_share(X, y, vectors, self.m_neighbors) if len(vectors) else np.empty(0)
        vectors, share = vectors[share < 1], share[share < 1]
        if not len(vectors):
            raise ArgumentError(
                f"`y` must have support vectors of class {self._label(code)!r} with some of "
                "their class around them for SVM-SMOTE; all are noise. Use `SMOTE`."
            )
        towards = int(generator.beta(10, 10) * (count + 1))
        danger, safe = vectors[share >= 0.5], vectors[share < 0.5]
        if not len(danger) or not len(safe):
            towards = count if len(danger) else 0
        within = rows_of(y, code)
        made = [
            self._between(X, within, rows, step * generator.random(some), code, generator)
            for rows, step, some in ((danger, 1, towards), (safe, -self.out_step, count - towards))
            if some
        ]
        return Origins(*(np.concatenate(some) for some in zip(*made, strict=True)))

    def _between(
        self,
        X: Any,
        within: np.ndarray,
        rows: np.ndarray,
        shares: np.ndarray,
        code: int,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, ...]:
        neighbors = self._neighbors(X, within, self.k_neighbors, code, rows)
        return *pick(rows, neighbors, len(shares), generator), shares
