"""Random over-sampling."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from scipy import sparse
from sklearn.utils._param_validation import Interval

from kilter._containers import restore, take
from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, Sampler, Trace, chooses_rows, rows_of, takes_any_rows
from kilter.sampling.blend import to_type
from kilter.sampling.cells import parts
from kilter.sampling.synthetic import read_numbers

BLOCK = 1 << 18  # numbers that are shaken at once


class RandomOverSampler(Sampler, BaseOverSampler):
    """Repeat rows of the rare classes at random.

    Use it on any rows: tables, images, texts. `kilter.sampling.BalancedBatches` does the same
    in the batch with no copies kept, and sees every row equally often. Over-sampling multiplies
    the predicted probabilities of the rare classes: calibrate afterwards.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in imbalanced-learn: for two classes the ratio of the smaller to the larger class
        afterwards; a dict says how many rows of which class there are to be.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    shrinkage : float or dict, optional
        Shake the repeated rows, which need be numbers then: a smoothed bootstrap whose normal
        noise has the standard deviations of the class, times Silverman's factor for a table of
        this size, times this number, or the number that a dict gives for the class.

    Attributes
    ----------
    sampling_strategy_ : dict
        How many rows of which class were added.
    sample_indices_ : int array of shape (new rows,)
        Which row each one was.

    References
    ----------
    Menardi, Torelli: Training and assessing classification rules with imbalanced data, Data
    Mining and Knowledge Discovery 2014, for the smoothed bootstrap (ROSE).

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(8.0)[:, None], np.array([0] * 6 + [1] * 2)
    >>> x2, y2 = RandomOverSampler(random_state=0).fit_resample(x, y)
    >>> y2, bool(np.isin(x2[8:], [6, 7]).all())
    (array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]), True)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "shrinkage": [Interval(numbers.Real, 0, None, closed="left"), Mapping, None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        shrinkage: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.shrinkage = shrinkage

    def _read(self, X: Any) -> Any:
        if self.shrinkage is None:
            return super()._read(X)
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        added = [
            generator.choice(rows_of(y, code), count)
            for code, count in self.sampling_strategy_.items()
        ]
        self.sample_indices_ = np.concatenate([np.arange(len(y)), *added])
        return Origins(self.sample_indices_)

    def _build(self, X: Any, trace: Trace) -> Any:
        matrix, y, origins, generator = trace
        if self.shrinkage is None:
            return take(X, origins.rows)
        made = take(matrix, origins.rows)
        if sparse.issparse(matrix):
            made = made.toarray()
        widths = self._widths(matrix, y)
        added, codes = made[len(y) :], y[origins.rows[len(y) :]]
        for part in parts(len(added), max(BLOCK // made.shape[1], 1)):
            noise = generator.standard_normal(added[part].shape) * widths[codes[part]]
            added[part] = to_type(added[part] + noise, made.dtype)
        sparsed = type(matrix)(made) if sparse.issparse(matrix) else made
        return restore(sparsed, like=X)

    def _widths(self, matrix: Any, y: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the noise, of shape (classes, width)."""
        rows, width = matrix.shape
        silverman = (4 / ((width + 2) * rows)) ** (1 / (width + 4))
        widths = np.zeros((len(self.classes_), width))
        for code in np.unique(y[self.sample_indices_[len(y) :]]):
            x = matrix[rows_of(y, code)]
            x = x.toarray() if sparse.issparse(x) else x
            widths[code] = self._shrinkage_of(code) * silverman * x.std(axis=0, dtype=np.float64)
        return widths

    def _shrinkage_of(self, code: int) -> float:
        if not isinstance(self.shrinkage, Mapping):
            return self.shrinkage
        label = self._label(code)
        if self.shrinkage.get(label, -1) < 0:
            raise ArgumentError(
                "`shrinkage` must have a number of at least 0 for each class that is resampled; "
                f"got {self.shrinkage.get(label)} for class {label!r}."
            )
        return self.shrinkage[label]

    def __sklearn_tags__(self) -> Any:
        say = takes_any_rows if self.shrinkage is None else chooses_rows
        return say(super().__sklearn_tags__())
