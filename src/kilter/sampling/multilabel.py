"""Rows with several labels: as label sets for any sampler, or ML-SMOTE."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import HasMethods

from kilter._containers import restore, take, to_array
from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, check_inputs, new_generator, with_weights
from kilter.sampling.synthetic import (
    NEIGHBORS,
    appended,
    as_neighbors,
    mix,
    neighbors_among,
    read_numbers,
)


class LabelPowerset(BaseEstimator):
    """Resample rows with several labels: every set of labels that occurs is a class.

    Use it to put any sampler on multi-label targets: ``LabelPowerset(RandomOverSampler())`` is
    LP-ROS, ``LabelPowerset(RandomUnderSampler())`` LP-RUS. Where labels have hundreds of sets
    balancing them all makes far too many rows: give the sampler a ``sampling_strategy``
    function, or use `MLSMOTE`.

    Parameters
    ----------
    sampler : sampler
        A sampler of kilter or imbalanced-learn.

    Attributes
    ----------
    sampler_ : sampler
        The fitted one. Its classes are rows of ``label_sets_``.
    label_sets_ : array of shape (sets, labels)
        The sets of labels that occur.

    References
    ----------
    Charte, Rivera, del Jesus, Herrera: Addressing imbalance in multilabel classification:
    measures and random resampling algorithms, Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter.sampling import RandomOverSampler
    >>> x, y = np.arange(4.0)[:, None], np.array([[1, 0], [1, 0], [1, 0], [1, 1]])
    >>> x2, y2 = LabelPowerset(RandomOverSampler(random_state=0)).fit_resample(x, y)
    >>> y2[4:].tolist()
    [[1, 1], [1, 1]]
    """

    _parameter_constraints: ClassVar[dict] = {"sampler": [HasMethods(["fit_resample"])]}

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def fit_resample(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Resample rows and their labels, of shape (rows, labels); see `Sampler.fit_resample`."""
        self._validate_params()
        self.label_sets_, which = np.unique(read_label_sets(y), axis=0, return_inverse=True)
        self.sampler_ = clone(self.sampler)
        weights = () if sample_weight is None else (sample_weight,)
        rows, sets, *rest = self.sampler_.fit_resample(X, which.ravel(), *weights)
        first = np.unique(which, return_index=True)[1]
        return (rows, take(y, first[sets]), *rest)


class MLSMOTE(BaseEstimator):
    """ML-SMOTE: make new rows for the rare labels of multi-label targets.

    Use it where rows have several labels and some labels are rare. A label is rare if the most
    frequent label is more times as frequent than on average over the labels. Each row that has
    it gets a new row next to it: the numbers lie on the line to one of the nearest rows with the
    label, and the new row has the labels that at least half of the row and its neighbours have.

    Parameters
    ----------
    k_neighbors : int or neighbour estimator
        How many of the nearest rows with the label. An estimator counts the row itself.
    random_state : int, RandomState or None
        A seed gives the same rows again.

    Attributes
    ----------
    rare_labels_ : int array
        The labels that got new rows.

    Raises
    ------
    ArgumentError
        If ``y`` is not made of columns of 0 and 1.

    References
    ----------
    Charte, Rivera, del Jesus, Herrera: MLSMOTE: approaching imbalanced multilabel learning
    through synthetic instance generation, Knowledge-Based Systems 2015.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0], [8.0], [9.0]])
    >>> y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [1, 1], [1, 1]])
    >>> x2, y2 = MLSMOTE(k_neighbors=1, random_state=0).fit_resample(x, y)
    >>> y2[6:].tolist(), bool((x2[6:] >= 8).all())
    ([[1, 1], [1, 1]], True)
    """

    _parameter_constraints: ClassVar[dict] = {
        "k_neighbors": NEIGHBORS,
        "random_state": ["random_state"],
    }

    def __init__(self, *, k_neighbors: Any = 5, random_state: Any = None) -> None:
        self.k_neighbors = k_neighbors
        self.random_state = random_state

    def fit_resample(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Resample rows and their labels, of shape (rows, labels); see `Sampler.fit_resample`."""
        self._validate_params()
        labels = read_label_sets(y)
        check_inputs(X, labels, sample_weight)
        matrix = read_numbers(self, X)
        generator = new_generator(self.random_state)
        self.rare_labels_ = rare_labels(labels)
        made = [self._make(matrix, labels, label, generator) for label in self.rare_labels_]
        origins = appended(len(labels), [one for one, _ in made])
        sets = [sets for _, sets in made]
        every = np.vstack([labels, *sets])
        resampled = restore(mix(matrix, origins), like=X), restore(every, like=y)
        return with_weights(resampled, origins, sample_weight)

    def _make(
        self, X: Any, labels: np.ndarray, label: int, generator: np.random.Generator
    ) -> tuple[Origins, np.ndarray]:
        """Say what one new row for each row with the label is made of, and its labels."""
        rows = np.flatnonzero(labels[:, label])
        search, k = as_neighbors(self.k_neighbors)
        k = min(k, len(rows) - 1)
        if k == 0:
            return Origins(rows, rows, np.zeros(1)), labels[rows]
        own = np.arange(len(rows))
        near = rows[neighbors_among(search.fit(X[rows]), X[rows], own, k)]
        votes = labels[rows] + labels[near].sum(axis=1)
        partners = near[own, generator.integers(k, size=len(rows))]
        sets = (2 * votes >= k + 1).astype(labels.dtype)
        return Origins(rows, partners, generator.random(len(rows))), sets


def rare_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels that are rarer than labels are on average.

    Examples
    --------
    >>> import numpy as np
    >>> rare_labels(np.array([[1, 0], [1, 0], [1, 1]]))
    array([1])
    """
    counts = labels.sum(axis=0)
    there = counts > 0
    if not there.any():
        return np.empty(0, np.int64)
    ratio = np.where(there, counts.max() / np.maximum(counts, 1), 0)
    return np.flatnonzero(ratio > ratio[there].mean())


def read_label_sets(y: Any) -> np.ndarray:
    """Return labels as columns of 0 and 1, dense, of shape (rows, labels)."""
    try:
        labels = to_array(y)
    except ValueError:  # lists of different lengths
        labels = np.empty(len(y), object)
    labels = labels.toarray() if sparse.issparse(labels) else labels
    if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
        raise ArgumentError(
            "`y` must have a column of 0 and 1 for each label, shape (rows, labels); got the shape "
            f"{labels.shape}. `MultiLabelBinarizer` of scikit-learn makes one of lists of labels."
        )
    return labels
