"""Under-samplers of imbalanced-learn, with kilter's tables, labels, weights and neighbours."""

from __future__ import annotations

from typing import Any

import imblearn.under_sampling as classic
import numpy as np
from scipy import sparse

from kilter._containers import restore
from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, Sampler, Trace, rows_of
from kilter.sampling.blend import to_type
from kilter.sampling.neighbors import Neighbors
from kilter.sampling.synthetic import read_numbers


class NearMiss(Sampler, classic.NearMiss):
    """Keep those rows of the larger classes that lie next to the smallest class.

    Use it where the border between classes is clean: it keeps what is hardest. Version 1 keeps
    rows near to their nearest rows of the smallest class, version 2 rows near to all of them,
    version 3 the neighbours of the smallest class that lie farthest from it.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `RandomUnderSampler`.
    version : {1, 2, 3}
        Which of the three rules.
    n_neighbors : int or neighbour estimator
        How many rows of the smallest class distances are averaged over.
    n_neighbors_ver3 : int or neighbour estimator
        How many neighbours of each row of the smallest class version 3 starts from.
    n_jobs : int, optional
        Threads of the search.

    Attributes
    ----------
    sample_indices_ : int array of shape (new rows,)
        Which rows were kept.

    References
    ----------
    Mani, Zhang: kNN approach to unbalanced data distributions, ICML workshop on learning from
    imbalanced data sets 2003.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [4.0], [5.0], [6.0], [7.0]]), np.array([0, 0, 0, 1, 1])
    >>> np.sort(NearMiss(n_neighbors=1).fit_resample(x, y)[0].ravel())
    array([4., 5., 6., 7.])
    """

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _validate_estimator(self) -> None:
        super()._validate_estimator()
        if isinstance(self.n_neighbors, int):
            self.nn_ = Neighbors(self.n_neighbors, n_jobs=self.n_jobs)
        if self.version == 3 and isinstance(self.n_neighbors_ver3, int):
            self.nn_ver3_ = Neighbors(self.n_neighbors_ver3, n_jobs=self.n_jobs)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        classic.NearMiss._fit_resample(self, X, y)
        return Origins(self.sample_indices_)


class InstanceHardnessThreshold(Sampler, classic.InstanceHardnessThreshold):
    """Keep those rows of the larger classes that a classifier finds easy.

    Use it where labels of the larger classes are noisy. Rows are scored by classifiers that
    have not seen them, and those with the lowest probability of their own class go; of equal
    probabilities all stay, so more may be left than asked for.

    Parameters
    ----------
    estimator : classifier, optional
        What scores rows; a random forest if not given.
    sampling_strategy : float, str, dict or callable
        As in `RandomUnderSampler`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    cv : int
        Folds of the scoring.
    n_jobs : int, optional
        Processes of the scoring.

    Attributes
    ----------
    sample_indices_ : int array of shape (new rows,)
        Which rows were kept.

    References
    ----------
    Smith, Martinez, Giraud-Carrier: An instance level analysis of data complexity, Machine
    Learning 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> x, y = make_blobs([90, 10], centers=[[0, 0], [2, 2]], random_state=0)
    >>> y2 = InstanceHardnessThreshold(random_state=0).fit_resample(x, y)[1]
    >>> bool(10 <= sum(y2 == 0) < 90)
    True
    """

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        classic.InstanceHardnessThreshold._fit_resample(self, X, y)
        return Origins(self.sample_indices_)


class ClusterCentroids(Sampler, classic.ClusterCentroids):
    """Put the centres of clusters in the place of the larger classes.

    Use it where rows are numbers and few rows are to stand for many. With soft voting rows are
    new; with hard voting each is the row nearest to a centre.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `RandomUnderSampler`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    estimator : estimator, optional
        What clusters, with ``n_clusters`` and ``cluster_centers_``; ``KMeans`` if not given.
    voting : {"auto", "hard", "soft"}
        Whether rows or centres are kept; "auto" is hard for sparse matrices.

    Raises
    ------
    ArgumentError
        If weights are given: a centre has none.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0], [8.0], [9.0], [5.0], [6.0]]), np.array([0, 0, 0, 0, 1, 1])
    >>> x2, y2 = ClusterCentroids(random_state=0).fit_resample(x, y)
    >>> np.sort(x2[y2 == 0].ravel())
    array([0.5, 8.5])
    """

    def fit_resample(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Resample rows and their labels, as every sampler but without weights."""
        if sample_weight is not None:
            raise ArgumentError(
                "`sample_weight` cannot go along with centres, which are no rows; got weights. "
                "Take an under-sampler that keeps rows, such as `RandomUnderSampler`."
            )
        return super().fit_resample(X, y)

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        self._made, codes = classic.ClusterCentroids._fit_resample(self, X, y)
        first = np.array([rows_of(y, code)[0] for code in range(len(self.classes_))])
        return Origins(first[codes])

    def _build(self, X: Any, trace: Trace) -> Any:
        made = self.__dict__.pop("_made")
        if sparse.issparse(made):
            made.data = to_type(made.data, trace.matrix.dtype)
            return restore(made, like=X)
        return restore(to_type(made, trace.matrix.dtype), like=X)
