"""Random under-sampling."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from imblearn.under_sampling.base import BaseUnderSampler

from kilter.sampling.base import Origins, Sampler, rows_of, takes_any_rows


class RandomUnderSampler(Sampler, BaseUnderSampler):
    """Drop rows of the larger classes at random.

    Use it where rows are plentiful and training is slow. It takes any rows: tables, images,
    texts. What is dropped teaches nothing; `kilter.sampling.BalancedBatches` sees every row in
    turn instead. Under-sampling multiplies the predicted probabilities of the rare classes:
    calibrate afterwards.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in imbalanced-learn: for two classes the ratio of the smaller to the larger class
        afterwards; a dict says how many rows of which class to keep.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    replacement : bool
        Whether a row may be kept more than once.

    Attributes
    ----------
    sampling_strategy_ : dict
        How many rows of which class were to be kept.
    sample_indices_ : int array of shape (new rows,)
        Which rows were kept.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(12.0)[:, None], np.array([0] * 9 + [1] * 3)
    >>> RandomUnderSampler(random_state=0).fit_resample(x, y)[1]
    array([0, 0, 0, 1, 1, 1])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseUnderSampler._parameter_constraints,
        "random_state": ["random_state"],
        "replacement": ["boolean"],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        replacement: bool = False,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.replacement = replacement

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        kept = []
        for code in range(len(self.classes_)):
            rows = rows_of(y, code)
            if code in self.sampling_strategy_:
                count = self.sampling_strategy_[code]
                rows = generator.choice(rows, count, replace=self.replacement)
            kept.append(rows)
        self.sample_indices_ = np.concatenate(kept)
        return Origins(self.sample_indices_)

    def __sklearn_tags__(self) -> Any:
        return takes_any_rows(super().__sklearn_tags__())
